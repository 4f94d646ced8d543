//! One of two voters, which an oracle lets decide alone.

use super::lone::{LINK, Lone, why_looking, zxid};
use crate::zab::{Effect, Event, LinkId, Lost};
use model::peer::notification::ServerState;
use model::peer::packet::FromLearner;
use model::zxid::Epoch;

fn asks(effects: &[Effect]) -> bool {
    effects.iter().any(|it| matches!(it, Effect::AskOracle))
}

/// It leads without a follower, in epoch 2.
fn alone() -> Lone {
    let mut lone = Lone::with_oracle(2);
    assert!(asks(&lone.handle(Event::TurnEnded)));
    lone.handle(Event::OracleSaid(true));
    lone.now_ms += 200;
    // For each phase it is asked again.
    assert!(asks(&lone.handle(Event::TurnEnded)), "discovery");
    lone.handle(Event::OracleSaid(true));
    assert!(asks(&lone.handle(Event::EpochsStored)), "promising");
    lone.handle(Event::OracleSaid(true));
    assert!(asks(&lone.handle(Event::EpochsStored)), "synchronization");
    let begun = lone.handle(Event::OracleSaid(true));
    assert!(begun.iter().any(|it| matches!(it, Effect::Lead(Epoch(2)))), "{begun:?}");
    lone
}

#[test]
fn no_other_ensemble_asks() {
    for voters in [1, 3, 4] {
        let mut lone = Lone::with_oracle(voters);
        for _ in 0..10 {
            assert!(!asks(&lone.handle(Event::TurnEnded)), "{voters} voters");
            lone.now_ms += 1_000;
        }
    }
    let mut lone = Lone::of(2);
    lone.now_ms += 1_000;
    assert!(!asks(&lone.handle(Event::TurnEnded)), "there is none");
    assert_eq!(lone.zab.leads(), None);
}

#[test]
fn an_oracle_that_says_no_is_asked_again_and_again_and_not_more() {
    let mut lone = Lone::with_oracle(2);
    assert!(asks(&lone.handle(Event::TurnEnded)));
    assert!(!asks(&lone.handle(Event::TurnEnded)), "it has not answered");
    assert!(!asks(&lone.handle(Event::OracleSaid(false))), "it has just said no");
    assert!(lone.zab.deadline_ms() <= 500, "no later than in half a tick");
    lone.now_ms = 500;
    assert!(asks(&lone.handle(Event::TurnEnded)));
    lone.handle(Event::OracleSaid(false));
    lone.now_ms = 900;
    assert!(!asks(&lone.handle(Event::TurnEnded)));
}

#[test]
fn a_better_vote_counts_though_the_oracle_permits() {
    let mut lone = Lone::with_oracle(2);
    lone.handle(Event::TurnEnded);
    lone.handle(Event::OracleSaid(true));
    lone.now_ms += 100;
    let joined = lone.said(2, ServerState::Looking, 2);
    let joined = [joined, lone.handle(Event::TurnEnded)].concat();
    assert!(joined.iter().any(|it| matches!(it, Effect::Connect(..))), "{joined:?}");
}

#[test]
fn a_leader_is_followed_that_may_be_alone() {
    let mut lone = Lone::with_oracle(2);
    lone.handle(Event::TurnEnded);
    let joined = lone.said(2, ServerState::Leading, 2);
    assert!(joined.iter().any(|it| matches!(it, Effect::Connect(..))), "{joined:?}");
    let mut without = Lone::of(2);
    let joined = without.said(2, ServerState::Leading, 2);
    assert!(!joined.iter().any(|it| matches!(it, Effect::Connect(..))), "{joined:?}");
}

#[test]
fn each_batch_needs_an_answer_of_its_own() {
    let mut lone = alone();
    for counter in [1, 2] {
        lone.seals([zxid(2, counter)]);
        assert!(lone.zab.history().committed() < zxid(2, counter));
        assert!(asks(&lone.handle(Event::Durable(zxid(2, counter)))), "it is durable here");
        let shown = lone.handle(Event::OracleSaid(true));
        assert!(shown.iter().any(|it| matches!(it, Effect::Committed(_))), "{shown:?}");
        assert_eq!(lone.zab.history().committed(), zxid(2, counter));
    }
    lone.seals([zxid(2, 3)]);
    lone.handle(Event::Durable(zxid(2, 3)));
    lone.handle(Event::OracleSaid(false));
    assert_eq!(lone.zab.history().committed(), zxid(2, 2), "it said no");
}

