//! Learners, as the server sees them that they learn from: a leader, or an observer master.
//!
//! The map: this file (who they are, what they are informed of), `learner` (one of them),
//! [`bounding`] (how many catch up at once), `synchronizing` (its history is made equal). What the
//! two kinds of servers differ in is what they offer (`Offer`), and how they agree with a learner
//! on an epoch (`leading::discovery`, `mastering`).
//!
//! Lives in: `Leading`, `Mastering`.

pub mod bounding;
mod learner;
mod synchronizing;

pub use learner::{Learner, Stage};

use super::context::Context;
use super::effect::{CloseReason, Effect, Effects, Message, Part, Violation};
use super::event::LinkId;
use super::plant::Plant;
use super::wire::KIN;
use crate::in_log::InLog;
use model::peer::packet::{LearnerInfo, PROTOCOL_VERSION};
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What learners are offered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// In which epoch.
    pub(super) epoch: Epoch,
    /// The end of what is sent as committed.
    pub(super) committed: Zxid,
    /// The end of what a snapshot holds.
    pub(super) pictured: Zxid,
    /// By whom.
    pub(super) by: By,
}

/// Who offers a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A leader whose history no quorum has accepted yet.
    Prospect,
    /// A leader.
    Leader,
    /// A follower, which passes on what is committed.
    Master {
        /// The last txn that is another configuration, and who is to lead in that.
        designated: Option<(Zxid, ServerId)>,
    },
}

/// The learners of one server.
#[derive(Debug)]
pub(super) struct Learners {
    all: BTreeMap<LinkId, Learner>,
    /// Whether another server has accepted the history, or left, since this was last taken.
    pub(super) has_changed: bool,
}

impl Default for Learners {
    fn default() -> Self {
        // Whoever asks for the first time does not know that there are none.
        Self { all: BTreeMap::new(), has_changed: true }
    }
}

impl Learners {
    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Learner> {
        self.all.values()
    }

    /// Those that were offered the history: they get what comes from now on.
    pub(super) fn in_broadcast(&self) -> impl Iterator<Item = &Learner> {
        self.iter().filter(|it| it.is_in_broadcast())
    }

    /// The same, to be changed.
    pub(super) fn in_broadcast_mut(&mut self) -> impl Iterator<Item = &mut Learner> {
        self.all.values_mut().filter(|it| it.is_in_broadcast())
    }

    /// The links of those of which `is_meant` holds.
    pub(super) fn links(&self, is_meant: impl Fn(&Learner) -> bool) -> Vec<LinkId> {
        self.iter().filter(|it| is_meant(it)).map(|it| it.link).collect()
    }

    /// The one at the other end of a link.
    pub(super) fn find(&self, link: LinkId) -> Option<&Learner> {
        self.all.get(&link)
    }

    /// The same, to be changed.
    pub(super) fn find_mut(&mut self, link: LinkId) -> Option<&mut Learner> {
        self.all.get_mut(&link)
    }

    /// A server has connected.
    pub(super) fn accepted(&mut self, link: LinkId, now_ms: u64) {
        self.all.insert(link, Learner::new(link, now_ms));
    }

    /// A link has ended.
    pub(super) fn closed(&mut self, link: LinkId) {
        self.has_changed |= self.all.remove(&link).is_some();
    }

    /// Closes a link.
    pub(super) fn close(&mut self, link: LinkId, why: CloseReason, effects: &mut Effects) {
        if self.all.remove(&link).is_some() {
            self.has_changed = true;
            effects.push(Effect::Close(link, why));
        }
    }

    /// Closes every link: nothing is offered any more.
    pub(super) fn end(self, effects: &mut Effects) {
        for link in self.all.into_keys() {
            effects.push(Effect::Close(link, CloseReason::Lost));
        }
    }

    /// Closes the links of those that have been silent for too long.
    pub(super) fn close_silent(&mut self, context: &mut Context<'_>) {
        let (init_ms, sync_ms) = (context.pace.init_ms(), context.pace.sync_ms());
        let now_ms = context.now_ms;
        let silent = self.links(|it| {
            let limit_ms = if it.held().is_some() { sync_ms } else { init_ms };
            it.is_silent_since(now_ms.saturating_sub(limit_ms))
        });
        for link in silent {
            self.close(link, CloseReason::Silent, context.effects);
        }
    }

