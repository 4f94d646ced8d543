//! Local sessions: no other server knows them, until they need an ephemeral node.

use super::clients::Client;
use super::{Place, Servers};
use crate::settings::{LocalSessions, Settings};
use crate::tests::harness::settings;
use crate::tests::wire;
use model::op::Op;
use model::session::SessionId;

fn elected(local_sessions: LocalSessions) -> Servers {
    let servers = Servers::new(3);
    Servers { settings: Settings { local_sessions, ..settings() }, ..servers }.elect()
}

impl Servers {
    /// Whether every server's tree has the client's session, or none.
    fn is_global(&mut self, client: Client) -> bool {
        let id = SessionId(client.session);
        let has = |servers: &mut Self, place: Place| {
            servers.world(place).ordering().head.tree.meta().sessions.contains_key(&id)
        };
        let all = [0, 1, 2].map(|place| has(self, place));
        assert!(all.iter().all(|it| *it == all[0]), "{all:?}");
        all[0]
    }

    fn local_count(&mut self, place: Place) -> usize {
        self.world(place).ordering().sessions().local_count()
    }

    fn zxid(&mut self) -> i64 {
        self.world(2).ordering().proposed().0
    }

    /// Sends all of it at once; the number and the error of each reply.
    fn ask_all(&mut self, client: Client, words: &[&str]) -> Vec<(u8, i32)> {
        for (xid, words) in (1..).zip(words) {
            self.send(client, xid, words);
        }
        self.run();
        let error_of = |reply: Vec<u8>| {
            (reply[3], i32::from_be_bytes(reply[12..16].try_into().expect("four bytes")))
        };
        self.received(client).into_iter().map(error_of).collect()
    }
}

#[test]
fn a_local_session_leaves_no_trace() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in 0..3 {
        let before = servers.zxid();
        let client = servers.join(place);
        assert_eq!(servers.zxid(), before, "it takes no txn");
        assert_eq!(servers.local_count(place), 1);
        assert!(servers.ask(client, "get /").starts_with("ok"));
        let path = format!("/n{place}");
        let created = servers.ask(client, &format!("create1 {path} x"));
        assert_eq!(created, format!("ok \"{path}\""), "its writes are like any other's");
        assert_eq!(servers.ask(client, "sync /"), "ok \"/\"");
        assert!(!servers.is_global(client));
        let before = servers.zxid();
        assert_eq!(servers.ask(client, "close"), "ok");
        assert!(!servers.is_open(client));
        assert_eq!(servers.zxid(), before, "nor does its end");
        assert_eq!(servers.local_count(place), 0);
        assert_eq!(servers.resume(client, place).session, 0, "it has ended");
    }
    servers.assert_equal();
}

#[test]
fn an_ephemeral_node_makes_a_session_global_once() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in 0..3 {
        let client = servers.join(place);
        let before = servers.zxid();
        let path = format!("/e{place}");
        let words = format!("create1 {path} x flags=1");
        assert_eq!(servers.ask(client, &words), format!("ok \"{path}\""));
        assert_eq!(servers.zxid(), before + 2, "the session, then the node");
        assert!(servers.is_global(client));
        assert_eq!(servers.local_count(place), 0);
        assert_eq!(servers.ask(client, &words), "NodeExists");
        assert_eq!(servers.zxid(), before + 3);
        let moved = servers.resume(client, (place + 1) % 3);
        assert_eq!(moved.session, client.session, "every server knows it now");
        assert_eq!(servers.ask(moved, "close"), "ok");
        assert!(!servers.is_global(client));
        let other = servers.join(place);
        assert_eq!(servers.ask(other, &format!("exists {path}")), "NoNode");
    }
    servers.assert_equal();
}

#[test]
fn an_ephemeral_node_in_a_multi_makes_a_session_global() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in 0..3 {
        let client = servers.join(place);
        let words = format!("multi create1 /a{place} x | create1 /e{place} x flags=1");
        let answer = servers.ask(client, &words);
        assert!(answer.starts_with("ok ") && !answer.contains("error"), "{answer}");
        assert!(servers.is_global(client));
        let client = servers.join(place);
        let answer = servers.ask(client, "multi create1 /b x | delete /b -1");
        assert!(answer.starts_with("ok ") && !answer.contains("error"), "{answer}");
        assert!(!servers.is_global(client), "this needs no owner");
    }
}

