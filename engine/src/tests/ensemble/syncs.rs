//! A sync is answered by a leader that still leads, and a read behind it is never too old.

use super::Servers;
use crate::settings::Settings;
use crate::tests::harness::settings;
use model::session::{SessionId, password};

#[test]
fn a_leader_that_was_cut_off_answers_no_sync() {
    let mut servers = Servers::elected(3);
    let (old, other) = (servers.join(2), servers.join(0));
    assert_eq!(servers.ask(old, "create1 /a 1"), "ok \"/a\"");
    servers.cut_off.insert(2);
    for place in 0..2 {
        servers.kill(place);
        servers.start(place);
    }
    servers.pass(2_000);
    assert_eq!(servers.leader(), Some(1));
    let other = servers.resume(other, 0);
    assert!(servers.ask(other, "set /a 2").starts_with("ok"));
    // The old leader has yet to notice.
    assert!(servers.is_open(old));
    servers.send(old, 1, "sync /a");
    servers.send(old, 2, "get /a");
    servers.pass(500);
    assert!(servers.received(old).is_empty(), "what it would read is not the newest");
    servers.pass(8_000);
    assert!(!servers.is_open(old));
}

#[test]
fn stocks_weaker_sync_can_be_chosen() {
    let servers = Servers::new(3);
    let weaker = Settings { confirms_syncs: false, ..settings() };
    let mut servers = Servers { settings: weaker, ..servers }.elect();
    let client = servers.join(2);
    servers.cut_off.insert(2);
    assert_eq!(servers.ask(client, "sync /"), "ok \"/\"");
}

#[test]
fn syncs_of_all_servers_are_answered_in_order() {
    let mut servers = Servers::elected(3);
    for place in 0..3 {
        let client = servers.join(place);
        let words = ["sync /", "set / x", "sync /", "sync /", "set / y", "get /"];
        for (xid, words) in (1..).zip(words) {
            servers.send(client, xid, words);
        }
        servers.run();
        let xids = servers.received(client).into_iter().map(|it| it[3]).collect::<Vec<_>>();
        assert_eq!(xids, [1, 2, 3, 4, 5, 6], "at server {}", place + 1);
    }
}

#[test]
fn what_a_sync_held_back_is_shown_after_the_leader_has_lost_its_place() {
    let mut servers = Servers::elected(3);
    let client = servers.join(2);
    servers.loses_pongs = true;
    servers.send(client, 1, "sync /");
    servers.send(client, 2, "create1 /a x");
    servers.pass(200);
    assert!(servers.received(client).is_empty(), "no quorum has confirmed the leader");
    let published = servers.world(2).ordering().published();
    assert!(published < servers.world(2).replica.zab().expect("a member").history().committed());
    servers.cut_off.insert(2);
    servers.loses_pongs = false;
    servers.pass(8_000);
    assert_eq!(servers.leader(), Some(1));
    servers.cut_off.clear();
    servers.pass(8_000);
    servers.assert_equal();
    let other = servers.join(2);
    assert_eq!(servers.ask(other, "ls /"), "ok [\"a\" \"zookeeper\"]");
}

#[test]
fn what_waits_behind_a_sync_is_not_saved_by_a_session_that_returns() {
    let mut servers = Servers::elected(3);
    let first = servers.join(0);
    servers.ask(first, "create1 /a x");
    // The leader holds the write back, behind the sync of the same link.
    servers.loses_pongs = true;
    servers.send(first, 7, "sync /");
    servers.send(first, 8, "set /a first");
    servers.pass(200);
    // The client goes to another server, writes, and returns.
    let second = servers.resume(first, 1);
    assert!(servers.ask(second, "set /a second").starts_with("ok"));
    let third = servers.connect(0, first.session, password(SessionId(first.session)));
    servers.loses_pongs = false;
    servers.pass(1_000);
    let received = servers.received(third);
    assert!(received.is_empty() || third.session == 0, "the connect was answered late");
    let other = servers.join(2);
    assert_eq!(servers.ask(other, "get /a").split(' ').nth(1), Some("\"second\""));
    servers.assert_equal();
}
