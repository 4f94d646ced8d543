//! Benchmarks of Ringkeeper: the cost of its parts, and the limits that it is compared with.
//!
//! `benches/`: `jute` (codec), `record` (one node), `tree`, `watch` (the table of watches),
//! `publish` (a request through the engine), `log_append`, `snapshot`; each head gives its target.
//! `src/bin/bare.rs`: servers without a tree. `compare/`: the comparison with ZooKeeper.
//!
//! **Invariants**
//!
//! - Nothing depends on this crate (guard: `tests/tidy.rs`).
//!
//! **What is deliberately not here**: pass or fail by time; people read the figures.
//!
//! ```text
//! make bench BENCH=publish
//! benches/compare/run.sh rows
//! ```

use criterion::Criterion;
use std::time::Duration;

/// Short rounds, for what takes less than a millisecond.
pub fn short_rounds() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
}
