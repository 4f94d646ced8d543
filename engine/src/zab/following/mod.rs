//! Following, and observing: a server takes over its leader's history, and keeps up with it.
//!
//! Phases: the link is opened and the server registers; it promises the leader's epoch; its history
//! is made equal to the leader's by DIFF, TRUNC or SNAP; once all of that is durable it makes the
//! epoch its current one and accepts (ACK of NEWLEADER); after UPTODATE it shows clients what is
//! committed.
//!
//! **Invariants**
//!
//! - The promise is durable before it is given; the history is durable before the epoch becomes
//!   the current one, and that before NEWLEADER is acknowledged (guard: `tests/sim`, its plants).
//! - No acknowledgement precedes the one of NEWLEADER, and none names a txn that is not durable
//!   (guard: `Following::acknowledge`).
//! - Synchronization is not commitment: before UPTODATE nothing counts as committed that did not
//!   before, since this leader's history may still lose (guard: `tests/sim`).
//! - Proposals continue the one before: the next zxid, or one of a later epoch (guard:
//!   `Following::proposal`).
//!
//! Source: ZooKeeper 3.9.5, `Learner`, `Follower`, `Observer`. Lives in:
//! `Role::Following`.

mod keeping_up;
mod observers;
mod reconfiguring;
mod synchronizing;

use super::configuration::Configuration;
use super::context::Context;
use super::effect::{CloseReason, Effect, Effects, Lost, Message, Violation};
use super::ensemble::Pace;
use super::event::{Attempt, LinkId};
use super::history::History;
use super::mastering::Mastering;
use super::plant::Plant;
use super::wire::KIN;
use crate::in_log::InLog;
use crate::limits::PENDING_BYTES_MAX;
use model::peer::packet::FromLeader;
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::sync::Arc;

/// How far the server has come.
#[derive(Debug)]
enum Phase {
    /// A link is being opened.
    Connecting(Attempt),
    /// The next attempt begins then, in ms of the monotonic clock.
    Waiting {
        /// When.
        until_ms: u64,
    },
    /// The leader has yet to send its epoch.
    Registering,
    /// The leader's epoch is being stored as promised.
    Promising,
    /// The leader has yet to choose how it synchronizes this server.
    Choosing,
    /// The log is being cut.
    Cutting,
    /// A snapshot is coming.
    Receiving {
        /// The last txn that the leader has put into it as a whole.
        zxid: Zxid,
    },
    /// What the server lacks is coming, until NEWLEADER.
    CatchingUp,
    /// NEWLEADER has come; what came before is being made durable.
    Settling,
    /// The epoch is being stored as the current one.
    Accepting,
    /// UPTODATE has yet to come.
    Accepted,
    /// Clients are served.
    Broadcast,
}

/// A learner's part.
#[derive(Debug)]
pub struct Following {
    leader: ServerId,
    /// The server that this one learns from: the leader, or an observer master.
    master: ServerId,
    /// There once it is open.
    link: Option<LinkId>,
    phase: Phase,
    epochs: Epochs,
    epoch: Epoch,
    /// Whether it has introduced itself as an observer.
    is_observer: bool,
    /// What it does for observers, while it serves clients, where followers do that.
    mastering: Option<Mastering>,
    /// The configuration that NEWLEADER brought, until UPTODATE.
    offered: Option<Arc<Configuration>>,
    /// The last txn that is another configuration, and who is to lead in that.
    designated: Option<(Zxid, ServerId)>,
    /// Whether the leader is a server of this project: its snapshots are exact.
    is_kin: bool,
    /// The epoch whose leader cannot be followed but by a snapshot.
    snapshot_in: Option<Epoch>,
    /// Through where the leader has called its history committed, on this link.
    named: Zxid,
    /// The last txn that came, or that the history had when it was made part of the leader's.
    last: Zxid,
    /// What a snapshot holds, if one came: messages about it say nothing new.
    snapshot: Option<Zxid>,
    /// The history that a snapshot is to replace, until that counts.
    replaced: Option<History>,
    /// What came and is not handed to the log yet.
    pending: InLog,
    /// The last txn of this epoch that was acknowledged.
    acknowledged: Zxid,
    /// The first txn of this epoch that came, which need not be its first.
    first: Zxid,
    /// When the server must be connected, when it must have accepted, and when the last packet
    /// arrived, in ms of the monotonic clock.
    connects_until_ms: u64,
    accepts_until_ms: u64,
    heard_ms: u64,
}

