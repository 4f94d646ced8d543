//! Costs from a measured ramp: the parameters with which the model predicts what was measured.
//!
//! A ramp offers more and more requests of one kind and notes, at each step, what was achieved and
//! the latencies. Steps that the server carried determine costs by their latencies and, if it was
//! measured, by the utilisation; steps that it did not carry, by its highest rate. Residuals are
//! logarithms of ratios, so that a small step counts as much as a large one, and a parameter's
//! interval is a factor. Method: least squares (`numeric::least_squares`) through the whole model.

use crate::costs::Costs;
use crate::ensemble::{Operation, Stage, operate};
use crate::error::FitError;
use crate::load::{Layout, Load};
use crate::numeric::Estimate;
use crate::numeric::least_squares::{Parameter, minimise};

/// Achieved by offered, below which a step was not carried.
const CARRIED_MIN: f64 = 0.97;
/// Above this part of the highest achieved rate, latencies depend on the length of the step.
const LATENCY_MAX: f64 = 0.9;
/// A 99th percentile scatters more than a median.
const P99_WEIGHT: f64 = 0.5;
/// The residual of a step that the model does not carry and the server did.
const NOT_CARRIED: f64 = 3.0;
/// A parameter may differ from where the fit begins by a factor of e to this.
const LOGARITHM_MAX: f64 = 12.0;

/// A step of a ramp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RampStep {
    /// Requests per second that were due; positive.
    pub offered_per_s: f64,
    /// Requests per second that were answered; positive.
    pub achieved_per_s: f64,
    /// Of the busiest core of the leader, from 0 to 1, if it was measured.
    pub utilisation: Option<f64>,
    /// The median latency; positive.
    pub p50_s: f64,
    /// The 99th percentile; positive.
    pub p99_s: f64,
}

/// A cost that a fit may find. Of costs that act alike (a frame and a round trip at low load, for
/// example) only one can be found from one ramp: the others must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// `cores.shard_read_s`.
    ShardRead,
    /// `cores.shard_write_s`.
    ShardWrite,
    /// `cores.ordering_write_s`.
    OrderingWrite,
    /// `cores.scv`.
    CoreVariability,
    /// All times of the device's curve, by one factor: 1 is the curve as it was given.
    DeviceTime,
    /// `device.scv`.
    DeviceVariability,
    /// `network.client_round_trip_s`.
    ClientRoundTrip,
}

impl Unknown {
    /// The value in these costs.
    fn value(self, costs: &Costs) -> f64 {
        match self {
            Self::ShardRead => costs.cores.shard_read_s,
            Self::ShardWrite => costs.cores.shard_write_s,
            Self::OrderingWrite => costs.cores.ordering_write_s,
            Self::CoreVariability => costs.cores.scv,
            Self::DeviceTime => 1.0,
            Self::DeviceVariability => costs.device.scv,
            Self::ClientRoundTrip => costs.network.client_round_trip_s,
        }
    }

    fn set(self, costs: &mut Costs, value: f64) {
        match self {
            Self::ShardRead => costs.cores.shard_read_s = value,
            Self::ShardWrite => costs.cores.shard_write_s = value,
            Self::OrderingWrite => costs.cores.ordering_write_s = value,
            Self::CoreVariability => costs.cores.scv = value,
            Self::DeviceTime => costs.device.curve = costs.device.curve.scaled(value),
            Self::DeviceVariability => costs.device.scv = value,
            Self::ClientRoundTrip => costs.network.client_round_trip_s = value,
        }
    }
}

/// What was measured, and on what.
#[derive(Clone, Debug, PartialEq)]
pub struct Ramp<'a> {
    /// The steps, in any order.
    pub steps: &'a [RampStep],
    /// The mix: reads or writes alone, at any rate; sessions and nodes as they were.
    pub load: &'a Load,
    /// The servers.
    pub layout: &'a Layout,
}

/// The costs that were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Those that the fit began from, with what was found.
    pub costs: Costs,
    /// Each unknown with its 95 % confidence interval, in the order that they were given. The
    /// standard error is of the logarithm: 0.1 means about 10 %. Intervals are those of scatter
    /// around the model: the model's own error, of a percent or so, comes on top.
    pub estimates: Vec<(Unknown, Estimate)>,
    /// Steps that the server did not carry.
    pub saturated: usize,
    /// The model's errors at the steps it carried: ratios of the medians, predicted by measured,
    /// less 1.
    pub p50_errors: Vec<f64>,
    /// The same of the 99th percentiles.
    pub p99_errors: Vec<f64>,
}

