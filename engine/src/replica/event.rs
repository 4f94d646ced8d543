//! What a replica is notified of.

use crate::message::ToOrdering;
use crate::pipeline::Head;
use crate::zab::{self, LinkId};
use model::zxid::Zxid;
use std::fmt;

/// Something that happened.
pub enum Event<'a> {
    /// A message from a shard. Only while the replica admits messages.
    Shard(ToOrdering),
    /// The log is durable through this txn.
    Durable(Zxid),
    /// The log has changed its state.
    Log(LogState),
    /// The log has no room beyond this many bytes and cannot be extended; reported again whenever
    /// that changes. `None` once it can be extended again.
    LogBounded(Option<u64>),
    /// The snapshot that was begun has been written, or could not be.
    SnapshotEnded,
    /// What concerns agreement with other servers. Never [`zab::Event::Durable`],
    /// [`zab::Event::Sealed`], [`zab::Event::SnapshotReceived`] or [`zab::Event::TurnEnded`], which
    /// the replica hands in itself.
    Peer(zab::Event<'a>),
    /// The snapshot that came over this link is durable, and the log begins anew behind it.
    SnapshotReceived {
        /// The link.
        link: LinkId,
        /// The tree that it holds, sealed and published.
        head: Box<Head>,
    },
    /// Everything that had arrived was handed in. What time alone requires is done now, too.
    TurnEnded,
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(message) => f.debug_tuple("Shard").field(message).finish(),
            Self::Durable(zxid) => f.debug_tuple("Durable").field(zxid).finish(),
            Self::Log(state) => f.debug_tuple("Log").field(state).finish(),
            Self::LogBounded(left) => f.debug_tuple("LogBounded").field(left).finish(),
            Self::SnapshotEnded => f.write_str("SnapshotEnded"),
            Self::Peer(event) => f.debug_tuple("Peer").field(event).finish(),
            Self::SnapshotReceived { link, .. } => {
                f.debug_tuple("SnapshotReceived").field(link).finish()
            }
            Self::TurnEnded => f.write_str("TurnEnded"),
        }
    }
}

/// Whether the log takes a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// It takes one now.
    Ready,
    /// It takes one when writes in flight have ended or the next segment is there.
    Busy,
    /// It has written its last batch.
    Ended,
}
