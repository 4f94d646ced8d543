//! Why a command failed.

use std::io;
use std::path::PathBuf;

use convert::error::{ExportError, ImportError};
use disk::BackgroundError;
use disk::lock::LockError;
use thiserror::Error;

use crate::data_set::DataSetError;
use crate::persist::RestoreError;

/// Why a command failed.
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
    /// The directories do not hold a data set.
    #[error(transparent)]
    DataSet(DataSetError),
    /// Something stands in the way of a migration; it was printed.
    #[error("{0} of what was found must be dealt with first")]
    InTheWay(usize),
    /// There are snapshots, but no log.
    #[error(
        "{} holds no log, and everything that is newer than a snapshot is in the log: name the \
         dataLogDir that serve has with --log-dir; if there is no log any more, export the newest \
         snapshot as it is with --without-log",
        .0.display()
    )]
    NoLog(PathBuf),
    /// A running server writes the data to be imported.
    #[error(
        "process {pid} has {file} open for writing: a server runs on that directory; stop it, then \
         import",
        file = file.display()
    )]
    Running {
        /// The process.
        pid: u32,
        /// The file.
        file: PathBuf,
    },
    /// A directory cannot be created.
    #[error(
        "{path} cannot be created: {1}; create it, or name another with --to",
        path = .0.display()
    )]
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
    /// There is no such file.
    #[error("{} does not exist: name a file of version-2 or ringkeeper-1", .0.display())]
    Missing(PathBuf),
    /// A directory where a file is expected.
    #[error(
        "{} is a directory: name a file in it{}",
        .0.display(),
        .1.as_ref().map_or_else(String::new, |file| format!(", such as {}", file.display()))
    )]
    IsDirectory(PathBuf, Option<PathBuf>),
    /// A file cannot be read.
    #[error("{path}: {1}; run the command as the user that it belongs to", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A file of an unknown format.
    #[error(
        "{path} is neither a log nor a snapshot of ZooKeeper or Ringkeeper: {}; name a file log.* \
         or snapshot.* of version-2, or log-* or snapshot.* of ringkeeper-1",
        beginning(.1),
        path = .0.display()
    )]
    Unknown(PathBuf, Vec<u8>),
    /// A log where a snapshot was named.
    #[error("{file} is a log: ringkeeper inspect log {file}", file = .0.display())]
    IsLog(PathBuf),
    /// A snapshot where a log was named.
    #[error("{file} is a snapshot: ringkeeper inspect snapshot {file}", file = .0.display())]
    IsSnapshot(PathBuf),
    /// The file that was shown is damaged.
    #[error("{} is damaged; see above", .0.display())]
    Damaged(PathBuf),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
}

/// Whatever is wrong with the data set as such.
impl<E: Into<DataSetError>> From<E> for MigrateError {
    fn from(error: E) -> Self {
        Self::DataSet(error.into())
    }
}

fn beginning(bytes: &[u8]) -> String {
    if bytes.is_empty() { "it is empty".to_owned() } else { format!("it begins with {bytes:02x?}") }
}
