//! Walks through one version's trie: to one record, to several in stages, over all.

use super::entry::{Kind, TrieEntry};
use super::key::{BUCKET_LEVEL, CHILD_LEVEL};
use model::record::NodeRecord;

/// How many look-ups go through the trie together.
pub const STAGED_MAX: usize = 8;
/// How many entries ahead of an iteration are prefetched.
const AHEAD: usize = 8;
/// How many records an iteration finds before it hands out the first of them, so that their misses
/// overlap; otherwise those in small nodes would not be prefetched early enough.
const FOUND_AHEAD: usize = 16;
/// A stack for every level and a bucket.
const DEPTH_MAX: usize = BUCKET_LEVEL as usize + 1;

/// The record of `path` below `root`. The caller bounds the lifetime by that of the version.
#[inline]
pub(super) fn find<'a>(root: TrieEntry, key: u64, path: &[u8]) -> Option<NodeRecord<'a>> {
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
pub(super) fn descend_staged(root: TrieEntry, keys: &[u64], entries: &mut [TrieEntry]) {
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

/// Where an iteration is within a node. Its length is kept: it costs more to count than to keep.
#[derive(Clone, Copy)]
struct Step {
    node: TrieEntry,
    index: usize,
    len: usize,
}

/// A position in an iteration over the records below an entry, in the trie's order.
pub(super) struct Cursor {
    stack: [Step; DEPTH_MAX],
    depth: usize,
    /// Records on their way into the cache, in a ring: the count of those found, and of those
    /// handed out.
    found: [TrieEntry; FOUND_AHEAD],
    found_count: usize,
    given_count: usize,
}

impl Cursor {
    pub(super) fn new(root: TrieEntry) -> Self {
        let mut cursor = Self {
            stack: [Step { node: TrieEntry::EMPTY, index: 0, len: 0 }; DEPTH_MAX],
            depth: 0,
            found: [TrieEntry::EMPTY; FOUND_AHEAD],
            found_count: 0,
            given_count: 0,
        };
        match root.kind() {
            Kind::Node(_) | Kind::Bucket => cursor.push(root),
            Kind::Record => cursor.find(root),
            Kind::Empty | Kind::Data => (),
        }
        cursor
    }

    /// An iteration over all children of nodes whose paths hash to these bits, and maybe others.
    pub(super) fn children(root: TrieEntry, parent_bits: u64) -> Self {
        let mut entry = root;
        while let Kind::Node(level) = entry.kind() {
            if level >= CHILD_LEVEL {
                break;
            }
            entry = entry.child(parent_bits);
        }
        Self::new(entry)
    }

    fn push(&mut self, node: TrieEntry) {
        let len = node.len();
        self.stack[self.depth] = Step { node, index: 0, len };
        self.depth += 1;
        (0..len.min(AHEAD)).for_each(|index| prefetch_entry(node.at(index)));
    }

    fn find(&mut self, record: TrieEntry) {
        record.prefetch_path();
        self.found[self.found_count % FOUND_AHEAD] = record;
        self.found_count += 1;
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<TrieEntry> {
        while self.depth > 0 && self.found_count - self.given_count < FOUND_AHEAD {
            self.step();
        }
        if self.given_count == self.found_count {
            return None;
        }
        let record = self.found[self.given_count % FOUND_AHEAD];
        self.given_count += 1;
        Some(record)
    }

    /// Finds a record, or moves a level down or up.
    #[inline]
    fn step(&mut self) {
        let Step { node, index, len } = &mut self.stack[self.depth - 1];
        if *index == *len {
            self.depth -= 1;
            return;
        }
        if *index + AHEAD < *len {
            prefetch_entry(node.at(*index + AHEAD));
        }
        let entry = node.at(*index);
        *index += 1;
        if entry.is_record() { self.find(entry) } else { self.push(entry) }
    }
}

/// Few lines are on their way at once, so only those that will be read are prefetched.
#[inline]
fn prefetch_entry(entry: TrieEntry) {
    match entry.kind() {
        Kind::Record => entry.prefetch_path(),
        Kind::Node(_) | Kind::Bucket => entry.prefetch_head(),
        Kind::Empty | Kind::Data => (),
    }
}

/// The name of `path` if it is a direct child of `parent` ("" for the root).
#[inline]
pub(super) fn child_name<'a>(path: &'a [u8], parent: &[u8]) -> Option<&'a [u8]> {
    let name = path.strip_prefix(parent)?.strip_prefix(b"/")?;
    (!name.is_empty() && !name.contains(&b'/')).then_some(name)
}
