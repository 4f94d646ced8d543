//! Finds `ZooKeeper`'s files to import, and checks that they are a whole data set.

use std::io;
use std::path::{Path, PathBuf};

use super::ImportOptions;
use crate::error::ImportError;
use crate::stock::EXPORT_DATABASE;
use crate::stock::directory::{self, StockFile};
use crate::stock::snapshot::SnapshotReader;

/// Exists beside the files of a server that was a member of an ensemble.
const EPOCH_FILE: &str = "currentEpoch";

/// The files of a data set.
pub(super) struct Found {
    /// Where the snapshots are.
    pub(super) snapshots_in: PathBuf,
    /// Where the logs are.
    pub(super) logs_in: PathBuf,
    /// Newest first.
    pub(super) snapshots: Vec<StockFile>,
    /// Oldest first.
    pub(super) logs: Vec<StockFile>,
}

impl Found {
    /// Lists the files, and refuses what can be only a half of a data set.
    pub(super) fn look(options: &ImportOptions) -> Result<Self, ImportError> {
        let snapshots_in = directory::version_directory(&options.data_dir);
        let logs_in = options.log_dir.as_deref();
        let logs_in = logs_in.map_or_else(|| snapshots_in.clone(), directory::version_directory);
        if !snapshots_in.exists() && has_ours(&options.data_dir)? {
            return Err(ImportError::OnlyOurs(options.data_dir.clone()));
        }
        let snapshots = listed(&snapshots_in, directory::snapshots)?;
        let logs = listed(&logs_in, directory::logs)?;
        let found = Self { snapshots_in, logs_in, snapshots, logs };
        found.check_halves()?;
        if found.snapshots.is_empty() {
            if found.logs.is_empty() {
                return Err(ImportError::NoData(found.snapshots_in));
            }
            if !options.trust_empty_snapshot {
                return Err(ImportError::NoSnapshot(found.snapshots_in));
            }
        } else if found.logs.is_empty() && !options.without_log && !found.is_export() {
            return Err(ImportError::NoLog(found.logs_in));
        }
        Ok(found)
    }

    /// If snapshots and logs are in two directories, each may have its own kind only, as
    /// `ZooKeeper` requires too.
    fn check_halves(&self) -> Result<(), ImportError> {
        if self.snapshots_in.canonicalize().ok() == self.logs_in.canonicalize().ok() {
            return Ok(());
        }
        if let Some(snapshot) = listed(&self.logs_in, directory::snapshots)?.first() {
            return Err(ImportError::SnapshotInLogDir(snapshot.path.clone()));
        }
        if let Some(log) = listed(&self.snapshots_in, directory::logs)?.first() {
            return Err(ImportError::LogInDataDir(log.path.clone()));
        }
        Ok(())
    }

    /// Whether the newest snapshot is from an export, and no server has started on it since: a
    /// server that starts replaces it by its own snapshot.
    fn is_export(&self) -> bool {
        let Some(newest) = self.snapshots.first() else { return false };
        let preamble = SnapshotReader::open(&newest.path).and_then(|mut reader| reader.preamble());
        let is_tagged = preamble.is_ok_and(|preamble| preamble.database == EXPORT_DATABASE);
        is_tagged && !self.snapshots_in.join(EPOCH_FILE).exists()
    }

    /// Refuses files that have changed since they were listed.
    pub(super) fn check_unchanged(&self) -> Result<(), ImportError> {
        if listed(&self.snapshots_in, directory::snapshots)? != self.snapshots {
            return Err(ImportError::Changed(self.snapshots_in.clone()));
        }
        if listed(&self.logs_in, directory::logs)? != self.logs {
            return Err(ImportError::Changed(self.logs_in.clone()));
        }
        Ok(())
    }
}

fn listed(
    path: &Path,
    list: fn(&Path) -> io::Result<Vec<StockFile>>,
) -> Result<Vec<StockFile>, ImportError> {
    list(path).map_err(|error| {
        let above = path.parent().unwrap_or(path);
        match error.kind() {
            io::ErrorKind::NotFound => ImportError::Missing(path.to_owned()),
            io::ErrorKind::NotADirectory if above.is_dir() => {
                ImportError::NotADirectory(path.to_owned())
            }
            io::ErrorKind::NotADirectory => ImportError::NotADirectory(above.to_owned()),
            _ => ImportError::Directory { path: path.to_owned(), error },
        }
    })
}

/// Whether a directory has data of ours.
pub(super) fn has_ours(directory: &Path) -> Result<bool, ImportError> {
    let ours = directory.join(snapshot::directory::DIRECTORY);
    let entries = match std::fs::read_dir(&ours) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory && !directory.is_dir() => {
            return Ok(false);
        }
        Err(error) => return Err(ImportError::Directory { path: ours, error }),
        Ok(entries) => entries,
    };
    let is_data = |name: &str| name.starts_with("snapshot.") || name.starts_with("log-");
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.any(|name| is_data(&name)))
}
