//! Leading: an epoch is agreed on, learners are made equal, txns are proposed and committed.
//!
//! Phases: *discovery*, in which a quorum of servers reports the epochs that it has promised, and
//! the leader takes a later one; *promising*, in which a quorum promises it and reports the ends of
//! its histories, none longer than the leader's; *synchronization*, in which learners get the
//! leader's whole history, and a quorum accepts it; *broadcast*.
//!
//! **Invariants**
//!
//! - The leader's history at the start of its epoch, `inherited`, goes out as committed, before
//!   NEWLEADER; only txns of its own epoch travel without a COMMIT (guard: `tests/sim`).
//! - What a voter holds begins at (epoch, 0) when it acknowledges NEWLEADER on this link, and ends
//!   with the link (guard: [`Learner::held`] is part of the stage).
//! - The commit point only rises, and moves by whole batches of this epoch (guard:
//!   `Leading::maybe_commit`).
//! - No txn comes behind the last one that an epoch can have (guard: the assertions in
//!   `Leading::propose`).
//! - A confirmed leader has committed everything that was acknowledged to any client before the
//!   confirmation was asked for (guard: `tests/sim`).
//!
//! Source: Zab (Junqueira et al., DSN 2011); ZooKeeper 3.9.5, `Leader` and `LearnerHandler`.
//! Lives in: `Role::Leading`.

mod alone;
mod committing;
mod confirming;
mod discovery;
mod reconfiguring;

use self::alone::Alone;
use super::context::Context;
use super::effect::{CloseReason, Effect, Effects, Lost, Message, Violation};
use super::ensemble::Ensemble;
use super::event::LinkId;
use super::history::History;
use super::learners::{Learner, Learners, Stage};
use super::plant::Plant;
use crate::in_log::InLog;
use model::peer::packet::FromLearner;
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// How far the leader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A quorum has yet to report which epochs it has promised.
    Discovery,
    /// The epoch is being stored as promised by the leader itself.
    StoringPromise,
    /// A quorum has yet to promise it.
    Promising,
    /// The epoch is being stored as the leader's current one.
    StoringEpoch,
    /// A quorum has yet to accept the leader's history.
    Synchronization,
    /// Txns are proposed.
    Broadcast,
}

/// The leader's part.
#[derive(Debug)]
pub struct Leading {
    phase: Phase,
    epoch: Epoch,
    /// No epoch before this is taken; none at all once the last one was promised.
    earliest: Option<Epoch>,
    /// What was stored when it began.
    epochs: Epochs,
    /// Where its history ended when it began.
    inherited: Zxid,
    learners: Learners,
    /// Batches of this epoch that are not committed, oldest first.
    in_flight: VecDeque<Arc<InLog>>,
    /// Whether what voters hold has changed since the commit point was last computed: once a turn,
    /// however many acknowledgements it brings.
    has_moved: bool,
    /// The voters that have elected it.
    supporters: BTreeSet<ServerId>,
    /// When it was elected, and when the epoch must have begun, in ms of the monotonic clock.
    elected_at_ms: u64,
    begins_until_ms: u64,
    next_ping_ms: u64,
    /// The last confirmation that was asked for, and the last one that a quorum gave.
    asked: u64,
    confirmed: u64,
    /// It is to lead no longer: the configuration has changed.
    resigning: Option<Resigning>,
    /// What it waits for that the oracle could permit.
    alone: Alone,
}

/// The configuration in force has another leader.
#[derive(Debug)]
struct Resigning {
    /// Who leads in it; `None` if that is to be elected.
    to: Option<ServerId>,
    /// When it stops, though followers have not left yet, in ms of the monotonic clock.
    until_ms: u64,
}

impl Leading {
    /// Begins to lead, without followers yet.
    ///
    /// The epoch will be later than `later_than`, which some server is known to have promised.
    pub fn begin(
        epochs: Epochs,
        later_than: Epoch,
        supporters: BTreeSet<ServerId>,
        context: &mut Context<'_>,
    ) -> Self {
        let alone = Alone::begin(&supporters, context);
        let mut leading = Self {
            phase: Phase::Discovery,
            epoch: Epoch(0),
            earliest: epochs.promised().max(later_than).next(),
            epochs,
            inherited: context.history.last(),
            learners: Learners::default(),
            in_flight: VecDeque::new(),
            has_moved: false,
            supporters,
            elected_at_ms: context.now_ms,
            begins_until_ms: context.now_ms + context.pace.init_ms(),
            next_ping_ms: 0,
            asked: 0,
            confirmed: 0,
            resigning: None,
            alone,
        };
        leading.maybe_decide_epoch(context);
        leading
    }

