//! Anonymous memory on huge pages, for images of snapshots; advice about pages of others.

use std::ffi::c_void;
use std::fmt;
use std::num::NonZeroUsize;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use nix::libc::{MPOL_PREFERRED, SYS_set_mempolicy, c_ulong, syscall};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::background::give_way;
use crate::error::{Cause, DiskError, Operation};
use crate::limits::{HUGE_PAGE_BYTES, NODES_MAX, POPULATE_REQUESTS_MAX, block_align_up};

/// A zeroed region of anonymous memory, aligned to 2 MiB unless it was split off another, on huge
/// pages where the kernel has them.
///
/// Anonymous on purpose: in a mapped file a bad sector would be a SIGBUS instead of an error.
pub struct HugeBuf {
    start: NonNull<u8>,
    len: usize,
    mapped_bytes: usize,
}

// SAFETY: the region belongs to this value alone; it is plain memory without interior mutability.
unsafe impl Send for HugeBuf {}
// SAFETY: as above: shared references only read.
unsafe impl Sync for HugeBuf {}

impl HugeBuf {
    /// Maps a region for `bytes` (at least one). Pages are allocated as they are touched.
    pub fn new(bytes: usize) -> Result<Self, DiskError> {
        let failed =
            |errno| DiskError::new(Operation::Map, "(memory)".as_ref(), Cause::Errno(errno as i32));
        let mapped_bytes = bytes.max(1).next_multiple_of(HUGE_PAGE_BYTES);
        // One page more than needed, so that an aligned start lies inside.
        let asked_bytes = NonZeroUsize::new(mapped_bytes + HUGE_PAGE_BYTES).expect("not zero");
        // SAFETY: a new private anonymous mapping at an address of the kernel's choice.
        let base = unsafe {
            mmap_anonymous(
                None,
                asked_bytes,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE,
            )
        }
        .map_err(failed)?;
        let lead_bytes = base.as_ptr().cast::<u8>().align_offset(HUGE_PAGE_BYTES);
        assert!(lead_bytes < HUGE_PAGE_BYTES, "the kernel gave an address without alignment");
        // SAFETY: `lead_bytes` is below one huge page, which was requested in addition, so both
        // ends of the region lie inside the mapping.
        let start = unsafe { base.cast::<u8>().add(lead_bytes) };
        // SAFETY: the slices cut off here lie inside the mapping, are page-aligned, and no
        // reference to them exists.
        unsafe {
            if lead_bytes > 0 {
                munmap(base, lead_bytes).map_err(failed)?;
            }
            munmap(start.add(mapped_bytes).cast::<c_void>(), HUGE_PAGE_BYTES - lead_bytes)
                .map_err(failed)?;
            // A kernel without huge pages refuses the advice; the region works all the same.
            let _ = madvise(start.cast::<c_void>(), mapped_bytes, MmapAdvise::MADV_HUGEPAGE);
        }
        Ok(Self { start, len: bytes, mapped_bytes })
    }

    /// Splits off the first `bytes` as a region of their own, which is returned to the kernel
    /// separately. What follows begins at the next page.
    ///
    /// # Panics
    /// If fewer are left.
    #[must_use]
    pub fn split_front(&mut self, bytes: usize) -> Self {
        assert!(0 < bytes && bytes <= self.len, "{bytes} bytes off {}", self.len);
        let taken_bytes = block_align_up(bytes).min(self.mapped_bytes);
        let front = Self { start: self.start, len: bytes, mapped_bytes: taken_bytes };
        // SAFETY: `taken_bytes` lie inside the mapping; its end is an address as well.
        self.start = unsafe { self.start.add(taken_bytes) };
        self.len = self.len.saturating_sub(taken_bytes);
        self.mapped_bytes -= taken_bytes;
        front
    }