impl Following {
    /// Begins to follow: a link is opened.
    pub fn begin(
        leader: ServerId,
        epochs: Epochs,
        snapshot_in: Option<Epoch>,
        context: &mut Context<'_>,
    ) -> Self {
        let (attempt, master) = context.connect(leader);
        Self {
            leader,
            master,
            link: None,
            phase: Phase::Connecting(attempt),
            epochs,
            epoch: Epoch(0),
            is_observer: context.ensemble.is_observer(),
            mastering: None,
            offered: None,
            designated: None,
            is_kin: false,
            snapshot_in,
            named: context.history.committed(),
            last: context.history.last(),
            snapshot: None,
            replaced: None,
            pending: InLog::default(),
            acknowledged: Zxid::ZERO,
            first: Zxid::ZERO,
            connects_until_ms: context.now_ms + context.pace.connect_ms(),
            accepts_until_ms: context.now_ms + context.pace.init_ms(),
            heard_ms: context.now_ms,
        }
    }

    /// The leader.
    pub fn leader(&self) -> ServerId {
        self.leader
    }

    /// The server that it learns from, or tries to.
    pub fn master(&self) -> ServerId {
        self.master
    }

    /// The link, once there is one.
    pub fn link(&self) -> Option<LinkId> {
        self.link
    }

    /// The epoch, once the leader has sent it.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether it takes part as an observer.
    pub fn is_observer(&self) -> bool {
        self.is_observer
    }

    /// Whether clients are served.
    pub fn is_serving(&self) -> bool {
        matches!(self.phase, Phase::Broadcast)
    }

    /// Whether the epoch is promised: the leader may choose how it synchronizes this server.
    pub fn has_promised(&self) -> bool {
        match self.phase {
            Phase::Connecting(_)
            | Phase::Waiting { .. }
            | Phase::Registering
            | Phase::Promising => false,
            Phase::Choosing
            | Phase::Cutting
            | Phase::Receiving { .. }
            | Phase::CatchingUp
            | Phase::Settling
            | Phase::Accepting
            | Phase::Accepted
            | Phase::Broadcast => true,
        }
    }

    /// Whether the link may be read: what comes has room, and the history that it belongs to is
    /// there. (While a snapshot comes, the link is the snapshot's.)
    pub fn is_reading(&self) -> bool {
        let is_changing = matches!(self.phase, Phase::Cutting | Phase::Receiving { .. });
        !is_changing && self.pending.byte_count() < PENDING_BYTES_MAX
    }

    /// When [`Self::tick`] has something to do, in ms of the monotonic clock.
    pub fn deadline_ms(&self, pace: Pace) -> u64 {
        let lost_at_ms = self.lost_at_ms(pace);
        match self.phase {
            Phase::Waiting { until_ms } => until_ms.min(lost_at_ms),
            _ => lost_at_ms.min(self.observers_deadline_ms()),
        }
    }

    /// When the leader counts as lost if nothing more arrives, in ms of the monotonic clock. Never
    /// while this server does not read the link: whatever reads a snapshot watches over it, and a
    /// leader waits for a cut no longer than for any answer.
    fn lost_at_ms(&self, pace: Pace) -> u64 {
        match self.phase {
            Phase::Connecting(_) | Phase::Waiting { .. } => self.connects_until_ms,
            Phase::Cutting | Phase::Receiving { .. } => u64::MAX,
            Phase::Registering
            | Phase::Promising
            | Phase::Choosing
            | Phase::CatchingUp
            | Phase::Settling
            | Phase::Accepting => self.accepts_until_ms.max(self.heard_ms + pace.init_ms()),
            Phase::Accepted | Phase::Broadcast => self.heard_ms + pace.sync_ms(),
        }
    }

