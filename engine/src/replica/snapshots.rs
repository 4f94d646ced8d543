//! When snapshots are taken.

use crate::in_log::InLog;

/// How long to wait after a snapshot has been written, in multiples of the time that it took: under
/// a load of writes that would cause one after the other, snapshots take a fifth of the time,
/// however large the tree; the log to replay grows instead.
const SNAPSHOT_REST: u64 = 4;

/// How much may be written to the log without a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPolicy {
    /// So many txns.
    pub txn_count: u64,
    /// Or so many bytes; `None` for no such bound.
    pub log_bytes_max: Option<u64>,
}

/// What was written since the last snapshot began, and whether one is being written.
#[derive(Debug)]
pub(super) struct Snapshots {
    policy: SnapshotPolicy,
    txns_since: u64,
    bytes_since: u64,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// None is begun before this time, in ms.
    Resting { until_ms: u64 },
    /// One is being written since this time, in ms.
    Writing { since_ms: u64 },
}

impl Snapshots {
    /// What was replayed is in no snapshot either: without it, a server that is restarted often
    /// would never take one.
    pub(super) fn new(policy: SnapshotPolicy, (txns_since, bytes_since): (u64, u64)) -> Self {
        Self { policy, txns_since, bytes_since, phase: Phase::Resting { until_ms: 0 } }
    }

    /// A batch goes to the log.
    pub(super) fn sealed(&mut self, in_log: &InLog) {
        self.txns_since += in_log.len() as u64;
        self.bytes_since += in_log.byte_count() as u64;
    }

    fn is_due(&self) -> bool {
        self.txns_since >= self.policy.txn_count
            || self.policy.log_bytes_max.is_some_and(|max| self.bytes_since >= max)
    }

    /// Whether one is to be begun now.
    pub(super) fn is_due_at(&self, now_ms: u64) -> bool {
        self.deadline_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// When one that is due may be begun.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Resting { until_ms } => self.is_due().then_some(until_ms),
            Phase::Writing { .. } => None,
        }
    }

    /// One is being written.
    pub(super) fn began(&mut self, now_ms: u64) {
        assert!(matches!(self.phase, Phase::Resting { .. }), "one snapshot at a time");
        (self.txns_since, self.bytes_since) = (0, 0);
        self.phase = Phase::Writing { since_ms: now_ms };
    }

    /// It has been written, or could not be.
    pub(super) fn ended(&mut self, now_ms: u64) {
        if let Phase::Writing { since_ms } = self.phase {
            let took_ms = now_ms.saturating_sub(since_ms);
            self.phase = Phase::Resting { until_ms: now_ms + SNAPSHOT_REST * took_ms };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SnapshotPolicy, Snapshots};

    #[test]
    fn a_snapshot_rests_for_as_long_as_its_size_asks() {
        let policy = SnapshotPolicy { txn_count: 10, log_bytes_max: Some(1 << 20) };
        let mut snapshots = Snapshots::new(policy, (9, 100));
        assert_eq!(snapshots.deadline_ms(), None, "nothing is due");
        snapshots = Snapshots::new(policy, (0, 1 << 20));
        assert!(snapshots.is_due_at(0), "what was replayed counts");
        snapshots.began(1_000);
        assert!(!snapshots.is_due_at(u64::MAX), "one at a time");
        snapshots.txns_since = 10;
        snapshots.ended(1_500);
        assert!(!snapshots.is_due_at(3_499));
        assert!(snapshots.is_due_at(3_500));
        // What ends a second time, or never began, changes nothing.
        snapshots.ended(9_000);
        assert_eq!(snapshots.deadline_ms(), Some(3_500));
    }
}
