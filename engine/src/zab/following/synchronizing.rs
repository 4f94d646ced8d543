//! Becoming equal to the leader: by a cut, by a snapshot, or by what is behind this history.

use super::{Following, Phase};
use crate::zab::context::Context;
use crate::zab::effect::{Effect, Lost, Violation};
use crate::zab::plant::Plant;
use model::zxid::Zxid;
use std::mem;

impl Following {
    pub(super) fn truncate(&mut self, to: Zxid, context: &mut Context<'_>) -> Result<(), Lost> {
        let committed = context.history.committed();
        if to < committed && self.master != self.leader {
            return Err(Lost::MasterBehind { to, committed });
        }
        if to < committed {
            return Err(Lost::CutBelowCommitted { to, committed });
        }
        if to < context.history.base() {
            return Err(Lost::CutBelowSnapshot { leader: self.leader, epoch: self.epoch });
        }
        if context.ensemble.planted.has(Plant::CutForgotten) {
            self.phase = Phase::CatchingUp;
            return Ok(());
        }
        self.named = self.named.max(to);
        self.last = to;
        self.phase = Phase::Cutting;
        context.effects.push(Effect::CutLog(to));
        Ok(())
    }

    /// The log ends where the leader asked for.
    pub fn log_cut(&mut self, end: Zxid, context: &mut Context<'_>) {
        assert!(self.is_cutting(), "the log was cut without a request");
        context.history.cut(end);
        self.heard_ms = context.now_ms;
        self.phase = Phase::CatchingUp;
    }

    /// The snapshot is stored: the history is what it holds.
    pub fn snapshot_received(&mut self, through: Zxid, context: &mut Context<'_>) {
        let Phase::Receiving { zxid } = self.phase else { return };
        let through = through.max(zxid);
        self.snapshot = Some(through);
        self.named = self.named.max(through);
        self.heard_ms = context.now_ms;
        self.phase = Phase::CatchingUp;
        self.replace(through, context);
    }

    /// Another history takes the place of this server's, once the epoch is stored.
    pub(super) fn replace(&mut self, through: Zxid, context: &mut Context<'_>) {
        let received = context.history.replaced_by(through);
        self.replaced = Some(mem::replace(context.history, received));
        self.last = through;
    }

    pub(super) fn new_leader(&mut self, zxid: Zxid) -> Result<(), Lost> {
        if zxid.epoch() != self.epoch {
            return Err(Lost::Protocol(Violation::WrongEpoch(zxid.epoch())));
        }
        // Everything committed has been sent: what comes later needs a COMMIT of its own, whatever
        // the DIFF named.
        self.named = self.named.min(self.last);
        self.phase = Phase::Settling;
        Ok(())
    }
}
