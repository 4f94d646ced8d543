//! A disk as agreement sees it: epochs, a log of runs, snapshots; and what a crash leaves of them.
//!
//! A stock server's log and snapshots are [`Files`]; its epochs and what is under way are as ours.
//!
//! The log and the epochs are files of their own: operations on each end in the order in which they
//! were begun, each some time later. What was under way when the server crashed has happened, or
//! has not, or (of an append) in part.

use crate::checks::State;
use crate::stock::files::{Files, Snapshot};
use engine::in_log::InLog;
use engine::zab::LogRead;
use fastrand::Rng;
use model::zxid::{Epoch, Epochs, Zxid};
use std::collections::VecDeque;
use std::sync::Arc;

/// Txns read at once.
pub const PIECE: usize = 3;

/// A history on disk: a snapshot, and the log behind it.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The snapshot.
    pub base: State,
    /// Each record, and the state behind it.
    pub records: Vec<(State, Arc<[u8]>)>,
    /// Through where a record said that the history was committed.
    pub committed: Zxid,
}

/// An operation under way.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Txns for the log, with what was known to be committed.
    Append(Arc<InLog>, Zxid),
    /// Epochs.
    Epochs(Epochs),
    /// A cut of the log.
    Cut(Zxid),
    /// A snapshot that came over a link, to be stored beside the history.
    Receive(State, Epoch),
    /// A snapshot of a stock server, which waits for it.
    Save(Snapshot),
}

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The log and snapshots.
    History = 0,
    /// The epochs.
    Epochs = 1,
}

impl Operation {
    /// Its file.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Epochs(_) => Lane::Epochs,
            Self::Append(..) | Self::Cut(_) | Self::Receive(..) | Self::Save(_) => Lane::History,
        }
    }
}

/// One server's disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    epochs: Epochs,
    stored: Stored,
    /// A history that counts once this epoch is the current one.
    next: Option<(Epoch, Stored)>,
    under_way: [VecDeque<Operation>; 2],
    /// A stock server's log and snapshots, instead of `stored` and `next`.
    files: Option<Files>,
}

impl Stored {
    /// The state at the end.
    pub fn end(&self) -> State {
        self.records.last().map_or(self.base, |(state, _)| *state)
    }

    /// The state at a position, or at the last one before it.
    pub fn at(&self, zxid: Zxid) -> State {
        let count = self.records.partition_point(|(state, _)| state.zxid <= zxid);
        count.checked_sub(1).map_or(self.base, |last| self.records[last].0)
    }

    fn push(&mut self, zxid: Zxid, txn: &[u8]) {
        self.records.push((self.end().then(zxid, txn), txn.into()));
    }
}

impl Disk {
    /// The disk of a stock server that has never run.
    pub fn stock() -> Self {
        Self { files: Some(Files::new()), ..Self::default() }
    }

    /// A stock server's log and snapshots.
    pub fn files(&mut self) -> Option<&mut Files> {
        self.files.as_mut()
    }

    /// Whether nothing is being written to the log.
    pub fn is_settled(&self) -> bool {
        self.queued() == 0
    }

    /// Operations on the log and snapshots that have not ended.
    pub fn queued(&self) -> usize {
        self.under_way[Lane::History as usize].len()
    }

    /// An operator writes the file with the current epoch.
    pub fn set_epochs(&mut self, epochs: Epochs) {
        self.epochs = epochs;
    }

    /// The epochs that are durable.
    pub fn epochs(&self) -> Epochs {
        self.epochs
    }

    /// The history that is written to.
    pub fn history(&self) -> &Stored {
        self.next.as_ref().map_or(&self.stored, |(_, next)| next)
    }

    /// Whether a txn is in the history that counts, or in the one that is to replace it.
    pub fn holds(&self, state: State) -> bool {
        let next = self.next.as_ref().map(|(_, next)| next);
        let holds =
            |it: &Stored| it.base.zxid >= state.zxid || it.at(state.zxid).hash == state.hash;
        holds(&self.stored) || next.is_some_and(holds)
    }

