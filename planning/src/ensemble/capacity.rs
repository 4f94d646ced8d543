//! The most that a layout carries, and what would let it carry more.

use super::{Operation, Stage, UTILISATION_MAX, operate_alive};
use crate::costs::Costs;
use crate::error::InputError;
use crate::load::{Layout, Load, OrderingCore};

/// A doubled rate that exceeds every server: the search for the highest ends here.
const RATE_MAX_PER_S: f64 = 1e9;
/// Halvings of the interval: to a thousandth.
const HALVINGS: usize = 12;
/// A step that brings less is not worth its name.
const GAIN_MIN: f64 = 1.01;

/// What ends the growth of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A stage reaches [`UTILISATION_MAX`].
    Busy(Stage),
    /// The 99th percentile of reads reaches its bound; the stage is the busiest.
    ReadLatency(Stage),
    /// The 99th percentile of writes reaches its bound; the stage is the busiest.
    WriteLatency(Stage),
    /// Even a single request takes longer than the bound: round trips, service times and the
    /// device's own time exceed it.
    Idle,
}

/// The most of a mix that is sustained within a bound of the 99th percentiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// By the load that was given; 0 if not even a single request is answered in time.
    pub factor: f64,
    /// Reads per second.
    pub reads_per_s: f64,
    /// Writes per second.
    pub writes_per_s: f64,
    /// What ends it.
    pub limit: Limit,
}

/// What ends the growth of a load, if it is beyond it.
pub(crate) fn limit_of(operation: &Operation, p99_s: f64) -> Option<Limit> {
    let busiest = operation.bottleneck();
    if busiest.utilisation > UTILISATION_MAX {
        return Some(Limit::Busy(busiest.stage));
    }
    if operation.writes.is_some_and(|it| it.p99_s > p99_s) {
        return Some(Limit::WriteLatency(busiest.stage));
    }
    let is_late = operation.reads.is_some_and(|it| it.p99_s > p99_s);
    is_late.then_some(Limit::ReadLatency(busiest.stage))
}

/// The highest multiple of the load's requests whose 99th percentiles are within `p99_s`, by
/// bisection to a thousandth. Sessions and nodes stay. A load without requests has the capacity 0.
///
/// # Errors
/// An input is out of its range.
pub fn capacity(
    costs: &Costs,
    load: &Load,
    layout: &Layout,
    p99_s: f64,
) -> Result<Capacity, InputError> {
    let requests = load.reads_per_s + load.writes_per_s;
    let beyond = |factor: f64| {
        let scaled = load.scaled(factor);
        operate_alive(costs, &scaled, layout, layout.servers).map(|it| limit_of(&it, p99_s))
    };
    let found = |factor: f64, limit: Limit| Capacity {
        factor,
        reads_per_s: load.reads_per_s * factor,
        writes_per_s: load.writes_per_s * factor,
        limit,
    };
    if let Some(limit) = beyond(1e-6)? {
        let is_busy = matches!(limit, Limit::Busy(_));
        return Ok(found(0.0, if is_busy { limit } else { Limit::Idle }));
    }
    if requests <= 0.0 {
        return Ok(found(0.0, Limit::Idle));
    }
    // The bounds are rates; latency rises with the rate, so the first that is too late ends it.
    let (mut low, mut high) = (1e-6, RATE_MAX_PER_S / requests);
    let mut least = beyond(high)?.unwrap_or(Limit::Idle);
    while high / low > 4.0 {
        let middle = (low * high).sqrt();
        match beyond(middle)? {
            Some(limit) => (high, least) = (middle, limit),
            None => low = middle,
        }
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        match beyond(middle)? {
            Some(limit) => (high, least) = (middle, limit),
            None => low = middle,
        }
    }
    Ok(found(low, least))
}

/// A change of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One shard more on every server.
    Shard,
    /// The ordering role on a core of its own.
    OwnOrderingCore,
    /// One observer more.
    Observer,
    /// A device for the log whose batches take half the time.
    FasterDevice,
    /// Cores that need three quarters of the time.
    FasterCores,
    /// An interface of twice the rate.
    FasterNetwork,
}

/// What a change brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepGain {
    /// Which.
    pub step: Step,
    /// The capacity with it by that without it.
    pub gain: f64,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 6] = [
        Self::Shard,
        Self::OwnOrderingCore,
        Self::Observer,
        Self::FasterDevice,
        Self::FasterCores,
        Self::FasterNetwork,
    ];

    /// Servers as they are after the step.
    pub fn taken(self, costs: &Costs, layout: &Layout) -> (Costs, Layout) {
        let (mut costs, mut layout) = (costs.clone(), layout.clone());
        match self {
            Self::Shard => layout.shards += 1,
            Self::OwnOrderingCore => layout.ordering = OrderingCore::Own,
            Self::Observer => layout.observers += 1,
            Self::FasterDevice => costs.device.curve = costs.device.curve.scaled(0.5),
            Self::FasterCores => {
                let cores = &mut costs.cores;
                for cost in [
                    &mut cores.shard_read_s,
                    &mut cores.shard_write_s,
                    &mut cores.shard_ping_s,
                    &mut cores.ordering_write_s,
                    &mut cores.peer_write_s,
                    &mut cores.follow_write_s,
                ] {
                    *cost *= 0.75;
                }
            }
            Self::FasterNetwork => costs.network.bytes_per_s *= 2.0,
        }
        (costs, layout)
    }
}

/// What each step would bring, the most effective first, without those below 1 %. With a capacity
/// of 0, a step that makes it positive has the gain infinity.
///
/// # Errors
/// An input is out of its range.
pub fn next_steps(
    costs: &Costs,
    load: &Load,
    layout: &Layout,
    p99_s: f64,
) -> Result<Vec<StepGain>, InputError> {
    let now = capacity(costs, load, layout, p99_s)?.factor;
    let mut gains = Vec::new();
    for step in Step::ALL {
        let (costs, layout_then) = step.taken(costs, layout);
        if layout_then == *layout && step == Step::OwnOrderingCore {
            continue;
        }
        let then = capacity(&costs, load, &layout_then, p99_s)?.factor;
        let gain = then / now;
        if gain > GAIN_MIN {
            gains.push(StepGain { step, gain });
        }
    }
    gains.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    Ok(gains)
}
