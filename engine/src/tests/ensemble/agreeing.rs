//! Servers agree on one history, whoever leads.

use super::Servers;

#[test]
fn what_is_not_committed_is_dropped_with_its_leader() {
    let mut servers = Servers::elected(3);
    let client = servers.join(2);
    assert_eq!(servers.ask(client, "create1 /a 1"), "ok \"/a\"");
    servers.cut_off.insert(2);
    servers.send(client, 1, "create1 /lost 1");
    servers.run();
    assert_eq!(servers.world(2).log.len(), 3, "it is on the leader's disk");
    assert!(servers.received(client).is_empty());
    servers.pass(8_000);
    assert_eq!(servers.leader(), Some(1));
    assert!(!servers.is_open(client), "a server without a quorum closes its clients");
    let other = servers.join(0);
    assert_eq!(servers.ask(other, "ls /"), "ok [\"a\" \"zookeeper\"]");
    assert_eq!(servers.ask(other, "create1 /b 1"), "ok \"/b\"");
    servers.cut_off.clear();
    servers.pass(8_000);
    servers.assert_equal();
    let back = servers.resume(client, 2);
    assert_eq!(back.session, client.session);
    assert_eq!(servers.ask(back, "ls /"), "ok [\"a\" \"b\" \"zookeeper\"]");
}

#[test]
fn what_was_logged_and_not_answered_may_be_inherited() {
    let mut servers = Servers::elected(3);
    let client = servers.join(0);
    servers.ask(client, "create1 /a 1");
    // Everything is logged everywhere, and the leader ends before it says so.
    servers.send(client, 1, "create1 /b 1");
    servers.kill(1);
    servers.run();
    servers.kill(2);
    servers.kill(0);
    (0..3).for_each(|place| servers.start(place));
    servers.pass(4_000);
    assert!(servers.leader().is_some());
    servers.assert_equal();
    let back = servers.resume(client, 1);
    assert_eq!(servers.ask(back, "ls /"), "ok [\"a\" \"b\" \"zookeeper\"]");
}

#[test]
fn a_server_that_lacks_too_much_gets_a_snapshot() {
    let mut servers = Servers::elected(3);
    let client = servers.join(2);
    servers.kill(0);
    for number in 0..100 {
        servers.ask(client, &format!("create1 /n{number} *100"));
    }
    servers.ask(client, "create1 /e mine flags=1");
    for place in 1..3 {
        servers.purge(place);
    }
    servers.start(0);
    servers.pass(2_000);
    assert_eq!(servers.disks[0].base, servers.disks[2].base, "it came as a snapshot");
    servers.assert_equal();
    let other = servers.join(0);
    assert_eq!(servers.ask(other, "count /"), "ok 104");
    servers.ask(client, "create1 /after x");
    assert_eq!(servers.ask(other, "create1 /after/it x"), "ok \"/after/it\"");
    servers.assert_equal();
    // It can lead with what it got.
    servers.kill(2);
    servers.pass(2_000);
    servers.assert_equal();
    let back = servers.resume(client, 0);
    assert_eq!(servers.ask(back, "ephemerals /"), "ok [\"/e\"]");
}

#[test]
fn a_snapshot_that_never_counted_leaves_the_history_as_it_was() {
    let mut servers = Servers::elected(3);
    let client = servers.join(0);
    servers.ask(client, "create1 /a x");
    servers.kill(0);
    let other = servers.join(1);
    for number in 0..100 {
        servers.ask(other, &format!("create1 /n{number} *100"));
    }
    servers.purge(2);
    servers.start(0);
    while servers.disks[0].replaced.is_none() {
        servers.step();
    }
    assert_eq!(servers.world(0).ordering().seen(), servers.disks[2].base);
    servers.kill(2);
    servers.pass(3_000);
    // The other one has the whole log.
    assert_eq!(servers.leader(), Some(1));
    servers.pass(1_000);
    assert_eq!(servers.disks[0].base, model::zxid::Zxid::ZERO, "the snapshot is gone");
    servers.assert_equal();
    let back = servers.resume(client, 0);
    assert_eq!(servers.ask(back, "count /"), "ok 104");
}

#[test]
fn an_epoch_that_fills_up_while_nodes_are_reaped_ends() {
    let mut servers = Servers { epoch_txns_max: 12, ..Servers::new(3) }.elect();
    let client = servers.join(2);
    for container in ["/c", "/d"] {
        assert!(servers.ask(client, &format!("create {container} x flags=4")).starts_with("ok"));
        servers.ask(client, &format!("create1 {container}/child x"));
        assert_eq!(servers.ask(client, &format!("delete {container}/child")), "ok");
    }
    for _ in 0..4 {
        servers.ask(client, "set / x");
    }
    // Two nodes are due and one txn is left.
    for _ in 0..70 {
        if servers.is_open(client) {
            servers.send(client, -2, "ping");
        }
        servers.pass(1_000);
    }
    assert!(!servers.is_open(client), "another epoch has begun");
    servers.pass(60_000);
    let other = servers.join(0);
    assert_eq!(servers.ask(other, "ls /"), "ok [\"zookeeper\"]");
    servers.assert_equal();
}

/// Elections, sessions and links go by monotonic clocks: what day it is, and whether a clock is set
/// meanwhile, changes the times of nodes and nothing else.
#[test]
fn wall_clocks_that_are_an_hour_apart_decide_nothing() {
    const HOUR_MS: i64 = 3_600_000;
    let mut servers = Servers::new(3);
    servers.clock_errors_ms = vec![-HOUR_MS, HOUR_MS, 0];
    let mut servers = servers.elect();
    let (watcher, owner) = (servers.join(1), servers.join(0));
    assert_eq!(servers.ask(owner, "create1 /e mine flags=1"), "ok \"/e\"");
    // The clocks of the leader and of the client's server are set, in both directions.
    for errors_ms in [[HOUR_MS, 0, HOUR_MS], [-HOUR_MS, HOUR_MS, -HOUR_MS], [0, 0, 0]] {
        servers.clock_errors_ms = errors_ms.to_vec();
        for client in [owner, watcher] {
            assert_eq!(servers.ask(client, "ls /"), "ok [\"e\" \"zookeeper\"]");
        }
        servers.pass(4_000);
        assert_eq!(servers.leader(), Some(2), "no server is lost");
    }
    // A session that is silent ends when its timeout is over, not before.
    for _ in 0..2 {
        assert_eq!(servers.ask(watcher, "ls /"), "ok [\"e\" \"zookeeper\"]");
        servers.clock_errors_ms[2] += 10 * HOUR_MS;
        servers.pass(2_000);
    }
    for _ in 0..4 {
        assert!(servers.ask(watcher, "ls /").starts_with("ok"));
        servers.pass(4_000);
    }
    assert_eq!(servers.ask(watcher, "ls /"), "ok [\"zookeeper\"]");
    assert!(!servers.is_open(owner) && servers.is_open(watcher));
    // Whose clock is behind may lead, too.
    servers.clock_errors_ms[1] = -HOUR_MS;
    servers.kill(2);
    servers.pass(8_000);
    assert_eq!(servers.leader(), Some(1));
    let back = servers.resume(watcher, 1);
    assert_eq!(back.session, watcher.session, "its session is alive");
    assert_eq!(servers.ask(back, "create1 /later 1"), "ok \"/later\"");
    servers.start(2);
    servers.pass(4_000);
    servers.assert_equal();
}
