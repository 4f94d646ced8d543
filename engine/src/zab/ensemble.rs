//! The configuration of an ensemble, as seen by one of its servers.

use super::plant::Planted;
use super::quorum::Quorum;
use model::server::ServerId;
use std::sync::Arc;

/// A configuration, seen from one of its servers.
#[derive(Clone, Debug)]
pub struct Ensemble {
    /// This server.
    pub me: ServerId,
    /// Who votes.
    pub quorum: Quorum,
    /// Which configuration it is: 0 until one was agreed on.
    pub version: i64,
    /// The configuration as servers send it to each other.
    pub text: Arc<[u8]>,
    /// So many txns an epoch has at most: [`crate::limits::EPOCH_TXNS_MAX`] in a server.
    pub epoch_txns_max: u32,
    /// Nothing, in a server.
    pub planted: Planted,
}

/// How long servers wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The unit of the limits, in ms (`tickTime`). Leaders ping twice in it.
    pub tick_ms: u64,
    /// Ticks until a learner must have connected and synchronized (`initLimit`).
    pub init_limit: u64,
    /// Ticks after which a silent server counts as lost (`syncLimit`).
    pub sync_limit: u64,
    /// Between two attempts to connect to the leader, in ms (`leaderConnectDelayDuringRetryMs`).
    pub reconnect_ms: u64,
}

impl Pace {
    /// How long connecting and synchronizing may take, in ms.
    pub const fn init_ms(&self) -> u64 {
        self.tick_ms * self.init_limit
    }

    /// How long a server may be silent, in ms.
    pub const fn sync_ms(&self) -> u64 {
        self.tick_ms * self.sync_limit
    }
}

impl Ensemble {
    /// Whether this server votes.
    pub fn is_voter(&self) -> bool {
        self.quorum.is_voter(self.me)
    }
}
