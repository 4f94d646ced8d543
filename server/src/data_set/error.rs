//! Why the directories are not used, or not used together.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::beside::HistoryError;
use super::lineage::ForeignLog;
use super::mark::{DataMark, LogMark};
use super::text::MarkError;
use crate::survey::SurveyError;

/// Why the directories that were named are not used as a data set.
#[derive(Debug, Error)]
pub enum DataSetError {
    /// They do not hold what they should.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The halves do not belong together.
    #[error(transparent)]
    Halves(#[from] HalvesError),
    /// What the data set knows of itself cannot be read or written.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// There are two histories, or it is not known which one is the newer.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Why the directories are not used together. Nothing was changed.
#[derive(Debug, Error)]
pub enum HalvesError {
    /// What the directories record about each other cannot be read or written.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// Two directories do not belong together as they are.
    #[error("{}", fault.text(data_dir, log_dir))]
    Apart {
        /// Where the snapshots are, or were.
        data_dir: PathBuf,
        /// Where the log is, or was.
        log_dir: PathBuf,
        /// Why they do not.
        fault: HalvesFault,
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

impl HalvesError {
    /// These two do not belong together.
    pub fn apart(data_dir: &Path, log_dir: &Path, fault: HalvesFault) -> Self {
        Self::Apart { data_dir: data_dir.to_owned(), log_dir: log_dir.to_owned(), fault }
    }
}

/// Why a directory of snapshots and one of a log do not belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HalvesFault {
    /// The log is in a directory other than the one named.
    LogElsewhere,
    /// The log that is named is the log of other snapshots: these are a copy, or have moved.
    LogOfOriginal {
        /// Whose log that is.
        owner: PathBuf,
        /// Where a log of the same data set is.
        likely: Option<PathBuf>,
    },
    /// The log is missing.
    LogMissing {
        /// Where a log of the same data set is.
        likely: Option<PathBuf>,
    },
    /// The log is there, but its snapshots are missing.
    SnapshotsMissing,
    /// A server has written there, but neither snapshot nor log is left.
    Emptied,
    /// The log is not the one that the snapshots were last served with.
    OtherLog(ForeignLog),
    /// Snapshots of one data set and the log of another, whose snapshots are here.
    Foreign(PathBuf),
    /// The log of what was there before an import.
    OlderLog,
}

impl HalvesFault {
    fn text(&self, data_dir: &Path, log_dir: &Path) -> String {
        let (data, log) = (data_dir.display(), log_dir.display());
        let (data_mark, log_mark) = (DataMark::path(data_dir), LogMark::path(log_dir));
        let (data_mark, log_mark) = (data_mark.display(), log_mark.display());
        match self {
            Self::LogElsewhere => format!(
                "the log that belongs to {data} is in {log}: name that directory (dataLogDir in \
                 zoo.cfg, --log-dir of a command); if the log has moved, all files of \
                 {log}/ringkeeper-1 belong to its new place"
            ),
            Self::LogOfOriginal { owner, likely } => format!(
                "{data_mark} names {log} as its log, which is the log of the snapshots in {owner}, \
                 and not of those in {data}: {data} was copied or moved; name the log that belongs \
                 to it now (dataLogDir in zoo.cfg, --log-dir of a command){likely}",
                owner = owner.display(),
                likely = likely_text(likely.as_deref())
            ),
            Self::LogMissing { likely } => format!(
                "{log} should hold the log that belongs to {data}, and holds none: mount or put \
                 back what was there, or name where it is now (dataLogDir in zoo.cfg, --log-dir of \
                 a command){likely}; if it is lost, remove {data_mark} to continue with the newest \
                 snapshot, without what was written after it",
                likely = likely_text(likely.as_deref())
            ),
            Self::SnapshotsMissing => format!(
                "{log} holds the log of the snapshots in {data}, and they are not there: mount or \
                 put back what was in {data}; if they are lost, restore both directories from a \
                 backup, or, if the log goes back to its beginning, remove {log_mark} and all of \
                 it is replayed"
            ),
            Self::Emptied => format!(
                "{log} has held the log that belongs to {data}, and there is neither a log nor a \
                 snapshot any more: put back what was there; if it is lost, remove {data_mark} to \
                 begin with an empty tree"
            ),
            Self::OtherLog(ForeignLog { last, reached, .. }) => format!(
                "{log} holds another log than {data} was last served with: it ends with {last}, \
                 and lacks what that one has written up to {reached} or later; it is an older \
                 copy, was cut, or was continued without {data}: put back the log that belongs to \
                 {data}, or both directories from one backup"
            ),
            Self::Foreign(expected) => format!(
                "{log} holds the log of the snapshots in {expected}, and not of those in {data}: \
                 name directories that belong together (dataDir and dataLogDir in zoo.cfg, DATADIR \
                 and --log-dir of a command); if the snapshots in {expected} are lost, remove \
                 {log_mark}",
                expected = expected.display()
            ),
            Self::OlderLog => format!(
                "{log}/ringkeeper-1 holds the log of other data than was imported into {data}: \
                 move it away"
            ),
        }
    }
}

/// The part of a message that names where the missing log may be.
fn likely_text(likely: Option<&Path>) -> String {
    likely.map_or_else(String::new, |log| {
        format!("; a log of the same data set is in {}", log.display())
    })
}
