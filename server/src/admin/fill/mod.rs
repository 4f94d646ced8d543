//! Fills reports from the engine's own types: a core loop calls this with an inquiry from its
//! inbox.
//!
//! What the engine does not know is passed with the call: output not sent yet, the counters of the
//! loop and the log, whether clients are served.

mod ordering;
mod shard;
#[cfg(test)]
mod tests;

pub use ordering::{Standing, ordering};
pub use shard::{OfLoop, shard};
