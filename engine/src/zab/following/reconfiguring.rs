//! A learner's part in a change of the configuration.
//!
//! A configuration is in force here once the txn that it is can be shown: committed, after
//! UPTODATE, and durable. NEWLEADER brings one as well; that is in force at UPTODATE, unless its
//! leader has proposed it in this epoch and not committed it (a stock leader sends those, too).
//!
//! Source: ZooKeeper 3.9.5, `QuorumPeer.processReconfig`, `Follower`, `Observer`.

use super::Following;
use crate::zab::configuration::Configuration;
use crate::zab::context::Context;
use crate::zab::effect::Lost;
use crate::zab::plant::Plant;
use model::zxid::Zxid;
use std::sync::Arc;

impl Following {
    /// What NEWLEADER brought is in force.
    pub(super) fn activate_offered(&mut self, context: &mut Context<'_>) -> Result<(), Lost> {
        let Some(offered) = self.offered.take().filter(|_| context.ensemble.can_change) else {
            return Ok(());
        };
        let version = Zxid(offered.version());
        let is_of_epoch = version.epoch() == self.epoch && version.counter() > 0;
        if is_of_epoch && version > self.named {
            context.history.propose(version, offered);
            return Ok(());
        }
        self.activate(offered, context)
    }

    /// What the history proposes is in force as far as clients see it.
    pub(super) fn maybe_activate(&mut self, context: &mut Context<'_>) -> Result<(), Lost> {
        if !self.is_serving() || context.ensemble.next.is_none() {
            return Ok(());
        }
        let mut shown = context.history.shown();
        if context.ensemble.planted.has(Plant::ProposedInForce) {
            shown = context.history.last();
        }
        let Some(configuration) = context.history.take_proposed(shown) else { return Ok(()) };
        self.activate(configuration, context)
    }

    fn activate(
        &mut self,
        configuration: Arc<Configuration>,
        context: &mut Context<'_>,
    ) -> Result<(), Lost> {
        let before = context.ensemble.current.clone();
        let is_news = context.activate(configuration);
        let current = &context.ensemble.current;
        if !is_news || current.has_same_servers(&before) {
            return Ok(());
        }
        let designated = self.designated.take_if(|(at, _)| at.0 <= current.version());
        let designated = designated.filter(|(at, _)| at.0 == current.version());
        let leader = designated.map_or(self.leader, |(_, leader)| leader);
        if !current.quorum().is_voter(leader) {
            return Err(Lost::Reconfigured { leader: None });
        }
        if leader != self.leader || context.ensemble.is_observer() != self.is_observer {
            return Err(Lost::Reconfigured { leader: Some(leader) });
        }
        Ok(())
    }
}
