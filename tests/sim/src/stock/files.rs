//! The files of a stock server, and what a start makes of them.
//!
//! A start loads the newest snapshot and replays what the log holds above it, whatever else the log
//! and the older snapshots hold: nothing is ever set aside. A snapshot that was not flushed may be
//! missing after a power loss; then the one before it is loaded. (Only the newest: by the time of
//! the next one the system has written it by itself.)
//!
//! Source: ZooKeeper 3.9.5, `FileTxnLog`, `FileTxnSnapLog`. Not here: the layout of the files; the
//! length that a cut sets is taken to be durable once the epoch behind it is, as journaling file
//! systems have it.

use super::replay;
use crate::checks::State;
use crate::disk::{Operation, PIECE};
use engine::in_log::InLog;
use engine::zab::LogRead;
use fastrand::Rng;
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;

/// So many snapshots are kept, and the log from the oldest of them on (`autopurge`).
const SNAPSHOTS_KEPT: usize = 3;

/// A snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// The zxid in its name: what the server took for its last txn.
    pub label: Zxid,
    /// What it holds.
    pub state: State,
    /// Whether it was flushed.
    pub is_synced: bool,
}

/// The log and the snapshots.
#[derive(Clone, Debug)]
pub struct Files {
    log: Vec<(Zxid, Arc<[u8]>)>,
    /// Oldest first; at least one, the empty one of the first start.
    snapshots: Vec<Snapshot>,
}

impl Files {
    /// Those of a server that has never run.
    pub fn new() -> Self {
        let empty = Snapshot { label: Zxid::ZERO, state: State::default(), is_synced: true };
        Self { log: Vec::new(), snapshots: vec![empty] }
    }

    fn newest(&self) -> Snapshot {
        self.snapshots[self.snapshots.len() - 1]
    }

    /// What a start finds: the states from the newest snapshot's on, and the last txn.
    pub fn load(&self) -> (VecDeque<State>, Zxid) {
        let Snapshot { label, state, .. } = self.newest();
        let mut states = VecDeque::from([state]);
        let mut last = label;
        for (zxid, txn) in self.log.iter().skip_while(|(zxid, _)| *zxid <= label) {
            replay(&mut states, *zxid, txn);
            last = last.max(*zxid);
        }
        (states, last)
    }

    /// Whether a cut there finds a place; a server whose log has none exits.
    pub fn has_place(&self, cut: Zxid) -> bool {
        self.log.iter().any(|(zxid, _)| *zxid >= cut)
    }

    /// An operation has ended.
    pub fn apply(&mut self, operation: &Operation, records_max: usize) {
        match operation {
            Operation::Append(txns, _) => {
                let records = txns.txns(0).take(records_max);
                self.log.extend(records.map(|(zxid, txn)| (zxid, Arc::from(txn))));
            }
            // The first record at or above the zxid is kept, whether that is the one or not.
            Operation::Cut(cut) => {
                let kept = self.log.iter().position(|(zxid, _)| zxid >= cut);
                self.log.truncate(kept.map_or(0, |it| it + 1));
            }
            Operation::Save(snapshot) => self.save(*snapshot),
            Operation::Epochs(_) | Operation::Receive(..) => {
                panic!("{operation:?} is not of these files")
            }
        }
    }

    /// A snapshot is written; if it is not flushed, it can be read and may be lost.
    pub fn save(&mut self, snapshot: Snapshot) {
        // Time has passed: the system has written the earlier ones.
        self.snapshots.iter_mut().for_each(|it| it.is_synced = true);
        self.snapshots.push(snapshot);
        if self.snapshots.len() > SNAPSHOTS_KEPT {
            self.snapshots.remove(0);
            let oldest = self.snapshots[0].label;
            self.log.retain(|(zxid, _)| *zxid >= oldest);
        }
    }

    /// A snapshot of what clients see is taken, by a server that serves them.
    pub fn take_snapshot(&mut self, state: State) {
        if state.zxid > self.newest().label {
            self.save(Snapshot { label: state.zxid, state, is_synced: false });
        }
    }

    /// Power is lost.
    pub fn crash(&mut self, rng: &mut Rng) {
        self.snapshots.retain(|it| it.is_synced || rng.bool());
        self.snapshots.iter_mut().for_each(|it| it.is_synced = true);
    }

    /// Some txns behind a position, of what a start would find.
    pub fn read(&self, position: Zxid) -> LogRead {
        let base = self.newest().label;
        if position < base {
            return LogRead::Unavailable;
        }
        let start = self.log.partition_point(|(zxid, _)| *zxid <= position);
        let before = start.checked_sub(1).map_or(base, |it| self.log[it].0.max(base));
        let mut txns = InLog::default();
        for (zxid, txn) in self.log.iter().skip(start).take(PIECE) {
            if txns.last().is_none_or(|last| *zxid > last) {
                txns.push(*zxid, txn);
            }
        }
        LogRead::Range { after: before, txns: Arc::new(txns) }
    }
}

impl Default for Files {
    fn default() -> Self {
        Self::new()
    }
}
