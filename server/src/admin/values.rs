//! Every number that the server reports about itself, under stock's names and in stock's order:
//! what `mntr`, the admin server's `monitor` and the metrics page show, each in its own form.

use super::inquiry::{
    EnsembleReport, LastMaxMin, LeadingReport, Mode, Progress, ShardReport, Spread,
};
use super::metrics::{Counter, Measure, Metrics, QuotaSums, ServerMeasure};
use super::text::{Mean, double};
use super::totals::Totals;
use engine::meter::Tally;

/// What is reported about the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Since it was started, in ms.
    pub uptime_ms: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    /// How many it may have.
    pub descriptors_max: u64,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i128),
    /// A mean.
    Mean(Spread),
    /// A decimal.
    Real(f64),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Mean(spread) => Mean(*spread).fmt(f),
            Self::Real(number) => f.write_str(&double(*number)),
        }
    }
}

/// All values in stock's order, then those that stock does not have.
pub fn values(totals: &Totals, process: Process) -> Vec<(String, Value)> {
    let mut list = gauges(totals, process);
    list.extend(quotas(totals));
    let metrics = &totals.metrics;
    for &counter in Counter::ALL {
        list.push(whole(counter.name(), metrics.counted(counter)));
    }
    for (part, refused) in metrics.over_quota.iter() {
        let name = format!("{}_quota_exceeded_error_per_namespace", String::from_utf8_lossy(part));
        list.push((name, Value::Whole(refused.sum.into())));
    }
    for &measure in Measure::ALL {
        let tally = metrics.measured(measure);
        spread(&mut list, measure.name(), tally.spread());
        if measure.has_quantiles() {
            quantiles(&mut list, measure.name(), &tally);
        }
    }
    of_servers(&mut list, metrics, false);
    for (traffic, kind) in [(&metrics.read, "read"), (&metrics.written, "write")] {
        for (part, sums) in traffic.iter() {
            let part = String::from_utf8_lossy(part);
            spread(&mut list, &format!("{part}_{kind}_per_namespace"), sums);
        }
    }
    of_servers(&mut list, metrics, true);
    // The reason is in `srvr`: exporters of these lines expect numbers.
    list.push(whole("writes_refused", u8::from(totals.ordering.writes_refused.is_some())));
    for (name, pick) in SHARD_KINDS {
        for (number, shard) in totals.by_shard.iter().enumerate() {
            list.push(whole(&format!("shard_{number}_{name}"), pick(shard)));
        }
    }
    list
}

type PickOfShard = fn(&ShardReport) -> u64;

/// What is reported of each shard, beside the sum of all. Stock has no shards.
pub(super) const SHARD_KINDS: [(&str, PickOfShard); 4] = [
    ("connections", |shard| shard.connections),
    ("packets_received", |shard| shard.received),
    ("outstanding_requests", |shard| shard.outstanding),
    ("busy_permille", |shard| shard.busy_permille.into()),
];

/// What is measured of each server, with quantiles or without.
fn of_servers(list: &mut Vec<(String, Value)>, metrics: &Metrics, has_quantiles: bool) {
    let measures = ServerMeasure::ALL.iter().filter(|it| it.has_quantiles() == has_quantiles);
    for &measure in measures {
        for (server, tally) in metrics.measured_of_servers(measure) {
            let name = format!("{}_{}", server.0, measure.name());
            spread(list, &name, tally.spread());
            if has_quantiles {
                quantiles(list, &name, tally);
            }
        }
    }
}

/// The values that are always present while clients are served.
pub(super) fn gauges(totals: &Totals, process: Process) -> Vec<(String, Value)> {
    let (shards, ordering) = (&totals.shards, &totals.ordering);
    let [response_last, response_max, response_min] = last_max_min(shards.response_bytes);
    let watches = shards.data_watches.watches + shards.child_watch_count;
    let mut list = state(totals);
    list.extend([
        whole("ephemerals_count", ordering.ephemeral_count),
        whole("num_alive_connections", shards.connections),
        ("avg_latency".to_owned(), Value::Mean(shards.latency)),
        whole("outstanding_requests", shards.outstanding),
        whole("znode_count", ordering.node_count),
        whole("global_sessions", ordering.session_count),
        // Connections without TLS are not counted: there is no TLS.
        whole("non_mtls_remote_conn_count", 0),
        whole("last_client_response_size", response_last),
        whole("packets_sent", shards.sent),
        whole("packets_received", shards.received),
        whole("max_client_response_size", response_max),
        ("connection_drop_probability".to_owned(), Value::Real(totals.drop_probability)),
        whole("watch_count", watches),
        whole("auth_failed_count", shards.auth_failed),
        whole("min_latency", totals.latency_min()),
        whole("max_file_descriptor_count", process.descriptors_max),
        whole("approximate_data_size", ordering.data_bytes),
        whole("open_file_descriptor_count", process.descriptors),
        whole("local_sessions", ordering.local_session_count),
        whole("uptime", process.uptime_ms),
        whole("max_latency", totals.latency_max()),
        whole("outstanding_tls_handshake", 0),
        whole("min_client_response_size", response_min),
        whole("non_mtls_local_conn_count", 0),
    ]);
    if let Some(ensemble) = &ordering.ensemble {
        list.push(whole("quorum_size", ensemble.quorum_size));
        if let Some(leading) = &ensemble.leading {
            add_leading(&mut list, leading);
        }
        if let (None, Some(observers)) = (&ensemble.leading, &ensemble.observers) {
            let at = list.iter().position(|(name, _)| name == "auth_failed_count");
            let value = whole("synced_observers", observers.len() as u64);
            list.insert(at.expect("every server reports it"), value);
        }
    }
    list
}

