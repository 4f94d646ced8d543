//! What the trie consists of: entries that encode what they point at, and the nodes behind them.
//!
//! ```text
//! entry   bits 0..56 address | 56..60 level, or kind | 60 all slots are taken
//! node    birth (8) | bitmap of taken slots (8) | one entry per bit set
//! bucket  birth (8) | count (8)                 | entries, all of one key
//! ```
//!
//! Because the level and the full flag travel in the pointer, a walk through a full node reads
//! one line of it: the slot.
//!
//! **Invariant**: an entry that is reachable from a version in use, from the head, or from a list
//! of retired blocks, points at a live block of its kind. All methods here rely on that, so they
//! are for this module's neighbours only.

use super::key::{BUCKET_LEVEL, digit};
use model::record::{BIRTH_MAX, DataBlock, NodeRecord, PATH_OFFSET};
use std::ptr::NonNull;

const ADDRESS_BITS: u32 = 56;
const ADDRESS_MASK: usize = (1 << ADDRESS_BITS) - 1;
const KIND_MASK: usize = 15;
const FULL: usize = 1 << 60;
const KIND_RECORD: u32 = BUCKET_LEVEL + 1;
const KIND_DATA: u32 = BUCKET_LEVEL + 2;
const KIND_EMPTY: u32 = 15;
const NODE_HEAD_BYTES: usize = 16;
/// Slots of a node.
const SLOTS: usize = 64;

const _: () = assert!(KIND_DATA < KIND_EMPTY);

/// A pointer with its kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TrieEntry(*mut u8);

/// What an entry points at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Empty,
    /// A node of the trie, at this level.
    Node(u32),
    Bucket,
    Record,
    /// Data of a record, in lists of retired blocks only.
    Data,
}

impl TrieEntry {
    pub(super) const EMPTY: Self =
        Self(std::ptr::without_provenance_mut((KIND_EMPTY as usize) << ADDRESS_BITS));

    #[inline]
    fn tagged(at: NonNull<u8>, tag: u32, full: usize) -> Self {
        Self(at.as_ptr().map_addr(|addr| {
            debug_assert!(addr <= ADDRESS_MASK, "an address of more than 56 bits");
            addr | (tag as usize) << ADDRESS_BITS | full
        }))
    }

    #[inline]
    pub(super) fn record(at: NonNull<u8>) -> Self {
        Self::tagged(at, KIND_RECORD, 0)
    }

    #[inline]
    pub(super) fn data(block: DataBlock) -> Self {
        Self::tagged(block.as_raw(), KIND_DATA, 0)
    }

    /// Whether blocks up to this address can be pointed at.
    pub(super) fn assert_address(end: usize) {
        assert!(end <= ADDRESS_MASK, "memory at an address of more than 56 bits");
    }

    /// A node at `level`, or a bucket, with `len` entries.
    #[inline]
    pub(super) fn node(at: NonNull<u8>, level: u32, len: usize) -> Self {
        let is_full = level < BUCKET_LEVEL && len == SLOTS;
        Self::tagged(at, level, if is_full { FULL } else { 0 })
    }

    #[inline]
    fn tag(self) -> u32 {
        (self.0.addr() >> ADDRESS_BITS & KIND_MASK) as u32
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        match self.tag() {
            BUCKET_LEVEL => Kind::Bucket,
            KIND_RECORD => Kind::Record,
            KIND_DATA => Kind::Data,
            KIND_EMPTY => Kind::Empty,
            level => Kind::Node(level),
        }
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.tag() == KIND_EMPTY
    }

    #[inline]
    pub(super) fn is_record(self) -> bool {
        self.tag() == KIND_RECORD
    }

    /// The level of a node or bucket.
    #[inline]
    pub(super) fn level(self) -> u32 {
        self.tag()
    }

    #[inline]
    fn is_full(self) -> bool {
        self.0.addr() & FULL != 0
    }

    #[inline]
    pub(super) fn address(self) -> NonNull<u8> {
        let at = self.0.map_addr(|addr| addr & ADDRESS_MASK);
        debug_assert!(!at.is_null(), "an empty entry has no address");
        // SAFETY: only `EMPTY` has a null address, and its address is never used.
        unsafe { NonNull::new_unchecked(at) }
    }

