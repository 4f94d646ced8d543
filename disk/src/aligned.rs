//! An owned buffer that a device may read and write directly.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use ring::StableBuf;

use crate::huge::HugeBuf;
use crate::limits::{BLOCK_BYTES, block_align_up};

/// Bytes at an address that is a multiple of 4 KiB, in whole blocks.
///
/// It never grows in place (its address is given to the kernel); [`AlignedBuf::grown`] is another,
/// larger buffer. Invariant: `len <= capacity`, `capacity` is a multiple of the block, and every
/// byte of the capacity is initialised. The bytes between `len` and the next block boundary are
/// zero when [`AlignedBuf::pad`] has been called last.
pub struct AlignedBuf {
    start: NonNull<u8>,
    len: usize,
    capacity: usize,
    /// The region it lies in; `None` for an allocation of its own.
    region: Option<HugeBuf>,
}

// SAFETY: the buffer owns its allocation alone, as a `Box<[u8]>` would; no thread is special to it.
unsafe impl Send for AlignedBuf {}
// SAFETY: a shared reference only reads, and there is no interior mutability.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// An empty buffer with room for `bytes`, rounded up to whole blocks (at least one).
    pub fn with_capacity(bytes: usize) -> Self {
        let capacity = block_align_up(bytes.max(1));
        let layout = Self::layout(capacity);
        // SAFETY: the layout's size is at least one block, so not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, len: 0, capacity, region: None }
    }

    /// An empty buffer over a region, for reading bytes to where they are to stay. Its length must
    /// be whole blocks.
    ///
    /// # Panics
    /// If it is not.
    pub fn over(mut region: HugeBuf) -> Self {
        let capacity = region.len();
        assert!(capacity > 0 && capacity.is_multiple_of(BLOCK_BYTES), "{capacity} bytes");
        let start = NonNull::from(region.as_mut_slice()).cast();
        Self { start, len: 0, capacity, region: Some(region) }
    }

    /// A buffer of `bytes` zeros.
    pub fn zeroed(bytes: usize) -> Self {
        let mut buffer = Self::with_capacity(bytes);
        buffer.len = bytes;
        buffer
    }

    /// A copy of `bytes`, padded with zeros to whole blocks: `len` counts the padding.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut buffer = Self::with_capacity(bytes.len());
        buffer.extend_from_slice(bytes);
        buffer.pad();
        buffer
    }

    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, BLOCK_BYTES).expect("a capacity below isize::MAX")
    }

    /// How many bytes it can hold without being replaced.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many more bytes it can hold.
    pub const fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// Forgets the content. The bytes themselves stay as they are.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Sets the length; bytes it uncovers hold what was there (never uninitialised).
    ///
    /// # Panics
    /// If `len` is more than the capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity, "length {len} beyond the capacity {}", self.capacity);
        self.len = len;
    }

    /// Appends `bytes`.
    ///
    /// # Panics
    /// If there is no room for them.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.extend_by(bytes.len()).copy_from_slice(bytes);
    }

    /// Appends `count` bytes of arbitrary content and lends them to be filled.
    ///
    /// # Panics
    /// If there is no room for them.
    pub fn extend_by(&mut self, count: usize) -> &mut [u8] {
        assert!(count <= self.room(), "{count} bytes into a room of {}", self.room());
        let old = self.len;
        self.len += count;
        &mut self[old..]
    }

    /// Appends zeros up to the next block boundary.
    pub fn pad(&mut self) {
        let padded = block_align_up(self.len);
        self.extend_by(padded - self.len).fill(0);
    }

    /// A larger buffer with the same content; `self` when it is large enough already.
    #[must_use]
    pub fn grown(self, bytes: usize) -> Self {
        if bytes <= self.capacity {
            return self;
        }
        let mut larger = Self::with_capacity(bytes);
        larger.extend_from_slice(&self);
        larger
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.region.is_some() {
            return;
        }
        // SAFETY: allocated in `with_capacity` with this layout, and freed only here.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.capacity)) }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len <= capacity` bytes from `start` are allocated, or lie in the region, which
        // no one else touches; they are initialised (zeroed at first), and borrowed as long as
        // `self` is.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; the exclusive borrow of `self` makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

// SAFETY: the allocation never moves while the buffer lives, nothing can change `len` while the
// ring owns the buffer, and all of the capacity is initialised.
unsafe impl StableBuf for AlignedBuf {
    fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl AsRef<[u8]> for AlignedBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuf")
            .field("len", &self.len)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_aligned_and_padded() {
        let buffer = AlignedBuf::from_bytes(b"abc");
        assert_eq!(buffer[..].as_ptr() as usize % BLOCK_BYTES, 0);
        assert_eq!(buffer.len(), BLOCK_BYTES);
        assert_eq!(&buffer[..4], b"abc\0");
        assert!(buffer[3..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn padding_overwrites_what_was_there_before() {
        let mut buffer = AlignedBuf::zeroed(BLOCK_BYTES);
        buffer.fill(0xff);
        buffer.clear();
        buffer.extend_from_slice(b"x");
        buffer.pad();
        assert!(buffer[1..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn growing_keeps_the_content() {
        let mut buffer = AlignedBuf::with_capacity(1);
        buffer.extend_from_slice(b"abc");
        let buffer = buffer.grown(3 * BLOCK_BYTES - 1);
        assert_eq!((&buffer[..], buffer.capacity()), (&b"abc"[..], 3 * BLOCK_BYTES));
    }

    #[test]
    #[should_panic(expected = "into a room of")]
    fn it_does_not_overflow() {
        AlignedBuf::with_capacity(1).extend_from_slice(&[0; BLOCK_BYTES + 1]);
    }
}
