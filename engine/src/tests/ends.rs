//! Ends of connections: what was received before them counts, and what counts happens in order.

use super::harness::{World, settings};
use crate::limits::{EVENT_BYTES_MAX, LONG_UNITS_PER_TURN};
use crate::shard::Shard;
use model::jute::JuteReader;
use model::op::Op;
use model::session::{Password, SessionId, password};
use model::txn::TxnHeader;

fn client_on(world: &mut World, shard: u16) -> (usize, i64) {
    attached(world, shard, 0, [0; 16])
}

fn attached(world: &mut World, shard: u16, session: i64, password: Password) -> (usize, i64) {
    let connection = world.open(shard);
    world.connect(connection, 9_000, session, password, 0);
    world.run();
    let welcome = world.receive(connection).remove(0);
    (connection, i64::from_be_bytes(welcome[8..16].try_into().unwrap()))
}

/// An operation that does not exist.
fn ask_nonsense(world: &mut World, connection: usize, xid: i32) {
    let packet = [xid.to_be_bytes(), 99_i32.to_be_bytes()].concat();
    world.send_packet(connection, packet);
}

/// The numbers of the session's requests in the log, in its order.
fn logged(world: &World, session: i64) -> Vec<i32> {
    let headers =
        world.log.iter().map(|(_, txn)| TxnHeader::decode(&mut JuteReader::new(txn)).unwrap());
    let its = headers.filter(|header| header.session.0 == session);
    its.filter(|header| header.op != Op::CreateSession).map(|header| header.cxid).collect()
}

/// Xid and error of each packet.
fn received(packets: &[Vec<u8>]) -> Vec<(i32, i32)> {
    let int = |bytes: &[u8]| i32::from_be_bytes(bytes.try_into().unwrap());
    packets.iter().map(|packet| (int(&packet[..4]), int(&packet[12..16]))).collect()
}

/// Nothing of any connection is left except what these have.
fn assert_left(world: &World, connections: usize) {
    for shard in &world.shards {
        assert!(shard.connections(0..shard.slot_count()).all(|(_, held)| held.outstanding() == 0));
    }
    let held: usize = world.shards.iter().map(Shard::connection_count).sum();
    assert_eq!(held, connections);
}

/// Reads behind writes wait for the log, and so do the writes behind them. The end waits for
/// neither.
#[test]
fn writes_behind_parked_reads_survive_their_connection() {
    let mut world = World::new(settings(), 1);
    let (connection, session) = client_on(&mut world, 0);
    world.is_held = true;
    for xid in 0..400 {
        world.ask(connection, xid, ["create /n- x flags=2", "ls / watch"][xid as usize % 2]);
    }
    world.run();
    assert_eq!(logged(&world, session), [0], "the second waits for the first read");
    world.drop_socket(connection);
    world.run();
    assert_eq!(logged(&world, session), (0..400).step_by(2).collect::<Vec<_>>());
    assert_left(&world, 0);
    world.is_held = false;
    world.run();
    assert!(world.shards[0].watches().iter().all(|table| table.is_empty()));
}

/// Thousands in one turn, more than a connection's share; what it is sent is never received.
#[test]
fn a_long_stream_is_processed_a_share_per_turn() {
    let mut world = World::new(settings(), 1);
    let (connection, session) = client_on(&mut world, 0);
    world.ask(connection, 0, "create /large *1000000");
    world.connections[connection].is_stuck = true;
    for xid in 1..2_000 {
        let words = if xid < 10 { "get /large" } else { "create /n- x flags=2" };
        world.ask(connection, xid, words);
    }
    world.run();
    assert_eq!(logged(&world, session), [0], "it receives no answer, so it is not answered");
    world.drop_socket(connection);
    world.turn();
    assert!(logged(&world, session).len() < 200, "others have their turn in between");
    world.run();
    assert_eq!(logged(&world, session), [0].into_iter().chain(10..2_000).collect::<Vec<_>>());
    assert_left(&world, 0);
}

#[test]
fn what_a_connect_brought_along_counts() {
    let mut world = World::new(settings(), 1);
    let connection = world.open(0);
    world.connect(connection, 9_000, 0, [0; 16], 0);
    world.ask(connection, 1, "create /a x");
    world.ask(connection, 2, "get /a");
    world.ask(connection, 3, "create /b x flags=1");
    world.drop_socket(connection);
    world.run();
    let id = TxnHeader::decode(&mut JuteReader::new(&world.log[0].1)).unwrap().session.0;
    assert_eq!(logged(&world, id), [1, 3]);
    assert_left(&world, 0);
    let (again, session) = attached(&mut world, 0, id, password(SessionId(id)));
    assert_eq!(session, id, "the session lives on");
    world.ask(again, 1, "delete /b");
    world.run();
    assert_eq!(logged(&world, id), [1, 3, 1]);
}

#[test]
fn a_close_behind_a_parked_read_closes() {
    let mut world = World::new(settings(), 1);
    let (connection, session) = client_on(&mut world, 0);
    world.is_held = true;
    world.ask(connection, 1, "create /e x flags=1");
    world.ask(connection, 2, "exists /e");
    world.ask(connection, 3, "close");
    world.ask(connection, 4, "create /behind x");
    world.drop_socket(connection);
    world.run();
    world.is_held = false;
    world.run();
    assert_eq!(logged(&world, session), [1, 3]);
    assert_eq!(world.ordering().head.tree.meta().ephemeral_count, 0);
    assert_left(&world, 0);
}

