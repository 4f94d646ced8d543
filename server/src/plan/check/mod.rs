//! `plan --check`: what is predicted of a running server, beside what is then measured of it.
//!
//! The server is loaded at some rates, and `planning::turns` fitted to how late it was; what that
//! says of other rates, between these, is compared with what is measured there, in runs that the
//! fit never sees.
//! All rates are measured in each round, so that whatever else the machine does meets all of them;
//! of the rounds the medians count. How far the rounds are from each other is printed beside: no
//! prediction can be nearer to a measurement than that is to itself.
//!
//! - `measure`: runs of the load generator, in this process; `shown`: the comparison as text and as
//!   JSON.

mod measure;
mod shown;

use super::args::PlanArgs;
use super::error::PlanError;
use super::numbers::count;
use super::report::{Latencies, Report};
use super::{write, write_json};
use crate::output::say;
use measure::Bench;
use planning::ensemble::Latency;
use planning::fit::RampStep;
use planning::turns::{self, FittedTurns};
use shown::{in_json, in_words};
use std::io::Write;
use std::path::Path;

/// The rates that the fit sees, as parts of the highest that was found.
const FITTED: [f64; 5] = [0.08, 0.3, 0.6, 0.78, 0.9];
/// The rates that are predicted.
const PREDICTED: [f64; 3] = [0.5, 0.7, 0.85];
/// Closed loops before the first round; the median counts.
const HIGHEST_RUNS: usize = 3;
/// By how much the rates are lowered if the server falls behind, and how often.
const LOWERED: f64 = 0.85;
const LOWERED_MAX: usize = 10;
/// What the generator can be asked for.
const RATE_MIN: f64 = 1.0;
/// Requests that a 99th percentile needs.
const REQUESTS_MIN: f64 = 500.0;

/// One line of the comparison.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    /// Requests a second that were due; none for the highest rate.
    rate: Option<f64>,
    what: &'static str,
    predicted: Option<f64>,
    /// Of each round.
    measured: Vec<f64>,
}

impl Line {
    fn median(&self) -> Option<f64> {
        median(self.measured.clone())
    }

    /// Predicted by measured, less 1.
    fn error(&self) -> Option<f64> {
        Some(self.predicted? / self.median().filter(|it| *it > 0.0)? - 1.0)
    }

    /// The rounds that are furthest from the median, by it, less 1; none of a single round.
    fn spread(&self) -> Option<(f64, f64)> {
        let median = self.median().filter(|it| *it > 0.0 && self.measured.len() > 1)?;
        let least = self.measured.iter().copied().fold(f64::MAX, f64::min);
        let most = self.measured.iter().copied().fold(f64::MIN, f64::max);
        Some((least / median - 1.0, most / median - 1.0))
    }
}

/// What all rounds found at one rate.
#[derive(Default)]
struct Point {
    rate: f64,
    found: Vec<Report>,
}

impl Point {
    fn at(part: f64, most: f64) -> Self {
        Self { rate: (part * most).round().max(RATE_MIN), found: Vec::new() }
    }

    /// The quantile of each round.
    fn quantiles(&self, kind: Kind, part: f64) -> Vec<f64> {
        self.found.iter().filter_map(|it| kind.of(it).quantile_s(part)).collect()
    }

    fn line(&self, kind: Kind, what: &'static str, part: f64, predicted: Option<f64>) -> Line {
        Line { rate: Some(self.rate), what, predicted, measured: self.quantiles(kind, part) }
    }

