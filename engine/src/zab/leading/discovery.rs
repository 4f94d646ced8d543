//! Agreeing on an epoch: which one, and that a quorum follows no earlier leader.
//!
//! A quorum reports what it has promised, and the leader takes the first epoch behind all of that;
//! then a quorum promises it, and reports the ends of its histories.

use super::{Leading, Phase, Stage};
use crate::zab::context::Context;
use crate::zab::effect::{CloseReason, Effects, Lost, Message, Violation};
use crate::zab::ensemble::{Ensemble, Pace};
use crate::zab::event::LinkId;
use crate::zab::leading::Learner;
use crate::zab::plant::Plant;
use crate::zab::wire::KIN;
use model::peer::packet::{LearnerInfo, PROTOCOL_VERSION};
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
        let is_other = |it: &&Learner| it.id == Some(id) && it.link != link && !keeps_earlier;
        if let Some(earlier) = self.learners.values().find(is_other).map(|it| it.link) {
            self.close(earlier, CloseReason::Replaced, context.effects);
        }
        let learner = self.learners.get_mut(&link).ok_or(CloseReason::NotLeading)?;
        if learner.stage != Stage::Arrived {
            return Err(CloseReason::Protocol(Violation::OutOfPlace));
        }
        learner.id = Some(id);
        learner.is_observer = is_observer;
        learner.is_kin = trailing.starts_with(KIN) || context.ensemble.planted.has(Plant::StockCut);
        learner.promised = promised;
        learner.stage = Stage::Registered;
        match self.phase {
            Phase::Discovery => self.maybe_decide_epoch(context),
            Phase::StoringPromise => (),
            _ => self.ask(link, context.effects),
        }
        Ok(())
    }

    /// Takes the first epoch that no learner has promised, once a quorum has come.
    pub(super) fn maybe_decide_epoch(&mut self, context: &mut Context<'_>) {
        let Some(earliest) = self.earliest else { return };
        let behind_promises = self.learners.values().filter_map(|it| it.promised.next()).max();
        self.epoch = behind_promises.map_or(earliest, |epoch| epoch.max(earliest));
        let me = context.ensemble.me;
        let has_come = |id| id == me || self.voters().any(|it| it.id == Some(id));
        if context.ensemble.current.quorum().is_quorum(has_come) {
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
        match self.learners.get(&link) {
            Some(&Learner { id: Some(server), is_observer: false, promised, .. })
                if promised > self.epoch && ensemble.is_known_voter(server) =>
            {
                Err(Lost::LaterPromise { server, promised })
            }
            _ => Ok(()),
        }
    }

    /// Sends a learner the epoch.
    pub(super) fn ask(&mut self, link: LinkId, effects: &mut Effects) {
        let Some(learner) = self.learners.get_mut(&link) else { return };
        learner.stage = Stage::Asked;
        effects.send(link, Message::LeaderInfo(self.epoch));
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
        let learner = self.learners.get_mut(&link).ok_or(CloseReason::NotLeading)?;
        if learner.stage != Stage::Asked {
            return Err(CloseReason::Protocol(Violation::OutOfPlace));
        }
        let mine = (self.epochs.current(), self.inherited);
        let is_ahead = current.is_some_and(|current| (current, last) > mine);
        if is_deciding && is_ahead && !context.ensemble.planted.has(Plant::AheadIgnored) {
            return Err(CloseReason::AheadOfLeader);
        }
        learner.has_promised = current.is_some();
        learner.stage = Stage::Promised { last };
        if is_deciding {
            self.maybe_establish(context);
        } else {
            self.maybe_synchronize(link, context);
        }
        Ok(())
    }

    /// Makes the epoch the leader's own once a quorum has promised it.
    pub(super) fn maybe_establish(&mut self, context: &mut Context<'_>) {
        let me = context.ensemble.me;
        let has_promised = |id| {
            let has = |it: &Learner| it.id == Some(id) && it.has_promised;
            id == me || self.voters().any(has)
        };
        if context.ensemble.current.quorum().is_quorum(has_promised) {
            self.phase = Phase::StoringEpoch;
            context.store(self.epochs.promise(self.epoch).accept());
        }
    }
}
