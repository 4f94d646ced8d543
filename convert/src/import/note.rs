//! What an import reports to the operator besides its result.

use std::path::PathBuf;

use model::zxid::Zxid;

use super::Comparison;
use crate::error::{FileError, Hole};
use crate::stock::lengths::Lengths;

/// Names in one note.
const LISTED_MAX: usize = 100;

/// Something that the operator should know.
#[derive(Debug, thiserror::Error)]
pub enum Note {
    /// A snapshot that was skipped.
    #[error("a snapshot is damaged, an older one and more of the logs are used: {0}")]
    DamagedSnapshot(FileError),
    /// A log without even a header.
    #[error("{}: empty, as a crash leaves a log that was just created", .0.display())]
    EmptyLog(PathBuf),
    /// A log that ends in an entry that was not finished.
    #[error(
        "{}: ends at offset {offset} in a write that a crash interrupted, which was never \
         acknowledged",
        path.display()
    )]
    Torn {
        /// Which log.
        path: PathBuf,
        /// Where the entry begins.
        offset: u64,
    },
    /// Bytes after the end of a log.
    #[error(
        "{}: what follows the last entry is not zero from offset {offset} on; ZooKeeper \
         does not read it either",
        path.display()
    )]
    Garbage {
        /// Which log.
        path: PathBuf,
        /// The first byte that is not zero.
        offset: u64,
    },
    /// Txns that were there twice.
    #[error("{0} txns are in the logs more than once; each was replayed once")]
    Repeated(u64),
    /// The replay was ended where the logs are damaged.
    #[error("stopped at a damaged log, as requested; what follows is not imported: {0}")]
    StoppedAtDamage(FileError),
    /// The replay was ended where txns are missing.
    #[error("stopped where the logs have a gap, as requested; what follows is not imported: {0}")]
    StoppedAtHole(Hole),
    /// The digests differ.
    #[error(
        "the digest at {} should be {:#x} and is {:#x}; imported nevertheless, as requested",
        .0.zxid, .0.expected, .0.found
    )]
    Mismatch(Comparison),
    /// The logs do not reach the end of the snapshot.
    #[error("the snapshot needs the logs up to {0}, which are not there; imported nevertheless")]
    NotCovered(Zxid),
    /// No digest was found.
    #[error("no digest was written (digest.enabled=false, or before 3.6): nothing to compare with")]
    NotCompared,
    /// There was no log.
    #[error(
        "{}: there is no log, and the snapshot is imported as it is, as requested; what was \
         written after it is not in it",
        .0.display()
    )]
    WithoutLog(PathBuf),
    /// Nodes whose ACL is unknown.
    #[error(
        "the ACL of {count} nodes is in no file, and they were CLOSED to all but a \
         superuser; ZooKeeper answers every request about them with MARSHALLINGERROR; give each \
         an ACL by setAcl as a superuser (zookeeper.DigestAuthenticationProvider.superDigest): \
         {paths}",
        count = .0.len(), paths = listed(.0)
    )]
    ClosedNodes(Vec<String>),
    /// Nodes that are longer than the default of `jute.maxbuffer`.
    #[error(
        "{count} nodes are longer than clients and servers accept by default, the longest {path} \
         with {bytes} bytes; start serve with jute.maxbuffer={needed} or what ZooKeeper had, in \
         zoo.cfg or as -Djute.maxbuffer in JVMFLAGS; conf/java.env is not read",
        count = .0.beyond_packet, path = longest(.0).0, bytes = longest(.0).1,
        needed = .0.packet_bytes_needed()
    )]
    LongNodes(Lengths),
    /// The configuration names the servers of an ensemble.
    #[error(
        "/zookeeper/config names the servers of the ensemble ({}); clients that follow it, such \
         as Curator's, would connect to them and not to Ringkeeper: import with \
         --clear-ensemble empties it",
        listed(.0)
    )]
    Ensemble(Vec<String>),
    /// The configuration named the servers of an ensemble.
    #[error("/zookeeper/config was emptied, as requested; it named {}", listed(.0))]
    ClearedEnsemble(Vec<String>),
    /// Ephemeral nodes without a session.
    #[error(
        "{0} ephemeral nodes of sessions that no longer exist were removed, as ZooKeeper does \
         when it starts"
    )]
    Orphans(u64),
    /// Nodes that need a setting.
    #[error("{0} nodes have a time to live: serve needs extendedTypesEnabled=true, as before")]
    TtlNodes(u64),
}

fn longest(lengths: &Lengths) -> (&str, u64) {
    lengths.longest.as_ref().map_or(("", 0), |(path, bytes)| (path, *bytes))
}

/// Names separated by commas, and how many more there are.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
