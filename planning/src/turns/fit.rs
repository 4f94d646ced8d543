//! The costs with which turns are as slow as what was measured.
//!
//! Residuals are logarithms of ratios, so that a small step of the ramp counts as much as a large
//! one. Costs that a ramp tells nothing about (stops, of a server without any) would be free: each
//! is held, by a weak residual of its own, near a value of the usual size. Of several beginnings
//! the one with the best end counts: the search follows a slope, and there are several valleys.
//!
//! No loop is that simple. Between two steps the measurements say more than the turns: a straight
//! line through logarithms is never below the one step or above the other, and between 0.78 and 0.9
//! of the highest rate at most 8 % above a latency that grows with the reciprocal of what is left,
//! as in queues. The turns say what is beyond the steps, times what they leave unexplained at the
//! outermost, and the highest rate. Guards: `tests::straight_lines_are_near_enough`,
//! `tests::what_turns_do_not_explain_is_taken_as_measured`.

use super::Turns;
use super::shape::Shape;
use crate::ensemble::Latency;
use crate::error::{FitError, InputError};
use crate::fit::RampStep;
use crate::numeric::Estimate;
use crate::numeric::least_squares::{Parameter, Solution, minimise};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Achieved by offered, below which a step was not carried.
const CARRIED_MIN: f64 = 0.97;
/// A 99th percentile scatters more than a median.
const P99_WEIGHT: f64 = 0.7;
/// What a step that was not carried says of the highest rate is sure, beside what latencies do.
const SATURATED_WEIGHT: f64 = 10.0;
/// How firmly costs are held near where the search begins: a factor of e is as bad as an error of
/// so much.
const HELD: f64 = 0.02;
/// The residual of a step that was carried, but could not be.
const NOT_CARRIED: f64 = 3.0;
/// A cost may differ from where the search begins by a factor of e to this.
const LOGARITHM_MAX: f64 = 9.0;
/// Shapes that are kept: of where a search stands, and of one step aside.
const SHAPES_MAX: usize = 4;
/// Turns that vary more are not a loop's: what is that long now and then is a stop.
const SCV_MAX: f64 = 2.0;

/// One of the costs that are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// [`Turns::trip_s`].
    Trip,
    /// [`Turns::visit_s`].
    Visit,
    /// [`Turns::request_s`].
    Request,
    /// [`Turns::scv`].
    Variability,
    /// [`Turns::stopped`].
    Stopped,
    /// [`Turns::stop_s`].
    Stop,
}

impl Cost {
    /// All of them, in the order of the fields.
    pub const ALL: [Self; 6] =
        [Self::Trip, Self::Visit, Self::Request, Self::Variability, Self::Stopped, Self::Stop];

