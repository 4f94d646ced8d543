//! Who watches what, and whom a change concerns.
//!
//! Two tables, as on stock: one for a node's creation, deletion and data, one for its children.
//! A persistent watch stands in both, a recursive one only in the first.
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

pub use table::{Told, WatchMode, WatchTable};

use super::measured::Measured;
use crate::limits::FORGOTTEN_PER_TURN;
use model::error::ErrorCode;
use model::response::EventKind;

/// Which watches a client asks about or takes away.
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
    /// The connections of the last change, and those that only its children's table named.
    told: Told,
    told_of_children: Told,
}

impl Watches {
    /// None yet.
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self {
            data: WatchTable::new(seed),
            children: WatchTable::new(seed),
            told: Told::default(),
            told_of_children: Told::default(),
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

    /// A connection watches a node and its children until it takes that back.
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

    /// Takes a connection's watches of this kind away; false if it had none.
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

    /// A node has changed: gives the connections that are notified, each once.
    pub(super) fn trigger(
        &mut self,
        kind: EventKind,
        path: &[u8],
        measured: &mut Measured,
    ) -> &[u32] {
        let told = &mut self.told;
        told.clear();
        if kind != EventKind::ChildrenChanged {
            self.data.trigger(path, told);
            measured.notified(kind, told.slots().len());
        }
        if matches!(kind, EventKind::Deleted | EventKind::ChildrenChanged) {
            let children = &mut self.told_of_children;
            children.clear();
            self.children.trigger(path, children);
            measured.notified(kind, children.slots().len());
            children.slots().iter().for_each(|&slot| told.insert(slot));
        }
        told.slots()
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
