//! Handles to published versions: for shards, and pins for long operations.

use super::entry::TrieEntry;
use super::key::TreeSeed;
use super::version::{POSITION_GONE, ReaderPosition, Shared, Version, VersionNumber};
use super::walk::{Cursor, STAGED_MAX, child_name, descend_staged, find};
use model::record::NodeRecord;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A shard's position in the history of published versions; moves forward only.
///
/// Lives in: a shard. Invariant: its version and all later ones stay alive.
pub struct TreeReader<M> {
    shared: Arc<Shared<M>>,
    position: Arc<ReaderPosition>,
    version: NonNull<Version<M>>,
}

// SAFETY: the version is only ever shared, and versions may be shared between threads.
unsafe impl<M: Send + Sync> Send for TreeReader<M> {}

impl<M> TreeReader<M> {
    /// A reader at a version that the caller keeps alive meanwhile, and whose position is set.
    pub(super) fn new(
        shared: Arc<Shared<M>>,
        position: Arc<ReaderPosition>,
        version: NonNull<Version<M>>,
    ) -> Self {
        Self { shared, position, version }
    }

    fn current(&self) -> &Version<M> {
        // SAFETY: the position keeps it alive, and versions are only ever shared.
        unsafe { self.version.as_ref() }
    }

    fn move_to(&mut self, version: NonNull<Version<M>>) {
        self.version = version;
        // Release: the writer that sees this also sees that all reads of the old version are done.
        self.position.0.store(self.current().number, Ordering::Release);
    }

    /// Moves to the newest published version and returns its number.
    pub fn refresh(&mut self) -> VersionNumber {
        let published = self.shared.published.load(Ordering::Acquire);
        if published != self.version.as_ptr() {
            self.move_to(NonNull::new(published).expect("a version is always published"));
        }
        self.version()
    }

    /// The number of the newest published version.
    pub fn published(&self) -> VersionNumber {
        let published = self.shared.published.load(Ordering::Acquire);
        // SAFETY: this reader's position keeps all versions from its own on alive.
        VersionNumber(unsafe { (*published).number })
    }

    /// Moves to a version between its own and the newest published one.
    ///
    /// # Panics
    /// If there is no such version.
    pub fn advance_to(&mut self, number: VersionNumber) {
        assert!(number <= self.published(), "a version that is not published");
        let mut version = self.version;
        loop {
            // SAFETY: all versions from this reader's own on are alive.
            let at = unsafe { version.as_ref() };
            if at.number >= number.0 {
                assert!(at.number == number.0, "no such version from here on");
                break;
            }
            version = NonNull::new(at.next.load(Ordering::Acquire)).expect("published ones chain");
        }
        self.move_to(version);
    }

    /// The number of its version.
    pub fn version(&self) -> VersionNumber {
        VersionNumber(self.current().number)
    }

    /// The tree as of its version.
    pub fn view(&self) -> View<'_, M> {
        View { version: self.current(), shared: &self.shared }
    }

    /// Pins its version, whatever the reader does next. `None` if too many are pinned.
    pub fn pin(&self) -> Option<Pin<M>> {
        let place = self.shared.claim_pin(self.current().number)?;
        Some(Pin { shared: self.shared.clone(), version: self.version, place })
    }
}

impl<M> Drop for TreeReader<M> {
    fn drop(&mut self) {
        self.position.0.store(POSITION_GONE, Ordering::Release);
    }
}

/// Keeps one version alive until it is dropped: for snapshots and long replies.
pub struct Pin<M> {
    shared: Arc<Shared<M>>,
    version: NonNull<Version<M>>,
    place: usize,
}

// SAFETY: as for `TreeReader`.
unsafe impl<M: Send + Sync> Send for Pin<M> {}
// SAFETY: a pin hands out shared views only.
unsafe impl<M: Send + Sync> Sync for Pin<M> {}

impl<M> Pin<M> {
    /// A pin whose place in the list is already taken, on a version that was alive then.
    pub(super) fn new(shared: Arc<Shared<M>>, version: NonNull<Version<M>>, place: usize) -> Self {
        Self { shared, version, place }
    }

    /// The tree as of the pinned version.
    pub fn view(&self) -> View<'_, M> {
        // SAFETY: the pin keeps it alive, and versions are only ever shared.
        View { version: unsafe { self.version.as_ref() }, shared: &self.shared }
    }

    /// Turns the pin into a walk over all records that can be stopped and resumed.
    pub fn walk(self) -> PinnedWalk<M> {
        let cursor = Cursor::new(self.view().version.state.root);
        PinnedWalk { pin: self, cursor }
    }

    /// Turns the pin into such a walk over the children of `parent`.
    pub fn walk_children(self, parent: &[u8]) -> PinnedChildren<M> {
        let parent = if parent == b"/" { b"" } else { parent };
        let bits = self.shared.hasher.parent_bits(parent);
        let cursor = Cursor::children(self.view().version.state.root, bits);
        PinnedChildren { walk: PinnedWalk { pin: self, cursor }, parent: parent.into() }
    }
}

impl<M> Drop for Pin<M> {
    fn drop(&mut self) {
        self.shared.pins[self.place].store(0, Ordering::Release);
    }
}