    /// A link is open. One that was opened by an earlier attempt is closed.
    pub fn connected(&mut self, attempt: Attempt, link: LinkId, context: &mut Context<'_>) {
        if !self.is_connecting(attempt) {
            return context.effects.push(Effect::Close(link, CloseReason::Lost));
        }
        self.link = Some(link);
        self.heard_ms = context.now_ms;
        self.phase = Phase::Registering;
        let is_observer = context.ensemble.is_observer();
        self.is_observer = is_observer;
        let promised = self.epochs.promised();
        context.effects.send(link, Message::Register { is_observer, promised });
    }

    /// The link could not be opened: retried, as the leader may not have begun to lead, with the
    /// next master where there are any. (Stock gives up after five attempts, and votes again.)
    pub fn connect_failed(&mut self, attempt: Attempt, context: &Context<'_>) {
        if self.is_connecting(attempt) {
            self.phase = Phase::Waiting { until_ms: context.now_ms + context.pace.reconnect_ms };
        }
    }

    fn is_connecting(&self, attempt: Attempt) -> bool {
        matches!(self.phase, Phase::Connecting(current) if current == attempt)
    }

    /// Closes the link, and those of observers.
    pub fn close(&mut self, effects: &mut Effects) {
        if let Some(mastering) = self.mastering.take() {
            mastering.end(effects);
        }
        if let Some(link) = self.link.take() {
            effects.push(Effect::Close(link, CloseReason::Lost));
        }
    }

    /// Whether a cut is under way, which has to end before the history can be spoken of.
    pub fn is_cutting(&self) -> bool {
        matches!(self.phase, Phase::Cutting)
    }

    /// Through where the leader has called its history committed, on this link.
    pub fn named(&self) -> Zxid {
        self.named
    }

    /// Whether a history is to be replaced by a snapshot that is not accepted yet.
    pub fn is_replacing(&self) -> bool {
        self.replaced.is_some()
    }

    /// Ends, once nothing is under way any more: the history is what is on disk and counts.
    pub fn end(self, history: &mut History, effects: &mut Effects) {
        if let Some(replaced) = self.replaced {
            effects.push(Effect::ForgetSnapshot);
            *history = replaced;
        } else if let Phase::Receiving { .. } = self.phase {
            effects.push(Effect::ForgetSnapshot);
        }
    }

