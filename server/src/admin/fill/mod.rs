//! Reports of the engine's own types: what a core loop calls with an inquiry from its inbox.
//!
//! What the engine does not know comes in with the call: what sockets have not sent, what the
//! loop and the log have counted, whether clients are served.

mod ordering;
mod shard;
#[cfg(test)]
mod tests;

pub use ordering::{Standing, ordering};
pub use shard::shard;
