//! The data tree: a copy-on-write trie with one writer and published versions.
//!
//! [`Tree`] is the writer's half: the head, to which txns are applied, and a queue of sealed
//! versions, one per batch. [`TreeReader`] is a shard's: it moves from published version to
//! published version and hands out a [`View`], from which records are borrowed. A [`Pin`] keeps one
//! version for something long, such as a snapshot.
//!
//! Map, in reading order: `key` (where a path belongs), `entry` (nodes and pointers to them),
//! `slab` (their memory), `walk` (look-ups and iteration), `version` and `reader` (what readers
//! have), `head` (batches, versions, multis), `listing` (walks of the head), `trie` and `nodes`
//! (changes), `retire` (freeing), `image` (a loaded snapshot as a tree).
//!
//! **Why nothing is counted.** Every block carries its birth, the batch that made it. A block of
//! the current batch is changed in place; an older one is copied, and the old one retires: it is
//! put on the list of the newest version that still sees it. When no reader can reach that version
//! any more, each block on its list is freed, or moves to the next older version in use if that one
//! is not older than the block. So a block is freed when no version in use lies in [birth,
//! retired), and only the writer frees.
//!
//! **Invariants**
//!
//! - What a version reaches does not change from its seal until no reader can use it (guard:
//!   `tests::model`, which compares whole old versions, and Miri over it).
//! - `published` only grows; a reader's version is at most `published`, and all versions from the
//!   slowest reader's on are alive (guard: `tests::readers`).
//! - The digest is the sum over all nodes after every change (guard: `tests::model`).
//! - A rolled-back multi or batch leaves no trace and no leak (guard: `tests::model`, live bytes).
//!
//! ```
//! use engine::tree::{NewNode, Tree, TreeSeed};
//! use model::zxid::Zxid;
//! let mut tree = Tree::new(TreeSeed([1, 2]), ());
//! let root = NewNode { path: b"/", data: Some(b""), ..NewNode::default() };
//! tree.insert_root(&root);
//! tree.create(&NewNode { path: b"/a", data: Some(b"1"), zxid: Zxid(1), ..NewNode::default() });
//! let mut reader = tree.reader();
//! let sealed = tree.seal();
//! assert!(reader.view().lookup(b"/a").is_none());
//! tree.publish(sealed);
//! reader.refresh();
//! assert_eq!(reader.view().lookup(b"/a").unwrap().data(), Some(&b"1"[..]));
//! ```

mod entry;
mod head;
mod image;
mod key;
mod listing;
mod nodes;
mod reader;
mod retire;
mod slab;
mod trie;
mod version;
mod walk;

pub use head::{Tree, TreeMemory};
pub use image::{ImageError, ImageErrorCause, ImageMemory, ImageUnit, TreeBuilder};
pub use key::{TreeSeed, parent_path};
pub use nodes::{NewNode, PARENT_CVERSION_NEXT, RawNode};
pub use reader::{Pin, PinnedChildren, PinnedWalk, TreeReader, View};
pub use slab::Advise;
pub use version::{PINS_MAX, VersionNumber};
pub use walk::STAGED_MAX;

#[cfg(test)]
mod tests;