    /// Handles a packet of the leader.
    pub fn handle(
        &mut self,
        packet: &FromLeader<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Lost> {
        self.heard_ms = context.now_ms;
        match (packet, &self.phase) {
            (FromLeader::LeaderInfo { zxid, trailing, .. }, Phase::Registering) => {
                self.is_kin = trailing.starts_with(KIN);
                self.leader_info(zxid.epoch(), context)
            }
            (FromLeader::Diff { zxid }, Phase::Choosing) => {
                self.named = self.named.max(*zxid);
                self.phase = Phase::CatchingUp;
                if self.snapshot_in == Some(self.epoch) {
                    // The leader's log reaches back to the beginning.
                    context.effects.push(Effect::BeginEmpty(self.epoch));
                    self.replace(Zxid::ZERO, context);
                }
                Ok(())
            }
            (FromLeader::Trunc { zxid }, Phase::Choosing) => self.truncate(*zxid, context),
            (FromLeader::Snap { zxid }, Phase::Choosing) => {
                let link = self.link.ok_or(Lost::LinkClosed)?;
                self.phase = Phase::Receiving { zxid: *zxid };
                let (zxid, epoch, is_fuzzy) = (*zxid, self.epoch, !self.is_kin);
                context.effects.push(Effect::ReceiveSnapshot { link, zxid, epoch, is_fuzzy });
                Ok(())
            }
            (FromLeader::Proposal { zxid, txn }, phase) if phase.has_chosen() => {
                self.proposal(*zxid, txn)
            }
            (FromLeader::Inform { zxid, txn }, phase) if phase.has_chosen() => {
                self.proposal(*zxid, txn)?;
                self.commit(*zxid)
            }
            (FromLeader::Commit { zxid }, phase) if phase.has_chosen() => self.commit(*zxid),
            (FromLeader::CommitAndActivate { zxid, designated }, phase) if phase.has_chosen() => {
                self.designate(*zxid, *designated);
                self.commit(*zxid)
            }
            (FromLeader::InformAndActivate { zxid, designated, txn }, phase)
                if phase.has_chosen() =>
            {
                self.designate(*zxid, *designated);
                self.proposal(*zxid, txn)?;
                self.commit(*zxid)
            }
            (FromLeader::NewLeader { zxid, config }, Phase::CatchingUp) => {
                self.offered = config.and_then(Configuration::parse).map(Arc::new);
                self.new_leader(*zxid)
            }
            (FromLeader::UpToDate { .. }, Phase::Accepted) => self.up_to_date(context),
            (FromLeader::Ping { zxid, .. }, Phase::Accepted | Phase::Broadcast) => {
                let link = self.link.ok_or(Lost::LinkClosed)?;
                context.effects.send(link, Message::Pong(*zxid));
                Ok(())
            }
            // Of clients, in which agreement takes no part.
            (FromLeader::Revalidate { .. } | FromLeader::Sync { .. }, Phase::Broadcast) => {
                self.inform_observers(context);
                Ok(())
            }
            // A leader pings behind NEWLEADER. As in stock, a learner that has yet to accept does
            // not answer: its first answer is NEWLEADER's.
            (FromLeader::Ping { .. }, phase) if phase.has_chosen() => Ok(()),
            _ => Err(Lost::Protocol(Violation::OutOfPlace)),
        }
    }

    fn leader_info(&mut self, epoch: Epoch, context: &mut Context<'_>) -> Result<(), Lost> {
        if epoch < self.epochs.promised() {
            return Err(Lost::OldEpoch);
        }
        if epoch > Epoch::LAST {
            return Err(Lost::Protocol(Violation::WrongEpoch(epoch)));
        }
        self.epoch = epoch;
        if epoch == self.epochs.promised() {
            // Promised before, perhaps to another leader: this answer must not count.
            self.promise(None, context);
        } else {
            self.epochs = self.epochs.promise(epoch);
            self.phase = Phase::Promising;
            context.store(self.epochs);
            if context.ensemble.planted.has(Plant::PromiseBeforeStored) {
                self.promise(Some(self.epochs.current()), context);
            }
        }
        Ok(())
    }

    fn promise(&mut self, current: Option<Epoch>, context: &mut Context<'_>) {
        let Some(link) = self.link else { return };
        self.phase = Phase::Choosing;
        if self.snapshot_in == Some(self.epoch) {
            // Neither compared nor counted; the history is kept until another has replaced it.
            self.last = Zxid::ZERO;
            let message = Message::AckEpoch { last: Zxid::ZERO, current: None };
            return context.effects.send(link, message);
        }
        let last = context.history.last();
        context.effects.send(link, Message::AckEpoch { last, current });
    }

    /// The requested epochs are durable.
    pub fn epochs_stored(&mut self, context: &mut Context<'_>) {
        match self.phase {
            Phase::Promising => self.promise(Some(self.epochs.current()), context),
            _ if context.ensemble.planted.has(Plant::PromiseBeforeStored) => (),
            Phase::Accepting => {
                self.replaced = None;
                self.phase = Phase::Accepted;
                let Some(link) = self.link else { return };
                context.effects.send(link, Message::AckNewLeader(self.epoch));
                self.acknowledged = Zxid::of_epoch(self.epoch);
                self.acknowledge(context);
            }
            ref phase => panic!("epochs were stored in {phase:?}"),
        }
    }

    /// Handles deadlines: reconnects, abandons a silent leader.
    pub fn tick(&mut self, context: &mut Context<'_>) -> Result<(), Lost> {
        let now_ms = context.now_ms;
        if now_ms >= self.lost_at_ms(context.pace) {
            let is_linked = self.link.is_some();
            return Err(if is_linked { Lost::Silent } else { Lost::Unreachable });
        }
        if let Phase::Waiting { until_ms } = self.phase
            && now_ms >= until_ms
        {
            let (attempt, master) = context.connect(self.leader);
            self.master = master;
            self.phase = Phase::Connecting(attempt);
        }
        Ok(())
    }
}

impl Phase {
    /// Whether the leader has chosen how to synchronize: txns may come.
    fn has_chosen(&self) -> bool {
        matches!(
            self,
            Self::CatchingUp | Self::Settling | Self::Accepting | Self::Accepted | Self::Broadcast
        )
    }
}
