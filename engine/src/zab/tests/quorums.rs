//! Which sets decide.

use crate::zab::Configuration;
use crate::zab::quorum::{Quorum, Weighted};
use model::server::ServerId;
use model::zxid::Zxid;
use proptest::prelude::*;

fn any_quorum() -> impl Strategy<Value = Quorum> {
    let equal = (1_i64..8).prop_map(|count| Quorum::majority((1..=count).map(ServerId)));
    let weighted = prop::collection::vec((0_i64..3, 0_i64..3), 1..8).prop_map(|voters| {
        let weigh = |(index, (group, weight)): (usize, (i64, i64))| {
            (ServerId(index as i64 + 1), Weighted { group, weight })
        };
        Quorum::Groups { voters: voters.into_iter().enumerate().map(weigh).collect() }
    });
    prop_oneof![equal, weighted]
}

fn is_in(set: u32, id: ServerId) -> bool {
    set & 1 << id.0 != 0
}

proptest! {
    #[test]
    fn quorums_meet(quorum in any_quorum(), one: u32, other: u32) {
        if quorum.is_quorum(|id| is_in(one, id)) && quorum.is_quorum(|id| is_in(other, id)) {
            prop_assert!(quorum.voters().any(|id| is_in(one, id) && is_in(other, id)));
        }
    }

    #[test]
    fn what_a_quorum_holds_is_the_highest_of_its_kind(
        quorum in any_quorum(),
        held in prop::collection::vec(prop::option::of(0_i64..5), 8),
    ) {
        let held_by = |id: ServerId| held[id.0 as usize - 1].map(Zxid);
        let holds = |zxid| quorum.is_quorum(|id| held_by(id).is_some_and(|it| it >= Zxid(zxid)));
        let expected = (0..5).rev().find(|&zxid| holds(zxid)).map(Zxid);
        prop_assert_eq!(quorum.held(held_by), expected);
    }
}

#[test]
fn a_majority_is_more_than_half() {
    let quorum = Quorum::majority((1..=4).map(ServerId));
    assert!(!quorum.is_quorum(|id| id.0 <= 2));
    assert!(quorum.is_quorum(|id| id.0 <= 3));
    assert_eq!(quorum.weight(ServerId(5)), 0);
}

/// As in ZooKeeper's documentation: three groups of three, of which one is down.
#[test]
fn groups_decide_by_their_majorities() {
    let place = |id| (ServerId(id), Weighted { group: (id - 1) / 3, weight: 1 });
    let quorum = Quorum::Groups { voters: (1..=9).map(place).collect() };
    assert!(quorum.is_quorum(|id| [1, 2, 4, 5].contains(&id.0)));
    assert!(!quorum.is_quorum(|id| [1, 2, 3, 4, 7].contains(&id.0)));
}

#[test]
fn a_configuration_without_a_voter_is_none() {
    assert!(Configuration::parse(b"version=500000001").is_none());
    assert!(Configuration::parse(b"server.1=a:1:2:observer;3\nversion=500000001").is_none());
    assert!(Configuration::parse(b"server.1=a:1:2;3\nversion=500000001").is_some());
}
