//! The file that a probe writes: without a name, so that it goes with the process.

use disk::{AlignedBuf, DiskError, Durability};
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::sys::statvfs::statvfs;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Bytes of the file where there is room.
pub(super) const FILE_BYTES: u64 = 128 << 20;
/// With less it would measure the smallest of caches.
const FILE_BYTES_MIN: u64 = 8 << 20;
/// Bytes written at a time while the file is filled.
const FILL_BYTES: usize = 1 << 20;

/// The disk could not be measured.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The directory cannot be used.
    #[error(
        "{path}: {error}: name a directory that this user can write to",
        path = .path.display()
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// There is no room.
    #[error(
        "{path} has {free} bytes free, and a probe writes at least {FILE_BYTES_MIN} and leaves as \
         much: make room, or name another directory",
        path = .path.display()
    )]
    NoRoom {
        /// Where.
        path: PathBuf,
        /// What is free.
        free: u64,
    },
    /// A write, a read or a flush failed.
    #[error("the disk failed while it was measured: {0}")]
    Io(#[from] io::Error),
    /// What the file system can do could not be found out.
    #[error("{0}: name a directory on the disk that this user can write to")]
    Disk(#[from] DiskError),
    /// There can be no ring.
    #[error("an io_uring cannot be had: {0}")]
    Ring(#[from] ring::RingError),
}

/// A file without a name, filled and durable.
pub(super) struct ProbeFile {
    named: PathBuf,
    bytes: u64,
    _file: File,
}

impl ProbeFile {
    /// Makes one in a directory.
    pub(super) fn new(directory: &Path) -> Result<Self, ProbeError> {
        let failed = |error: io::Error| ProbeError::Directory { path: directory.to_owned(), error };
        let room = statvfs(directory).map_err(|errno| failed(errno.into()))?;
        let free = room.blocks_available() as u64 * room.fragment_size() as u64;
        let bytes = FILE_BYTES.min(free / 4) / FILL_BYTES as u64 * FILL_BYTES as u64;
        if bytes < FILE_BYTES_MIN {
            return Err(ProbeError::NoRoom { path: directory.to_owned(), free });
        }
        let file = nameless(directory).map_err(failed)?;
        // As a segment of the log: its room is taken before it is written.
        match fallocate(&file, FallocateFlags::empty(), 0, bytes as i64) {
            Ok(()) | Err(nix::errno::Errno::EOPNOTSUPP) => (),
            Err(errno) => return Err(failed(errno.into())),
        }
        // Written once, so that no block is the first of its extent; not zeros, which some devices
        // do not store.
        let mut block = vec![0; FILL_BYTES];
        for (at, byte) in block.iter_mut().enumerate() {
            *byte = (at * 31 + at / 4_096) as u8;
        }
        for at in (0..bytes).step_by(FILL_BYTES) {
            file.write_all_at(&block, at)?;
        }
        file.sync_all()?;
        let named = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Ok(Self { named, bytes, _file: file })
    }

    /// Its length.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Opens it as the log opens its segments.
    pub(super) fn open(&self, durability: Durability) -> Result<File, ProbeError> {
        Ok(disk::append_file::open(&self.named, durability)?)
    }

    /// Opens it for reads past the page cache, where that works.
    pub(super) fn open_to_read(&self, is_direct: bool) -> Result<File, ProbeError> {
        let flags = if is_direct { OFlag::O_DIRECT } else { OFlag::empty() };
        Ok(OpenOptions::new().read(true).custom_flags(flags.bits()).open(&self.named)?)
    }
}

/// A new file that no directory names; where the file system has none such, one whose name is
/// removed at once.
fn nameless(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let flags = OFlag::O_TMPFILE.bits();
    if let Ok(file) = options.clone().mode(0o600).custom_flags(flags).open(directory) {
        return Ok(file);
    }
    let path = directory.join(format!(".ringkeeper-probe-{}", std::process::id()));
    let file = options.create(true).truncate(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// A buffer of so many bytes, as the log's.
pub(super) fn buffer(bytes: usize) -> AlignedBuf {
    let mut buffer = AlignedBuf::with_capacity(bytes);
    for (at, byte) in buffer.extend_by(bytes).iter_mut().enumerate() {
        *byte = (at * 17 + at / 4_096) as u8;
    }
    buffer
}
