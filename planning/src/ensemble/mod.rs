//! A load on a layout: how busy each stage is, what requests wait, what it occupies.
//!
//! Cores and the network are M/G/1 queues with requests of several kinds, the log is a queue
//! served in batches, a quorum an order statistic; their distributions are added as if they were
//! independent. They are not quite: all servers get the same writes at the same time. The errors
//! of that, and of the queues themselves, are measured against the simulation (its tests).

mod capacity;
mod path;
mod sizes;
mod stations;
#[cfg(test)]
mod tests;

pub(crate) use capacity::limit_of;
pub use capacity::{Capacity, Limit, Step, StepGain, capacity, next_steps};
pub use sizes::Sizes;

use crate::costs::Costs;
use crate::distribution::Distribution;
use crate::error::{InputError, at_least};
use crate::load::{Layout, Load};
use stations::{Batch, Stations, with_log};

/// Above this utilisation of any stage no latency is predicted: small errors of the costs make
/// large ones of the waits, and a burst fills every queue.
pub const UTILISATION_MAX: f64 = 0.95;

/// A part of the chain that can be too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The core of a shard.
    Shard,
    /// The ordering core, which all writes of the ensemble pass, on every server.
    Ordering,
    /// The log's device.
    Log,
    /// The interface to the network.
    Network,
}

/// How busy a stage is, at the server where it is busiest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageUse {
    /// Which.
    pub stage: Stage,
    /// The load by the highest load: 1 and more is not sustained. Of a core that a shard and the
    /// ordering role share, the work of both.
    pub utilisation: f64,
    /// The highest mean wait of a request, without its service; `None` if it grows without bound.
    pub wait_s: Option<f64>,
}

/// The latency that clients see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Of all requests.
    pub mean_s: f64,
    /// Half of them take at most this.
    pub p50_s: f64,
    /// 99 of 100 take at most this.
    pub p99_s: f64,
}

impl Latency {
    fn of(distribution: &Distribution, constant_s: f64) -> Self {
        Self {
            mean_s: distribution.mean_s() + constant_s,
            p50_s: distribution.quantile_s(0.5) + constant_s,
            p99_s: distribution.quantile_s(0.99) + constant_s,
        }
    }
}

/// An ensemble under a load.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Every stage, in the order of [`Stage`].
    pub stages: [StageUse; 4],
    /// Of reads; `None` if a stage that they pass is busier than [`UTILISATION_MAX`], or if the
    /// load has none.
    pub reads: Option<Latency>,
    /// Of writes; `None` in the same cases.
    pub writes: Option<Latency>,
    /// Writes of a batch of the leader's log, on average; `None` if the log is too busy.
    pub batch_mean: Option<f64>,
    /// What it occupies.
    pub sizes: Sizes,
}

impl Operation {
    /// The busiest stage: what breaks first when the load grows.
    pub fn bottleneck(&self) -> StageUse {
        let busier = |a: &&StageUse, b: &&StageUse| a.utilisation.total_cmp(&b.utilisation);
        // The stages are four.
        self.stages.iter().max_by(busier).copied().unwrap_or(self.stages[0])
    }

    /// Whether all stages are within [`UTILISATION_MAX`].
    pub fn is_carried(&self) -> bool {
        self.bottleneck().utilisation <= UTILISATION_MAX
    }
}

/// What one lost server leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum OneLost {
    /// Too few voters for a quorum: no writes, and reads only where they are allowed without one.
    NoQuorum,
    /// The others carry what they can.
    Operating(Box<Operation>),
}

/// Everything that is predicted for a load on a layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The load as it is.
    pub now: Operation,
    /// The load with one voter less, whose clients moved to the others.
    pub one_lost: OneLost,
    /// The most that the layout carries of this mix, within the bound.
    pub capacity: Capacity,
    /// What would raise that, the most effective first; steps that bring less than 1 % are absent.
    pub steps: Vec<StepGain>,
}

/// Predicts everything, with 99th percentiles of reads and writes bounded by `p99_s`. Takes some
/// hundred times as long as [`operate`].
///
/// # Errors
/// An input is out of its range.
pub fn predict(
    costs: &Costs,
    load: &Load,
    layout: &Layout,
    p99_s: f64,
) -> Result<Prediction, InputError> {
    at_least("p99_s", p99_s, 1e-9)?;
    let now = operate(costs, load, layout)?;
    let capacity = capacity(costs, load, layout, p99_s)?;
    let steps = next_steps(costs, load, layout, p99_s)?;
    Ok(Prediction { now, one_lost: one_lost(costs, load, layout)?, capacity, steps })
}

/// The load when one voter is lost. The quorum stays that of all voters.
///
/// # Errors
/// An input is out of its range.
pub fn one_lost(costs: &Costs, load: &Load, layout: &Layout) -> Result<OneLost, InputError> {
    layout.check()?;
    let alive = layout.servers - 1;
    if alive < layout.quorum() {
        return Ok(OneLost::NoQuorum);
    }
    let operation = operate_alive(costs, load, layout, alive)?;
    Ok(OneLost::Operating(Box::new(operation)))
}

/// The load on the layout.
///
/// # Errors
/// An input is out of its range.
pub fn operate(costs: &Costs, load: &Load, layout: &Layout) -> Result<Operation, InputError> {
    operate_alive(costs, load, layout, layout.servers)
}

/// The load with only so many voters alive, at least a quorum of all.
pub(crate) fn operate_alive(
    costs: &Costs,
    load: &Load,
    layout: &Layout,
    alive: usize,
) -> Result<Operation, InputError> {
    costs.check()?;
    layout.check()?;
    load.check(costs)?;
    let device_s = costs.device.curve.seconds_at(load.record_bytes(costs));
    let stations = |batch| Stations::of(costs, load, layout, alive, batch);
    let (utilisation, log) = with_log(costs, load, |log| {
        let stations = stations(Batch { mean: log.batch_mean, scv: log.batch_scv });
        let wait_s = (log.mean_s - device_s).max(0.0);
        let has_writes = load.writes_per_s > 0.0;
        let writes = if has_writes { path::writes(&stations, log) } else { None };
        (stations, Some(log.batch_mean), Some(wait_s), writes)
    });
    let (stations, batch_mean, wait_s, writes) =
        log.unwrap_or_else(|| (stations(Batch { mean: 1.0, scv: 0.0 }), None, None, None));
    let sizes = sizes::sizes(costs, load, layout, alive);
    let log = StageUse { stage: Stage::Log, utilisation, wait_s };
    Ok(Operation {
        stages: stations.uses(log, sizes.received_bytes_per_s),
        reads: if load.reads_per_s > 0.0 { path::reads(&stations) } else { None },
        writes,
        batch_mean,
        sizes,
    })
}
