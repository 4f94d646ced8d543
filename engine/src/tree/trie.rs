//! Changes of the trie itself: nodes are copied once per batch, then changed in place.

use super::entry::{Kind, NodeWriter, TrieEntry, node_bytes};
use super::head::Tree;
use super::key::{BUCKET_LEVEL, digit, diverge};

/// Where an entry is: in a slot of a node that only the head knows, or at the root.
#[derive(Clone, Copy)]
pub(super) enum EntrySlot {
    Root,
    Of(TrieEntry, usize),
}

impl<M> Tree<M> {
    pub(super) fn put(&mut self, slot: EntrySlot, entry: TrieEntry) {
        match slot {
            EntrySlot::Root => self.state.root = entry,
            EntrySlot::Of(node, index) => node.set(index, entry),
        }
    }

    /// The node at `slot`, copied if a version sees it.
    fn own(&mut self, slot: EntrySlot, node: TrieEntry) -> TrieEntry {
        if node.birth() > self.floor {
            return node;
        }
        let at = self.memory.slab.alloc(node.block_bytes());
        // SAFETY: a fresh block of the node's size.
        let copy = unsafe { node.copy_to(at, self.birth) };
        self.put(slot, copy);
        self.retire(node);
        copy
    }

    /// The record of `path`, with all nodes above it owned by the head.
    ///
    /// # Panics
    /// If there is none.
    pub(super) fn find_owned(&mut self, key: u64, path: &[u8]) -> (EntrySlot, TrieEntry) {
        let (mut slot, mut entry) = (EntrySlot::Root, self.state.root);
        loop {
            let index = match entry.kind() {
                Kind::Node(_) => entry.search(key).ok(),
                Kind::Bucket => entry.search_bucket(path),
                Kind::Record if entry.as_record().path() == path => return (slot, entry),
                _ => None,
            };
            let index = index.expect("changes are made to nodes that exist");
            let node = self.own(slot, entry);
            (slot, entry) = (EntrySlot::Of(node, index), node.at(index));
        }
    }

    /// The level at which a new key differs from all others.
    ///
    /// # Panics
    /// If the path is there.
    fn level_of_new(&self, key: u64, path: &[u8]) -> u32 {
        let (mut entry, mut next_level, mut skipped_to) = (self.state.root, 0, None);
        loop {
            match entry.kind() {
                Kind::Node(level) => {
                    if level != next_level {
                        skipped_to = Some(entry);
                    }
                    next_level = level + 1;
                    match entry.search(key) {
                        Ok(index) => entry = entry.at(index),
                        Err(_) => return self.level_above(key, path, skipped_to).unwrap_or(level),
                    }
                }
                Kind::Record => {
                    let found = entry.as_record().path();
                    assert!(found != path, "a node is created once");
                    return diverge(key, self.hasher.key_near(found, path, key));
                }
                Kind::Bucket => {
                    assert!(entry.search_bucket(path).is_none(), "a node is created once");
                    let found = entry.first_record().path();
                    return diverge(key, self.hasher.key_near(found, path, key));
                }
                Kind::Empty | Kind::Data => return 0,
            }
        }
    }

    /// Where a key differs from all records below a node that skips levels, if above its level. All
    /// records below share those digits, so the first will do, which is often in the cache.
    fn level_above(&self, key: u64, path: &[u8], skipped_to: Option<TrieEntry>) -> Option<u32> {
        let node = skipped_to?;
        let other = self.hasher.key_near(node.first_record().path(), path, key);
        Some(diverge(key, other)).filter(|&level| level < node.level())
    }

