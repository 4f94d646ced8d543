//! Clients of several servers: each is answered as by one server alone.

use super::{Place, Servers};
use crate::tests::plain::{Operation, Plain, operation};
use crate::tests::wire;
use model::error::ErrorCode;
use model::jute::JuteReader;
use model::session::{Password, SessionId, password};
use proptest::prelude::*;

/// A client that has a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) place: Place,
    pub(super) connection: usize,
    pub(super) session: i64,
}

impl Servers {
    /// A client connects to a server and asks for a session, a new one or its own; the session's
    /// id, 0 if that was refused.
    pub(super) fn connect(&mut self, place: Place, session: i64, password: Password) -> Client {
        let world = self.world(place);
        let connection = world.open((place % 2) as u16);
        world.connect(connection, 10_000, session, password, 0);
        self.run();
        let replies = self.world(place).receive(connection);
        let session = replies
            .first()
            .map_or(0, |reply| i64::from_be_bytes(reply[8..16].try_into().expect("eight bytes")));
        Client { place, connection, session }
    }

    /// A client with a new session.
    pub(super) fn join(&mut self, place: Place) -> Client {
        let client = self.connect(place, 0, [0; 16]);
        assert_ne!(client.session, 0);
        client
    }

    /// A client goes to another server with its session.
    pub(super) fn resume(&mut self, client: Client, place: Place) -> Client {
        self.connect(place, client.session, password(SessionId(client.session)))
    }

    pub(super) fn send(&mut self, client: Client, xid: i32, words: &str) {
        self.world(client.place).ask(client.connection, xid, words);
    }

    pub(super) fn received(&mut self, client: Client) -> Vec<Vec<u8>> {
        self.world(client.place).receive(client.connection)
    }

    /// The error and the body of a client's only reply, as text.
    pub(super) fn ask(&mut self, client: Client, words: &str) -> String {
        self.send(client, 1, words);
        self.run();
        let replies = self.received(client);
        let [reply] = &replies[..] else { panic!("{words}: {} replies", replies.len()) };
        let mut reader = JuteReader::new(reply);
        assert_eq!(reader.int().expect("an xid"), 1);
        reader.long().expect("a zxid");
        let error = reader.int().expect("an error");
        let op = wire::request(&words.split(' ').collect::<Vec<_>>()).0;
        match ErrorCode::of(error) {
            Some(ErrorCode::Ok) => format!("ok {}", wire::body(op, &mut reader)).trim().to_owned(),
            error => format!("{:?}", error.expect("a known error")),
        }
    }

    pub(super) fn is_open(&mut self, client: Client) -> bool {
        self.world(client.place).connections[client.connection].is_open
    }
}

/// What happens to the clients of three servers.
#[derive(Clone, Debug)]
enum Step {
    /// Some operations of one client, sent at once.
    Ask(usize, Vec<Operation>),
    /// A client goes to another server with its session.
    Move(usize, Place),
    /// A client closes its session and opens another.
    Renew(usize),
    /// The leader ends, and starts again.
    NewLeader,
    /// A follower ends, and starts when the others have written more; their logs may reach back no
    /// further than that.
    Away { is_purged: bool, operations: Vec<Operation> },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..3usize, prop::collection::vec(operation(), 1..6))
            .prop_map(|(client, operations)| Step::Ask(client, operations)),
        3 => (0..3usize, 0..3usize).prop_map(|(client, place)| Step::Move(client, place)),
        1 => (0..3usize).prop_map(Step::Renew),
        1 => Just(Step::NewLeader),
        1 => (any::<bool>(), prop::collection::vec(operation(), 1..20))
            .prop_map(|(is_purged, operations)| Step::Away { is_purged, operations }),
    ]
}

/// Servers, clients, and what they must be told.
struct Comparison {
    servers: Servers,
    plain: Plain,
    clients: Vec<Client>,
}

impl Comparison {
    fn new() -> Self {
        let servers = Servers::elected(3);
        let mut plain = Plain::new();
        plain.epoch_start = Some(1 << 32);
        let mut comparison = Self { servers, plain, clients: Vec::new() };
        comparison.clients = (0..3).map(|place| comparison.join(place)).collect();
        comparison.set_time();
        comparison
    }

    fn join(&mut self, place: Place) -> Client {
        self.plain.take_zxid();
        self.servers.join(place)
    }

