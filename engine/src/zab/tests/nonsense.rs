//! What peers must not say, or say at an odd moment, and how long a server waits for them.

use crate::in_log::InLog;
use crate::limits::LEARNERS_MAX;
use crate::zab::{
    CloseReason, Effect, Effects, Ensemble, Event, LinkId, Lost, Message, Notice, Pace, Planted,
    Quorum, Violation, Zab, ZabParts,
};
use model::peer::notification::{ServerState, Vote};
use model::peer::packet::{FromLeader, FromLearner, LearnerInfo, PROTOCOL_VERSION};
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::sync::Arc;

const PACE: Pace = Pace { tick_ms: 1_000, init_limit: 10, sync_limit: 5, reconnect_ms: 100 };
const LINK: LinkId = LinkId(7);

/// Server 1 of several, whose disk and clock are the test's.
struct Lone {
    zab: Zab,
    now_ms: u64,
}

fn zxid(epoch: u32, counter: i64) -> Zxid {
    Zxid(Zxid::of_epoch(Epoch(epoch)).0 + counter)
}

impl Lone {
    fn new() -> Self {
        Self::of(3)
    }

    fn of(voters: i64) -> Self {
        let quorum = Quorum::majority((1..=voters).map(ServerId));
        let planted = Planted::default();
        let ensemble = Ensemble { me: ServerId(1), quorum, version: 0, text: [].into(), planted };
        let zab = Zab::new(ZabParts {
            ensemble,
            pace: PACE,
            epochs: Epochs::new(Epoch(1), Epoch(1)).unwrap(),
            last: zxid(1, 1),
            committed: zxid(1, 1),
            base: Zxid::ZERO,
            recent_bytes_max: 1 << 10,
        });
        let mut lone = Self { zab, now_ms: 0 };
        lone.handle(Event::TurnEnded);
        lone
    }

    fn handle(&mut self, event: Event<'_>) -> Vec<Effect> {
        let mut effects = Effects::default();
        self.zab.handle(self.now_ms, event, &mut effects);
        effects.take().collect()
    }

    fn said(&mut self, from: i64, state: ServerState, leader: i64) -> Vec<Effect> {
        let vote = Vote { leader: ServerId(leader), zxid: zxid(1, 1), epoch: 1 };
        let notice = Notice { state, vote, round: 1 };
        self.handle(Event::Notification { from: ServerId(from), notice })
    }

    /// It follows server 3, and has promised its epoch.
    fn following() -> Self {
        let mut lone = Self::new();
        lone.said(2, ServerState::Following, 3);
        let joined = lone.said(3, ServerState::Leading, 3);
        let Some(Effect::Connect(attempt, ServerId(3))) = joined.last() else {
            panic!("{joined:?}");
        };
        lone.handle(Event::Connected(*attempt, LINK));
        lone
    }

    fn promised() -> Self {
        let mut lone = Self::following();
        lone.hears(FromLeader::LeaderInfo { zxid: zxid(2, 0), protocol: 0, trailing: &[] });
        lone.handle(Event::EpochsStored);
        lone
    }

    fn hears(&mut self, packet: FromLeader<'_>) -> Vec<Effect> {
        self.handle(Event::FromLeader(LINK, packet))
    }

    /// It leads, and waits for servers.
    fn leading() -> Self {
        Self::leading_of(3)
    }

    fn leading_of(voters: i64) -> Self {
        let mut lone = Self::of(voters);
        for voter in 2..=voters / 2 + 1 {
            lone.said(voter, ServerState::Looking, 1);
        }
        lone.now_ms += 200;
        lone.handle(Event::TurnEnded);
        lone
    }

    fn answers(&mut self, link: LinkId, packet: FromLearner<'_>) -> Vec<Effect> {
        self.handle(Event::FromLearner(link, packet))
    }

    fn registers(&mut self, link: LinkId, id: i64, promised: u32) -> Vec<Effect> {
        self.handle(Event::Accepted(link));
        let learner = LearnerInfo::Config {
            server: ServerId(id),
            protocol: PROTOCOL_VERSION,
            version: 0,
            trailing: &[],
        };
        let accepted = Zxid::of_epoch(Epoch(promised));
        self.handle(Event::FromLearner(link, FromLearner::FollowerInfo { accepted, learner }))
    }
}

fn why_looking(effects: &[Effect]) -> Lost {
    let found = effects.iter().find_map(|it| match it {
        Effect::Look(why) => Some(*why),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("it does not look: {effects:?}"))
}

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
    learner.handle(Event::SnapshotReceived(LINK));
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

#[test]
fn what_a_voter_acknowledged_on_one_link_does_not_count_on_the_next() {
    let mut lone = Lone::leading_of(5);
    let (second, third, again) = (LinkId(2), LinkId(3), LinkId(4));
    for (link, id) in [(second, 2), (third, 3)] {
        lone.registers(link, id, 1);
    }
    lone.handle(Event::EpochsStored);
    for link in [second, third] {
        lone.answers(link, FromLearner::AckEpoch { logged: zxid(1, 1), epoch: 1 });
    }
    lone.handle(Event::EpochsStored);
    for link in [second, third] {
        lone.answers(link, FromLearner::Ack { zxid: zxid(2, 0) });
    }
    let mut txns = InLog::default();
    txns.push(zxid(2, 1), b"txn");
    lone.handle(Event::Sealed(Arc::new(txns)));
    lone.handle(Event::Durable(zxid(2, 1)));
    lone.answers(second, FromLearner::Ack { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(1, 1), "two of five");

    // It comes back, and is cut to the commit point: it holds the txn no more.
    lone.registers(again, 2, 2);
    let cut = lone.answers(again, FromLearner::AckEpoch { logged: zxid(2, 1), epoch: -1 });
    let is_cut =
        |it: &Effect| matches!(it, Effect::Send(_, Message::Trunc(to)) if *to == zxid(1, 1));
    assert!(cut.iter().any(is_cut), "{cut:?}");
    lone.answers(again, FromLearner::Ack { zxid: zxid(2, 0) });
    lone.answers(third, FromLearner::Ack { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(1, 1), "still two of five");
    lone.answers(again, FromLearner::Ack { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(2, 1));
}
