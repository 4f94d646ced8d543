//! Clients of a server without a leader: they read what is committed, and change nothing.

use super::clients::Client;
use super::{Place, Servers};
use crate::replica::Serving;
use crate::settings::Settings;
use crate::tests::harness::settings;
use model::jute::{self, JuteReader};
use model::session::{Password, SessionId, password};
use model::zxid::Zxid;

const AFTER_MS: u64 = 2_000;
/// The longest time until a server notices that its leader is gone, and begins to look.
const NOTICED_MS: u64 = 6_000;

fn elected() -> Servers {
    let settings = Settings { read_only_after_ms: Some(AFTER_MS), ..settings() };
    Servers { settings, ..Servers::new(3) }.elect()
}

/// What a connect is answered.
#[derive(Debug, PartialEq, Eq)]
enum Welcome {
    /// The connection is closed.
    Closed,
    /// The session, 0 if it does not exist, and the read-only byte.
    Session(i64, bool),
}

impl Servers {
    /// A client that says whether a read-only server will do.
    fn request(
        &mut self,
        place: Place,
        (session, password): (i64, Password),
        is_read_only: Option<bool>,
    ) -> (Client, Welcome) {
        let world = self.world(place);
        let connection = world.open((place % 2) as u16);
        let mut packet = Vec::new();
        jute::put_int(&mut packet, 0);
        jute::put_long(&mut packet, 0);
        jute::put_int(&mut packet, 10_000);
        jute::put_long(&mut packet, session);
        jute::put_string(&mut packet, &password);
        if let Some(is_read_only) = is_read_only {
            jute::put_bool(&mut packet, is_read_only);
        }
        world.send_packet(connection, packet);
        self.run();
        let client = Client { place, connection, session };
        let replies = self.received(client);
        let [reply] = &replies[..] else {
            assert!(replies.is_empty() && !self.is_open(client));
            return (client, Welcome::Closed);
        };
        let mut reader = JuteReader::new(reply);
        reader.long().expect("a version and a timeout");
        let session = reader.long().expect("a session");
        reader.buffer().expect("a password");
        let is_read_only = reader.bool().expect("the read-only byte");
        (Client { session, ..client }, Welcome::Session(session, is_read_only))
    }

    /// A client with a new session of a read-only server.
    fn reader(&mut self, place: Place) -> Client {
        let (client, welcome) = self.request(place, (0, [0; 16]), Some(true));
        assert!(client.session != 0 && welcome == Welcome::Session(client.session, true));
        client
    }

    fn serving(&mut self, place: Place) -> Option<Serving> {
        self.world(place).serving
    }

    /// All but one server end; that one serves clients that only read.
    fn isolate(&mut self, place: Place) {
        (0..3).filter(|other| *other != place).for_each(|other| self.kill(other));
        self.pass(NOTICED_MS + AFTER_MS);
        assert_eq!(self.serving(place), Some(Serving::ReadOnly));
    }
}

fn of(client: Client) -> (i64, Password) {
    (client.session, password(SessionId(client.session)))
}

#[test]
fn a_server_without_a_leader_is_read_and_not_written() {
    let mut servers = elected();
    let writer = servers.join(2);
    assert_eq!(servers.ask(writer, "create1 /a 1"), "ok \"/a\"");
    servers.isolate(0);
    let reader = servers.reader(0);
    let before = servers.world(0).log.clone();
    let txns = servers.world(0).ordering().counts().txns;
    assert!(servers.ask(reader, "get /a watch").starts_with("ok \"1\""));
    assert_eq!(servers.ask(reader, "get /b"), "NoNode");
    assert!(servers.ask(reader, "ls2 /").contains("\"a\""));
    assert!(servers.ask(reader, "mread get /a | ls /").starts_with("ok"));
    assert!(servers.ask(reader, "setwatches 0 exist=/b").starts_with("ok"));
    for write in [
        "create1 /b 1",
        "create /b 1",
        "create /b 1 ttl=5000",
        "create /b 1 flags=4",
        "set /a 2",
        "setacl /a open",
        "delete /a",
        "multi set /a 2",
        "sync /",
    ] {
        assert_eq!(servers.ask(reader, write), "NotReadOnly", "{write}");
    }
    let world = servers.world(0);
    assert!(world.log == before && world.ordering().counts().txns == txns, "nothing is proposed");
    // Each answer in its turn; a ping's has a number of its own.
    for (xid, words) in (1..).zip(["get /a", "set /a 2", "get /a", "sync /", "ping", "close"]) {
        servers.send(reader, xid, words);
    }
    servers.run();
    let xids: Vec<_> = servers.received(reader).into_iter().map(|it| it[3]).collect();
    assert_eq!(xids, [1, 2, 3, 4, 254, 6]);
    assert!(!servers.is_open(reader), "its session has ended");
    assert_eq!(servers.request(0, of(reader), Some(true)).1, Welcome::Session(0, true));
}

