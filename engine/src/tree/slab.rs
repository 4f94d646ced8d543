//! Memory for nodes and records: exact sizes, in chunks that return to a common pool.
//!
//! Blocks of one size class fill chunks of 64 KiB. What the slab knows about a chunk is stored
//! apart from it, densely: headers at multiples of 64 KiB would all fall into the same few sets of
//! the processor's cache. A chunk without live blocks returns to the pool and may serve another
//! class, so classes that the tree has outgrown keep nothing. Chunks are cut from aligned regions
//! that can be advised to use huge pages. Of the units without a chunk in use a few are kept; the
//! pages of the others are returned to the kernel. Where the tree grows, the pages of the next unit
//! are asked for while the first chunk of one is taken.
//!
//! Invariant: `live_bytes` is the sum of the rounded sizes of all blocks handed out and not freed
//! (guard: `tests::model`, which deletes everything and expects 0).
//!
//! Lives in: the tree's writer. Readers only ever read blocks.

use super::entry::TrieEntry;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{NonNull, null_mut};

const CHUNK_BYTES: usize = if cfg!(miri) { 1 << 14 } else { 1 << 16 };
/// What regions are aligned to, and multiples of.
const UNIT_BYTES: usize = if cfg!(miri) { 1 << 16 } else { 1 << 21 };
/// Regions grow with the tree, up to this many units.
const REGION_UNITS_MAX: usize = if cfg!(miri) { 2 } else { 16 };
const CHUNKS_PER_UNIT: usize = UNIT_BYTES / CHUNK_BYTES;
const STEP: usize = 8;
/// Sizes up to here have a class every [`STEP`] bytes.
const FINE_MAX: usize = 1024;
const COARSE_STEP: usize = 64;
/// Sizes above this come from the global allocator, one by one.
const SLAB_MAX: usize = 4096;
const FINE_CLASSES: usize = FINE_MAX / STEP;
const CLASSES: usize = FINE_CLASSES + (SLAB_MAX - FINE_MAX) / COARSE_STEP;
const NONE: u32 = u32::MAX;
/// Offsets in a chunk count in [`STEP`]s, so that they fit 16 bits.
const NO_BLOCK: u16 = u16::MAX;

const _: () = assert!(CHUNK_BYTES / STEP < NO_BLOCK as usize);
const _: () = assert!(UNIT_BYTES.is_multiple_of(CHUNK_BYTES));
const _: () =
    assert!(CHUNKS_PER_UNIT <= u8::MAX as usize, "chunks of a unit are counted in a byte");

/// Units without a chunk in use that keep their pages: an eighth of what is in use, and a few.
const IDLE_UNITS_MIN: usize = 4;
const IDLE_SHARE: usize = 8;

/// Advice to the kernel about pages, given by a callback that may make system calls; address and
/// length.
#[derive(Clone, Copy, Debug)]
pub struct Advise {
    /// To make them huge ones; nothing depends on it.
    pub advise_huge: fn(*mut u8, usize),
    /// To take them until they are touched again. Their content is lost.
    pub give_back: unsafe fn(*mut u8, usize),
    /// To have them before they are touched. Returns at once; may be too late, or never happen.
    pub populate: fn(*mut u8, usize),
}

struct Chunk {
    base: *mut u8,
    /// Neighbours in the list of chunks of this class with room.
    next: u32,
    prev: u32,
    /// First free block, in steps from the base; each holds the next one's offset.
    free: u16,
    /// Where blocks that were never handed out begin.
    fresh: u16,
    used: u16,
    class: u16,
}

/// The chunks of a unit in use, and whether it has pages at all.
#[derive(Clone, Copy, Default)]
struct UnitUse {
    chunk_count: u8,
    has_pages: bool,
}

struct Region {
    base: *mut u8,
    layout: Layout,
}

/// The header of a block from the global allocator.
#[repr(C)]
struct Large {
    next: *mut Large,
    prev: *mut Large,
    size: usize,
}

pub(super) struct Slab {
    /// Head of the list of chunks with room, by class.
    with_room: Box<[u32; CLASSES]>,
    chunks: Vec<Chunk>,
    pool: Vec<u32>,
    regions: Vec<Region>,
    units: UnitTable,
    /// By the number of their first chunk.
    unit_uses: Vec<UnitUse>,
    /// Units with pages, and those of them without a chunk in use.
    paged_count: usize,
    idle_count: usize,
    large: *mut Large,
    large_bytes: usize,
    live_bytes: usize,
    advise: Option<Advise>,
}

