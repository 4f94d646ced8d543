//! Measures the disk through the write path of the log, and what the machine's own steps cost.
//!
//! - [`disk`]: durable writes by size, writes in flight and way of becoming durable; sustained
//!   writes; reads beside writes;
//! - `writer`: the writes of one kind;
//! - [`costs`]: a clock read, a system call, a wake of another thread;
//! - [`Verdict`]: what the figures mean for the log;
//! - `peer`: the way between two servers;
//! - `file`: the file that is written, which has no name and so never stays behind.
//!
//! Points of one length are measured in turns, so that a disk that is faster for a while is so for
//! all of them, and several times until the spread of their medians is small; a point whose spread
//! stays large says so ([`Point::is_steady`]).
//!
//! The clock is read here, since time is what is measured.

pub mod costs;
pub mod disk;
mod file;
mod peer;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod typical;
mod verdict;
mod writer;

pub use costs::Costs;
pub use disk::{DiskReport, Effort, Point, Reads, Sustained, measure};
pub use file::ProbeError;
pub use peer::{PeerError, PeerReport, answer, listen, measure_peer};
pub(crate) use verdict::PROTECTED_US;
pub use verdict::Verdict;
