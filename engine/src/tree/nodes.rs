//! Changes of nodes, as txns make them: decided before, infallible here.

use super::entry::TrieEntry;
use super::head::Tree;
use super::key::parent_path;
use super::slab::Slab;
use super::trie::EntrySlot;
use model::record::{DATA_INLINE_MAX, DataBlock, Draft, DraftData, NodeRecord};
use model::stat::Stat;
use model::zxid::Zxid;

/// A parent's counter that means: one more than it has.
pub const PARENT_CVERSION_NEXT: i32 = -1;

/// A node to create, as a create txn names it.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// The whole path, at most [`model::record::PATH_BYTES_MAX`].
    pub path: &'a [u8],
    /// `None` is null.
    pub data: Option<&'a [u8]>,
    /// Number of its ACL.
    pub acl: u32,
    /// The owner as stock's snapshot has it: 0, a session, or the mark of a container or a TTL.
    pub owner_raw: i64,
    /// The owner that clients see: the session of an ephemeral node, else 0.
    pub ephemeral_owner: i64,
    /// The txn.
    pub zxid: Zxid,
    /// Its time, in ms.
    pub time_ms: i64,
    /// The parent's counter of creates after it. Like stock, a counter that is not above the
    /// parent's own changes neither it nor its pzxid.
    pub parent_cversion: i32,
}

impl Default for NewNode<'_> {
    fn default() -> Self {
        Self {
            path: b"",
            data: None,
            acl: 0,
            owner_raw: 0,
            ephemeral_owner: 0,
            zxid: Zxid::ZERO,
            time_ms: 0,
            parent_cversion: PARENT_CVERSION_NEXT,
        }
    }
}

/// A node with its history, as an import has it.
#[derive(Clone, Copy, Debug)]
pub struct RawNode<'a> {
    /// Its Stat. `cversion`, `data_length` and `num_children` are not taken from here: children
    /// are counted as they are inserted.
    pub stat: Stat,
    /// Creates of direct children.
    pub stored_cversion: i32,
    /// The owner as stock's snapshot has it.
    pub owner_raw: i64,
    /// Number of its ACL.
    pub acl: u32,
    /// The whole path.
    pub path: &'a [u8],
    /// `None` is null.
    pub data: Option<&'a [u8]>,
}

/// What children change in their parent.
struct Counters {
    stored_cversion: i32,
    children: i32,
    pzxid: i64,
}

