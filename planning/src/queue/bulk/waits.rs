//! From the chain to the time that a customer spends.
//!
//! A customer arrives within some interval between two departures, long ones more probably than
//! short ones. It waits for the rest of the interval, for full batches if more wait than one
//! carries, and then for its own batch, which takes the others that came in the interval along.

use super::chain::{Chain, State, arrivals};
use super::interval::strata;
use super::{Bulk, Busy};
use crate::distribution::{CELLS, Distribution, Gamma, Grid};

/// Service times are rounded to so many values, each to the two next to it.
const LEVELS: usize = 12;
/// An interval that is cut by full batches is looked at in so many parts.
const PARTS: usize = 6;
/// Expected arrivals up to which each number of them is looked at.
const COUNTED_MAX: f64 = 24.0;
/// Full batches before one's own at most; more need a utilisation beyond what is planned for.
const ROUNDS_MAX: usize = 256;
const NOTHING: f64 = 1e-12;

/// The mean and the variance of a customer's time, by moments: for the size of a grid.
pub(super) fn estimate(busy: &Busy<'_>, chain: &Chain) -> (f64, f64) {
    let queue = &busy.queue;
    let scv = queue.scv;
    let full_s = busy.interval_s(queue.batch_max);
    let (mut first, mut second) = (0.0, 0.0);
    let mut add = |weight: f64, mean_s: f64, variance: f64| {
        first += weight * mean_s;
        second += weight * (mean_s * mean_s + variance);
    };
    let own = |batch: f64| {
        let s = (queue.service_s)(batch.min(queue.batch_max));
        (s, s * s * queue.scv)
    };
    let (alone_s, alone_variance) = own(1.0);
    add(1.0 - chain.delayed, alone_s, alone_variance);
    for state in &chain.states {
        let (batch, left) = state.departure(queue.batch_max);
        let interval_s = busy.interval_s(batch);
        let weight = state.probability * interval_s / chain.cycle_s;
        let rest_s = 0.5 * interval_s * (1.0 + scv);
        let rest_square = interval_s * interval_s * (1.0 + scv) * (1.0 + 2.0 * scv) / 3.0;
        let rounds = (left + 0.5 * queue.rate * interval_s) / queue.batch_max;
        let rounds_s = rounds.floor() * full_s;
        let (own_s, own_variance) = own(left + 1.0 + queue.rate * interval_s * (1.0 + scv));
        let variance = rest_square - rest_s * rest_s + own_variance + rounds_s * full_s * scv;
        add(weight, rest_s + rounds_s + own_s, variance);
    }
    (first, (second - first * first).max(0.0))
}

/// The wait before the own batch leaves, apart for each service time of that batch.
struct Waits<'a> {
    busy: &'a Busy<'a>,
    grid: Grid,
    least_s: f64,
    level_s: f64,
    /// By level: the probability of an interval of so many steps, within which the wait is even.
    intervals: Vec<Vec<f64>>,
    /// By level: waits that are known by themselves.
    lone: Vec<Distribution>,
    /// By full batches before the own one, but for their time.
    rounds: Vec<Distribution>,
}

pub(super) fn response(busy: &Busy<'_>, chain: &Chain, grid: Grid) -> Distribution {
    let queue = &busy.queue;
    let mut waits = Waits::new(busy, chain, grid);
    let strata = strata(queue.scv, queue.slots);
    for state in &chain.states {
        if state.probability > NOTHING {
            waits.add_state(state, chain.cycle_s, &strata);
        }
    }
    let mut all = waits.finish();
    let alone = acknowledged(queue, grid, (queue.service_s)(1.0), chain.alone.busy);
    all.add(1.0 - chain.delayed, &alone);
    all
}

/// The time of a batch until it and those that left before it are durable: of the other slots,
/// each holds one with a given probability, of which the rest is left.
fn acknowledged(queue: &Bulk<'_>, grid: Grid, mean_s: f64, busy: f64) -> Distribution {
    let own = Gamma { mean_s, scv: queue.scv };
    if own.is_constant() {
        return Distribution::constant(grid, mean_s);
    }
    let others = queue.slots as i32 - 1;
    let earlier = |t_s| (1.0 - busy + busy * own.rest_cdf(t_s)).powi(others);
    Distribution::of_cdf(grid, |t_s| own.cdf(t_s) * earlier(t_s))
}

impl<'a> Waits<'a> {
    fn new(busy: &'a Busy<'a>, chain: &Chain, grid: Grid) -> Self {
        let queue = &busy.queue;
        let arrivals = queue.rate * busy.interval_s(queue.batch_max);
        let last = chain.states.last().map_or(1.0, |state| state.waiting);
        let most = (last + arrivals).min(queue.batch_max);
        let (least_s, most_s) = ((queue.service_s)(1.0), (queue.service_s)(most));
        let is_flat = most_s - least_s < 1e-3 * grid.step_s;
        let levels = if is_flat { 1 } else { LEVELS };
        let level_s = if is_flat { 1.0 } else { (most_s - least_s) / (LEVELS - 1) as f64 };
        Self {
            busy,
            grid,
            least_s,
            level_s,
            intervals: vec![vec![0.0; CELLS + 1]; levels],
            lone: vec![Distribution::empty(grid); levels],
            rounds: Vec::new(),
        }
    }