// SAFETY: the slab owns all memory that it points at, and hands it out only through `&mut self`.
unsafe impl Send for Slab {}

impl Slab {
    pub(super) fn new(advise: Option<Advise>) -> Self {
        Self {
            with_room: Box::new([NONE; CLASSES]),
            chunks: Vec::new(),
            pool: Vec::new(),
            regions: Vec::new(),
            units: UnitTable::new(),
            unit_uses: Vec::new(),
            paged_count: 0,
            idle_count: 0,
            large: null_mut(),
            large_bytes: 0,
            live_bytes: 0,
            advise,
        }
    }

    pub(super) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Bytes taken from the system and not returned: whole units and large blocks.
    pub(super) fn held_bytes(&self) -> usize {
        self.paged_count * UNIT_BYTES + self.large_bytes
    }

    /// Bytes in chunks that serve a class now, and in large blocks.
    pub(super) fn chunk_bytes(&self) -> usize {
        (self.chunks.len() - self.pool.len()) * CHUNK_BYTES + self.large_bytes
    }

    /// Whether blocks of both sizes are equally large once rounded.
    #[inline]
    pub(super) fn is_same_size(one: usize, other: usize) -> bool {
        rounded(one) == rounded(other)
    }

    /// A block of at least `size` bytes, aligned to 8, with undefined contents.
    #[inline]
    pub(super) fn alloc(&mut self, size: usize) -> NonNull<u8> {
        self.live_bytes += rounded(size);
        if size > SLAB_MAX {
            return self.alloc_large(size);
        }
        let class = class_of(size);
        let index = match self.with_room[class] {
            NONE => self.add_chunk(class),
            index => index,
        };
        let chunk = &mut self.chunks[index as usize];
        let steps = class_bytes(class) / STEP;
        let at;
        if chunk.free == NO_BLOCK {
            at = chunk.base.wrapping_add(usize::from(chunk.fresh) * STEP);
            chunk.fresh += steps as u16;
        } else {
            at = chunk.base.wrapping_add(usize::from(chunk.free) * STEP);
            // SAFETY: a free block of this chunk holds the offset of the next one.
            chunk.free = unsafe { at.cast::<u16>().read_unaligned() };
        }
        chunk.used += 1;
        if chunk.free == NO_BLOCK && usize::from(chunk.fresh) + steps > CHUNK_BYTES / STEP {
            self.unlink(index);
        }
        NonNull::new(at).expect("chunks do not lie at address 0")
    }

    /// Takes back a block of [`Self::alloc`].
    ///
    /// # Safety
    /// The block came from this slab with this size, and has no reader any more.
    #[inline]
    pub(super) unsafe fn free(&mut self, at: NonNull<u8>, size: usize) {
        self.live_bytes -= rounded(size);
        if size > SLAB_MAX {
            // SAFETY: blocks of this size came from `alloc_large`.
            return unsafe { self.free_large(at) };
        }
        let at = at.as_ptr();
        let index =
            self.units.first_chunk(at.addr()) + (at.addr() % UNIT_BYTES / CHUNK_BYTES) as u32;
        let chunk = &mut self.chunks[index as usize];
        let class = usize::from(chunk.class);
        debug_assert_eq!(class, class_of(size), "freed with another size");
        let was_full = chunk.free == NO_BLOCK
            && usize::from(chunk.fresh) + class_bytes(class) / STEP > CHUNK_BYTES / STEP;
        // SAFETY: the caller returns the block, so it can hold the free list's link.
        unsafe { at.cast::<u16>().write_unaligned(chunk.free) };
        chunk.free = (at.addr() % CHUNK_BYTES / STEP) as u16;
        chunk.used -= 1;
        if chunk.used == 0 {
            if !was_full {
                self.unlink(index);
            }
            self.pool.push(index);
            self.leave_unit(index as usize / CHUNKS_PER_UNIT);
        } else if was_full {
            self.link(index);
        }
    }

