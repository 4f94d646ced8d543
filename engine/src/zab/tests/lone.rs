//! One server, whose disk, clock and peers are the test's.

use crate::in_log::InLog;
use crate::limits::EPOCH_TXNS_MAX;
use crate::zab::wire::KIN;
use crate::zab::{
    CatchUp, Configuration, Effect, Effects, Ensemble, Event, LinkId, Lost, Notice, Oracle, Pace,
    Zab, ZabParts,
};
use model::peer::notification::{ServerState, Vote};
use model::peer::packet::{FromLeader, FromLearner, LearnerInfo, PROTOCOL_VERSION};
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::sync::Arc;

pub(super) const PACE: Pace = Pace::of(1_000, 10, 5, 100);
pub(super) const LINK: LinkId = LinkId(7);

/// Server 1 of several, whose disk and clock are the test's.
pub(super) struct Lone {
    pub(super) zab: Zab,
    pub(super) now_ms: u64,
}

pub(super) fn zxid(epoch: u32, counter: i64) -> Zxid {
    Zxid(Zxid::of_epoch(Epoch(epoch)).0 + counter)
}

impl Lone {
    pub(super) fn new() -> Self {
        Self::of(3)
    }

    pub(super) fn of(voters: i64) -> Self {
        Self::with(voters, EPOCH_TXNS_MAX)
    }

    /// It has no data, and may vote without.
    pub(super) fn empty(is_trusted: bool) -> Self {
        let mut parts = Self::parts(3, EPOCH_TXNS_MAX);
        parts.epochs = Epochs::default();
        (parts.last, parts.committed) = (Zxid::ZERO, Zxid::ZERO);
        parts.is_empty_trusted = is_trusted;
        Self::begun(parts)
    }

    /// It is one of so many, and has an oracle.
    pub(super) fn with_oracle(voters: i64) -> Self {
        let mut parts = Self::parts(voters, EPOCH_TXNS_MAX);
        parts.ensemble.oracle = Oracle::Unasked;
        Self { zab: Zab::new(parts), now_ms: 0 }
    }

    /// Learners catch up with it so.
    pub(super) fn catching_up(catch_up: CatchUp) -> Self {
        let mut parts = Self::parts(3, EPOCH_TXNS_MAX);
        parts.ensemble.catch_up = catch_up;
        Self::begun(parts)
    }

    /// Server 1 observes, 2, 3 and 4 vote.
    pub(super) fn observing() -> Self {
        let mut parts = Self::parts(3, EPOCH_TXNS_MAX);
        let text = "server.1=a:1:2:observer;3\nserver.2=a:4:5;6\nserver.3=a:7:8;9\n\
                    server.4=a:10:11;12";
        let current = Configuration::parse(text.as_bytes()).expect("the text is well-formed");
        parts.ensemble = Ensemble::new(ServerId(1), current);
        Self::begun(parts)
    }

    /// It goes by these times.
    pub(super) fn at_pace(pace: Pace) -> Self {
        Self::begun(ZabParts { pace, ..Self::parts(3, EPOCH_TXNS_MAX) })
    }

    fn with(voters: i64, epoch_txns_max: u32) -> Self {
        Self::begun(Self::parts(voters, epoch_txns_max))
    }

    fn parts(voters: i64, epoch_txns_max: u32) -> ZabParts {
        let ensemble = Ensemble {
            epoch_txns_max,
            ..Ensemble::new(ServerId(1), Configuration::of_voters((1..=voters).map(ServerId)))
        };
        ZabParts {
            ensemble,
            pace: PACE,
            epochs: Epochs::new(Epoch(1), Epoch(1)).unwrap(),
            last: zxid(1, 1),
            committed: zxid(1, 1),
            base: Zxid::ZERO,
            recent_bytes_max: 1 << 10,
            is_empty_trusted: true,
            proposed: Vec::new(),
        }
    }

    fn begun(parts: ZabParts) -> Self {
        let mut lone = Self { zab: Zab::new(parts), now_ms: 0 };
        lone.handle(Event::TurnEnded);
        lone
    }

    pub(super) fn handle(&mut self, event: Event<'_>) -> Vec<Effect> {
        let mut effects = Effects::default();
        self.zab.handle(self.now_ms, event, &mut effects);
        effects.take().collect()
    }

    pub(super) fn said(&mut self, from: i64, state: ServerState, leader: i64) -> Vec<Effect> {
        let vote = Vote { leader: ServerId(leader), zxid: zxid(1, 1), epoch: 1 };
        let notice = Notice { state, vote, round: 1 };
        self.handle(Event::Notification { from: ServerId(from), notice })
    }

