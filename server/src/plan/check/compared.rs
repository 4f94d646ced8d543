//! What was predicted, beside what was measured.

use super::{Kind, Measured, Point, REQUESTS_MIN};
use crate::plan::error::PlanError;
use planning::ensemble::Latency;
use planning::fit::RampStep;
use planning::rounds::{chance, middle};
use planning::turns::{self, FittedTurns};

/// A quantile: its name, its part, and where the model says it.
type Quantile = (&'static str, f64, fn(&Latency) -> f64);

const HIGHEST: &str = "highest rate";
const QUANTILES: [(Kind, [Quantile; 2]); 2] = [
    (Kind::Reads, [("p50 of reads", 0.5, p50), ("p99 of reads", 0.99, p99)]),
    (Kind::Writes, [("p50 of writes", 0.5, p50), ("p99 of writes", 0.99, p99)]),
];

fn p50(latency: &Latency) -> f64 {
    latency.p50_s
}

fn p99(latency: &Latency) -> f64 {
    latency.p99_s
}

/// One line of the comparison.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// Requests a second that were due; none for the highest rate.
    pub(super) rate: Option<f64>,
    pub(super) what: &'static str,
    pub(super) predicted: Option<f64>,
    /// Of each round.
    pub(super) rounds: Vec<f64>,
    /// By what factor chance alone moves the error, less 1; none of a single round.
    pub(super) chance: Option<f64>,
}

impl Line {
    fn seen(rate: Option<f64>, what: &'static str, rounds: Vec<f64>) -> Self {
        Self { rate, what, predicted: None, rounds, chance: None }
    }

    pub(super) fn middle(&self) -> Option<f64> {
        middle(&self.rounds)
    }

    /// Predicted by measured, less 1.
    pub(super) fn error(&self) -> Option<f64> {
        Some(self.predicted? / self.middle().filter(|it| *it > 0.0)? - 1.0)
    }

    /// The rounds that are furthest from the middle, by it, less 1; none of a single round.
    pub(super) fn spread(&self) -> Option<(f64, f64)> {
        let middle = self.middle().filter(|it| *it > 0.0 && self.rounds.len() > 1)?;
        let least = self.rounds.iter().copied().fold(f64::MAX, f64::min);
        let most = self.rounds.iter().copied().fold(f64::MIN, f64::max);
        Some((least / middle - 1.0, most / middle - 1.0))
    }
}

/// What is printed.
pub(super) struct Compared {
    pub(super) lines: Vec<Line>,
    /// What the fit saw: with that, another model can be tried on the same rounds.
    pub(super) fitted: Vec<Line>,
}

/// The server as one kind of requests sees it.
struct Fit {
    kind: Kind,
    quantiles: [Quantile; 2],
    found: FittedTurns,
}

/// Predictions beside measurements, of each kind of requests that the workload has.
pub(super) fn compared(measured: &Measured, connections: f64) -> Result<Compared, PlanError> {
    let mut fits = Vec::new();
    for (kind, quantiles) in QUANTILES {
        let found = fitted(measured, kind, connections)?;
        fits.extend(found.map(|found| Fit { kind, quantiles, found }));
    }
    // Both kinds wait for the same turns, and reads tell more of them: writes wait for a disk.
    let highest = fits.first().map(|it| it.found.turns.saturation_per_s());
    let mut lines = lines(measured, &fits, highest);
    let highest_by_seen = highest.zip(middle(&measured.highest()[0])).map(|(it, seen)| it / seen);
    let count = measured.highest[0].len();
    let without: Vec<Vec<Line>> =
        (0..count).map(|it| again(&measured.without(it), &fits, highest_by_seen)).collect();
    for (at, line) in lines.iter_mut().enumerate() {
        let error = |lines: &Vec<Line>| Some((1.0 + lines[at].error()?).ln());
        let errors: Option<Vec<f64>> = without.iter().map(error).collect();
        line.chance = errors.and_then(|it| chance(&it)).map(|it| it.exp() - 1.0);
    }
    Ok(Compared { lines, fitted: seen(measured, &fits) })
}

/// What the fit saw.
fn seen(measured: &Measured, fits: &[Fit]) -> Vec<Line> {
    let [seen, _] = measured.highest();
    let mut lines = vec![Line::seen(None, HIGHEST, seen)];
    for fit in fits {
        for point in &measured.fitted {
            let line = |(what, part, _)| {
                Line::seen(Some(point.rate), what, point.quantiles(fit.kind, part))
            };
            lines.extend(fit.quantiles.map(line));
        }
    }
    lines
}

/// The lines as they are if other rounds count: costs stay, which the search for them would find
/// nearly as they are, in seconds each time; the measurements between which is predicted do not.
fn again(measured: &Measured, fits: &[Fit], highest_by_seen: Option<f64>) -> Vec<Line> {
    let again = |it: &Fit| Fit { found: it.found.remeasured(&steps(measured, it.kind)), ..*it };
    let fits: Vec<Fit> = fits.iter().map(again).collect();
    let highest = highest_by_seen.zip(middle(&measured.highest()[0])).map(|(by, seen)| by * seen);
    lines(measured, &fits, highest)
}

fn lines(measured: &Measured, fits: &[Fit], highest: Option<f64>) -> Vec<Line> {
    let [_, rounds] = measured.highest();
    let mut lines = vec![Line { predicted: highest, ..Line::seen(None, HIGHEST, rounds) }];
    for fit in fits {
        for point in &measured.predicted {
            let then = fit.found.at(point.rate).ok().flatten();
            let line = |(what, part, pick): Quantile| {
                let line = Line::seen(Some(point.rate), what, point.quantiles(fit.kind, part));
                Line { predicted: then.as_ref().map(pick), ..line }
            };
            lines.extend(fit.quantiles.map(line));
        }
    }
    lines
}

/// What was measured of one kind, as a ramp.
fn steps(measured: &Measured, kind: Kind) -> Vec<RampStep> {
    let step = |it: &Point| it.step(kind);
    let mut steps: Vec<RampStep> = measured.fitted.iter().filter_map(step).collect();
    if let Some(achieved_per_s) = middle(&measured.highest()[0]) {
        // As if more had been offered: what it costs to answer is all that such a step tells.
        let (offered_per_s, p50_s, p99_s) = (2.0 * achieved_per_s, 1.0, 1.0);
        steps.push(RampStep { offered_per_s, achieved_per_s, utilisation: None, p50_s, p99_s });
    }
    steps
}

/// `None` if the workload has too few requests of this kind.
fn fitted(
    measured: &Measured,
    kind: Kind,
    connections: f64,
) -> Result<Option<FittedTurns>, PlanError> {
    let found = measured.predicted.iter().flat_map(|it| it.found.iter().flatten());
    let counted = found.map(|it| kind.of(it).count());
    if counted.fold(f64::MAX, f64::min) < REQUESTS_MIN || measured.predicted.is_empty() {
        return Ok(None);
    }
    turns::fit(&steps(measured, kind), connections).map(Some).map_err(PlanError::Check)
}
