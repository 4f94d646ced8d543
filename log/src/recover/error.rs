//! Why a log cannot be used as it is.

use std::fmt;
use std::path::PathBuf;

use disk::DiskError;
use model::zxid::Zxid;

use crate::epochs::EpochsError;
use crate::format::{BatchFault, SegmentNumber, SegmentOffset};

/// Why a log cannot be used as it is. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A batch that was durable is damaged or missing.
    #[error(
        "the log is corrupt: {} at offset {offset}: {fault}; acknowledged data \
         was there, {witness}",
        path.display()
    )]
    Corrupt {
        /// The segment's file.
        path: PathBuf,
        /// Where the first missing batch begins.
        offset: SegmentOffset,
        /// What was expected and found there.
        fault: BatchFault,
        /// What shows that it was durable.
        witness: Witness,
    },
    /// A batch's checksum fits but its records do not: written by something else.
    #[error("{} at offset {offset}: {fault} under a checksum that fits", path.display())]
    Malformed {
        /// The segment's file.
        path: PathBuf,
        /// Where the batch begins.
        offset: SegmentOffset,
        /// What does not fit.
        fault: BatchFault,
    },
    /// Which of two histories counts is not known: the epochs that decide it cannot be read.
    #[error(transparent)]
    Epochs(#[from] EpochsError),
    /// Records are missing between the snapshot and the log, or between two runs of it.
    #[error(
        "the log has a hole before {}: it reaches {reached} and continues after {next}",
        path.display()
    )]
    Hole {
        /// The segment behind the hole, or the last one before it.
        path: PathBuf,
        /// What snapshot and log reach.
        reached: Zxid,
        /// What the log continues from.
        next: Zxid,
    },
    /// The log ends before a snapshot does, although a snapshot holds only durable txns.
    #[error(
        "the log ends with {reached}, in {}, and there is a snapshot at {snapshot}: its newest \
         segments are missing, or it is an older copy",
        path.display()
    )]
    Older {
        /// The segment in which it ends.
        path: PathBuf,
        /// Its last zxid.
        reached: Zxid,
        /// The newest snapshot.
        snapshot: Zxid,
    },
    /// A segment between two others is missing.
    #[error("the segment {} is missing, but later ones exist", path.display())]
    MissingSegment {
        /// Where it would be.
        path: PathBuf,
    },
    /// A file with a segment's name is not one.
    #[error(
        "{} is not a segment of a Ringkeeper log: it begins with {}",
        path.display(),
        found.escape_ascii()
    )]
    WrongMagic {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        found: [u8; 8],
    },
    /// Another version of Ringkeeper wrote it.
    #[error("{} has format version {found}, this server reads {known}", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A segment's header is damaged.
    #[error(
        "the header of {} is corrupt: checksum 0x{found:08x} where the bytes make 0x{expected:08x}",
        path.display()
    )]
    CorruptHeader {
        /// The file.
        path: PathBuf,
        /// What the bytes make.
        expected: u32,
        /// What is written.
        found: u32,
    },
    /// A segment's header has a value that this version does not know.
    #[error("the header of {} has the unknown start {found}", path.display())]
    UnknownStart {
        /// The file.
        path: PathBuf,
        /// The value.
        found: u64,
    },
    /// A file has another segment's name.
    #[error("{} is segment {found}, its name says {expected}", path.display())]
    WrongNumber {
        /// The file.
        path: PathBuf,
        /// The number in the name.
        expected: SegmentNumber,
        /// The number in the header.
        found: SegmentNumber,
    },
    /// A segment was cut or extended.
    #[error("{} is {found} bytes long, it should be {expected}", path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// What the header states.
        expected: u64,
        /// What the file system reports.
        found: u64,
    },
}

impl RecoverError {
    /// What is known to have been acknowledged behind the damage: at least through this zxid.
    pub const fn durable_through(&self) -> Option<Zxid> {
        match self {
            Self::Hole { next, .. } => Some(*next),
            Self::Corrupt { witness: Witness::Batch { durable_through, .. }, .. } => {
                Some(*durable_through)
            }
            Self::Corrupt {
                witness: Witness::NextRun(zxid) | Witness::Snapshot(zxid) | Witness::Appender(zxid),
                ..
            } => Some(*zxid),
            _ => None,
        }
    }
}

/// What shows that a missing batch was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// A later batch of the same run.
    Batch {
        /// Its segment.
        segment: SegmentNumber,
        /// Where it begins.
        offset: SegmentOffset,
        /// What it states.
        durable_through: Zxid,
    },
    /// The next run, which continues from there.
    NextRun(Zxid),
    /// A snapshot.
    Snapshot(Zxid),
    /// The appender, which has made the log durable through there.
    Appender(Zxid),
    /// A purge, which leaves only segments whose beginning was durable.
    Purge,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch { segment, offset, durable_through } => write!(
                f,
                "as the batch at offset {offset} of segment {segment} says (durable through \
                 {durable_through})"
            ),
            Self::NextRun(zxid) => {
                write!(f, "as the log continues after {zxid} in a later segment")
            }
            Self::Snapshot(zxid) => write!(f, "as there is a snapshot at {zxid}"),
            Self::Appender(zxid) => write!(f, "as the log was made durable through {zxid}"),
            Self::Purge => f.write_str("as older segments were purged"),
        }
    }
}
