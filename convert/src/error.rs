//! What can be wrong with files, and why an import or an export fails.

use std::io;
use std::path::{Path, PathBuf};

use model::jute::JuteError;
use model::zxid::Zxid;

use crate::stock::stream::StreamError;

/// What is wrong at some place in a file of `ZooKeeper`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file ends within a field.
    #[error("the file ends: {needed} bytes were expected, {found} are left")]
    Short {
        /// Bytes that the field needs.
        needed: u64,
        /// Bytes that are left.
        found: u64,
    },
    /// A length that no field can have.
    #[error("a length of {0} bytes")]
    Length(i64),
    /// It does not begin as required.
    #[error("it should begin with {expected:02x?}, and begins with {found:02x?}")]
    Magic {
        /// What it should begin with.
        expected: [u8; 4],
        /// What it begins with.
        found: Vec<u8>,
    },
    /// Another version of the format.
    #[error("format version {found}, only {} is known", crate::stock::VERSION)]
    Version {
        /// What is stored.
        found: i32,
    },
    /// The checksum does not match the bytes.
    #[error("the checksum should be {found:#x}, that of the bytes is {expected:#x}")]
    Checksum {
        /// The checksum of the bytes.
        expected: u64,
        /// What is stored.
        found: u64,
    },
    /// An entry of the log does not end with its mark, and valid ones follow it.
    #[error("an entry should end with 0x42, and ends with {found:#04x}")]
    EntryEnd {
        /// What is there.
        found: u8,
    },
    /// The checksum matches, but the bytes are not a txn.
    #[error("an entry that is not a txn: {0}")]
    Txn(JuteError),
    /// A node before its parent, or without one.
    #[error("{0} has no parent")]
    NoParent(String),
    /// A node that occurs twice.
    #[error("{0} is there twice")]
    Twice(String),
    /// A path that no node can have.
    #[error("{0:?} is not a path of a node")]
    Path(String),
    /// There are nodes, but no root.
    #[error("there is no root")]
    NoRoot,
    /// What follows a snapshot on a link is something else.
    #[error("the snapshot ends with {0:?} instead of its signature")]
    Signature(String),
    /// A value outside its bounds.
    #[error("a time to live of {0} ms")]
    Ttl(i64),
}

impl Fault {
    /// Bytes of a path for a message.
    pub(crate) fn shown(path: &[u8]) -> String {
        String::from_utf8_lossy(&path[..path.len().min(400)]).into_owned()
    }
}

/// A file with what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct FileError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub error: StreamError,
}

impl FileError {
    pub(crate) fn new(path: &Path, error: impl Into<StreamError>) -> Self {
        Self { path: path.to_owned(), error: error.into() }
    }
}

/// Zxids that are in no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The last txn before it.
    pub last: Zxid,
    /// The first txn after it.
    pub next: Zxid,
    /// The file that continues after it.
    pub path: PathBuf,
    /// Where in that file.
    pub offset: u64,
}

impl std::fmt::Display for Hole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (last, next) = (self.last, self.next);
        let path = self.path.display();
        if last.epoch() == next.epoch() {
            let (from, to) = (last.next(), Zxid(next.0 - 1));
            write!(f, "the txns {from} to {to} are missing before {path}, offset {}", self.offset)
        } else {
            let to = Zxid(next.0 - 1);
            write!(
                f,
                "txns after {last} up to {to} are missing before {path}, offset {}",
                self.offset
            )
        }
    }
}

