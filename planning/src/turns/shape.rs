//! How long a request takes, in turns: its own one, and the rest of the one before, if it met one.

use crate::distribution::Gamma;

/// Cells of the grid.
const CELLS: usize = 192;
/// Standard deviations behind the mean at which it ends.
const DEVIATIONS: f64 = 9.0;
/// Turns that vary less are taken to vary so much: a constant has a step, along which no search
/// finds its way.
const SCV_MIN: f64 = 1e-3;
/// The own turn stands at the middle of each of these parts of its probability, the rare ones
/// finer.
const PARTS: [(f64, usize); 3] = [(0.9, 12), (0.99, 6), (1.0, 6)];

/// Distributions of turns whose mean is 1, on a grid, and their integrals.
pub(super) struct Shape {
    /// Where the grid ends: nothing is longer.
    pub(super) end: f64,
    own: Table,
    behind: Table,
}

/// A distribution's probability of at most each point, and the integral of that up to it.
struct Table {
    cdf: Vec<f64>,
    integral: Vec<f64>,
}

impl Shape {
    /// Of turns with so much variance.
    pub(super) fn of(scv: f64) -> Self {
        let own = Gamma { mean_s: 1.0, scv: scv.max(SCV_MIN) };
        let scv = own.scv;
        let rest = 0.5 * (1.0 + scv);
        let variance = scv + (1.0 + scv) * (1.0 + 2.0 * scv) / 3.0 - rest * rest;
        let end = 1.0 + rest + DEVIATIONS * variance.sqrt();
        let step = end / CELLS as f64;
        let points = points(&own);
        let behind = |t: f64| points.iter().map(|(at, part)| part * own.rest_cdf(t - at)).sum();
        Self { end, own: Table::of(step, |t| own.cdf(t)), behind: Table::of(step, behind) }
    }

    /// The probability of at most so long, if another turn is met with a probability.
    pub(super) fn cdf(&self, met: f64, t: f64) -> f64 {
        let (cell, part) = self.place(t);
        let of = |table: &Table| between(&table.cdf, cell, part);
        (1.0 - met) * of(&self.own) + met * of(&self.behind)
    }

    /// Its integral from 0.
    pub(super) fn integral(&self, met: f64, t: f64) -> f64 {
        let (cell, part) = self.place(t);
        let of = |table: &Table| between(&table.integral, cell, part);
        let within = (1.0 - met) * of(&self.own) + met * of(&self.behind);
        within + (t - self.end).max(0.0)
    }

    /// The cell of a time, and how far in it.
    fn place(&self, t: f64) -> (usize, f64) {
        let at = (t / self.end * CELLS as f64).clamp(0.0, CELLS as f64);
        let cell = (at as usize).min(CELLS - 1);
        (cell, at - cell as f64)
    }
}

impl Table {
    fn of(step: f64, cdf: impl Fn(f64) -> f64) -> Self {
        let mut cdf: Vec<f64> = (0..=CELLS).map(|cell| cdf(cell as f64 * step)).collect();
        // The little that is beyond is at the end.
        cdf[CELLS] = 1.0;
        let mut sum = 0.0;
        let mut integral = vec![0.0];
        for pair in cdf.windows(2) {
            sum += 0.5 * (pair[0] + pair[1]) * step;
            integral.push(sum);
        }
        Self { cdf, integral }
    }
}

fn between(values: &[f64], cell: usize, part: f64) -> f64 {
    values[cell] + part * (values[cell + 1] - values[cell])
}

/// Turns that stand for all, each with its probability.
fn points(own: &Gamma) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut from = 0.0;
    for (to, count) in PARTS {
        let part = (to - from) / count as f64;
        let middle = |at: usize| own.quantile_s(from + part * (at as f64 + 0.5));
        points.extend((0..count).map(|at| (middle(at), part)));
        from = to;
    }
    points
}