    /// Adds a record whose path is not there yet.
    ///
    /// # Panics
    /// If it is.
    pub(super) fn insert(&mut self, key: u64, path: &[u8], record: TrieEntry) {
        let level = self.level_of_new(key, path);
        let (mut slot, mut entry) = (EntrySlot::Root, self.state.root);
        loop {
            match entry.kind() {
                Kind::Node(above) if above < level => {
                    let node = self.own(slot, entry);
                    let index = node.search(key).expect("the key differs further down");
                    (slot, entry) = (EntrySlot::Of(node, index), node.at(index));
                }
                Kind::Node(same) if same == level => {
                    let index = node_slot(entry, key);
                    let bitmap = entry.bitmap_toggled(key);
                    return self.widen(slot, entry, index, record, |w| w.finish(level, bitmap));
                }
                Kind::Bucket if level == BUCKET_LEVEL => {
                    let end = entry.len();
                    return self.widen(slot, entry, end, record, NodeWriter::finish_bucket);
                }
                Kind::Empty => return self.put(slot, record),
                _ => return self.fork(slot, entry, level, key, record),
            }
        }
    }

    /// Replaces a node by one with one more entry.
    fn widen(
        &mut self,
        slot: EntrySlot,
        node: TrieEntry,
        index: usize,
        record: TrieEntry,
        finish: impl FnOnce(NodeWriter) -> TrieEntry,
    ) {
        let at = self.memory.slab.alloc(node_bytes(node.len() + 1));
        // SAFETY: a fresh block for as many entries as follow.
        let mut writer = unsafe { NodeWriter::new(at, self.birth) };
        let (before, after) = node.entries().split_at(index);
        writer.extend(before);
        writer.extend(&[record]);
        writer.extend(after);
        self.put(slot, finish(writer));
        self.retire(node);
    }

    /// Puts a node above `entry`, in which it and the new record differ.
    fn fork(&mut self, slot: EntrySlot, entry: TrieEntry, level: u32, key: u64, record: TrieEntry) {
        let at = self.memory.slab.alloc(node_bytes(2));
        // SAFETY: a fresh block for the two entries that follow.
        let mut writer = unsafe { NodeWriter::new(at, self.birth) };
        let node = if level == BUCKET_LEVEL {
            writer.extend(&[entry, record]);
            writer.finish_bucket()
        } else {
            let other = digit(self.hasher.key(entry.first_record().path()), level);
            let slot = digit(key, level);
            writer.extend(&if other < slot { [entry, record] } else { [record, entry] });
            writer.finish(level, 1 << other | 1 << slot)
        };
        self.put(slot, node);
    }

    /// Removes the record of `path` and returns it.
    ///
    /// # Panics
    /// If there is none.
    pub(super) fn remove(&mut self, key: u64, path: &[u8]) -> TrieEntry {
        let (mut slot, mut node) = (EntrySlot::Root, self.state.root);
        loop {
            let index = match node.kind() {
                Kind::Node(_) => node.search(key).ok(),
                Kind::Bucket => node.search_bucket(path),
                Kind::Record if node.as_record().path() == path => {
                    // The only record of all.
                    self.put(slot, TrieEntry::EMPTY);
                    return node;
                }
                _ => None,
            };
            let index = index.expect("changes are made to nodes that exist");
            let entry = node.at(index);
            if entry.is_record() {
                assert!(entry.as_record().path() == path, "changes are made to nodes that exist");
                self.narrow(slot, node, index, key);
                return entry;
            }
            let owned = self.own(slot, node);
            (slot, node) = (EntrySlot::Of(owned, index), entry);
        }
    }

    /// Replaces a node by one with one entry fewer, or by its last entry.
    fn narrow(&mut self, slot: EntrySlot, node: TrieEntry, index: usize, key: u64) {
        let (before, rest) = node.entries().split_at(index);
        let after = &rest[1..];
        let rest = match (before, after) {
            ([last], []) | ([], [last]) => *last,
            _ => {
                let at = self.memory.slab.alloc(node_bytes(node.len() - 1));
                // SAFETY: a fresh block for as many entries as follow.
                let mut writer = unsafe { NodeWriter::new(at, self.birth) };
                writer.extend(before);
                writer.extend(after);
                match node.kind() {
                    Kind::Bucket => writer.finish_bucket(),
                    _ => writer.finish(node.level(), node.bitmap_toggled(key)),
                }
            }
        };
        self.put(slot, rest);
        self.retire(node);
    }
}

fn node_slot(node: TrieEntry, key: u64) -> usize {
    node.search(key).expect_err("the key differs here, so its slot is free")
}
