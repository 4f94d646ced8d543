//! The log's segments as the core loop's ring writes them.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::error::{DiskError, Operation};
use crate::probe::Durability;

/// Opens an existing, prepared file for writes on a ring, so that they become durable as
/// `durability` says: by each write itself, or by an fdatasync that follows.
pub fn open(path: &Path, durability: Durability) -> Result<File, DiskError> {
    let flags = match durability {
        Durability::Dsync => OFlag::O_DIRECT | OFlag::O_DSYNC,
        Durability::FlushAfter => OFlag::O_DIRECT,
        Durability::BufferedFlush => OFlag::empty(),
    };
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits())
        .open(path)
        .map_err(|error| DiskError::from_io(Operation::Open, path, &error))
}
