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
