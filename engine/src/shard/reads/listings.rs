//! Recent listings: a client that watches a node's children lists them again when they change, and
//! so do all others that watch them.
//!
//! Invariant: what is kept is found only by a node that has the same children: any change of them
//! is made by a txn, which leaves its zxid in the parent's `pzxid`, and counts in `cversion` where
//! that is ahead of all txns (guard: `crate::tests::listings::what_is_kept_is_what_is_there`).
//!
//! Lives in: a shard's `Reads`.

use crate::limits::{KEPT_CHILDREN_MIN, KEPT_LISTINGS_BYTES_MAX, KEPT_LISTINGS_MAX};
use model::record::NodeRecord;
use std::sync::Arc;

/// The children of one node: their count and names as they are sent.
pub(super) struct Listed {
    /// The count, and each name behind its length.
    pub(super) encoded: Box<[u8]>,
    /// Bytes of the names alone.
    pub(super) name_bytes: usize,
}

/// Which children of which node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedOf {
    path: Box<[u8]>,
    change: Change,
}

/// What differs whenever the children differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    czxid: i64,
    pzxid: i64,
    cversion: i32,
    num_children: i32,
}

impl Change {
    fn of(record: NodeRecord<'_>) -> Self {
        let stat = record.stat();
        Self {
            czxid: stat.czxid.to_native(),
            pzxid: stat.pzxid.to_native(),
            cversion: stat.cversion.to_native(),
            num_children: stat.num_children.to_native(),
        }
    }
}

impl ListedOf {
    pub(super) fn of(record: NodeRecord<'_>) -> Self {
        Self { path: record.path().into(), change: Change::of(record) }
    }

    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }
}

/// Those that were last requested, at most one per node.
#[derive(Default)]
pub(super) struct KeptListings {
    /// The last used at the end.
    kept: Vec<(ListedOf, Arc<Listed>)>,
    bytes: usize,
}

impl KeptListings {
    /// Whether walking over the node's children costs more than looking for them here.
    pub(super) fn is_worth_it(record: NodeRecord<'_>) -> bool {
        record.stat().num_children.to_native() >= KEPT_CHILDREN_MIN
    }

    /// The current children of this node, if they are kept.
    pub(super) fn find(&mut self, record: NodeRecord<'_>) -> Option<&Arc<Listed>> {
        if !Self::is_worth_it(record) {
            return None;
        }
        let (change, path) = (Change::of(record), record.path());
        let at = self.kept.iter().rposition(|(of, _)| of.change == change && *of.path == *path)?;
        self.kept[at..].rotate_left(1);
        self.kept.last().map(|(_, listed)| listed)
    }

    /// Keeps what was listed, and forgets what was least recently requested.
    pub(super) fn keep(&mut self, of: ListedOf, encoded: &[u8], name_bytes: usize) {
        if encoded.len() > KEPT_LISTINGS_BYTES_MAX {
            return;
        }
        if let Some(at) = self.kept.iter().position(|(other, _)| other.path == of.path) {
            self.forget(at);
        }
        self.bytes += encoded.len();
        self.kept.push((of, Arc::new(Listed { encoded: encoded.into(), name_bytes })));
        while self.bytes > KEPT_LISTINGS_BYTES_MAX || self.kept.len() > KEPT_LISTINGS_MAX {
            self.forget(0);
        }
    }

    fn forget(&mut self, at: usize) {
        let (_, listed) = self.kept.remove(at);
        self.bytes -= listed.encoded.len();
    }
}
