//! How long a server waits, and whether it votes without data.

use super::lone::{LINK, Lone, PACE, why_looking, zxid};
use crate::zab::learners::{Learner, Stage};
use crate::zab::{Effect, Event, Lost, Notice, Pace};
use model::peer::notification::ServerState;
use model::server::ServerId;

/// The notices that it sends to server 2.
fn notices(effects: &[Effect]) -> Vec<Notice> {
    let to_2 = effects.iter().filter_map(|effect| match effect {
        Effect::Notify { to: ServerId(2), notice } => Some(*notice),
        _ => None,
    });
    to_2.collect()
}

#[test]
fn a_vote_is_repeated_ever_more_rarely() {
    let mut lone = Lone::at_pace(Pace { notify_ms_min: 30, notify_ms_max: 100, ..PACE });
    let mut repeated_ms = Vec::new();
    for now_ms in 1..=500 {
        lone.now_ms = now_ms;
        if !notices(&lone.handle(Event::TurnEnded)).is_empty() {
            repeated_ms.push(now_ms);
        }
    }
    assert_eq!(repeated_ms, [30, 90, 190, 290, 390, 490]);
}

#[test]
fn a_leader_must_be_reached_in_time() {
    let mut lone = Lone::at_pace(Pace { connect_limit: 2, ..PACE });
    lone.said(2, ServerState::Following, 3);
    let effects = lone.said(3, ServerState::Leading, 3);
    let Some(&Effect::Connect(attempt, _)) = effects.last() else { panic!("{effects:?}") };
    lone.now_ms += 1_999;
    assert!(lone.handle(Event::TurnEnded).is_empty());
    // Once it is reached, the other limit counts.
    let mut slow = lone;
    slow.handle(Event::Connected(attempt, LINK));
    slow.now_ms += 5_000;
    assert!(slow.handle(Event::TurnEnded).is_empty());
    slow.now_ms += 10_000;
    assert_eq!(why_looking(&slow.handle(Event::TurnEnded)), Lost::Silent);
    let mut late = Lone::at_pace(Pace { connect_limit: 2, ..PACE });
    late.said(2, ServerState::Following, 3);
    late.said(3, ServerState::Leading, 3);
    late.now_ms += 2_000;
    assert_eq!(why_looking(&late.handle(Event::TurnEnded)), Lost::Unreachable);
}

#[test]
fn a_leader_without_an_epoch_gives_up_if_a_voter_does() {
    for (epoch_wait_ms, gives_up) in [(None, false), (Some(1_000), true), (Some(5_000), false)] {
        let pace = Pace { epoch_wait_ms, ..PACE };
        let mut lone = Lone::elected(Lone::at_pace(pace), 3);
        assert!(!lone.said(2, ServerState::Looking, 2).iter().any(is_look), "it is early");
        lone.now_ms += 2_000;
        // Server 3 has not voted for it.
        assert!(!lone.said(3, ServerState::Looking, 3).iter().any(is_look));
        let effects = lone.said(2, ServerState::Looking, 2);
        assert_eq!(notices(&effects).len(), 1, "it is answered");
        assert_eq!(effects.iter().any(is_look), gives_up, "{epoch_wait_ms:?}");
        if gives_up {
            assert_eq!(why_looking(&effects), Lost::VoterLooks(ServerId(2)));
        }
    }
}

fn is_look(effect: &Effect) -> bool {
    matches!(effect, Effect::Look(_))
}

#[test]
fn a_server_without_data_votes_only_if_they_cannot_be_lost() {
    for (is_trusted, zxid) in [(true, 0), (false, -1)] {
        let mut lone = Lone::empty(is_trusted);
        lone.now_ms = PACE.notify_ms_min;
        let said = notices(&lone.handle(Event::TurnEnded));
        assert_eq!(said[0].vote.zxid.0, zxid);
        // It takes part in no election, and follows a leader that others have.
        lone.said(2, ServerState::Looking, 1);
        lone.now_ms += 1_000;
        lone.handle(Event::TurnEnded);
        if !is_trusted {
            assert_eq!(lone.zab.notice().state, ServerState::Looking);
            lone.said(2, ServerState::Following, 3);
            lone.said(3, ServerState::Leading, 3);
            assert_eq!(lone.zab.follows(), Some(ServerId(3)));
        }
    }
}

#[test]
fn a_learner_that_takes_long_to_accept_is_not_late_with_what_it_was_sent_meanwhile() {
    let mut learner = Learner::new(LINK, 0);
    learner.stage = Stage::Offered;
    learner.mark(zxid(2, 5), 1_000);
    learner.stage = Stage::Accepted { held: zxid(2, 0) };
    learner.heard_ms = 10_000;
    assert!(!learner.is_silent_since(5_000));
    // From then on it is awaited, also from a learner that says other things.
    learner.mark(zxid(2, 5), 10_000);
    learner.heard_ms = 20_000;
    assert!(learner.is_silent_since(15_000));
    learner.acknowledged(zxid(2, 5));
    assert!(!learner.is_silent_since(15_000));
}
