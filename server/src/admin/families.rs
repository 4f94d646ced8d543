//! The metrics under the names of stock's Prometheus provider, which are those of `mntr` without
//! `zk_`, each with its samples. They are shown by the page, and by the words and commands if that
//! provider is configured.

use super::host;
use super::inquiry::Mode;
use super::metrics::{Counter, Measure, QuotaSums, ServerMeasure};
use super::totals::Totals;
use super::values::{self, Process, Value};
use engine::meter::{Tally, Traffic};
use std::fmt::Display;

/// The labels of the quantiles, and each quantile in thousandths.
const QUANTILES: [(&str, u64); 3] = [("0.5", 500), ("0.9", 900), ("0.99", 990)];

/// One number of the page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// The metric with its suffix.
    pub(super) name: String,
    /// Names and values.
    pub(super) labels: Vec<(&'static str, String)>,
    /// The number.
    pub(super) value: f64,
}

/// A metric with its samples.
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

impl Metric {
    fn new(name: &str, kind: &'static str) -> Self {
        Self { name: name.to_owned(), kind, help: name.to_owned(), samples: Vec::new() }
    }

    fn sample(
        mut self,
        suffix: &str,
        labels: &[(&'static str, &str)],
        value: impl Display,
    ) -> Self {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let name = format!("{}{suffix}", self.name);
        let value = value.to_string().parse().unwrap_or(f64::NAN);
        self.samples.push(Sample { name, labels, value });
        self
    }
}

/// What `mntr` shows if this provider is configured.
fn samples(totals: &Totals, process: Process, usage: host::Usage) -> Vec<Sample> {
    all(totals, process, usage).into_iter().flat_map(|metric| metric.samples).collect()
}

/// Every metric with its samples.
pub(super) fn all(totals: &Totals, process: Process, usage: host::Usage) -> Vec<Metric> {
    let mut all = of_totals(totals, process);
    all.extend(of_process(usage, process));
    all
}

fn of_totals(totals: &Totals, process: Process) -> Vec<Metric> {
    let mut all = Vec::new();
    // As on stock, they are there while clients are served.
    if totals.ordering.is_serving {
        all.extend(gauges(totals, process));
    }
    let metrics = &totals.metrics;
    for &counter in Counter::ALL {
        let counted = metrics.counted(counter);
        all.push(Metric::new(counter.name(), "counter").sample("", &[], counted));
    }
    let mut refused = Metric::new("quota_exceeded_error_per_namespace", "counter");
    for (part, spread) in metrics.over_quota.iter() {
        refused = refused.sample("", &[("key", &String::from_utf8_lossy(part))], spread.sum);
    }
    all.push(refused);
    for &measure in Measure::ALL {
        all.push(summary(measure, &metrics.measured(measure)));
    }
    all.extend(ServerMeasure::ALL.iter().map(|measure| of_servers(totals, *measure)));
    all.push(traffic("read_per_namespace", &metrics.read));
    all.push(traffic("write_per_namespace", &metrics.written));
    let is_refusing = u8::from(totals.ordering.writes_refused.is_some());
    all.push(Metric::new("writes_refused", "gauge").sample("", &[], is_refusing));
    for (name, pick) in values::SHARD_KINDS {
        let mut metric = Metric::new(&format!("shard_{name}"), "gauge");
        for (number, shard) in totals.by_shard.iter().enumerate() {
            metric = metric.sample("", &[("shard", &number.to_string())], pick(shard));
        }
        all.push(metric);
    }
    all
}

fn gauges(totals: &Totals, process: Process) -> Vec<Metric> {
    let mut all = Vec::new();
    for (name, value) in values::gauges(totals, process) {
        if !matches!(value, Value::Text(_)) {
            all.push(Metric::new(&name, "gauge").sample("", &[], value));
        }
    }
    let observers = totals.ordering.ensemble.as_ref().and_then(|it| it.observers.as_ref());
    if totals.ordering.mode == Mode::Follower && observers.is_none() {
        // Of those that learn from it, which none does.
        all.push(Metric::new("synced_observers", "gauge").sample("", &[], 0));
    }
    for (kind, pick) in values::QUOTA_KINDS {
        all.push(quota(totals, &format!("quota_{kind}_per_namespace"), pick));
    }
    all
}

fn quota(totals: &Totals, name: &str, pick: fn(&QuotaSums) -> i64) -> Metric {
    let mut metric = Metric::new(name, "gauge");
    for (part, sums) in &totals.metrics.quotas {
        metric = metric.sample("", &[("key", part)], pick(sums));
    }
    metric
}

fn summary(measure: Measure, tally: &Tally) -> Metric {
    let metric = Metric::new(measure.name(), "summary");
    summarize(metric, &[], measure.has_quantiles(), tally)
}

/// What is measured of each server, under its number.
fn of_servers(totals: &Totals, measure: ServerMeasure) -> Metric {
    let mut metric = Metric::new(measure.name(), "summary");
    for (server, tally) in totals.metrics.measured_of_servers(measure) {
        let number = server.0.to_string();
        metric = summarize(metric, &[("key", &number)], measure.has_quantiles(), tally);
    }
    metric
}

fn summarize(
    mut metric: Metric,
    labels: &[(&'static str, &str)],
    has_quantiles: bool,
    tally: &Tally,
) -> Metric {
    let count = if has_quantiles { QUANTILES.len() } else { 1 };
    for (label, per_mille) in &QUANTILES[..count] {
        let labels = [labels, &[("quantile", *label)]].concat();
        metric = match tally.spread().count {
            0 => metric.sample("", &labels, "NaN"),
            _ => metric.sample("", &labels, tally.quantile(*per_mille)),
        };
    }
    let spread = tally.spread();
    metric.sample("_count", labels, spread.count).sample("_sum", labels, spread.sum)
}

fn traffic(name: &str, traffic: &Traffic) -> Metric {
    let mut metric = Metric::new(name, "summary");
    for (part, spread) in traffic.iter() {
        let part = String::from_utf8_lossy(part);
        let labels = [("key", &*part)];
        metric = metric.sample("_count", &labels, spread.count).sample("_sum", &labels, spread.sum);
    }
    metric
}

/// What Prometheus's own collectors report about a process.
fn of_process(usage: host::Usage, process: Process) -> Vec<Metric> {
    let gauge = |name: &str, help: &str, value: f64| {
        let mut metric = Metric::new(name, "gauge").sample("", &[], format!("{value:?}"));
        help.clone_into(&mut metric.help);
        metric
    };
    let mut cpu = gauge(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        usage.cpu_seconds,
    );
    cpu.kind = "counter";
    vec![
        cpu,
        gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            (host::wall_ms() as f64 - process.uptime_ms as f64) / 1000.0,
        ),
        gauge("process_open_fds", "Number of open file descriptors.", process.descriptors as f64),
        gauge(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            process.descriptors_max as f64,
        ),
        gauge(
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            usage.virtual_bytes as f64,
        ),
        gauge(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            usage.resident_bytes as f64,
        ),
    ]
}

/// What is reported if metrics have a page of their own: the state, then the page's samples.
pub(super) fn monitored(
    totals: &Totals,
    process: Process,
    usage: host::Usage,
) -> Vec<(String, Value)> {
    let mut list = values::state(totals);
    for sample in samples(totals, process, usage) {
        let labels: Vec<_> =
            sample.labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let name = match &labels[..] {
            [] => sample.name,
            labels => format!("{}{{{}}}", sample.name, labels.join(",")),
        };
        list.push((name, Value::Real(sample.value)));
    }
    list
}
