//! The writer's half: the head, its batches and versions, and multis.

use super::entry::{Kind, TrieEntry};
use super::image::Images;
use super::key::{KeyHasher, TreeSeed};
use super::reader::{Pin, TreeReader};
use super::slab::{Advise, Slab};
use super::version::{
    Memory, PINS_MAX, POSITION_GONE, ReaderPosition, Shared, Version, VersionNumber, VersionState,
};
use super::walk::{STAGED_MAX, descend_staged, find};
use model::record::{BIRTH_MAX, NodeRecord};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The tree's single writer: the head with every proposed txn applied, and its versions.
///
/// `M` is what else belongs to a version: it is cloned at every seal, so it should share structure.
///
/// Lives in: the ordering role. Invariant: `published <= sealed < birth of the batch`.
pub struct Tree<M> {
    pub(super) memory: ManuallyDrop<Memory<M>>,
    pub(super) shared: Arc<Shared<M>>,
    pub(super) hasher: KeyHasher,
    pub(super) state: VersionState<M>,
    /// The birth of what is made now; the number of the next version, unless a multi comes before.
    pub(super) birth: u64,
    /// What was born later than this is visible to the head alone, and is changed in place.
    pub(super) floor: u64,
    pub(super) published: u64,
    pub(super) multi: Option<Multi<M>>,
    pub(super) positions: Vec<Arc<ReaderPosition>>,
    pub(super) retired_bytes: usize,
}

// SAFETY: the tree owns what its pointers reach, or shares it read-only with readers.
unsafe impl<M: Send + Sync> Send for Tree<M> {}

/// What a multi needs to be undone.
pub(super) struct Multi<M> {
    state: VersionState<M>,
    /// Retired by the multi, and made by this batch before it.
    pub(super) dead: Vec<TrieEntry>,
    /// How much was on the newest version's list before.
    dead_before: usize,
}

/// Where the tree's memory is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeMemory {
    /// Blocks of nodes, records and data, those retired and not yet freed included.
    pub live_bytes: usize,
    /// Chunks that those blocks lie in.
    pub chunk_bytes: usize,
    /// Memory taken from the system for chunks, free ones included.
    pub held_bytes: usize,
    /// Loaded images that are still in use.
    pub image_bytes: usize,
    /// What is retired and not yet freed, blocks and records of images.
    pub retired_bytes: usize,
    /// Versions that are not freed.
    pub version_count: usize,
}

impl<M: Clone> Tree<M> {
    /// An empty tree, without even a root, with one published version.
    pub fn new(seed: TreeSeed, meta: M) -> Self {
        Self::with_advise(seed, meta, None)
    }

    /// An empty tree whose memory is reported to `advise` as it is allocated and released.
    pub fn with_advise(seed: TreeSeed, meta: M, advise: Option<Advise>) -> Self {
        let (node_count, data_bytes, digest) = (0, 0, 0);
        let state = VersionState { root: TrieEntry::EMPTY, node_count, data_bytes, digest, meta };
        let memory = Memory::new(Slab::new(advise), Images::default());
        Self::with_state(KeyHasher::new(seed), memory, state, 1)
    }

    /// An empty tree with a hasher of the test's choice.
    #[cfg(test)]
    pub(super) fn with_hasher(hasher: KeyHasher, meta: M) -> Self {
        let mut tree = Self::new(hasher.seed(), meta);
        tree.hasher = hasher;
        Arc::get_mut(&mut tree.shared).unwrap().hasher = hasher;
        tree
    }

    /// A tree that starts with a published version of this state, whose blocks are not younger than
    /// `number`.
    pub(super) fn with_state(
        hasher: KeyHasher,
        mut memory: Memory<M>,
        state: VersionState<M>,
        number: u64,
    ) -> Self {
        let first = memory.keep(Version::new(number, state.clone()));
        let shared = Arc::new(Shared {
            hasher,
            published: AtomicPtr::new(first.as_ptr()),
            pins: [const { AtomicU64::new(0) }; PINS_MAX],
            remains: Mutex::new(None),
        });
        Self {
            memory: ManuallyDrop::new(memory),
            shared,
            hasher,
            state,
            birth: number + 1,
            floor: number,
            published: number,
            multi: None,
            positions: Vec::new(),
            retired_bytes: 0,
        }
    }

    fn sealed(&self) -> u64 {
        self.memory.versions.back().expect("there is always a version").version().number
    }

