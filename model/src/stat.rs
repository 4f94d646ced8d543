//! The eleven numbers that clients see of every node.

/// A node's Stat, field for field as ZooKeeper's protocol has it: 68 bytes on the wire.
///
/// `cversion` is what clients see (creates + deletes of children); the counter that names
/// sequential children is kept beside it in the record. `ephemeral_owner` is 0 for container and
/// TTL nodes. Times are wall-clock milliseconds stamped by the leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, rkyv::Archive, rkyv::Serialize)]
pub struct Stat {
    /// The zxid that created the node.
    pub czxid: i64,
    /// The zxid that last changed its data.
    pub mzxid: i64,
    /// When it was created, in ms.
    pub ctime: i64,
    /// When its data last changed, in ms.
    pub mtime: i64,
    /// Changes of the data.
    pub version: i32,
    /// Changes of the children.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// The session that owns it if it is ephemeral, else 0.
    pub ephemeral_owner: i64,
    /// Length of the data in bytes; 0 for null data.
    pub data_length: i32,
    /// Count of direct children.
    pub num_children: i32,
    /// The zxid that last created or deleted a direct child.
    pub pzxid: i64,
}

/// Bytes of a Stat on the wire and in a record.
pub const STAT_BYTES: usize = 68;

const _: () = assert!(size_of::<ArchivedStat>() == STAT_BYTES);
const _: () = assert!(align_of::<ArchivedStat>() == 1);