    /// The epoch, once it is decided.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether txns are proposed.
    pub fn is_in_broadcast(&self) -> bool {
        self.phase == Phase::Broadcast
    }

    /// Whether a quorum has promised the epoch, and has yet to accept the leader's history.
    pub fn is_synchronizing(&self) -> bool {
        self.phase == Phase::Synchronization
    }

    /// How many txns can still be proposed.
    pub fn room(&self, history: &History, ensemble: &Ensemble) -> u32 {
        if !self.is_in_broadcast() {
            return 0;
        }
        // A txn that was inherited is of an earlier epoch.
        let last = history.last().max(Zxid::of_epoch(self.epoch));
        ensemble.epoch_txns_max.saturating_sub(last.counter())
    }

    /// The learners.
    pub fn learners(&self) -> impl Iterator<Item = &Learner> {
        self.learners.iter()
    }

    /// When [`Self::end_turn`] has something to do, in ms of the monotonic clock.
    pub fn deadline_ms(&self, ensemble: &Ensemble) -> u64 {
        if self.is_in_broadcast() {
            return self.next_ping_ms;
        }
        self.asks_at_ms(ensemble).map_or(self.begins_until_ms, |at| at.min(self.begins_until_ms))
    }

    /// A server has connected.
    pub fn accepted(&mut self, link: LinkId, now_ms: u64) {
        self.learners.accepted(link, now_ms);
    }

    /// A link has ended: what its learner held no longer counts.
    pub fn closed(&mut self, link: LinkId, ensemble: &Ensemble) {
        if ensemble.planted.has(Plant::AckCountedOverLinks)
            && self.learners.find(link).is_some_and(|it| it.held().is_some())
        {
            return;
        }
        self.learners.closed(link);
    }

    /// Closes every link: this server leads no longer.
    pub fn end(self, effects: &mut Effects) {
        self.learners.end(effects);
    }

