//! A node as it lies in memory and in a snapshot: one block, read in place.
//!
//! ```text
//! offset  bytes  what
//!      0      8  birth: the batch that made the block, native order, 48 bits; 0 in a snapshot
//!      8     68  Stat, byte for byte the wire's
//!     76      4  crc32 of path ("" for the root) and data, big-endian, as all that follows
//!     80      4  ACL number
//!     84      4  shape: bits 0..24 length of the path, then the flags below
//!     88      p  path
//!   88+p    0|8  raw owner, if it is neither the Stat's owner nor a container's
//!      .    n|8  data of Stat.data_length bytes, or the native address of its own block
//! ```
//!
//! The 80 bytes after the birth are an rkyv archive of alignment 1. The counter that names
//! sequential children is not stored: clients see `2 * stored - num_children`, so it follows from
//! the Stat except for its top bit, which is a flag. Data above [`DATA_INLINE_MAX`] lies in a block
//! of its own that successive records of a node share; in a snapshot it is always inline.
//!
//! **Invariant**: the caller that makes a [`NodeRecord`] from a raw address guarantees that the
//! block was written by [`Draft::write_to`] or passed [`NodeRecord::parse`], and stays unchanged
//! for the lifetime (guard: Miri over the tests of `engine::tree`).

mod draft;

use crate::stat::{ArchivedStat, STAT_BYTES, Stat};
pub use draft::{DataBlock, Draft, DraftData};
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Bytes of the birth before every block.
pub const BIRTH_BYTES: usize = 8;
/// Bytes of a record's fixed part after the birth.
pub const HEAD_BYTES: usize = 80;
/// The longest data that lies in the record itself.
pub const DATA_INLINE_MAX: usize = 1024;
/// The longest path that a record can hold.
pub const PATH_BYTES_MAX: usize = SHAPE_PATH as usize;
/// Births are numbers of 48 bits.
pub const BIRTH_MAX: u64 = (1 << 48) - 1;

/// Where the path lies in a block, right behind its length.
pub const PATH_OFFSET: usize = BIRTH_BYTES + HEAD_BYTES;
const SHAPE_PATH: u32 = (1 << 24) - 1;
const SHAPE_NULL: u32 = 1 << 24;
const SHAPE_DETACHED: u32 = 1 << 25;
const SHAPE_CONTAINER: u32 = 1 << 26;
const SHAPE_RAW_OWNER: u32 = 1 << 27;
const SHAPE_CVERSION_TOP: u32 = 1 << 28;
const SHAPE_UNUSED: u32 = !0 << 29;
const OWNER_CONTAINER: i64 = i64::MIN;
/// Nodes below this path do not count in the digest, as stock has it.
const DIGEST_EXEMPT: &[u8] = b"/zookeeper/";
const DIGEST_STAT_BYTES: usize = 60;

/// The fixed part of a record.
#[derive(rkyv::Archive)]
#[expect(dead_code, reason = "only its archived form is ever made")]
struct RecordHead {
    stat: Stat,
    crc: u32,
    acl: u32,
    shape: u32,
}

const _: () = assert!(size_of::<ArchivedRecordHead>() == HEAD_BYTES);
const _: () = assert!(align_of::<ArchivedRecordHead>() == 1);
const _: () = assert!(std::mem::offset_of!(ArchivedRecordHead, stat) == 0);
const _: () = assert!(std::mem::offset_of!(ArchivedRecordHead, crc) == STAT_BYTES);
const _: () = assert!(std::mem::offset_of!(ArchivedRecordHead, shape) == HEAD_BYTES - 4);
const _: () = assert!(std::mem::offset_of!(ArchivedStat, cversion) == 36);
const _: () = assert!(std::mem::offset_of!(ArchivedStat, pzxid) == 60);

/// A borrowed node: every reading is of the block itself, nothing is decoded ahead.
///
/// Lives in: a view of the tree, or an image of a snapshot.
#[derive(Clone, Copy)]
pub struct NodeRecord<'a> {
    at: NonNull<u8>,
    block: PhantomData<&'a [u8]>,
}

// SAFETY: a record is a shared borrow of bytes that do not change during 'a.
unsafe impl Send for NodeRecord<'_> {}
// SAFETY: as above.
unsafe impl Sync for NodeRecord<'_> {}

impl<'a> NodeRecord<'a> {
    /// The record whose block starts at `at`.
    ///
    /// # Safety
    /// A whole record lies there and is not written to during `'a`; if its data is detached, so
    /// does that block.
    #[inline]
    pub unsafe fn from_raw(at: NonNull<u8>) -> Self {
        Self { at, block: PhantomData }
    }

    /// Where the block starts.
    #[inline]
    pub fn as_raw(self) -> NonNull<u8> {
        self.at
    }

