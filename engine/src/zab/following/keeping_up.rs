//! Keeping up: what the leader proposes goes to the log, what it commits is shown.

use super::{Following, Phase};
use crate::zab::context::Context;
use crate::zab::effect::{Effect, Lost, Message, Violation};
use crate::zab::plant::Plant;
use model::zxid::Zxid;
use std::mem;
use std::sync::Arc;

impl Following {
    /// The leader's history is in force: what is committed may be shown to clients.
    pub(super) fn up_to_date(&mut self, context: &mut Context<'_>) -> Result<(), Lost> {
        let link = self.link.ok_or(Lost::LinkClosed)?;
        self.phase = Phase::Broadcast;
        context.masters.served();
        self.show(context);
        self.activate_offered(context)?;
        self.maybe_activate(context)?;
        context.effects.push(Effect::Follow(link));
        self.maybe_begin_mastering(context);
        Ok(())
    }

    pub(super) fn proposal(&mut self, zxid: Zxid, txn: &[u8]) -> Result<(), Lost> {
        if self.snapshot.is_some_and(|through| zxid <= through) {
            return Ok(());
        }
        if zxid.epoch() > self.epoch {
            return Err(Lost::Protocol(Violation::WrongEpoch(zxid.epoch())));
        }
        let last = self.last;
        if zxid != last.next() && zxid.epoch() <= last.epoch() {
            return Err(Lost::Protocol(Violation::Gap { last, found: zxid }));
        }
        if zxid.epoch() > last.epoch() {
            self.first = zxid;
        }
        self.pending.push(zxid, txn);
        self.last = zxid;
        Ok(())
    }

    pub(super) fn commit(&mut self, zxid: Zxid) -> Result<(), Lost> {
        if zxid > self.last {
            return Err(Lost::Protocol(Violation::NotProposed(zxid)));
        }
        self.named = self.named.max(zxid);
        Ok(())
    }

    /// The log has moved.
    pub fn durable(&mut self, context: &mut Context<'_>) {
        let is_early = context.ensemble.planted.has(Plant::AckBeforeNewLeader)
            && context.history.durable().epoch() == self.epoch;
        if is_early {
            self.acknowledged = self.acknowledged.max(Zxid::of_epoch(self.epoch));
        }
        if is_early || matches!(self.phase, Phase::Accepted | Phase::Broadcast) {
            self.acknowledge(context);
        }
    }

    /// Everything that had arrived was handed in.
    ///
    /// # Errors
    /// A configuration is in force in which this server has another role, or another leader.
    pub fn end_turn(&mut self, context: &mut Context<'_>) -> Result<(), Lost> {
        self.append_pending(context);
        let is_settled =
            context.history.is_settled() || context.ensemble.planted.has(Plant::EpochBeforeHistory);
        if matches!(self.phase, Phase::Settling) && is_settled {
            self.epochs = self.epochs.accept();
            self.phase = Phase::Accepting;
            context.store(self.epochs);
        }
        if context.ensemble.planted.has(Plant::AckBeforeDurable)
            && matches!(self.phase, Phase::Accepted | Phase::Broadcast)
        {
            self.acknowledge(context);
        }
        if self.is_serving() || context.ensemble.planted.has(Plant::ShownBeforeUpToDate) {
            self.show(context);
        }
        if let Some(mastering) = &mut self.mastering {
            mastering.end_turn(context);
        }
        self.maybe_activate(context)
    }

    /// Hands what has come to the log.
    pub(super) fn append_pending(&mut self, context: &mut Context<'_>) {
        if !self.pending.is_empty() {
            let txns = Arc::new(mem::take(&mut self.pending));
            context.history.append(txns.clone());
            context.effects.push(Effect::Append(txns));
        }
    }

    /// Acknowledges what has become durable of the leader's own txns.
    pub(super) fn acknowledge(&mut self, context: &mut Context<'_>) {
        let Some(link) = self.link else { return };
        let mut durable = context.history.durable();
        if context.ensemble.planted.has(Plant::AckBeforeDurable) {
            durable = context.history.last();
        }
        if !self.is_observer && durable > self.acknowledged {
            let first = self.acknowledged.next().max(self.first);
            self.acknowledged = durable;
            context.effects.send(link, Message::Acks { first, last: durable });
        }
    }

    /// Shows clients what is committed and durable.
    fn show(&mut self, context: &mut Context<'_>) {
        context.history.set_committed(self.named.min(context.history.last()));
        context.show();
    }
}
