//! What can go wrong on a disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Listing a directory.
    List,
    /// Making a directory.
    CreateDirectory,
    /// Making a file and reserving its room.
    Create,
    /// Opening an existing file.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Making durable.
    Flush,
    /// Giving a file another name, durably.
    Rename,
    /// Removing a file, durably.
    Remove,
    /// Changing a file's length.
    Resize,
    /// Mapping memory.
    Map,
}

/// Why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The kernel's answer.
    Errno(i32),
    /// The call moved fewer bytes than it had to.
    Short {
        /// How many it had to move.
        expected: usize,
        /// How many it moved.
        found: usize,
    },
    /// The simulated machine has lost power.
    PowerLost,
}

/// A failed operation: what, on which file, why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} of {}{} failed: {cause}", path.display(), AtOffset(*offset))]
pub struct DiskError {
    /// What was being done.
    pub operation: Operation,
    /// On which file or directory.
    pub path: PathBuf,
    /// Where in the file, for a read or write.
    pub offset: Option<u64>,
    /// Why it failed.
    pub cause: Cause,
}

/// An offset in words, if there is one.
struct AtOffset(Option<u64>);

impl fmt::Display for AtOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |offset| write!(f, " at offset {offset}"))
    }
}

impl DiskError {
    /// An error of `operation` on `path`.
    pub fn new(operation: Operation, path: &Path, cause: Cause) -> Self {
        Self { operation, path: path.to_owned(), offset: None, cause }
    }

    /// The same, at this offset of the file.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// The error of the standard library's call.
    pub fn from_io(operation: Operation, path: &Path, error: &io::Error) -> Self {
        let errno = error.raw_os_error().unwrap_or(Errno::EIO as i32);
        Self::new(operation, path, Cause::Errno(errno))
    }

    /// Whether the file system or the quota has no room left: waiting for room helps.
    pub fn is_full(&self) -> bool {
        self.is_errno(Errno::ENOSPC) || self.is_errno(Errno::EDQUOT)
    }

    /// Whether the file does not exist.
    pub fn is_missing(&self) -> bool {
        self.is_errno(Errno::ENOENT)
    }

    fn is_errno(&self, errno: Errno) -> bool {
        self.cause == Cause::Errno(errno as i32)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "listing",
            Self::CreateDirectory => "making the directory",
            Self::Create => "creation",
            Self::Open => "opening",
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Flush => "flushing",
            Self::Rename => "renaming",
            Self::Remove => "removal",
            Self::Resize => "resizing",
            Self::Map => "mapping",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => write!(f, "{}", io::Error::from_raw_os_error(*errno)),
            Self::Short { expected, found } => write!(f, "{found} of {expected} bytes were moved"),
            Self::PowerLost => f.write_str("the power is lost"),
        }
    }
}
