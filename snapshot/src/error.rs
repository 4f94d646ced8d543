//! What can go wrong with a snapshot.

use std::fmt;
use std::path::{Path, PathBuf};

use disk::DiskError;
use model::jute::JuteError;
use model::record::RecordError;

/// Why a snapshot was not written. Nothing of it is left in the directory, unless the disk failed
/// to remove it.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is no room; waiting for room helps.
    #[error("no room for the snapshot: {0}")]
    Full(#[source] DiskError),
    /// The disk failed.
    #[error("the snapshot could not be written: {0}")]
    Disk(#[source] DiskError),
    /// The caller's pace stopped it.
    #[error("the snapshot was abandoned")]
    Stopped,
    /// There are more or fewer records than the tree states.
    #[error("the tree states {expected} nodes, but has {found}: no snapshot of it is kept")]
    NodeCount {
        /// What the tree states.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// The records do not match the tree's digest.
    #[error("the tree's digest is {expected:#x}, that of its nodes {found:#x}: not kept")]
    Digest {
        /// What the tree states.
        expected: u64,
        /// What its records make.
        found: u64,
    },
    /// More of something than the format can hold.
    #[error("{0} of this tree exceed what a snapshot can hold")]
    TooLarge(Part),
}

impl From<DiskError> for WriteError {
    fn from(error: DiskError) -> Self {
        if error.is_full() { Self::Full(error) } else { Self::Disk(error) }
    }
}

/// Why a snapshot was not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The disk failed.
    #[error("a snapshot could not be read: {0}")]
    Disk(#[from] DiskError),
    /// The file begins with something else.
    #[error("{} is not a snapshot: it begins with {found:02x?}", file.display())]
    NotASnapshot {
        /// Which file.
        file: PathBuf,
        /// Its first bytes.
        found: [u8; 8],
    },
    /// A later version of Ringkeeper wrote it.
    #[error("{} has format {found}, newer than {known}, the newest known here", file.display())]
    NewerFormat {
        /// Which file.
        file: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest one known.
        known: u32,
    },
    /// It is damaged.
    #[error("{} is damaged, {part} at offset {offset}: {fault}", file.display())]
    Corrupt {
        /// Which file.
        file: PathBuf,
        /// Which part of it.
        part: Part,
        /// Where, in bytes from the file's beginning.
        offset: u64,
        /// What is wrong there.
        fault: Fault,
    },
}

impl LoadError {
    /// Whether an older snapshot may serve instead: the file itself is damaged, or its medium.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Disk(error) => error.operation == disk::Operation::Read,
            Self::NotASnapshot { .. } | Self::Corrupt { .. } => true,
            Self::NewerFormat { .. } => false,
        }
    }

    /// The file it is about.
    pub fn file(&self) -> &Path {
        match self {
            Self::Disk(error) => &error.path,
            Self::NotASnapshot { file, .. }
            | Self::NewerFormat { file, .. }
            | Self::Corrupt { file, .. } => file,
        }
    }
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first block.
    Header,
    /// The chunk of this number, from 0.
    Chunk(u32),
    /// The sessions.
    Sessions,
    /// The ACLs.
    Acls,
    /// The chunk index.
    Index,
    /// The last block.
    Footer,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Chunk(number) => write!(f, "chunk {number}"),
            Self::Sessions => f.write_str("sessions"),
            Self::Acls => f.write_str("ACLs"),
            Self::Index => f.write_str("index"),
            Self::Footer => f.write_str("footer"),
        }
    }
}

/// What is wrong with a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The checksum does not match the bytes.
    #[error("the checksum should be {expected:#010x}, the bytes make {found:#010x}")]
    Crc {
        /// What is written.
        expected: u32,
        /// What the bytes make.
        found: u32,
    },
    /// It is shorter, longer, or elsewhere than it must be.
    #[error("{expected} where {found} was found")]
    Extent {
        /// What it must be.
        expected: u64,
        /// What is written.
        found: u64,
    },
    /// It does not begin as it must.
    #[error("it begins with {found:02x?}")]
    Magic {
        /// Its first bytes.
        found: [u8; 8],
    },
    /// The bytes are not a valid archive of the expected type.
    #[error("it is not a valid archive")]
    Archive,
    /// Something is counted in two places, differently.
    #[error("{expected} were announced, {found} were found")]
    Count {
        /// What was announced.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// The bytes are not a record.
    #[error("{0}")]
    Record(RecordError),
    /// The offset table has another offset for a record.
    #[error("a record begins at {expected} of its chunk, the table says {found}")]
    Offset {
        /// Where it begins.
        expected: u32,
        /// What the table states.
        found: u32,
    },
    /// A record with an ACL that the file does not have.
    #[error("ACL {found} of {known}")]
    Acl {
        /// The record's.
        found: u32,
        /// The last number of the file.
        known: u32,
    },
    /// The list of an ACL is invalid.
    #[error("an invalid ACL: {0}")]
    AclList(JuteError),
    /// Ids or numbers that do not ascend, or are repeated.
    #[error("{found} does not follow {before}")]
    Order {
        /// The one before.
        before: i64,
        /// What follows it.
        found: i64,
    },
    /// There is no record of the root.
    #[error("there is no root")]
    NoRoot,
    /// The tree refuses a record.
    #[error("the tree refuses a record")]
    Refused,
}
