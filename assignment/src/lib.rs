//! Which servers a client connects to, in which order: decided by its name, the same everywhere.
//!
//! Rendezvous hashing (highest random weight): every pair of server and client has a [`score()`],
//! a client's servers are ordered by it, and no pair depends on another one. So whoever knows the
//! names of the servers and of a client knows its order, without asking anyone, and a server that
//! joins or leaves moves only the clients that it gains or loses.
//!
//! Map, in reading order:
//!
//! - `score`: [`score()`], the hash; [`cost`], what it becomes by a weight;
//! - `server`: [`Server`], its [`Weight`] and its zone; what is refused of them;
//! - `order`: [`Assignment`], servers that are in order, and the order of a client's.
//!
//! The computation is part of the interface, and other languages repeat it (docs/balancing.md):
//!
//! 1. `score`: the first eight bytes of SHA-256 of `SERVER CLIENT` (UTF-8, one blank between), as
//!    a big-endian number;
//! 2. `cost`: `-log2(score / 2^64) / weight` in integers, exactly as [`cost`] computes it. Such
//!    numbers are exponentially distributed with rates in the ratio of the weights, so the smallest
//!    of several is a server's with the probability of its share of the weights;
//! 3. order: servers of the client's zone before others; the lower cost first; of equal costs the
//!    higher score; of equal scores the name, byte by byte. Without weights that is the order of
//!    scores, the highest first, and the second step is not needed.
//!
//! **Invariants**
//!
//! - An order is a permutation of the servers
//!   (guard: `tests::properties::an_order_is_a_permutation`).
//! - A server that joins or leaves changes no order of the others
//!   (guard: `tests::properties::a_server_that_joins_is_put_in_between`).
//! - A placement never changes between releases, and is the same in every language
//!   (guards: `tests::vectors`, `tests/operator/balancing.rs`).
//! - Clients are spread as the weights say (guard: `tests::shares`).
//!
//! **What is deliberately not here**: how servers and clients are named on a command line, and what
//! is printed (`server::route`); whether a client keeps to the order (its library decides); how
//! loaded a server is. The crate is one of its own because nothing that crosses a server's boundary
//! depends on it: `model` is that vocabulary, and has no rules.
//!
//! ```
//! use assignment::{Assignment, Server};
//! let servers = ["zk1:2181", "zk2:2181", "zk3:2181"].map(Server::new);
//! let assignment = Assignment::new(servers.into()).expect("three different names");
//! assert_eq!(assignment.order("client-7", None), Ok(vec![2, 1, 0]));
//! ```

mod order;
mod score;
mod server;

pub use order::{Assignment, EmptyClient};
pub use score::{cost, score};
pub use server::{Server, ServersError, Weight, WeightError};

#[cfg(test)]
mod tests;
