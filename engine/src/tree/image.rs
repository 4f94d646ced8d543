//! A loaded snapshot as a tree: records are used in place, nothing is copied.
//!
//! An image comes in units of owned memory. What is live in each is counted in bytes; records in it
//! cannot be freed singly. When more than 3/4 of a unit is dead, the records that the head still
//! has there are copied out, a bounded number per turn, and the unit is freed once no version sees
//! it.

use super::entry::{NodeWriter, TrieEntry, node_bytes};
use super::head::Tree;
use super::key::{BUCKET_LEVEL, KeyHasher, TreeSeed, digit, diverge};
use super::nodes::size_of_node;
use super::slab::{Advise, Slab};
use super::version::{Memory, VersionState};
use super::walk::{Cursor, find};
use model::record::{NodeRecord, RecordError};
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;

/// Memory that holds a part of an image. It must return the same unchanging bytes at every call; it
/// is called once, and kept until nothing in it is used.
pub type ImageMemory = Box<dyn AsRef<[u8]> + Send + Sync>;

/// A part of an image: memory, and where in it consecutive records lie.
pub struct ImageUnit {
    /// The bytes.
    pub memory: ImageMemory,
    /// Ranges filled with records in the trie's order, as [`NodeRecord::append_archive`] wrote
    /// them.
    pub runs: Vec<Range<usize>>,
}

/// What is wrong with an image, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageError {
    /// Which unit, in the order they came.
    pub unit: usize,
    /// Where in its memory, in bytes.
    pub offset: usize,
    /// What.
    pub cause: ImageErrorCause,
}

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageErrorCause {
    /// A run extends past the end of the memory.
    Run,
    /// The bytes there are not a record.
    Record(RecordError),
    /// The path of this record is a duplicate.
    Duplicate,
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unit {} of the image, offset {}: ", self.unit, self.offset)?;
        match self.cause {
            ImageErrorCause::Run => f.write_str("a run past the end"),
            ImageErrorCause::Record(error) => error.fmt(f),
            ImageErrorCause::Duplicate => f.write_str("a path for the second time"),
        }
    }
}

impl std::error::Error for ImageError {}

/// A unit in use.
struct Unit {
    start: NonNull<u8>,
    len: usize,
    runs: Vec<Range<usize>>,
    record_bytes: usize,
    live_bytes: usize,
    is_evacuating: bool,
    /// Keeps the bytes at `start`.
    #[expect(dead_code, reason = "kept for its drop")]
    memory: OwnedMemory,
}

/// The memory of a unit, behind a plain pointer: moving a box would assert that nothing else points
/// into it.
struct OwnedMemory(NonNull<dyn AsRef<[u8]> + Send + Sync>);

impl OwnedMemory {
    fn new(memory: ImageMemory) -> Self {
        Self(NonNull::from(Box::leak(memory)))
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: leaked in `new` and freed only when this is dropped.
        unsafe { self.0.as_ref() }.as_ref()
    }
}

