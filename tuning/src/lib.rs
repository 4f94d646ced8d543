//! Know the machine, decide, explain.
//!
//! Whatever the server does because of the machine it runs on is decided here, from values that a
//! test can make by hand, and every decision comes with the sentence that explains it.
//!
//! The map, in the order of thought:
//!
//! - [`topology`]: what there is: packages, nodes of memory, cores, processors, shared caches, and
//!   the limits that were set for this process;
//! - [`placement`]: what follows: which roles share a core loop, where each loop is pinned, which
//!   may spin;
//! - [`host`]: what is wrong with the machine's settings, why it matters, how to mend it.
//!
//! **Invariants**
//!
//! - Every role is hosted by exactly one core loop, no two loops are pinned to one core, and a loop
//!   spins only on a core of its own (guard: `placement::tests::invariants_hold_everywhere`).
//! - Deciding reads nothing: [`placement::placement`] and [`host::check`] are functions of their
//!   arguments.
//! - hwloc is named in `topology::discover` alone (guard: `tests/tidy.rs`).
//!
//! **What is deliberately not here**: measuring devices, making and pinning threads (`server`),
//! changing the machine: a finding says how to mend, the operator does it. The one exception is
//! [`host::raise_soft_limit`], which a process may do for itself.
//!
//! ```
//! use tuning::{Topology, Wishes, placement::placement};
//!
//! // Eight cores on one socket, none of them limited.
//! let placed = placement(&Topology::uniform(1, 8, 1), &Wishes::default());
//! assert_eq!(placed.shard_count(), 6);
//! assert_eq!(placed.background_cpus, [0]);
//! for reason in &placed.reasons {
//!     assert!(reason.ends_with('.'));
//! }
//! ```

pub mod host;
pub mod placement;
pub mod topology;

pub use host::{Finding, Severity};
pub use placement::{CoreLoop, Placement, Role, Wishes};
pub use topology::{Core, Topology, TopologyError};
