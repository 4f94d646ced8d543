//! What peers must not say, or say at an odd moment, and how long a server waits for them.

use super::lone::{LINK, Lone, PACE, why_looking, zxid};
use crate::limits::LEARNERS_MAX;
use crate::zab::{CloseReason, Effect, Event, LinkId, Lost, Message, Notice, Violation};
use model::peer::notification::{ServerState, Vote};
use model::peer::packet::{FromLeader, FromLearner};
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};

fn closed(effects: &[Effect]) -> CloseReason {
    let found = effects.iter().find_map(|it| match it {
        Effect::Close(_, why) => Some(*why),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nothing is closed: {effects:?}"))
}

#[test]
fn a_ping_before_newleader_is_accepted_is_neither_answered_nor_a_fault() {
    let mut lone = Lone::promised();
    lone.hears(FromLeader::Diff { zxid: zxid(1, 1) });
    lone.hears(FromLeader::NewLeader { zxid: zxid(2, 0), config: None });
    let pinged = lone.hears(FromLeader::Ping { zxid: zxid(1, 1) });
    assert!(pinged.is_empty(), "{pinged:?}");
    lone.handle(Event::TurnEnded);
    let pinged = lone.hears(FromLeader::Ping { zxid: zxid(1, 1) });
    assert!(pinged.is_empty(), "{pinged:?}");
    let accepted = lone.handle(Event::EpochsStored);
    assert!(matches!(accepted[..], [Effect::Send(LINK, Message::AckNewLeader(Epoch(2)))]));
}

#[test]
fn a_diff_commits_nothing_that_comes_behind_newleader() {
    let mut lone = Lone::promised();
    lone.hears(FromLeader::Diff { zxid: zxid(2, 99) });
    lone.hears(FromLeader::NewLeader { zxid: zxid(2, 0), config: None });
    lone.handle(Event::TurnEnded);
    lone.handle(Event::EpochsStored);
    lone.hears(FromLeader::UpToDate { zxid: Zxid(-1) });
    lone.hears(FromLeader::Proposal { zxid: zxid(2, 1), txn: b"txn" });
    lone.handle(Event::TurnEnded);
    lone.handle(Event::Durable(zxid(2, 1)));
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(1, 1));
    lone.hears(FromLeader::Commit { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(2, 1));
}

#[test]
fn a_proposal_of_a_later_epoch_than_the_leaders_is_a_fault() {
    let mut lone = Lone::promised();
    lone.hears(FromLeader::Diff { zxid: zxid(1, 1) });
    let effects = lone.hears(FromLeader::Proposal { zxid: zxid(3, 1), txn: b"txn" });
    assert_eq!(why_looking(&effects), Lost::Protocol(Violation::WrongEpoch(Epoch(3))));
}

#[test]
fn an_epoch_behind_the_last_one_is_not_promised() {
    let mut lone = Lone::following();
    let zxid = Zxid::of_epoch(Epoch(u32::MAX));
    let effects = lone.hears(FromLeader::LeaderInfo { zxid, protocol: 0, trailing: &[] });
    assert_eq!(why_looking(&effects), Lost::Protocol(Violation::WrongEpoch(Epoch(u32::MAX))));
}

#[test]
fn a_learner_that_has_promised_the_last_epoch_is_refused() {
    let mut lone = Lone::leading();
    for promised in [Epoch::LAST.0, u32::MAX] {
        let effects = lone.registers(LINK, 9, promised);
        assert_eq!(closed(&effects), CloseReason::LastEpoch);
    }
    // One epoch is left.
    let effects = lone.registers(LINK, 2, Epoch::LAST.0 - 1);
    let epochs = Epochs::new(Epoch::LAST, Epoch(1)).unwrap();
    assert!(matches!(effects[..], [Effect::StoreEpochs(stored)] if stored == epochs));
}

#[test]
fn a_learner_with_the_leaders_own_id_is_refused() {
    let mut lone = Lone::leading();
    assert_eq!(closed(&lone.registers(LINK, 1, 1)), CloseReason::OurId);
}

#[test]
fn a_vote_in_this_servers_own_name_does_not_count() {
    let mut lone = Lone::new();
    let effects = lone.said(1, ServerState::Looking, 3);
    assert!(effects.is_empty(), "{effects:?}");
    assert_eq!(lone.zab.notice().vote.leader, ServerId(1));
}

#[test]
fn any_round_can_be_claimed() {
    let mut lone = Lone::new();
    let vote = Vote { leader: ServerId(3), zxid: zxid(1, 1), epoch: 1 };
    let notice = Notice { state: ServerState::Looking, vote, round: i64::MAX };
    lone.handle(Event::Notification { from: ServerId(3), notice });
    lone.now_ms += 200;
    lone.handle(Event::TurnEnded);
    // The leader is never reached: the next round begins.
    lone.now_ms += PACE.init_ms();
    let effects = lone.handle(Event::TurnEnded);
    assert_eq!(why_looking(&effects), Lost::Unreachable);
    assert_eq!(lone.zab.notice().round, i64::MAX);
}

#[test]
fn links_are_bounded_before_and_while_a_server_leads() {
    for mut lone in [Lone::new(), Lone::leading()] {
        for link in 0..LEARNERS_MAX as u64 {
            assert!(lone.handle(Event::Accepted(LinkId(link))).is_empty());
        }
        let effects = lone.handle(Event::Accepted(LinkId(u64::MAX)));
        assert_eq!(closed(&effects), CloseReason::TooManyLinks);
        lone.handle(Event::Closed(LinkId(0)));
        assert!(lone.handle(Event::Accepted(LinkId(u64::MAX))).is_empty());
    }
}

#[test]
fn a_snapshot_may_take_its_time_at_both_ends() {
    let mut learner = Lone::promised();
    learner.hears(FromLeader::Snap { zxid: zxid(2, 0) });
    learner.now_ms += 10 * PACE.init_ms();
    learner.handle(Event::TurnEnded);
    assert_eq!(learner.zab.deadline_ms(), u64::MAX);
    learner.handle(Event::SnapshotReceived(LINK, Zxid(0)));
    assert_eq!(learner.zab.deadline_ms(), learner.now_ms + PACE.init_ms());
    learner.handle(Event::TurnEnded);

    let mut leader = Lone::leading();
    leader.registers(LINK, 2, 1);
    leader.handle(Event::EpochsStored);
    let ack = |zxid| FromLearner::AckEpoch { logged: zxid, epoch: 1 };
    leader.answers(LINK, ack(zxid(1, 1)));
    leader.handle(Event::EpochsStored);
    leader.answers(LINK, FromLearner::Ack { zxid: zxid(2, 0) });
    assert_eq!(leader.zab.leads(), Some(Epoch(2)));
    // Another one has a history that cannot be continued.
    leader.registers(LinkId(8), 3, 1);
    let effects = leader.answers(LinkId(8), ack(zxid(0, 5)));
    assert!(effects.iter().any(|it| matches!(it, Effect::ReadLog(..))), "{effects:?}");
    leader.handle(Event::LogRead(LinkId(8), crate::zab::LogRead::Unavailable));
    for _ in 0..100 {
        leader.now_ms += PACE.tick_ms;
        leader.handle(Event::FromLearner(
            LINK,
            FromLearner::Ping { zxid: zxid(2, 0), touched: <_>::default() },
        ));
        let effects = leader.handle(Event::TurnEnded);
        assert!(!effects.iter().any(|it| matches!(it, Effect::Close(..))), "{effects:?}");
    }
}

#[test]
fn a_leader_that_is_slow_and_not_silent_is_waited_for_without_spinning() {
    let mut lone = Lone::promised();
    lone.hears(FromLeader::Diff { zxid: zxid(1, 1) });
    for _ in 0..30 {
        lone.now_ms += PACE.tick_ms;
        lone.hears(FromLeader::Ping { zxid: zxid(1, 1) });
        let effects = lone.handle(Event::TurnEnded);
        assert!(effects.is_empty(), "{effects:?}");
        assert!(lone.zab.deadline_ms() > lone.now_ms);
    }
    lone.now_ms += PACE.init_ms();
    assert_eq!(lone.zab.deadline_ms(), lone.now_ms);
    assert_eq!(why_looking(&lone.handle(Event::TurnEnded)), Lost::Silent);
}

/// As ZooKeeper's do that are told to, for tests.
#[test]
fn a_leader_may_leave_out_the_first_zxids_of_its_epoch() {
    let mut lone = Lone::promised();
    lone.hears(FromLeader::Diff { zxid: zxid(1, 1) });
    lone.hears(FromLeader::NewLeader { zxid: zxid(2, 0), config: None });
    lone.handle(Event::TurnEnded);
    lone.handle(Event::EpochsStored);
    lone.hears(FromLeader::UpToDate { zxid: Zxid(-1) });
    let far = zxid(2, i64::from(u32::MAX) - 1);
    lone.hears(FromLeader::Proposal { zxid: far, txn: b"txn" });
    lone.handle(Event::TurnEnded);
    let effects = lone.handle(Event::Durable(far));
    let acks = effects.iter().find_map(|it| match it {
        Effect::Send(LINK, Message::Acks { first, last }) => Some((*first, *last)),
        _ => None,
    });
    assert_eq!(acks, Some((far, far)), "{effects:?}");
}