    fn history_mut(&mut self) -> &mut Stored {
        self.next.as_mut().map_or(&mut self.stored, |(_, next)| next)
    }

    /// Begins an operation.
    pub fn begin(&mut self, operation: Operation) {
        self.under_way[operation.lane() as usize].push_back(operation);
    }

    /// The oldest operation on a file has ended.
    pub fn end_one(&mut self, lane: Lane) -> Option<Operation> {
        let operation = self.under_way[lane as usize].pop_front()?;
        self.apply(&operation, usize::MAX);
        Some(operation)
    }

    fn apply(&mut self, operation: &Operation, records_max: usize) {
        if let Some(files) = &mut self.files
            && operation.lane() == Lane::History
        {
            return files.apply(operation, records_max);
        }
        match operation {
            Operation::Append(txns, committed) => {
                let history = self.history_mut();
                for (zxid, txn) in txns.txns(0).take(records_max) {
                    history.push(zxid, txn);
                }
                if records_max > 0 {
                    history.committed = history.committed.max(*committed);
                }
            }
            Operation::Epochs(epochs) => {
                self.epochs = *epochs;
                if let Some((epoch, next)) = self.next.take() {
                    if epochs.current() >= epoch {
                        self.stored = next;
                    } else {
                        self.next = Some((epoch, next));
                    }
                }
            }
            Operation::Cut(zxid) => {
                self.stored.records.retain(|(state, _)| state.zxid <= *zxid);
            }
            Operation::Receive(base, epoch) => {
                let committed = self.stored.committed.min(base.zxid);
                let next = Stored { base: *base, records: Vec::new(), committed };
                self.next = Some((*epoch, next));
            }
            Operation::Save(_) => panic!("{operation:?} is a stock server's"),
        }
    }

    /// An empty history is begun beside this one.
    pub fn begin_empty(&mut self, epoch: Epoch) {
        self.next = Some((epoch, Stored::default()));
    }

    /// The history received beside this one is dropped.
    pub fn forget(&mut self) {
        self.next = None;
        let log = &mut self.under_way[Lane::History as usize];
        log.retain(|it| !matches!(it, Operation::Receive(..)));
    }

    /// A snapshot is taken at a state, and the log through it is purged.
    pub fn take_snapshot(&mut self, zxid: Zxid) {
        if self.next.is_some() || zxid <= self.stored.base.zxid {
            return;
        }
        self.stored.base = self.stored.at(zxid);
        self.stored.committed = self.stored.committed.max(zxid);
        self.stored.records.retain(|(state, _)| state.zxid > zxid);
    }

    /// Power is lost: operations in flight have happened, in part or not at all.
    pub fn crash(&mut self, rng: &mut Rng) {
        for lane in [Lane::History, Lane::Epochs] {
            for operation in std::mem::take(&mut self.under_way[lane as usize]) {
                let records = match &operation {
                    Operation::Append(txns, _) => rng.usize(0..=txns.len()),
                    _ => usize::from(rng.bool()) * usize::MAX,
                };
                if records == 0 {
                    break;
                }
                self.apply(&operation, records);
                if matches!(&operation, Operation::Append(txns, _) if records < txns.len()) {
                    break;
                }
            }
        }
        self.next = None;
        if let Some(files) = &mut self.files {
            files.crash(rng);
        }
    }

    /// Some txns behind a position.
    pub fn read(&self, position: Zxid) -> LogRead {
        if let Some(files) = &self.files {
            return files.read(position);
        }
        let history = self.history();
        if position < history.base.zxid {
            return LogRead::Unavailable;
        }
        let start = history.records.partition_point(|(state, _)| state.zxid <= position);
        let mut txns = InLog::default();
        for (state, txn) in history.records.iter().skip(start).take(PIECE) {
            txns.push(state.zxid, txn);
        }
        LogRead::Range { after: history.at(position).zxid, txns: Arc::new(txns) }
    }
}
