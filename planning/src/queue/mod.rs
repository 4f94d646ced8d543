//! Queues by themselves: what waits, given how much comes and how long each takes.
//!
//! Arrivals are Poisson: many clients that do not know of each other.

pub mod bulk;
pub mod order;
pub mod single;

use thiserror::Error;

/// More work arrives than can be done.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("the utilisation is {utilisation:.3}: a queue with 1 or more grows without bound")]
pub struct Saturated {
    /// Work that arrives by work that can be done.
    pub utilisation: f64,
}
