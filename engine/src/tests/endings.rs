//! The end of a session is one txn, however many nodes are removed with it.

use super::harness::{SEED, World, settings};
use crate::batch::Batch;
use crate::limits::{CLOSE_LIST_BYTES_MAX, CLOSED_NODES_PER_TURN};
use crate::ordering::replay;
use crate::pipeline::Head;
use crate::settings::Settings;
use model::jute::JuteReader;
use model::op::Op;
use model::txn::{DIGEST_VERSION, MultiTxn, Txn, TxnDigest, TxnHeader, put_sub_txn};
use std::sync::Arc;

/// The path of a node: short ones are listed, long ones are not.
fn path(at: usize, bytes: usize) -> String {
    format!("/{at:0bytes$}", bytes = bytes - 1)
}

/// A server with a session of this many nodes, and its connection.
fn owner(settings: Settings, count: usize, bytes: usize) -> (World, usize) {
    let mut world = World::new(settings, 1);
    let owner = world.join(0, 4_000);
    for at in 0..count {
        world.ask(owner, 1, &format!("create1 {} null flags=1", path(at, bytes)));
    }
    world.run();
    world.receive(owner);
    assert_eq!(world.ordering().head.tree.meta().ephemeral_count, count as u64);
    (world, owner)
}

fn header(txn: &[u8]) -> TxnHeader {
    TxnHeader::decode(&mut JuteReader::new(txn)).unwrap()
}

/// More nodes than several turns delete.
const MANY: usize = 3 * CLOSED_NODES_PER_TURN + 7;

/// Long enough that this many are not listed.
const LONG: usize = CLOSE_LIST_BYTES_MAX / MANY;

/// After each txn of the log, a session exists with all of its nodes or not at all.
fn assert_whole_everywhere(world: &World, count: usize) {
    let mut head = Head::new(world.settings.clone(), SEED);
    let mut batch = Batch::default();
    let mut most = 0;
    for (_, txn) in &world.log {
        replay(&mut head, txn, &mut batch).unwrap();
        let header = header(txn);
        let state = head.tree.meta();
        let owned = state.sessions.get(&header.session).map(|session| session.ephemerals.len());
        match header.op {
            Op::Create => assert_eq!(owned, Some(most + 1)),
            Op::CloseSession => assert_eq!((owned, state.ephemeral_count), (None, 0)),
            Op::CreateSession => assert_eq!(owned, Some(0)),
            op => panic!("{op:?} is not one of the session's"),
        }
        most = owned.unwrap_or(most);
        assert_eq!(state.ephemeral_count, owned.unwrap_or(0) as u64);
    }
    assert_eq!(most, count);
    assert_eq!(head.tree.digest(), world.ordering().head.tree.digest());
    assert_eq!(head.tree.node_count(), 4);
}

#[test]
fn a_log_cut_anywhere_holds_a_session_or_none_of_its_nodes() {
    for (count, bytes) in [(3, 8), (CLOSED_NODES_PER_TURN, 8), (MANY, 8), (MANY, LONG)] {
        let (mut world, owner) = owner(settings(), count, bytes);
        world.send(owner, 2, Op::CloseSession, &[]);
        world.run();
        assert_eq!(world.receive(owner).len(), 1, "the close is answered");
        assert_whole_everywhere(&world, count);
        let (mut world, _) = self::owner(settings(), count, bytes);
        world.pass(8_000);
        assert_whole_everywhere(&world, count);
    }
}