    /// The level at or below the service time of a batch, and how much of it belongs to the next.
    fn level(&self, batch: f64) -> (usize, f64) {
        let service_s = (self.busy.queue.service_s)(batch.min(self.busy.queue.batch_max));
        let at = ((service_s - self.least_s) / self.level_s).max(0.0);
        let low = (at as usize).min(self.lone.len() - 1);
        let above = if low + 1 < self.lone.len() { (at - low as f64).min(1.0) } else { 0.0 };
        (low, above)
    }

    /// Customers that arrive in the interval behind this state.
    fn add_state(&mut self, state: &State, cycle_s: f64, strata: &[(f64, f64)]) {
        let (batch, left) = state.departure(self.busy.queue.batch_max);
        let mean_s = self.busy.interval_s(batch);
        for &(size, probability) in strata {
            let interval_s = size * mean_s;
            let weight = state.probability * probability * interval_s / cycle_s;
            let more = self.busy.queue.rate * interval_s;
            if left + more + 6.0 * more.sqrt() + 2.0 < self.busy.queue.batch_max {
                self.add_even(interval_s, left + 1.0, more, weight);
            } else {
                for part in 0..PARTS {
                    let at = (part as f64 + 0.5) / PARTS as f64;
                    self.add_cut(interval_s, at, left, weight / PARTS as f64);
                }
            }
        }
    }

    /// All that arrive in an interval leave together.
    fn add_even(&mut self, interval_s: f64, least: f64, more: f64, weight: f64) {
        let cell = ((interval_s / self.grid.step_s) + 0.5) as usize;
        for (count, probability) in counts(more) {
            let (low, above) = self.level(least + count);
            let into = weight * probability;
            self.intervals[low][cell.min(CELLS)] += into * (1.0 - above);
            if above > 0.0 {
                self.intervals[low + 1][cell.min(CELLS)] += into * above;
            }
        }
    }

    /// One that arrives when a part of the interval is over: those before it may fill batches.
    fn add_cut(&mut self, interval_s: f64, at: f64, left: f64, weight: f64) {
        let batch_max = self.busy.queue.batch_max;
        let rest_s = (1.0 - at) * interval_s;
        let behind = self.busy.queue.rate * rest_s;
        for (count, probability) in counts(self.busy.queue.rate * at * interval_s) {
            let into = weight * probability;
            let rounds = ((left + count) / batch_max).floor();
            let rounds = (rounds as usize).min(ROUNDS_MAX);
            if rounds > 0 {
                let empty = Distribution::empty(self.grid);
                self.rounds.resize(self.rounds.len().max(rounds), empty);
                self.rounds[rounds - 1].add_at(rest_s, into);
            } else {
                let (low, above) = self.level(left + count + 1.0 + behind);
                self.lone[low].add_at(rest_s, into * (1.0 - above));
                if above > 0.0 {
                    self.lone[low + 1].add_at(rest_s, into * above);
                }
            }
        }
    }

    /// Adds the batches' own times.
    fn finish(mut self) -> Distribution {
        let step = self.grid.step_s;
        for (waits, intervals) in self.lone.iter_mut().zip(&self.intervals) {
            for (steps, &weight) in intervals.iter().enumerate().filter(|(_, it)| **it > NOTHING) {
                waits.add_between(0.0, steps as f64 * step, weight);
            }
        }
        let full = Gamma {
            mean_s: self.busy.interval_s(self.busy.queue.batch_max),
            scv: self.busy.queue.scv,
        };
        let full = Distribution::of_gamma(self.grid, &full);
        let mut later = Distribution::empty(self.grid);
        for round in self.rounds.iter().rev() {
            later.add(1.0, round);
            later = later.plus(&full);
        }
        if let Some(last) = self.lone.last_mut() {
            last.add(1.0, &later);
        }
        let mut all = Distribution::empty(self.grid);
        for (level, wait) in self.lone.iter().enumerate() {
            if wait.total() > NOTHING {
                let mean_s = self.least_s + level as f64 * self.level_s;
                let mean_s = if self.lone.len() == 1 { self.least_s } else { mean_s };
                all.add(1.0, &wait.plus(&acknowledged(&self.busy.queue, self.grid, mean_s, 1.0)));
            }
        }
        all
    }
}

/// Values and probabilities of a normal variable: Gauss and Hermite's.
const NODES: [(f64, f64); 5] = [
    (-2.856_970_013_872_806, 0.011_257_411_327_720_69),
    (-1.355_626_179_974_266, 0.222_075_922_005_612_6),
    (0.0, 0.533_333_333_333_333_3),
    (1.355_626_179_974_266, 0.222_075_922_005_612_6),
    (2.856_970_013_872_806, 0.011_257_411_327_720_69),
];

/// A Poisson number by its values: all of them if they are few, otherwise five that have the mean,
/// the variance and the fourth moment of a normal variable.
fn counts(mean: f64) -> Vec<(f64, f64)> {
    if mean < COUNTED_MAX {
        let (first, counts) = arrivals(mean, 0.0);
        return counts.iter().enumerate().map(|(i, it)| ((first + i) as f64, *it)).collect();
    }
    NODES.iter().map(|(node, weight)| (mean + node * mean.sqrt(), *weight)).collect()
}