    #[inline]
    fn word(self, index: usize) -> NonNull<u64> {
        // SAFETY: nodes are longer than the words read.
        unsafe { self.address().cast::<u64>().add(index) }
    }

    /// The batch that made what this points at; 0 for what lies in an image.
    #[inline]
    pub(super) fn birth(self) -> u64 {
        // SAFETY: every block begins with its birth; records of images may be unaligned.
        unsafe { self.word(0).read_unaligned() & BIRTH_MAX }
    }

    #[inline]
    fn bitmap(self) -> u64 {
        // SAFETY: nodes and buckets have this word.
        unsafe { self.word(1).read() }
    }

    /// Count of entries of a node or bucket.
    #[inline]
    pub(super) fn len(self) -> usize {
        if self.is_full() {
            SLOTS
        } else if self.tag() == BUCKET_LEVEL {
            self.bitmap() as usize
        } else {
            self.bitmap().count_ones() as usize
        }
    }

    #[inline]
    fn slot(self, index: usize) -> NonNull<Self> {
        // SAFETY: callers stay below `len`, and the node has this many entries behind its head.
        unsafe { self.address().add(NODE_HEAD_BYTES).cast::<Self>().add(index) }
    }

    /// The entry at `index`, which is below [`Self::len`].
    #[inline]
    pub(super) fn at(self, index: usize) -> Self {
        // SAFETY: as in `slot`.
        unsafe { self.slot(index).read() }
    }

    /// All entries of a node or bucket.
    #[inline]
    pub(super) fn entries<'a>(self) -> &'a [Self] {
        // SAFETY: the node has `len` entries; callers drop the slice before the node changes.
        unsafe { std::slice::from_raw_parts(self.slot(0).as_ptr(), self.len()) }
    }

    /// Replaces the entry at `index` of a node that only the writer knows.
    #[inline]
    pub(super) fn set(self, index: usize, entry: Self) {
        // SAFETY: as in `slot`; the writer has exclusive access to the node.
        unsafe { self.slot(index).write(entry) };
    }

    /// Where in a node the key's entry is, or would be.
    #[inline]
    pub(super) fn search(self, key: u64) -> Result<usize, usize> {
        let slot = digit(key, self.level());
        if self.is_full() {
            return Ok(slot as usize);
        }
        let (bitmap, bit) = (self.bitmap(), 1 << slot);
        let index = (bitmap & (bit - 1)).count_ones() as usize;
        if bitmap & bit == 0 { Err(index) } else { Ok(index) }
    }

    /// The key's entry in a node.
    #[inline]
    pub(super) fn child(self, key: u64) -> Self {
        self.search(key).map_or(Self::EMPTY, |index| self.at(index))
    }

    /// The record of `path` in a bucket.
    pub(super) fn search_bucket(self, path: &[u8]) -> Option<usize> {
        self.entries().iter().position(|entry| entry.as_record().path() == path)
    }

    /// The record that this points at; the caller bounds the lifetime.
    #[inline]
    pub(super) fn as_record<'a>(self) -> NodeRecord<'a> {
        debug_assert!(self.is_record(), "not a record");
        // SAFETY: by the module's invariant a live record lies there.
        unsafe { NodeRecord::from_raw(self.address()) }
    }

    /// Some record at or below this entry.
    pub(super) fn first_record<'a>(self) -> NodeRecord<'a> {
        let mut entry = self;
        while !entry.is_record() {
            entry = entry.at(0);
        }
        entry.as_record()
    }

    /// Length of the block this points at.
    #[inline]
    pub(super) fn block_bytes(self) -> usize {
        match self.kind() {
            Kind::Node(_) | Kind::Bucket => node_bytes(self.len()),
            Kind::Record => self.as_record().block_bytes(),
            // SAFETY: by the module's invariant a live block lies there.
            Kind::Data => unsafe { DataBlock::from_raw(self.address()).block_bytes() },
            Kind::Empty => 0,
        }
    }