#[test]
fn a_txn_lists_the_nodes_if_every_server_can_read_it() {
    let closed = |settings: Settings, count, bytes| {
        let (mut world, owner) = owner(settings, count, bytes);
        world.send(owner, 2, Op::CloseSession, &[]);
        world.run();
        let (zxid, txn) = world.log.pop().unwrap();
        let mut reader = JuteReader::new(&txn);
        let header = TxnHeader::decode(&mut reader).unwrap();
        assert_eq!((header.op, header.cxid, header.zxid), (Op::CloseSession, 2, zxid));
        let found = Txn::decode(header.op, &mut reader).unwrap();
        let Txn::CloseSession { paths } = found else { panic!("{found:?}") };
        let paths = paths.map(|paths| paths.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        let digest = TxnDigest::decode(&mut reader).unwrap();
        let tree = world.ordering().head.tree.digest() as i64;
        assert!(digest.is_none_or(|found| found == TxnDigest { version: DIGEST_VERSION, tree }));
        assert!(txn.len() <= CLOSE_LIST_BYTES_MAX + TxnDigest::BYTES);
        (paths, digest.is_some())
    };
    for count in [0, 1, MANY] {
        let (paths, has_digest) = closed(settings(), count, 8);
        let expected: Vec<_> = (0..count).map(|at| path(at, 8).into_bytes()).collect();
        assert_eq!((paths, has_digest), (Some(expected), true));
    }
    // No list, and nothing that could be mistaken for one.
    assert_eq!(closed(settings(), MANY, LONG), (None, false));
    // As configured: the reader of such a log has the same configuration.
    let settings = Settings { close_session_txn: false, ..settings() };
    assert_eq!(closed(settings, MANY, 8), (None, true));
}

#[test]
fn others_see_all_of_a_session_or_nothing() {
    let (mut world, owner) = owner(settings(), MANY, 8);
    let (reader, writer) = (world.join(0, 30_000), world.join(0, 30_000));
    let (first, last) = (path(0, 8), path(MANY - 1, 8));
    world.ask(reader, 1, &format!("get {first} watch"));
    world.ask(reader, 2, &format!("get {last} watch"));
    world.run();
    world.receive(reader);
    let before = world.ordering().published();
    world.send(owner, 2, Op::CloseSession, &[]);
    world.turn();
    // Several turns of deletes: what is requested meanwhile is answered from before, or waits.
    let (mut turns, mut events) = (0, Vec::new());
    while world.ordering().published() == before {
        assert!(world.receive(writer).is_empty(), "a write does not overtake the end");
        if turns == 0 {
            world.ask(writer, 1, &format!("create {last} mine"));
        }
        let (error, zxid) = asked(&mut world, reader, &format!("exists {first}"), &mut events);
        let is_closed = world.ordering().published() != before;
        assert!(is_closed || (error, zxid) == (0, before.0), "{error} at {zxid}");
        turns += 1;
    }
    assert!(turns >= MANY / CLOSED_NODES_PER_TURN, "{turns} turns");
    let (close, create) = (before.next(), before.next().next());
    world.run();
    events.extend(zxids(&world.receive(reader)));
    assert_eq!(events, [close.0; 2], "one txn");
    assert_eq!(zxids(&world.receive(owner)), [close.0]);
    assert_eq!(zxids(&world.receive(writer)), [create.0]);
    let head = &world.ordering().head;
    assert_eq!(head.tree.lookup(b"/").unwrap().stat_native().pzxid, create.0);
    assert_eq!(head.tree.node_count(), 5);
}

fn zxid_of(packet: &[u8]) -> i64 {
    i64::from_be_bytes(packet[4..12].try_into().unwrap())
}

fn zxids(packets: &[Vec<u8>]) -> Vec<i64> {
    packets.iter().map(|packet| zxid_of(packet)).collect()
}

/// One request in one turn: the error and zxid of its reply. The zxids of events go to `events`.
fn asked(world: &mut World, client: usize, words: &str, events: &mut Vec<i64>) -> (i32, i64) {
    world.ask(client, 9, words);
    world.turn();
    let (replies, sent): (Vec<_>, Vec<_>) =
        world.receive(client).into_iter().partition(|packet| packet[..4] == 9_i32.to_be_bytes());
    events.extend(zxids(&sent));
    let [reply] = &replies[..] else { panic!("a read is answered in its turn") };
    (i32::from_be_bytes(reply[12..16].try_into().unwrap()), zxid_of(reply))
}

/// A full disk refuses new writes; what was proposed is finished.
#[test]
fn an_end_is_finished_though_writes_are_refused() {
    let (mut world, owner) = owner(settings(), MANY, 8);
    world.send(owner, 2, Op::CloseSession, &[]);
    world.turn();
    assert!(!world.ordering().is_admitting() && !world.ordering().has_open());
    world.refuse(true);
    while world.ordering().is_busy() {
        world.turn();
    }
    world.refuse(false);
    world.run();
    assert_eq!(world.receive(owner).len(), 1);
    assert_whole_everywhere(&world, MANY);
}

/// Older logs: many deletes in several txns, then the end.
#[test]
fn an_end_in_pieces_is_replayed() {
    let settings = Settings { txn_digest: false, ..settings() };
    let (world, _) = owner(settings.clone(), MANY, 8);
    let mut head = world.replayed();
    let mut batch = Batch::default();
    let session = header(&world.log[0].1).session;
    let mut zxid = world.log[world.log.len() - 1].0;
    let mut next = |op, txn: &Txn<'_>| {
        zxid = zxid.next();
        let mut bytes = Vec::new();
        TxnHeader { session, cxid: 0, zxid, time_ms: 1, op }.encode(&mut bytes);
        txn.encode(&mut bytes);
        replay(&mut head, &bytes, &mut batch).unwrap();
        let state = head.tree.meta();
        (state.sessions.contains_key(&session), state.ephemeral_count)
    };
    for at in [0, 1] {
        let mut txns = Vec::new();
        for at in at * 200..(at + 1) * 200 {
            let path = path(at, 8).into_bytes();
            put_sub_txn(&mut txns, Op::Delete, &Txn::Delete { path: &path });
        }
        let left = next(Op::Multi, &Txn::Multi(MultiTxn::of_encoded(200, &txns)));
        assert_eq!(left, (true, (MANY - 200 * (at + 1)) as u64));
    }
    assert_eq!(next(Op::CloseSession, &Txn::CloseSession { paths: None }), (false, 0));
    let empty = Head::new(Arc::new(settings), SEED);
    assert_eq!(head.tree.node_count(), empty.tree.node_count());
}
