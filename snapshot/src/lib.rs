//! The tree at one zxid, as a file of archived records.
//!
//! A snapshot is exact: the records of one version of the tree, in the trie's order, byte for byte
//! as they lie in memory, with the sessions and ACLs of that version. `docs/snapshot_format.md`
//! describes the bytes.
//!
//! Map, in reading order:
//!
//! - [`mod@format`]: header, footer, sections, to the byte; [`chunk`]: cutting and checking chunks;
//! - [`source`]: what a snapshot is made of; [`writer`]: writing it, a few writes ahead;
//! - [`loader`]: reading it into units of memory that a tree is built over, a few reads ahead;
//! - [`directory`]: names, the list of snapshots, purge; [`mod@inspect`]: a file's summary and
//!   health;
//! - [`error`]: what can go wrong; [`limits`]: every bound.
//!
//! **Invariants**
//!
//! - A file that has the name of a snapshot is complete: it was written under another name,
//!   flushed, and renamed (guard: `tests::crash`).
//! - The same tree gives the same bytes after the header (guard:
//!   `tests::round_trip::the_same_tree_gives_the_same_bytes`).
//! - No bit of a file can change unnoticed, and whatever a file holds, loading it ends in a result
//!   (guard: `tests::damage`).
//!
//! **What is deliberately not here**: the tree (`engine`), when to take a snapshot, and whether
//! the log reaches back to an older one (`server`), stock's format (`convert`).
//!
//! ```
//! # use model::{record::NodeRecord, zxid::Zxid};
//! # use snapshot::{SnapshotHead, Loader, Session, Source};
//! # struct Root(Option<Vec<u8>>, Vec<u8>);
//! # impl Source for Root {
//! #     fn next_record(&mut self) -> Option<NodeRecord<'_>> {
//! #         self.1 = self.0.take()?;
//! #         NodeRecord::parse(&self.1).ok()
//! #     }
//! #     fn append_acl(&self, _: u32, _: &mut Vec<u8>) {}
//! #     fn sessions(&self, _: &mut dyn FnMut(Session)) {}
//! # }
//! # let mut root = vec![0; 96];
//! # root[87..89].copy_from_slice(&[1, b'/']);
//! # let digest = NodeRecord::parse(&root).unwrap().digest();
//! # let mut source = Root(Some(root), Vec::new());
//! use disk::{Simulated, block_on};
//! use std::ops::ControlFlow;
//! let disk = Simulated::new(1);
//! let head = SnapshotHead { zxid: Zxid(7), node_count: 1, digest, ..SnapshotHead::default() };
//! block_on(async {
//!     let pace = async |_bytes| ControlFlow::Continue(());
//!     snapshot::write(&disk, "/data".as_ref(), &head, "me", &mut source, pace).await.unwrap();
//!     let mut loader = Loader::open(&disk, "/data".as_ref(), Zxid(7)).await.unwrap();
//!     assert_eq!(loader.contents().head, head);
//!     while let Some(_unit) = loader.next_unit().await.unwrap() {}
//! });
//! ```

#![forbid(unsafe_code)]

pub mod chunk;
pub mod directory;
pub mod error;
mod flights;
pub mod format;
pub mod inspect;
pub mod limits;
pub mod loader;
pub mod received;
pub mod source;
pub mod writer;

#[cfg(test)]
mod tests;

pub use directory::{Candidate, Purged, list, purge, remove_unfinished, set_aside_above};
pub use error::{Fault, LoadError, Part, WriteError};
pub use inspect::{Report, inspect, inspect_candidate};
pub use loader::{Contents, ImageSink, Loader, Newest, Refused, Unit, load_newest, load_newest_of};
pub use source::{AclEntry, Session, SnapshotHead, Source};
pub use writer::{Written, write, write_received};
