//! Writing records: from borrowed fields into a block of exact size.

use super::{
    ArchivedRecordHead, BIRTH_BYTES, BIRTH_MAX, NodeRecord, OWNER_CONTAINER, PATH_BYTES_MAX,
    PATH_OFFSET, SHAPE_CONTAINER, SHAPE_CVERSION_TOP, SHAPE_DETACHED, SHAPE_NULL, SHAPE_PATH,
    SHAPE_RAW_OWNER,
};
use crate::stat::{ArchivedStat, Stat};
use std::ptr::NonNull;

/// The data that a draft puts into its record.
#[derive(Clone, Copy)]
pub enum DraftData<'a> {
    /// No data at all.
    Null,
    /// Data that is copied behind the path.
    Inline(&'a [u8]),
    /// Data that lies in a block of its own.
    Detached(DataBlock),
}

/// Data in a block of its own: birth (8 bytes), length (8 bytes), both native, then the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataBlock(pub(super) NonNull<u8>);

impl DataBlock {
    /// Bytes of the block before the data.
    pub const HEAD_BYTES: usize = 16;

    /// Writes a block at `at` and returns it.
    ///
    /// # Safety
    /// `at` has room for [`Self::HEAD_BYTES`] and the data, is aligned to 8, and has no reader.
    pub unsafe fn write(at: NonNull<u8>, birth: u64, data: &[u8]) -> Self {
        // SAFETY: the caller gives room and alignment; `data` cannot overlap an unread block.
        unsafe {
            at.cast::<u64>().write(birth);
            at.add(8).cast::<u64>().write(data.len() as u64);
            at.add(Self::HEAD_BYTES)
                .copy_from_nonoverlapping(NonNull::from(data).cast(), data.len());
        }
        Self(at)
    }

    /// The block at `at`.
    ///
    /// # Safety
    /// [`Self::write`] wrote one there.
    pub unsafe fn from_raw(at: NonNull<u8>) -> Self {
        Self(at)
    }

    /// Where the block starts.
    pub fn as_raw(self) -> NonNull<u8> {
        self.0
    }

    /// Length of the block, in bytes.
    ///
    /// # Safety
    /// The block has not been freed.
    pub unsafe fn block_bytes(self) -> usize {
        // SAFETY: a block that has not been freed holds its length there.
        Self::HEAD_BYTES + unsafe { self.0.add(8).cast::<u64>().read() } as usize
    }

    /// The data.
    ///
    /// # Safety
    /// The block is neither freed nor written to during `'a`.
    #[inline]
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: the block holds as many bytes as it says.
        unsafe {
            let len = self.0.add(8).cast::<u64>().read() as usize;
            std::slice::from_raw_parts(self.0.add(Self::HEAD_BYTES).as_ptr(), len)
        }
    }
}

/// The fields of a record that is to be written.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// The Stat; `cversion` and `data_length` are taken from the fields below instead.
    pub stat: Stat,
    /// Creates of direct children.
    pub stored_cversion: i32,
    /// The owner as stock's snapshot has it.
    pub owner_raw: i64,
    /// Number of the ACL.
    pub acl: u32,
    /// The path, at most [`PATH_BYTES_MAX`].
    pub path: &'a [u8],
    /// The data.
    pub data: DraftData<'a>,
    /// [`record_crc`](Self::record_crc) of path and data, where it is known already.
    pub crc: Option<u32>,
}

impl<'a> Draft<'a> {
    /// A draft with all the fields of a record, the data as it lies.
    pub fn of(record: NodeRecord<'a>) -> Self {
        let data = match (record.data_block(), record.data()) {
            (Some(block), _) => DraftData::Detached(block),
            (None, Some(data)) => DraftData::Inline(data),
            (None, None) => DraftData::Null,
        };
        Self {
            stat: record.stat_native(),
            stored_cversion: record.stored_cversion(),
            owner_raw: record.owner_raw(),
            acl: record.acl(),
            path: record.path(),
            data,
            crc: Some(record.crc()),
        }
    }

