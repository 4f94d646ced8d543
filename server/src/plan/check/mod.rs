//! `plan --check`: what is predicted of a running server, beside what is then measured of it.
//!
//! The server is loaded at some rates, and `planning::turns` fitted to how late it was. What
//! follows for other rates, between these (a straight line there), is compared with what is
//! measured, in runs that the fit never sees.
//! All rates are measured in each round, so that whatever else the machine does meets all of them;
//! of the rounds the middle half counts. How far the rounds are from each other is printed beside,
//! and how much of an error that explains: no prediction is nearer to a measurement than that is to
//! itself.
//!
//! - `measure`: runs of the load generator, in this process; `compared`: predictions beside
//!   measurements, and how much of an error is chance; `shown`: these as text and as JSON.

mod compared;
mod measure;
mod shown;

use super::args::PlanArgs;
use super::error::PlanError;
use super::numbers::count;
use super::report::{Latencies, Report};
use super::{write, write_json};
use crate::output::say;
use compared::compared;
use measure::Bench;
use planning::fit::RampStep;
use planning::rounds::middle;
use shown::{in_json, in_words};
use std::io::Write;
use std::path::Path;

/// The rates that the fit sees, as parts of the highest that was found.
const FITTED: [f64; 5] = [0.08, 0.3, 0.6, 0.78, 0.9];
/// The rates that are predicted.
const PREDICTED: [f64; 3] = [0.5, 0.7, 0.85];
/// Closed loops before the first round; their middle counts.
const HIGHEST_RUNS: usize = 3;
/// By how much the rates are lowered if the server falls behind, and how often.
const LOWERED: f64 = 0.85;
const LOWERED_MAX: usize = 10;
/// What the generator can be asked for.
const RATE_MIN: f64 = 1.0;
/// Requests that a 99th percentile needs.
const REQUESTS_MIN: f64 = 500.0;

/// What all rounds found at one rate.
#[derive(Clone, Default)]
struct Point {
    rate: f64,
    /// Of each round; `None` where the rate was not carried.
    found: Vec<Option<Report>>,
}

impl Point {
    fn at(part: f64, most: f64) -> Self {
        Self { rate: (part * most).round().max(RATE_MIN), found: Vec::new() }
    }

    /// The quantile of each round.
    fn quantiles(&self, kind: Kind, part: f64) -> Vec<f64> {
        let quantile = |it: &Report| kind.of(it).quantile_s(part);
        self.found.iter().flatten().filter_map(quantile).collect()
    }

    /// As a step of a ramp, by the middle of the rounds.
    fn step(&self, kind: Kind) -> Option<RampStep> {
        let of = |part| middle(&self.quantiles(kind, part)).filter(|it| *it > 0.0);
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
#[derive(Clone)]
struct Measured {
    fitted: Vec<Point>,
    predicted: Vec<Point>,
    /// The highest rates of each round, those that the fit sees and the others.
    highest: [Vec<Option<f64>>; 2],
}

impl Measured {
    /// What all rounds but one found.
    fn without(&self, round: usize) -> Self {
        let mut others = self.clone();
        for point in others.fitted.iter_mut().chain(&mut others.predicted) {
            point.found.remove(round);
        }
        for highest in &mut others.highest {
            highest.remove(round);
        }
        others
    }

    /// The highest rates of the rounds that found one: those that the fit sees, and the others.
    fn highest(&self) -> [Vec<f64>; 2] {
        self.highest.each_ref().map(|it| it.iter().flatten().copied().collect())
    }
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
    let mut most = middle(&highest).unwrap_or(RATE_MIN);
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
            point.found.push(bench.open_loop(point.rate)?);
        }
        say(&format!("round {round} of {rounds}: the highest rate"));
        for highest in &mut measured.highest {
            highest.push(bench.highest()?);
        }
        // What comes second finds another server, warmer or fuller: each is it every other time.
        measured.highest.reverse();
    }
    Ok(measured)
}

#[cfg(test)]
mod tests;
