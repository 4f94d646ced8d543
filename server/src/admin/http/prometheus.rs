//! The page of metrics in Prometheus's text format, by the names of stock's provider: those of
//! `mntr` without `zk_`.

use crate::admin::answer::Desk;
use crate::admin::host;
use crate::admin::inquiry::Unanswered;
use crate::admin::metrics::{Counter, Measure, QuotaSums};
use crate::admin::room::Held;
use crate::admin::text::double;
use crate::admin::totals::Totals;
use crate::admin::values::{self, Process};
use engine::meter::{Tally, Traffic};
use std::collections::HashSet;
use std::fmt::{Display, Write as _};
use tokio::task::spawn_blocking;

/// The labels of a quantile, and in thousandths what each means.
const QUANTILES: [(&str, u64); 3] = [("0.5", 500), ("0.9", 900), ("0.99", 990)];

/// One number of the page.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::admin) struct Sample {
    /// The metric with its suffix.
    pub(in crate::admin) name: String,
    /// Names and values.
    pub(in crate::admin) labels: Vec<(&'static str, String)>,
    /// The number.
    pub(in crate::admin) value: f64,
}

/// The samples that are asked for; all of them if none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// Adds what a query or a form names by `name[]`.
    pub(super) fn add(&mut self, form: &[u8]) {
        let named = form_urlencoded::parse(form).filter(|(key, _)| key == "name[]");
        self.0.extend(named.map(|(_, name)| name.into_owned()));
    }

    /// What of a metric is asked for, if anything is.
    fn of(&self, mut metric: Metric) -> Option<Metric> {
        if !self.0.is_empty() {
            metric.samples.retain(|sample| self.0.contains(&sample.name));
        }
        (self.0.is_empty() || !metric.samples.is_empty()).then_some(metric)
    }
}

/// A metric with its samples.
struct Metric {
    name: String,
    kind: &'static str,
    help: String,
    samples: Vec<Sample>,
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

/// The page, or what is named of it.
pub(super) async fn page(desk: &Desk, names: Names, held: &mut Held) -> Result<String, Unanswered> {
    let totals = desk.totals().await?;
    let process = desk.process().await;
    let usage = spawn_blocking(host::usage).await.unwrap_or_default();
    held.make(move || text(all(&totals, process, usage), &names)).await
}

fn text(metrics: Vec<Metric>, names: &Names) -> String {
    let metrics = metrics.into_iter().filter_map(|metric| names.of(metric));
    let mut page = String::new();
    for Metric { name, kind, help, samples } in metrics {
        let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for Sample { name, labels, value } in samples {
            page.push_str(&name);
            if !labels.is_empty() {
                page.push('{');
                for (label, value) in labels {
                    let _ = write!(page, "{label}=\"{}\",", escaped(&value));
                }
                page.push('}');
            }
            let _ = writeln!(page, " {}", double(value));
        }
    }
    page
}

/// What `mntr` shows where this provider is configured.
pub(in crate::admin) fn samples(
    totals: &Totals,
    process: Process,
    usage: host::Usage,
) -> Vec<Sample> {
    all(totals, process, usage).into_iter().flat_map(|metric| metric.samples).collect()
}

fn all(totals: &Totals, process: Process, usage: host::Usage) -> Vec<Metric> {
    let mut all = of_totals(totals, process);
    all.extend(of_process(usage, process));
    all
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn of_totals(totals: &Totals, process: Process) -> Vec<Metric> {
    let mut all = Vec::new();
    for (name, value) in values::gauges(totals, process) {
        if !matches!(value, values::Value::Text(_)) {
            all.push(Metric::new(&name, "gauge").sample("", &[], value));
        }
    }
    for (kind, pick) in values::QUOTA_KINDS {
        all.push(quota(totals, &format!("quota_{kind}_per_namespace"), pick));
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
    // Of learners, of which there are none.
    for name in ["ack_latency", "learner_handler_qp_size", "learner_handler_qp_time_ms"] {
        all.push(Metric::new(name, "summary"));
    }
    all.push(traffic("read_per_namespace", &metrics.read));
    all.push(traffic("write_per_namespace", &metrics.written));
    let is_refusing = u8::from(totals.ordering.writes_refused.is_some());
    all.push(Metric::new("writes_refused", "gauge").sample("", &[], is_refusing));
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
    let count = if measure.has_quantiles() { QUANTILES.len() } else { 1 };
    let mut metric = Metric::new(measure.name(), "summary");
    for (label, per_mille) in &QUANTILES[..count] {
        let labels = [("quantile", *label)];
        metric = match tally.spread().count {
            0 => metric.sample("", &labels, "NaN"),
            _ => metric.sample("", &labels, tally.quantile(*per_mille)),
        };
    }
    let spread = tally.spread();
    metric.sample("_count", &[], spread.count).sample("_sum", &[], spread.sum)
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

/// What Prometheus's own collectors tell of a process.
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
