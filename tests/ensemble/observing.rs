//! Observers that learn from followers (`observerMasterPort`).

use super::{Ensemble, PATIENCE, Seat, moved};
use crate::mixed::work;
use harness::server::next_free_port;
use harness::{Acl, Client, Config};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Observers below and above all voters.
pub(crate) const SEATS: [Seat; 5] =
    [Seat::Observer, Seat::Voter, Seat::Voter, Seat::Voter, Seat::Observer];

/// The observers.
pub(crate) const OBSERVERS: [usize; 2] = [0, 4];

impl Ensemble {
    /// Servers, each with an address of its own, whose followers serve observers.
    pub(crate) fn behind_followers(
        seats: &[Seat],
        listed: usize,
        configure: impl Fn(usize, Config) -> Config,
    ) -> Self {
        let port = next_free_port().to_string();
        let host = |at: usize| format!("127.0.0.{}", at + 1);
        Self::prepare_at(seats, listed, host, |at, config| {
            configure(at, config.set("observerMasterPort", &port))
        })
    }

    /// A number that a server reports of itself.
    pub(crate) fn reported(&self, at: usize, name: &str) -> Option<i64> {
        let text = self.servers[at].try_word("mntr")?;
        let of = |line: &str| Some(line.strip_prefix("zk_")?.strip_prefix(name)?.trim().to_owned());
        text.lines().find_map(of)?.parse().ok()
    }

    /// The server that an observer learns from, once it serves.
    pub(crate) fn master_of(&self, observer: usize) -> usize {
        let end = Instant::now() + PATIENCE;
        loop {
            let id = self.reported(observer, "observer_master_id");
            if let Some(id) = id.filter(|id| *id > 0) {
                return id as usize - 1;
            }
            assert!(Instant::now() < end, "it learns from nobody");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Observers come when followers serve: those that find none learn from the leader.
    fn launch_voters_first(&mut self) {
        self.servers[1..4].iter_mut().for_each(harness::Server::launch);
        self.await_service();
        for observer in OBSERVERS {
            self.servers[observer].launch();
        }
        self.await_service();
    }

    /// Each observer learns from a follower, and followers say how many of them they serve.
    pub(crate) fn assert_behind_followers(&self) {
        let leader = self.leader();
        for observer in OBSERVERS {
            assert_ne!(self.master_of(observer), leader, "it learns from the leader");
        }
        let served = |at: usize| self.reported(at, "synced_observers").unwrap_or(0);
        let followers = (1..4).filter(|at| *at != leader);
        assert_eq!(followers.map(served).sum::<i64>(), 2);
        assert_eq!(served(leader), 0);
    }
}

#[test]
fn observers_learn_from_followers() {
    let mut ensemble = Ensemble::behind_followers(&SEATS, 5, |_, config| config);
    ensemble.launch_voters_first();
    ensemble.assert_behind_followers();
    work::everything(&ensemble, "first");
    ensemble.assert_equal();
    ensemble.assert_digests();
}

#[test]
fn sessions_outlive_the_master_of_their_observer() {
    let mut ensemble = Ensemble::behind_followers(&SEATS, 5, |_, config| config);
    ensemble.launch_voters_first();
    for (round, observer) in [0, 4, 0].into_iter().enumerate() {
        let mut client = Client::connect(ensemble.address(observer));
        let mine = format!("/mine-{round}");
        client.create(&mine, b"", &Acl::open(), 1).unwrap();
        let master = ensemble.master_of(observer);
        ensemble.servers[master].kill();
        // The observer finds another master, and its client its session.
        client = moved(&client, ensemble.address(observer));
        let next = ensemble.master_of(observer);
        assert!(next != master && next != ensemble.leader());
        client.set(&mine, b"here", -1).unwrap();
        client.sync("/").unwrap();
        assert_eq!(client.ephemerals("/").unwrap(), [mine]);
        client.close();
        ensemble.servers[master].launch();
        ensemble.await_service();
    }
    ensemble.assert_equal();
    ensemble.assert_digests();
}

#[test]
fn an_observer_is_sent_what_it_lacks_by_its_master() {
    let mut ensemble = Ensemble::behind_followers(&SEATS, 5, |_, config| config);
    ensemble.servers.iter_mut().for_each(harness::Server::launch);
    ensemble.await_service();
    ensemble.servers[0].kill();
    ensemble.servers[4].kill();
    let mut client = Client::connect(ensemble.address(1));
    for number in 0..200 {
        client.make(&format!("/while-they-were-away-{number}"));
    }
    client.close();
    // One has lost everything it had; the other goes on behind that.
    for part in ["data/version-2", "data/log", "data/snapshots"] {
        drop(fs::remove_dir_all(ensemble.servers[0].folder().join(part)));
    }
    for at in OBSERVERS {
        ensemble.servers[at].launch();
    }
    ensemble.await_service();
    ensemble.assert_behind_followers();
    ensemble.assert_equal();
    work::everything(&ensemble, "then");
    ensemble.assert_equal();
    ensemble.assert_digests();
}