impl<M> Tree<M> {
    /// Creates a node below a parent that exists, and returns it.
    ///
    /// # Panics
    /// If the node exists, or its parent does not.
    pub fn create(&mut self, new: &NewNode<'_>) -> NodeRecord<'_> {
        assert!(new.path.len() > 1, "the root is not created, but inserted");
        self.count_child(parent_path(new.path), |parent| {
            let next = if new.parent_cversion == PARENT_CVERSION_NEXT {
                parent.stored_cversion.wrapping_add(1)
            } else {
                new.parent_cversion
            };
            parent.children += 1;
            if next > parent.stored_cversion {
                parent.stored_cversion = next;
                parent.pzxid = new.zxid.0;
            }
        });
        self.add(&new.raw())
    }

    /// Inserts a node with its history, and counts it in its parent if it is not the root.
    ///
    /// # Panics
    /// If the node exists, or its parent does not.
    pub fn insert_raw(&mut self, raw: &RawNode<'_>) -> NodeRecord<'_> {
        if raw.path != b"/" {
            self.count_child(parent_path(raw.path), |parent| parent.children += 1);
        }
        self.add(raw)
    }

    /// Inserts the root.
    ///
    /// # Panics
    /// If the path is another, or the root exists.
    pub fn insert_root(&mut self, new: &NewNode<'_>) -> NodeRecord<'_> {
        assert!(new.path == b"/", "not the root");
        self.insert_raw(&new.raw())
    }

    fn add(&mut self, raw: &RawNode<'_>) -> NodeRecord<'_> {
        let &RawNode { mut stat, stored_cversion, owner_raw, acl, path, data } = raw;
        let key = self.hasher.key(path);
        assert!(path.starts_with(b"/"), "a path begins with a slash");
        stat.num_children = 0;
        let (data, crc) = (self.draft_data(data), Some(Draft::record_crc(path, data)));
        let draft = Draft { stat, stored_cversion, owner_raw, acl, path, data, crc };
        let entry = self.write_record(&draft);
        self.insert(key, path, entry);
        let record = entry.as_record();
        self.state.node_count += 1;
        self.state.data_bytes += size_of_node(record);
        self.add_digest(record);
        record
    }

    /// Replaces a node's data, and returns the node. `version` is the txn's.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn set_data(
        &mut self,
        path: &[u8],
        data: Option<&[u8]>,
        version: i32,
        zxid: Zxid,
        time_ms: i64,
    ) -> NodeRecord<'_> {
        self.replace_data(path, data, |stat| {
            stat.version = version;
            stat.mzxid = zxid.0;
            stat.mtime = time_ms;
        })
    }

    /// Replaces a node's data without a txn: nothing else of it changes. For the counters that each
    /// server keeps of quotas, which do not count in the digest.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn replace_data_quietly(&mut self, path: &[u8], data: Option<&[u8]>) -> NodeRecord<'_> {
        self.replace_data(path, data, |_| ())
    }

    fn replace_data(
        &mut self,
        path: &[u8],
        data: Option<&[u8]>,
        change: impl FnOnce(&mut Stat),
    ) -> NodeRecord<'_> {
        let (slot, entry) = self.find_owned(self.hasher.key(path), path);
        let old = entry.as_record();
        self.subtract_digest(old);
        self.state.data_bytes -= size_of_node(old);
        let (old_block, old_bytes) = (old.data_block(), old.block_bytes());
        let crc = Some(Draft::record_crc(path, data));
        let mut draft = Draft { path, data: self.draft_data(data), crc, ..Draft::of(old) };
        change(&mut draft.stat);
        let is_fitting = Slab::is_same_size(old_bytes, draft.block_bytes());
        let entry = if entry.birth() > self.floor && is_fitting {
            // SAFETY: only the head knows the block, it has this size once rounded, and the draft
            // borrows nothing from it: path and data are the caller's or a block of their own.
            unsafe { draft.write_to(entry.address(), self.birth) };
            entry
        } else {
            let new = self.write_record(&draft);
            self.put(slot, new);
            self.retire(entry);
            new
        };
        if let Some(block) = old_block {
            self.retire(TrieEntry::data(block));
        }
        let record = entry.as_record();
        self.add_digest(record);
        self.state.data_bytes += size_of_node(record);
        record
    }