#[test]
fn ephemeral_nodes_of_local_sessions_can_be_refused() {
    let mut servers = elected(LocalSessions::Refused);
    for place in 0..3 {
        let client = servers.join(place);
        let before = servers.zxid();
        assert_eq!(servers.ask(client, "create1 /e x flags=1"), "EphemeralOnLocalSession");
        assert_eq!(servers.ask(client, "create /e x flags=3"), "EphemeralOnLocalSession");
        assert_eq!(servers.zxid(), before + 2, "they fail at the leader");
        // The leader of a learner knows no such session; its own answer goes into the results.
        let error = if place == 2 { -120 } else { -112 };
        let answer =
            servers.ask(client, "multi create1 /a x | create1 /e x flags=1 | delete /a -1");
        assert_eq!(answer, format!("ok error 0 | error {error} | error -2"));
        assert!(!servers.is_global(client));
        assert!(servers.ask(client, "create1 /p x flags=2").starts_with("ok"));
    }
    servers.assert_equal();
}

#[test]
fn flags_that_the_operation_overrules_are_refused_without_an_upgrade() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in 0..3 {
        let client = servers.join(place);
        let body = wire::request(&["create", "/c", "x", "flags=1"]).1;
        servers.world(place).send(client.connection, 1, Op::CreateContainer, &body);
        servers.run();
        let reply = servers.received(client).pop().expect("a reply");
        assert_eq!(reply[12..16], (-112_i32).to_be_bytes(), "as of a session that is not known");
        assert!(!servers.is_global(client));
    }
}

#[test]
fn no_other_server_takes_a_local_session() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in 0..3 {
        let client = servers.join(place);
        for other in [(place + 1) % 3, (place + 2) % 3] {
            assert_eq!(servers.resume(client, other).session, 0);
        }
        assert!(servers.is_open(client), "and it is not taken away");
        let back = servers.resume(client, place);
        assert_eq!(back.session, client.session);
        assert!(!servers.is_open(client));
        assert!(servers.ask(back, &format!("create1 /n{place} x")).starts_with("ok"));
        let wrong = servers.connect(place, back.session, [7; 16]);
        assert_eq!(wrong.session, 0);
        assert!(servers.is_open(back));
    }
}

#[test]
fn a_silent_local_session_expires_at_its_own_server() {
    let mut servers = elected(LocalSessions::Upgraded);
    let pairs = [0, 1, 2].map(|place| (servers.join(place), servers.join(place)));
    let before = servers.zxid();
    for _ in 0..30 {
        servers.pass(1_000);
        for (_, awake) in pairs {
            servers.send(awake, -2, "ping");
            servers.run();
            servers.received(awake);
        }
    }
    for (silent, awake) in pairs {
        assert!(servers.is_open(awake));
        assert!(!servers.is_open(silent));
        assert_eq!(servers.resume(silent, silent.place).session, 0);
    }
    assert_eq!(servers.zxid(), before, "no txn says so");
}

#[test]
fn an_upgraded_session_is_kept_by_its_pings() {
    let mut servers = elected(LocalSessions::Upgraded);
    let pairs = [0, 2].map(|place| (servers.join(place), servers.join(place)));
    for (silent, awake) in pairs {
        for client in [silent, awake] {
            servers.ask(client, &format!("create1 /e{} x flags=1", client.session));
        }
    }
    for _ in 0..30 {
        servers.pass(1_000);
        for (_, awake) in pairs {
            servers.send(awake, -2, "ping");
            servers.run();
            servers.received(awake);
        }
    }
    for (silent, awake) in pairs {
        assert_eq!((servers.is_open(silent), servers.is_open(awake)), (false, true));
        let silent = format!("exists /e{}", silent.session);
        assert_eq!(servers.ask(awake, &silent), "NoNode");
    }
    servers.assert_equal();
}

