//! Reports of `ringkeeper bench`: what was offered, what was answered, how late.

use super::error::{PlanError, ReportError};
use super::files;
use planning::Load;
use planning::fit::RampStep;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The version of the form that is read.
const VERSION: u64 = 1;
/// Paths of the bench's nodes, as in `/bench/p001/n0001234`.
pub(super) const PATH_BYTES: f64 = 20.0;
/// A mix with less than this of one kind is of the other kind.
const PURE_MIN: f64 = 0.99;
/// Rows that are parts of operations, not operations.
const PARTS: [&str; 4] = ["event", "attach", "lock taken", "generator late"];
const READS: [&str; 13] = [
    "get",
    "exists",
    "get-acl",
    "children",
    "children2",
    "children-number",
    "discover",
    "sync",
    "ping",
    "who-am-i",
    "get-ephemerals",
    "watch",
    "multi-read",
];
/// Operations that write, and how often.
const WRITES: [(&str, f64); 16] = [
    ("set", 1.0),
    ("set-acl", 1.0),
    ("create", 1.0),
    ("create2", 1.0),
    ("create-container", 1.0),
    ("sequential", 1.0),
    ("delete", 1.0),
    ("churn", 2.0),
    ("ephemeral", 1.0),
    ("multi", 1.0),
    ("multi of 3", 1.0),
    ("multi of 100", 1.0),
    ("session", 2.0),
    ("lock", 2.0),
    ("queue-put", 1.0),
    ("queue-take", 1.0),
];

/// `--report [N=]FILE`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportArg {
    /// Of what scales: shards, servers, clients.
    pub(super) n: Option<f64>,
    pub(super) path: PathBuf,
}

impl FromStr for ReportArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((n, path)) = text.split_once('=')
            && let Ok(n) = n.parse::<f64>()
        {
            if !(n.is_finite() && n >= 1.0) {
                return Err(format!("{n} of what scales is not possible: give 1 or more"));
            }
            return Ok(Self { n: Some(n), path: path.into() });
        }
        Ok(Self { n: None, path: text.into() })
    }
}

/// What a workload asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reads,
    Writes,
    Mixed,
}

/// One kind of requests, with its distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Latencies {
    /// Latency in seconds, and how many had one up to this and above the last.
    points: Vec<(f64, f64)>,
}

impl Latencies {
    /// The latency that this part does not exceed; `None` without requests.
    pub(super) fn quantile_s(&self, part: f64) -> Option<f64> {
        let all: f64 = self.points.iter().map(|it| it.1).sum();
        let mut passed = 0.0;
        self.points.iter().find_map(|(seconds, count)| {
            passed += count;
            (passed >= part * all).then_some(*seconds)
        })
    }

    /// Of all of them together.
    fn sum_s(&self) -> f64 {
        self.points.iter().map(|it| it.0 * it.1).sum()
    }

    /// How many requests.
    pub(super) fn count(&self) -> f64 {
        self.points.iter().map(|it| it.1).sum()
    }

    fn add(&mut self, row: &Value) -> Option<()> {
        let count = row["count"].as_f64()?;
        let mut before = 0.0;
        for point in row["percentiles_us"].as_array()? {
            let (percent, us) = (point[0].as_f64()?, point[1].as_f64()?);
            self.points.push((us / 1e6, (percent - before).max(0.0) / 100.0 * count));
            before = percent;
        }
        self.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(())
    }
}

/// What was measured.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) path: PathBuf,
    /// The workload or the operation.
    pub(super) name: String,
    /// Of what scales.
    pub(super) n: f64,
    /// The load at the highest rate that kept the ramp's bound, or that was answered.
    pub(super) load: Load,
    /// Steps of the ramp, if it is one.
    pub(super) steps: Vec<RampStep>,
    /// Of the machine, used by other processes meanwhile.
    pub(super) others_part: Option<f64>,
    pub(super) reads: Latencies,
    pub(super) writes: Latencies,
}

impl Report {
    /// Reads one.
    pub(super) fn read(arg: &ReportArg) -> Result<Self, PlanError> {
        let text = files::read(&arg.path)?;
        let refused = |error| PlanError::Report { path: arg.path.clone(), error };
        Self::parse(&arg.path, &text, arg.n).map_err(refused)
    }

