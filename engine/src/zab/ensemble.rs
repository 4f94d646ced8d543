//! The configuration of an ensemble, as seen by one of its servers.

use super::election::{NOTIFY_MS_MAX, NOTIFY_MS_MIN};
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
    /// Ticks until a learner must have reached its leader (`connectToLearnerMasterLimit`).
    pub connect_limit: u64,
    /// Between two attempts to connect to the leader, in ms (`leaderConnectDelayDuringRetryMs`).
    pub reconnect_ms: u64,
    /// How long an election waits for answers before it repeats its vote, in ms: at first
    /// (`fastleader.minNotificationInterval`), at least 1.
    pub notify_ms_min: u64,
    /// The same at most (`fastleader.maxNotificationInterval`), at least 1.
    pub notify_ms_max: u64,
    /// How long a leader without an epoch puts up with a voter that looks for a leader again, in ms
    /// (`leader.maxTimeToWaitForEpoch`); `None` until `init_limit` ends it.
    pub epoch_wait_ms: Option<u64>,
}

impl Pace {
    /// A pace of so many ms a tick and these limits in ticks; the rest is as by default.
    pub const fn of(tick_ms: u64, init_limit: u64, sync_limit: u64, reconnect_ms: u64) -> Self {
        Self {
            tick_ms,
            init_limit,
            sync_limit,
            connect_limit: init_limit,
            reconnect_ms,
            notify_ms_min: NOTIFY_MS_MIN,
            notify_ms_max: NOTIFY_MS_MAX,
            epoch_wait_ms: None,
        }
    }

    /// How long reaching the leader may take, in ms.
    pub const fn connect_ms(&self) -> u64 {
        self.tick_ms * self.connect_limit
    }

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
