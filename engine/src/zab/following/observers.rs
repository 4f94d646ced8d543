//! A follower's observers, if it has any: what happens to their links.

use super::Following;
use crate::zab::context::Context;
use crate::zab::effect::{CloseReason, Effect};
use crate::zab::event::{LinkId, LogRead};
use crate::zab::learners::Learner;
use crate::zab::mastering::Mastering;
use model::peer::packet::FromLearner;
use model::server::ServerId;
use model::zxid::Zxid;

impl Following {
    /// Serves observers from now on, if followers do that.
    pub(super) fn maybe_begin_mastering(&mut self, context: &mut Context<'_>) {
        if context.ensemble.has_masters && !self.is_observer {
            self.mastering = Some(Mastering::begin(self.epoch, context));
        }
    }

    /// The observers that learn from this server.
    pub fn observers(&self) -> Option<impl Iterator<Item = &Learner>> {
        Some(self.mastering.as_ref()?.learners())
    }

    /// Whether an observer is at the other end of a link.
    pub fn serves_observer(&self, link: LinkId) -> bool {
        self.mastering.as_ref().is_some_and(|it| it.serves(link))
    }

    /// An observer has connected.
    pub fn observer_accepted(&mut self, link: LinkId, context: &mut Context<'_>) {
        match &mut self.mastering {
            Some(mastering) => mastering.accepted(link, context),
            None => context.effects.push(Effect::Close(link, CloseReason::NotLeading)),
        }
    }

    /// A packet of an observer has come.
    pub fn observer_said(
        &mut self,
        link: LinkId,
        packet: &FromLearner<'_>,
        context: &mut Context<'_>,
    ) {
        if let Some(mastering) = &mut self.mastering {
            mastering.handle(link, packet, context);
        }
    }

    /// An observer's link has ended.
    pub fn observer_closed(&mut self, link: LinkId) {
        if let Some(mastering) = &mut self.mastering {
            mastering.closed(link);
        }
    }

    /// A piece of the log was read for an observer.
    pub fn log_read(&mut self, link: LinkId, read: LogRead, context: &mut Context<'_>) {
        if let Some(mastering) = &mut self.mastering {
            mastering.log_read(link, read, context);
        }
    }

    /// A snapshot has been sent to an observer.
    pub fn snapshot_sent(&mut self, link: LinkId, context: &mut Context<'_>) {
        if let Some(mastering) = &mut self.mastering {
            mastering.snapshot_sent(link, context);
        }
    }

    /// What the leader says next may be for an observer, for which that has its place in the order
    /// of what is committed: observers are informed of everything before.
    pub(super) fn inform_observers(&mut self, context: &mut Context<'_>) {
        if self.mastering.is_none() {
            return;
        }
        self.append_pending(context);
        context.history.set_committed(self.named.min(context.history.last()));
        if let Some(mastering) = &mut self.mastering {
            mastering.inform(context);
        }
    }

    /// The leader has committed another configuration, and says who is to lead in it.
    pub(super) fn designate(&mut self, at: Zxid, leader: ServerId) {
        self.designated = Some((at, leader));
        if let Some(mastering) = &mut self.mastering {
            mastering.designated(at, leader);
        }
    }

    /// When observers are to be pinged, in ms of the monotonic clock.
    pub(super) fn observers_deadline_ms(&self) -> u64 {
        self.mastering.as_ref().map_or(u64::MAX, Mastering::deadline_ms)
    }
}