    #[cold]
    fn add_chunk(&mut self, class: usize) -> u32 {
        let index = self.pool.pop().unwrap_or_else(|| {
            self.add_region();
            self.pool.pop().expect("a region has chunks")
        });
        let chunk = &mut self.chunks[index as usize];
        chunk.free = NO_BLOCK;
        chunk.fresh = 0;
        chunk.class = class as u16;
        self.link(index);
        self.enter_unit(index as usize / CHUNKS_PER_UNIT);
        index
    }

    /// A chunk of the unit is taken.
    fn enter_unit(&mut self, number: usize) {
        let unit = &mut self.unit_uses[number];
        let had_pages = std::mem::replace(&mut unit.has_pages, true);
        unit.chunk_count += 1;
        if !had_pages {
            self.paged_count += 1;
            self.populate(number + 1);
        } else if unit.chunk_count == 1 {
            self.idle_count -= 1;
        }
    }

    /// The tree grows, and this unit is next: whoever touches a huge page first waits until it is
    /// all zeros.
    fn populate(&self, number: usize) {
        if let Some(advise) = self.advise
            && self.unit_uses.get(number).is_some_and(|unit| !unit.has_pages)
        {
            (advise.populate)(self.chunks[number * CHUNKS_PER_UNIT].base, UNIT_BYTES);
        }
    }

    /// A chunk of the unit is no longer in use. If it was the last one, the unit's pages may be
    /// released.
    fn leave_unit(&mut self, number: usize) {
        let unit = &mut self.unit_uses[number];
        unit.chunk_count -= 1;
        if unit.chunk_count > 0 {
            return;
        }
        self.idle_count += 1;
        let kept_max = IDLE_UNITS_MIN.max((self.paged_count - self.idle_count) / IDLE_SHARE);
        if let Some(advise) = self.advise
            && self.idle_count > kept_max
        {
            unit.has_pages = false;
            self.idle_count -= 1;
            self.paged_count -= 1;
            // SAFETY: the unit is part of a region of ours, and no block in it is in use.
            unsafe { (advise.give_back)(self.chunks[number * CHUNKS_PER_UNIT].base, UNIT_BYTES) };
        }
    }

    fn add_region(&mut self) {
        let units = (self.regions.len() / 2 + 1).next_power_of_two().min(REGION_UNITS_MAX);
        let layout = Layout::from_size_align(units * UNIT_BYTES, UNIT_BYTES)
            .expect("a few MiB are a layout");
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        TrieEntry::assert_address(base.addr() + layout.size());
        if let Some(advise) = self.advise {
            (advise.advise_huge)(base, layout.size());
        }
        self.unit_uses.resize(self.unit_uses.len() + units, UnitUse::default());
        self.regions.push(Region { base, layout });
        for unit in 0..units {
            let first = self.chunks.len() as u32;
            self.units.insert(base.addr() + unit * UNIT_BYTES, first);
            for chunk in 0..CHUNKS_PER_UNIT {
                let base = base.wrapping_add(unit * UNIT_BYTES + chunk * CHUNK_BYTES);
                let (free, fresh, used, class) = (NO_BLOCK, 0, 0, 0);
                self.chunks.push(Chunk { base, next: NONE, prev: NONE, free, fresh, used, class });
            }
        }
        // The lowest chunk is taken first.
        let first = (self.chunks.len() - units * CHUNKS_PER_UNIT) as u32;
        self.pool.extend((first..self.chunks.len() as u32).rev());
    }

    fn link(&mut self, index: u32) {
        let class = usize::from(self.chunks[index as usize].class);
        let next = std::mem::replace(&mut self.with_room[class], index);
        if next != NONE {
            self.chunks[next as usize].prev = index;
        }
        let chunk = &mut self.chunks[index as usize];
        (chunk.next, chunk.prev) = (next, NONE);
    }

    fn unlink(&mut self, index: u32) {
        let Chunk { next, prev, class, .. } = self.chunks[index as usize];
        if prev == NONE {
            self.with_room[usize::from(class)] = next;
        } else {
            self.chunks[prev as usize].next = next;
        }
        if next != NONE {
            self.chunks[next as usize].prev = prev;
        }
    }

