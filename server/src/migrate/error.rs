//! Why a command does not do what it was told.

use std::io;
use std::path::PathBuf;

use convert::error::{ExportError, ImportError};
use disk::BackgroundError;
use disk::lock::LockError;
use thiserror::Error;

use crate::persist::RestoreError;

/// Why a command does not do what it was told.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// ZooKeeper's files, or the target.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The target.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Our files.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// There is nothing to export.
    #[error(
        "{} holds no data of Ringkeeper: name the dataDir that serve has, and its dataLogDir with \
         --log-dir",
        .0.display()
    )]
    NoData(PathBuf),
    /// A directory cannot be made.
    #[error("{path} cannot be made: {1}; make it, or name another with --to", path = .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// A directory is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The background thread does not start.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// No random numbers.
    #[error("/dev/urandom cannot be read: {0}")]
    Random(#[source] io::Error),
    /// A file cannot be read.
    #[error("{path}: {1}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A file of no format that is known.
    #[error(
        "{path} is no log and no snapshot of ZooKeeper or Ringkeeper: it begins with {1:02x?}",
        path = .0.display()
    )]
    Unknown(PathBuf, Vec<u8>),
    /// A log where a snapshot was named.
    #[error("{file} is a log: ringkeeper inspect log {file}", file = .0.display())]
    IsLog(PathBuf),
    /// A snapshot where a log was named.
    #[error("{file} is a snapshot: ringkeeper inspect snapshot {file}", file = .0.display())]
    IsSnapshot(PathBuf),
    /// What was shown is damaged.
    #[error("{} is damaged; see above", .0.display())]
    Damaged(PathBuf),
    /// Nobody listens.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
}