    /// Handles a packet of a learner.
    ///
    /// # Errors
    /// A voter has promised a later epoch, so that it can never follow in this one: it would be
    /// missing until the next election. This leader resigns, and the next one takes a later epoch.
    /// (Stock keeps such a server out, for as long as its leader leads.)
    pub fn handle(
        &mut self,
        link: LinkId,
        packet: &FromLearner<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Lost> {
        let Some(learner) = self.learners.find_mut(link) else { return Ok(()) };
        learner.heard_ms = context.now_ms;
        let done = match packet {
            FromLearner::FollowerInfo { accepted, learner } => {
                self.register(link, accepted.epoch(), learner, false, context)
            }
            FromLearner::ObserverInfo { accepted, learner } => {
                self.register(link, accepted.epoch(), learner, true, context)
            }
            FromLearner::AckEpoch { logged, epoch } => {
                let current = u32::try_from(*epoch).ok().map(Epoch);
                self.promised(link, *logged, current, context)
            }
            FromLearner::Ack { zxid } => self.acknowledged(link, *zxid, context),
            FromLearner::Ping { zxid, .. } => {
                self.answered(link, *zxid, context);
                Ok(())
            }
            // Of sessions, which are not decided here.
            FromLearner::Revalidate { .. } | FromLearner::Request { .. } => Ok(()),
        };
        match done {
            Err(why) => {
                let server = self.learners.find(link).and_then(|it| it.id);
                self.learners.close(link, why, context.effects);
                // Nobody has compared histories before: it was named, not elected.
                if why == CloseReason::AheadOfLeader
                    && self.supporters.is_empty()
                    && let Some(server) = server.filter(|id| context.ensemble.is_known_voter(*id))
                {
                    return Err(Lost::AheadOfDesignated(server));
                }
            }
            Ok(())
                if matches!(
                    packet,
                    FromLearner::FollowerInfo { .. } | FromLearner::ObserverInfo { .. }
                ) =>
            {
                return self.check_promise(link, context.ensemble);
            }
            Ok(()) => (),
        }
        Ok(())
    }

    /// Whether a server has accepted the history. One that observes may vote in the configuration
    /// that is proposed: it comes back as a follower once that is in force.
    fn has_accepted(&self, id: ServerId) -> bool {
        self.learners.iter().any(|it| it.id == Some(id) && it.held().is_some())
    }

    /// Learners that acknowledge: followers, whether the configuration names them or not.
    fn voters(&self) -> impl Iterator<Item = &Learner> {
        self.learners.iter().filter(|it| !it.is_observer)
    }

    /// The requested epochs are durable.
    pub fn epochs_stored(&mut self, context: &mut Context<'_>) {
        match self.phase {
            Phase::StoringPromise => {
                self.phase = Phase::Promising;
                for link in self.learners.links(|it| it.stage == Stage::Registered) {
                    self.learners.ask(link, self.epoch, context.effects);
                }
                self.maybe_establish(context);
            }
            Phase::StoringEpoch => {
                self.phase = Phase::Synchronization;
                self.number_configuration(context);
                context.effects.push(Effect::Inherit);
                if context.ensemble.planted.has(Plant::InheritedShownEarly) {
                    context.history.set_committed(self.inherited);
                    context.show();
                }
                for link in self.learners.links(|_| true) {
                    self.maybe_synchronize(link, context);
                }
                self.maybe_begin(context);
            }
            phase => panic!("epochs were stored in {phase:?}"),
        }
    }

    fn acknowledged(
        &mut self,
        link: LinkId,
        zxid: Zxid,
        context: &mut Context<'_>,
    ) -> Result<(), CloseReason> {
        let start = Zxid::of_epoch(self.epoch);
        let is_broadcast = self.is_in_broadcast();
        let learner = self.learners.find_mut(link).ok_or(CloseReason::NotLeading)?;
        match &mut learner.stage {
            // Whatever its first acknowledgement names, it answers NEWLEADER.
            Stage::Offered => {
                learner.stage = Stage::Accepted { held: start };
                learner.catching_up = None;
                learner.acknowledged(start);
                self.learners.has_changed = true;
                if is_broadcast {
                    context.effects.send(link, Message::UpToDate);
                } else {
                    self.maybe_begin(context);
                }
                Ok(())
            }
            Stage::Accepted { held } => {
                // Stock's learners acknowledge UPTODATE, too, by the epoch's start: that, and what
                // was inherited, says nothing new.
                if zxid > context.history.last().max(start) {
                    return Err(CloseReason::Protocol(Violation::NotProposed(zxid)));
                }
                *held = zxid.max(*held);
                learner.acknowledged(zxid);
                self.has_moved = true;
                Ok(())
            }
            _ => Err(CloseReason::Protocol(Violation::OutOfPlace)),
        }
    }

    /// Begins to propose once a quorum has accepted the leader's history.
    fn maybe_begin(&mut self, context: &mut Context<'_>) {
        let me = context.ensemble.me;
        let has_accepted = |id| id == me || self.has_accepted(id);
        let is_quorum = context.ensemble.is_quorum(has_accepted);
        if self.phase != Phase::Synchronization || !is_quorum {
            return;
        }
        self.phase = Phase::Broadcast;
        self.next_ping_ms = context.now_ms + context.pace.tick_ms / 2;
        context.history.set_committed(self.inherited);
        self.complete_configuration(context);
        context.show();
        context.effects.push(Effect::Lead(self.epoch));
        for learner in self.learners.iter().filter(|it| it.held().is_some()) {
            context.effects.send(learner.link, Message::UpToDate);
        }
    }

    /// Ends a turn: commits, and handles deadlines.
    ///
    /// # Errors
    /// It can no longer lead.
    pub fn end_turn(&mut self, context: &mut Context<'_>) -> Result<(), Lost> {
        if self.has_left(context.ensemble)
            && let Some(resigning) = &self.resigning
        {
            return Err(resigning.lost());
        }
        if std::mem::take(&mut self.has_moved) {
            self.maybe_commit(context);
            let is_full =
                self.is_in_broadcast() && self.room(context.history, context.ensemble) == 0;
            if is_full && self.in_flight.is_empty() && context.history.is_settled() {
                return Err(Lost::EpochFull);
            }
        }
        self.tick(context)
    }

    /// Handles deadlines: pings, silent learners, a lost quorum.
    ///
    /// # Errors
    /// It can no longer lead.
    fn tick(&mut self, context: &mut Context<'_>) -> Result<(), Lost> {
        let now_ms = context.now_ms;
        if !self.is_in_broadcast() {
            let is_late = now_ms >= self.begins_until_ms;
            return if is_late { Err(Lost::NoQuorum) } else { Ok(()) };
        }
        if now_ms < self.next_ping_ms {
            return Ok(());
        }
        self.next_ping_ms = now_ms + context.pace.tick_ms / 2;
        if let Some(resigning) = &self.resigning {
            return if now_ms < resigning.until_ms { Ok(()) } else { Err(resigning.lost()) };
        }
        self.learners.close_silent(context);
        let me = context.ensemble.me;
        let is_there = |id| id == me || self.has_accepted(id);
        if !context.ensemble.is_quorum(is_there) {
            self.lost_quorum(context.ensemble)?;
        }
        let proposed = context.history.last();
        let ping = self.ping();
        for learner in self.learners.in_broadcast_mut() {
            learner.mark(proposed, now_ms);
            context.effects.send(learner.link, ping.clone());
        }
        Ok(())
    }
}
