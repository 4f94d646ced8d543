//! Observers behind followers: their clients are served as any other's, and by what they say the
//! leader cannot be misled.

use super::{Place, Servers};
use crate::zab::{Attempt, Configuration, Ensemble, Event as Peer, LinkId, Zab};
use model::server::ServerId;

impl Servers {
    /// Three voters between two observers, which learn from followers; all of them run.
    pub(super) fn behind_followers() -> Self {
        let observers = [0, 4].into();
        let mut servers = Self { observers, ..Self::new(5) };
        for place in [3, 2, 1, 0, 4] {
            servers.start(place);
        }
        servers.pass(2_000);
        assert_eq!(servers.leader(), Some(3));
        servers
    }

    pub(super) fn ensemble_of(&self, place: Place) -> Ensemble {
        let line = |place: Place| {
            let role = if self.observers.contains(&place) { "observer" } else { "participant" };
            format!("server.{0}=server{0}:2888:3888:{role};2181\n", place + 1)
        };
        let text: String = (0..self.worlds.len()).map(line).collect();
        let current = Configuration::parse(text.as_bytes()).expect("well-formed");
        Ensemble {
            epoch_txns_max: self.epoch_txns_max,
            has_masters: !self.observers.is_empty(),
            ..Ensemble::new(ServerId(place as i64 + 1), current)
        }
    }

    /// Whether a server takes learners, or observers.
    pub(super) fn takes(&self, place: Place, is_to_master: bool) -> bool {
        let zab = self.worlds[place].as_ref().and_then(|world| world.replica.zab());
        zab.is_some_and(|zab| !is_to_master || zab.observers().is_some())
    }

    /// A learner link is opened, if the other server takes it.
    pub(super) fn connect_link(
        &mut self,
        (from, to): (Place, Place),
        attempt: Attempt,
        is_to_master: bool,
        is_open: bool,
    ) {
        if !is_open {
            return self.hand_in(from, Peer::ConnectFailed(attempt));
        }
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(link, (from, to));
        let accepted =
            if is_to_master { Peer::ObserverAccepted(link) } else { Peer::Accepted(link) };
        self.hand_in(to, accepted);
        self.hand_in(from, Peer::Connected(attempt, link));
    }

    /// The server that an observer learns from.
    fn master_of(&mut self, observer: Place) -> Place {
        let master = self.world(observer).replica.zab().and_then(Zab::learns_from);
        master.expect("it has one").0 as Place - 1
    }

    /// Both observers learn from this follower, and the others run.
    fn behind_one_follower() -> (Self, Place) {
        let mut servers = Self::behind_followers();
        let master = servers.master_of(0);
        let other = 3 - master;
        servers.kill(other);
        servers.pass(2_000);
        servers.start(other);
        servers.pass(2_000);
        assert_eq!([servers.master_of(0), servers.master_of(4)], [master; 2]);
        (servers, master)
    }
}

#[test]
fn an_observer_passes_on_every_kind_of_write() {
    let mut servers = Servers::behind_followers();
    for place in [0, 4] {
        assert!([1, 2].contains(&servers.master_of(place)), "not the leader");
        let client = servers.join(place);
        assert_eq!(servers.ask(client, "create1 /a one"), "ok \"/a\"");
        assert_eq!(servers.ask(client, "set /a two 1"), "BadVersion");
        assert_eq!(servers.ask(client, "sync /a"), "ok \"/a\"");
        assert_eq!(servers.ask(client, "create1 /e mine flags=1"), "ok \"/e\"");
        assert_eq!(servers.ask(client, "delete /none"), "NoNode");
        assert!(servers.ask(client, "multi set /a two | check /a 9").starts_with("ok error 0 |"));
        let other = servers.join(1);
        assert_eq!(servers.ask(other, "ls /"), "ok [\"a\" \"e\" \"zookeeper\"]");
        assert_eq!(servers.ask(client, "delete /a"), "ok");
        assert_eq!(servers.ask(client, "close"), "ok");
        assert_eq!(servers.ask(other, "ls /"), "ok [\"zookeeper\"]");
    }
    servers.assert_equal();
}