    fn set_time(&mut self) {
        self.plain.time_ms = self.servers.now.wall_ms;
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Ask(client, operations) => self.ask(*client, operations),
            Step::Move(client, place) => {
                let moved = self.servers.resume(self.clients[*client], *place);
                assert_eq!(moved.session, self.clients[*client].session);
                self.clients[*client] = moved;
            }
            Step::Renew(client) => {
                let Client { place, session, .. } = self.clients[*client];
                assert_eq!(self.servers.ask(self.clients[*client], "close"), "ok");
                assert!(!self.servers.is_open(self.clients[*client]));
                self.plain.close(session);
                self.clients[*client] = self.join(place);
            }
            Step::NewLeader => self.replace_leader(),
            Step::Away { is_purged, operations } => self.leave_one_out(*is_purged, operations),
        }
    }

    fn leave_one_out(&mut self, is_purged: bool, operations: &[Operation]) {
        let leader = self.servers.leader().expect("one leads");
        let away = (leader + 1) % 3;
        self.servers.kill(away);
        self.servers.run();
        for client in 0..self.clients.len() {
            if self.clients[client].place == away {
                self.clients[client] = self.servers.resume(self.clients[client], leader);
            }
        }
        self.ask(0, operations);
        if is_purged {
            self.servers.purge(leader);
        }
        self.servers.start(away);
        self.servers.pass(2_000);
        self.clients[1] = self.servers.resume(self.clients[1], away);
        assert_ne!(self.clients[1].session, 0, "the session has survived");
        self.set_time();
    }

    fn replace_leader(&mut self) {
        let leader = self.servers.leader().expect("one leads");
        self.servers.kill(leader);
        self.servers.pass(2_000);
        let next = self.servers.leader().expect("another one leads");
        assert_ne!(next, leader);
        self.servers.start(leader);
        self.servers.pass(2_000);
        let epoch = self.servers.world(next).replica.zab().and_then(crate::zab::Zab::leads);
        self.plain.epoch_start = epoch.map(|epoch| i64::from(epoch.0) << 32);
        for client in 0..self.clients.len() {
            let place = self.clients[client].place;
            self.clients[client] = self.servers.resume(self.clients[client], place);
            assert_ne!(self.clients[client].session, 0, "the session has survived");
        }
        self.set_time();
    }

    fn ask(&mut self, client: usize, operations: &[Operation]) {
        let client = self.clients[client];
        let mut expected = Vec::new();
        for (xid, operation) in operations.iter().enumerate() {
            let (op, body) = operation.request();
            self.servers.world(client.place).send(client.connection, xid as i32, op, &body);
            let reply = self.plain.reply(xid as i32, operation, client.session);
            expected.push(reply);
        }
        self.servers.run();
        assert_eq!(self.servers.received(client), expected, "{operations:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn three_servers_answer_like_one(steps in prop::collection::vec(step(), 1..40)) {
        let mut comparison = Comparison::new();
        for step in &steps {
            comparison.step(step);
        }
        comparison.servers.assert_equal();
        for world in comparison.servers.worlds.iter().flatten() {
            comparison.plain.assert_equal(&world.ordering().head);
        }
    }
}

#[test]
fn a_follower_passes_on_every_kind_of_write() {
    let mut servers = Servers::elected(3);
    let client = servers.join(0);
    assert_eq!(servers.ask(client, "create1 /a one"), "ok \"/a\"");
    assert_eq!(servers.ask(client, "set /a two 1"), "BadVersion");
    assert_eq!(servers.ask(client, "sync /a"), "ok \"/a\"");
    assert_eq!(servers.ask(client, "create1 /e mine flags=1"), "ok \"/e\"");
    assert_eq!(servers.ask(client, "create1 /s- x flags=2"), "ok \"/s-0000000002\"");
    assert_eq!(servers.ask(client, "delete /none"), "NoNode");
    assert!(servers.ask(client, "multi set /a two | check /a 9").starts_with("ok error 0 |"));
    let other = servers.join(1);
    assert_eq!(servers.ask(other, "ls /"), "ok [\"a\" \"e\" \"s-0000000002\" \"zookeeper\"]");
    assert_eq!(servers.ask(client, "close"), "ok");
    assert_eq!(servers.ask(other, "ls /"), "ok [\"a\" \"s-0000000002\" \"zookeeper\"]");
    servers.assert_equal();
}