    /// Ends the batch: the head becomes a version that can be published. Returns its number.
    ///
    /// # Panics
    /// Inside a multi.
    pub fn seal(&mut self) -> VersionNumber {
        assert!(self.multi.is_none(), "a batch ends outside of multis");
        let number = self.birth;
        let last = self.memory.versions.back().expect("there is always a version").version;
        let version = self.memory.keep(Version::new(number, self.state.clone()));
        // SAFETY: listed versions are alive. Readers follow this only once `published` covers it.
        unsafe { last.as_ref() }.next.store(version.as_ptr(), Ordering::Release);
        self.floor = number;
        self.next_birth();
        VersionNumber(number)
    }

    fn next_birth(&mut self) {
        assert!(self.birth < BIRTH_MAX, "births are used up");
        self.birth += 1;
    }

    /// Lets readers move up to this sealed version.
    ///
    /// # Panics
    /// If it is not sealed, or older than the published one.
    pub fn publish(&mut self, upto: VersionNumber) {
        assert!(upto.0 >= self.published, "published versions stay published");
        let at = self.memory.versions.partition_point(|kept| kept.version().number < upto.0);
        let kept = self.memory.versions.get(at).expect("only sealed versions are published");
        assert!(kept.version().number == upto.0, "only sealed versions are published");
        self.published = upto.0;
        // Release: readers that see the pointer see all that it reaches.
        self.shared.published.store(kept.version.as_ptr(), Ordering::Release);
    }

    /// Drops the head and all versions that are not published; the head continues from the
    /// published version.
    ///
    /// # Panics
    /// Inside a multi, or while what is to be dropped is pinned.
    pub fn rollback_to_published(&mut self) {
        assert!(self.multi.is_none(), "a multi is rolled back on its own");
        assert!(!self.is_head_pinned(), "a pinned version cannot be dropped");
        let published = self.published;
        self.free_since(self.state.root, published);
        while self.sealed() > published {
            let mut kept = self.memory.versions.pop_back().expect("just looked at");
            while let Some(entry) = kept.dead.pop() {
                self.retired_bytes -= entry.block_bytes();
                // What the published version sees is live again; the rest is unreachable.
                if entry.birth() > published {
                    self.free_block(entry);
                }
            }
            // SAFETY: never published, so no reader knows it.
            unsafe { self.memory.discard(kept) };
        }
        while let Some(entry) = self.newest_dead().pop() {
            self.retired_bytes -= entry.block_bytes();
        }
        let version = self.memory.versions.back().expect("the published one").version();
        version.next.store(std::ptr::null_mut(), Ordering::Release);
        self.state = version.state.clone();
        self.floor = published;
        self.next_birth();
        self.memory.images.evacuate_again();
    }

    /// Begins a multi: until it is committed or rolled back, all changes belong to it.
    ///
    /// # Panics
    /// Inside a multi.
    pub fn begin_multi(&mut self) {
        assert!(self.multi.is_none(), "multis do not nest");
        let dead_before = self.newest_dead().len();
        self.multi = Some(Multi { state: self.state.clone(), dead: Vec::new(), dead_before });
        self.floor = self.birth;
        self.next_birth();
    }

    /// Whether a multi was begun and has not ended.
    pub fn is_in_multi(&self) -> bool {
        self.multi.is_some()
    }

    /// Ends a multi, keeping its changes.
    ///
    /// # Panics
    /// Outside of a multi.
    pub fn commit_multi(&mut self) {
        let multi = self.multi.take().expect("a multi was begun");
        self.floor = self.sealed();
        for entry in multi.dead {
            self.free_block(entry);
        }
    }

    /// Ends a multi, undoing its changes.
    ///
    /// # Panics
    /// Outside of a multi.
    pub fn rollback_multi(&mut self) {
        let multi = self.multi.take().expect("a multi was begun");
        self.free_since(self.state.root, self.floor);
        while self.newest_dead().len() > multi.dead_before {
            let entry = self.newest_dead().pop().expect("longer than before");
            self.retired_bytes -= entry.block_bytes();
        }
        self.state = multi.state;
        self.floor = self.sealed();
    }

    /// A handle to published versions for a shard, at the newest one.
    pub fn reader(&mut self) -> TreeReader<M> {
        let position = Arc::new(ReaderPosition(AtomicU64::new(self.published)));
        self.positions.push(position.clone());
        TreeReader::new(self.shared.clone(), position, self.published_version())
    }

    /// Whether a reader or a pin is left, which would free the memory if the tree was dropped now.
    pub fn is_shared(&self) -> bool {
        let is_there = |it: &Arc<ReaderPosition>| it.0.load(Ordering::Acquire) != POSITION_GONE;
        self.positions.iter().any(is_there)
            || self.shared.pins.iter().any(|pin| pin.load(Ordering::Acquire) != 0)
    }

