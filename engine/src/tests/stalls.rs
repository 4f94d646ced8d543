//! A server that was stalled reads everything that waits for it before it ends a session.

use super::harness::{World, settings};
use crate::limits::LOOK_TURNS_MAX;
use model::op::Op;
use model::response::xid;

const TICK_MS: u64 = 2_000;
const TIMEOUT_MS: u64 = 4_000;

fn client(world: &mut World, at: usize) -> usize {
    let shard = at % world.shards.len();
    world.join(shard as u16, TIMEOUT_MS as i32)
}

fn ping(world: &mut World, connection: usize) {
    world.send(connection, xid::PING, Op::Ping, &[]);
}

fn sessions(world: &World) -> usize {
    world.ordering().head.tree.meta().sessions.len()
}

#[test]
fn what_waits_in_the_sockets_is_read_first() {
    for shard_count in [1, 2, 4] {
        for stall_ms in [3_000, 7_000, 9_500, 10_500, 20_000, 1_000_000] {
            let mut world = World::new(settings(), shard_count);
            let live: Vec<_> = (0..20).map(|at| client(&mut world, at)).collect();
            let dead = client(&mut world, 20);
            world.pass(1_300);
            for &connection in live.iter().chain([&dead]) {
                ping(&mut world, connection);
            }
            world.run();
            world.jump(stall_ms);
            for &connection in &live {
                ping(&mut world, connection);
            }
            // They are read over several turns.
            world.fed_per_turn_max = 3;
            world.run();
            let is_over = stall_ms > TIMEOUT_MS + TICK_MS;
            let expected = if is_over { 20 } else { 21 };
            assert_eq!(sessions(&world), expected, "{stall_ms} ms, {shard_count} shards");
            assert_eq!(world.connections[dead].is_open, !is_over);
            // No session gains more than a timeout and the remainder of its tick.
            world.pass(TIMEOUT_MS - 1);
            assert!(live.iter().all(|&connection| world.connections[connection].is_open));
            world.pass(2 * TICK_MS);
            assert_eq!(sessions(&world), 0, "{stall_ms} ms, {shard_count} shards");
        }
    }
}

#[test]
fn a_reconnect_during_a_stall_keeps_the_session() {
    for shard_count in [1, 2] {
        let mut world = World::new(settings(), shard_count);
        let before = client(&mut world, 0);
        let crowd: Vec<_> = (0..9).map(|at| client(&mut world, at)).collect();
        let session = world.shards[0].connection(world.connections[before].id).unwrap().session();
        world.jump(30_000);
        for &connection in &crowd {
            ping(&mut world, connection);
        }
        let password = model::session::password(session);
        let after = world.open(shard_count - 1);
        world.connect(after, TIMEOUT_MS as i32, session.0, password, 0);
        world.fed_per_turn_max = 1;
        world.run();
        assert_eq!(sessions(&world), 10);
        assert!(world.connections[after].is_open && !world.connections[before].is_open);
    }
}

/// A connection that has existed for longer than it may be silent, and whose first packet waits.
#[test]
fn a_connect_that_waits_is_not_silence() {
    let mut world = World::new(settings(), 1);
    world.pass(5_000);
    let connection = world.open(0);
    world.run();
    world.jump(60_000);
    world.shards[0].begin_turn(world.now);
    let id = world.connections[connection].id;
    assert!(!world.shards[0].is_sessionless(id, 10_000), "nothing was read since");
    world.run();
    assert!(world.shards[0].is_sessionless(id, 10_000));
}

#[test]
fn a_server_that_is_never_done_reading_ends_sessions() {
    let mut world = World::new(settings(), 1);
    let (busy, dead) = (client(&mut world, 0), client(&mut world, 1));
    let turn_ms = 10;
    let mut gone_ms = None;
    for now_ms in (0..2 * (TIMEOUT_MS + TICK_MS)).step_by(turn_ms) {
        ping(&mut world, busy);
        world.jump(turn_ms as u64);
        assert!(world.turn(), "every turn brings something");
        if gone_ms.is_none() && !world.connections[dead].is_open {
            gone_ms = Some(now_ms);
        }
    }
    let gone_ms = gone_ms.expect("it has expired");
    let look_ms = TICK_MS / 2 + u64::from(LOOK_TURNS_MAX) * turn_ms as u64;
    assert!((TIMEOUT_MS..=TIMEOUT_MS + TICK_MS + 2 * look_ms).contains(&gone_ms), "{gone_ms} ms");
    assert_eq!(sessions(&world), 1);
}
