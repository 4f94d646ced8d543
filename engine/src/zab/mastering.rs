//! Observer masters: a follower passes on what is committed, so that its leader has fewer learners.
//!
//! From UPTODATE on a follower offers observers the history as far as it knows it to be committed,
//! in the epoch that it has accepted. Nothing is agreed on: no vote, promise or acknowledgement of
//! an observer counts anywhere. What is committed goes on to observers when it is known to be,
//! durable here or not, as a leader's COMMIT says that a quorum holds it.
//!
//! An observer that was elsewhere before may know more than this follower. It waits until that is
//! known here, too. (Stock cuts it, though what it holds is committed.)
//!
//! **Invariant**: what was offered, and what informed of, are together the history through
//! `informed`, without a gap; `shown <= informed <= committed` (guards: `Mastering::inform`,
//! `tests/sim`, its plants).
//!
//! What observers say of their clients goes on to the leader (`ordering::forwarding`), and does not
//! concern agreement.
//!
//! Source: ZooKeeper 3.9.5, `ObserverMaster`, `LearnerHandler`. Lives in: `Following`.

use super::context::Context;
use super::effect::{CloseReason, Effect, Effects, Message, Violation};
use super::event::{LinkId, LogRead};
use super::history::Found;
use super::learners::{By, Learner, Learners, News, Offer, Stage, part_through};
use super::plant::Plant;
use crate::limits::LEARNERS_MAX;
use model::peer::packet::FromLearner;
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};

/// A follower's part as observer master.
#[derive(Debug)]
pub(super) struct Mastering {
    epoch: Epoch,
    learners: Learners,
    /// Through where the history was offered, or informed of.
    informed: Zxid,
    /// The last txn that is another configuration, and who is to lead in that.
    designated: Option<(Zxid, ServerId)>,
    next_ping_ms: u64,
}

impl Mastering {
    /// Begins to serve observers.
    pub(super) fn begin(epoch: Epoch, context: &mut Context<'_>) -> Self {
        context.effects.push(Effect::OpenToObservers(true));
        Self {
            epoch,
            learners: Learners::default(),
            informed: context.history.committed(),
            designated: None,
            next_ping_ms: context.now_ms + context.pace.tick_ms / 2,
        }
    }

    /// Serves none any more.
    pub(super) fn end(self, effects: &mut Effects) {
        effects.push(Effect::OpenToObservers(false));
        self.learners.end(effects);
    }

    /// The observers.
    pub(super) fn learners(&self) -> impl Iterator<Item = &Learner> {
        self.learners.iter()
    }

    /// Whether an observer is at the other end of a link.
    pub(super) fn serves(&self, link: LinkId) -> bool {
        self.learners.find(link).is_some()
    }

    /// When [`Self::end_turn`] has something to do, in ms of the monotonic clock.
    pub(super) fn deadline_ms(&self) -> u64 {
        self.next_ping_ms
    }

    /// A server has connected.
    pub(super) fn accepted(&mut self, link: LinkId, context: &mut Context<'_>) {
        if self.learners.iter().count() < LEARNERS_MAX {
            self.learners.accepted(link, context.now_ms);
        } else {
            context.effects.push(Effect::Close(link, CloseReason::TooManyLinks));
        }
    }

    /// A link has ended.
    pub(super) fn closed(&mut self, link: LinkId) {
        self.learners.closed(link);
    }

    /// Handles a packet of an observer.
    pub(super) fn handle(
        &mut self,
        link: LinkId,
        packet: &FromLearner<'_>,
        context: &mut Context<'_>,
    ) {
        let Some(learner) = self.learners.find_mut(link) else { return };
        learner.heard_ms = context.now_ms;
        let is_accepted = learner.held().is_some();
        let out_of_place = Err(CloseReason::Protocol(Violation::OutOfPlace));
        let done = match packet {
            FromLearner::ObserverInfo { accepted, learner } => {
                let promised = accepted.epoch();
                let introduced = self.learners.introduced(link, promised, learner, true, context);
                introduced.map(|()| self.learners.ask(link, self.epoch, context.effects))
            }
            FromLearner::FollowerInfo { .. } => Err(CloseReason::NotObserver),
            FromLearner::AckEpoch { logged, .. } => {
                let agreed = self.learners.agreed(link, *logged).map(|_| ());
                agreed.map(|()| self.learners.synchronize(link, &self.offer(context), context))
            }
            FromLearner::Ack { zxid } => self.acknowledged(link, *zxid, context.effects),
            // Of clients, in which agreement takes no part.
            FromLearner::Ping { .. } => Ok(()),
            FromLearner::Revalidate { .. } | FromLearner::Request { .. } if is_accepted => Ok(()),
            FromLearner::Revalidate { .. } | FromLearner::Request { .. } => out_of_place,
        };
        if let Err(why) = done {
            self.learners.close(link, why, context.effects);
        }
    }