    /// Pins the newest published version; `None` if [`PINS_MAX`] are pinned.
    pub fn pin(&self) -> Option<Pin<M>> {
        let place = self.shared.claim_pin(self.published)?;
        Some(Pin::new(self.shared.clone(), self.published_version(), place))
    }

    /// Pins a sealed version, published or not; `None` if [`PINS_MAX`] are pinned. While one is
    /// pinned that is not published, the head cannot be dropped: see [`Self::is_head_pinned`].
    ///
    /// # Panics
    /// If it is neither sealed nor the published one.
    pub fn pin_sealed(&self, version: VersionNumber) -> Option<Pin<M>> {
        assert!(version.0 >= self.published, "older versions may be gone");
        let versions = &self.memory.versions;
        let at = versions.partition_point(|kept| kept.version().number < version.0);
        let kept = versions.get(at).expect("only sealed versions are pinned");
        assert!(kept.version().number == version.0, "only sealed versions are pinned");
        let place = self.shared.claim_pin(version.0)?;
        Some(Pin::new(self.shared.clone(), kept.version, place))
    }

    /// Whether a version that is not published is pinned.
    pub fn is_head_pinned(&self) -> bool {
        // Acquire: the pin's use of the version is over.
        self.shared.pins.iter().any(|pin| pin.load(Ordering::Acquire) > self.published)
    }

    fn published_version(&self) -> NonNull<Version<M>> {
        let published = self.shared.published.load(Ordering::Relaxed);
        NonNull::new(published).expect("a version is always published")
    }
}

impl<M> Tree<M> {
    /// The node at `path` in the head.
    #[inline]
    pub fn lookup(&self, path: &[u8]) -> Option<NodeRecord<'_>> {
        find(self.state.root, self.hasher.key(path), path)
    }

    /// Brings the head's nodes at these paths into the cache, [`STAGED_MAX`] at a time, ahead of
    /// changes to them.
    pub fn warm(&self, paths: &[&[u8]]) {
        for paths in paths.chunks(STAGED_MAX) {
            let mut keys = [0; STAGED_MAX];
            let mut entries = [TrieEntry::EMPTY; STAGED_MAX];
            for (key, path) in keys.iter_mut().zip(paths) {
                *key = self.hasher.key(path);
            }
            descend_staged(self.state.root, &keys[..paths.len()], &mut entries[..paths.len()]);
        }
    }

    /// Count of nodes of the head, the root included.
    pub fn node_count(&self) -> u64 {
        self.state.node_count
    }

    /// Sum of the lengths of all paths and data of the head, in bytes.
    pub fn data_bytes(&self) -> u64 {
        self.state.data_bytes
    }

    /// The digest over all nodes of the head, as stock computes it.
    pub fn digest(&self) -> u64 {
        self.state.digest
    }

    /// What else the head holds.
    pub fn meta(&self) -> &M {
        &self.state.meta
    }

    /// What else the head holds, mutably. Rolled back with the nodes.
    pub fn head_meta(&mut self) -> &mut M {
        &mut self.state.meta
    }

    /// The seed of the hash.
    pub fn seed(&self) -> TreeSeed {
        self.hasher.seed()
    }

    /// Where the memory is.
    pub fn memory(&self) -> TreeMemory {
        TreeMemory {
            live_bytes: self.memory.slab.live_bytes(),
            chunk_bytes: self.memory.slab.chunk_bytes(),
            held_bytes: self.memory.slab.held_bytes(),
            image_bytes: self.memory.images.bytes(),
            retired_bytes: self.retired_bytes,
            version_count: self.memory.versions.len(),
        }
    }

    /// Frees what was born after `floor` at and below `entry`, all of which only the head knows.
    fn free_since(&mut self, entry: TrieEntry, floor: u64) {
        if entry.is_empty() || entry.birth() <= floor {
            return;
        }
        match entry.kind() {
            Kind::Node(_) | Kind::Bucket => {
                for index in 0..entry.len() {
                    self.free_since(entry.at(index), floor);
                }
            }
            Kind::Record => {
                if let Some(block) = entry.as_record().data_block() {
                    self.free_since(TrieEntry::data(block), floor);
                }
            }
            Kind::Empty | Kind::Data => (),
        }
        self.free_block(entry);
    }
}

impl<M> Drop for Tree<M> {
    /// Leaves the memory to the readers: the last of them frees it.
    fn drop(&mut self) {
        // SAFETY: taken once, and not used after.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        *self.shared.remains.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
    }
}
