//! What agreement learns.

use super::effect::Notice;
use crate::in_log::InLog;
use model::peer::packet::{FromLeader, FromLearner};
use model::server::ServerId;
use model::zxid::Zxid;
use std::fmt;
use std::sync::Arc;

/// A learner link: one connection to a leader's quorum port, seen from either end. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// A fact of the world.
#[derive(Debug)]
pub enum Event<'a> {
    /// A server says what it votes for, over its election link.
    Notification {
        /// Who says it.
        from: ServerId,
        /// What it says.
        notice: Notice,
    },
    /// There is an election link to this server, where there was none.
    ElectionLinkOpened(ServerId),
    /// The link that [`Effect::Connect`](super::Effect) asked for is open.
    Connected(LinkId),
    /// It could not be opened.
    ConnectFailed,
    /// A server has connected to the quorum port of this one.
    Accepted(LinkId),
    /// A packet came over a link that this server has accepted. Nothing of a link comes before its
    /// opening or after its end, and nothing while [`Zab::is_reading`](super::Zab) says no.
    FromLearner(LinkId, FromLearner<'a>),
    /// A packet came over the link to the leader.
    FromLeader(LinkId, FromLeader<'a>),
    /// A learner link has ended.
    Closed(LinkId),
    /// The epochs that [`Effect::StoreEpochs`](super::Effect) named are durable.
    EpochsStored,
    /// The log is durable through this txn.
    Durable(Zxid),
    /// The log ends at this txn now, durably, as [`Effect::CutLog`](super::Effect) asked.
    LogCut(Zxid),
    /// What [`Effect::ReadLog`](super::Effect) asked for.
    LogRead(LinkId, LogRead),
    /// A whole snapshot has been handed to this link.
    SnapshotSent(LinkId),
    /// The snapshot that came over this link is durable, and the log begins anew behind it.
    SnapshotReceived(LinkId),
    /// The leader's own txns, as its head has applied them.
    Sealed(Arc<InLog>),
    /// Everything that had come was handed in. Also what time alone asks for is done now.
    TurnEnded,
}

/// A part of the log.
pub enum LogRead {
    /// The txns behind a position.
    Range {
        /// The last txn at or before the position that was asked for. Less than that if the log
        /// has no such txn.
        after: Zxid,
        /// The txns behind it; at least one, unless the log ends there.
        txns: Arc<InLog>,
    },
    /// The log no longer reaches back that far, or a snapshot would be shorter.
    Unavailable,
}

impl fmt::Debug for LogRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { after, txns } => write!(f, "{} behind {after}", txns.len()),
            Self::Unavailable => f.write_str("unavailable"),
        }
    }
}
