//! Why the data cannot be restored.

use crate::advice;
use crate::data_set::{HalvesError, MarkError};
use crate::directories::Directories;
use disk::{BackgroundError, DiskError};
use engine::ordering::ReplayError;
use model::zxid::Zxid;
use snapshot::LoadError;
use thiserror::Error;
use txlog::{EpochsError, RecoverError};

/// Why the data cannot be restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// A snapshot cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Every snapshot is damaged.
    #[error("every snapshot is damaged, the newest one: {0}; restore one from a backup; {1}")]
    Damaged(LoadError, String),
    /// The log cannot be read; and the remedy.
    #[error("{0}; {1}")]
    Log(RecoverError, String),
    /// The log is not that of the snapshots; and the remedy.
    #[error("{0}; {1}")]
    Halves(HalvesError, String),
    /// What is recorded about the data cannot be read or written.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// A record of the log does not follow from what precedes it.
    #[error("the log's record {zxid} cannot be replayed: {error}")]
    Replay {
        /// Which record.
        zxid: Zxid,
        /// Why.
        error: ReplayError,
    },
    /// What the server has promised to leaders cannot be read.
    #[error(transparent)]
    Epochs(#[from] EpochsError),
    /// The disk returned an error.
    #[error("{0}{way_out}", way_out = advice::disk(.0))]
    Disk(#[from] DiskError),
    /// There is no room for the segment that every start creates.
    #[error(
        "{error}: every start creates a segment of the log, which takes {segment_bytes} bytes; \
         make room for it first"
    )]
    NoRoom {
        /// The disk's error.
        error: DiskError,
        /// How long a segment is.
        segment_bytes: u64,
    },
    /// The image in a snapshot is not a tree.
    #[error("the newest snapshot does not hold a tree: {0}")]
    Image(String),
    /// A snapshot cannot be written.
    #[error(transparent)]
    Write(#[from] snapshot::WriteError),
    /// The received snapshot is not there that is to be loaded.
    #[error("the snapshot that was received at {} in epoch {} is not there", .0.zxid, .0.epoch.0)]
    NotReceived(txlog::Base),
    /// The background has ended.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// No random numbers.
    #[error("/dev/urandom cannot be read: {0}")]
    Random(#[source] std::io::Error),
}

impl RestoreError {
    /// The log cannot be read.
    pub(super) fn of_log(error: RecoverError, directories: &Directories) -> Self {
        let advice = advice::log(&error, directories);
        Self::Log(error, advice)
    }

    /// No segment can be created.
    pub(super) fn of_segment(error: DiskError, segment_bytes: u64) -> Self {
        if advice::is_full(&error) { Self::NoRoom { error, segment_bytes } } else { error.into() }
    }

    /// Whether the directories hold other data than they should, rather than damaged files.
    pub const fn is_other_data(&self) -> bool {
        match self {
            Self::Halves(..) | Self::Mark(_) => true,
            Self::Log(error, _) => matches!(error, RecoverError::Older { .. }),
            _ => false,
        }
    }
}
