//! The inverse of the model: the smallest layout that carries what is required, or why none does.
//!
//! Voters are as few as the losses to survive allow: every write goes to all servers, so that more
//! of them never carry more writes. What reads need beyond that are observers. Of the layouts with
//! the fewest servers, the one with the fewest cores is chosen.

use thiserror::Error;

use crate::costs::Costs;
use crate::ensemble::{Limit, Operation, limit_of, operate, operate_alive};
use crate::error::{InputError, at_least};
use crate::load::{Layout, Load, OrderingCore};

/// Halvings of the part of a load that is carried: to a millionth of a load that is a thousand
/// times too large.
const HALVINGS: usize = 30;

/// What there may be at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Voters.
    pub servers_max: usize,
    /// Observers.
    pub observers_max: usize,
    /// Shards of a server.
    pub shards_max: usize,
    /// Memory of a server.
    pub memory_bytes: f64,
    /// Disk of a server.
    pub disk_bytes: f64,
}

impl Default for Limits {
    /// Seven voters, twenty observers, 16 shards, 64 GB of memory, 1 TB of disk.
    fn default() -> Self {
        Self {
            servers_max: 7,
            observers_max: 20,
            shards_max: 16,
            memory_bytes: 64e9,
            disk_bytes: 1e12,
        }
    }
}

/// What must be carried.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirements {
    /// The load.
    pub load: Load,
    /// The bound of the 99th percentiles of reads and of writes.
    pub p99_s: f64,
    /// Voters that may be lost at once, with the load still carried within the bound.
    pub survives: usize,
    /// What there may be at most.
    pub limits: Limits,
}

/// The smallest layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The servers.
    pub layout: Layout,
    /// With all of them.
    pub operation: Operation,
    /// With as many voters lost as must be survived.
    pub after_losses: Operation,
}

/// Why there is no layout.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// A number makes no sense.
    #[error(transparent)]
    Input(#[from] InputError),
    /// So many losses need more voters than there may be.
    #[error(
        "surviving {survives} lost servers needs {needed} voters, and {servers_max} are allowed: \
         allow more, or survive fewer losses"
    )]
    Survives {
        /// The losses.
        survives: usize,
        /// Twice as many and one.
        needed: usize,
        /// The limit.
        servers_max: usize,
    },
    /// Even a lone request takes longer than the bound.
    #[error(
        "a lone request has a 99th percentile of {:.3} ms, more than the {:.3} ms required: \
         allow more time, shorten round trips, or use a faster device", floor_s * 1e3, p99_s * 1e3
    )]
    Latency {
        /// The bound.
        p99_s: f64,
        /// What an idle ensemble needs.
        floor_s: f64,
    },
    /// The pings of so many sessions alone.
    #[error(
        "the pings of {sessions:.0} sessions alone are too many, limited by {limit:?}: allow more \
         observers or more shards, or longer session timeouts"
    )]
    Sessions {
        /// The requirement.
        sessions: f64,
        /// What ends it.
        limit: Limit,
    },
    /// More writes than one ordering core, log and interface carry; more servers do not help.
    #[error(
        "{wanted_per_s:.0} writes a second exceed the {carried_per_s:.0} that one ensemble \
         carries, limited by {limit:?}: every server handles every write, so more servers do not \
         help; use faster cores or a faster device, or divide the data between ensembles"
    )]
    Writes {
        /// The requirement.
        wanted_per_s: f64,
        /// The highest rate on the largest servers.
        carried_per_s: f64,
        /// What ends it.
        limit: Limit,
    },
    /// More reads than all observers that are allowed carry beside the writes.
    #[error(
        "{wanted_per_s:.0} reads a second exceed the {carried_per_s:.0} that the largest layout \
         carries beside the writes, limited by {limit:?}: allow more observers or more shards"
    )]
    Reads {
        /// The requirement.
        wanted_per_s: f64,
        /// What the best of the allowed layouts carries of them.
        carried_per_s: f64,
        /// What ends it.
        limit: Limit,
    },
    /// All nodes are in the memory of every server.
    #[error(
        "a server needs {needed_bytes:.0} bytes of memory, and {memory_bytes:.0} are allowed: \
         every server holds all nodes, and its share of watches; use more memory, fewer and \
         smaller nodes, or, for watches, more observers"
    )]
    Memory {
        /// Of the largest server.
        needed_bytes: f64,
        /// The limit.
        memory_bytes: f64,
    },
    /// Snapshots and log of every server.
    #[error(
        "a server needs {needed_bytes:.0} bytes of disk, and {disk_bytes:.0} are allowed: use a \
         larger disk, or keep fewer snapshots"
    )]
    Disk {
        /// Of every server.
        needed_bytes: f64,
        /// The limit.
        disk_bytes: f64,
    },
}

