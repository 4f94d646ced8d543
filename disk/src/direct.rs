//! Real files, through glommio; bytes go straight between the caller's buffer and the device.
//!
//! For direct reads and writes glommio allocates a buffer of its own per call. Bulk work keeps its
//! buffers, so everything would be copied needlessly, and what is read cleared twice; so reads and
//! writes are plain calls on the executor's threads for blocking work.
//!
//! Lives in: the background thread (the futures need glommio's executor around them). Where the
//! file system refuses direct I/O the same calls go through the page cache, and
//! [`Direct::mode`] says so.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glommio::GlommioError;
use glommio::io::{self, BufferedFile, DmaFile, OpenOptions};
use nix::errno::Errno;

use crate::aligned::AlignedBuf;
use crate::error::{Cause, DiskError, Operation};
use crate::latch::Latch;
use crate::limits::{BLOCK_BYTES, BULK_BYTES};
use crate::probe;
use crate::scratch::{self, Purpose};
use crate::seam::{DirectoryEntry, Disk, OpenMode};

/// How files are read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskMode {
    /// Past the page cache.
    Direct,
    /// Through the page cache.
    Buffered {
        /// The errno that direct I/O failed with.
        why: i32,
    },
}

/// Real files of one file system.
#[derive(Debug)]
pub struct Direct {
    mode: DiskMode,
    piece_bytes: usize,
    // Devices on which glommio has been kept from polling.
    interrupting: RefCell<BTreeSet<u64>>,
}

/// An open file.
#[derive(Debug)]
pub struct DirectFile {
    handle: Handle,
    /// The same open file, for the threads that read and write.
    plain: Arc<File>,
    path: PathBuf,
    latch: Latch<DiskError>,
}

#[derive(Debug)]
enum Handle {
    Dma(DmaFile),
    Buffered(BufferedFile),
}

impl Direct {
    /// Files in and below `directory`, which must exist; tests there whether direct I/O works.
    /// A write is flushed after every `piece_bytes`.
    ///
    /// # Panics
    /// `piece_bytes` are not whole blocks, or more than [`BULK_BYTES`].
    pub fn new(directory: &Path, piece_bytes: usize) -> Result<Self, DiskError> {
        assert!(piece_bytes > 0 && piece_bytes.is_multiple_of(BLOCK_BYTES));
        assert!(piece_bytes <= BULK_BYTES);
        let mode = match probe::direct_io(directory)? {
            probe::DirectIo::Works => DiskMode::Direct,
            probe::DirectIo::Refused { errno } => DiskMode::Buffered { why: errno },
        };
        Ok(Self { mode, piece_bytes, interrupting: RefCell::default() })
    }

    #[cfg(test)]
    pub(crate) fn buffered_for_test() -> Self {
        use crate::limits::PIECE_BYTES_DEFAULT;
        let mode = DiskMode::Buffered { why: 0 };
        Self { mode, piece_bytes: PIECE_BYTES_DEFAULT, interrupting: RefCell::default() }
    }

    /// How files are read and written.
    pub const fn mode(&self) -> &DiskMode {
        &self.mode
    }

    async fn open_with(
        &self,
        operation: Operation,
        path: &Path,
        options: &OpenOptions,
    ) -> Result<DirectFile, DiskError> {
        let failed = |error| failed(operation, path, &error);
        let handle = match self.mode {
            DiskMode::Direct => {
                self.maybe_keep_from_polling(path).await;
                Handle::Dma(options.dma_open(path).await.map_err(failed)?)
            }
            DiskMode::Buffered { .. } => {
                Handle::Buffered(options.buffered_open(path).await.map_err(failed)?)
            }
        };
        let plain = duplicate(match &handle {
            Handle::Dma(file) => file.as_raw_fd(),
            Handle::Buffered(file) => file.as_raw_fd(),
        });
        let plain = Arc::new(plain.map_err(|e| DiskError::from_io(operation, path, &e))?);
        Ok(DirectFile { handle, plain, path: path.to_owned(), latch: Latch::new() })
    }