    /// It follows server 3, and has promised its epoch.
    pub(super) fn following() -> Self {
        Self::new().follows()
    }

    fn follows(self) -> Self {
        let mut lone = self;
        lone.said(2, ServerState::Following, 3);
        let joined = lone.said(3, ServerState::Leading, 3);
        let Some(Effect::Connect(attempt, ServerId(3))) = joined.last() else {
            panic!("{joined:?}");
        };
        lone.handle(Event::Connected(*attempt, LINK));
        lone
    }

    pub(super) fn promised() -> Self {
        Self::following().promises()
    }

    fn promises(self) -> Self {
        let mut lone = self;
        lone.hears(FromLeader::LeaderInfo { zxid: zxid(2, 0), protocol: 0, trailing: &[] });
        lone.handle(Event::EpochsStored);
        lone
    }

    /// It follows server 3 in epoch 2, and serves observers.
    pub(super) fn master() -> Self {
        let mut parts = Self::parts(3, EPOCH_TXNS_MAX);
        parts.ensemble.has_masters = true;
        let mut lone = Self::begun(parts).follows().promises();
        lone.hears(FromLeader::Diff { zxid: zxid(1, 1) });
        lone.hears(FromLeader::NewLeader { zxid: zxid(2, 0), config: None });
        lone.handle(Event::TurnEnded);
        lone.handle(Event::EpochsStored);
        let begun = lone.hears(FromLeader::UpToDate { zxid: Zxid(-1) });
        assert!(begun.iter().any(|it| matches!(it, Effect::OpenToObservers(true))), "{begun:?}");
        lone
    }

    pub(super) fn hears(&mut self, packet: FromLeader<'_>) -> Vec<Effect> {
        self.handle(Event::FromLeader(LINK, packet))
    }

    /// It leads, and waits for servers.
    pub(super) fn leading() -> Self {
        Self::leading_of(3)
    }

    pub(super) fn leading_of(voters: i64) -> Self {
        Self::elected(Self::of(voters), voters)
    }

    /// It leads three servers in epochs of so many txns, and waits for them.
    pub(super) fn leading_for(epoch_txns_max: u32) -> Self {
        Self::elected(Self::with(3, epoch_txns_max), 3)
    }

    pub(super) fn elected(mut lone: Self, voters: i64) -> Self {
        for voter in 2..=voters / 2 + 1 {
            lone.said(voter, ServerState::Looking, 1);
        }
        lone.now_ms += 200;
        lone.handle(Event::TurnEnded);
        lone
    }

    pub(super) fn answers(&mut self, link: LinkId, packet: FromLearner<'_>) -> Vec<Effect> {
        self.handle(Event::FromLearner(link, packet))
    }

    pub(super) fn registers(&mut self, link: LinkId, id: i64, promised: u32) -> Vec<Effect> {
        self.registers_as(link, id, promised, KIN)
    }

    /// A learner introduces itself, with these bytes behind what stock sends.
    pub(super) fn registers_as(
        &mut self,
        link: LinkId,
        id: i64,
        promised: u32,
        trailing: &[u8],
    ) -> Vec<Effect> {
        self.handle(Event::Accepted(link));
        let learner = LearnerInfo::Config {
            server: ServerId(id),
            protocol: PROTOCOL_VERSION,
            version: 0,
            trailing,
        };
        let accepted = Zxid::of_epoch(Epoch(promised));
        self.handle(Event::FromLearner(link, FromLearner::FollowerInfo { accepted, learner }))
    }

    /// A follower with the same history comes, and accepts it.
    pub(super) fn is_joined_by(&mut self, link: LinkId, id: i64) {
        self.registers(link, id, 1);
        self.handle(Event::EpochsStored);
        self.answers(link, FromLearner::AckEpoch { logged: zxid(1, 1), epoch: 1 });
        self.handle(Event::EpochsStored);
        self.answers(link, FromLearner::Ack { zxid: zxid(2, 0) });
    }

    /// Its clients write.
    pub(super) fn seals(&mut self, zxids: impl IntoIterator<Item = Zxid>) {
        let mut txns = InLog::default();
        for zxid in zxids {
            txns.push(zxid, b"txn");
        }
        self.handle(Event::Sealed(Arc::new(txns)));
    }
}

pub(super) fn why_looking(effects: &[Effect]) -> Lost {
    let found = effects.iter().find_map(|it| match it {
        Effect::Look(why) => Some(*why),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("it does not look: {effects:?}"))
}
