//! Clients that ask and do not receive, and slots that change hands.

use super::harness::{World, settings};
use crate::limits::{
    CROWD_UNSENT_BYTES_MAX, EVENT_BYTES_MAX, IDENTITIES_MAX, TURN_REPLY_BYTES_MAX,
    TURN_REQUESTS_MAX, UNSENT_BYTES_MAX, UNSENT_SHARE_BYTES,
};
use model::op::Op;

fn unsent_bytes(world: &World, connection: usize) -> usize {
    let id = world.connections[connection].id;
    world.shards[0].connection(id).map_or(0, crate::shard::Connection::unsent_bytes)
}

fn xid(packet: &[u8]) -> i32 {
    i32::from_be_bytes(packet[..4].try_into().unwrap())
}

#[test]
fn replies_that_no_client_receives_are_not_made() {
    let mut world = World::new(settings(), 1);
    let (maker, taker) = (world.join(0, 9_000), world.join(0, 9_000));
    world.ask(maker, 1, "create /large *1000000");
    world.run();
    world.connections[taker].is_stuck = true;
    let count = 400;
    for xid in 0..count {
        world.ask(taker, xid, "get /large");
        // Writes and what does not read the tree keep their order.
        world.ask(taker, 1_000 + xid, "sync /");
    }
    world.run();
    let unsent = unsent_bytes(&world, taker);
    assert!(unsent > UNSENT_BYTES_MAX, "it may be answered this much: {unsent}");
    assert!(unsent < UNSENT_BYTES_MAX + 1_100_000, "more than the bound: {unsent}");
    // Once it receives, everything is answered in its order.
    world.ask(maker, 2, "exists /");
    world.run();
    assert_eq!(world.receive(maker).len(), 2);
    let mut expected = (0..count).flat_map(|xid| [xid, 1_000 + xid]);
    for _ in 0..count {
        world.take_stuck(taker);
        world.run();
        for packet in world.receive(taker) {
            assert_eq!(Some(xid(&packet)), expected.next());
        }
    }
    assert_eq!(expected.next(), None);
}

#[test]
fn a_turn_takes_its_share_of_a_pipeline() {
    let mut world = World::new(settings(), 1);
    let (eager, other) = (world.join(0, 9_000), world.join(0, 9_000));
    for xid in 0..10 * TURN_REQUESTS_MAX {
        world.ask(eager, xid as i32, "exists /");
    }
    world.ask(other, 1, "exists /");
    world.turn();
    assert_eq!(world.receive(eager).len(), TURN_REQUESTS_MAX as usize);
    assert_eq!(world.receive(other).len(), 1);
    world.run();
    assert_eq!(world.receive(eager).len(), 9 * TURN_REQUESTS_MAX as usize);
}

#[test]
fn events_that_are_not_received_end_a_connection() {
    let mut world = World::new(settings(), 1);
    let (maker, taker) = (world.join(0, 9_000), world.join(0, 9_000));
    let path = format!("/{}", "p".repeat(100_000));
    world.ask(taker, 1, "addwatch / 1");
    world.ask(maker, 1, &format!("create {path} "));
    world.run();
    world.connections[taker].is_stuck = true;
    let count = EVENT_BYTES_MAX / 100_000 - 1;
    for xid in 0..count {
        world.ask(maker, xid as i32, &format!("set {path} x"));
    }
    world.run();
    assert!(world.connections[taker].is_open, "it may have this much waiting for it");
    for xid in 0..3 {
        world.ask(maker, xid, &format!("set {path} x"));
    }
    world.run();
    assert!(!world.connections[taker].is_open, "it was sent more than may wait for it");
    assert_eq!(world.receive(maker).len(), count + 4);
}

#[test]
fn the_reply_to_a_multi_read_is_bounded() {
    let mut world = World::new(settings(), 1);
    let reader = world.join(0, 9_000);
    world.ask(reader, 1, "create /large *1000000");
    world.run();
    world.receive(reader);
    let many = ["get /large |"; 70].join(" ");
    let some = ["get /large |"; 9].join(" ");
    world.ask(reader, 2, &format!("mread {many}"));
    world.ask(reader, 3, &format!("mread {some} get /large"));
    world.run();
    let replies = world.receive(reader);
    assert_eq!((replies[0].len(), &replies[0][12..16]), (16, &[0xff; 4][..]));
    assert!(replies[1].len() > 7_000_000);
}

#[test]
fn identities_are_bounded() {
    let mut world = World::new(settings(), 1);
    let many = world.join(0, 9_000);
    for number in 0..IDENTITIES_MAX {
        world.ask(many, -4, &format!("auth digest user{number}:x"));
    }
    world.run();
    let replies = world.receive(many);
    let (last, before) = replies.split_last().unwrap();
    assert!(before.iter().all(|reply| reply[12..16] == [0; 4]));
    assert_eq!(last[12..16], (-115_i32).to_be_bytes());
    assert!(!world.connections[many].is_open);
}

/// A connection that is to end, and is closed before, does not end the next user of its slot.
#[test]
fn an_end_is_not_inherited() {
    let mut world = World::new(settings(), 1);
    let first = world.join(0, 9_000);
    let shard = &mut world.shards[0];
    let id = world.connections[first].id;
    let mut packet = Vec::new();
    model::jute::put_int(&mut packet, 1);
    model::jute::put_int(&mut packet, 99);
    shard.frame(id, &packet).unwrap();
    shard.drain();
    shard.serve(|_, why| panic!("{why}"));
    assert!(shard.connection(id).unwrap().has_ended());
    shard.close(id);
    let next = shard.open("10.0.0.9:1".parse().unwrap());
    assert_eq!(next.slot, id.slot, "the slot is reused");
    assert_eq!(shard.take_ending(), []);
    assert_eq!(Op::of(99), None);
}

/// Many clients that receive nothing are held to less than a few would be.
#[test]
fn a_crowd_that_receives_nothing_is_held_to_shares() {
    let mut world = World::new(settings(), 1);
    let maker = world.join(0, 9_000);
    world.ask(maker, 1, "create /large *100000");
    world.run();
    // Five times as many as could each leave their maximum.
    let count = 5 * (CROWD_UNSENT_BYTES_MAX >> 20);
    let takers: Vec<_> = (0..count).map(|_| world.join(0, 9_000)).collect();
    for &taker in &takers {
        world.connections[taker].is_stuck = true;
        for xid in 0..30 {
            world.ask(taker, xid, "get /large");
        }
    }
    world.run();
    let unsent: usize = takers.iter().map(|&taker| unsent_bytes(&world, taker)).sum();
    let shares = takers.len() * (UNSENT_SHARE_BYTES + 101_000);
    let max = CROWD_UNSENT_BYTES_MAX + TURN_REPLY_BYTES_MAX + shares;
    assert!(unsent > CROWD_UNSENT_BYTES_MAX && unsent < max, "{unsent} of {max}");
    // They do receive in the end, and receive everything.
    for &taker in &takers {
        world.connections[taker].is_stuck = false;
    }
    let mut received = vec![0; takers.len()];
    for _ in 0..30 {
        for (&taker, received) in takers.iter().zip(&mut received) {
            world.take_stuck(taker);
            for packet in world.receive(taker) {
                assert_eq!(xid(&packet), *received);
                *received += 1;
            }
        }
        world.run();
    }
    assert!(received.iter().all(|received| *received == 30), "{received:?}");
}
