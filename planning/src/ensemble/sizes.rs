//! What a load occupies: memory, disk, network.

use crate::costs::Costs;
use crate::load::{Layout, Load};

/// Sizes of one server, the largest of all; times are those of a steady load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    /// Resident memory: all nodes and sessions, and the connections and watches of its clients.
    pub memory_bytes: f64,
    /// The snapshots that are kept and the one that is written, and the log since the oldest.
    pub disk_bytes: f64,
    /// Of the log, per second.
    pub log_bytes_per_s: f64,
    /// What the leader sends: replies, and every write to every other server.
    pub sent_bytes_per_s: f64,
    /// What the leader receives: requests, its own clients' and those forwarded to it.
    pub received_bytes_per_s: f64,
}

pub(super) fn sizes(costs: &Costs, load: &Load, layout: &Layout, alive: usize) -> Sizes {
    let (memory, network) = (&costs.memory, &costs.network);
    let members = (alive + layout.observers) as f64;
    let node_bytes = load.node_bytes + memory.node_overhead_bytes;
    let own_bytes =
        (load.sessions * memory.connection_bytes + load.watches * memory.watch_bytes) / members;
    let memory_bytes =
        memory.base_bytes + load.nodes * node_bytes + load.sessions * memory.session_bytes;
    let snapshot_bytes = load.nodes * node_bytes;
    let kept = layout.snapshots_kept as f64 + 1.0;
    let record_bytes = load.record_bytes(costs);
    let message_bytes = load.message_bytes(costs);
    let (reads, writes) = (load.reads_per_s, load.writes_per_s);
    let replies = reads * message_bytes + writes * network.frame_bytes;
    let requests = (reads + load.pings_per_s()) * network.frame_bytes;
    Sizes {
        memory_bytes: memory_bytes + own_bytes,
        disk_bytes: kept * (snapshot_bytes + layout.writes_per_snapshot * record_bytes),
        log_bytes_per_s: writes * record_bytes,
        sent_bytes_per_s: replies / members + writes * message_bytes * (members - 1.0),
        received_bytes_per_s: requests / members + writes * message_bytes,
    }
}
