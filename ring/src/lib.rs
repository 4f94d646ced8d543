//! The one loop: a bare `io_uring` owned by one thread, with its sleeping and waking.
//!
//! A thread makes a [`Ring`], queues operations on its [`Queue`], calls [`Ring::turn`] or
//! [`Ring::sleep`] (one system call), and receives [`Completion`]s. Nothing here is `unsafe` to
//! call: what the kernel reads or writes is owned by the ring until the completion returns it.
//!
//! The map: `config` (what is requested, what was granted), `setup` (degrading flag by flag),
//! `ring` (the turn), `queue` (operations), `reap` (completions), `slots` (what is in flight),
//! `buffers` (the provided receive buffers), `wake` (asleep and awake), `stable` (buffers of file
//! writes).
//!
//! **Invariants**
//! - Every operation has exactly one last completion, cancelled or not; its memory lives until
//!   then. A ring dropped earlier waits for the kernel, or leaks (`tests::dropping`).
//! - A turn is at most one `io_uring_enter`, plus one each time the submission queue is full.
//! - A wake-up is never lost: a waker either clears `asleep`, or the sleeper sees what was
//!   published before `wake` (`tests::waking`).
//! - Steady state allocates nothing: slots, batches and receive buffers are reused.
//!
//! **What is deliberately not here**: clocks and timers (the caller owns deadlines and gives a
//! timeout), framing, connections, queues between threads, a poll thread of the kernel
//! (`SQPOLL`), reads of files.
//!
//! Descriptors handed to operations must be blocking ones (`O_NONBLOCK` turns a wait into
//! `EAGAIN`), must stay open until their operations have completed, and are closed with
//! [`Queue::close`], which cancels first.
//!
//! ```no_run
//! use ring::{Completion, Ring, RingConfig, Token, Wait};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = std::net::TcpListener::bind("127.0.0.1:2181")?;
//! let mut ring = Ring::new(&RingConfig::default())?;
//! ring.queue().accept_multishot(&listener, Token(0));
//! loop {
//!     ring.sleep(Wait::Forever, || false)?;
//!     ring.completions(|queue, completion| {
//!         if let Completion::Accepted { fd, .. } = completion {
//!             queue.close(fd);
//!         }
//!     });
//! }
//! # }
//! ```

mod buffers;
mod config;
mod error;
pub mod limits;
mod queue;
mod reap;
mod ring;
mod setup;
mod slots;
mod stable;
#[cfg(test)]
mod tests;
mod wake;

pub use config::{Features, FlagsMax, RingConfig};
pub use error::RingError;
pub use nix::errno::Errno;
pub use queue::Queue;
pub use reap::Completion;
pub use ring::{Counters, Ring, Wait};
pub use slots::{OpId, Token};
pub use stable::StableBuf;
pub use wake::Waker;
