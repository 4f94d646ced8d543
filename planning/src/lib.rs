//! The model for capacity planning: how many servers of what kind a load needs, what breaks
//! first, and how good the prediction is.
//!
//! A server is a chain of queues: a request waits for a shard's core, a write then for the ordering
//! core, for the log's next batch, for a quorum of other servers that do the same, and for the
//! network. What one request costs at each is measured; what many of them wait is computed here.
//!
//! Map, in reading order:
//!
//! - [`costs`]: what one request costs at each stage, and the device's curve; [`load`]: what
//!   clients ask for, and the layout of the servers; [`error`]: inputs that make no sense;
//!   [`measured`]: costs that were measured once, to plan with until there are own ones;
//! - [`numeric`]: special functions, least squares; [`distribution`]: times on a grid, added, mixed
//!   and read at a quantile;
//! - [`queue`]: single queues, queues served in batches, the k-th answer of n;
//! - [`ensemble`]: a load on a layout: utilisation, latency, sizes; what is sustainable, what
//!   helps;
//! - [`plan`]: the inverse, the smallest layout that carries what is required, or a refusal;
//! - [`scalability`]: the universal scalability law, fitted; [`fit`]: costs from a measured ramp;
//! - [`turns`]: a server that runs, as clients see it, fitted from outside; [`rounds`]: what
//!   repeated measurements say, and how surely;
//! - [`simulation`]: the same chain event by event, which judges the model.
//!
//! **Invariants**
//!
//! - Everything is a function of its arguments: equal inputs give equal results, the simulation's
//!   from its seed too (guard: `simulation::tests::a_seed_gives_the_same_run`).
//! - The model agrees with the simulation, within 5 % of the mean and 15 % of the 99th percentile
//!   up to a utilisation of 0.85 (guard: `simulation::tests::the_model_agrees`); over ten runs of
//!   each of its ensembles, the errors that remain are 2.3 % and 8.2 %.
//! - The simulation shares inputs with the model and no formula: it draws, queues and counts.
//! - More load never lowers a utilisation or a latency (guard:
//!   `ensemble::tests::load_is_monotone`).
//! - Adding servers never raises the rate of writes that an ensemble carries (guard:
//!   `plan::tests::writes_do_not_scale_by_servers`).
//!
//! **What is deliberately not here**: measuring (`tuning::probe` for a disk, `generator` for a
//! ramp), the command and its output (`server`), and any clock, file, socket or thread. Not
//! modelled: bursts (arrivals are Poisson), stalls of a device, elections, snapshots that share
//! the device, cost savings of a turn that handles many requests: costs come from a busy server.
//!
//! ```
//! use planning::{Costs, Layout, Load, ensemble};
//!
//! let load = Load { reads_per_s: 50_000.0, writes_per_s: 5_000.0, ..Load::default() };
//! let now = ensemble::operate(&Costs::example(), &load, &Layout::of_servers(3))?;
//! let writes = now.writes.expect("three servers carry it");
//! assert!(writes.p50_s < writes.p99_s && writes.p99_s < 0.005);
//! # Ok::<(), planning::InputError>(())
//! ```

pub mod costs;
pub mod distribution;
pub mod ensemble;
pub mod error;
pub mod fit;
pub mod load;
pub mod measured;
pub mod numeric;
pub mod plan;
pub mod queue;
pub mod rounds;
pub mod scalability;
pub mod simulation;
#[cfg(test)]
mod tests;
pub mod turns;

pub use costs::{Costs, Curve, CurvePoint, Device};
pub use ensemble::{Operation, Prediction, Stage};
pub use error::{FitError, InputError};
pub use load::{Layout, Load, OrderingCore};
pub use plan::{Plan, Refusal, Requirements};
