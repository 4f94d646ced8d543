//! The time between two batches that leave while all slots are in use.

use crate::distribution::Gamma;
use crate::numeric::special::gamma_cdf;

/// Probabilities at which an interval is cut into strata, finer at the long end.
const ENDS: [f64; 12] = [0.15, 0.3, 0.45, 0.6, 0.72, 0.82, 0.9, 0.95, 0.98, 0.992, 0.998, 1.0];
/// Points of the survivor function of several slots.
const POINTS: usize = 600;

/// The interval relative to the mean service time of one slot over the number of slots, as a few
/// values with their probabilities, of mean 1: the means of strata.
///
/// One slot: the service itself. With several that are at independent places in their services,
/// an interval ends with the fresh service or with the rest of one of the others.
pub(super) fn strata(scv: f64, slots: usize) -> Vec<(f64, f64)> {
    let unit = Gamma { mean_s: 1.0, scv };
    match (slots, unit.is_constant()) {
        (1, true) => vec![(1.0, 1.0)],
        (1, false) => of_one(&unit),
        _ => of_several(&unit, slots),
    }
}

fn of_one(unit: &Gamma) -> Vec<(f64, f64)> {
    let mut found = Vec::with_capacity(ENDS.len());
    let (mut below, mut moment_below) = (0.0, 0.0);
    for end in ENDS {
        let edge = if end < 1.0 { unit.quantile_s(end) } else { f64::INFINITY };
        // The mean of what is below an edge has the distribution of one shape more.
        let moment = gamma_cdf(1.0 / unit.scv + 1.0, edge / unit.scv);
        found.push(((moment - moment_below) / (end - below), end - below));
        (below, moment_below) = (end, moment);
    }
    found
}

fn of_several(unit: &Gamma, slots: usize) -> Vec<(f64, f64)> {
    let others = slots as i32 - 1;
    let longer = |x: f64| (1.0 - unit.cdf(x)) * (1.0 - unit.rest_cdf(x)).powi(others);
    let mut end = 1.0;
    while longer(end) > 1e-7 {
        end *= 1.5;
    }
    let width = end / POINTS as f64;
    // Of each stratum: its probability, and the part of the mean that it has.
    let mut parts = vec![(0.0, 0.0); ENDS.len()];
    let mut before = longer(0.0);
    for point in 0..POINTS {
        let after = longer((point as f64 + 1.0) * width);
        let (middle, probability) = ((point as f64 + 0.5) * width, before - after);
        let stratum = ENDS.partition_point(|&end| end <= 1.0 - 0.5 * (before + after));
        let part = &mut parts[stratum.min(ENDS.len() - 1)];
        part.0 += probability;
        part.1 += probability * middle;
        before = after;
    }
    let total: f64 = parts.iter().map(|part| part.0).sum();
    let mean: f64 = parts.iter().map(|part| part.1).sum();
    let filled = parts.into_iter().filter(|part| part.0 > 0.0);
    filled
        .map(|(probability, part)| (part / probability * total / mean, probability / total))
        .collect()
}