/// Finds the unknown costs, beginning from those that are given, which should be of the right
/// magnitude.
///
/// # Errors
/// The steps make no sense or determine too little, or the other inputs make no sense.
pub fn fit(ramp: &Ramp<'_>, unknowns: &[Unknown], costs: &Costs) -> Result<Fitted, FitError> {
    if ramp.steps.is_empty() {
        return Err(FitError::TooFew { observations: 0, parameters: unknowns.len() });
    }
    let steps = Steps::of(ramp)?;
    let start = with_positive(unknowns, costs);
    // The inputs are checked once; the search stays in their ranges.
    steps.operate(&start, ramp.steps[0].offered_per_s)?;
    let logarithm = Parameter { start: 0.0, bound: -LOGARITHM_MAX, typical: 1.0 };
    let parameters = vec![logarithm; unknowns.len()];
    let solution = minimise(&parameters, |at| steps.residuals(&changed(unknowns, &start, at)))?;
    let at: Vec<f64> = solution.estimates.iter().map(|it| it.value).collect();
    let found = changed(unknowns, &start, &at);
    let factor = |unknown: &Unknown, it: &Estimate| {
        let begun = unknown.value(&start);
        let [value, low, high] = [it.value, it.low, it.high].map(|it| begun * it.exp());
        (*unknown, Estimate { value, standard_error: it.standard_error, low, high })
    };
    let estimates = unknowns.iter().zip(&solution.estimates);
    let estimates = estimates.map(|(unknown, it)| factor(unknown, it)).collect();
    let (p50_errors, p99_errors) = steps.errors(&found);
    let saturated = steps.saturated.len();
    Ok(Fitted { costs: found, estimates, saturated, p50_errors, p99_errors })
}

/// A logarithm needs a positive value to begin from.
fn with_positive(unknowns: &[Unknown], costs: &Costs) -> Costs {
    let mut start = costs.clone();
    for unknown in unknowns {
        unknown.set(&mut start, unknown.value(costs).max(1e-9));
    }
    start
}

fn changed(unknowns: &[Unknown], start: &Costs, logarithms: &[f64]) -> Costs {
    let mut costs = start.clone();
    for (unknown, logarithm) in unknowns.iter().zip(logarithms) {
        let factor = logarithm.clamp(-LOGARITHM_MAX, LOGARITHM_MAX).exp();
        unknown.set(&mut costs, unknown.value(start) * factor);
    }
    costs
}

/// The steps of a ramp by what they tell.
struct Steps<'a> {
    ramp: &'a Ramp<'a>,
    carried: Vec<RampStep>,
    saturated: Vec<RampStep>,
}

impl<'a> Steps<'a> {
    fn of(ramp: &'a Ramp<'a>) -> Result<Self, FitError> {
        let is_sound = |value: f64| value.is_finite() && value > 0.0;
        let unsound = |it: &RampStep| {
            let values = [it.offered_per_s, it.achieved_per_s, it.p50_s, it.p99_s];
            !values.into_iter().chain(it.utilisation).all(is_sound)
        };
        if let Some(index) = ramp.steps.iter().position(unsound) {
            return Err(FitError::Observation { index });
        }
        if (ramp.load.reads_per_s > 0.0) == (ramp.load.writes_per_s > 0.0) {
            return Err(FitError::Mixed);
        }
        let is_carried = |it: &&RampStep| it.achieved_per_s >= CARRIED_MIN * it.offered_per_s;
        let (carried, saturated): (Vec<&RampStep>, Vec<_>) =
            ramp.steps.iter().partition(is_carried);
        if carried.is_empty() {
            return Err(FitError::AllSaturated);
        }
        let most = saturated.iter().map(|it| it.achieved_per_s).fold(f64::INFINITY, f64::min);
        let is_calm = |it: &&RampStep| it.achieved_per_s <= LATENCY_MAX * most;
        let carried = carried.into_iter().filter(is_calm).copied().collect();
        Ok(Self { ramp, carried, saturated: saturated.into_iter().copied().collect() })
    }

    fn operate(&self, costs: &Costs, rate: f64) -> Result<Operation, FitError> {
        let load = self.ramp.load;
        let scaled = load.scaled(rate / (load.reads_per_s + load.writes_per_s));
        Ok(operate(costs, &scaled, self.ramp.layout)?)
    }

    fn residuals(&self, costs: &Costs) -> Vec<f64> {
        let mut residuals = Vec::new();
        for step in &self.carried {
            let operation = self.operate(costs, step.achieved_per_s).ok();
            let latency = operation.as_ref().and_then(|it| it.reads.or(it.writes));
            let (p50, p99) = match latency {
                Some(it) => ((it.p50_s / step.p50_s).ln(), (it.p99_s / step.p99_s).ln()),
                None => (NOT_CARRIED, NOT_CARRIED),
            };
            residuals.extend([p50, P99_WEIGHT * p99]);
            if let Some(measured) = step.utilisation {
                let modelled = operation.as_ref().map_or(NOT_CARRIED, core_utilisation);
                residuals.push((modelled / measured).ln());
            }
        }
        for step in &self.saturated {
            // Utilisation grows with the rate: at the highest it is 1.
            let operation = self.operate(costs, step.achieved_per_s);
            let utilisation = operation.map_or(NOT_CARRIED, |it| it.bottleneck().utilisation);
            residuals.push(utilisation.ln());
        }
        residuals
    }

    fn errors(&self, costs: &Costs) -> (Vec<f64>, Vec<f64>) {
        let error = |step: &RampStep| {
            let operation = self.operate(costs, step.achieved_per_s).ok()?;
            let latency = operation.reads.or(operation.writes)?;
            Some((latency.p50_s / step.p50_s - 1.0, latency.p99_s / step.p99_s - 1.0))
        };
        self.carried.iter().filter_map(error).unzip()
    }
}

fn core_utilisation(operation: &Operation) -> f64 {
    let cores = operation.stages.iter();
    let cores = cores.filter(|it| matches!(it.stage, Stage::Shard | Stage::Ordering));
    cores.map(|it| it.utilisation).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests;
