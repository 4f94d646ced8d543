//! `srvr`, and what `stat` has around its list of clients.

use super::{Mean, Version, put};
use crate::admin::inquiry::Mode;
use crate::admin::totals::Totals;
use crate::admin::values;

/// The first lines.
pub fn head(out: &mut Vec<u8>, version: Version, mode: Mode) {
    put!(out, "Zookeeper version: {version}\n");
    if mode == Mode::ReadOnly {
        put!(out, "READ-ONLY mode; serving only read-only clients\n");
    }
}

/// The numbers. Some readers expect stock's lines to follow each other directly, so what stock does
/// not have is at the end.
pub fn numbers(out: &mut Vec<u8>, totals: &Totals) {
    let (shards, ordering) = (&totals.shards, &totals.ordering);
    let latency = shards.latency;
    put!(
        out,
        "Latency min/avg/max: {}/{}/{}\n",
        totals.latency_min(),
        Mean(latency),
        totals.latency_max()
    );
    put!(out, "Received: {}\n", shards.received);
    put!(out, "Sent: {}\n", shards.sent);
    put!(out, "Connections: {}\n", shards.connections);
    put!(out, "Outstanding: {}\n", shards.outstanding);
    put!(out, "Zxid: 0x{:x}\n", ordering.zxid.0);
    put!(out, "Mode: {}\n", ordering.mode.name());
    put!(out, "Node count: {}\n", ordering.node_count);
    if let Some(leading) = ordering.leading() {
        let [last, max, min] = values::last_max_min(leading.proposal_bytes);
        put!(out, "Proposal sizes last/min/max: {last}/{min}/{max}\n");
    }
    if let Some(why) = &ordering.writes_refused {
        put!(out, "Writes refused: {}\n", values::one_line(why));
    }
}
