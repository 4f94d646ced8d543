//! What clients ask for, and what servers there are to answer them.

use crate::costs::Costs;
use crate::error::{InputError, at_least};

/// The load of a whole ensemble, spread evenly over its servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Reads per second; a watch event that is sent counts as one.
    pub reads_per_s: f64,
    /// Writes per second.
    pub writes_per_s: f64,
    /// Open sessions.
    pub sessions: f64,
    /// After which a silent session ends; its client pings three times in it.
    pub session_timeout_s: f64,
    /// Nodes in the tree.
    pub nodes: f64,
    /// Path and data of a node, on average.
    pub node_bytes: f64,
    /// Watches that are set.
    pub watches: f64,
}

impl Default for Load {
    /// No requests; a thousand sessions of 30 s, a hundred thousand nodes of 200 bytes.
    fn default() -> Self {
        Self {
            reads_per_s: 0.0,
            writes_per_s: 0.0,
            sessions: 1e3,
            session_timeout_s: 30.0,
            nodes: 1e5,
            node_bytes: 200.0,
            watches: 1e3,
        }
    }
}

impl Load {
    /// Pings per second of all sessions, as if none sent requests.
    pub fn pings_per_s(&self) -> f64 {
        3.0 * self.sessions / self.session_timeout_s
    }

    /// The same mix with all requests multiplied; what is stored and open stays.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            reads_per_s: self.reads_per_s * factor,
            writes_per_s: self.writes_per_s * factor,
            ..self.clone()
        }
    }

    /// Checks that every number is finite and in its range.
    ///
    /// # Errors
    /// Names the first field that is not, or a record that fits no batch.
    pub fn check(&self, costs: &Costs) -> Result<(), InputError> {
        let least = [
            ("load.reads_per_s", self.reads_per_s, 0.0),
            ("load.writes_per_s", self.writes_per_s, 0.0),
            ("load.sessions", self.sessions, 0.0),
            ("load.session_timeout_s", self.session_timeout_s, 1e-3),
            ("load.nodes", self.nodes, 0.0),
            ("load.node_bytes", self.node_bytes, 0.0),
            ("load.watches", self.watches, 0.0),
        ];
        least.into_iter().try_for_each(|(name, value, min)| at_least(name, value, min))?;
        let record_bytes = self.record_bytes(costs);
        let batch_bytes_max = costs.device.batch_bytes_max;
        if record_bytes > batch_bytes_max {
            return Err(InputError::RecordExceedsBatch { record_bytes, batch_bytes_max });
        }
        Ok(())
    }

    /// One write in the log.
    pub fn record_bytes(&self, costs: &Costs) -> f64 {
        self.node_bytes + costs.device.record_overhead_bytes
    }

    /// One message that carries a node.
    pub fn message_bytes(&self, costs: &Costs) -> f64 {
        self.node_bytes + costs.network.frame_bytes
    }
}

/// Where the ordering role runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderingCore {
    /// On a core of its own.
    Own,
    /// On the core of one of the shards, whose clients wait for it.
    SharedWithShard,
}

/// The servers, all equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Servers that vote; a quorum is more than half of them.
    pub servers: usize,
    /// Servers that do not vote.
    pub observers: usize,
    /// Shards of each server.
    pub shards: usize,
    /// Where the ordering role of each server runs.
    pub ordering: OrderingCore,
    /// Snapshots that are kept.
    pub snapshots_kept: usize,
    /// Writes between two snapshots.
    pub writes_per_snapshot: f64,
}

impl Layout {
    /// So many voters of four shards and an ordering core, with ZooKeeper's defaults of snapshots.
    pub fn of_servers(servers: usize) -> Self {
        Self {
            servers,
            observers: 0,
            shards: 4,
            ordering: OrderingCore::Own,
            snapshots_kept: 3,
            writes_per_snapshot: 1e5,
        }
    }

    /// Voters that must hold a write durably.
    pub fn quorum(&self) -> usize {
        self.servers / 2 + 1
    }

    /// Cores that requests are handled on, of one server.
    pub fn cores(&self) -> usize {
        self.shards + usize::from(self.ordering == OrderingCore::Own)
    }

    /// Checks that there is a voter and a shard.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), InputError> {
        at_least("layout.servers", self.servers as f64, 1.0)?;
        at_least("layout.shards", self.shards as f64, 1.0)?;
        at_least("layout.writes_per_snapshot", self.writes_per_snapshot, 1.0)
    }
}
