//! The leader's part in a change of the configuration.
//!
//! A configuration that this leader has inherited without knowing whether it is committed is in
//! force once a quorum of it, and one of the configuration before, have accepted the history. The
//! first one ever, version 0, gets a version in the same way, so that it counts for more than the
//! files of servers that join.
//!
//! A leader that is no voter of the configuration that it has committed, or is to be reached
//! elsewhere, names the follower that holds most as the next leader, commits nothing more, and
//! waits until its followers have left: so they have all been told.
//!
//! Source: ZooKeeper 3.9.5, `Leader.lead`, `startZkServer`, `tryToCommit`.

use super::{Leading, Resigning};
use crate::in_log::InLog;
use crate::zab::configuration::Configuration;
use crate::zab::context::Context;
use crate::zab::effect::{Lost, Part};
use crate::zab::ensemble::Ensemble;
use crate::zab::standing::Standing;
use model::server::ServerId;
use model::zxid::Zxid;
use std::sync::Arc;

impl Resigning {
    /// Why the leader stops.
    pub(super) fn lost(&self) -> Lost {
        Lost::Reconfigured { leader: self.to }
    }
}

impl Leading {
    /// Proposes that the first configuration gets the epoch's start as its version.
    pub(super) fn number_configuration(&mut self, context: &mut Context<'_>) {
        if context.ensemble.can_change && context.ensemble.newest().version() == 0 {
            let start = Zxid::of_epoch(self.epoch);
            let numbered = context.ensemble.current.with_version(start.0);
            context.propose(start, numbered);
        }
    }

    /// A quorum has accepted the history: a configuration that it proposes is in force.
    pub(super) fn complete_configuration(&mut self, context: &mut Context<'_>) {
        if let Some(next) = context.ensemble.next.clone() {
            let leader = self.designate(Zxid::of_epoch(self.epoch), &next, context);
            self.activate(next, leader, context);
        }
    }

    /// The configuration that is proposed at `at`, in this batch, is committed.
    pub(super) fn commit_configuration(
        &mut self,
        at: Zxid,
        batch: &Arc<InLog>,
        context: &mut Context<'_>,
    ) {
        let Some(next) = context.ensemble.next.clone() else { return };
        let leader = self.designate(at, &next, context);
        let index = batch.count_through(at) - 1;
        let part = |range| Part { txns: batch.clone(), range };
        self.learners.send_commits(&part(0..index), context.effects);
        let designated = leader.unwrap_or(context.ensemble.me);
        self.learners.send_activation(&part(index..index + 1), designated, context.effects);
        self.learners.send_commits(&part(index + 1..batch.len()), context.effects);
        self.activate(next, leader, context);
    }

    /// Who leads in a configuration: this server, or the follower that holds most. `None` if there
    /// is none that holds the change.
    fn designate(&self, at: Zxid, next: &Configuration, context: &Context<'_>) -> Option<ServerId> {
        let me = context.ensemble.me;
        if next.keeps_leader(me, &context.ensemble.current) {
            return Some(me);
        }
        let may_lead = |id| id != me && next.quorum().weight(id) > 0;
        let holders = self.voters().filter_map(|it| Some((it.held()?, it.id?)));
        holders.filter(|(held, id)| *held >= at && may_lead(*id)).max().map(|(_, id)| id)
    }

    fn activate(
        &mut self,
        next: Arc<Configuration>,
        leader: Option<ServerId>,
        context: &mut Context<'_>,
    ) {
        context.activate(next);
        self.learners.has_changed = true;
        if leader != Some(context.ensemble.me) {
            let until_ms = context.now_ms + context.pace.sync_ms();
            self.resigning = Some(Resigning { to: leader, until_ms });
        }
    }

    /// Whether all followers that count have left a leader that resigns.
    pub(super) fn has_left(&self, ensemble: &Ensemble) -> bool {
        let voters = ensemble.current.quorum();
        self.resigning.is_some()
            && !self.voters().any(|it| it.id.is_some_and(|id| voters.is_voter(id)))
    }

    /// Configurations have changed.
    pub(in crate::zab) fn standing_changed(&mut self) {
        self.learners.has_changed = true;
    }

    /// What a change is decided with, if that differs from what was told before.
    pub(in crate::zab) fn take_standing(&mut self, ensemble: &Ensemble) -> Option<Standing> {
        if !self.is_in_broadcast() || !ensemble.can_change {
            return None;
        }
        if !std::mem::take(&mut self.learners.has_changed) {
            return None;
        }
        let synced = self.voters().filter(|it| it.held().is_some()).filter_map(|it| it.id);
        Some(Standing {
            me: ensemble.me,
            current: ensemble.current.clone(),
            next: ensemble.next.clone(),
            synced: synced.collect(),
        })
    }
}
