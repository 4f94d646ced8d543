//! The results: a table and a page for people, JSON for scripts.

mod faults;
mod journal;
mod json;
mod page;
mod plot;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use super::Output;
use super::args::BenchArgs;
use super::error::BenchError;
use super::meter::Metered;
use super::tally::{Second, Tally};

pub(super) use faults::FaultReport;
pub use journal::IncidentKind;
pub(super) use journal::Journal;

/// The shortest time over which CPU time is reported as a share of a core.
const SHARE_NS_MIN: u64 = 100_000_000;

/// A kind of request, or a part of one.
pub(super) struct Row {
    pub(super) name: Box<str>,
    pub(super) ns: Histogram<u64>,
    /// Not counted among the operations.
    pub(super) is_part: bool,
}

/// What `--verify` found.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub(super) checked: u64,
    /// Answers of the last check, of every key on every server.
    pub(super) audited: u64,
    pub(super) violations: u64,
    /// The first ones.
    pub(super) reported: Vec<String>,
}

/// One rate of a ramp.
#[derive(Clone, Copy, Debug)]
pub(super) struct RampPoint {
    /// Requested, per second.
    pub(super) rate: f64,
    /// Answered, per second.
    pub(super) achieved: f64,
    pub(super) p50_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) p999_ns: u64,
    /// Whether it kept the limit.
    pub(super) is_kept: bool,
}

/// A ramp that has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Ramp {
    pub(super) limit_ns: u64,
    /// In the order in which they were tried.
    pub(super) points: Vec<RampPoint>,
}

impl Ramp {
    /// The highest rate that kept the limit.
    pub(super) fn best(&self) -> Option<RampPoint> {
        let kept = self.points.iter().filter(|point| point.is_kept);
        kept.max_by(|a, b| a.rate.total_cmp(&b.rate)).copied()
    }
}

/// A measurement that has ended.
pub(super) struct Results {
    /// What was requested, as name and value, in the order of the JSON.
    pub(super) settings: Vec<(&'static str, serde_json::Value)>,
    /// What one unit of `ops` is.
    pub(super) unit: &'static str,
    pub(super) title: String,
    pub(super) ops: u64,
    pub(super) used: Metered,
    pub(super) rows: Vec<Row>,
    pub(super) errors: Vec<(i32, u64)>,
    /// Begun, but the connection was lost.
    pub(super) lost: u64,
    /// Due, but never begun: too many were waiting.
    pub(super) dropped: u64,
    /// Due and not answered when the wait for the last answers ended.
    pub(super) unanswered: u64,
    pub(super) seconds: Vec<Second>,
    pub(super) journal: Journal,
    pub(super) faults: Vec<FaultReport>,
    pub(super) verdict: Option<Verdict>,
    pub(super) ramp: Option<Ramp>,
}

impl Results {
    /// The results of `ops` operations of `unit`; the classes of `tally` are the rows.
    pub(super) fn new(
        unit: &'static str,
        ops: u64,
        used: Metered,
        tally: &mut Tally,
        journal: Journal,
    ) -> Self {
        tally.fold();
        let whole_count = tally.whole_count();
        let rows = tally.classes().iter().enumerate().map(|(index, class)| Row {
            name: class.name.clone(),
            ns: class.latencies_ns().clone(),
            is_part: index >= whole_count,
        });
        Self {
            settings: Vec::new(),
            unit,
            title: String::new(),
            ops,
            used,
            rows: rows.filter(|row| !row.is_part || !row.ns.is_empty()).collect(),
            errors: tally.errors().to_vec(),
            lost: 0,
            dropped: 0,
            unanswered: 0,
            seconds: tally.seconds().to_vec(),
            journal,
            faults: Vec::new(),
            verdict: None,
            ramp: None,
        }
    }

    /// Prints, writes the requested files, and returns whether the measurement is valid.
    pub(super) fn report(&self, args: &BenchArgs, out: &mut Output<'_>) -> Result<(), BenchError> {
        let path = PathBuf::from("standard output");
        let written =
            out.results.write_all(self.table().as_bytes()).and_then(|()| out.results.flush());
        written.map_err(|source| BenchError::Write { path, source })?;
        if let Some(path) = &args.json {
            write(path, &self.json())?;
        }
        if let Some(path) = &args.html {
            write(path, &self.page())?;
        }
        self.outcome()
    }

    fn outcome(&self) -> Result<(), BenchError> {
        if let Some(verdict) = &self.verdict
            && verdict.violations > 0
        {
            return Err(BenchError::Violations { count: verdict.violations });
        }
        if let Some(first) = self.journal.unexplained().next() {
            let count = self.journal.unexplained().map(|incident| incident.count).sum();
            let (kind, at_ms) = (first.kind, first.from_ns / 1_000_000);
            return Err(BenchError::Incidents { count, kind, at_ms });
        }
        let count = self.errors.iter().map(|error| error.1).sum();
        if count > 0 {
            return Err(BenchError::Errors { count });
        }
        if self.ops == 0 { Err(BenchError::Nothing) } else { Ok(()) }
    }

    /// Whether anything was answered in the time measured.
    fn has_answers(&self) -> bool {
        self.ops > 0 || self.rows.iter().any(|row| !row.ns.is_empty())
    }

    fn seconds_measured(&self) -> f64 {
        (self.used.elapsed_ns as f64 / 1e9).max(1e-9)
    }

    /// CPU time as a share of a core; empty if the measurement was too short.
    fn core_share(&self, cpu_us: u64) -> String {
        if self.used.elapsed_ns < SHARE_NS_MIN {
            return String::new();
        }
        format!(", {:.0} % of a core", cpu_us as f64 / self.seconds_measured() / 1e4)
    }

    fn per_op(&self, count: u64) -> f64 {
        count as f64 / self.ops.max(1) as f64
    }
}

fn write(path: &Path, text: &str) -> Result<(), BenchError> {
    let failed = |source| BenchError::Write { path: path.to_owned(), source };
    fs::write(path, text).map_err(failed)
}