    /// The first acknowledgement answers NEWLEADER. Stock's observers acknowledge UPTODATE, too, by
    /// the epoch's start; nothing else is theirs to acknowledge.
    fn acknowledged(
        &mut self,
        link: LinkId,
        zxid: Zxid,
        effects: &mut Effects,
    ) -> Result<(), CloseReason> {
        let held = Zxid::of_epoch(self.epoch);
        let learner = self.learners.find_mut(link).ok_or(CloseReason::NotLeading)?;
        match learner.stage {
            Stage::Offered => {
                learner.stage = Stage::Accepted { held };
                effects.send(link, Message::UpToDate);
                Ok(())
            }
            Stage::Accepted { .. } if zxid.counter() == 0 => Ok(()),
            Stage::Accepted { .. } => Err(CloseReason::Protocol(Violation::NotProposed(zxid))),
            _ => Err(CloseReason::Protocol(Violation::OutOfPlace)),
        }
    }

    fn offer(&self, context: &Context<'_>) -> Offer {
        Offer {
            epoch: self.epoch,
            committed: self.informed,
            pictured: context.history.shown(),
            by: By::Master { designated: self.designated },
        }
    }

    /// The snapshot is sent: what came meanwhile follows.
    pub(super) fn snapshot_sent(&mut self, link: LinkId, context: &mut Context<'_>) {
        self.learners.snapshot_sent(link, &self.offer(context), context);
    }

    /// A piece of the log was read for an observer.
    pub(super) fn log_read(&mut self, link: LinkId, read: LogRead, context: &mut Context<'_>) {
        self.learners.log_read(link, read, &self.offer(context), context);
    }

    /// The leader has committed a txn that is another configuration.
    pub(super) fn designated(&mut self, at: Zxid, leader: ServerId) {
        self.designated = Some((at, leader));
    }

    /// Informs observers of what is known to be committed by now, and handles deadlines.
    pub(super) fn end_turn(&mut self, context: &mut Context<'_>) {
        if self.inform(context) {
            for link in self.learners.links(|it| matches!(it.stage, Stage::Promised { .. })) {
                self.learners.synchronize(link, &self.offer(context), context);
            }
        }
        if context.now_ms >= self.next_ping_ms {
            self.next_ping_ms = context.now_ms + context.pace.tick_ms / 2;
            self.learners.close_silent(context);
            for learner in self.learners.in_broadcast() {
                context.effects.send(learner.link, Message::Ping(self.informed));
            }
        }
    }

    /// Informs observers of what is known to be committed by now; false if there is nothing new.
    pub(super) fn inform(&mut self, context: &mut Context<'_>) -> bool {
        let mut committed = context.history.committed();
        if context.ensemble.planted.has(Plant::ProposedInformed) {
            committed = context.history.last();
        }
        if committed <= self.informed {
            return false;
        }
        let from = std::mem::replace(&mut self.informed, committed);
        // All that is not committed is in memory, and nothing has left it since.
        let Found::Behind { parts, .. } = context.history.behind(from) else {
            panic!("txns behind {from} have left memory before observers were informed of them");
        };
        for part in parts {
            let known = part_through(&part.txns, part.range.start, committed);
            let News { before, change, behind } = News::of(&known, self.designated);
            self.learners.send_commits(&before, context.effects);
            if let Some((change, leader)) = change {
                self.learners.send_activation(&change, leader, context.effects);
            }
            self.learners.send_commits(&behind, context.effects);
        }
        true
    }
}