    fn parse(path: &Path, text: &str, n: Option<f64>) -> Result<Self, ReportError> {
        let json: Value = serde_json::from_str(text).map_err(|error| {
            let line = error.line();
            if error.is_eof() { ReportError::CutOff { line } } else { ReportError::NotJson(error) }
        })?;
        if json.get("disk").is_some() && json.get("verdict").is_some() {
            return Err(ReportError::OfProbe);
        }
        match json.get("version").map(Value::as_u64) {
            Some(None) => return Err(ReportError::NotOfBench("whole number as its version")),
            Some(Some(found)) if found != VERSION => {
                return Err(ReportError::Version { found, known: VERSION });
            }
            _ => {}
        }
        let number = |name| json[name].as_f64().ok_or(ReportError::NotOfBench(name));
        let (connections, nodes) = (number("connections")?, number("nodes")?);
        let (bytes, average) = (number("size_bytes")?, number("ops_per_s")?);
        let steps = steps(&json).ok_or(ReportError::NotOfBench("ramp of this form"))?;
        refuse_errors(&json, !steps.is_empty())?;
        let name = ["workload", "op"].into_iter().find_map(|it| json[it].as_str());
        let rows = rows(&json)?;
        let kept_per_s = json["ramp_rate"].as_f64();
        let best = steps.iter().map(|it| it.achieved_per_s).fold(0.0, f64::max);
        let rate = match kept_per_s {
            _ if steps.is_empty() => average,
            Some(kept) if kept > 0.0 => kept,
            _ => best,
        };
        if rate <= 0.0 || rows.reads_part + rows.writes_per_op <= 0.0 {
            return Err(ReportError::Nothing);
        }
        let load = Load {
            reads_per_s: rate * rows.reads_part,
            writes_per_s: rate * rows.writes_per_op,
            sessions: connections,
            nodes,
            node_bytes: bytes + PATH_BYTES,
            watches: 0.0,
            ..Load::default()
        };
        Ok(Self {
            path: path.to_owned(),
            name: name.unwrap_or("a report").to_owned(),
            n: n.unwrap_or(connections),
            load,
            steps,
            others_part: json["others_share"].as_f64(),
            reads: rows.reads,
            writes: rows.writes,
        })
    }

    /// Reads, writes, or both.
    pub(super) fn kind(&self) -> Kind {
        let Load { reads_per_s: reads, writes_per_s: writes, .. } = self.load;
        match reads / (reads + writes) {
            part if part >= PURE_MIN => Kind::Reads,
            part if part <= 1.0 - PURE_MIN => Kind::Writes,
            _ => Kind::Mixed,
        }
    }

    /// The mean latency of all requests; `None` without any.
    pub(super) fn mean_s(&self) -> Option<f64> {
        let count = self.reads.count() + self.writes.count();
        (count > 0.0).then(|| (self.reads.sum_s() + self.writes.sum_s()) / count)
    }

    /// Requests a second, at the most.
    pub(super) fn rate(&self) -> f64 {
        self.load.reads_per_s + self.load.writes_per_s
    }
}

fn steps(json: &Value) -> Option<Vec<RampStep>> {
    let Some(points) = json.get("ramp") else { return Some(Vec::new()) };
    let step = |point: &Value| {
        Some(RampStep {
            offered_per_s: point["rate"].as_f64()?,
            achieved_per_s: point["ops_per_s"].as_f64()?,
            utilisation: None,
            p50_s: point["us_p50"].as_f64()? / 1e6,
            p99_s: point["us_p99"].as_f64()? / 1e6,
        })
    };
    let steps: Option<Vec<RampStep>> = points.as_array()?.iter().map(step).collect();
    // A step in which nothing was answered tells nothing of costs.
    steps.map(|it| it.into_iter().filter(|it| it.achieved_per_s > 0.0 && it.p50_s > 0.0).collect())
}

/// A ramp goes beyond what is carried, so requests are dropped there, which is no fault.
fn refuse_errors(json: &Value, is_ramp: bool) -> Result<(), ReportError> {
    let count = |name: &str| json[name].as_u64().unwrap_or_default();
    let names = ["errors", "lost", "violations", "dropped", "unanswered"];
    let names = if is_ramp { &names[..3] } else { &names[..] };
    if let Some(name) = names.iter().find(|name| count(name) > 0) {
        return Err(ReportError::Errors(format!("it counts {} under `{name}`", count(name))));
    }
    match json["incidents"].as_array().map_or(0, Vec::len) {
        0 => Ok(()),
        found => Err(ReportError::Errors(format!("it has {found} incidents"))),
    }
}

/// What the rows of operations add up to.
#[derive(Default)]
struct Rows {
    reads_part: f64,
    writes_per_op: f64,
    reads: Latencies,
    writes: Latencies,
}

fn rows(json: &Value) -> Result<Rows, ReportError> {
    let list = json["latencies"].as_array().ok_or(ReportError::NotOfBench("latencies"))?;
    let (mut rows, mut all) = (Rows::default(), 0.0);
    for row in list {
        let name = row["name"].as_str().ok_or(ReportError::NotOfBench("latencies of this form"))?;
        let count = row["count"].as_f64().ok_or(ReportError::NotOfBench("count of each row"))?;
        if PARTS.contains(&name) {
            continue;
        }
        all += count;
        let latencies = if READS.contains(&name) {
            rows.reads_part += count;
            &mut rows.reads
        } else if let Some((_, writes)) = WRITES.iter().find(|it| it.0 == name) {
            rows.writes_per_op += writes * count;
            &mut rows.writes
        } else {
            return Err(ReportError::Row(name.to_owned()));
        };
        latencies.add(row).ok_or(ReportError::NotOfBench("percentiles_us of each row"))?;
    }
    if all > 0.0 {
        rows.reads_part /= all;
        rows.writes_per_op /= all;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
