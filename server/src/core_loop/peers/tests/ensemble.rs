//! Agreement over real links.

use super::world::World;
use model::server::ServerId;
use model::zxid::Epoch;

/// Elected, synchronized, written to; the leader goes, another one comes, the first returns.
#[test]
fn three_servers_keep_one_history() {
    let mut world = World::new(3);
    (1..=3).for_each(|id| world.start(id));
    let leader = world.led();
    world.write(leader, &[1, 100, 0]);
    world.write(leader, &[5_000; 20]);
    world.assert_equal();
    assert_eq!(world.epoch(), Epoch(1));

    world.stop(leader);
    let second = world.led();
    assert_ne!(second, leader);
    world.write(second, &[300; 10]);
    assert_eq!(world.epoch(), Epoch(2));
    world.assert_equal();

    // It lacks what was written without it, which is a DIFF.
    world.start(leader.0);
    assert_eq!(world.led(), second, "a leader that has a quorum stays");
    world.until("it has caught up", |world| {
        let shown: Vec<_> = world.servers.values().map(|it| it.node.disk.committed).collect();
        shown.iter().all(|it| *it == shown[0])
    });
    world.write(second, &[7]);
    world.assert_equal();
}

/// A server that starts late finds the leader, and gets more than one receive or send carries.
#[test]
fn two_servers_are_a_quorum_of_three() {
    let mut world = World::new(3);
    world.start(1);
    world.start(2);
    let leader = world.led();
    assert_eq!(leader, ServerId(2), "of equal histories the greater number");
    for _ in 0..4 {
        world.write(leader, &[900_000, 10, 700_000]);
    }
    world.start(3);
    assert_eq!(world.led(), leader);
    world.until("it has everything", |world| {
        let logs = world.servers.values().map(|it| it.node.disk.log.len());
        logs.min() == Some(12)
    });
    world.write(leader, &[1]);
    world.assert_equal();
}

/// Servers that start again from their disks go on in the next epoch.
#[test]
fn an_ensemble_of_two_survives_restarts_of_all() {
    let mut world = World::new(2);
    for round in 1..=3 {
        world.start(1);
        world.start(2);
        let leader = world.led();
        world.write(leader, &[10; 5]);
        world.assert_equal();
        assert_eq!(world.epoch(), Epoch(round));
        world.stop(ServerId(1));
        world.stop(ServerId(2));
    }
}

/// What follows a TRUNC waits until the log is cut.
#[test]
fn a_server_that_has_too_much_is_cut() {
    let mut world = World::new(3);
    (1..=3).for_each(|id| world.start(id));
    let leader = world.led();
    world.write(leader, &[10; 3]);
    world.write_alone(leader);
    world.stop(leader);
    let lost = world.disks[&leader].log.last().cloned().expect("it has logged something");
    let second = world.led();
    world.write(second, &[20_000; 30]);
    world.start(leader.0);
    assert_eq!(world.led(), second);
    world.until("it has caught up", |world| {
        let lengths = world.servers.values().map(|it| it.node.disk.log.len());
        lengths.min() == Some(33)
    });
    world.write(second, &[7]);
    world.assert_equal();
    assert!(!world.servers[&leader].node.disk.log.contains(&lost));
}
