//! How many learners catch up at once, and by what.

use super::lone::{Lone, zxid};
use crate::zab::wire::KIN;
use crate::zab::{CatchUp, CatchingUp, CloseReason, Effect, Event, LinkId, Message};
use model::peer::notification::ServerState;
use model::peer::packet::{FromLeader, FromLearner, LearnerInfo, PROTOCOL_VERSION};
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};

/// It leads in epoch 2, with one follower; learners catch up so.
fn leading(catch_up: CatchUp) -> Lone {
    let mut lone = Lone::catching_up(catch_up);
    lone = Lone::elected(lone, 3);
    lone.is_joined_by(LinkId(2), 2);
    lone.handle(Event::TurnEnded);
    lone
}

/// An observer with these txns comes, and has promised the epoch.
fn observes(lone: &mut Lone, link: u64, last: Zxid) -> Vec<Effect> {
    let link = LinkId(link);
    lone.handle(Event::Accepted(link));
    let server = ServerId(link.0 as i64 + 10);
    let (protocol, version) = (PROTOCOL_VERSION, 0);
    let learner = LearnerInfo::Config { server, protocol, version, trailing: KIN };
    let accepted = Zxid::of_epoch(Epoch(1));
    lone.answers(link, FromLearner::ObserverInfo { accepted, learner });
    lone.answers(link, FromLearner::AckEpoch { logged: last, epoch: 1 })
}

fn sent_away(effects: &[Effect]) -> Option<CatchingUp> {
    effects.iter().find_map(|it| match it {
        Effect::Close(_, CloseReason::Crowded(how)) => Some(*how),
        _ => None,
    })
}

fn is_offered(effects: &[Effect]) -> bool {
    effects.iter().any(|it| matches!(it, Effect::Send(_, Message::NewLeader(..))))
}

#[test]
fn observers_beyond_the_bound_come_back() {
    let mut lone = leading(CatchUp { diffs_max: 2, ..CatchUp::default() });
    for link in [3, 4] {
        assert!(is_offered(&observes(&mut lone, link, zxid(1, 1))), "{link}");
    }
    assert_eq!(sent_away(&observes(&mut lone, 5, zxid(1, 1))), Some(CatchingUp::Diff));
    // One has accepted the history: there is room again.
    lone.answers(LinkId(3), FromLearner::Ack { zxid: zxid(2, 0) });
    assert!(is_offered(&observes(&mut lone, 6, zxid(1, 1))));
    assert_eq!(sent_away(&observes(&mut lone, 7, zxid(1, 1))), Some(CatchingUp::Diff));
    // One has left.
    lone.handle(Event::Closed(LinkId(4)));
    assert!(is_offered(&observes(&mut lone, 8, zxid(1, 1))));
}

#[test]
fn snapshots_have_a_bound_of_their_own() {
    let mut lone = leading(CatchUp { snapshots_max: 1, diffs_max: 1, ..CatchUp::default() });
    // No history of ours ends there.
    let ahead = zxid(1, 9);
    let parted = Zxid(ahead.0 - (1 << 32));
    let first = observes(&mut lone, 3, parted);
    assert!(first.iter().any(|it| matches!(it, Effect::ReadLog(..))), "{first:?}");
    let sent = lone.handle(Event::LogRead(LinkId(3), crate::zab::LogRead::Unavailable));
    assert!(sent.iter().any(|it| matches!(it, Effect::SendSnapshot(..))), "{sent:?}");
    observes(&mut lone, 4, parted);
    let second = lone.handle(Event::LogRead(LinkId(4), crate::zab::LogRead::Unavailable));
    assert_eq!(sent_away(&second), Some(CatchingUp::Snapshot));
    assert!(is_offered(&observes(&mut lone, 5, zxid(1, 1))), "it is sent txns");
}

#[test]
fn voters_are_never_sent_away_and_count() {
    let mut lone = leading(CatchUp { diffs_max: 1, ..CatchUp::default() });
    assert!(is_offered(&observes(&mut lone, 3, zxid(1, 1))));
    lone.registers(LinkId(4), 3, 1);
    let joined = lone.answers(LinkId(4), FromLearner::AckEpoch { logged: zxid(1, 1), epoch: 1 });
    assert!(is_offered(&joined), "{joined:?}");
    lone.handle(Event::Closed(LinkId(3)));
    assert_eq!(sent_away(&observes(&mut lone, 5, zxid(1, 1))), Some(CatchingUp::Diff));
}

#[test]
fn every_learner_gets_a_snapshot_if_that_is_asked_for() {
    let mut lone = leading(CatchUp { is_snapshot_forced: true, ..CatchUp::default() });
    let sent = observes(&mut lone, 3, zxid(1, 1));
    let snap = |it: &Effect| matches!(it, Effect::Send(_, Message::Snap(at)) if *at == zxid(2, 0));
    assert!(sent.iter().any(snap), "{sent:?}");
    assert!(sent.iter().any(|it| matches!(it, Effect::SendSnapshot(..))), "{sent:?}");
}

/// An observer that was sent away comes back after a pause.
#[test]
fn an_observer_that_was_sent_away_rests() {
    let mut lone = Lone::observing();
    lone.said(2, ServerState::Following, 3);
    let joined = lone.said(3, ServerState::Leading, 3);
    let Some(Effect::Connect(attempt, _)) = joined.last() else { panic!("{joined:?}") };
    let link = LinkId(7);
    lone.handle(Event::Connected(*attempt, link));
    let info = FromLeader::LeaderInfo { zxid: zxid(2, 0), protocol: 0, trailing: &[] };
    lone.handle(Event::FromLeader(link, info));
    lone.handle(Event::EpochsStored);
    lone.handle(Event::Closed(link));
    let looks = |effects: &[Effect]| effects.iter().any(|it| matches!(it, Effect::Notify { .. }));
    assert!(!looks(&lone.handle(Event::TurnEnded)), "not at once");
    assert_eq!(lone.zab.deadline_ms(), lone.now_ms + 100);
    lone.now_ms += 100;
    assert!(looks(&lone.handle(Event::TurnEnded)));
}