    /// Keeps glommio from polling for completions on the device of `path`.
    ///
    /// On the first use of a device, glommio 0.9 finds out by a read whether it can be polled, and
    /// takes the read of an empty file for a yes (glommio issue 605); on devices that can be, reads
    /// above the device's largest transfer hang (633). Bulk work has no use for polling, and a file
    /// opened only for writing, on which that read fails, makes the answer no.
    async fn maybe_keep_from_polling(&self, path: &Path) {
        let Some(parent) = path.parent() else { return };
        let Ok(device) = std::fs::metadata(parent).map(|metadata| metadata.dev()) else { return };
        if self.interrupting.borrow_mut().insert(device) {
            let scratch = scratch::path(parent, Purpose::Unpolled);
            let mut options = OpenOptions::new();
            options.write(true).create(true).mode(0o600);
            // Where no file can be created, no empty one is read either.
            if let Ok(file) = options.dma_open(&scratch).await {
                let _ = file.remove().await;
                let _ = file.close().await;
            }
        }
    }
}

impl DirectFile {
    fn failed(&self, operation: Operation, error: &GlommioError<()>) -> DiskError {
        self.latch.close(failed(operation, &self.path, error))
    }
}

/// A second descriptor of an open file.
fn duplicate(fd: RawFd) -> std::io::Result<File> {
    // SAFETY: the caller's file is open and outlives the call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned().map(File::from)
}

/// Reads until the buffer is full or the file ends.
fn read_now(file: &File, offset: u64, into: &mut AlignedBuf) -> Result<(), (u64, std::io::Error)> {
    into.clear();
    while into.room() > 0 {
        let (start, asked) = (into.len(), into.room().min(BULK_BYTES));
        let at = offset + start as u64;
        let found = match file.read_at(into.extend_by(asked), at) {
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => return Err((at, error)),
            // A piece that ends inside a block ends at the end of the file.
            Ok(found) if found == 0 || !found.is_multiple_of(BLOCK_BYTES) => {
                into.set_len(start + found);
                return Ok(());
            }
            Ok(found) => found,
        };
        into.set_len(start + found);
    }
    Ok(())
}

/// What went wrong, and where.
type Failure = (Operation, u64, Cause);

fn cause_of(error: &std::io::Error) -> Cause {
    Cause::Errno(error.raw_os_error().unwrap_or(Errno::EIO as i32))
}

/// Writes all of it, `piece_bytes` at a time, each piece flushed.
fn write_now(file: &File, offset: u64, from: &[u8], piece_bytes: usize) -> Result<(), Failure> {
    let mut done = 0;
    while done < from.len() {
        let (at, piece) = (offset + done as u64, &from[done..from.len().min(done + piece_bytes)]);
        match file.write_at(piece, at) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((Operation::Write, at, cause_of(&error))),
            // The remainder would not begin at a block.
            Ok(found) if found == 0 || !found.is_multiple_of(BLOCK_BYTES) => {
                let cause = Cause::Short { expected: piece.len(), found };
                return Err((Operation::Write, at, cause));
            }
            Ok(found) => {
                done += found;
                flush_now(file, at)?;
            }
        }
    }
    Ok(())
}

/// Bulk work leaves nothing in the device's cache, or a flush of the log would wait for all of it.
fn flush_now(file: &File, at: u64) -> Result<(), Failure> {
    file.sync_data().map_err(|error| (Operation::Flush, at, cause_of(&error)))
}

fn failed(operation: Operation, path: &Path, error: &GlommioError<()>) -> DiskError {
    let errno = error.raw_os_error().unwrap_or(Errno::EIO as i32);
    DiskError::new(operation, path, Cause::Errno(errno))
}

/// Makes the names in a directory durable. Blocking calls on one of the executor's threads: the
/// `O_PATH` descriptor that glommio opens directories with cannot be flushed.
async fn flush_directory_of(operation: Operation, path: &Path) -> Result<(), DiskError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let flush = move || File::open(directory)?.sync_all();
    let flushed = glommio::executor().spawn_blocking(flush).await;
    flushed.map_err(|error| DiskError::from_io(operation, path, &error))
}

fn list_now(directory: &Path) -> std::io::Result<Vec<DirectoryEntry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            // Removed between the two calls.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
            entries.push(DirectoryEntry { name, bytes: metadata.len() });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