    fn of(self, turns: &mut Turns) -> &mut f64 {
        match self {
            Self::Trip => &mut turns.trip_s,
            Self::Visit => &mut turns.visit_s,
            Self::Request => &mut turns.request_s,
            Self::Variability => &mut turns.scv,
            Self::Stopped => &mut turns.stopped,
            Self::Stop => &mut turns.stop_s,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedTurns {
    /// The costs.
    pub turns: Turns,
    /// Each with its 95 % confidence interval: that of scatter around the model. The standard error
    /// is of the logarithm. Wide ones are of costs that the ramp tells little about.
    pub estimates: Vec<(Cost, Estimate)>,
    /// Of the steps that were carried, by rate: the ratios of medians, modelled by measured,
    /// less 1.
    pub p50_errors: Vec<f64>,
    /// The same of the 99th percentiles.
    pub p99_errors: Vec<f64>,
    /// Steps that were not carried.
    pub saturated: usize,
    /// By rate.
    carried: Vec<Carried>,
}

/// A step that was carried: what was measured, and what the turns say.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Carried {
    rate: f64,
    p50_s: f64,
    p99_s: f64,
    turns: Latency,
}

impl FittedTurns {
    /// The latency at a rate of requests per second: at a step what was measured, between two steps
    /// on a straight line through the logarithms of what was measured, and outside of all that of
    /// the turns, times what they leave unexplained at the outermost. `None` above
    /// [`UTILISATION_MAX`].
    ///
    /// [`UTILISATION_MAX`]: super::UTILISATION_MAX
    ///
    /// # Errors
    /// A number is not finite or out of its range.
    pub fn at(&self, rate: f64) -> Result<Option<Latency>, InputError> {
        let Some(turns) = self.turns.at(rate)? else { return Ok(None) };
        let above = self.carried.partition_point(|it| it.rate < rate);
        let below = above.checked_sub(1).map(|it| self.carried[it]);
        let (p50_s, p99_s) = match (below, self.carried.get(above)) {
            (Some(below), Some(above)) => {
                let part = (rate - below.rate) / (above.rate - below.rate);
                let between = |from: f64, to: f64| from * (to / from).powf(part);
                (between(below.p50_s, above.p50_s), between(below.p99_s, above.p99_s))
            }
            (Some(only), None) | (None, Some(&only)) => {
                let p50_s = turns.p50_s * only.p50_s / only.turns.p50_s;
                (p50_s, turns.p99_s * only.p99_s / only.turns.p99_s)
            }
            (None, None) => (turns.p50_s, turns.p99_s),
        };
        let mean_s = turns.mean_s * p50_s / turns.p50_s;
        Ok(Some(Latency { mean_s, p50_s, p99_s: p99_s.max(p50_s) }))
    }

    /// The same costs, with what was measured another time at the steps that were fitted.
    #[must_use]
    pub fn remeasured(&self, steps: &[RampStep]) -> Self {
        let again = |it: &Carried| {
            let step = steps.iter().find(|step| step.achieved_per_s.total_cmp(&it.rate).is_eq());
            step.map_or(*it, |step| Carried { p50_s: step.p50_s, p99_s: step.p99_s, ..*it })
        };
        Self { carried: self.carried.iter().map(again).collect(), ..self.clone() }
    }
}

/// Finds the costs of a server from the steps of a ramp, with so many connections. Two steps or
/// more must be carried; one that is not determines the highest rate, which otherwise is a guess
/// beyond what was measured.
///
/// # Errors
/// The steps make no sense, or are too few.
pub fn fit(steps: &[RampStep], connections: f64) -> Result<FittedTurns, FitError> {
    let is_sound = |value: f64| value.is_finite() && value > 0.0;
    let unsound = |it: &RampStep| {
        ![it.offered_per_s, it.achieved_per_s, it.p50_s, it.p99_s].into_iter().all(is_sound)
    };
    if let Some(index) = steps.iter().position(unsound) {
        return Err(FitError::Observation { index });
    }
    let is_carried = |it: &&RampStep| it.achieved_per_s >= CARRIED_MIN * it.offered_per_s;
    let (carried, saturated): (Vec<&RampStep>, Vec<_>) = steps.iter().partition(is_carried);
    if carried.is_empty() {
        return Err(FitError::AllSaturated);
    }
    if carried.len() < 2 {
        return Err(FitError::TooFew { observations: carried.len(), parameters: 1 });
    }
    let ramp = Ramp { carried, saturated, shapes: RefCell::default() };
    let beginnings = ramp.beginnings(connections.max(1.0));
    let mut best: Option<(Turns, Solution)> = None;
    for beginning in beginnings {
        let solution = minimise(&PARAMETERS, |at| ramp.residuals(&beginning, at))?;
        if best.as_ref().is_none_or(|(_, before)| solution.sum < before.sum) {
            best = Some((beginning, solution));
        }
    }
    let (beginning, solution) = best.expect("there are several beginnings");
    let at: Vec<f64> = solution.estimates.iter().map(|it| it.value).collect();
    let turns = changed(&beginning, &at);
    let estimate = |(cost, it): (Cost, &Estimate)| {
        let begun = *cost.of(&mut beginning.clone());
        let [value, low, high] = [it.value, it.low, it.high].map(|it| begun * it.exp());
        (cost, Estimate { value, standard_error: it.standard_error, low, high })
    };
    let estimates = Cost::ALL.into_iter().zip(&solution.estimates).map(estimate).collect();
    let (carried, saturated) = (ramp.carried(&turns), ramp.saturated.len());
    let errors = |it: &Carried| (it.turns.p50_s / it.p50_s - 1.0, it.turns.p99_s / it.p99_s - 1.0);
    let (p50_errors, p99_errors) = carried.iter().map(errors).unzip();
    Ok(FittedTurns { turns, estimates, p50_errors, p99_errors, saturated, carried })
}

const LOGARITHM: Parameter = Parameter { start: 0.0, bound: -LOGARITHM_MAX, typical: 1.0 };
const PARAMETERS: [Parameter; 6] = [LOGARITHM; 6];

fn changed(beginning: &Turns, logarithms: &[f64]) -> Turns {
    let mut turns = *beginning;
    for (cost, logarithm) in Cost::ALL.into_iter().zip(logarithms) {
        *cost.of(&mut turns) *= logarithm.clamp(-LOGARITHM_MAX, LOGARITHM_MAX).exp();
    }
    turns.scv = turns.scv.min(SCV_MAX);
    turns
}

/// The steps by what they tell.
struct Ramp<'a> {
    carried: Vec<&'a RampStep>,
    saturated: Vec<&'a RampStep>,
    /// By the bits of the variances last asked for: most slopes that a search asks for are of other
    /// costs.
    shapes: RefCell<VecDeque<(u64, Rc<Shape>)>>,
}

impl Ramp<'_> {
    /// Where searches begin: turns of the size that a median has, of which connections are much or
    /// little, with short stops or long ones.
    fn beginnings(&self, connections: f64) -> Vec<Turns> {
        let of = |pick: fn(&RampStep) -> f64, steps: &[&RampStep], most: bool| {
            let values = steps.iter().map(|it| pick(it));
            if most { values.fold(0.0, f64::max) } else { values.fold(f64::MAX, f64::min) }
        };
        let carried_per_s = of(|it| it.achieved_per_s, &self.carried, true);
        let saturated_per_s = of(|it| it.achieved_per_s, &self.saturated, true);
        let most_per_s = saturated_per_s.max(1.05 * carried_per_s);
        let least_p50_s = of(|it| it.p50_s, &self.carried, false);
        let most_p50_s = of(|it| it.p50_s, &self.carried, true);
        let least_p99_s = of(|it| it.p99_s, &self.carried, false);
        let most_p99_s = of(|it| it.p99_s, &self.carried, true);
        let visits = [0.2 * least_p50_s, most_p50_s / connections.min(64.0)];
        let stops = [(0.02, most_p99_s), (0.05, least_p99_s), (0.015, 3.0 * least_p99_s)];
        let each = visits.iter().flat_map(|visit_s| stops.map(|stop| (*visit_s, stop)));
        let beginning = |(visit_s, (stopped, stop_s))| Turns {
            connections,
            trip_s: 0.6 * least_p50_s,
            visit_s,
            request_s: 1.0 / most_per_s,
            scv: 0.5,
            stopped,
            stop_s,
        };
        each.map(beginning).collect()
    }

