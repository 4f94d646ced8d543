//! The provided receive buffers: the kernel takes one for each piece it receives.

use crate::{Errno, RingError};
use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The only buffer group of a ring.
pub(crate) const GROUP: u16 = 0;

const PAGE_BYTES: usize = 4_096;

/// Lives in: the ring. Its life: mapped, registered, unmapped after the last operation.
///
/// Invariant: a buffer is either in the kernel's ring (given back and published), or being read
/// by a closure of `completions`, or given back and not yet published.
pub(crate) struct ReceiveBuffers {
    map: NonNull<BufRingEntry>,
    map_bytes: usize,
    /// Where the buffers start in `map`; the entries of the ring come first, page aligned.
    offset: usize,
    count: u16,
    buffer_bytes: usize,
    tail: u16,
    published: u16,
    leaked: bool,
}

impl ReceiveBuffers {
    /// # Panics
    /// If `count` is not a power of two, or either number is 0.
    pub(crate) fn new(count: u16, buffer_bytes: u32) -> Result<Self, RingError> {
        assert!(count.is_power_of_two() && buffer_bytes > 0);
        let entries_bytes = count as usize * size_of::<BufRingEntry>();
        let offset = entries_bytes.next_multiple_of(PAGE_BYTES);
        let buffer_bytes = buffer_bytes as usize;
        let map_bytes = offset + count as usize * buffer_bytes;
        let length = NonZeroUsize::new(map_bytes).expect("a map has at least a page");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new private mapping at an address of the kernel's choice aliases nothing.
        let map = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE) }
            .map_err(RingError::of_setup)?;
        let map = map.cast();
        let (tail, published, leaked) = (0, 0, false);
        let mut buffers =
            Self { map, map_bytes, offset, count, buffer_bytes, tail, published, leaked };
        for id in 0..count {
            buffers.give_back(id);
        }
        Ok(buffers)
    }

    pub(crate) fn register(&mut self, submitter: &Submitter<'_>) -> Result<(), RingError> {
        let address = self.map.as_ptr() as u64;
        // SAFETY: the mapping holds `count` zeroed entries and lives until the ring has drained.
        unsafe { submitter.register_buf_ring_with_flags(address, self.count, GROUP, 0) }.map_err(
            |error| match crate::setup::errno_of(&error) {
                Errno::EINVAL => RingError::KernelTooOld,
                errno => RingError::of_setup(errno),
            },
        )?;
        self.publish();
        Ok(())
    }

    fn bytes_ptr(&self) -> *mut u8 {
        self.map.as_ptr().cast()
    }

    /// The first `len` bytes of a buffer that the kernel has just filled.
    ///
    /// # Panics
    /// If there is no such buffer, or it is shorter.
    pub(crate) fn bytes(&self, id: u16, len: usize) -> &[u8] {
        assert!(id < self.count && len <= self.buffer_bytes);
        // SAFETY: in bounds as asserted; initialised, since the mapping began as zeros; the kernel
        // does not write to it until it is given back, which needs `&mut self`.
        unsafe {
            let start = self.bytes_ptr().add(self.offset + id as usize * self.buffer_bytes);
            std::slice::from_raw_parts(start, len)
        }
    }

    /// Puts a buffer at the tail; the kernel sees it after the next `publish`.
    pub(crate) fn give_back(&mut self, id: u16) {
        assert!(id < self.count);
        let index = (self.tail & (self.count - 1)) as usize;
        let start = self.offset + id as usize * self.buffer_bytes;
        // SAFETY: both the entry and the buffer lie in the mapping; the kernel does not read an
        // entry at or past the published tail. The fields set do not include the shared tail.
        unsafe {
            let entry = &mut *self.map.as_ptr().add(index);
            entry.set_addr(self.bytes_ptr().add(start) as u64);
            entry.set_len(self.buffer_bytes as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel all buffers given back: one store, once a turn.
    pub(crate) fn publish(&mut self) {
        if self.tail == self.published {
            return;
        }
        // SAFETY: the tail lies in the reserved field of the first entry, is aligned, and is
        // shared with the kernel only.
        unsafe {
            let tail = BufRingEntry::tail(self.map.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
        self.published = self.tail;
    }

    /// Never unmap: the kernel may still write here.
    pub(crate) fn leak(&mut self) {
        self.leaked = true;
    }
}

impl Drop for ReceiveBuffers {
    fn drop(&mut self) {
        if !self.leaked {
            // SAFETY: our own mapping; the ring has drained, so the kernel fills nothing here.
            let unmapped = unsafe { munmap(self.map.cast(), self.map_bytes) };
            debug_assert!(unmapped.is_ok());
        }
    }
}