    /// A learner introduces itself.
    pub(super) fn introduced(
        &mut self,
        link: LinkId,
        promised: Epoch,
        info: &LearnerInfo<'_>,
        is_observer: bool,
        context: &mut Context<'_>,
    ) -> Result<(), CloseReason> {
        let LearnerInfo::Config { server: id, version, trailing, protocol } = *info else {
            return Err(CloseReason::OldProtocol);
        };
        if protocol < PROTOCOL_VERSION {
            return Err(CloseReason::OldProtocol);
        }
        if version > context.ensemble.current.version() {
            return Err(CloseReason::NewerConfiguration);
        }
        if id == context.ensemble.me {
            return Err(CloseReason::OurId);
        }
        if promised >= Epoch::LAST {
            return Err(CloseReason::LastEpoch);
        }
        // A server that has connected anew has given up its earlier link, whether that has been
        // noticed here or not.
        let keeps_earlier = context.ensemble.planted.has(Plant::AckCountedOverLinks);
        let is_other = |it: &Learner| it.id == Some(id) && it.link != link && !keeps_earlier;
        for earlier in self.links(is_other) {
            self.close(earlier, CloseReason::Replaced, context.effects);
        }
        let learner = self.find_mut(link).ok_or(CloseReason::NotLeading)?;
        if learner.stage != Stage::Arrived {
            return Err(CloseReason::Protocol(Violation::OutOfPlace));
        }
        learner.id = Some(id);
        learner.is_observer = is_observer;
        learner.is_kin = trailing.starts_with(KIN) || context.ensemble.planted.has(Plant::StockCut);
        learner.promised = promised;
        learner.stage = Stage::Registered;
        Ok(())
    }

    /// Sends a learner the epoch.
    pub(super) fn ask(&mut self, link: LinkId, epoch: Epoch, effects: &mut Effects) {
        let Some(learner) = self.find_mut(link) else { return };
        learner.stage = Stage::Asked;
        effects.send(link, Message::LeaderInfo(epoch));
    }

    /// A learner has accepted the epoch that it was asked about; its history ends at `last`.
    pub(super) fn agreed(&mut self, link: LinkId, last: Zxid) -> Result<&mut Learner, CloseReason> {
        let learner = self.find_mut(link).ok_or(CloseReason::NotLeading)?;
        if learner.stage != Stage::Asked {
            return Err(CloseReason::Protocol(Violation::OutOfPlace));
        }
        learner.stage = Stage::Promised { last };
        Ok(learner)
    }

    /// Tells every learner that has been offered the history of txns that are committed.
    pub(super) fn send_commits(&self, part: &Part, effects: &mut Effects) {
        if part.range.is_empty() {
            return;
        }
        for learner in self.in_broadcast() {
            let message = if learner.is_observer {
                Message::Informs(part.clone())
            } else {
                Message::Commits(part.clone())
            };
            effects.send(learner.link, message);
        }
    }

    /// The same of one txn, which is another configuration, and who is to lead in that.
    pub(super) fn send_activation(&self, part: &Part, designated: ServerId, effects: &mut Effects) {
        for learner in self.in_broadcast() {
            let message = if learner.is_observer {
                Message::InformAndActivate(part.clone(), designated)
            } else {
                let at = part.txns.zxid(part.range.start);
                Message::CommitAndActivate(at, designated)
            };
            effects.send(learner.link, message);
        }
    }
}

/// Some txns that observers are to be informed of, parted where one is another configuration.
pub(super) struct News {
    /// What comes before that txn.
    pub(super) before: Part,
    /// That txn, and who is to lead.
    pub(super) change: Option<(Part, ServerId)>,
    /// What comes behind it.
    pub(super) behind: Part,
}

impl News {
    /// These records of a batch; `designated` is where a configuration is, and who is to lead.
    pub(super) fn of(part: &Part, designated: Option<(Zxid, ServerId)>) -> Self {
        let of = |range| Part { txns: part.txns.clone(), range };
        let (start, end) = (part.range.start, part.range.end);
        let found = designated.and_then(|(at, leader)| {
            let index = part.txns.count_through(at).checked_sub(1)?;
            let is_here = part.range.contains(&index) && part.txns.zxid(index) == at;
            is_here.then_some((index, leader))
        });
        match found {
            None => Self { before: of(start..end), change: None, behind: of(end..end) },
            Some((index, leader)) => Self {
                before: of(start..index),
                change: Some((of(index..index + 1), leader)),
                behind: of(index + 1..end),
            },
        }
    }
}

/// The records of a batch through a zxid.
pub(super) fn part_through(txns: &Arc<InLog>, start: usize, through: Zxid) -> Part {
    let end = txns.count_through(through).max(start);
    Part { txns: txns.clone(), range: start..end }
}