#[test]
fn only_clients_that_asked_for_it_read_and_never_in_a_session_of_the_ensemble() {
    let mut servers = elected();
    let own = servers.join(0);
    let (content, welcome) = servers.request(0, (0, [0; 16]), Some(true));
    assert!(content.session != 0 && welcome == Welcome::Session(content.session, false));
    servers.isolate(0);
    assert!(!servers.is_open(own));
    let new = (0, [0; 16]);
    assert_eq!(servers.request(0, new, Some(false)).1, Welcome::Closed);
    assert_eq!(servers.request(0, new, None).1, Welcome::Closed);
    for is_read_only in [Some(true), Some(false), None] {
        assert_eq!(servers.request(0, of(own), is_read_only).1, Welcome::Closed);
    }
    let guessed = (own.session, [7; 16]);
    assert_eq!(servers.request(0, guessed, Some(true)).1, Welcome::Closed);
}

#[test]
fn a_session_that_is_not_known_continues() {
    let mut servers = elected();
    // Cut off from its leader, the server learns nothing of this session.
    servers.cut_off.insert(0);
    let young = servers.join(2);
    let await_service = |servers: &mut Servers, is_read_only: bool| {
        let is_it = |it: Serving| (it == Serving::ReadOnly) == is_read_only;
        for _ in 0..20 {
            servers.pass(1_000);
            assert!(servers.ask(young, "exists /").starts_with("ok"), "its session goes on");
            if servers.serving(0).is_some_and(is_it) {
                return;
            }
        }
        panic!("it never serves");
    };
    await_service(&mut servers, true);
    let stranger = (young.session, [7; 16]);
    assert_eq!(servers.request(0, stranger, Some(true)).1, Welcome::Session(0, true));
    for _ in 0..2 {
        let (reader, welcome) = servers.request(0, of(young), Some(true));
        assert_eq!(welcome, Welcome::Session(young.session, true));
        assert_eq!(servers.ask(reader, "set / x"), "NotReadOnly");
        servers.ask(reader, "close");
    }
    // It has not ended in the ensemble.
    servers.cut_off.clear();
    await_service(&mut servers, false);
    let young = servers.resume(young, 0);
    assert!(servers.ask(young, "set / x").starts_with("ok"));
}

#[test]
fn a_short_election_lets_nobody_read() {
    let mut servers = elected();
    servers.kill(2);
    for _ in 0..200 {
        servers.pass(50);
        assert!((0..2).all(|place| servers.serving(place) != Some(Serving::ReadOnly)));
    }
    assert_eq!(servers.leader(), Some(1));
    // Alone, it is not read before it has looked for long enough.
    servers.kill(0);
    while servers.serving(1).is_some() {
        servers.pass(50);
    }
    let asked = servers.request(1, (0, [0; 16]), Some(true)).1;
    assert_eq!(asked, Welcome::Closed);
    servers.pass(AFTER_MS - 100);
    assert_eq!(servers.serving(1), None);
    servers.pass(100);
    assert_eq!(servers.serving(1), Some(Serving::ReadOnly));
    // The same at a start.
    let mut servers = elected();
    (0..3).for_each(|place| servers.kill(place));
    servers.start(1);
    servers.pass(AFTER_MS - 100);
    assert_eq!(servers.serving(1), None);
    servers.pass(150);
    assert_eq!(servers.serving(1), Some(Serving::ReadOnly));
}

#[test]
fn read_only_mode_is_off_by_default() {
    let mut servers = Servers::elected(3);
    (0..2).for_each(|place| servers.kill(place));
    servers.pass(60_000);
    assert_eq!(servers.serving(2), None);
    assert_eq!(servers.request(2, (0, [0; 16]), Some(true)).1, Welcome::Closed);
}

#[test]
fn what_no_quorum_holds_is_not_shown() {
    let mut servers = elected();
    let client = servers.join(2);
    assert_eq!(servers.ask(client, "create1 /a 1"), "ok \"/a\"");
    (0..2).for_each(|place| servers.kill(place));
    servers.send(client, 1, "set /a 2");
    servers.send(client, 2, "create1 /b 2");
    servers.run();
    assert!(servers.received(client).is_empty());
    let ends_at = servers.world(2).log.last().expect("it has proposed").0;
    servers.pass(NOTICED_MS + AFTER_MS);
    let reader = servers.reader(2);
    assert!(servers.ask(reader, "get /a").starts_with("ok \"1\""));
    assert_eq!(servers.ask(reader, "get /b"), "NoNode");
    // Nor after a start, though it is in the log.
    servers.kill(2);
    servers.start(2);
    servers.pass(2 * AFTER_MS);
    assert!(servers.world(2).log.last().is_some_and(|(zxid, _)| *zxid == ends_at));
    let reader = servers.reader(2);
    assert!(servers.ask(reader, "get /a").starts_with("ok \"1\""));
    assert_eq!(servers.ask(reader, "get /b"), "NoNode");
    assert!(servers.world(2).ordering().published() < ends_at);
}

