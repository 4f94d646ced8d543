//! `mntr`.

use super::{Mean, Version, put};
use crate::admin::inquiry::LastMaxMin;
use crate::admin::metrics::{Distribution, Measure};
use crate::admin::totals::Totals;
use std::fmt::Display;

/// What `mntr` tells of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Since it was started, in ms.
    pub uptime_ms: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    /// How many it may have.
    pub descriptors_max: u64,
}

/// `mntr`: what stock always has, in stock's order; what only leaders have; what else was counted.
pub fn monitor(out: &mut Vec<u8>, version: Version, totals: &Totals, process: Process) {
    let (shards, ordering) = (&totals.shards, &totals.ordering);
    let [response_last, response_max, response_min] = last_max_min(shards.response_bytes);
    let watches = shards.data_watches.watches + shards.child_watch_count;
    line(out, "version", version);
    line(out, "server_state", ordering.mode.name());
    line(out, "ephemerals_count", ordering.ephemeral_count);
    line(out, "num_alive_connections", shards.connections);
    line(out, "avg_latency", Mean(shards.latency));
    line(out, "outstanding_requests", shards.outstanding);
    line(out, "znode_count", ordering.node_count);
    line(out, "global_sessions", ordering.session_count);
    // Those without TLS are not counted: there is no TLS whose absence could be told.
    line(out, "non_mtls_remote_conn_count", 0);
    line(out, "last_client_response_size", response_last);
    line(out, "packets_sent", shards.sent);
    line(out, "packets_received", shards.received);
    line(out, "max_client_response_size", response_max);
    line(out, "connection_drop_probability", "0.0");
    line(out, "watch_count", watches);
    line(out, "auth_failed_count", shards.auth_failed);
    line(out, "min_latency", totals.latency_min());
    line(out, "max_file_descriptor_count", process.descriptors_max);
    line(out, "approximate_data_size", ordering.data_bytes);
    line(out, "open_file_descriptor_count", process.descriptors);
    line(out, "local_sessions", ordering.local_session_count);
    line(out, "uptime", process.uptime_ms);
    line(out, "max_latency", totals.latency_max());
    line(out, "outstanding_tls_handshake", 0);
    line(out, "min_client_response_size", response_min);
    line(out, "non_mtls_local_conn_count", 0);
    if let Some(sizes) = ordering.proposal_bytes {
        line(out, "last_proposal_size", sizes.last);
        line(out, "max_proposal_size", sizes.max);
        line(out, "min_proposal_size", sizes.min);
    }
    line(out, "writes_refused", u8::from(ordering.writes_refused.is_some()));
    if let Some(why) = &ordering.writes_refused {
        line(out, "writes_refused_reason", one_line(why));
    }
    for (counter, value) in &totals.metrics.counters {
        line(out, counter.name(), value);
    }
    for (&measure, distribution) in &totals.metrics.measures {
        distributed(out, measure, distribution);
    }
}

fn line(out: &mut Vec<u8>, key: &str, value: impl Display) {
    put!(out, "zk_{key}\t{value}\n");
}

fn distributed(out: &mut Vec<u8>, measure: Measure, distribution: &Distribution) {
    let (name, spread) = (measure.name(), distribution.spread);
    let (min, max) = if spread.count == 0 { (0, 0) } else { (spread.min, spread.max) };
    put!(out, "zk_avg_{name}\t{}\n", Mean(spread));
    put!(out, "zk_min_{name}\t{min}\n");
    put!(out, "zk_max_{name}\t{max}\n");
    put!(out, "zk_cnt_{name}\t{}\n", spread.count);
    put!(out, "zk_sum_{name}\t{}\n", spread.sum);
    if let Some(histogram) = &distribution.histogram {
        for (label, quantile) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
            put!(out, "zk_{label}_{name}\t{}\n", histogram.value_at_quantile(quantile));
        }
    }
}

/// Sizes as stock shows them: -1 before the first.
pub(super) fn last_max_min(sizes: Option<LastMaxMin>) -> [i128; 3] {
    sizes.map_or([-1; 3], |s| [s.last, s.max, s.min].map(i128::from))
}

/// A reason without what would end its line or its field.
pub(super) fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