/// A walk over a pinned version, in the trie's order, a record at a time.
pub struct PinnedWalk<M> {
    pin: Pin<M>,
    cursor: Cursor,
}

// SAFETY: the cursor points into the version that the pin keeps alive, and is read only.
unsafe impl<M: Send + Sync> Send for PinnedWalk<M> {}

impl<M> PinnedWalk<M> {
    /// The next record.
    #[inline]
    pub fn next_record(&mut self) -> Option<NodeRecord<'_>> {
        self.cursor.next().map(TrieEntry::as_record)
    }

    /// The pinned version.
    pub fn view(&self) -> View<'_, M> {
        self.pin.view()
    }
}

/// A walk over the children of a node of a pinned version, in no order that clients could rely on.
pub struct PinnedChildren<M> {
    walk: PinnedWalk<M>,
    parent: Box<[u8]>,
}

impl<M> PinnedChildren<M> {
    /// The name of the next child.
    #[inline]
    pub fn next_name(&mut self) -> Option<&[u8]> {
        loop {
            let record = self.walk.cursor.next()?.as_record();
            if let Some(name) = child_name(record.path(), &self.parent) {
                return Some(name);
            }
        }
    }
}

/// The tree as of one version. Records borrow from it; reading touches no shared line.
pub struct View<'a, M> {
    version: &'a Version<M>,
    shared: &'a Shared<M>,
}

impl<M> Clone for View<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for View<'_, M> {}

impl<'a, M> View<'a, M> {
    /// The version's number.
    pub fn number(self) -> VersionNumber {
        VersionNumber(self.version.number)
    }

    /// Count of nodes, the root included.
    pub fn node_count(self) -> u64 {
        self.version.state.node_count
    }

    /// Sum of the lengths of all paths and data, in bytes.
    pub fn data_bytes(self) -> u64 {
        self.version.state.data_bytes
    }

    /// The digest over all nodes, as stock computes it.
    pub fn digest(self) -> u64 {
        self.version.state.digest
    }

    /// What else the version holds.
    pub fn meta(self) -> &'a M {
        &self.version.state.meta
    }

    /// The seed that decides the order of records.
    pub fn seed(self) -> TreeSeed {
        self.shared.hasher.seed()
    }

    /// The node at `path`, which begins with a slash.
    #[inline]
    pub fn lookup(self, path: &[u8]) -> Option<NodeRecord<'a>> {
        find(self.version.state.root, self.shared.hasher.key(path), path)
    }

    /// Looks several paths up at once, [`STAGED_MAX`] at a time, with their cache misses
    /// overlapping: three times as fast as one by one in a large tree.
    ///
    /// # Panics
    /// If there are not as many places as paths.
    pub fn lookup_staged(self, paths: &[&[u8]], found: &mut [Option<NodeRecord<'a>>]) {
        assert!(paths.len() == found.len(), "a place for every path");
        for (paths, found) in paths.chunks(STAGED_MAX).zip(found.chunks_mut(STAGED_MAX)) {
            let mut keys = [0; STAGED_MAX];
            let mut entries = [TrieEntry::EMPTY; STAGED_MAX];
            for (key, path) in keys.iter_mut().zip(paths) {
                *key = self.shared.hasher.key(path);
            }
            let (keys, entries) = (&keys[..paths.len()], &mut entries[..paths.len()]);
            descend_staged(self.version.state.root, keys, entries);
            for (((place, entry), key), path) in found.iter_mut().zip(entries).zip(keys).zip(paths)
            {
                *place = find(*entry, *key, path);
            }
        }
    }

    /// The names of the direct children of `path`, in no order that clients could rely on.
    pub fn children(self, path: &[u8], mut each: impl FnMut(&'a [u8])) {
        self.child_records(path, |name, _| each(name));
    }

    /// The direct children of `path`: name and record.
    pub fn child_records(self, path: &[u8], mut each: impl FnMut(&'a [u8], NodeRecord<'a>)) {
        let parent = if path == b"/" { b"" } else { path };
        let bits = self.shared.hasher.parent_bits(parent);
        let mut cursor = Cursor::children(self.version.state.root, bits);
        while let Some(entry) = cursor.next() {
            let record = entry.as_record();
            if let Some(name) = child_name(record.path(), parent) {
                each(name, record);
            }
        }
    }

    /// Count of all nodes below `path`; the walk touches every one of them, except below the root.
    pub fn count_descendants(self, path: &[u8]) -> u64 {
        if path == b"/" {
            return self.node_count().saturating_sub(1);
        }
        let mut count = 0;
        let mut todo = Vec::from_iter(self.lookup(path).map(NodeRecord::path));
        while let Some(parent) = todo.pop() {
            self.child_records(parent, |_, child| {
                count += 1;
                if child.stat().num_children.to_native() != 0 {
                    todo.push(child.path());
                }
            });
        }
        count
    }

    /// All records in the trie's order, which is the order in a snapshot.
    pub fn records(self) -> impl Iterator<Item = NodeRecord<'a>> {
        let mut cursor = Cursor::new(self.version.state.root);
        std::iter::from_fn(move || cursor.next().map(TrieEntry::as_record))
    }
}
