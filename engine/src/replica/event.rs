//! What a replica learns.

use crate::message::ToOrdering;
use model::zxid::Zxid;

/// A fact of the world.
#[derive(Debug)]
pub enum Event {
    /// A shard says something. Only while the replica admits messages.
    Shard(ToOrdering),
    /// The log is durable through this txn.
    Durable(Zxid),
    /// The log has changed its state.
    Log(LogState),
    /// The log cannot be continued behind what it has room for: it can take so many bytes more,
    /// and said so again whenever that changes; or, with `None`, it can be continued again.
    LogBounded(Option<u64>),
    /// The snapshot that was begun has been written, or could not be.
    SnapshotEnded,
    /// Everything that had come was handed in. Also what time alone asks for is done now.
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
