//! Examines the machine, decides, explains.
//!
//! Everything that the server does because of the machine it runs on is decided here, from values
//! that a test can construct, and every decision comes with a sentence that explains it.
//!
//! Map, in reading order:
//!
//! - [`topology`]: the hardware: packages, memory nodes, cores, processors, shared caches, and the
//!   limits that were set for this process;
//! - [`placement`]: the decisions: which roles share a core loop, where each loop is pinned, which
//!   may spin;
//! - [`probe`]: the disk and the machine's own steps, measured;
//! - [`profile`]: the numbers that differ from machine to machine, each with its reason;
//! - [`drawing`]: the machine with the roles in it, as text and as a picture;
//! - [`host`]: what is wrong with the machine's settings, why it matters, how to fix it;
//! - [`tuner`]: every setting that matters, with the value that is advised on this machine.
//!
//! **Invariants**
//!
//! - Every role is hosted by exactly one core loop, no two loops are pinned to one core, and a loop
//!   spins only on a core of its own (guard: `placement::tests::invariants_hold_everywhere`).
//! - Deciding reads nothing: [`placement::placement`], [`host::check`] and [`tuner::settings`] are
//!   functions of their arguments.
//! - hwloc is named in `topology::discover` alone (guard: `tests/tidy.rs`).
//!
//! **What is deliberately not here**: creating and pinning threads (`server`), changing the
//! machine: a finding says how to fix it, the operator does it. The exceptions are
//! [`host::raise_soft_limit`], which a process may do for itself, and [`Kernel::write`], which
//! writes one setting when the operator says so.
//!
//! ```
//! use tuning::{Topology, PlacementOptions, placement::placement};
//!
//! // Eight cores on one socket, none of them limited.
//! let placed = placement(&Topology::uniform(1, 8, 1), &PlacementOptions::default());
//! assert_eq!(placed.shard_count(), 6);
//! assert_eq!(placed.background_cpus, [0]);
//! for reason in &placed.reasons {
//!     assert!(reason.ends_with('.'));
//! }
//! ```

pub mod drawing;
pub mod host;
pub mod placement;
pub mod probe;
pub mod profile;
pub mod topology;
pub mod tuner;

pub use host::{Finding, Severity};
pub use placement::{CoreLoop, Placement, PlacementOptions, Role};
pub use topology::{Core, Device, DeviceKind, Kernel, Source, Topology, TopologyError};