    #[inline]
    fn head(self) -> &'a ArchivedRecordHead {
        // SAFETY: a record has its whole head, of alignment 1, and is unchanged during 'a.
        unsafe { self.at.add(BIRTH_BYTES).cast::<ArchivedRecordHead>().as_ref() }
    }

    #[inline]
    fn bytes(self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: callers pass ranges that the head announces, which lie in the block.
        unsafe { std::slice::from_raw_parts(self.at.add(offset).as_ptr(), len) }
    }

    #[inline]
    fn shape(self) -> u32 {
        self.head().shape.to_native()
    }

    /// The batch that made this block; 0 for a record of an image.
    #[inline]
    pub fn birth(self) -> u64 {
        // SAFETY: every block starts with its birth; images may be unaligned.
        unsafe { self.at.cast::<u64>().read_unaligned() & BIRTH_MAX }
    }

    /// The Stat that clients see.
    #[inline]
    pub fn stat(self) -> &'a ArchivedStat {
        &self.head().stat
    }

    /// The Stat as it goes on the wire.
    #[inline]
    pub fn stat_bytes(self) -> &'a [u8; STAT_BYTES] {
        // SAFETY: the head starts with the Stat: 68 bytes without padding.
        unsafe { self.at.add(BIRTH_BYTES).cast::<[u8; STAT_BYTES]>().as_ref() }
    }

    /// The Stat in native numbers.
    pub fn stat_native(self) -> Stat {
        let stat = self.stat();
        Stat {
            czxid: stat.czxid.to_native(),
            mzxid: stat.mzxid.to_native(),
            ctime: stat.ctime.to_native(),
            mtime: stat.mtime.to_native(),
            version: stat.version.to_native(),
            cversion: stat.cversion.to_native(),
            aversion: stat.aversion.to_native(),
            ephemeral_owner: stat.ephemeral_owner.to_native(),
            data_length: stat.data_length.to_native(),
            num_children: stat.num_children.to_native(),
            pzxid: stat.pzxid.to_native(),
        }
    }

    /// The whole path.
    #[inline]
    pub fn path(self) -> &'a [u8] {
        self.bytes(PATH_OFFSET, (self.shape() & SHAPE_PATH) as usize)
    }

    /// The data; `None` is null, which is not the same as empty.
    #[inline]
    pub fn data(self) -> Option<&'a [u8]> {
        let shape = self.shape();
        if shape & SHAPE_NULL != 0 {
            return None;
        }
        if shape & SHAPE_DETACHED != 0 {
            // SAFETY: a detached record keeps its data block valid during 'a.
            return self.data_block().map(|block| unsafe { block.bytes() });
        }
        Some(self.bytes(tail_offset(shape), self.data_bytes()))
    }

    #[inline]
    fn data_bytes(self) -> usize {
        self.stat().data_length.to_native() as usize
    }

    /// The block of its own in which the data lies, if it does.
    #[inline]
    pub fn data_block(self) -> Option<DataBlock> {
        let shape = self.shape();
        (shape & SHAPE_DETACHED != 0).then(|| {
            // SAFETY: a detached record has the address of its data there, unaligned.
            let at = unsafe { self.at.add(tail_offset(shape)).cast::<NonNull<u8>>() };
            // SAFETY: as above.
            DataBlock(unsafe { at.read_unaligned() })
        })
    }

    /// The number of its ACL in the table.
    #[inline]
    pub fn acl(self) -> u32 {
        self.head().acl.to_native()
    }

    /// Creates of direct children so far: the number of the next sequential child.
    #[inline]
    pub fn stored_cversion(self) -> i32 {
        let stat = self.stat();
        let doubled = stat.cversion.to_native().wrapping_add(stat.num_children.to_native());
        let top = u32::from(self.shape() & SHAPE_CVERSION_TOP != 0) << 31;
        ((doubled as u32 >> 1) | top) as i32
    }

    /// The owner as stock's snapshot and digest have it: a session, a container's or a TTL's mark.
    #[inline]
    pub fn owner_raw(self) -> i64 {
        let shape = self.shape();
        if shape & SHAPE_CONTAINER != 0 {
            return OWNER_CONTAINER;
        }
        if shape & SHAPE_RAW_OWNER == 0 {
            return self.stat().ephemeral_owner.to_native();
        }
        let at = PATH_OFFSET + (shape & SHAPE_PATH) as usize;
        i64::from_be_bytes(self.bytes(at, 8).try_into().expect("eight bytes were asked for"))
    }

    /// The crc32 of path and data.
    #[inline]
    pub fn crc(self) -> u32 {
        self.head().crc.to_native()
    }

    /// What this node adds to the tree's digest; the data is not read.
    pub fn digest(self) -> u64 {
        if self.path().starts_with(DIGEST_EXEMPT) {
            return 0;
        }
        let stat = self.stat_bytes();
        let mut tail = [0; DIGEST_STAT_BYTES];
        tail[..16].copy_from_slice(&stat[..16]);
        tail[16..24].copy_from_slice(&stat[60..]);
        tail[24..44].copy_from_slice(&stat[16..36]);
        tail[44..48].copy_from_slice(&self.stored_cversion().to_be_bytes());
        tail[48..52].copy_from_slice(&stat[40..44]);
        tail[52..].copy_from_slice(&self.owner_raw().to_be_bytes());
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc());
        hasher.update(&tail);
        u64::from(hasher.finalize())
    }

    /// Length of the block in memory, in bytes, without the data's own block.
    #[inline]
    pub fn block_bytes(self) -> usize {
        let shape = self.shape();
        let data = if shape & SHAPE_DETACHED != 0 { size_of::<usize>() } else { self.data_bytes() };
        tail_offset(shape) + data
    }

    /// Length of the record in a snapshot, data inline, a multiple of 8.
    pub fn archive_bytes(self) -> usize {
        (tail_offset(self.shape()) + self.data_bytes()).next_multiple_of(8)
    }

    /// Appends the record as it goes into a snapshot: birth 0, data inline, zeros up to a multiple
    /// of 8. The same node gives the same bytes on every server.
    pub fn append_archive(self, out: &mut Vec<u8>) {
        let end = out.len() + self.archive_bytes();
        out.reserve(end - out.len());
        out.extend_from_slice(&[0; BIRTH_BYTES]);
        out.extend_from_slice(self.bytes(BIRTH_BYTES, HEAD_BYTES - 4));
        out.extend_from_slice(&(self.shape() & !SHAPE_DETACHED).to_be_bytes());
        out.extend_from_slice(self.bytes(PATH_OFFSET, tail_offset(self.shape()) - PATH_OFFSET));
        out.extend_from_slice(self.data().unwrap_or_default());
        out.resize(end, 0);
    }

    /// The record at the start of `bytes`, as [`Self::append_archive`] wrote it.
    ///
    /// # Errors
    /// Says what is wrong with the bytes: they may come from anywhere.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() < PATH_OFFSET {
            return Err(RecordError::Short { needed: PATH_OFFSET, found: bytes.len() });
        }
        // SAFETY: at least the fixed part lies there; no more is read before the length is checked.
        let record = unsafe { Self::from_raw(NonNull::from(bytes).cast()) };
        let shape = record.shape();
        let data_length = record.stat().data_length.to_native();
        let is_null = shape & SHAPE_NULL != 0;
        let two_owners = SHAPE_CONTAINER | SHAPE_RAW_OWNER;
        if shape & (SHAPE_UNUSED | SHAPE_DETACHED) != 0 || shape & two_owners == two_owners {
            return Err(RecordError::Shape(shape));
        }
        if record.birth() != 0 || data_length < 0 || (is_null && data_length != 0) {
            return Err(RecordError::Lengths { data_length });
        }
        let needed = record.archive_bytes();
        if bytes.len() < needed {
            return Err(RecordError::Short { needed, found: bytes.len() });
        }
        if !record.path().starts_with(b"/") {
            return Err(RecordError::Path);
        }
        Ok(record)
    }
}

