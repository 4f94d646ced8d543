//! What the roles count, besides what the transcripts show.

use super::harness::{World, settings};
use super::wire;
use crate::limits::DIGEST_EVERY_TXNS;
use crate::shard::ConnectionCounts;
use model::jute;
use model::op::Op;

fn create(path: &str, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    jute::put_string(&mut body, path.as_bytes());
    jute::put_string(&mut body, data);
    model::acl::AclList::OPEN.encode(&mut body);
    jute::put_int(&mut body, 0);
    body
}

fn set(path: &str, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    jute::put_string(&mut body, path.as_bytes());
    jute::put_string(&mut body, data);
    jute::put_int(&mut body, -1);
    body
}

fn world() -> (World, usize) {
    let mut world = World::new(settings(), 1);
    world.jump(1_000_000);
    let client = world.open(0);
    world.connect(client, 10_000, 0, [0; 16], 0);
    world.run();
    (world, client)
}

#[test]
fn a_connect_takes_no_longer_than_it_waited() {
    let (world, _) = world();
    let counts = world.shards[0].counts();
    assert_eq!((counts.answered, counts.latency_ms_max), (1, 0));
    assert_eq!(world.shards[0].meters().updates.spread().count, 1);
}

/// A client that reads, writes, watches, authenticates and fails; another that reconnects and has
/// missed something.
#[test]
fn what_connections_count_their_shard_counts() {
    let (mut world, client) = world();
    let back = world.open(0);
    world.connect(back, 10_000, 0, [0; 16], 0);
    let asked = [
        (client, "create /a x"),
        (client, "get /a watch"),
        (client, "set /a yy"),
        (client, "auth digest user:x"),
        (client, "delete /none"),
        (client, "get /none"),
        (client, "addwatch /a 0"),
        (back, "setwatches 0 data=/a,/gone exist=/a child=/a"),
    ];
    for (xid, (who, words)) in asked.into_iter().enumerate() {
        let (op, body) = wire::request(&words.split(' ').collect::<Vec<_>>());
        world.send(who, xid as i32, op, &body);
        world.run();
    }
    let shard = &world.shards[0];
    let held: Vec<_> = shard.connections(0..shard.slot_count()).map(|(_, c)| c.counts()).collect();
    let sum = |of: fn(&ConnectionCounts) -> u64| held.iter().map(|counts| of(counts)).sum::<u64>();
    let counts = shard.counts();
    assert_eq!((held.len(), counts.received), (2, 10));
    assert_eq!(sum(|counts| counts.received), counts.received);
    assert_eq!(sum(|counts| counts.sent), counts.sent);
    assert_eq!(sum(|counts| counts.answered), counts.answered);
    assert_eq!(sum(|counts| counts.latency_ms_sum), counts.latency_ms_sum);
}

#[test]
fn digests_are_remembered_at_intervals() {
    let (mut world, client) = world();
    world.send(client, 1, Op::Create, &create("/n", b""));
    for xid in 2..300 {
        world.send(client, xid, Op::SetData, &set("/n", xid.to_string().as_bytes()));
    }
    world.run();
    let digests: Vec<_> = world.ordering().head.digests().collect();
    let every = (1..300).filter(|zxid| zxid % DIGEST_EVERY_TXNS == 0);
    assert!(digests.iter().map(|(zxid, _)| zxid.0).eq(every));
    let replayed: Vec<_> = world.replayed().digests().collect();
    assert_eq!(replayed, digests, "a replay remembers the same");
}

#[test]
fn traffic_is_counted_by_the_part_of_the_tree() {
    let (mut world, client) = world();
    world.send(client, 1, Op::Create, &create("/part", b"12345"));
    world.send(client, 2, Op::Create, &create("/part/x", b"1"));
    world.send(client, 3, Op::SetData, &set("/nowhere", b"1"));
    let mut read = Vec::new();
    jute::put_string(&mut read, b"/part");
    jute::put_bool(&mut read, false);
    world.send(client, 4, Op::GetData, &read);
    world.send(client, 5, Op::GetChildren, &read);
    world.run();
    let written = &world.ordering().head.meters.written;
    let sums: Vec<_> = written.iter().map(|(name, spread)| (name.to_vec(), spread.sum)).collect();
    // Paths and data.
    assert_eq!(sums, [(b"part".to_vec(), 5 + 5 + 7 + 1)]);
    let meters = world.shards[0].meters();
    let read: Vec<_> = meters.read_traffic.iter().map(|(_, spread)| spread.sum).collect();
    // Path, data or names, and 68 bytes of Stat.
    assert_eq!(read, [5 + 5 + 68 + 5 + 1 + 68]);
    assert_eq!((meters.requests, meters.connects), (6, 1));
}
