//! Ensembles in one thread: servers, disks, links, clients and faults, all drawn from a seed.
//!
//! Each server is the engine's own [`Zab`](engine::zab::Zab) value, and in a share of the seeds one
//! or two of them follow with stock ZooKeeper's habits instead; what is simulated is the world
//! around it: a virtual clock, disks that lose what was not durable, links that carry the packets'
//! real bytes and break at the worst moment. Nothing reads a real clock, so a seed is a whole run.
//!
//! Observers, whose promises and acknowledgements never count, may also lose their disk; in some
//! seeds two of them have one id.
//!
//! A run has two phases. With faults, only safety is asked for; then everything is healed, and a
//! connected quorum must serve within bounded virtual time.
//!
//! Map, in reading order:
//!
//! - [`world`]: the queue of what happens, and one run;
//! - [`server`]: a server: events in, effects performed; [`stock`]: one with stock's habits;
//! - [`disk`]: what a crash leaves; [`network`]: links and datagrams;
//! - [`faults`]: what goes wrong when; never more than a correct ensemble must survive;
//! - [`checks`]: what must hold, watched from outside.
//!
//! **Invariants**
//!
//! - One seed, one commit: one conversation (guard: `tests::a_seed_is_a_run`).
//! - Every planted fault is found (guards: `tests::plants_are_found`,
//!   `tests::every_plant_is_looked_for`).
//!
//! **What is deliberately not here**: what txns mean; a history is a chain of hashes, so that two
//! servers' states at a zxid are equal exactly if their histories are.

pub mod checks;
pub mod disk;
pub mod faults;
pub mod network;
pub mod server;
pub mod stock;
pub mod world;

#[cfg(test)]
mod tests;

/// How a server is called by its place: 0 is the one with id 1.
pub type Place = usize;