    #[cold]
    fn alloc_large(&mut self, size: usize) -> NonNull<u8> {
        let layout = large_layout(size);
        // SAFETY: the layout is not empty.
        let at = NonNull::new(unsafe { alloc(layout) });
        let at = at.unwrap_or_else(|| handle_alloc_error(layout)).cast::<Large>().as_ptr();
        // SAFETY: a fresh block, large enough for the header and aligned for it; the old head of
        // the list is alive.
        unsafe {
            at.write(Large { next: self.large, prev: null_mut(), size });
            if !self.large.is_null() {
                (*self.large).prev = at;
            }
        }
        TrieEntry::assert_address(at.addr() + layout.size());
        self.large = at;
        self.large_bytes += layout.size();
        // SAFETY: the block continues behind its header.
        NonNull::new(unsafe { at.add(1) }.cast()).expect("allocated")
    }

    /// # Safety
    /// The block came from `alloc_large`, and has no reader any more.
    #[cold]
    unsafe fn free_large(&mut self, at: NonNull<u8>) {
        // SAFETY: the header lies in front, and its neighbours are alive; the layout is that of
        // its allocation.
        unsafe {
            let at = at.cast::<Large>().sub(1).as_ptr();
            let Large { next, prev, size } = at.read();
            if prev.is_null() {
                self.large = next;
            } else {
                (*prev).next = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
            let layout = large_layout(size);
            self.large_bytes -= layout.size();
            dealloc(at.cast(), layout);
        }
    }
}

impl Drop for Slab {
    /// Frees all memory, whatever it still holds.
    fn drop(&mut self) {
        while !self.large.is_null() {
            // SAFETY: the head of the list is alive, and no one else knows the slab.
            unsafe {
                let block = NonNull::new_unchecked(self.large.add(1).cast());
                self.free_large(block);
            }
        }
        for region in &self.regions {
            // SAFETY: allocated in `add_region` with this layout.
            unsafe { dealloc(region.base, region.layout) };
        }
    }
}

#[inline]
fn class_of(size: usize) -> usize {
    if size <= FINE_MAX {
        size.div_ceil(STEP) - 1
    } else {
        FINE_CLASSES + (size - FINE_MAX).div_ceil(COARSE_STEP) - 1
    }
}

#[inline]
fn class_bytes(class: usize) -> usize {
    if class < FINE_CLASSES {
        (class + 1) * STEP
    } else {
        FINE_MAX + (class - FINE_CLASSES + 1) * COARSE_STEP
    }
}

#[inline]
fn rounded(size: usize) -> usize {
    if size <= SLAB_MAX { class_bytes(class_of(size)) } else { size.next_multiple_of(STEP) }
}

fn large_layout(size: usize) -> Layout {
    let size = size.next_multiple_of(STEP) + size_of::<Large>();
    Layout::from_size_align(size, align_of::<Large>()).expect("bounded by the largest request")
}

/// From the address of a unit to its first chunk: open addressing, at most a quarter full.
struct UnitTable {
    slots: Vec<(usize, u32)>,
    count: usize,
}

impl UnitTable {
    fn new() -> Self {
        Self { slots: vec![(0, 0); 16], count: 0 }
    }

    #[inline]
    fn home(&self, unit: usize) -> usize {
        unit.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - self.slots.len().trailing_zeros())
    }

    #[inline]
    fn first_chunk(&self, addr: usize) -> u32 {
        let unit = addr / UNIT_BYTES;
        let mut at = self.home(unit);
        loop {
            let (found, first) = self.slots[at];
            if found == unit {
                return first;
            }
            assert!(found != 0, "a block of another slab");
            at = (at + 1) % self.slots.len();
        }
    }

    fn insert(&mut self, addr: usize, first: u32) {
        self.count += 1;
        if self.count * 4 > self.slots.len() {
            let old = std::mem::take(&mut self.slots);
            self.slots = vec![(0, 0); old.len() * 2];
            for (unit, first) in old.into_iter().filter(|slot| slot.0 != 0) {
                self.place(unit, first);
            }
        }
        self.place(addr / UNIT_BYTES, first);
    }

    fn place(&mut self, unit: usize, first: u32) {
        let mut at = self.home(unit);
        while self.slots[at].0 != 0 {
            at = (at + 1) % self.slots.len();
        }
        self.slots[at] = (unit, first);
    }
}
