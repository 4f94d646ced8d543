//! What agreement is notified of.

use super::configuration::Configuration;
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

/// One attempt to open a learner link. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(pub u64);

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A notification over a server's election link.
    Notification {
        /// The sender.
        from: ServerId,
        /// The notification.
        notice: Notice,
    },
    /// A server has said, with a notification, that this configuration is in force there.
    ConfigurationHeard(Arc<Configuration>),
    /// There is an election link to this server, where there was none.
    ElectionLinkOpened(ServerId),
    /// The link that [`Effect::Connect`](super::Effect) asked for is open.
    Connected(Attempt, LinkId),
    /// It could not be opened.
    ConnectFailed(Attempt),
    /// A server has connected to the quorum port of this one.
    Accepted(LinkId),
    /// A server has connected to the port at which this one serves observers.
    ObserverAccepted(LinkId),
    /// A packet arrived over a link that this server has accepted. Packets are handed in only
    /// between the opening and the end of their link, and while [`Zab::is_reading`](super::Zab).
    FromLearner(LinkId, FromLearner<'a>),
    /// A packet arrived over the link to the leader.
    FromLeader(LinkId, FromLeader<'a>),
    /// A learner link has ended.
    Closed(LinkId),
    /// What the oracle answers to [`Effect::AskOracle`](super::Effect): whether this server may
    /// decide alone.
    OracleSaid(bool),
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
    /// The snapshot that came over this link is durable, and the log begins anew behind this txn,
    /// the last one that it holds.
    SnapshotReceived(LinkId, Zxid),
    /// The leader's own txns, as its head has applied them.
    Sealed(Arc<InLog>),
    /// A quorum is to confirm that this server still leads. [`Effect::Confirmed`](super::Effect)
    /// follows, with this number or a later one; numbers rise, from 1 in each epoch.
    Confirm(u64),
    /// Everything that had arrived was handed in. What time alone requires is done now, too.
    TurnEnded,
}

/// A part of the log.
#[derive(Clone)]
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
