//! How much of the search for nodes whose time has run out is done in one turn.

use super::harness::{World, settings};
use crate::limits::{REAP_LOOKS_PER_TURN, REAPED_PER_TURN};
use crate::settings::Settings;
use model::jute;
use model::op::Op;
use model::session::ExtendedTypes;

const INTERVAL_MS: u64 = 60_000;

fn world(reap_per_minute_max: u64) -> (World, usize) {
    let extended_types = ExtendedTypes { enabled: true, emulate_353: false };
    let mut world = World::new(
        Settings {
            reap_per_minute_max,
            reap_interval_ms: INTERVAL_MS,
            extended_types,
            ..settings()
        },
        1,
    );
    let client = world.open(0);
    world.connect(client, 40_000, 0, [0; 16], 0);
    world.run();
    (world, client)
}

fn create(world: &mut World, client: usize, path: &str, ttl_ms: Option<i64>) {
    let mut body = Vec::new();
    jute::put_string(&mut body, path.as_bytes());
    jute::put_string(&mut body, b"");
    model::acl::AclList::OPEN.encode(&mut body);
    jute::put_int(&mut body, if ttl_ms.is_some() { 5 } else { 4 });
    if let Some(ttl_ms) = ttl_ms {
        jute::put_long(&mut body, ttl_ms);
    }
    let op = if ttl_ms.is_some() { Op::CreateTtl } else { Op::CreateContainer };
    world.send(client, 1, op, &body);
    world.run();
}

/// Ticks until nothing is left to do: how many txns each made.
fn ticks(world: &mut World) -> Vec<u64> {
    world.jump(INTERVAL_MS);
    let mut made = Vec::new();
    loop {
        let before = world.ordering().counts().txns;
        world.end_turn();
        made.push(world.ordering().counts().txns - before);
        if !world.ordering().is_busy() {
            return made;
        }
    }
}

#[test]
fn a_turn_removes_a_few() {
    let (mut world, client) = world(10_000);
    let count = 3 * REAPED_PER_TURN + 1;
    (0..count).for_each(|at| create(&mut world, client, &format!("/t{at}"), Some(10)));
    let made = ticks(&mut world);
    assert!(made.iter().all(|made| *made <= REAPED_PER_TURN), "{made:?}");
    assert_eq!(made.iter().sum::<u64>(), count);
}

#[test]
fn an_interval_removes_as_many_as_allowed() {
    let (mut world, client) = world(3);
    (0..7).for_each(|at| create(&mut world, client, &format!("/t{at}"), Some(10)));
    for expected in [3, 3, 1, 0] {
        assert_eq!(ticks(&mut world).iter().sum::<u64>(), expected);
    }
}

#[test]
fn a_turn_looks_at_a_few() {
    let (mut world, client) = world(10_000);
    let count = 5 * REAP_LOOKS_PER_TURN;
    // None of these is due: they never had a child.
    (0..count).for_each(|at| create(&mut world, client, &format!("/c{at:03}"), None));
    create(&mut world, client, "/z", Some(10));
    let made = ticks(&mut world);
    assert_eq!(made, [0, 0, 0, 0, 0, 1], "the one that is due is behind the others");
    let all = world.ordering().head.reapable(world.now.wall_ms, None, usize::MAX, usize::MAX);
    assert_eq!((all.due.len(), all.next), (0, None));
    let some = world.ordering().head.reapable(world.now.wall_ms, Some(b"/c001"), 3, 1);
    assert_eq!(some.next.as_deref(), Some(&b"/c004"[..]));
}
