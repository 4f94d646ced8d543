//! `ZooKeeper`'s own files (source: `ZooKeeper` 3.9.5, `FileSnap`, `FileTxnLog`, `SnapStream`).
//!
//! Map: [`compression`] (how a snapshot's bytes are packed), [`stream`] (fields read from a file,
//! with its checksum), [`snapshot`] and [`log`] (the two kinds of file), [`writer`] (writes a
//! snapshot), [`directory`] (finds the files), [`lengths`] (which nodes are longer than it
//! accepts).

pub mod compression;
pub mod directory;
pub mod lengths;
pub mod log;
pub mod snapshot;
pub mod stream;
pub mod writer;

/// The first four bytes of every snapshot, uncompressed.
pub const SNAPSHOT_MAGIC: [u8; 4] = *b"ZKSN";
/// The first four bytes of every log.
pub const LOG_MAGIC: [u8; 4] = *b"ZKLG";
/// The version of both formats.
pub const VERSION: i32 = 2;
/// The path that ends the nodes, and that follows every checksum.
pub const END: &[u8] = b"/";
/// The ACL number that permits everything to every client.
pub const ACL_OPEN: i64 = -1;
/// `dbid` of a snapshot that an export wrote: complete without any log. `ZooKeeper` does not read
/// that field, and writes -1 in its own.
pub const EXPORT_DATABASE: i64 = i64::from_be_bytes(*b"RINGKEEP");
/// Bytes of a node's Stat as it is stored.
pub const STAT_BYTES: usize = 60;

#[cfg(test)]
mod tests;