/// The smallest layout that carries the requirements, with all servers and after the losses.
///
/// # Errors
/// Why no layout within the limits does.
pub fn smallest(costs: &Costs, requirements: &Requirements) -> Result<Plan, Refusal> {
    let Requirements { load, p99_s, survives, limits } = requirements;
    at_least("requirements.p99_s", *p99_s, 1e-9)?;
    at_least("limits.shards_max", limits.shards_max as f64, 1.0)?;
    let needed = 2 * survives + 1;
    if needed > limits.servers_max {
        let (survives, servers_max) = (*survives, limits.servers_max);
        return Err(Refusal::Survives { survives, needed, servers_max });
    }
    let largest = Layout { shards: limits.shards_max, ..Layout::of_servers(needed) };
    for alive in [needed, needed - survives] {
        refuse_latency(costs, load, &largest, alive, *p99_s)?;
    }
    let mut too_large = None;
    for observers in 0..=limits.observers_max {
        let largest = Layout { observers, ..largest.clone() };
        if let Some(plan) = carried(costs, requirements, &largest)? {
            too_large = size_refused(requirements, &plan.after_losses);
            if too_large.is_none() {
                return Ok(fewest_cores(costs, requirements, plan)?);
            }
        }
    }
    match too_large {
        Some(refusal) => Err(refusal),
        None => Err(load_refused(costs, requirements, &largest)?),
    }
}

/// The plan of a layout, if it carries what is required.
fn carried(
    costs: &Costs,
    requirements: &Requirements,
    layout: &Layout,
) -> Result<Option<Plan>, InputError> {
    let Requirements { load, p99_s, survives, .. } = requirements;
    let alive = layout.servers - survives;
    let after_losses = operate_alive(costs, load, layout, alive)?;
    if limit_of(&after_losses, *p99_s).is_some() {
        return Ok(None);
    }
    let operation = operate(costs, load, layout)?;
    if limit_of(&operation, *p99_s).is_some() {
        return Ok(None);
    }
    Ok(Some(Plan { layout: layout.clone(), operation, after_losses }))
}

/// Of the layouts with as many servers as one that carries the load, the one of the fewest cores.
fn fewest_cores(
    costs: &Costs,
    requirements: &Requirements,
    largest: Plan,
) -> Result<Plan, InputError> {
    for cores in 1..largest.layout.cores() {
        let own = (cores > 1).then_some((cores - 1, OrderingCore::Own));
        let is_shared = cores <= largest.layout.shards;
        let shared = is_shared.then_some((cores, OrderingCore::SharedWithShard));
        for (shards, ordering) in own.into_iter().chain(shared) {
            let layout = Layout { shards, ordering, ..largest.layout.clone() };
            if let Some(plan) = carried(costs, requirements, &layout)? {
                return Ok(plan);
            }
        }
    }
    Ok(largest)
}

/// A lone read and a lone write, of those that there are.
fn refuse_latency(
    costs: &Costs,
    load: &Load,
    largest: &Layout,
    alive: usize,
    p99_s: f64,
) -> Result<(), Refusal> {
    let lone = operate_alive(costs, &load.scaled(1e-6), largest, alive)?;
    let p99s = [lone.reads, lone.writes].into_iter().flatten().map(|it| it.p99_s);
    let floor_s = p99s.fold(0.0, f64::max);
    if floor_s > p99_s { Err(Refusal::Latency { p99_s, floor_s }) } else { Ok(()) }
}

