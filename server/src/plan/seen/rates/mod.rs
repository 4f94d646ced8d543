//! Samples in sequence, as a load.

use super::{Observed, Sample};
use crate::plan::error::PlanError;
use crate::plan::layout::{ordering_of, smallest};
use crate::plan::numbers::{bytes, count, percent, time};
use crate::plan::question::Seen;
use planning::{Layout, Load};

/// Counters that never fall while a server runs.
const COUNTERS: [&str; 4] =
    ["packets_received", "readlatency_count", "updatelatency_count", "uptime"];

/// What the samples show.
///
/// # Errors
/// No two in sequence are of one run of the servers.
pub(super) fn observed(samples: &[Sample]) -> Result<Observed, PlanError> {
    let pairs = samples.windows(2).filter(|pair| is_steady(&pair[0], &pair[1]));
    let pairs: Vec<_> = pairs.map(|pair| (&pair[0], &pair[1])).collect();
    let last = pairs.last().ok_or(PlanError::Unsteady)?.1;
    let mut missing = Vec::new();
    let discarded = samples.len().saturating_sub(1) - pairs.len();
    if discarded > 0 {
        missing.push(format!(
            "{discarded} of {} intervals, in which counters went backwards: those of the others",
            samples.len() - 1
        ));
    }
    let load = load(&pairs, last, &mut missing);
    let layout = layout(last, &mut missing);
    Ok(Observed { seen: Seen { load, layout }, measured: measured(last), missing })
}

/// Whether no server has restarted in between.
fn is_steady(before: &Sample, after: &Sample) -> bool {
    let servers = before.tables.iter().zip(&after.tables);
    after.at_s > before.at_s
        && servers.into_iter().all(|(before, after)| {
            COUNTERS.iter().all(|name| after.number(name) >= before.number(name))
        })
}

/// Of all servers together; `None` if one does not say it.
fn sum(sample: &Sample, name: &str) -> Option<f64> {
    sample.tables.iter().map(|it| it.number(name)).sum()
}

/// Of the server that says most: what all of them have in common.
fn most(sample: &Sample, name: &str) -> Option<f64> {
    sample.tables.iter().filter_map(|it| it.number(name)).reduce(f64::max)
}

/// By second, over all steady intervals.
fn rate(pairs: &[(&Sample, &Sample)], name: &str) -> Option<f64> {
    let (mut counted, mut seconds) = (0.0, 0.0);
    for (before, after) in pairs {
        counted += sum(after, name)? - sum(before, name)?;
        seconds += after.at_s - before.at_s;
    }
    Some(counted / seconds)
}

fn load(pairs: &[(&Sample, &Sample)], last: &Sample, missing: &mut Vec<String>) -> Load {
    let usual = Load::default();
    let mut said = |found: Option<f64>, name: &str, instead: f64| {
        found.unwrap_or_else(|| {
            missing.push(format!("{name}: {} assumed", count(instead)));
            instead
        })
    };
    let sessions =
        most(last, "global_sessions").map(|it| it + sum(last, "local_sessions").unwrap_or(0.0));
    let connections = sum(last, "num_alive_connections");
    let sessions = said(sessions.or(connections), "sessions", usual.sessions);
    let nodes = said(most(last, "znode_count"), "nodes", usual.nodes);
    let data = most(last, "approximate_data_size").filter(|_| nodes > 0.0);
    let node_bytes = said(data.map(|it| it / nodes), "bytes of nodes", usual.node_bytes);
    let watches = said(sum(last, "watch_count"), "watches", usual.watches);
    let pings = Load { sessions, ..usual.clone() }.pings_per_s();
    let (reads, writes) = (rate(pairs, "readlatency_count"), rate(pairs, "updatelatency_count"));
    let (reads_per_s, writes_per_s) = if let (Some(reads), Some(writes)) = (reads, writes) {
        missing.push(format!(
            "session timeouts: {} s assumed, so {} of the requests counted as reads are pings",
            usual.session_timeout_s,
            percent(pings.min(reads) / reads.max(f64::MIN_POSITIVE))
        ));
        ((reads - pings).max(0.0), writes)
    } else {
        let all = rate(pairs, "packets_received").unwrap_or(0.0);
        missing.push(
            "reads and writes apart (readlatency, updatelatency): nine reads for each write \
             assumed"
                .to_owned(),
        );
        let requests = (all - pings).max(0.0);
        (0.9 * requests, 0.1 * requests)
    };
    Load { reads_per_s, writes_per_s, sessions, nodes, node_bytes, watches, ..usual }
}

/// The servers, as far as they say.
pub(super) fn layout(last: &Sample, missing: &mut Vec<String>) -> Layout {
    let observers = last.tables.iter().filter(|it| it.state == "observer").count();
    let named = last.tables.len();
    let voters = most(last, "quorum_size").map_or((named - observers).max(1), |it| it as usize);
    if named - observers < voters {
        missing.push(format!(
            "the load of {} of {voters} servers, which were not named: none assumed",
            voters - (named - observers)
        ));
    }
    let shards = last.tables.iter().map(|it| it.beginning("shard_connections{").count()).max();
    let shards = shards.filter(|it| *it > 0).unwrap_or_else(|| {
        missing.push("shards, as these servers are ZooKeeper's: 1 assumed for each".to_owned());
        1
    });
    let ordering = ordering_of(shards);
    Layout { servers: voters.max(1), observers, shards, ordering, ..smallest() }
}

/// What they say of latencies and of work, for comparison.
fn measured(last: &Sample) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (name, kind) in [("readlatency", "reads"), ("updatelatency", "writes")] {
        let quantile = |of: &str| most(last, &format!("{name}{{{of}}}"));
        if let (Some(p50), Some(p99)) = (quantile("0.5"), quantile("0.99")) {
            // Servers count whole milliseconds.
            let words = |ms: f64| if ms < 1.0 { "below 1 ms".to_owned() } else { time(ms / 1e3) };
            let words = format!("p50 {}, p99 {}", words(p50), words(p99));
            lines.push((format!("{kind}, in the server"), words));
        }
    }
    let busy = last.tables.iter().flat_map(|it| it.beginning("shard_busy_permille{"));
    if let Some(busiest) = busy.reduce(f64::max) {
        lines.push(("busiest shard".to_owned(), percent(busiest / 1e3)));
    }
    if let Some(resident) = most(last, "process_resident_memory_bytes") {
        lines.push(("resident memory".to_owned(), bytes(resident)));
    }
    lines
}

#[cfg(test)]
mod tests;
