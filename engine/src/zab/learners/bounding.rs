//! How many learners catch up at once.
//!
//! Learners that vote are needed, and are never sent away; but they count. An observer that comes
//! when too many are being sent txns, or snapshots, is: it comes back.
//!
//! Source: ZooKeeper 3.9.5, `LearnerSyncThrottler`.

use super::Learners;
use crate::zab::context::Context;
use crate::zab::effect::CloseReason;
use crate::zab::event::LinkId;

/// How a learner catches up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CatchingUp {
    /// With txns.
    Diff,
    /// With a snapshot.
    Snapshot,
}

/// How learners catch up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUp {
    /// With how many snapshots on their way another observer is sent away
    /// (`leader.maxConcurrentSnapSyncs`).
    pub snapshots_max: usize,
    /// The same of learners that are sent txns (`leader.maxConcurrentDiffSyncs`).
    pub diffs_max: usize,
    /// Every learner is sent a snapshot, whatever it has (`forceSnapshotSync`).
    pub is_snapshot_forced: bool,
}

impl Default for CatchUp {
    fn default() -> Self {
        Self { snapshots_max: 10, diffs_max: 100, is_snapshot_forced: false }
    }
}

impl Learners {
    /// A learner is about to be sent what it lacks; false if it is sent away instead.
    pub(super) fn begins_to_catch_up(
        &mut self,
        link: LinkId,
        how: CatchingUp,
        context: &mut Context<'_>,
    ) -> bool {
        let catch_up = context.ensemble.catch_up;
        let most = match how {
            CatchingUp::Diff => catch_up.diffs_max,
            CatchingUp::Snapshot => catch_up.snapshots_max,
        };
        let count = self.iter().filter(|it| it.catching_up == Some(how)).count();
        let Some(learner) = self.find_mut(link) else { return false };
        if learner.is_observer && count >= most {
            self.close(link, CloseReason::Crowded(how), context.effects);
            return false;
        }
        learner.catching_up = Some(how);
        true
    }
}