/// Why an import fails.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such directory.
    #[error(
        "{} does not exist: name the dataDir of zoo.cfg, whose version-2 holds snapshot.* files, \
         and its dataLogDir with --log-dir",
        .0.display()
    )]
    Missing(PathBuf),
    /// Something that is not a directory.
    #[error(
        "{} is not a directory: name the dataDir of zoo.cfg, whose version-2 holds snapshot.* \
         files, and its dataLogDir with --log-dir",
        .0.display()
    )]
    NotADirectory(PathBuf),
    /// A directory cannot be listed.
    #[error(
        "{} cannot be read: {error}; run the command as the user that it belongs to",
        path.display()
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// The other server's data.
    #[error(
        "{} holds data of Ringkeeper and none of ZooKeeper: serve starts on it as it is, and \
         `ringkeeper export` converts it to ZooKeeper's format",
        .0.display()
    )]
    OnlyOurs(PathBuf),
    /// Logs in the directory of snapshots.
    #[error(
        "{} is a log in the dataDir, and --log-dir names another directory: ZooKeeper would not \
         start with these two; leave --log-dir out, or move the logs that are not in use away",
        .0.display()
    )]
    LogInDataDir(PathBuf),
    /// Snapshots in the directory of logs.
    #[error(
        "{} is a snapshot in the dataLogDir: ZooKeeper would not start with these two; name the \
         dataDir first and the dataLogDir with --log-dir, or move the snapshots that are not in \
         use away",
        .0.display()
    )]
    SnapshotInLogDir(PathBuf),
    /// Nothing there is a snapshot or a log.
    #[error(
        "{} holds no snapshot and no log of ZooKeeper: name the dataDir of zoo.cfg, and its \
         dataLogDir with --log-dir",
        .0.display()
    )]
    NoData(PathBuf),
    /// There are snapshots, but no log.
    #[error(
        "{} holds no log, and ZooKeeper keeps everything that is newer than a snapshot in logs: \
         name the dataLogDir of zoo.cfg with --log-dir; if there is no log anywhere, as in a \
         backup of a snapshot, import it as it is with --without-log",
        .0.display()
    )]
    NoLog(PathBuf),
    /// A process writes there.
    #[error(
        "{} was written while it was read: a server runs on it; stop that server, then import",
        .0.display()
    )]
    Changed(PathBuf),
    /// There are logs, but no snapshot.
    #[error(
        "{} holds no snapshot, but there are logs: if it is the dataLogDir of zoo.cfg, name the \
         dataDir, and this one with --log-dir; if it is both, ZooKeeper would not start on it \
         either, and if it was never restarted since version 3.4, --trust-empty-snapshot \
         replays the logs from the beginning",
        .0.display()
    )]
    NoSnapshot(PathBuf),
    /// Every snapshot is damaged.
    #[error(
        "every snapshot of {} is damaged, the newest one: {error}; take the directory of another \
         server of the ensemble, or a backup",
        directory.display()
    )]
    AllDamaged {
        /// Where they are.
        directory: PathBuf,
        /// What is wrong with the newest.
        error: FileError,
    },
    /// A log is damaged.
    #[error(
        "{0}; --stop-at-damage imports everything before it, up to {reached}; or take \
         the directory of another server of the ensemble"
    , reached = .1)]
    Log(FileError, Zxid),
    /// Txns are missing.
    #[error(
        "{0}; put back the log that holds them, or import what precedes them, up to {last}, with \
         --stop-at-damage",
        last = .0.last
    )]
    Hole(Hole),
    /// The tree is not the one that `ZooKeeper` had.
    #[error(
        "at {zxid} the tree's digest should be {expected:#x} and is {found:#x}: the files do not \
         hold what the server had; take the directory of another server of the ensemble, or \
         import it as it is with --accept-mismatch"
    )]
    Digest {
        /// Which txn's digest.
        zxid: Zxid,
        /// What was written.
        expected: u64,
        /// What the imported tree has.
        found: u64,
    },
    /// The logs end before the snapshot did.
    #[error(
        "the snapshot was written while the tree changed, up to {needed}, but the logs end at \
         {reached}: the logs after it are missing (--log-dir?); --accept-mismatch imports it as \
         it is"
    )]
    NotCovered {
        /// The txn at which the snapshot was complete.
        needed: Zxid,
        /// The last txn in the logs.
        reached: Zxid,
    },
    /// The target has data.
    #[error(
        "{} holds data already: import into another directory, or move that one away first",
        .0.display()
    )]
    TargetInUse(PathBuf),
    /// The target is not a directory.
    #[error("{} is not a directory: name another with --to", .0.display())]
    TargetNotADirectory(PathBuf),
    /// The snapshot was not written.
    #[error(transparent)]
    Write(#[from] snapshot::WriteError),
    /// The target cannot be used.
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
}

impl ImportError {
    /// Whether a directory cannot be used: it is missing, not readable for us, in use, or holds
    /// something else. Every other error is about the content of its files.
    pub const fn is_of_directory(&self) -> bool {
        match self {
            Self::Missing(_)
            | Self::NotADirectory(_)
            | Self::Directory { .. }
            | Self::OnlyOurs(_)
            | Self::LogInDataDir(_)
            | Self::SnapshotInLogDir(_)
            | Self::NoData(_)
            | Self::NoLog(_)
            | Self::Changed(_)
            | Self::NoSnapshot(_)
            | Self::TargetInUse(_)
            | Self::TargetNotADirectory(_) => true,
            Self::AllDamaged { .. }
            | Self::Log(..)
            | Self::Hole(_)
            | Self::Digest { .. }
            | Self::NotCovered { .. }
            | Self::Write(_)
            | Self::Disk(_) => false,
        }
    }
}

/// Why an export fails.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The target has data.
    #[error(
        "{} holds data already: export into another directory, or move that one away first",
        .0.display()
    )]
    TargetInUse(PathBuf),
    /// Something that is not a directory has its name.
    #[error(
        "{} is not a directory: move it away, or name another directory with --to",
        .0.display()
    )]
    NotADirectory(PathBuf),
    /// The target cannot be written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
}

impl ExportError {
    /// Whether the target cannot be used: it is not accessible to us, or holds something else.
    pub fn is_of_directory(&self) -> bool {
        match self {
            Self::TargetInUse(_) | Self::NotADirectory(_) => true,
            Self::Io { error, .. } => error.kind() == io::ErrorKind::PermissionDenied,
        }
    }
}