    /// Replaces a node's ACL, and returns the node. `aversion` is the txn's.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn set_acl(&mut self, path: &[u8], acl: u32, aversion: i32) -> NodeRecord<'_> {
        let (slot, entry) = self.find_owned(self.hasher.key(path), path);
        self.subtract_digest(entry.as_record());
        let entry = self.own_record(slot, entry);
        // SAFETY: only the head knows the block, and no borrow of it is kept.
        unsafe { NodeRecord::patch_acl(entry.address(), acl, aversion) };
        self.add_digest(entry.as_record());
        entry.as_record()
    }

    /// Deletes a node. Its children, if any, stay where they are: the caller makes sure that there
    /// are none.
    ///
    /// # Panics
    /// If there is no such node, or no parent, or it is the root.
    pub fn delete(&mut self, path: &[u8], zxid: Zxid) {
        assert!(path.len() > 1, "the root stays");
        let entry = self.remove(self.hasher.key(path), path);
        let record = entry.as_record();
        self.state.node_count -= 1;
        self.state.data_bytes -= size_of_node(record);
        self.subtract_digest(record);
        if let Some(block) = record.data_block() {
            self.retire(TrieEntry::data(block));
        }
        self.retire(entry);
        self.count_child(parent_path(path), |parent| {
            parent.children -= 1;
            parent.pzxid = parent.pzxid.max(zxid.0);
        });
    }

    /// Raises a node's pzxid if `pzxid` is above: for the replay of a delete whose node a fuzzy
    /// snapshot no longer had.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn raise_pzxid(&mut self, path: &[u8], pzxid: Zxid) {
        self.count_child(path, |counters| counters.pzxid = counters.pzxid.max(pzxid.0));
    }

    fn count_child(&mut self, parent: &[u8], change: impl FnOnce(&mut Counters)) {
        let (slot, entry) = self.find_owned(self.hasher.key(parent), parent);
        let record = entry.as_record();
        self.subtract_digest(record);
        let mut counters = Counters {
            stored_cversion: record.stored_cversion(),
            children: record.stat().num_children.to_native(),
            pzxid: record.stat().pzxid.to_native(),
        };
        change(&mut counters);
        let Counters { stored_cversion, children, pzxid } = counters;
        let entry = self.own_record(slot, entry);
        // SAFETY: only the head knows the block, and no borrow of it is kept.
        unsafe { NodeRecord::patch_children(entry.address(), stored_cversion, children, pzxid) };
        self.add_digest(entry.as_record());
    }

    /// The record in `slot`, copied if a version sees it.
    pub(super) fn own_record(&mut self, slot: EntrySlot, entry: TrieEntry) -> TrieEntry {
        if entry.birth() > self.floor {
            return entry;
        }
        let copy = self.copy_record(entry.as_record());
        self.put(slot, copy);
        self.retire(entry);
        copy
    }

    /// A copy of this batch. Long data that lies inline in an image moves into its own block.
    fn copy_record(&mut self, record: NodeRecord<'_>) -> TrieEntry {
        let bytes = record.block_bytes();
        let is_long = record.data().is_some_and(|data| data.len() > DATA_INLINE_MAX);
        if is_long && record.data_block().is_none() {
            let data = self.draft_data(record.data());
            return self.write_record(&Draft { data, ..Draft::of(record) });
        }
        let at = self.memory.slab.alloc(bytes);
        // SAFETY: a fresh block of the record's size, whose first bytes are the birth.
        unsafe {
            at.copy_from_nonoverlapping(record.as_raw(), bytes);
            at.cast::<u64>().write(self.birth);
        }
        TrieEntry::record(at)
    }

    fn draft_data<'a>(&mut self, data: Option<&'a [u8]>) -> DraftData<'a> {
        match data {
            None => DraftData::Null,
            Some(data) if data.len() <= DATA_INLINE_MAX => DraftData::Inline(data),
            Some(data) => {
                let at = self.memory.slab.alloc(DataBlock::HEAD_BYTES + data.len());
                // SAFETY: a fresh block with room for head and data.
                DraftData::Detached(unsafe { DataBlock::write(at, self.birth, data) })
            }
        }
    }

    fn write_record(&mut self, draft: &Draft<'_>) -> TrieEntry {
        let at = self.memory.slab.alloc(draft.block_bytes());
        // SAFETY: a fresh block of the size that the draft needs.
        unsafe { draft.write_to(at, self.birth) };
        TrieEntry::record(at)
    }

    fn add_digest(&mut self, record: NodeRecord<'_>) {
        self.state.digest = self.state.digest.wrapping_add(record.digest());
    }

    fn subtract_digest(&mut self, record: NodeRecord<'_>) {
        self.state.digest = self.state.digest.wrapping_sub(record.digest());
    }
}

impl<'a> NewNode<'a> {
    fn raw(&self) -> RawNode<'a> {
        let (zxid, time) = (self.zxid.0, self.time_ms);
        let stat = Stat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ephemeral_owner: self.ephemeral_owner,
            ..Stat::default()
        };
        let &Self { path, data, acl, owner_raw, .. } = self;
        RawNode { stat, stored_cversion: 0, owner_raw, acl, path, data }
    }
}

/// What a node counts in the sum of data: the characters of its path (none that a path may have
/// takes two UTF-16 units, which is what stock counts) and the bytes of its data.
pub(super) fn size_of_node(record: NodeRecord<'_>) -> u64 {
    let characters = record.path().iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    // The length in the Stat avoids reading data in a block of its own.
    characters as u64 + record.stat().data_length.to_native() as u64
}