    /// As a step of a ramp, by the medians of the rounds.
    fn step(&self, kind: Kind) -> Option<RampStep> {
        let of = |part| median(self.quantiles(kind, part)).filter(|it| *it > 0.0);
        Some(RampStep {
            offered_per_s: self.rate,
            achieved_per_s: self.rate,
            utilisation: None,
            p50_s: of(0.5)?,
            p99_s: of(0.99)?,
        })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Reads,
    Writes,
}

impl Kind {
    fn of(self, report: &Report) -> &Latencies {
        match self {
            Self::Reads => &report.reads,
            Self::Writes => &report.writes,
        }
    }
}

/// Everything that was measured.
struct Measured {
    fitted: Vec<Point>,
    predicted: Vec<Point>,
    /// The highest rates, those that the fit sees and the others.
    highest: [Vec<f64>; 2],
}

/// Measures, and prints predictions beside it.
pub(super) fn check(args: &PlanArgs, out: &mut impl Write) -> Result<(), PlanError> {
    let workload = args.check.workload.as_deref().unwrap_or_default();
    let bench = Bench::new(&args.server.join(","), workload, args.check.seconds)?;
    say(&format!("the workload {workload} is looked at"));
    let looked = bench.look()?;
    say("the highest rate is looked for");
    let measured = measure(&bench, looked.under_way, args.check.rounds)?;
    let compared = compared(&measured, looked.sessions)?;
    if let Some(path) = &args.json {
        write_json(path, &in_json(workload, looked.sessions, &compared), out)?;
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        write(&in_words(&compared.lines), out)?;
    }
    Ok(())
}

/// What the rates are parts of: that of the closed loop, or less, if requests that come at random
/// times queue up long before. They make turns of few requests, which cost more, and a server that
/// falls behind with those does not catch up.
fn basis(bench: &Bench, under_way: f64) -> Result<f64, PlanError> {
    let mut highest = Vec::new();
    for _ in 0..HIGHEST_RUNS {
        highest.extend(bench.highest()?);
    }
    let mut most = median(highest).unwrap_or(RATE_MIN);
    for _ in 0..LOWERED_MAX {
        let rate = (FITTED[FITTED.len() - 1] * most).round().max(RATE_MIN);
        say(&format!("{} a second: are they carried?", count(rate)));
        // Little's law.
        let is_carried = |it: Report| it.mean_s().is_some_and(|it| rate * it <= 2.0 * under_way);
        if bench.open_loop(rate)?.is_some_and(is_carried) {
            break;
        }
        most *= LOWERED;
    }
    Ok(most)
}

/// All rates, in each round.
fn measure(bench: &Bench, under_way: f64, rounds: u32) -> Result<Measured, PlanError> {
    let most = basis(bench, under_way)?;
    let points = |parts: &[f64]| parts.iter().map(|part| Point::at(*part, most)).collect();
    let mut measured = Measured {
        fitted: points(&FITTED),
        predicted: points(&PREDICTED),
        highest: [Vec::new(), Vec::new()],
    };
    for round in 1..=rounds {
        // Neighbours one after the other, so that they meet the same machine.
        let mut points: Vec<_> =
            measured.fitted.iter_mut().chain(&mut measured.predicted).collect();
        points.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        for point in points {
            say(&format!("round {round} of {rounds}: {} a second", count(point.rate)));
            point.found.extend(bench.open_loop(point.rate)?);
        }
        say(&format!("round {round} of {rounds}: the highest rate"));
        for highest in &mut measured.highest {
            highest.extend(bench.highest()?);
        }
    }
    Ok(measured)
}

/// What is printed.
struct Compared {
    lines: Vec<Line>,
    /// What the fit saw: with that, another model can be tried on the same rounds.
    fitted: Vec<Line>,
}

/// Predictions beside measurements, of each kind of requests that the workload has.
fn compared(measured: &Measured, connections: f64) -> Result<Compared, PlanError> {
    const WHAT: [(Kind, [(&str, f64); 2]); 2] = [
        (Kind::Reads, [("p50 of reads", 0.5), ("p99 of reads", 0.99)]),
        (Kind::Writes, [("p50 of writes", 0.5), ("p99 of writes", 0.99)]),
    ];
    let [seen, other] = &measured.highest;
    let highest_rate = |predicted, rounds: &[f64]| Line {
        rate: None,
        what: "highest rate",
        predicted,
        measured: rounds.to_vec(),
    };
    let (mut highest, mut latencies) = (None, Vec::new());
    let mut fitted_lines = vec![highest_rate(None, seen)];
    for (kind, quantiles) in WHAT {
        let Some(found) = fitted(measured, kind, connections)? else { continue };
        // Both kinds wait for the same turns, and reads tell more of them: writes wait for a disk.
        highest.get_or_insert(found.turns.saturation_per_s());
        for point in &measured.fitted {
            fitted_lines.extend(quantiles.map(|(what, part)| point.line(kind, what, part, None)));
        }
        for point in &measured.predicted {
            let then = found.at(point.rate).ok().flatten();
            for ((what, part), pick) in quantiles.into_iter().zip([p50, p99]) {
                latencies.push(point.line(kind, what, part, then.as_ref().map(pick)));
            }
        }
    }
    let mut lines = vec![highest_rate(highest, other)];
    lines.extend(latencies);
    Ok(Compared { lines, fitted: fitted_lines })
}

fn p50(latency: &Latency) -> f64 {
    latency.p50_s
}

fn p99(latency: &Latency) -> f64 {
    latency.p99_s
}

/// The server as one kind of requests sees it; `None` if the workload has too few of it.
fn fitted(
    measured: &Measured,
    kind: Kind,
    connections: f64,
) -> Result<Option<FittedTurns>, PlanError> {
    let counted = measured.predicted.iter().flat_map(|it| &it.found).map(|it| kind.of(it).count());
    if counted.fold(f64::MAX, f64::min) < REQUESTS_MIN || measured.predicted.is_empty() {
        return Ok(None);
    }
    let mut steps: Vec<RampStep> = measured.fitted.iter().filter_map(|it| it.step(kind)).collect();
    if let Some(achieved_per_s) = median(measured.highest[0].clone()) {
        // As if more had been offered: what it costs to answer is all that such a step tells.
        let (offered_per_s, p50_s, p99_s) = (2.0 * achieved_per_s, 1.0, 1.0);
        steps.push(RampStep { offered_per_s, achieved_per_s, utilisation: None, p50_s, p99_s });
    }
    turns::fit(&steps, connections).map(Some).map_err(PlanError::Check)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    if values.len() % 2 == 1 {
        Some(*upper)
    } else {
        Some(f64::midpoint(values[middle - 1], *upper))
    }
}

#[cfg(test)]
mod tests;
