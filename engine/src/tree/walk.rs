//! Walks through one version's trie: to one record, to several in stages, over all.

use super::entry::{Entry, Kind};
use super::key::{BUCKET_LEVEL, CHILD_LEVEL, split};
use model::record::Record;

/// How many look-ups go through the trie together.
pub const STAGED_MAX: usize = 8;
/// How many entries ahead of an iteration are asked for.
const AHEAD: usize = 8;
/// A stack for every level and a bucket.
const DEPTH_MAX: usize = BUCKET_LEVEL as usize + 1;

/// The record of `path` below `root`. The caller bounds the lifetime by that of the version.
#[inline]
pub(super) fn find<'a>(root: Entry, key: u64, path: &[u8]) -> Option<Record<'a>> {
    let mut entry = root;
    loop {
        match entry.kind() {
            Kind::Node(_) => entry = entry.child(key),
            Kind::Record => {
                entry.prefetch_record();
                let record = entry.as_record();
                return (record.path() == path).then_some(record);
            }
            Kind::Bucket => {
                return entry.search_bucket(path).map(|index| entry.at(index).as_record());
            }
            Kind::Empty | Kind::Data => return None,
        }
    }
}

/// Takes every key one level down at a time, so that the misses of all overlap. Ends with each
/// entry a record, a bucket or empty, and records on their way into the cache.
#[inline]
pub(super) fn descend_staged(root: Entry, keys: &[u64], entries: &mut [Entry]) {
    entries.fill(root);
    loop {
        let mut is_moving = false;
        for (entry, &key) in entries.iter_mut().zip(keys) {
            if let Kind::Node(_) = entry.kind() {
                *entry = entry.child(key);
                match entry.kind() {
                    Kind::Node(_) => {
                        entry.prefetch_slot(key);
                        is_moving = true;
                    }
                    Kind::Record => entry.prefetch_record(),
                    Kind::Bucket => entry.prefetch_slot(0),
                    Kind::Empty | Kind::Data => (),
                }
            }
        }
        if !is_moving {
            return;
        }
    }
}

/// A position in an iteration over the records below an entry, in the trie's order.
pub(super) struct Cursor {
    stack: [(Entry, usize); DEPTH_MAX],
    depth: usize,
    /// A record that stands alone at the root.
    single: Entry,
}

impl Cursor {
    pub(super) fn new(root: Entry) -> Self {
        let mut cursor =
            Self { stack: [(Entry::EMPTY, 0); DEPTH_MAX], depth: 0, single: Entry::EMPTY };
        match root.kind() {
            Kind::Node(_) | Kind::Bucket => cursor.push(root),
            Kind::Record => cursor.single = root,
            Kind::Empty | Kind::Data => (),
        }
        cursor
    }

    /// An iteration over all children of nodes whose paths hash to these bits, and maybe others.
    pub(super) fn children(root: Entry, parent_bits: u64) -> Self {
        let mut entry = root;
        while let Kind::Node(level) = entry.kind() {
            if level >= CHILD_LEVEL {
                break;
            }
            entry = entry.child(parent_bits);
        }
        Self::new(entry)
    }

    fn push(&mut self, node: Entry) {
        self.stack[self.depth] = (node, 0);
        self.depth += 1;
        node.entries().iter().take(AHEAD).for_each(|&entry| prefetch_entry(entry));
    }

    pub(super) fn next(&mut self) -> Option<Entry> {
        while self.depth > 0 {
            let (node, index) = &mut self.stack[self.depth - 1];
            let entries = node.entries();
            let Some(&entry) = entries.get(*index) else {
                self.depth -= 1;
                continue;
            };
            if let Some(&ahead) = entries.get(*index + AHEAD) {
                prefetch_entry(ahead);
            }
            *index += 1;
            if entry.is_record() {
                return Some(entry);
            }
            self.push(entry);
        }
        let single = std::mem::replace(&mut self.single, Entry::EMPTY);
        (!single.is_empty()).then_some(single)
    }
}

fn prefetch_entry(entry: Entry) {
    if !entry.is_empty() {
        entry.prefetch_slot(0);
    }
}

/// The name of `path` if it is a direct child of `parent` ("" for the root).
#[inline]
pub(super) fn child_name<'a>(path: &'a [u8], parent: &[u8]) -> Option<&'a [u8]> {
    let (found, name) = split(path);
    (found == parent && !name.is_empty()).then_some(name)
}
