//! Why nothing was repaired.

use std::io;
use std::path::PathBuf;

use disk::lock::LockError;
use disk::{BackgroundError, DiskError};
use model::zxid::Zxid;
use snapshot::LoadError;
use thiserror::Error;

use crate::advice;
use crate::data_set::DataSetError;

/// Why nothing was repaired.
#[derive(Debug, Error)]
pub enum RepairError {
    /// A server is running, or the directory cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directories are no data set.
    #[error(transparent)]
    DataSet(DataSetError),
    /// Files created by this user could not be used by the server.
    #[error(
        "{} belongs to the user with number {owner}, and this is {user}: run the command as that \
         user (sudo -u '#{owner}' ...), or the server could not use the files created here",
        directory.display()
    )]
    OtherUser {
        /// A directory.
        directory: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user of this process.
        user: u32,
    },
    /// The background thread does not start.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// The disk returned an error.
    #[error("{0}{way_out}", way_out = advice::disk(.0))]
    Disk(#[from] DiskError),
    /// A snapshot of a later version.
    #[error("{0}; use the version that wrote it")]
    Newer(LoadError),
    /// The zxid is after what can be read.
    #[error("the log cannot be cut at {at}: it can be read without a gap through {reached} only")]
    Beyond {
        /// The zxid that was requested.
        at: Zxid,
        /// What can be read.
        reached: Zxid,
    },
    /// Nothing can be kept.
    #[error(
        "no snapshot is whole and the log does not reach back to the beginning: restore a backup"
    )]
    Nothing,
    /// No snapshot belongs to the log.
    #[error(
        "no whole snapshot up to {0}, where this log and the one of the snapshots diverge, and the \
         log does not reach back to the beginning: restore a backup"
    )]
    NothingCommon(Zxid),
    /// No random numbers.
    #[error("/dev/urandom cannot be read: {0}")]
    Random(#[source] io::Error),
    /// The report cannot be written.
    #[error("the report cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Whatever is wrong with the data set as such.
impl<E: Into<DataSetError>> From<E> for RepairError {
    fn from(error: E) -> Self {
        Self::DataSet(error.into())
    }
}