#[test]
fn what_is_not_known_to_be_committed_is_not_shown() {
    let mut servers = elected();
    let client = servers.join(2);
    assert_eq!(servers.ask(client, "create1 /a 1"), "ok \"/a\"");
    (0..3).for_each(|place| servers.kill(place));
    // An import: a tree, and no word of what is committed.
    let known = std::mem::replace(&mut servers.disks[1].committed, Zxid::ZERO);
    let log = servers.disks[1].log.clone();
    servers.start_with(1, known);
    assert_eq!(servers.world(1).log, log);
    servers.pass(10 * AFTER_MS);
    assert_eq!(servers.serving(1), None);
    assert_eq!(servers.request(1, (0, [0; 16]), Some(true)).1, Welcome::Closed);
    // With a leader it is.
    servers.start(2);
    servers.pass(2_000);
    assert_eq!(servers.leader(), Some(2));
    servers.kill(2);
    servers.pass(NOTICED_MS + AFTER_MS);
    let reader = servers.reader(1);
    assert!(servers.ask(reader, "get /a").starts_with("ok \"1\""));
}

#[test]
fn sessions_of_a_read_only_server_move_and_expire_there() {
    let mut servers = elected();
    servers.isolate(1);
    let (one, idle) = (servers.reader(1), servers.reader(1));
    assert_ne!(one.session, idle.session);
    let stranger = servers.request(1, (one.session, [7; 16]), Some(true)).1;
    assert_eq!(stranger, Welcome::Session(0, true));
    assert!(servers.is_open(one), "a wrong password disconnects nobody");
    let (again, welcome) = servers.request(1, of(one), Some(true));
    assert_eq!(welcome, Welcome::Session(one.session, true));
    assert!(!servers.is_open(one) && servers.is_open(again));
    assert!(servers.ask(again, "exists /").starts_with("ok"));
    // A client that is detached has its timeout, and one that asks nothing is closed.
    let world = servers.world(1);
    world.drop_socket(again.connection);
    servers.pass(6_000);
    let (again, welcome) = servers.request(1, of(one), Some(true));
    assert_eq!(welcome, Welcome::Session(one.session, true));
    servers.pass(6_000);
    assert!(servers.ask(again, "exists /").starts_with("ok"));
    servers.pass(2_000);
    assert!(servers.received(idle).is_empty() && !servers.is_open(idle));
    assert_eq!(servers.request(1, of(idle), Some(true)).1, Welcome::Session(0, true));
    assert!(servers.is_open(again));
    let local = servers.world(1).ordering().read_only_sessions().expect("it is read-only");
    let listed: Vec<_> = local.from(SessionId(i64::MIN)).map(|(id, _)| id.0).collect();
    assert_eq!((local.len(), listed), (1, vec![again.session]));
}

#[test]
fn with_a_leader_these_sessions_are_over_and_the_ensembles_go_on() {
    for isolated in 0..3 {
        let mut servers = elected();
        let owner = servers.join(isolated);
        assert_eq!(servers.ask(owner, "create1 /mine x flags=1"), "ok \"/mine\"");
        servers.isolate(isolated);
        let reader = servers.reader(isolated);
        assert!(servers.ask(reader, "get /mine").starts_with("ok"));
        servers.start((isolated + 1) % 3);
        servers.pass(2_000);
        assert!(servers.leader().is_some() && !servers.is_open(reader));
        assert!(servers.received(reader).is_empty());
        for place in [isolated, (isolated + 1) % 3] {
            let gone = servers.request(place, of(reader), Some(true)).1;
            assert_eq!(gone, Welcome::Session(0, false));
        }
        let owner = servers.resume(owner, isolated);
        assert!(servers.ask(owner, "set /mine y").starts_with("ok"));
        assert!(servers.world(isolated).ordering().read_only_sessions().is_none());
        servers.start((isolated + 2) % 3);
        servers.pass(2_000);
        servers.assert_equal();
    }
}

/// Servers that come and go while clients read and write: what is read was committed, and whatever
/// was answered is kept.
#[test]
fn many_turns_of_leaders_and_of_none() {
    let mut servers = elected();
    for round in 0..12_usize {
        let place = round % 3;
        let writer = servers.join(place);
        let word = if round == 0 { "create1 /n" } else { "set /n" };
        assert!(servers.ask(writer, &format!("{word} {round}")).starts_with("ok"));
        servers.isolate(place);
        let reader = servers.reader(place);
        assert!(servers.ask(reader, "get /n").starts_with(&format!("ok \"{round}\"")));
        assert_eq!(servers.ask(reader, "set /n lost"), "NotReadOnly");
        (0..3).filter(|other| *other != place).for_each(|other| servers.start(other));
        servers.pass(3_000);
        servers.assert_equal();
    }
}
