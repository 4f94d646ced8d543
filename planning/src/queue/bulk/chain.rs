//! The Markov chain of what waits when a batch has been served.

use super::interval::strata;
use super::{Bulk, Busy};
use crate::numeric::special::ln_gamma;

/// States of the chain at most; more customers share a state.
const STATES_MAX: f64 = 360.0;
/// Arrivals above which their distribution is that of a gamma variable.
const ARRIVALS_EXACT_MAX: f64 = 500.0;
const ITERATIONS_MAX: usize = 4_000;
/// A change of the distribution below this ends the iteration.
const CHANGE_MAX: f64 = 1e-9;
/// A probability relative to the highest that is left out.
const NEGLIGIBLE: f64 = 1e-10;

/// What waits when a slot becomes free.
pub(super) struct Chain {
    /// Each number that may wait, with its probability among the ends of batches.
    pub(super) states: Vec<State>,
    /// Mean time from the end of one batch to that of the next.
    pub(super) cycle_s: f64,
    /// Mean service time of the batches that leave when a slot becomes free.
    pub(super) service_s: f64,
    pub(super) delayed: f64,
    pub(super) batch_mean: f64,
    pub(super) batch_scv: f64,
    pub(super) alone: Alone,
}

/// Customers that find a free slot.
pub(super) struct Alone {
    /// From when a slot becomes free and none waits, until all are in use again.
    customers: f64,
    /// The probability that one of the other slots is in use.
    pub(super) busy: f64,
}

/// So many wait.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) waiting: f64,
    pub(super) probability: f64,
}

impl State {
    /// The batch that leaves next, and how many it leaves behind. Without any that wait, the next
    /// customer makes a batch of one.
    pub(super) fn departure(&self, batch_max: f64) -> (f64, f64) {
        if self.waiting < 0.5 {
            return (1.0, 0.0);
        }
        let batch = self.waiting.min(batch_max);
        (batch, self.waiting - batch)
    }
}

/// Numbers of customers in cells: none, then `width` numbers in each.
struct Cells {
    width: f64,
    count: usize,
}

impl Cells {
    fn of(busy: &Busy<'_>) -> Self {
        let queue = &busy.queue;
        let (batch_max, scv) = (queue.batch_max, scv_of(&strata(queue.scv, queue.slots)));
        let typical = queue.batch_typical();
        let arrivals = |batch: f64| queue.rate * busy.interval_s(batch);
        let spread = |mean: f64| (mean + mean * mean * scv).sqrt();
        let mut most = typical + 9.0 * spread(typical) + 12.0;
        if most > 0.7 * batch_max {
            // Full batches leave some behind, whose number falls off exponentially.
            let room = batch_max - arrivals(batch_max);
            most += batch_max + 8.0 * spread(arrivals(batch_max)).powi(2) / room;
        }
        let width = (most / STATES_MAX).max(1.0).ceil();
        Self { width, count: (most / width) as usize + 2 }
    }

    /// Adds a probability at a number, to the two cells next to it, so that the mean stays.
    fn add(&self, into: &mut [f64], waiting: f64, probability: f64) {
        if waiting < 0.5 {
            into[0] += probability;
            return;
        }
        let at = (waiting - 0.5 * (self.width + 1.0)) / self.width;
        let low = at.max(0.0).floor();
        let above = (at - low).max(0.0);
        let cell = (low as usize + 1).min(self.count - 1);
        into[cell] += probability * (1.0 - above);
        into[(cell + 1).min(self.count - 1)] += probability * above;
    }

    fn waiting(&self, cell: usize) -> f64 {
        if cell == 0 {
            return 0.0;
        }
        (cell - 1) as f64 * self.width + 0.5 * (self.width + 1.0)
    }
}

/// The next states of one, from the first possible one.
struct Row {
    first: usize,
    probabilities: Vec<f64>,
}

impl Chain {
    pub(super) fn of(busy: &Busy<'_>) -> Self {
        let queue = &busy.queue;
        let cells = Cells::of(busy);
        let state = |cell| State { waiting: cells.waiting(cell), probability: 0.0 };
        let mut states: Vec<State> = (0..cells.count).map(state).collect();
        let strata = strata(queue.scv, queue.slots);
        let rows: Vec<Row> = states.iter().map(|it| row(busy, &cells, it, &strata)).collect();
        for (state, probability) in states.iter_mut().zip(stationary(&rows)) {
            state.probability = probability;
        }
        let (mut in_service_s, mut service_s, mut square) = (0.0, 0.0, 0.0);
        for state in &states {
            let (batch, _) = state.departure(queue.batch_max);
            in_service_s += state.probability * busy.interval_s(batch);
            service_s += state.probability * (queue.service_s)(batch);
            square += state.probability * batch * batch;
        }
        let alone = Alone::of(queue);
        let cycle_s = in_service_s + states[0].probability * alone.customers / queue.rate;
        let batches = 1.0 + states[0].probability * (alone.customers - 1.0);
        let (delayed, batch_mean) = (in_service_s / cycle_s, queue.rate * cycle_s / batches);
        let square = (square + batches - 1.0) / batches;
        let batch_scv = (square / (batch_mean * batch_mean) - 1.0).max(0.0);
        Self { states, cycle_s, service_s, delayed, batch_mean, batch_scv, alone }
    }
}

