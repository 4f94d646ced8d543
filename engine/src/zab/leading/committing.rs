//! Proposing and committing.
//!
//! A txn is committed when a quorum holds it. One that is another configuration, and every txn
//! behind it until that is in force, needs a quorum of both: so whoever leads next, elected by
//! either, has it in its history (guard: `tests/sim`, its plants).

use super::{Leading, Phase};
use crate::in_log::InLog;
use crate::zab::context::Context;
use crate::zab::effect::{Effect, Message, Part};
use crate::zab::event::{LinkId, LogRead};
use crate::zab::learners::{By, Learner, Offer, Stage};
use crate::zab::plant::Plant;
use model::server::ServerId;
use model::zxid::Zxid;
use std::sync::Arc;

impl Leading {
    /// Proposes txns, which the leader's head has applied, to every learner that has the history
    /// before them, and hands them to the log.
    ///
    /// # Panics
    /// If the epoch has not begun, has ended, or a txn is not of it.
    pub fn propose(&mut self, txns: Arc<InLog>, context: &mut Context<'_>) {
        assert!(self.is_in_broadcast(), "a proposal before the epoch has begun");
        assert!(txns.first().is_some_and(|zxid| zxid.epoch() == self.epoch), "of another epoch");
        let last = txns.last().map_or(0, Zxid::counter);
        assert!(last <= context.ensemble.epoch_txns_max, "behind the end of the epoch");
        let part = Part { txns: txns.clone(), range: 0..txns.len() };
        for learner in self.learners.in_broadcast().filter(|it| !it.is_observer) {
            context.effects.send(learner.link, Message::Proposals(part.clone()));
        }
        context.history.append(txns.clone());
        self.in_flight.push_back(txns.clone());
        context.effects.push(Effect::Append(txns));
    }

    /// The leader's own log has moved.
    pub fn durable(&mut self) {
        self.has_moved = true;
    }

    /// What a voter holds, if that counts.
    fn held_by(&self, id: ServerId, context: &Context<'_>) -> Option<Zxid> {
        if id == context.ensemble.me {
            return Some(context.history.durable().max(Zxid::of_epoch(self.epoch)));
        }
        self.voters().find(|it| it.id == Some(id)).and_then(Learner::held)
    }

    /// Through where the history can be committed.
    fn quorum_held(&self, context: &Context<'_>) -> Option<Zxid> {
        let held_by = |id| self.held_by(id, context);
        if context.ensemble.planted.has(Plant::CommitWithoutQuorum) {
            return held_by(context.ensemble.me);
        }
        let ensemble = &*context.ensemble;
        let held = ensemble.held_in(&ensemble.current, held_by)?;
        let Some(at) = context.change_in_flight().filter(|at| held >= *at) else {
            return Some(held);
        };
        if context.ensemble.planted.has(Plant::NextQuorumIgnored) {
            return Some(held);
        }
        let before = Zxid(at.0 - 1);
        let held_by_next = ensemble.held_in(ensemble.newest(), held_by);
        Some(held_by_next.filter(|it| *it >= at).map_or(before, |it| it.min(held)))
    }

    /// Commits the batches that a quorum holds.
    pub(super) fn maybe_commit(&mut self, context: &mut Context<'_>) {
        let mut held = self.quorum_held(context);
        while self.resigning.is_none()
            && let Some(batch) = self.in_flight.front().cloned()
            && let Some(through) = batch.last()
            && held >= Some(through)
        {
            self.in_flight.pop_front();
            context.history.set_committed(through);
            if let Some(at) = context.change_in_flight().filter(|at| *at <= through) {
                self.commit_configuration(at, &batch, context);
                held = self.quorum_held(context);
            } else {
                let range = 0..batch.len();
                self.learners.send_commits(&Part { txns: batch, range }, context.effects);
            }
        }
        context.show();
        for link in self.learners.links(|it| matches!(it.stage, Stage::Promised { .. })) {
            self.maybe_synchronize(link, context);
        }
    }

    /// What learners are offered; nothing until the epoch is agreed on.
    pub(super) fn offer(&self, context: &Context<'_>) -> Option<Offer> {
        let (by, committed) = match self.phase {
            Phase::Synchronization => (By::Prospect, self.inherited),
            Phase::Broadcast => (By::Leader, context.history.committed()),
            _ => return None,
        };
        Some(Offer { epoch: self.epoch, committed, pictured: committed, by })
    }

    /// Begins to synchronize a learner that has promised the epoch, if that is agreed on.
    pub(super) fn maybe_synchronize(&mut self, link: LinkId, context: &mut Context<'_>) {
        if let Some(offer) = self.offer(context) {
            self.learners.synchronize(link, &offer, context);
        }
    }

    /// The snapshot is sent: what came meanwhile follows.
    pub fn snapshot_sent(&mut self, link: LinkId, context: &mut Context<'_>) {
        if let Some(offer) = self.offer(context) {
            self.learners.snapshot_sent(link, &offer, context);
        }
    }

    /// A piece of the log was read for a learner.
    pub fn log_read(&mut self, link: LinkId, read: LogRead, context: &mut Context<'_>) {
        if let Some(offer) = self.offer(context) {
            self.learners.log_read(link, read, &offer, context);
        }
    }
}
