//! Versions of the tree, and the positions in which their users publish which one they use.

use super::entry::TrieEntry;
use super::image::Images;
use super::key::KeyHasher;
use super::retire::DeadList;
use super::slab::Slab;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The position of a version in the tree's history: grows from version to version, with gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionNumber(pub(super) u64);

/// The state of the tree in a version; the head has the same.
#[derive(Clone)]
pub(super) struct VersionState<M> {
    pub(super) root: TrieEntry,
    pub(super) node_count: u64,
    pub(super) data_bytes: u64,
    pub(super) digest: u64,
    pub(super) meta: M,
}

/// A sealed state of the tree.
///
/// Lives in: a box that the writer makes, readers borrow and the writer frees.
pub(super) struct Version<M> {
    pub(super) number: u64,
    pub(super) state: VersionState<M>,
    /// The version sealed after this one. Readers follow it only up to the published one.
    pub(super) next: AtomicPtr<Self>,
}

// SAFETY: a version is immutable except for its atomic, and what its root reaches is unchanged
// while it is used; only its meta requires more.
unsafe impl<M: Sync> Sync for Version<M> {}

impl<M> Version<M> {
    pub(super) fn new(number: u64, state: VersionState<M>) -> Self {
        Self { number, state, next: AtomicPtr::new(null_mut()) }
    }
}

/// How many versions can be pinned at a time.
pub const PINS_MAX: usize = 64;

/// What a writer and its readers share.
pub(super) struct Shared<M> {
    pub(super) hasher: KeyHasher,
    /// The newest version that readers may use.
    pub(super) published: AtomicPtr<Version<M>>,
    /// Numbers of pinned versions, 0 where a place is free.
    pub(super) pins: [AtomicU64; PINS_MAX],
    /// The tree's memory once its writer was dropped: it outlives the last reader.
    pub(super) remains: Mutex<Option<Memory<M>>>,
}

impl<M> Shared<M> {
    /// Takes a place for a pin on a version that the caller keeps alive meanwhile.
    pub(super) fn claim_pin(&self, number: u64) -> Option<usize> {
        // Release: a writer that sees the caller leave the version later sees the pin, too.
        self.pins.iter().position(|pin| {
            pin.load(Ordering::Relaxed) == 0
                && pin.compare_exchange(0, number, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }
}

/// Where one reader publishes which version it uses. Alone in its cache lines.
#[repr(align(128))]
pub(super) struct ReaderPosition(pub(super) AtomicU64);

/// The position of a reader that was dropped.
pub(super) const POSITION_GONE: u64 = u64::MAX;

/// All memory that versions reach.
pub(super) struct Memory<M> {
    pub(super) slab: Slab,
    pub(super) images: Images,
    /// Every version that has not been freed, oldest first, with what it alone keeps alive.
    pub(super) versions: VecDeque<Kept<M>>,
    /// Boxes of freed versions, for the next ones.
    spare: Vec<Box<MaybeUninit<Version<M>>>>,
    spare_lists: Vec<DeadList>,
}

// SAFETY: versions and blocks are owned by this, wherever it is moved; only the metas require more.
unsafe impl<M: Send> Send for Memory<M> {}

/// A version that has not been freed.
pub(super) struct Kept<M> {
    pub(super) version: NonNull<Version<M>>,
    /// What was replaced since, and which this is the newest version to see.
    pub(super) dead: DeadList,
}

impl<M> Kept<M> {
    /// The version, which lives as long as this is listed.
    pub(super) fn version(&self) -> &Version<M> {
        // SAFETY: listed versions are alive, and only ever shared.
        unsafe { self.version.as_ref() }
    }
}

impl<M> Memory<M> {
    pub(super) fn new(slab: Slab, images: Images) -> Self {
        let (versions, spare, spare_lists) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { slab, images, versions, spare, spare_lists }
    }

    /// Puts a version into a box and into the list.
    pub(super) fn keep(&mut self, version: Version<M>) -> NonNull<Version<M>> {
        let mut place = self.spare.pop().unwrap_or_else(Box::new_uninit);
        place.write(version);
        // SAFETY: written just now.
        let version = unsafe { place.assume_init() };
        let version = NonNull::from(Box::leak(version));
        let dead = self.spare_lists.pop().unwrap_or_default();
        self.versions.push_back(Kept { version, dead });
        version
    }

    /// Frees a version that was taken off the list, and whose dead entries are processed.
    ///
    /// # Safety
    /// It is no longer in use.
    pub(super) unsafe fn discard(&mut self, Kept { version, dead }: Kept<M>) {
        // SAFETY: made by `keep` and leaked there; no one else has it now.
        let mut version =
            unsafe { Box::from_raw(version.as_ptr().cast::<MaybeUninit<Version<M>>>()) };
        // SAFETY: initialised by `keep`, dropped only here.
        unsafe { version.assume_init_drop() };
        if self.spare.len() < PINS_MAX {
            self.spare.push(version);
            self.spare_lists.push(dead);
        }
    }
}

impl<M> Drop for Memory<M> {
    fn drop(&mut self) {
        while let Some(kept) = self.versions.pop_front() {
            // SAFETY: the last user of the memory drops it.
            unsafe { self.discard(kept) };
        }
    }
}
