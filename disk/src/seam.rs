//! The seam: what the server needs from storage, and nothing more.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::aligned::AlignedBuf;
use crate::error::{Cause, DiskError, Operation};
use crate::limits::{BLOCK_BYTES, BULK_BYTES};

/// A file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its name, without the directory. Names that are not UTF-8 are not ours and not listed.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// What an opened file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// Storage, for sequential code: recovery, snapshots, segments, purge.
///
/// Offsets and the lengths of buffers that are written are multiples of 4 KiB ([`BLOCK_BYTES`]).
/// The futures are not `Send`: they stay on the thread that created them.
///
/// Every error of a write or flush is final for the file it happened on.
#[allow(async_fn_in_trait, reason = "the futures stay on one thread by design")]
pub trait Disk {
    /// An open file. It is closed when dropped.
    type File;

    /// The regular files of `directory`, sorted by name; not the directories in it.
    async fn list(&self, directory: &Path) -> Result<Vec<DirectoryEntry>, DiskError>;

    /// Creates `directory` (its parent must exist), durably. No error if it exists.
    async fn create_directory(&self, directory: &Path) -> Result<(), DiskError>;

    /// Creates an empty file, replacing one of that name, and reserves room for `bytes`: a full
    /// disk fails here. The file's length is `bytes`, its content zeros, and its name is durable.
    async fn create(&self, path: &Path, bytes: u64) -> Result<Self::File, DiskError>;

    /// Opens an existing file.
    async fn open(&self, path: &Path, mode: OpenMode) -> Result<Self::File, DiskError>;

    /// Reads from `offset` until `into` is full or the file ends; the returned length says which.
    /// `into`'s capacity is the length to read, its content is replaced.
    async fn read_at(
        &self,
        file: &Self::File,
        offset: u64,
        into: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError>;

    /// Writes all of `from`, and returns it. Not durable before [`flush`](Disk::flush).
    async fn write_at(
        &self,
        file: &Self::File,
        offset: u64,
        from: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError>;

    /// Makes every finished write and the length of the file durable.
    async fn flush(&self, file: &Self::File) -> Result<(), DiskError>;

    /// Cuts or extends (with zeros) a file, durably.
    async fn resize(&self, file: &Self::File, bytes: u64) -> Result<(), DiskError>;

    /// Flushes the file `from`, gives it the name `to` (same directory; a file of that name is
    /// replaced), and makes the name durable: afterwards `to` is either complete or the old file.
    async fn rename_durable(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    /// Removes a file, durably.
    async fn remove(&self, path: &Path) -> Result<(), DiskError>;
}

/// Fills `file` with zeros from `from` to `to` (multiples of the block), in pieces of 1 MiB.
///
/// Zeros are *written*: merely reserved room makes the file system convert extents at the first
/// write, which costs a journal commit on the append path.
pub async fn write_zeros<D: Disk>(
    disk: &D,
    file: &D::File,
    from: u64,
    to: u64,
) -> Result<(), DiskError> {
    assert!(from.is_multiple_of(BLOCK_BYTES as u64) && to.is_multiple_of(BLOCK_BYTES as u64));
    let mut offset = from;
    let mut zeros = AlignedBuf::zeroed(BULK_BYTES);
    while offset < to {
        zeros.set_len(BULK_BYTES.min((to - offset) as usize));
        let piece_bytes = zeros.len() as u64;
        zeros = disk.write_at(file, offset, zeros).await?;
        offset += piece_bytes;
    }
    Ok(())
}

/// Reads exactly `bytes` from `offset`; a file that ends earlier is an error.
pub async fn read_bytes<D: Disk>(
    disk: &D,
    file: &D::File,
    path: &Path,
    offset: u64,
    bytes: usize,
) -> Result<AlignedBuf, DiskError> {
    let mut buffer = disk.read_at(file, offset, AlignedBuf::with_capacity(bytes)).await?;
    if buffer.len() < bytes {
        let cause = Cause::Short { expected: bytes, found: buffer.len() };
        return Err(DiskError::new(Operation::Read, path, cause).at(offset));
    }
    buffer.set_len(bytes);
    Ok(buffer)
}

/// Runs a future of a disk that needs no executor ([`Simulated`](crate::Simulated)), or one that
/// another thread completes, to completion on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
