//! Ensembles in one thread: servers, disks, links, clients and faults, all drawn from a seed.
//!
//! There are two kinds of runs. In one, each server is the engine's own [`Zab`](engine::zab::Zab)
//! value over a history of hashes, and in a share of the seeds one or two of them follow with stock
//! ZooKeeper's habits instead. In the other, a quarter of the seeds, each server is a whole
//! [`Replica`](engine::replica::Replica) with its shards, and clients with sessions use them: they
//! write, read, watch, sync, move between servers, fall silent and close. What is simulated is the
//! world around them: a virtual clock, disks that lose what was not durable, links that carry the
//! packets' real bytes and break at the worst moment. Nothing reads a real clock, so a seed is a
//! whole run.
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
//!   [`whole`]: one with clients, and what those check of what they are answered;
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
//! - What clients of whole servers are answered is compared with the txns, never with a server's
//!   tree (guard: `whole::chronicle`, the only source of [`whole::client`]).
//!
//! **What is deliberately not here**: whether a txn is the right one for its request
//! (`engine::tests::plain` compares that). A history is a chain of hashes as well, so that two
//! servers' states at a zxid are equal exactly if their histories are.

pub mod checks;
pub mod disk;
pub mod faults;
pub mod network;
pub mod server;
pub mod stock;
pub mod whole;
pub mod world;

#[cfg(test)]
mod tests;

/// How a server is called by its place: 0 is the one with id 1.
pub type Place = usize;