#[test]
fn a_watch_on_one_server_fires_for_a_write_on_another() {
    let mut servers = Servers::elected(3);
    let (watcher, writer) = (servers.join(0), servers.join(1));
    servers.ask(writer, "create1 /a x");
    servers.ask(watcher, "get /a watch");
    servers.ask(writer, "set /a y");
    let events = servers.received(watcher);
    assert_eq!(events.len(), 1, "one event");
    assert_eq!(events[0][..4], (-1_i32).to_be_bytes());
}

#[test]
fn a_silent_session_expires_wherever_it_is() {
    let mut servers = Servers::elected(3);
    let (silent, awake) = (servers.join(0), servers.join(1));
    servers.ask(silent, "create1 /e x flags=1");
    for _ in 0..30 {
        servers.send(awake, -2, "ping");
        servers.pass(1_000);
        servers.received(awake);
    }
    assert!(servers.is_open(awake), "its pings have reached the leader");
    assert!(!servers.is_open(silent));
    assert_eq!(servers.ask(awake, "exists /e"), "NoNode");
    assert_eq!(servers.resume(silent, 2).session, 0, "it has ended");
    servers.assert_equal();
}

#[test]
fn a_session_that_has_moved_is_no_longer_its_old_servers() {
    let mut servers = Servers::elected(3);
    let old = servers.join(0);
    servers.ask(old, "create1 /a x");
    let moved = servers.resume(old, 1);
    assert_eq!(moved.session, old.session);
    servers.send(old, 7, "set /a y");
    servers.run();
    assert!(servers.received(old).is_empty(), "it is not answered");
    assert!(!servers.is_open(old), "but cut off");
    assert_eq!(servers.ask(moved, "get /a").split(' ').nth(1), Some("\"x\""));
    let back = servers.resume(moved, 0);
    assert_eq!(servers.ask(back, "create1 /b x"), "ok \"/b\"");
    let wrong = servers.connect(1, back.session, [7; 16]);
    assert_eq!(wrong.session, 0);
    assert!(servers.is_open(back));
    servers.assert_equal();
}

#[test]
fn a_connection_that_its_client_has_left_does_not_get_the_session_back() {
    let mut servers = Servers::elected(3);
    let old = servers.join(0);
    servers.ask(old, "create1 /a x");
    // The client goes to the leader, changes the node, and leaves that as well.
    let moved = servers.resume(old, 2);
    assert!(servers.ask(moved, "set /a y").starts_with("ok"));
    servers.world(2).drop_socket(moved.connection);
    servers.run();
    servers.send(old, 7, "set /a x");
    servers.run();
    assert!(!servers.is_open(old), "what it sent last comes too late");
    let back = servers.resume(moved, 1);
    assert_eq!(back.session, old.session);
    assert_eq!(servers.ask(back, "get /a").split(' ').nth(1), Some("\"y\""));
    servers.assert_equal();
}

#[test]
fn a_sync_waits_for_the_sessions_own_writes() {
    let mut servers = Servers::elected(3);
    let client = servers.join(0);
    // The write is committed, and the sync answered, before the write is durable here.
    servers.world(0).is_held = true;
    servers.send(client, 1, "create1 /a x");
    servers.send(client, 2, "sync /");
    servers.send(client, 3, "create1 /b x");
    servers.run();
    assert!(servers.received(client).is_empty());
    servers.world(0).is_held = false;
    servers.run();
    let replies = servers.received(client);
    let xids: Vec<_> = replies.iter().map(|reply| reply[3]).collect();
    assert_eq!(xids, [1, 2, 3], "in the order of the requests");
}

#[test]
fn a_sync_waits_for_what_the_leader_had_committed() {
    let mut servers = Servers::elected(3);
    let (writer, reader) = (servers.join(2), servers.join(0));
    // The reader's server is slow: what is committed is not on its own disk yet.
    servers.world(0).is_held = true;
    assert_eq!(servers.ask(writer, "create1 /a x"), "ok \"/a\"");
    servers.send(reader, 1, "sync /");
    servers.send(reader, 2, "create1 /b x");
    servers.run();
    assert!(servers.received(reader).is_empty());
    servers.world(0).is_held = false;
    servers.run();
    let replies = servers.received(reader);
    let xids: Vec<_> = replies.iter().map(|reply| reply[3]).collect();
    assert_eq!(xids, [1, 2], "in the order of the requests");
    assert!(servers.ask(reader, "get /a").starts_with("ok"));
}
