//! Examines the data directories before anything in them is read or created: files in the wrong
//! place, things that are not files, and the data of another server.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::data_set::{self, HalvesError};

/// ZooKeeper's own directory, beside ours.
pub(crate) const STOCK: &str = "version-2";

/// Why the directories cannot be used as they are. Nothing was changed.
#[derive(Debug, Error)]
pub enum SurveyError {
    /// Something that is not a directory has its name.
    #[error("{} is not a directory: move it away, or correct the path", .0.display())]
    NotADirectory(PathBuf),
    /// Something that is not a file has its name.
    #[error(
        "{} is {found}, and should be a regular file: move it away, or put the file there",
        path.display()
    )]
    NotAFile {
        /// Where.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A file or directory may not be read.
    #[error(
        "{} cannot be read ({error}): all files must belong to the user that the server runs as \
         (chown -R)",
        path.display()
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// A part of the log in the directory of snapshots.
    #[error(
        "{} belongs to a log, and dataLogDir={} is another directory: move all log-* and spare-* \
         there, or correct dataLogDir",
        path.display(),
        log_dir.display()
    )]
    LogInDataDir {
        /// A segment.
        path: PathBuf,
        /// Where segments should be.
        log_dir: PathBuf,
    },
    /// A snapshot in the directory of the log.
    #[error(
        "{} is a snapshot, and dataDir={} is another directory: move all snapshot.* there, or \
         correct dataDir",
        path.display(),
        data_dir.display()
    )]
    SnapshotInLogDir {
        /// A snapshot.
        path: PathBuf,
        /// Where snapshots should be.
        data_dir: PathBuf,
    },
    /// There is no such directory.
    #[error("{} does not exist: name the dataDir that serve has", .0.display())]
    Missing(PathBuf),
    /// There are no data of ours.
    #[error(
        "{} holds no data of Ringkeeper: name the dataDir that serve has, and its dataLogDir with \
         --log-dir",
        .0.display()
    )]
    NoData(PathBuf),
    /// The directory's halves do not belong together.
    #[error(transparent)]
    Halves(#[from] HalvesError),
    /// ZooKeeper's data, and none of ours.
    #[error(
        "{} holds data of ZooKeeper that was not imported: `ringkeeper import {} --to {}` does \
         that; or move {STOCK} away to begin with an empty tree",
        stock.display(),
        stock.parent().unwrap_or(stock).display(),
        data_dir.display()
    )]
    Stock {
        /// The directory with its files.
        stock: PathBuf,
        /// Where our data should be.
        data_dir: PathBuf,
    },
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Count of snapshots.
    pub snapshots: usize,
    /// Count of segments of the log.
    pub segments: usize,
}

/// Examines the directories of the configuration, which exist.
pub fn survey(data_dir: &Path, log_dir: &Path) -> Result<Survey, SurveyError> {
    let (snapshots, misplaced_log) = ours(&data_dir.join(snapshot::directory::DIRECTORY))?;
    let is_one = data_set::is_same(data_dir, log_dir);
    let (misplaced_snapshots, segments) = if is_one {
        (Vec::new(), misplaced_log.clone())
    } else {
        ours(&log_dir.join(txlog::segments::DIRECTORY))?
    };
    if !is_one {
        if let Some(path) = misplaced_log.first() {
            let (path, log_dir) = (path.clone(), log_dir.to_owned());
            return Err(SurveyError::LogInDataDir { path, log_dir });
        }
        if let Some(path) = misplaced_snapshots.first() {
            let (path, data_dir) = (path.clone(), data_dir.to_owned());
            return Err(SurveyError::SnapshotInLogDir { path, data_dir });
        }
    }
    if snapshots.is_empty() && segments.is_empty() {
        for stock in [data_dir.join(STOCK), log_dir.join(STOCK)] {
            if is_stock(&stock) {
                return Err(SurveyError::Stock { stock, data_dir: data_dir.to_owned() });
            }
        }
    }
    let there = Survey { snapshots: snapshots.len(), segments: segments.len() };
    data_set::check_halves(data_dir, log_dir, there)?;
    Ok(there)
}

/// Checks that a command was given a data directory of ours, before anything is created in it.
pub fn find_data(data_dir: &Path) -> Result<(), SurveyError> {
    match fs::metadata(data_dir) {
        Ok(found) if !found.is_dir() => {
            return Err(SurveyError::NotADirectory(data_dir.to_owned()));
        }
        Ok(_) => (),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SurveyError::Missing(data_dir.to_owned()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(SurveyError::NotADirectory(data_dir.to_owned()));
        }
        Err(error) => return Err(SurveyError::Unreadable { path: data_dir.to_owned(), error }),
    }
    if data_dir.join(snapshot::directory::DIRECTORY).exists() {
        return Ok(());
    }
    let stock = data_dir.join(STOCK);
    if is_stock(&stock) {
        return Err(SurveyError::Stock { stock, data_dir: data_dir.to_owned() });
    }
    Err(SurveyError::NoData(data_dir.to_owned()))
}

/// The snapshots and the segments in a directory of ours; each can be opened.
fn ours(directory: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), SurveyError> {
    let unreadable = |path: &Path, error| SurveyError::Unreadable { path: path.to_owned(), error };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(SurveyError::NotADirectory(directory.to_owned()));
        }
        Err(error) => return Err(unreadable(directory, error)),
    };
    let (mut snapshots, mut segments) = (Vec::new(), Vec::new());
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(directory, error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        let list = if snapshot::directory::zxid_of(&name).is_some() {
            &mut snapshots
        } else if txlog::segments::parse_file_name(&name).is_some() {
            &mut segments
        } else {
            continue;
        };
        let kind = entry.file_type().map_err(|error| unreadable(&path, error))?;
        let found = match () {
            () if kind.is_file() => None,
            () if kind.is_dir() => Some("a directory"),
            () if kind.is_symlink() => Some("a symbolic link"),
            () => Some("a special file"),
        };
        if let Some(found) = found {
            return Err(SurveyError::NotAFile { path, found });
        }
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(unreadable(&path, error));
            }
            // Any other problem is reported when the file is read.
            _ => list.push(path),
        }
    }
    snapshots.sort();
    segments.sort();
    Ok((snapshots, segments))
}

/// Whether ZooKeeper has left data there.
fn is_stock(directory: &Path) -> bool {
    let names = fs::read_dir(directory).into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| name.starts_with("snapshot.") || name.starts_with("log."))
}
