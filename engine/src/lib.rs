//! What a Ringkeeper server decides: a value machine without clock, file, socket or thread.
//!
//! Two roles share nothing but messages and published versions of the tree. The *ordering role*
//! puts every write into one history; a *shard* answers clients from its view of what was
//! published. Each can run on a core of its own, or both fused on one.
//!
//! Map, in reading order:
//!
//! - [`settings`]: what was decided at start, and the time passed in;
//! - [`message`], [`batch`]: what the roles send each other;
//! - [`shard`]: connections, order within a session, reads, watches, replies;
//! - [`replica`]: all that the server decides, as one value: events in, effects out;
//! - [`ordering`]: the history and the sessions; [`session`]: expiry and attachment;
//! - [`pipeline`]: what a write becomes, and what it does to the tree;
//! - [`tree`]: the copy-on-write tree and its versions; [`state`]: what they carry besides nodes;
//! - [`zab`]: agreement between servers; [`reconfigure`]: what a change of them becomes;
//!   [`in_log`]: txns on their way to a log;
//! - [`acl`], [`quota`]: who may do what, and how much of it;
//! - [`meter`]: what roles count; [`hash`], [`limits`].
//!
//! **Invariants**
//!
//! - Nothing here reads a clock, a file, a socket or the environment (guard: `clippy.toml`).
//! - `published <= durable` and `published <= sealed <= proposed` (guard: the assertions in
//!   `replica` and `ordering::publishing`).
//! - A session's reads and writes are answered in the order in which they arrived (guard:
//!   `tests::pipelines`, `tests::plain`).
//! - A published version never changes, and lives as long as it has a reader (guard:
//!   `tree::tests`).
//!
//! **What is deliberately not here**: bytes on disk (`log`, `snapshot`); framing (`net`); sockets
//! between servers, and where they are (`server::core_loop`).
//!
//! ```
//! use engine::quota::Track;
//! let limits = Track::parse(b"count=10,bytes=-1=;countHardLimit=10");
//! assert_eq!(limits.value("countHardLimit"), 10);
//! ```

pub mod acl;
pub mod batch;
pub mod hash;
pub mod in_log;
pub mod limits;
pub mod message;
pub mod meter;
pub mod ordering;
pub mod pipeline;
pub mod quota;
pub mod reconfigure;
pub mod replica;
pub mod session;
pub mod settings;
pub mod shard;
pub mod state;
pub mod tree;
pub mod zab;

#[cfg(test)]
mod tests;
