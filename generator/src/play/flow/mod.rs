//! What each operation requests, step by step, and how replies are handled.
//!
//! `begin` puts an operation's first request, `answer` handles the reply and puts the next, `write`
//! creates, sets and deletes nodes, `watch` is what a session has besides operations: its ephemeral
//! nodes and its watches.
//!
//! Invariant: a task is in one place: with its request until that is answered, with the node whose
//! deletion it waits for, or on the stage until a time. It ends once, or is lost with the
//! connection.
//!
//! Lives in: the player. Not here: when an operation is due (`stage`), the steps of locks and
//! queues (`recipes`), whether what was read is right (`register`).

mod answer;
mod begin;
mod watch;
mod write;

use model::jute;

pub(super) use self::write::{Node, put_delete};
use super::chance::Chance;
use super::register::{Registers, VALUE_BYTES};
use super::tree::Tree;
use crate::wire::payload;
use crate::workload::{Bounded, OpSpec, Workload};

/// The state of an operation: which answer it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Of its only request.
    Only,
    /// getData of a key.
    Read,
    /// setData of a key.
    Write,
    /// A create of a node that may be deleted later.
    Made,
    /// A create; the delete follows.
    Passing,
    WatchAdded,
    WatchChecked,
    LockCreated,
    LockListed,
    LockWatched,
    QueueListed,
    QueueRead,
    QueueTaken,
    /// Hidden: what a session needs at its start, or a watch that is re-armed.
    Upkeep,
    /// Hidden: a node of the tree, which may exist.
    Folder,
    /// Hidden: a key, which is set if it exists.
    Key,
    /// Hidden: a list of ephemeral nodes that recipes left behind; they are deleted.
    Leftovers,
    /// Hidden: a delete of a node that may not exist any more.
    Tidy,
    /// A sync: what was acknowledged before is seen after it.
    Synced,
    /// Hidden: a read of the last check.
    Audited,
    /// Hidden: the end of a session.
    Close,
}

/// An operation that was begun and has not ended.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// The operation's index in the workload; none if it is hidden: needed, but not an operation of
    /// the workload.
    pub(super) op: Option<usize>,
    pub(super) step: Step,
    /// When it should have been begun.
    pub(super) due_ns: u64,
    /// A key, a lock, a queue: as the step needs it.
    pub(super) key: u64,
    /// The write, in a run that verifies.
    pub(super) write: u64,
    pub(super) floor: i64,
    /// The node that it created.
    pub(super) path: Vec<u8>,
    /// Elements of a queue that it has not tried.
    pub(super) names: Vec<Vec<u8>>,
}

impl Task {
    pub(super) fn new(op: Option<usize>, step: Step, due_ns: u64, key: u64) -> Self {
        let (path, names) = (Vec::new(), Vec::new());
        Self { op, step, due_ns, key, write: 0, floor: 0, path, names }
    }

    pub(super) fn hidden(step: Step) -> Self {
        Self::new(None, step, 0, 0)
    }
}

/// What happens to a task after an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// It has succeeded.
    Ended,
    /// It has failed with a code of the protocol.
    Failed(i32),
    /// Its next request was put, or it waits for an event.
    Continues,
    /// A lock was taken: it continues at that time, or at once.
    Held(Task, u64),
}

/// An answer that does not match its request.
#[derive(Debug)]
pub(super) struct Malformed;

impl From<jute::JuteError> for Malformed {
    fn from(_: jute::JuteError) -> Self {
        Self
    }
}

/// What all clients share. Lives in: the player.
pub(super) struct World {
    pub(super) workload: Workload,
    pub(super) tree: Tree,
    pub(super) chance: Chance,
    pub(super) registers: Option<Registers>,
    /// Sessions begin with a sync.
    pub(super) syncs_first: bool,
    filler: Vec<u8>,
    /// When each watched key, from the first, was last set.
    pub(super) set_ns: Vec<u64>,
    /// For each lock taken, how long after it was requested.
    pub(super) acquired_ns: Vec<u64>,
}

impl World {
    pub(super) fn new(workload: Workload, root: &str, is_verifying: bool) -> Self {
        let bytes = |op: &toml::Spanned<OpSpec>| op.get_ref().bytes.map_or(0, Bounded::value);
        let longest =
            workload.ops.iter().map(bytes).max().unwrap_or(0).max(workload.keys.bytes.value());
        let watched = workload.watches.map_or(0, |watches| watches.count.value());
        Self {
            tree: Tree::new(root, &workload),
            chance: Chance::new(&workload),
            syncs_first: false,
            registers: is_verifying.then(Registers::default),
            filler: payload(longest as u32),
            set_ns: vec![0; watched as usize],
            acquired_ns: Vec::new(),
            workload,
        }
    }

    /// A number that the workload gives for a task's operation.
    pub(super) fn number_of<const LEAST: u64, const MOST: u64>(
        &self,
        task: &Task,
        number: impl Fn(&OpSpec) -> Option<Bounded<LEAST, MOST>>,
    ) -> Option<u64> {
        task.op.and_then(|op| number(self.workload.op(op))).map(Bounded::value)
    }

    fn bytes(&self, op: Option<usize>) -> usize {
        let own = op.and_then(|op| self.workload.op(op).bytes);
        own.unwrap_or(self.workload.keys.bytes).value() as usize
    }

    /// A new value for a key, and the number of its write.
    fn value(&mut self, key: u64, bytes: usize) -> (Vec<u8>, u64) {
        let mut data = Vec::with_capacity(bytes.max(VALUE_BYTES));
        let write = self.registers.as_mut().map_or(0, |r| r.value(key, &mut data));
        let rest = bytes.saturating_sub(data.len());
        data.extend_from_slice(&self.filler[..rest]);
        (data, write)
    }
}