    /// How many bytes were requested.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it was made for no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The content, to be filled.
    pub const fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `len <= mapped_bytes` bytes are mapped, zero or written, and `self` is borrowed
        // exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for HugeBuf {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: as in `as_mut_slice`, borrowed shared.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl AsMut<[u8]> for HugeBuf {
    fn as_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl Drop for HugeBuf {
    fn drop(&mut self) {
        if self.mapped_bytes == 0 {
            return;
        }
        // SAFETY: the region was mapped in `new`, its borrows have ended with `self`, and it is
        // unmapped only here.
        let unmapped = unsafe { munmap(self.start.cast::<c_void>(), self.mapped_bytes) };
        assert!(unmapped.is_ok(), "unmapping our own region failed");
    }
}

impl fmt::Debug for HugeBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HugeBuf").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Returns the pages of memory to the kernel; when touched again, they are zeros.
///
/// # Safety
/// The memory belongs to the caller, whole pages of an anonymous mapping or of the heap, and
/// nothing in it is needed any more.
pub unsafe fn give_back(start: *mut u8, bytes: usize) {
    let Some(start) = NonNull::new(start) else { return };
    // SAFETY: the caller's promise. A kernel that refuses leaves the memory as it is.
    let _ = unsafe { madvise(start.cast::<c_void>(), bytes, MmapAdvise::MADV_DONTNEED) };
}

/// Where requests to allocate pages go; nowhere before [`start_populating`].
static POPULATING: OnceLock<SyncSender<(usize, usize)>> = OnceLock::new();

/// Starts the thread `rk-pages`, which lives as long as the process; [`populate`] does nothing
/// before. It may run where the calling thread may, and the pages are of the memory node `node`, if
/// that has some, wherever it runs. A second call does nothing.
pub fn start_populating(node: Option<u32>) {
    let (sender, requests) = mpsc::sync_channel(POPULATE_REQUESTS_MAX);
    if POPULATING.set(sender).is_err() {
        return;
    }
    let serve = move || {
        give_way();
        if let Some(node) = node {
            prefer(node);
        }
        while let Ok((start, bytes)) = requests.recv() {
            let start: *mut c_void = ptr::with_exposed_provenance_mut(start);
            let Some(start) = NonNull::new(start) else { continue };
            // SAFETY: this advice allocates pages and changes no content, whoever owns them by now;
            // an address that is not mapped is an error, which does not matter here.
            let _ = unsafe { madvise(start, bytes, MmapAdvise::MADV_POPULATE_WRITE) };
        }
    };
    // Without the thread whoever touches a page waits for it, as without huge pages.
    let _ = thread::Builder::new().name("rk-pages".to_owned()).spawn(serve);
}

/// Pages that the calling thread allocates are of this memory node, if that has some. A hint: where
/// the kernel knows no nodes they are as near as any.
fn prefer(node: u32) {
    let mut nodes: [c_ulong; NODES_MAX / c_ulong::BITS as usize] = Default::default();
    let Some(word) = nodes.get_mut((node / c_ulong::BITS) as usize) else { return };
    *word |= 1 << (node % c_ulong::BITS);
    // SAFETY: the kernel reads a mask of so many bits, which lives until the call returns.
    let _ = unsafe { syscall(SYS_set_mempolicy, MPOL_PREFERRED, nodes.as_ptr(), NODES_MAX) };
}

/// Has pages allocated on another thread, so that whoever touches them first does not wait until
/// they are zeros: some 0.1 ms for a huge one, some ms in a virtual machine. Their content stays as
/// it is. Returns at once; who is far behind is not asked.
pub fn populate(start: *mut u8, bytes: usize) {
    if let Some(requests) = POPULATING.get() {
        let _ = requests.try_send((start.expose_provenance(), bytes));
    }
}

/// Asks the kernel to back memory with huge pages. A hint: nothing depends on it.
pub fn advise_huge(start: *mut u8, bytes: usize) {
    let Some(start) = NonNull::new(start) else { return };
    // SAFETY: this advice changes how memory is backed, never its content, regardless of its owner;
    // an address that is not mapped is an error, which does not matter here.
    let _ = unsafe { madvise(start.cast::<c_void>(), bytes, MmapAdvise::MADV_HUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_aligned_and_zeroed_and_keeps_what_is_written() {
        let mut region = HugeBuf::new(HUGE_PAGE_BYTES + 5).unwrap();
        assert_eq!(region.as_ref().as_ptr() as usize % HUGE_PAGE_BYTES, 0);
        assert_eq!((region.len(), region.mapped_bytes), (HUGE_PAGE_BYTES + 5, 4 << 20));
        assert!(region.as_ref().iter().all(|byte| *byte == 0));
        region.as_mut_slice()[HUGE_PAGE_BYTES + 4] = 9;
        let region = thread::spawn(move || region).join().unwrap();
        assert_eq!(region.as_ref()[HUGE_PAGE_BYTES + 4], 9);
    }

    #[test]
    fn parts_live_and_go_by_themselves() {
        let mut rest = HugeBuf::new(3 * HUGE_PAGE_BYTES).unwrap();
        let start = rest.as_ref().as_ptr();
        let mut first = rest.split_front(5000);
        let mut second = rest.split_front(HUGE_PAGE_BYTES);
        assert_eq!((first.len(), first.mapped_bytes), (5000, 8192));
        assert_eq!(second.as_ref().as_ptr() as usize - start as usize, 8192);
        assert_eq!(rest.len(), 2 * HUGE_PAGE_BYTES - 8192);
        first.as_mut_slice().fill(1);
        second.as_mut_slice().fill(2);
        drop(first);
        rest.as_mut_slice().fill(3);
        assert!(second.as_ref().iter().all(|byte| *byte == 2));
        drop(second);
        let left = rest.len();
        let last = rest.split_front(left);
        assert!(rest.is_empty() && rest.mapped_bytes == 0);
        drop(rest);
        assert!(last.as_ref().iter().all(|byte| *byte == 3));
    }

    /// Whether each page of a region has memory.
    fn resident(region: &[u8]) -> Vec<bool> {
        const UNKNOWN: u8 = 0xff;
        let mut pages = vec![UNKNOWN; region.len() / 4096];
        let start = region.as_ptr().cast_mut().cast();
        // SAFETY: the call writes a byte for each page of the region; none is smaller than 4 KiB.
        let result = unsafe { nix::libc::mincore(start, region.len(), pages.as_mut_ptr()) };
        assert_eq!(result, 0);
        pages.iter().filter(|page| **page != UNKNOWN).map(|page| page & 1 == 1).collect()
    }

    /// The policy of this thread and the first nodes that it names; `None` if the kernel has none.
    fn policy() -> Option<(i32, c_ulong)> {
        let (mut mode, mut nodes) = (0, [0 as c_ulong; NODES_MAX / c_ulong::BITS as usize]);
        let (at, flags): (*const u8, c_ulong) = (ptr::null(), 0);
        // SAFETY: the call writes a number, and a mask of so many bits.
        let result = unsafe {
            let mask = nodes.as_mut_ptr();
            syscall(nix::libc::SYS_get_mempolicy, &raw mut mode, mask, NODES_MAX, at, flags)
        };
        (result == 0).then_some((mode, nodes[0]))
    }

    #[test]
    fn a_thread_prefers_the_memory_of_a_node() {
        let (before, after, unknown) = thread::spawn(|| {
            let before = policy();
            prefer(0);
            let after = policy();
            prefer(u32::MAX);
            (before, after, policy())
        })
        .join()
        .unwrap();
        if before.is_some() {
            assert_eq!((after, unknown), (Some((MPOL_PREFERRED, 1)), Some((MPOL_PREFERRED, 1))));
        }
    }

    #[test]
    fn pages_are_there_before_they_are_touched() {
        let mut region = HugeBuf::new(HUGE_PAGE_BYTES).unwrap();
        let start = region.as_mut_slice().as_mut_ptr();
        assert!(!resident(region.as_ref()).contains(&true));
        start_populating(Some(0));
        start_populating(None);
        populate(ptr::null_mut(), HUGE_PAGE_BYTES);
        populate(start, HUGE_PAGE_BYTES);
        let is_there = || !resident(region.as_ref()).contains(&false);
        let waits = (0..20_000).take_while(|_| !is_there());
        waits.for_each(|_| thread::sleep(std::time::Duration::from_millis(1)));
        assert!(is_there());
        assert!(region.as_ref().iter().all(|byte| *byte == 0));
    }
}
