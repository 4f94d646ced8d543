//! The chain event by event, from a seed: an independent judge of the model.
//!
//! Requests arrive, queue, are served and move on; times are drawn, quantiles are counted. Nothing
//! is computed from a formula of queues. What is simulated is what the model describes: shards,
//! ordering cores, logs that take what waits, quorums, interfaces; ping, read and write.
//!
//! Lives in: tests, and wherever a prediction is to be doubted. A run of a hundred thousand
//! requests takes a fraction of a second.

mod cluster;
mod random;
mod station;
#[cfg(test)]
mod tests;

use crate::costs::Costs;
use crate::ensemble::{Latency, Stage};
use crate::error::InputError;
use crate::load::{Layout, Load};
use cluster::Cluster;

/// How long to simulate, and from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Equal seeds give equal runs.
    pub seed: u64,
    /// Reads and writes that arrive; those of the first tenth are not counted.
    pub requests: usize,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Of the reads; `None` if there were none.
    pub reads: Option<Latency>,
    /// Of the writes; `None` if there were none.
    pub writes: Option<Latency>,
    /// The part of the time that each stage was busy at the leader: the ordering core, its busiest
    /// shard, its interface. Of the log, the part of its slots in use, which batches fill long
    /// before the log is at its limit.
    pub busy: [(Stage, f64); 4],
    /// Writes of a batch of the leader's log, on average; 0 without any.
    pub batch_mean: f64,
}

/// Simulates a load on a layout, all of whose servers live.
///
/// # Errors
/// An input is out of its range.
pub fn simulate(
    costs: &Costs,
    load: &Load,
    layout: &Layout,
    run: Run,
) -> Result<Observed, InputError> {
    costs.check()?;
    layout.check()?;
    load.check(costs)?;
    Ok(Cluster::new(costs, load, layout, run).run())
}

/// Mean and quantiles of what was counted.
fn latency(mut times_s: Vec<f64>) -> Option<Latency> {
    if times_s.is_empty() {
        return None;
    }
    times_s.sort_by(f64::total_cmp);
    let count = times_s.len();
    let at = |part: f64| times_s[((count as f64 * part) as usize).min(count - 1)];
    let mean_s = times_s.iter().sum::<f64>() / count as f64;
    Some(Latency { mean_s, p50_s: at(0.5), p99_s: at(0.99) })
}