impl Drop for OwnedMemory {
    fn drop(&mut self) {
        // SAFETY: leaked in `new`; nothing points into it any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// All units in use, by address.
#[derive(Default)]
pub(super) struct Images {
    units: Vec<Unit>,
    /// Addresses of units to copy survivors out of, and how far the first one has come.
    evacuating: VecDeque<usize>,
    run: usize,
    offset: usize,
    bytes: usize,
}

// SAFETY: units own their memory, which is Send, and give it out through the tree only.
unsafe impl Send for Images {}

impl Images {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn add(&mut self, unit: Unit) {
        self.bytes += unit.len;
        let at = self.units.partition_point(|other| other.start < unit.start);
        self.units.insert(at, unit);
    }

    /// Notes that no version sees this record any more; frees its unit if it was the last.
    pub(super) fn release(&mut self, record: NodeRecord<'_>) {
        let at = self.units.partition_point(|unit| unit.start <= record.as_raw()) - 1;
        let bytes = record.archive_bytes();
        let unit = &mut self.units[at];
        unit.live_bytes -= bytes;
        if unit.live_bytes == 0 {
            self.bytes -= unit.len;
            self.units.remove(at);
        } else if unit.is_mostly_dead() && !unit.is_evacuating {
            unit.is_evacuating = true;
            self.evacuating.push_back(unit.start.addr().get());
        }
    }

    /// Starts over with all units that are mostly dead: survivors may have come back.
    pub(super) fn evacuate_again(&mut self) {
        self.evacuating.clear();
        (self.run, self.offset) = (0, 0);
        for unit in &mut self.units {
            unit.is_evacuating = unit.is_mostly_dead();
            if unit.is_evacuating {
                self.evacuating.push_back(unit.start.addr().get());
            }
        }
    }

    /// The next record of the units to evacuate.
    fn next_survivor<'a>(&mut self) -> Option<NodeRecord<'a>> {
        loop {
            let &address = self.evacuating.front()?;
            let found = self.units.binary_search_by_key(&address, |unit| unit.start.addr().get());
            let Some(run) = found.ok().and_then(|at| self.units[at].runs.get(self.run)) else {
                self.evacuating.pop_front();
                (self.run, self.offset) = (0, 0);
                continue;
            };
            let offset = run.start + self.offset;
            if offset >= run.end {
                (self.run, self.offset) = (self.run + 1, 0);
                continue;
            }
            let unit = &self.units[found.expect("it has a run")];
            // SAFETY: runs hold records throughout, checked when the unit was pushed.
            let record: NodeRecord<'a> = unsafe { NodeRecord::from_raw(unit.start.add(offset)) };
            self.offset += record.archive_bytes();
            return Some(record);
        }
    }
}

impl Unit {
    fn is_mostly_dead(&self) -> bool {
        self.live_bytes < self.record_bytes / 4
    }
}

impl<M> Tree<M> {
    /// Visits this many records in units that are mostly dead, and copies those that the head has.
    pub(super) fn evacuate(&mut self, budget: usize) -> usize {
        for done in 0..budget {
            let Some(record) = self.memory.images.next_survivor() else { return done };
            let path = record.path();
            let key = self.hasher.key(path);
            let found = find(self.state.root, key, path);
            if found.is_some_and(|found| found.as_raw() == record.as_raw()) {
                let (place, entry) = self.find_owned(key, path);
                self.own_record(place, entry);
            }
        }
        budget
    }
}

/// A node of one level whose entries are still coming.
#[derive(Default)]
struct Frame {
    bitmap: u64,
    entries: Vec<TrieEntry>,
}

/// Builds a tree over an image, unit by unit as they are loaded, bottom-up in one pass.
///
/// Records that come in the trie's order under the seed cost no look-up; others are inserted at
/// the end, one by one.
pub struct TreeBuilder {
    hasher: KeyHasher,
    slab: Slab,
    images: Images,
    unit_count: usize,
    /// One per level; open ones are those with entries.
    frames: [Frame; BUCKET_LEVEL as usize + 1],
    /// The last record in order, which has no place yet.
    last: Option<(u64, TrieEntry)>,
    unordered: Vec<(TrieEntry, usize, usize)>,
    node_count: u64,
    data_bytes: u64,
}

/// The number of the version that an image becomes.
const IMAGE_NUMBER: u64 = 1;

impl TreeBuilder {
    /// A builder for an image whose order comes from this seed.
    pub fn new(seed: TreeSeed, advise: Option<Advise>) -> Self {
        Self::with_hasher(KeyHasher::new(seed), advise)
    }

    pub(super) fn with_hasher(hasher: KeyHasher, advise: Option<Advise>) -> Self {
        Self {
            hasher,
            slab: Slab::new(advise),
            images: Images::default(),
            unit_count: 0,
            frames: Default::default(),
            last: None,
            unordered: Vec::new(),
            node_count: 0,
            data_bytes: 0,
        }
    }

    /// Adds the next unit; `see` is called with each of its records.
    ///
    /// # Errors
    /// If it holds anything but records, or one of them twice. The builder is then unusable.
    pub fn push(
        &mut self,
        unit: ImageUnit,
        mut see: impl FnMut(NodeRecord<'_>),
    ) -> Result<(), ImageError> {
        let ImageUnit { memory, runs } = unit;
        let index = self.unit_count;
        self.unit_count += 1;
        let memory = OwnedMemory::new(memory);
        let bytes = memory.bytes();
        let start: NonNull<u8> = NonNull::from(bytes).cast();
        let len = bytes.len();
        TrieEntry::assert_address(start.addr().get() + len);
        let mut record_bytes = 0;
        for run in &runs {
            let mut offset = run.start;
            while offset < run.end {
                let fail = |cause| ImageError { unit: index, offset, cause };
                let left = bytes.get(offset..run.end).ok_or(fail(ImageErrorCause::Run))?;
                let record =
                    NodeRecord::parse(left).map_err(ImageErrorCause::Record).map_err(fail)?;
                self.push_record(record, index, offset)
                    .then_some(())
                    .ok_or(fail(ImageErrorCause::Duplicate))?;
                see(record);
                record_bytes += record.archive_bytes();
                offset += record.archive_bytes();
            }
        }
        if record_bytes > 0 {
            let (live_bytes, is_evacuating) = (record_bytes, false);
            self.images.add(Unit {
                start,
                len,
                runs,
                record_bytes,
                live_bytes,
                is_evacuating,
                memory,
            });
        }
        Ok(())
    }

    /// Whether it is new, as far as can be determined now.
    fn push_record(&mut self, record: NodeRecord<'_>, unit: usize, offset: usize) -> bool {
        let path = record.path();
        let entry = TrieEntry::record(record.as_raw());
        self.node_count += 1;
        self.data_bytes += size_of_node(record);
        let Some((last_key, last)) = self.last else {
            self.last = Some((self.hasher.key(path), entry));
            return true;
        };
        let key = self.hasher.key_near(path, last.as_record().path(), last_key);
        if key < last_key {
            self.unordered.push((entry, unit, offset));
            return true;
        }
        let level = diverge(last_key, key);
        let bucket = &self.frames[BUCKET_LEVEL as usize].entries;
        let is_there = |entry: &TrieEntry| entry.as_record().path() == path;
        if level == BUCKET_LEVEL && (is_there(&last) || bucket.iter().any(is_there)) {
            return false;
        }
        let closed = self.close_below(level, last_key, last);
        self.place(level, last_key, closed);
        self.last = Some((key, entry));
        true
    }

    fn place(&mut self, level: u32, key: u64, entry: TrieEntry) {
        let frame = &mut self.frames[level as usize];
        if level < BUCKET_LEVEL {
            frame.bitmap |= 1 << digit(key, level);
        }
        frame.entries.push(entry);
    }

    /// Ends all open nodes below `level`, the lowest of which `entry` belongs to.
    fn close_below(&mut self, level: u32, key: u64, mut entry: TrieEntry) -> TrieEntry {
        for below in (level + 1..=BUCKET_LEVEL).rev() {
            if self.frames[below as usize].entries.is_empty() {
                continue;
            }
            self.place(below, key, entry);
            let frame = &mut self.frames[below as usize];
            let at = self.slab.alloc(node_bytes(frame.entries.len()));
            // SAFETY: a fresh block for as many entries as follow.
            let mut writer = unsafe { NodeWriter::new(at, IMAGE_NUMBER) };
            writer.extend(&frame.entries);
            frame.entries.clear();
            let bitmap = std::mem::take(&mut frame.bitmap);
            entry = if below == BUCKET_LEVEL {
                writer.finish_bucket()
            } else {
                writer.finish(below, bitmap)
            };
        }
        entry
    }

    /// The tree, published. `digest` is that of all nodes if it is known.
    ///
    /// # Errors
    /// If a record that came out of order was a duplicate.
    pub fn finish<M: Clone>(mut self, digest: Option<u64>, meta: M) -> Result<Tree<M>, ImageError> {
        let root = match self.last {
            None => TrieEntry::EMPTY,
            Some((key, last)) => {
                let lower = self.close_below(0, key, last);
                if self.frames[0].entries.is_empty() {
                    lower
                } else {
                    self.place(0, key, lower);
                    self.close_root()
                }
            }
        };
        let Self { hasher, slab, images, unordered, node_count, data_bytes, .. } = self;
        let state = VersionState { root, node_count, data_bytes, digest: 0, meta };
        let mut tree = Tree::with_state(hasher, Memory::new(slab, images), state, IMAGE_NUMBER);
        for (entry, unit, offset) in unordered {
            let path = entry.as_record().path();
            let key = tree.hasher.key(path);
            if find(tree.state.root, key, path).is_some() {
                return Err(ImageError { unit, offset, cause: ImageErrorCause::Duplicate });
            }
            tree.insert(key, path, entry);
        }
        tree.state.digest = digest.unwrap_or_else(|| {
            let mut cursor = Cursor::new(tree.state.root);
            let records = std::iter::from_fn(|| cursor.next());
            records.fold(0, |sum: u64, entry| sum.wrapping_add(entry.as_record().digest()))
        });
        // The first version lacks what was inserted and the digest; no reader has seen it.
        let sealed = tree.seal();
        tree.publish(sealed);
        Ok(tree)
    }

    fn close_root(&mut self) -> TrieEntry {
        let Frame { bitmap, entries } = std::mem::take(&mut self.frames[0]);
        let at = self.slab.alloc(node_bytes(entries.len()));
        // SAFETY: a fresh block for as many entries as follow.
        let mut writer = unsafe { NodeWriter::new(at, IMAGE_NUMBER) };
        writer.extend(&entries);
        writer.finish(0, bitmap)
    }
}