#[test]
fn local_sessions_end_with_their_servers_role() {
    let mut servers = elected(LocalSessions::Upgraded);
    let [local, global] = [0, 0].map(|place| servers.join(place));
    servers.ask(global, "create1 /e x flags=1");
    servers.kill(2);
    servers.pass(8_000);
    assert!(!servers.is_open(local));
    assert_eq!(servers.local_count(0), 0);
    assert_eq!(servers.resume(local, 0).session, 0);
    let back = servers.resume(global, 0);
    assert_eq!(back.session, global.session);
    assert!(servers.ask(back, "exists /e").starts_with("ok"));
}

#[test]
fn what_is_sent_at_once_is_answered_in_its_order() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in 0..3 {
        let client = servers.join(place);
        let node = format!("create1 /a{place} x");
        let owned = format!("create1 /e{place} x flags=1");
        let words = [&node, "sync /", "get /", "set / x", "close", &owned];
        let all = servers.ask_all(client, &words);
        assert_eq!(all, [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)], "an end is the last");
        let client = servers.join(place);
        let all = servers.ask_all(client, &["set / y", &owned, "get /", "sync /", "close"]);
        assert_eq!(all, [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]);
        let other = servers.join(place);
        assert_eq!(servers.ask(other, &format!("exists /e{place}")), "NoNode");
        assert!(!servers.is_global(client));
    }
    servers.assert_equal();
}

#[test]
fn a_session_that_moves_at_its_server_is_upgraded_where_it_goes() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in 0..3 {
        let old = servers.join(place);
        // It is read before its session leaves the connection.
        servers.send(old, 1, &format!("create1 /e{place} x flags=1"));
        let new = servers.resume(old, place);
        assert_eq!(new.session, old.session);
        assert!(servers.is_global(new));
        assert!(servers.ask(new, &format!("exists /e{place}")).starts_with("ok"));
        assert_eq!(servers.ask(new, "close"), "ok");
    }
    servers.assert_equal();
}

#[test]
fn a_leader_without_local_sessions_knows_none() {
    let mut servers = elected(LocalSessions::Off);
    servers.kill(0);
    servers.settings.local_sessions = LocalSessions::Upgraded;
    servers.start(0);
    servers.pass(2_000);
    let client = servers.join(0);
    assert_eq!(servers.local_count(0), 1);
    assert_eq!(servers.ask(client, "create1 /a x"), "SessionExpired");
    assert_eq!(servers.ask(client, "create1 /e x flags=1"), "ok \"/e\"");
    assert_eq!(servers.ask(client, "create1 /a x"), "ok \"/a\"", "now it knows it");
    servers.assert_equal();
}

#[test]
fn an_upgrade_uses_the_timeout_that_the_session_was_made_with() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in [0, 2] {
        let client = servers.join(place);
        let world = servers.world(place);
        let connection = world.open(0);
        let password = model::session::password(SessionId(client.session));
        world.connect(connection, 7_000, client.session, password, 0);
        servers.run();
        let again = Client { connection, ..client };
        assert_eq!(servers.received(again).len(), 1);
        servers.ask(again, &format!("create1 /e{place} x flags=1"));
        let tree = &servers.world(1).ordering().head.tree;
        assert_eq!(tree.meta().sessions[&SessionId(client.session)].timeout_ms, 10_000);
    }
}

#[test]
fn an_upgraded_session_expires_by_the_timeout_of_its_connection() {
    let mut servers = elected(LocalSessions::Upgraded);
    for place in [0, 2] {
        let client = servers.join(place);
        let world = servers.world(place);
        let connection = world.open(0);
        let password = model::session::password(SessionId(client.session));
        world.connect(connection, 40_000, client.session, password, 0);
        servers.run();
        let again = Client { connection, ..client };
        assert_eq!(servers.received(again).len(), 1);
        servers.ask(again, &format!("create1 /e{place} x flags=1"));
        for _ in 0..4 {
            servers.pass(15_000);
            servers.send(again, -2, "ping");
            servers.run();
            assert!(servers.is_open(again), "it is silent for less than 40 s at a time");
        }
    }
}
