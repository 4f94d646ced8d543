//! Agreeing on an epoch: which one, and that a quorum follows no earlier leader.
//!
//! A quorum reports what it has promised, and the leader takes the first epoch behind all of that;
//! then a quorum promises it, and reports the ends of its histories.

use super::{Leading, Phase};
use crate::zab::context::Context;
use crate::zab::effect::{CloseReason, Lost};
use crate::zab::ensemble::{Ensemble, Pace};
use crate::zab::event::LinkId;
use crate::zab::learners::{Learner, Stage};
use crate::zab::oracle::Oracle;
use crate::zab::plant::Plant;
use model::peer::packet::LearnerInfo;
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};

impl Leading {
    /// A learner introduces itself.
    pub(super) fn register(
        &mut self,
        link: LinkId,
        promised: Epoch,
        info: &LearnerInfo<'_>,
        is_observer: bool,
        context: &mut Context<'_>,
    ) -> Result<(), CloseReason> {
        self.learners.introduced(link, promised, info, is_observer, context)?;
        match self.phase {
            Phase::Discovery => self.maybe_decide_epoch(context),
            Phase::StoringPromise => (),
            _ => self.learners.ask(link, self.epoch, context.effects),
        }
        Ok(())
    }

    /// Takes the first epoch that no learner has promised, once a quorum has come.
    pub(super) fn maybe_decide_epoch(&mut self, context: &mut Context<'_>) {
        let Some(earliest) = self.earliest else { return };
        let behind_promises = self.learners.iter().filter_map(|it| it.promised.next()).max();
        self.epoch = behind_promises.map_or(earliest, |epoch| epoch.max(earliest));
        let me = context.ensemble.me;
        // One that votes in the configuration that is proposed may still observe in this one.
        let has_come = |id| id == me || self.learners.iter().any(|it| it.id == Some(id));
        if context.ensemble.is_quorum(has_come) {
            self.phase = Phase::StoringPromise;
            context.store(self.epochs.promise(self.epoch));
        }
    }

    /// A voter looks for a leader.
    ///
    /// # Errors
    /// It has elected this leader, which has waited for an epoch long enough: a new election brings
    /// one sooner.
    pub fn voter_looks(&self, voter: ServerId, pace: Pace, now_ms: u64) -> Result<(), Lost> {
        let is_over = |wait_ms| now_ms.saturating_sub(self.elected_at_ms) > wait_ms;
        let is_waiting = self.phase == Phase::Discovery && pace.epoch_wait_ms.is_some_and(is_over);
        if is_waiting && self.supporters.contains(&voter) {
            return Err(Lost::VoterLooks(voter));
        }
        Ok(())
    }

    /// Whether a voter that has just registered can follow.
    pub(super) fn check_promise(&self, link: LinkId, ensemble: &Ensemble) -> Result<(), Lost> {
        match self.learners.find(link) {
            Some(&Learner { id: Some(server), promised, .. })
                if promised > self.epoch && ensemble.is_known_voter(server) =>
            {
                Err(Lost::LaterPromise { server, promised })
            }
            _ => Ok(()),
        }
    }

    /// A learner has promised the epoch; its history ends at `last`.
    pub(super) fn promised(
        &mut self,
        link: LinkId,
        last: Zxid,
        current: Option<Epoch>,
        context: &mut Context<'_>,
    ) -> Result<(), CloseReason> {
        let is_deciding = self.phase == Phase::Promising;
        let mine = (self.epochs.current(), self.inherited);
        let is_ahead = current.is_some_and(|current| (current, last) > mine);
        let waits = self.may_wait(link, context);
        let learner = self.learners.agreed(link, last)?;
        let is_refused = is_ahead && !context.ensemble.planted.has(Plant::AheadIgnored);
        if is_deciding && is_refused && !waits {
            return Err(CloseReason::AheadOfLeader);
        }
        learner.has_promised = current.is_some() && !(is_deciding && is_refused);
        if is_deciding {
            self.maybe_establish(context);
        } else {
            self.maybe_synchronize(link, context);
        }
        Ok(())
    }

    /// Whether a learner that is ahead need not be sent away: it votes in the proposed
    /// configuration only, which may turn out never to have been in force.
    fn may_wait(&self, link: LinkId, context: &Context<'_>) -> bool {
        let (current, next) = (&context.ensemble.current, &context.ensemble.next);
        let id = self.learners.find(link).and_then(|it| it.id);
        let votes_next = |id| {
            !current.quorum().is_voter(id)
                && next.as_ref().is_some_and(|next| next.quorum().is_voter(id))
        };
        !self.supporters.is_empty() && id.is_some_and(votes_next)
    }

    /// Whether what the history proposes cannot be in force anywhere: so many voters of the present
    /// one lack it that no quorum of these can have it. (With an oracle one server may have been
    /// enough.)
    fn was_never_in_force(&self, context: &Context<'_>) -> bool {
        let Some(at) = context.history.first_proposed() else { return false };
        let may_have = |id: ServerId| {
            let lacks = |it: &Learner| {
                it.id == Some(id)
                    && it.has_promised
                    && matches!(it.stage, Stage::Promised { last } if last < at)
            };
            !self.learners.iter().any(lacks)
        };
        let ensemble = &*context.ensemble;
        ensemble.oracle == Oracle::Absent && !ensemble.current.quorum().is_quorum(may_have)
    }

    /// Makes the epoch the leader's own once a quorum has promised it; of the configuration that is
    /// proposed, too, unless that was never in force. What its voters hold may be cut then.
    pub(super) fn maybe_establish(&mut self, context: &mut Context<'_>) {
        let me = context.ensemble.me;
        let has_promised = |id| {
            let has = |it: &Learner| it.id == Some(id) && it.has_promised;
            id == me || self.learners.iter().any(has)
        };
        let ensemble = &*context.ensemble;
        if ensemble.is_quorum(has_promised)
            || ensemble.is_quorum_of_current(has_promised) && self.was_never_in_force(context)
        {
            self.phase = Phase::StoringEpoch;
            context.store(self.epochs.promise(self.epoch).accept());
        }
    }
}
