//! Where a server's files are.

use crate::config::decided;
use std::path::{Path, PathBuf};
use txlog::segments;

/// Where files are.
#[derive(Clone, Debug)]
pub struct Directories {
    /// Of the log.
    pub log: PathBuf,
    /// Of snapshots.
    pub snapshots: PathBuf,
    /// The length of a segment.
    pub segment_bytes: u64,
}

impl Directories {
    /// Inside the configured directories, beside stock's own files.
    pub fn of(storage: &decided::Storage, segment_bytes: u64) -> Self {
        Self {
            log: storage.data_log_dir.join(segments::DIRECTORY),
            snapshots: storage.data_dir.join(snapshot::directory::DIRECTORY),
            segment_bytes,
        }
    }

    /// Every directory that a server creates files in.
    pub fn all_of(storage: &decided::Storage) -> [PathBuf; 4] {
        let ours = Self::of(storage, 0);
        [storage.data_dir.clone(), storage.data_log_dir.clone(), ours.snapshots, ours.log]
    }

    /// The dataDir.
    pub fn data_dir(&self) -> &Path {
        self.snapshots.parent().unwrap_or(&self.snapshots)
    }

    /// The dataLogDir.
    pub fn log_dir(&self) -> &Path {
        self.log.parent().unwrap_or(&self.log)
    }
}