/// What no number of observers makes possible: sessions alone, else writes beside them, else reads.
fn load_refused(
    costs: &Costs,
    requirements: &Requirements,
    largest: &Layout,
) -> Result<Refusal, InputError> {
    let load = &requirements.load;
    let sessions = Load { reads_per_s: 0.0, writes_per_s: 0.0, ..load.clone() };
    if let (0.0, limit) = most(costs, requirements, largest, |_| sessions.clone())? {
        return Ok(Refusal::Sessions { sessions: load.sessions, limit });
    }
    let writes = |part: f64| Load { writes_per_s: load.writes_per_s * part, ..sessions.clone() };
    let (part, limit) = most(costs, requirements, largest, writes)?;
    if part < 1.0 {
        let (wanted_per_s, carried_per_s) = (load.writes_per_s, part * load.writes_per_s);
        return Ok(Refusal::Writes { wanted_per_s, carried_per_s, limit });
    }
    let reads = |part: f64| Load { reads_per_s: load.reads_per_s * part, ..load.clone() };
    let (part, limit) = most(costs, requirements, largest, reads)?;
    let (wanted_per_s, carried_per_s) = (load.reads_per_s, part * load.reads_per_s);
    Ok(Refusal::Reads { wanted_per_s, carried_per_s, limit })
}

fn size_refused(requirements: &Requirements, operation: &Operation) -> Option<Refusal> {
    let (sizes, limits) = (&operation.sizes, &requirements.limits);
    let (memory_bytes, disk_bytes) = (limits.memory_bytes, limits.disk_bytes);
    if sizes.memory_bytes > memory_bytes {
        return Some(Refusal::Memory { needed_bytes: sizes.memory_bytes, memory_bytes });
    }
    let needed_bytes = sizes.disk_bytes;
    (needed_bytes > disk_bytes).then_some(Refusal::Disk { needed_bytes, disk_bytes })
}

/// How large a part of a load the best layout carries, with all voters and after the losses, and
/// what ends it: more observers divide sessions and reads, and cost the leader for each write.
fn most(
    costs: &Costs,
    requirements: &Requirements,
    largest: &Layout,
    load_of: impl Fn(f64) -> Load,
) -> Result<(f64, Limit), InputError> {
    let Requirements { p99_s, survives, limits, .. } = requirements;
    let limit_with = |observers: usize, part: f64| {
        let layout = Layout { observers, ..largest.clone() };
        for alive in [layout.servers, layout.servers - survives] {
            let operation = operate_alive(costs, &load_of(part), &layout, alive)?;
            if let Some(limit) = limit_of(&operation, *p99_s) {
                return Ok(Some(limit));
            }
        }
        Ok::<_, InputError>(None)
    };
    let mut best = (0.0, Limit::Idle);
    let mut improve = |observers: usize| {
        // Only what carries more than the best so far is worth halving.
        let (mut low, mut high) = (best.0, 1.0);
        if low > 0.0 && limit_with(observers, low)?.is_some() {
            return Ok(false);
        }
        let Some(mut limit) = limit_with(observers, 1.0)? else {
            best = (1.0, Limit::Idle);
            return Ok(true);
        };
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            match limit_with(observers, middle)? {
                Some(found) => (high, limit) = (middle, found),
                None => low = middle,
            }
        }
        best = (low, limit);
        Ok::<_, InputError>(true)
    };
    // What is carried rises with the observers and then falls, so what carries most lies between
    // the neighbours of the best of these.
    let observers_max = limits.observers_max;
    let doubled = (0..usize::BITS).map(|power| 1 << power).take_while(|it| *it < observers_max);
    let mut of_these = 0;
    for observers in [0].into_iter().chain(doubled).chain([observers_max]) {
        if improve(observers)? {
            of_these = observers;
        }
    }
    for observers in of_these / 2 + 1..observers_max.min(2 * of_these) {
        improve(observers)?;
    }
    Ok(best)
}

#[cfg(test)]
mod tests;