/// Puts what only leaders report between the other values, where stock has it.
fn add_leading(list: &mut Vec<(String, Value)>, leading: &LeadingReport) {
    let [last, max, min] = last_max_min(leading.proposal_bytes);
    for (before, value) in [
        ("outstanding_requests", whole("min_proposal_size", min)),
        ("max_client_response_size", whole("max_proposal_size", max)),
        ("connection_drop_probability", whole("synced_followers", leading.synced_followers)),
        ("auth_failed_count", whole("synced_non_voting_followers", leading.synced_without_vote)),
        ("auth_failed_count", whole("synced_observers", leading.synced_observers)),
        ("local_sessions", whole("last_proposal_size", last)),
        ("local_sessions", whole("pending_syncs", leading.pending_syncs)),
        ("local_sessions", whole("leader_uptime", leading.uptime_ms)),
        ("min_client_response_size", whole("learners", leading.learners)),
    ] {
        let at = list.iter().position(|(name, _)| name == before);
        list.insert(at.expect("every server reports it"), value);
    }
}

type PickSum = fn(&QuotaSums) -> i64;

/// What is reported about quotas, in stock's order.
pub(super) const QUOTA_KINDS: [(&str, PickSum); 4] = [
    ("bytes_limit", |sums| sums.bytes_max),
    ("count_usage", |sums| sums.count),
    ("count_limit", |sums| sums.count_max),
    ("bytes_usage", |sums| sums.bytes),
];

fn quotas(totals: &Totals) -> Vec<(String, Value)> {
    let mut list = Vec::new();
    for (kind, pick) in QUOTA_KINDS {
        for (part, sums) in &totals.metrics.quotas {
            list.push((
                format!("{part}_quota_{kind}_per_namespace"),
                Value::Whole(pick(sums).into()),
            ));
        }
    }
    list
}

/// What is reported if no metrics are kept.
pub(super) fn state(totals: &Totals) -> Vec<(String, Value)> {
    let ordering = &totals.ordering;
    let text = |name: &str, text: &str| (name.to_owned(), Value::Text(text.to_owned()));
    let mut list = vec![text("server_state", ordering.mode.name())];
    if let Some(ensemble) = &ordering.ensemble {
        list.push(text("peer_state", &peer_state(ordering.mode, ensemble)));
        if let Some(master) = ensemble.master {
            let id = master.map_or(-1, |master| master.0);
            list.push(("observer_master_id".to_owned(), Value::Whole(id.into())));
        }
    }
    list
}

/// What the server does in its ensemble, and how far it has come with that.
fn peer_state(mode: Mode, ensemble: &EnsembleReport) -> String {
    let does = match mode {
        Mode::Leader => "leading",
        Mode::Observer => "observing",
        Mode::Follower => "following",
        Mode::Standalone | Mode::ReadOnly => "looking",
    };
    match ensemble.progress {
        Progress::Election => "looking".to_owned(),
        progress => format!("{does} - {}", progress_name(progress)),
    }
}

/// Stock's name for how far a server has come.
pub(super) fn progress_name(progress: Progress) -> &'static str {
    match progress {
        Progress::Election => "election",
        Progress::Discovery => "discovery",
        Progress::Synchronization => "synchronization",
        Progress::Broadcast => "broadcast",
    }
}

fn whole(name: &str, value: impl Into<i128>) -> (String, Value) {
    (name.to_owned(), Value::Whole(value.into()))
}

fn spread(list: &mut Vec<(String, Value)>, name: &str, spread: Spread) {
    let (min, max) = if spread.count == 0 { (0, 0) } else { (spread.min, spread.max) };
    list.push((format!("avg_{name}"), Value::Mean(spread)));
    list.push(whole(&format!("min_{name}"), min));
    list.push(whole(&format!("max_{name}"), max));
    list.push(whole(&format!("cnt_{name}"), spread.count));
    list.push(whole(&format!("sum_{name}"), spread.sum));
}

fn quantiles(list: &mut Vec<(String, Value)>, name: &str, tally: &Tally) {
    for (label, per_mille) in [("p50", 500), ("p95", 950), ("p99", 990), ("p999", 999)] {
        let quantile = tally.quantile(per_mille);
        list.push((format!("{label}_{name}"), Value::Whole(quantile.into())));
    }
}

/// Sizes as stock shows them: -1 before the first.
pub(super) fn last_max_min(sizes: Option<LastMaxMin>) -> [i128; 3] {
    sizes.map_or([-1; 3], |s| [s.last, s.max, s.min].map(i128::from))
}

/// A reason without characters that would end its line or its field.
pub(super) fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