impl fmt::Debug for NodeRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeRecord")
            .field("path", &String::from_utf8_lossy(self.path()))
            .field("stat", &self.stat_native())
            .field("acl", &self.acl())
            .field("data", &self.data().map(<[u8]>::len))
            .finish()
    }
}

/// What is wrong with the bytes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The record extends past the end.
    Short {
        /// Bytes it announces.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Flags that no record in a snapshot may have.
    Shape(u32),
    /// A birth, or a length of data, that no record in a snapshot may have.
    Lengths {
        /// The length that the Stat announces.
        data_length: i32,
    },
    /// The path does not begin with a slash.
    Path,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, found } => {
                write!(f, "a record of {needed} bytes where {found} are left")
            }
            Self::Shape(shape) => write!(f, "a record of shape {shape:#x}"),
            Self::Lengths { data_length } => {
                write!(f, "a record with a birth or with {data_length} bytes of data")
            }
            Self::Path => f.write_str("a record whose path has no slash in front"),
        }
    }
}

impl std::error::Error for RecordError {}

/// Where the data (or its address) starts.
#[inline]
fn tail_offset(shape: u32) -> usize {
    let owner = if shape & SHAPE_RAW_OWNER == 0 { 0 } else { 8 };
    PATH_OFFSET + (shape & SHAPE_PATH) as usize + owner
}

#[cfg(test)]
mod tests;