impl Alone {
    /// While a slot is free, the slots are Erlang's loss system: it ends when the last one is
    /// taken, and sees one customer by the probability that all slots but one are taken.
    fn of(queue: &Bulk<'_>) -> Self {
        let offered = queue.rate * (queue.service_s)(1.0);
        let others = queue.slots - 1;
        let lost = (1..=others).fold(1.0, |lost, n| offered * lost / (n as f64 + offered * lost));
        let busy = offered * (1.0 - lost) / others.max(1) as f64;
        Self { customers: 1.0 / lost, busy }
    }
}

fn row(busy: &Busy<'_>, cells: &Cells, state: &State, strata: &[(f64, f64)]) -> Row {
    let queue = &busy.queue;
    let (batch, left) = state.departure(queue.batch_max);
    let mean = queue.rate * busy.interval_s(batch);
    let mut probabilities = vec![0.0; cells.count];
    // Full batches follow each other, and their intervals are as many services, whatever each is.
    let is_full = batch >= queue.batch_max;
    let mut add = |weight: f64, mean: f64, scv: f64| {
        let (first, counts) = arrivals(mean, scv);
        for (more, probability) in counts.iter().enumerate() {
            cells.add(&mut probabilities, left + (first + more) as f64, weight * probability);
        }
    };
    if mean < ARRIVALS_EXACT_MAX && (is_full || queue.slots == 1) {
        add(1.0, mean, queue.scv);
    } else if mean < ARRIVALS_EXACT_MAX {
        for (size, weight) in strata {
            add(*weight, mean * size, 0.0);
        }
    } else {
        let scv = if is_full { queue.scv } else { scv_of(strata) };
        let variance = mean + mean * mean * scv;
        let (shape, scale) = (mean * mean / variance, variance / mean);
        for (cell, probability) in probabilities.iter_mut().enumerate().skip(1) {
            let x = (cells.waiting(cell) - left) / scale;
            if x > 0.0 {
                *probability = ((shape - 1.0) * x.ln() - x - ln_gamma(shape)).exp();
            }
        }
    }
    let total: f64 = probabilities.iter().sum();
    let first = probabilities.iter().position(|&it| it > 0.0).unwrap_or(0);
    let last = probabilities.iter().rposition(|&it| it > 0.0).unwrap_or(0);
    let probabilities = probabilities[first..=last].iter().map(|it| it / total).collect();
    Row { first, probabilities }
}

fn scv_of(strata: &[(f64, f64)]) -> f64 {
    strata.iter().map(|(size, weight)| weight * size * size).sum::<f64>() - 1.0
}

/// The numbers of arrivals in a gamma-distributed time, from the first that matters: the negative
/// binomial distribution, and without variance Poisson's.
pub(super) fn arrivals(mean: f64, scv: f64) -> (usize, Vec<f64>) {
    // The ratio of the probabilities of k + 1 and of k.
    let ratio = |k: f64| {
        if scv < 1e-6 {
            mean / (k + 1.0)
        } else {
            (k + 1.0 / scv) / (k + 1.0) * (mean / (mean + 1.0 / scv))
        }
    };
    let mode = (if scv < 1.0 { mean * (1.0 - scv) } else { 0.0 }).floor();
    let mut below = Vec::new();
    let (mut k, mut probability) = (mode, 1.0);
    while k > 0.0 && probability > NEGLIGIBLE {
        k -= 1.0;
        probability /= ratio(k);
        below.push(probability);
    }
    let first = mode as usize - below.len();
    let mut counts: Vec<f64> = below.into_iter().rev().collect();
    (k, probability) = (mode, 1.0);
    while probability > NEGLIGIBLE {
        counts.push(probability);
        probability *= ratio(k);
        k += 1.0;
    }
    let total: f64 = counts.iter().sum();
    for count in &mut counts {
        *count /= total;
    }
    (first, counts)
}

fn stationary(rows: &[Row]) -> Vec<f64> {
    let mut now = vec![0.0; rows.len()];
    now[0] = 1.0;
    for _ in 0..ITERATIONS_MAX {
        let mut next = vec![0.0; rows.len()];
        for (row, &weight) in rows.iter().zip(&now) {
            if weight > 1e-15 {
                let into = next[row.first..].iter_mut().zip(&row.probabilities);
                into.for_each(|(next, probability)| *next += weight * probability);
            }
        }
        let change: f64 = next.iter().zip(&now).map(|(next, now)| (next - now).abs()).sum();
        now = next;
        if change < CHANGE_MAX {
            break;
        }
    }
    now
}