/// A request that ends the connection is answered in its turn, and nothing behind it counts.
#[test]
fn nothing_follows_the_last_request() {
    let mut world = World::new(settings(), 1);
    let (connection, session) = client_on(&mut world, 0);
    world.ask(connection, 1, "exists /zookeeper");
    ask_nonsense(&mut world, connection, 2);
    world.ask(connection, 3, "create /behind x");
    world.run();
    assert_eq!(
        received(&world.receive(connection)),
        [(1, 0), (2, -6)],
        "behind a read of its turn"
    );
    assert!(!world.connections[connection].is_open);
    assert!(logged(&world, session).is_empty());

    let (connection, session) = client_on(&mut world, 0);
    world.is_held = true;
    for xid in 0..300 {
        world.ask(connection, xid, ["create /n- x flags=2", "ls /"][xid as usize % 2]);
    }
    world.ask(connection, -4, "auth nosuch x");
    world.ask(connection, 301, "create /behind x");
    world.run();
    assert!(world.receive(connection).is_empty(), "the log holds the first write");
    world.is_held = false;
    world.run();
    let wanted: Vec<_> = (0..300).map(|xid| (xid, 0)).chain([(-4, -115)]).collect();
    assert_eq!(received(&world.receive(connection)), wanted);
    assert_eq!(logged(&world, session), (0..300).step_by(2).collect::<Vec<_>>());
    assert_left(&world, 0);
}

/// Bytes that are not a packet end it silently, but not before what came first.
#[test]
fn a_silent_end_comes_in_its_turn_too() {
    let mut world = World::new(settings(), 1);
    let (connection, session) = client_on(&mut world, 0);
    world.is_held = true;
    world.ask(connection, 1, "create /a x");
    world.ask(connection, 2, "ls /");
    world.ask(connection, 3, "create /b x");
    world.send_nonsense(connection);
    world.run();
    assert!(world.connections[connection].is_open);
    world.is_held = false;
    world.run();
    assert_eq!(received(&world.receive(connection)), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(logged(&world, session), [1, 3]);
    assert!(!world.connections[connection].is_open);
    assert_left(&world, 0);
}

/// The peer closes while a listing of many turns is in progress, and while its last reply waits.
#[test]
fn an_end_in_the_middle_of_a_long_answer() {
    let mut world = World::new(settings(), 1);
    let (maker, _) = client_on(&mut world, 0);
    world.ask(maker, 0, "create /wide x");
    for xid in 1..7 * LONG_UNITS_PER_TURN as i32 {
        world.ask(maker, xid, &format!("create /wide/{xid} x"));
    }
    world.run();
    for is_refused in [false, true] {
        let (connection, session) = client_on(&mut world, 0);
        world.ask(connection, 1, "ls /wide");
        world.ask(connection, 2, "set /wide y");
        if is_refused {
            ask_nonsense(&mut world, connection, 3);
        }
        world.turn();
        assert!(logged(&world, session).is_empty(), "it is being listed");
        world.drop_socket(connection);
        world.run();
        assert_eq!(logged(&world, session), [2]);
        assert_left(&world, 1);
    }
}

/// No request of a connection happens after one of the connection that its session moved to.
#[test]
fn a_session_moves_when_its_requests_are_handed_over() {
    for (from, to) in [(0, 0), (0, 1), (1, 0)] {
        let mut world = World::new(settings(), 2);
        let (old, session) = client_on(&mut world, from);
        world.is_held = true;
        for xid in 0..400 {
            world.ask(old, xid, ["create /n- x flags=2", "ls /"][xid as usize % 2]);
        }
        world.turn();
        let new = world.open(to);
        world.connect(new, 9_000, session, password(SessionId(session)), 0);
        world.ask(new, 1_000, "create /new x");
        world.run();
        let earlier: Vec<_> = (0..400).step_by(2).collect();
        assert_eq!(logged(&world, session), earlier, "{from} to {to}");
        assert!(!world.connections[old].is_open);
        world.is_held = false;
        world.run();
        assert_eq!(logged(&world, session), [&earlier[..], &[1_000]].concat(), "{from} to {to}");
        assert!(world.receive(old).is_empty());
        assert_left(&world, 1);
    }
}

/// A client that is sent events and reads none is closed, and its requests take effect all the
/// same.
#[test]
fn requests_of_a_client_that_receives_nothing_count() {
    let mut world = World::new(settings(), 1);
    let (maker, _) = client_on(&mut world, 0);
    let path = format!("/{}", "x".repeat(8_000));
    world.ask(maker, 0, &format!("create {path} x"));
    let (taker, session) = client_on(&mut world, 0);
    world.ask(taker, 1, &format!("addwatch {path} 0"));
    world.run();
    world.connections[taker].is_stuck = true;
    world.ask(taker, 2, "create /a x");
    world.ask(taker, 3, "ls /");
    for xid in 0..(EVENT_BYTES_MAX / 8_000) as i32 + 10 {
        world.ask(maker, xid, &format!("set {path} y"));
        world.ask(taker, 4 + xid, "sync /");
    }
    world.ask(taker, 9_999, "create /b x");
    world.run();
    assert!(!world.connections[taker].is_open);
    assert_eq!(logged(&world, session), [2, 9_999]);
    assert_left(&world, 1);
}
