//! What a replica is notified of.

use crate::message::ToOrdering;
use crate::zab;
use model::zxid::Zxid;

/// Something that happened.
#[derive(Debug)]
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
    /// [`zab::Event::Sealed`] or [`zab::Event::TurnEnded`], which the replica hands in itself.
    Peer(zab::Event<'a>),
    /// Everything that had arrived was handed in. What time alone requires is done now, too.
    TurnEnded,
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