    /// Prefetches the line of the slot that the key will take, if that is known, else the head.
    #[inline]
    pub(super) fn prefetch_slot(self, key: u64) {
        let at = self.address();
        if self.is_full() {
            let offset = NODE_HEAD_BYTES + 8 * digit(key, self.level()) as usize;
            prefetch(at.as_ptr().wrapping_add(offset));
        } else {
            prefetch(at.as_ptr());
            prefetch(at.as_ptr().wrapping_add(64));
        }
    }

    /// Prefetches a node's first line.
    #[inline]
    pub(super) fn prefetch_head(self) {
        prefetch(self.address().as_ptr());
    }

    /// Prefetches a record's path of usual length: a line or two.
    #[inline]
    pub(super) fn prefetch_path(self) {
        let at = self.address().as_ptr();
        prefetch(at.wrapping_add(PATH_OFFSET - 4));
        prefetch(at.wrapping_add(PATH_OFFSET + 28));
    }

    /// Prefetches the lines of a record of usual size.
    #[inline]
    pub(super) fn prefetch_record(self) {
        let at = self.address().as_ptr();
        for line in 0..4 {
            prefetch(at.wrapping_add(64 * line));
        }
    }
}

/// Length of a node or bucket with this many entries.
#[inline]
pub(super) fn node_bytes(len: usize) -> usize {
    NODE_HEAD_BYTES + len * size_of::<TrieEntry>()
}

/// A node under construction in a fresh block.
pub(super) struct NodeWriter {
    at: NonNull<u8>,
    len: usize,
}

impl NodeWriter {
    /// Starts a node of `birth` at `at`, which has room for all entries that follow.
    ///
    /// # Safety
    /// `at` is a block for [`node_bytes`] of as many entries as will be pushed, known to no one
    /// else.
    pub(super) unsafe fn new(at: NonNull<u8>, birth: u64) -> Self {
        // SAFETY: the caller gives the block.
        unsafe { at.cast::<u64>().write(birth) };
        Self { at, len: 0 }
    }

    #[inline]
    pub(super) fn extend(&mut self, entries: &[TrieEntry]) {
        // SAFETY: the block has room for the entries, by the promise to `new`.
        unsafe {
            let to = self.at.add(node_bytes(self.len)).cast::<TrieEntry>();
            to.copy_from_nonoverlapping(NonNull::from(entries).cast(), entries.len());
        }
        self.len += entries.len();
    }

    /// Ends a node with the slots of `bitmap`, which must be as many as entries.
    pub(super) fn finish(self, level: u32, bitmap: u64) -> TrieEntry {
        debug_assert_eq!(bitmap.count_ones() as usize, self.len, "one bit an entry");
        self.finish_word(level, bitmap)
    }

    pub(super) fn finish_bucket(self) -> TrieEntry {
        let count = self.len as u64;
        self.finish_word(BUCKET_LEVEL, count)
    }

    fn finish_word(self, level: u32, word: u64) -> TrieEntry {
        // SAFETY: the second word of the head belongs to the block.
        unsafe { self.at.cast::<u64>().add(1).write(word) };
        TrieEntry::node(self.at, level, self.len)
    }
}

impl TrieEntry {
    /// The node's bitmap with the key's slot added or removed.
    pub(super) fn bitmap_toggled(self, key: u64) -> u64 {
        self.bitmap() ^ 1 << digit(key, self.level())
    }

    /// Copies a node or bucket into a fresh block.
    ///
    /// # Safety
    /// `at` is a block of [`Self::block_bytes`], known to no one else.
    #[inline]
    pub(super) unsafe fn copy_to(self, at: NonNull<u8>, birth: u64) -> Self {
        let bytes = node_bytes(self.len());
        // SAFETY: both blocks are that long, and the new one is exclusively the caller's.
        unsafe {
            at.copy_from_nonoverlapping(self.address(), bytes);
            at.cast::<u64>().write(birth);
        }
        Self(at.as_ptr().map_addr(|addr| addr | self.0.addr() & !ADDRESS_MASK))
    }
}

/// Prefetches a line that will be read soon; any address will do.
#[inline]
pub(super) fn prefetch(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch of any address is harmless.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

const _: () = assert!(size_of::<TrieEntry>() == 8, "the form is for 64-bit machines");
