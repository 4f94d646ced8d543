//! Which connections watch what, and which of them a change concerns.
//!
//! Two tables, as in stock: one for a node's creation, deletion and data, one for its children. A
//! persistent watch is in both, a recursive one only in the first.
//!
//! Invariant: a change notifies a connection once, however many watches of it the change fires
//! (guards: `tests::both_sides_agree`, `tests::a_deletion_notifies_once`).
//!
//! Lives in: each shard. Not here: requests about watches (`reads::watch_requests`), the events'
//! bytes (`deliver`).

mod paths;
mod table;
#[cfg(test)]
mod tests;

pub use table::{Notified, WatchMode, WatchTable};

use super::measured::Measured;
use crate::limits::FORGOTTEN_PER_TURN;
use model::error::ErrorCode;
use model::response::EventKind;

/// Which watches a client checks or removes.
#[derive(Clone, Copy, Debug)]
pub(super) enum WatchKind {
    Children,
    Data,
    Any,
    Persistent,
    Recursive,
}

impl WatchKind {
    /// By its number in a request.
    pub(super) fn of(code: i32) -> Result<Self, ErrorCode> {
        Ok(match code {
            1 => Self::Children,
            2 => Self::Data,
            3 => Self::Any,
            4 => Self::Persistent,
            5 => Self::Recursive,
            _ => return Err(ErrorCode::MarshallingError),
        })
    }
}

/// The watches of a shard's connections.
#[derive(Debug)]
pub(super) struct Watches {
    data: WatchTable,
    children: WatchTable,
    /// The connections of the last change, and those that only the table of children named.
    notified: Notified,
    notified_of_children: Notified,
}

impl Watches {
    /// Empty tables.
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self {
            data: WatchTable::new(seed),
            children: WatchTable::new(seed),
            notified: Notified::default(),
            notified_of_children: Notified::default(),
        }
    }

    /// The two tables: of data, of children.
    pub(super) fn tables(&self) -> [&WatchTable; 2] {
        [&self.data, &self.children]
    }

    /// Whether nothing is watched.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.children.is_empty()
    }

    /// A connection watches a node, once.
    pub(super) fn add_data(&mut self, path: &[u8], slot: u32) {
        self.data.add(path, slot, WatchMode::STANDARD);
    }

    /// A connection watches a node's children, once.
    pub(super) fn add_children(&mut self, path: &[u8], slot: u32) {
        self.children.add(path, slot, WatchMode::STANDARD);
    }

    /// A connection watches a node and its children until it removes the watch.
    pub(super) fn add_persistent(&mut self, path: &[u8], slot: u32) {
        self.data.add(path, slot, WatchMode::PERSISTENT);
        self.children.add(path, slot, WatchMode::PERSISTENT);
    }

    /// The same of a node and all below it.
    pub(super) fn add_recursive(&mut self, path: &[u8], slot: u32) {
        self.data.add(path, slot, WatchMode::RECURSIVE);
    }

    /// Whether a connection has a watch of this kind.
    pub(super) fn has(&self, kind: WatchKind, path: &[u8], slot: u32) -> bool {
        let (data, children) = (&self.data, &self.children);
        match kind {
            WatchKind::Children => children.has(path, slot, WatchMode::STANDARD),
            WatchKind::Data => data.has(path, slot, WatchMode::STANDARD),
            WatchKind::Persistent => data.has(path, slot, WatchMode::PERSISTENT),
            WatchKind::Recursive => data.has(path, slot, WatchMode::RECURSIVE),
            WatchKind::Any => {
                children.has(path, slot, WatchMode::ANY) || data.has(path, slot, WatchMode::ANY)
            }
        }
    }

    /// Removes a connection's watches of this kind; false if it had none.
    pub(super) fn remove(&mut self, kind: WatchKind, path: &[u8], slot: u32) -> bool {
        let (data, children) = (&mut self.data, &mut self.children);
        match kind {
            WatchKind::Children => children.remove(path, slot, WatchMode::STANDARD),
            WatchKind::Data => data.remove(path, slot, WatchMode::STANDARD),
            WatchKind::Persistent => {
                children.remove(path, slot, WatchMode::PERSISTENT)
                    | data.remove(path, slot, WatchMode::PERSISTENT)
            }
            WatchKind::Recursive => data.remove(path, slot, WatchMode::RECURSIVE),
            WatchKind::Any => {
                children.remove(path, slot, WatchMode::ANY)
                    | data.remove(path, slot, WatchMode::ANY)
            }
        }
    }

    /// A node has changed: returns the connections to notify, each once.
    pub(super) fn trigger(
        &mut self,
        kind: EventKind,
        path: &[u8],
        measured: &mut Measured,
    ) -> &[u32] {
        let notified = &mut self.notified;
        notified.clear();
        if kind != EventKind::ChildrenChanged {
            self.data.trigger(path, notified);
            measured.notified(kind, notified.slots().len());
        }
        if matches!(kind, EventKind::Deleted | EventKind::ChildrenChanged) {
            let children = &mut self.notified_of_children;
            children.clear();
            self.children.trigger(path, children);
            measured.notified(kind, children.slots().len());
            children.slots().iter().for_each(|&slot| notified.insert(slot));
        }
        notified.slots()
    }

    /// A connection is closed: it watches nothing from now on.
    pub(super) fn forget(&mut self, slot: u32) {
        self.data.forget(slot);
        self.children.forget(slot);
    }

    /// Forgets some of what closed connections watched.
    pub(super) fn forget_some(&mut self) {
        self.data.forget_some(FORGOTTEN_PER_TURN);
        self.children.forget_some(FORGOTTEN_PER_TURN);
    }

    /// Whether [`Self::forget_some`] has something to do.
    pub(super) fn is_forgetting(&self) -> bool {
        self.data.is_forgetting() || self.children.is_forgetting()
    }
}