/// A follower comes, and accepts the history.
fn followed() -> Lone {
    let mut lone = alone();
    lone.registers(LINK, 2, 1);
    lone.answers(LINK, FromLearner::AckEpoch { logged: zxid(1, 1), epoch: 1 });
    lone.answers(LINK, FromLearner::Ack { zxid: zxid(2, 0) });
    lone
}

#[test]
fn a_follower_that_is_there_counts() {
    let mut lone = followed();
    lone.seals([zxid(2, 1)]);
    assert!(!asks(&lone.handle(Event::Durable(zxid(2, 1)))));
    assert!(!asks(&lone.handle(Event::TurnEnded)));
    assert!(lone.zab.history().committed() < zxid(2, 1));
    lone.answers(LINK, FromLearner::Ack { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(2, 1));
}

#[test]
fn an_answer_that_comes_behind_a_follower_does_not_count() {
    let mut lone = alone();
    lone.seals([zxid(2, 1)]);
    assert!(asks(&lone.handle(Event::Durable(zxid(2, 1)))));
    lone.registers(LINK, 2, 1);
    lone.answers(LINK, FromLearner::AckEpoch { logged: zxid(1, 1), epoch: 1 });
    lone.answers(LINK, FromLearner::Ack { zxid: zxid(2, 0) });
    lone.handle(Event::OracleSaid(true));
    assert!(lone.zab.history().committed() < zxid(2, 1), "the follower is there");
}

#[test]
fn what_waits_for_a_follower_is_committed_when_that_has_left() {
    let mut lone = followed();
    lone.seals([zxid(2, 1)]);
    lone.handle(Event::Durable(zxid(2, 1)));
    assert!(asks(&lone.handle(Event::Closed(LINK))));
    lone.handle(Event::OracleSaid(true));
    assert_eq!(lone.zab.history().committed(), zxid(2, 1));
    // It stays for as long as the oracle says so at each ping.
    for _ in 0..20 {
        lone.now_ms = lone.zab.deadline_ms();
        assert!(asks(&lone.handle(Event::TurnEnded)));
        lone.handle(Event::OracleSaid(true));
        assert_eq!(lone.zab.leads(), Some(Epoch(2)));
    }
}

#[test]
fn a_leader_without_a_follower_stays_only_if_the_oracle_says_so() {
    let leave = |lone: &mut Lone| {
        lone.handle(Event::Closed(LINK));
        lone.now_ms = lone.zab.deadline_ms();
        assert!(asks(&lone.handle(Event::TurnEnded)));
    };
    let mut refused = followed();
    leave(&mut refused);
    assert_eq!(why_looking(&refused.handle(Event::OracleSaid(false))), Lost::NoQuorum);

    let mut unanswered = followed();
    leave(&mut unanswered);
    unanswered.now_ms = unanswered.zab.deadline_ms();
    assert_eq!(why_looking(&unanswered.handle(Event::TurnEnded)), Lost::NoQuorum);
    // It is not asked again before it has answered; the answer counts for what waits by then.
    unanswered.now_ms += 1_000;
    assert!(!asks(&unanswered.handle(Event::TurnEnded)));
    unanswered.handle(Event::OracleSaid(false));
    unanswered.now_ms += 500;
    assert!(asks(&unanswered.handle(Event::TurnEnded)));
}

#[test]
fn a_sync_is_confirmed_by_the_oracle() {
    let mut lone = alone();
    assert!(asks(&lone.handle(Event::Confirm(1))));
    let confirmed = lone.handle(Event::OracleSaid(true));
    assert!(confirmed.iter().any(|it| matches!(it, Effect::Confirmed(1))), "{confirmed:?}");
}

/// The follower that has elected this leader gets a tick to come: what it has promised counts.
#[test]
fn a_supporter_is_waited_for() {
    let mut lone = Lone::with_oracle(2);
    lone.handle(Event::TurnEnded);
    lone.said(2, ServerState::Looking, 1);
    lone.handle(Event::TurnEnded);
    lone.handle(Event::OracleSaid(false));
    assert!(!asks(&lone.handle(Event::TurnEnded)));
    let comes = lone.registers(LinkId(3), 2, 4);
    assert!(comes.iter().any(|it| matches!(it, Effect::StoreEpochs(_))), "{comes:?}");
}
