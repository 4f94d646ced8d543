//! Why the directories are not used together.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::lineage::ForeignLog;
use super::mark::{DataMark, LogMark};
use super::text::MarkError;

/// Why the directories are not used together. Nothing was changed.
#[derive(Debug, Error)]
pub enum HalvesError {
    /// What the directories record about each other cannot be read or written.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// The log is in a directory other than the one named.
    #[error(
        "the log that belongs to {data} is in {log}: name that directory (dataLogDir in zoo.cfg, \
         --log-dir of a command); if the log has moved, all files of {log}/ringkeeper-1 belong to \
         its new place",
        data = data_dir.display(),
        log = log_dir.display()
    )]
    LogElsewhere {
        /// Where the snapshots are.
        data_dir: PathBuf,
        /// Where the log is.
        log_dir: PathBuf,
    },
    /// The log that is named is the log of other snapshots: these are a copy, or have moved.
    #[error(
        "{mark} names {log} as its log, which is the log of the snapshots in {owner}, and not of \
         those in {data}: {data} was copied or moved; name the log that belongs to it now \
         (dataLogDir in zoo.cfg, --log-dir of a command){likely}",
        mark = DataMark::path(data_dir).display(),
        data = data_dir.display(),
        log = log_dir.display(),
        owner = owner.display(),
        likely = likely_text(likely.as_deref())
    )]
    LogOfOriginal {
        /// Where the snapshots are.
        data_dir: PathBuf,
        /// The log that is named.
        log_dir: PathBuf,
        /// The directory whose log that is.
        owner: PathBuf,
        /// Where a log of the same data set is.
        likely: Option<PathBuf>,
    },
    /// The log is missing.
    #[error(
        "{log} should hold the log that belongs to {data}, and holds none: mount or put back what \
         was there, or name where it is now (dataLogDir in zoo.cfg, --log-dir of a \
         command){likely}; if it is lost, remove {mark} to continue with the newest snapshot, \
         without what was written after it",
        data = data_dir.display(),
        log = log_dir.display(),
        likely = likely_text(likely.as_deref()),
        mark = DataMark::path(data_dir).display()
    )]
    LogMissing {
        /// Where the snapshots are.
        data_dir: PathBuf,
        /// Where the log was.
        log_dir: PathBuf,
        /// Where a log of the same data set is.
        likely: Option<PathBuf>,
    },
    /// The log is there, but its snapshots are missing.
    #[error(
        "{log} holds the log of the snapshots in {data}, and they are not there: mount or put back \
         what was in {data}; if they are lost, restore both directories from a backup, or, if the \
         log goes back to its beginning, remove {mark} and all of it is replayed",
        data = data_dir.display(),
        log = log_dir.display(),
        mark = LogMark::path(log_dir).display()
    )]
    SnapshotsMissing {
        /// Where the snapshots were.
        data_dir: PathBuf,
        /// Where the log is.
        log_dir: PathBuf,
    },
    /// A server has written there, but neither snapshot nor log is left.
    #[error(
        "{log} has held the log that belongs to {data}, and there is neither a log nor a snapshot \
         any more: put back what was there; if it is lost, remove {mark} to begin with an empty \
         tree",
        data = data_dir.display(),
        log = log_dir.display(),
        mark = DataMark::path(data_dir).display()
    )]
    Emptied {
        /// Where the snapshots were.
        data_dir: PathBuf,
        /// Where the log was.
        log_dir: PathBuf,
    },
    /// The log is not the one that the snapshots were last served with.
    #[error(
        "{log} holds another log than {data} was last served with: it ends with {last}, and lacks \
         what that one has written up to {reached} or later; it is an older copy, was cut, or was \
         continued without {data}: put back the log that belongs to {data}, or both directories \
         from one backup",
        data = data_dir.display(),
        log = log_dir.display(),
        last = foreign.last,
        reached = foreign.reached
    )]
    OtherLog {
        /// Where the snapshots are.
        data_dir: PathBuf,
        /// Where the log is.
        log_dir: PathBuf,
        /// What is known of both.
        foreign: ForeignLog,
    },
    /// Snapshots of one data set and the log of another.
    #[error(
        "{log} holds the log of the snapshots in {expected}, and not of those in {data}: name \
         directories that belong together (dataDir and dataLogDir in zoo.cfg, DATADIR and \
         --log-dir of a command); if the snapshots in {expected} are lost, remove {mark}",
        data = data_dir.display(),
        log = log_dir.display(),
        expected = expected.display(),
        mark = LogMark::path(log_dir).display()
    )]
    Foreign {
        /// Where the snapshots are.
        data_dir: PathBuf,
        /// Where the log is.
        log_dir: PathBuf,
        /// Where the log's snapshots are.
        expected: PathBuf,
    },
    /// The log of what was there before an import.
    #[error(
        "{log}/ringkeeper-1 holds the log of other data than was imported into {data}: move it \
         away",
        data = data_dir.display(),
        log = log_dir.display()
    )]
    OlderLog {
        /// Where the snapshot is.
        data_dir: PathBuf,
        /// Where the log is.
        log_dir: PathBuf,
    },
    /// There is no such directory.
    #[error(
        "{} is not a directory: name the dataLogDir of the server with --log-dir, or leave that \
         out if it has none",
        .0.display()
    )]
    NoLogDirectory(PathBuf),
    /// No random numbers.
    #[error("/dev/urandom cannot be read: {0}")]
    Random(#[source] io::Error),
}

/// The part of a message that names where the missing log may be.
fn likely_text(likely: Option<&Path>) -> String {
    likely.map_or_else(String::new, |log| {
        format!("; a log of the same data set is in {}", log.display())
    })
}