impl Disk for Direct {
    type File = DirectFile;

    async fn list(&self, directory: &Path) -> Result<Vec<DirectoryEntry>, DiskError> {
        let owned = directory.to_owned();
        let listed = glommio::executor().spawn_blocking(move || list_now(&owned)).await;
        listed.map_err(|error| DiskError::from_io(Operation::List, directory, &error))
    }

    async fn create_directory(&self, directory: &Path) -> Result<(), DiskError> {
        let owned = directory.to_owned();
        let make = move || match std::fs::create_dir(&owned) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && owned.is_dir() => Ok(()),
            made => made,
        };
        let made = glommio::executor().spawn_blocking(make).await;
        made.map_err(|error| DiskError::from_io(Operation::CreateDirectory, directory, &error))?;
        flush_directory_of(Operation::CreateDirectory, directory).await
    }

    async fn create(&self, path: &Path, bytes: u64) -> Result<DirectFile, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o640);
        let file = self.open_with(Operation::Create, path, &options).await?;
        if bytes > 0 {
            let reserved = match &file.handle {
                Handle::Dma(file) => file.pre_allocate(bytes, false).await,
                Handle::Buffered(file) => file.pre_allocate(bytes, false).await,
            };
            match reserved {
                Ok(()) => {}
                // No fallocate on this file system: set only the length; writing takes the room.
                Err(error) if error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => {
                    self.resize(&file, bytes).await?;
                }
                Err(error) => return Err(file.failed(Operation::Create, &error)),
            }
        }
        self.flush(&file).await?;
        flush_directory_of(Operation::Create, path).await?;
        Ok(file)
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<DirectFile, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true).write(mode == OpenMode::Write);
        self.open_with(Operation::Open, path, &options).await
    }

    async fn read_at(
        &self,
        file: &DirectFile,
        offset: u64,
        mut into: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError> {
        assert!(offset.is_multiple_of(BLOCK_BYTES as u64), "offset {offset} is not aligned");
        let plain = Arc::clone(&file.plain);
        let work = move || read_now(&plain, offset, &mut into).map(|()| into);
        let read = glommio::executor().spawn_blocking(work).await;
        read.map_err(|(at, error)| DiskError::from_io(Operation::Read, &file.path, &error).at(at))
    }

    async fn write_at(
        &self,
        file: &DirectFile,
        offset: u64,
        from: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError> {
        assert!(offset.is_multiple_of(BLOCK_BYTES as u64), "offset {offset} is not aligned");
        assert!(from.len().is_multiple_of(BLOCK_BYTES), "{} bytes are no blocks", from.len());
        file.latch.check()?;
        let (plain, piece_bytes) = (Arc::clone(&file.plain), self.piece_bytes);
        let work = move || write_now(&plain, offset, &from, piece_bytes).map(|()| from);
        let written = glommio::executor().spawn_blocking(work).await;
        written.map_err(|(operation, at, cause)| {
            file.latch.close(DiskError::new(operation, &file.path, cause).at(at))
        })
    }

    async fn flush(&self, file: &DirectFile) -> Result<(), DiskError> {
        file.latch.check()?;
        let flushed = match &file.handle {
            Handle::Dma(file) => file.fdatasync().await,
            Handle::Buffered(file) => file.fdatasync().await,
        };
        flushed.map_err(|error| file.failed(Operation::Flush, &error))
    }

    async fn resize(&self, file: &DirectFile, bytes: u64) -> Result<(), DiskError> {
        file.latch.check()?;
        let resized = match &file.handle {
            Handle::Dma(file) => file.truncate(bytes).await,
            Handle::Buffered(file) => file.truncate(bytes).await,
        };
        resized.map_err(|error| file.failed(Operation::Resize, &error))?;
        self.flush(file).await
    }

    async fn rename_durable(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let file = self.open(from, OpenMode::Write).await?;
        self.flush(&file).await?;
        io::rename(from, to).await.map_err(|error| failed(Operation::Rename, from, &error))?;
        flush_directory_of(Operation::Rename, to).await
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        io::remove(path).await.map_err(|error| failed(Operation::Remove, path, &error))?;
        flush_directory_of(Operation::Remove, path).await
    }
}
