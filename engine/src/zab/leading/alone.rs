//! Leading without a follower, where the oracle permits that.
//!
//! Before its epoch has begun, the leader asks at once if nobody but itself has elected it; if the
//! other voter has, that one gets a tick to come, so that what it has promised is known. Later, a
//! batch that is durable here waits for an answer; and when the follower has left, the leader stays
//! until the oracle says no, or nothing for as long as it takes to the next ping.

use super::{Leading, Phase};
use crate::zab::context::Context;
use crate::zab::effect::Lost;
use crate::zab::ensemble::Ensemble;
use crate::zab::history::History;
use crate::zab::oracle::Oracle;
use model::server::ServerId;
use std::collections::BTreeSet;

/// What a leader of two voters waits for.
#[derive(Debug)]
pub(super) struct Alone {
    /// The oracle is not asked before, in ms of the monotonic clock.
    pub(super) ask_at_ms: u64,
    /// The follower has left, and the leader stays only if the oracle says so.
    pub(super) is_at_stake: bool,
}

impl Alone {
    /// That of a leader which these servers have elected.
    pub(super) fn begin(supporters: &BTreeSet<ServerId>, context: &Context<'_>) -> Self {
        let is_supported = supporters.iter().any(|id| *id != context.ensemble.me);
        let wait_ms = if is_supported { context.pace.tick_ms } else { 0 };
        Self { ask_at_ms: context.now_ms + wait_ms, is_at_stake: false }
    }
}

impl Leading {
    /// Whether a follower has accepted the history: then it counts.
    fn has_follower(&self) -> bool {
        self.voters().any(|it| it.held().is_some())
    }

    /// Whether something waits for what the oracle says.
    pub fn wants_oracle(&self, history: &History, now_ms: u64) -> bool {
        let is_due = now_ms >= self.alone.ask_at_ms;
        match self.phase {
            Phase::StoringPromise | Phase::StoringEpoch => false,
            Phase::Discovery | Phase::Promising | Phase::Synchronization => is_due,
            Phase::Broadcast if self.has_follower() || self.resigning.is_some() => false,
            Phase::Broadcast => {
                let front = self.in_flight.front().and_then(|it| it.last());
                let is_durable = front.is_some_and(|last| last <= history.durable());
                self.alone.is_at_stake || is_due && (is_durable || self.asked > self.confirmed)
            }
        }
    }

    /// When the oracle is to be asked before the epoch begins, in ms of the monotonic clock.
    pub(super) fn asks_at_ms(&self, ensemble: &Ensemble) -> Option<u64> {
        let is_storing = matches!(self.phase, Phase::StoringPromise | Phase::StoringEpoch);
        let can_ask = ensemble.oracle == Oracle::Unasked && ensemble.is_one_of_pair();
        (can_ask && !is_storing).then_some(self.alone.ask_at_ms)
    }

    /// No quorum follows any more.
    ///
    /// # Errors
    /// The oracle cannot be asked, or has not answered since the last ping.
    pub(super) fn lost_quorum(&mut self, ensemble: &Ensemble) -> Result<(), Lost> {
        let may_stay = ensemble.oracle != Oracle::Absent
            && ensemble.is_one_of_pair()
            && !self.has_follower()
            && !self.alone.is_at_stake;
        self.alone.is_at_stake = may_stay;
        if may_stay { Ok(()) } else { Err(Lost::NoQuorum) }
    }

    /// The oracle has answered.
    ///
    /// # Errors
    /// It does not let this server lead alone.
    pub fn oracle_said(&mut self, context: &mut Context<'_>) -> Result<(), Lost> {
        let waited = |it: &Self| (it.phase, it.in_flight.len(), it.confirmed);
        let before = waited(self);
        let was_at_stake = std::mem::take(&mut self.alone.is_at_stake);
        if context.ensemble.oracle == Oracle::Permits {
            match self.phase {
                Phase::Discovery => self.maybe_decide_epoch(context),
                Phase::Promising => self.maybe_establish(context),
                Phase::Synchronization => self.maybe_begin(context),
                Phase::Broadcast if !self.has_follower() => {
                    self.maybe_commit(context);
                    self.maybe_confirm(context);
                    // The epoch may be full.
                    self.has_moved = true;
                }
                Phase::StoringPromise | Phase::StoringEpoch | Phase::Broadcast => (),
            }
        } else if was_at_stake && !self.has_follower() {
            return Err(Lost::NoQuorum);
        }
        if waited(self) == before {
            self.alone.ask_at_ms = context.now_ms + context.pace.tick_ms / 2;
        }
        Ok(())
    }
}
