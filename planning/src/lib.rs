//! The model behind `ringkeeper plan`: how many servers of what kind a load needs, what breaks
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
//! - [`numeric`]: special functions, least squares; [`distribution`]: times on a grid, added, mixed
//!   and read at a quantile;
//! - [`queue`]: single queues, queues served in batches, the k-th answer of n;
//! - [`scalability`]: the universal scalability law, fitted.
//!
//! **Invariants**
//!
//! - Everything is a function of its arguments: equal inputs give equal results (guard:
//!   `planning/clippy.toml`).
//! - More customers never wait less (guard: `queue::bulk::tests::more_customers_take_longer`).
//!
//! **What is deliberately not here**: measuring (`tuning::probe` for a disk, `generator` for a
//! ramp), the command and its output (`server`), and any clock, file, socket or thread. Not
//! modelled: bursts (arrivals are Poisson), stalls of a device, elections, snapshots that share
//! the device, cost savings of a turn that handles many requests: costs come from a busy server.
//!
//! ```
//! use planning::queue::single::mm1;
//!
//! // A core that takes 8 us for a request, and gets 100,000 a second.
//! let wait = mm1(100_000.0, 8e-6)?;
//! assert!((wait.mean_s() - 32e-6).abs() < 1e-9);
//! # Ok::<(), planning::queue::Saturated>(())
//! ```

pub mod costs;
pub mod distribution;
pub mod error;
pub mod load;
pub mod numeric;
pub mod queue;
pub mod scalability;
#[cfg(test)]
mod tests;

pub use costs::{Costs, Curve, CurvePoint, Device};
pub use error::{FitError, InputError};
pub use load::{Layout, Load, OrderingCore};
