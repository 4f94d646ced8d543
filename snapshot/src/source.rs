//! What a snapshot is made of.

use model::record::NodeRecord;
use model::session::SessionId;
use model::zxid::{Epoch, Zxid};

/// What a snapshot states about its tree as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotHead {
    /// The last txn in it.
    pub zxid: Zxid,
    /// The epoch that the server was in.
    pub epoch: Epoch,
    /// The seed that decides the order of records.
    pub seed: [u64; 2],
    /// Count of nodes, the root included.
    pub node_count: u64,
    /// The digest over all nodes.
    pub digest: u64,
    /// The sum of the lengths of all paths and data, in bytes, as the tree counts it.
    pub data_bytes: u64,
}

/// A session of the ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// As granted when it was created, in ms.
    pub timeout_ms: i32,
}

/// An ACL and its number in the records of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// Its number: 1 for the first in the order of the records, and so on. 0 is the list that lets
    /// everyone do everything, and is not listed.
    pub number: u32,
    /// The list as jute has it, its count in front.
    pub list: Vec<u8>,
}

/// A version of the tree that does not change while it is written.
///
/// Lives in: the background, over a pinned version.
pub trait Source {
    /// The next record, in the trie's order.
    fn next_record(&mut self) -> Option<NodeRecord<'_>>;

    /// Appends the list of an ACL number that a record had, as jute has it. Never called with 0.
    fn append_acl(&self, number: u32, out: &mut Vec<u8>);

    /// Calls `each` with all sessions, in whatever order.
    fn sessions(&self, each: &mut dyn FnMut(Session));
}