    fn shape(&self, scv: f64) -> Rc<Shape> {
        let mut shapes = self.shapes.borrow_mut();
        if let Some((_, shape)) = shapes.iter().find(|it| it.0 == scv.to_bits()) {
            return Rc::clone(shape);
        }
        let shape = Rc::new(Shape::of(scv));
        shapes.push_front((scv.to_bits(), Rc::clone(&shape)));
        shapes.truncate(SHAPES_MAX);
        shape
    }

    fn residuals(&self, beginning: &Turns, at: &[f64]) -> Vec<f64> {
        let turns = changed(beginning, at);
        let shape = self.shape(turns.scv);
        // The further beyond, the worse: the search must find back.
        let beyond = |rate: f64| NOT_CARRIED + (rate * turns.request_s).ln();
        let mut residuals: Vec<f64> = at.iter().map(|it| HELD * it).collect();
        for step in &self.carried {
            let (p50, p99) = if let Some(it) = turns.latency(&shape, step.achieved_per_s) {
                ((it.p50_s / step.p50_s).ln(), (it.p99_s / step.p99_s).ln())
            } else {
                (beyond(step.achieved_per_s), beyond(step.achieved_per_s))
            };
            residuals.extend([p50, P99_WEIGHT * p99]);
        }
        let most = |it: &&RampStep| SATURATED_WEIGHT * (it.achieved_per_s * turns.request_s).ln();
        residuals.extend(self.saturated.iter().map(most));
        residuals
    }

    /// By rate.
    fn carried(&self, turns: &Turns) -> Vec<Carried> {
        let shape = Shape::of(turns.scv);
        let of = |step: &&RampStep| {
            let RampStep { achieved_per_s: rate, p50_s, p99_s, .. } = **step;
            Some(Carried { rate, p50_s, p99_s, turns: turns.latency(&shape, rate)? })
        };
        let mut carried: Vec<Carried> = self.carried.iter().filter_map(of).collect();
        carried.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        carried
    }
}