#[test]
fn a_session_at_an_observer_lives_as_long_as_its_client_says() {
    let mut servers = Servers::behind_followers();
    let (silent, awake) = (servers.join(0), servers.join(4));
    servers.ask(silent, "create1 /e x flags=1");
    for _ in 0..30 {
        servers.send(awake, -2, "ping");
        servers.pass(1_000);
        servers.received(awake);
    }
    assert!(servers.is_open(awake), "its pings have reached the leader");
    assert!(!servers.is_open(silent));
    assert_eq!(servers.ask(awake, "exists /e"), "NoNode");
    assert_eq!(servers.resume(silent, 1).session, 0, "it has ended");
}

#[test]
fn a_session_that_has_left_a_server_behind_a_follower_is_no_longer_its() {
    let (mut servers, master) = Servers::behind_one_follower();
    // For the leader these places are one.
    for (from, to) in [(0, 4), (0, master), (master, 4)] {
        let old = servers.join(from);
        servers.ask(old, "create1 /a x");
        let moved = servers.resume(old, to);
        assert_eq!(moved.session, old.session);
        servers.send(old, 7, "set /a late");
        servers.send(old, 8, "close");
        servers.run();
        assert!(servers.is_open(moved), "it has the session");
        let data = servers.ask(moved, "get /a");
        assert_eq!(data.split(' ').nth(1), Some("\"x\""), "from {from} to {to}");
        assert_eq!(servers.ask(moved, "delete /a"), "ok");
        let back = servers.resume(moved, from);
        assert_eq!(servers.ask(back, "create1 /b x"), "ok \"/b\"");
        assert_eq!(servers.ask(back, "delete /b"), "ok");
        assert_eq!(servers.ask(back, "close"), "ok");
    }
    servers.assert_equal();
}

#[test]
fn requests_of_all_places_behind_a_follower_are_told_apart() {
    let (mut servers, master) = Servers::behind_one_follower();
    // The same numbers everywhere, and one session that goes from place to place.
    let mut wandering = servers.join(0);
    for place in [master, 4, 0, 4, master, 0] {
        servers.send(wandering, 1, "create1 /w x");
        servers.send(wandering, 2, "delete /w");
        wandering = servers.resume(wandering, place);
        for at in [0, 4, master] {
            let client = servers.join(at);
            for (xid, words) in (1..).zip(["sync /", "set / x", "sync /", "set / y", "get /"]) {
                servers.send(client, xid, words);
            }
            servers.run();
            let xids: Vec<_> = servers.received(client).into_iter().map(|it| it[3]).collect();
            assert_eq!(xids, [1, 2, 3, 4, 5], "at server {}", at + 1);
        }
        assert_eq!(servers.ask(wandering, "exists /w"), "NoNode");
    }
    servers.assert_equal();
}

#[test]
fn a_sync_at_an_observer_waits_for_what_the_leader_had_committed() {
    let mut servers = Servers::behind_followers();
    let master = servers.master_of(0);
    let (writer, reader) = (servers.join(3), servers.join(0));
    // The master is slow: what is committed is not on its own disk yet. The observer has it.
    servers.world(master).is_held = true;
    assert_eq!(servers.ask(writer, "create1 /a x"), "ok \"/a\"");
    assert_eq!(servers.ask(reader, "sync /"), "ok \"/\"");
    assert!(servers.ask(reader, "get /a").starts_with("ok"));
    servers.world(master).is_held = false;
    servers.run();
    servers.assert_equal();
}

#[test]
fn an_observer_that_knows_more_than_its_next_master_waits_for_it() {
    let mut servers = Servers::behind_followers();
    let (master, client) = (servers.master_of(0), servers.join(3));
    let next = 3 - master;
    // Its next master is slow, and does not get what its present one has.
    servers.cut_off.insert(next);
    assert_eq!(servers.ask(client, "create1 /a x"), "ok \"/a\"");
    servers.kill(next);
    servers.cut_off.clear();
    servers.start(next);
    servers.pass(2_000);
    servers.kill(master);
    servers.pass(2_000);
    assert_eq!(servers.master_of(0), next);
    let reader = servers.join(0);
    assert!(servers.ask(reader, "get /a").starts_with("ok"));
}
