//! Observers that learn from followers, of both makes, with ids below and above all voters.

use super::Make::{Ours, Stock};
use super::{Make, Mixed, work};
use crate::ensemble::Ensemble;
use crate::ensemble::changing::{Change, changeable};
use crate::ensemble::observing::SEATS;
use harness::Config;

impl Mixed {
    /// One leads of `voters`, the last; the first and the last server observe.
    fn behind_followers(
        voters: [Make; 3],
        observers: [Make; 2],
        configure: fn(Config) -> Config,
    ) -> Self {
        let [low, high] = observers;
        let [one, two, leader] = voters;
        let makes = vec![low, one, two, leader, high];
        let ensemble = Ensemble::behind_followers(&SEATS, SEATS.len(), |at, config| {
            configure(config.command(makes[at].command()))
        });
        let mut mixed = Self { ensemble, makes };
        mixed.launch(&[3, 2]);
        assert_eq!(mixed.ensemble.leader(), 3);
        mixed.launch(&[1, 0, 4]);
        mixed
    }
}

/// Lines of an observer that asks the leader, which it does in its turn.
const IN_TURN: [&str; 3] =
    ["Failed connect to", "Exception when observing the leader", "PeerState set to LOOKING"];

/// Observers of `ZooKeeper` have lost no master: those lines are of a leader that they asked, or of
/// a follower that did not follow yet.
fn assert_lost_none(mixed: &Mixed) {
    let servers = mixed.ensemble.servers.iter().zip(&mixed.makes);
    for (server, _) in servers.filter(|(_, make)| **make == Stock) {
        let log = server.log();
        let count = |of: &str| log.lines().filter(|line| line.contains(of)).count();
        let refused = format!("Learner {}", IN_TURN[0]);
        assert_eq!(count(&refused), count(IN_TURN[1]), "{log}");
    }
}

fn all_is_seen(voters: [Make; 3], observers: [Make; 2]) {
    let mixed = Mixed::behind_followers(voters, observers, |config| config);
    mixed.ensemble.assert_behind_followers();
    work::everything(&mixed.ensemble, "all");
    mixed.assert_alike_but(&IN_TURN);
    assert_lost_none(&mixed);
}

#[test]
fn behind_our_followers_of_zookeepers_leader() {
    all_is_seen([Ours, Ours, Stock], [Stock, Ours]);
}

#[test]
fn behind_our_followers_of_our_leader() {
    all_is_seen([Ours, Ours, Ours], [Ours, Stock]);
}

#[test]
fn behind_zookeepers_followers_of_our_leader() {
    all_is_seen([Stock, Stock, Ours], [Ours, Stock]);
}

#[test]
fn behind_zookeepers_followers_of_zookeepers_leader() {
    all_is_seen([Stock, Stock, Stock], [Stock, Ours]);
}

/// A voter is removed, and comes back: observers hear of both through their masters.
fn changes_are_seen(voters: [Make; 3], observers: [Make; 2]) {
    let mut mixed = Mixed::behind_followers(voters, observers, changeable);
    mixed.ensemble.assert_configured(5);
    mixed.ensemble.change(2, &Change::removing("2"));
    mixed.ensemble.assert_configured(4);
    let (quorum, election) = mixed.ensemble.ports[1];
    let client = mixed.ensemble.address(1).port();
    let line = format!("server.2=127.0.0.2:{quorum}:{election}:participant;127.0.0.1:{client}");
    mixed.ensemble.change(2, &Change::adding(line));
    mixed.ensemble.assert_configured(5);
    work::everything(&mixed.ensemble, "then");
    mixed.assert_same();
}

#[test]
fn changes_are_seen_behind_our_followers() {
    changes_are_seen([Ours, Ours, Stock], [Stock, Ours]);
}

#[test]
fn changes_are_seen_behind_zookeepers_followers() {
    changes_are_seen([Stock, Stock, Ours], [Ours, Stock]);
}