    /// The crc32 of a path ("" for the root) and data.
    pub fn record_crc(path: &[u8], data: Option<&[u8]>) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(if path == b"/" { b"" } else { path });
        hasher.update(data.unwrap_or_default());
        hasher.finalize()
    }

    fn has_raw_owner(&self) -> bool {
        self.owner_raw != self.stat.ephemeral_owner && self.owner_raw != OWNER_CONTAINER
    }

    /// Length of the block to write, in bytes.
    pub fn block_bytes(&self) -> usize {
        let data = match self.data {
            DraftData::Null => 0,
            DraftData::Inline(data) => data.len(),
            DraftData::Detached(_) => size_of::<usize>(),
        };
        PATH_OFFSET + self.path.len() + if self.has_raw_owner() { 8 } else { 0 } + data
    }

    fn shape(&self) -> u32 {
        let mut shape = self.path.len() as u32;
        shape |= match self.data {
            DraftData::Null => SHAPE_NULL,
            DraftData::Inline(_) => 0,
            DraftData::Detached(_) => SHAPE_DETACHED,
        };
        if self.has_raw_owner() {
            shape |= SHAPE_RAW_OWNER;
        } else if self.owner_raw != self.stat.ephemeral_owner {
            shape |= SHAPE_CONTAINER;
        }
        if self.stored_cversion < 0 {
            shape |= SHAPE_CVERSION_TOP;
        }
        shape
    }

    /// Writes the record.
    ///
    /// # Safety
    /// `at` has room for [`Self::block_bytes`], no one else reads or writes it, and neither path
    /// nor data of the draft lies there. A detached block outlives the record.
    ///
    /// # Panics
    /// If the path, the data or the birth is longer than a record holds.
    pub unsafe fn write_to(&self, at: NonNull<u8>, birth: u64) {
        assert!(self.path.len() <= PATH_BYTES_MAX, "a path of {} bytes", self.path.len());
        assert!(birth <= BIRTH_MAX, "births are used up");
        let data: &[u8] = match self.data {
            DraftData::Null => &[],
            DraftData::Inline(data) => data,
            // SAFETY: the caller guarantees the block.
            DraftData::Detached(block) => unsafe { block.bytes() },
        };
        let data_length = i32::try_from(data.len()).expect("data is bounded far below 2 GiB");
        let stat = Stat {
            cversion: client_cversion(self.stored_cversion, self.stat.num_children),
            data_length,
            ..self.stat
        };
        let crc = self.crc.unwrap_or_else(|| Self::record_crc(self.path, Some(data)));
        let head = ArchivedRecordHead {
            stat: archive_stat(&stat),
            crc: crc.into(),
            acl: self.acl.into(),
            shape: self.shape().into(),
        };
        let mut tail = PATH_OFFSET;
        // SAFETY: the caller gives a block of `block_bytes`, which is the sum of what is written
        // here, and no source lies in it.
        unsafe {
            at.cast::<u64>().write_unaligned(birth);
            at.add(BIRTH_BYTES).cast::<ArchivedRecordHead>().write(head);
            copy(at, &mut tail, self.path);
            if self.has_raw_owner() {
                copy(at, &mut tail, &self.owner_raw.to_be_bytes());
            }
            if let DraftData::Detached(block) = self.data {
                at.add(tail).cast::<NonNull<u8>>().write_unaligned(block.0);
            } else {
                copy(at, &mut tail, data);
            }
        }
    }

    /// Appends the record, as [`Self::write_to`] writes it, to bytes outside any tree.
    ///
    /// # Panics
    /// As of [`Self::write_to`], or if the data lies in a block of its own, whose lifetime nothing
    /// guarantees.
    pub fn append_block(&self, out: &mut Vec<u8>, birth: u64) {
        assert!(!matches!(self.data, DraftData::Detached(_)), "data in a block of its own");
        let block_bytes = self.block_bytes();
        out.reserve(block_bytes);
        // SAFETY: there is room for the block, and what the draft borrows is not in `out`, which
        // is borrowed mutably. All of the block is written.
        unsafe {
            self.write_to(NonNull::from(out.spare_capacity_mut()).cast(), birth);
            out.set_len(out.len() + block_bytes);
        }
    }
}

/// Appends `bytes` to the block at `at`.
///
/// # Safety
/// The block has room for them at `*offset`, and they do not lie in it.
unsafe fn copy(at: NonNull<u8>, offset: &mut usize, bytes: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe { at.add(*offset).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    *offset += bytes.len();
}

impl NodeRecord<'_> {
    /// Changes what a created or deleted child changes in its parent.
    ///
    /// # Safety
    /// No one else reads or writes the block, and it may be written to.
    pub unsafe fn patch_children(at: NonNull<u8>, stored_cversion: i32, children: i32, pzxid: i64) {
        // SAFETY: the caller has the block for itself; a head of alignment 1 lies there.
        let head = unsafe { at.add(BIRTH_BYTES).cast::<ArchivedRecordHead>().as_mut() };
        head.stat.cversion = client_cversion(stored_cversion, children).into();
        head.stat.num_children = children.into();
        head.stat.pzxid = pzxid.into();
        let top = if stored_cversion < 0 { SHAPE_CVERSION_TOP } else { 0 };
        head.shape = (head.shape.to_native() & !SHAPE_CVERSION_TOP | top).into();
    }

    /// Changes the ACL.
    ///
    /// # Safety
    /// As of [`Self::patch_children`].
    pub unsafe fn patch_acl(at: NonNull<u8>, acl: u32, aversion: i32) {
        // SAFETY: as above.
        let head = unsafe { at.add(BIRTH_BYTES).cast::<ArchivedRecordHead>().as_mut() };
        head.acl = acl.into();
        head.stat.aversion = aversion.into();
    }
}

fn client_cversion(stored: i32, children: i32) -> i32 {
    stored.wrapping_mul(2).wrapping_sub(children)
}

fn archive_stat(stat: &Stat) -> ArchivedStat {
    ArchivedStat {
        czxid: stat.czxid.into(),
        mzxid: stat.mzxid.into(),
        ctime: stat.ctime.into(),
        mtime: stat.mtime.into(),
        version: stat.version.into(),
        cversion: stat.cversion.into(),
        aversion: stat.aversion.into(),
        ephemeral_owner: stat.ephemeral_owner.into(),
        data_length: stat.data_length.into(),
        num_children: stat.num_children.into(),
        pzxid: stat.pzxid.into(),
    }
}

const _: () = assert!(SHAPE_PATH as usize == PATH_BYTES_MAX);
