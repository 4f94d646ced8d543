//! What the model answers.

use super::basis::Basis;
use super::error::PlanError;
use super::question::{Question, Servers};
use super::words;
use planning::ensemble::{self, Latency, Prediction, operate};
use planning::{Costs, Layout, Load, Operation, plan};

/// Points of the curve of latencies by rate.
const POINTS: usize = 40;
/// The first of them, as a part of the highest rate.
const FIRST: f64 = 0.02;

/// Latencies at one rate of the same mix.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    /// Requests a second.
    pub(super) rate: f64,
    pub(super) reads: Option<Latency>,
    pub(super) writes: Option<Latency>,
}

/// Everything that is answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) layout: Layout,
    /// Whether the layout is the smallest that carries the load.
    pub(super) is_smallest: bool,
    pub(super) prediction: Prediction,
    /// With as many voters lost as are to be survived, if the layout was searched.
    pub(super) after_losses: Option<Operation>,
    pub(super) curve: Vec<Point>,
}

impl Answer {
    /// Asks the model.
    pub(super) fn of(basis: &Basis, question: &Question) -> Result<Self, PlanError> {
        let (costs, load, p99_s) = (&basis.costs, &question.load, question.p99_s);
        let (layout, after_losses) = match &question.servers {
            Servers::Given(layout) => (layout.clone(), None),
            Servers::Smallest(limits) => {
                let requirements = plan::Requirements {
                    load: load.clone(),
                    p99_s,
                    survives: question.survives,
                    limits: limits.clone(),
                };
                let found = plan::smallest(costs, &requirements).map_err(PlanError::Refused)?;
                (found.layout, Some(found.after_losses))
            }
        };
        let prediction = ensemble::predict(costs, load, &layout, p99_s)?;
        let most = prediction.capacity.reads_per_s + prediction.capacity.writes_per_s;
        let now = load.reads_per_s + load.writes_per_s;
        let curve = curve(costs, load, &layout, most.max(now))?;
        let is_smallest = after_losses.is_some();
        Ok(Self { layout, is_smallest, prediction, after_losses, curve })
    }

    /// Why the servers that were given do not carry the load, if they do not.
    pub(super) fn refused(&self, question: &Question) -> Option<PlanError> {
        let excess = words::excess(&self.prediction.now, question.p99_s);
        let (sizes, rooms) = (&self.prediction.now.sizes, &question.rooms);
        let excess = excess
            .or_else(|| words::no_room("memory", sizes.memory_bytes, rooms.memory_bytes))
            .or_else(|| words::no_room("disk", sizes.disk_bytes, rooms.disk_bytes));
        excess.map(PlanError::NotCarried)
    }
}

fn curve(
    costs: &Costs,
    load: &Load,
    layout: &Layout,
    most_per_s: f64,
) -> Result<Vec<Point>, PlanError> {
    let unit = load.reads_per_s + load.writes_per_s;
    let mut points = Vec::with_capacity(POINTS);
    for index in 0..POINTS {
        let part = FIRST + (1.0 - FIRST) * index as f64 / (POINTS - 1) as f64;
        let rate = most_per_s * part;
        let then = operate(costs, &load.scaled(rate / unit), layout)?;
        points.push(Point { rate, reads: then.reads, writes: then.writes });
    }
    Ok(points)
}
