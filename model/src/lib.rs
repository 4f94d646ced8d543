//! The vocabulary of Ringkeeper: what clients send, what servers decide, and the bytes of both.
//!
//! Everything that crosses a boundary of the server (a request, a txn, an event, a node's record)
//! is a type of this crate, so that the crates on both sides need not see each other.
//!
//! Map, in reading order:
//!
//! - [`zxid`], [`session`], [`server`], [`path`], [`acl`], [`stat`], [`error`]: the nouns;
//! - [`op`]: every operation of the protocol, and which of them are writes;
//! - [`request`]: what a client sends; [`response`]: what it receives, events included;
//! - [`txn`]: what was decided, in ZooKeeper's own bytes;
//! - [`jute`]: the codec of all of these; [`record`]: the archived form of a node;
//! - [`peer`]: what servers say to each other; [`host`] and [`properties`]: texts as Java reads
//!   them;
//! - [`limits`]: every bound, with its arithmetic.
//!
//! **Invariants**
//!
//! - Decoding never allocates from an announced length and never panics: [`jute::JuteReader`] hands
//!   out borrowed slices or an error (guard: `tests::any_bytes_decode_or_fail`).
//! - An archived Stat is the wire's Stat, byte for byte (guard: the const assertions in `stat`).
//! - What `encode` writes, `decode` reads back equal (guard: `tests::txns::txns_survive`; [`peer`]
//!   names its own).
//!
//! **What is deliberately not here**: rules about what is allowed (`engine`), framing of packets
//! (`net`), files (`log`, `snapshot`).
//!
//! ```
//! use model::{jute, request::Request, op::Op};
//! let mut bytes = Vec::new();
//! jute::put_string(&mut bytes, b"/a");
//! jute::put_bool(&mut bytes, true);
//! let request = Request::decode(Op::Exists, &bytes).expect("well formed");
//! assert_eq!(request, Request::Exists { path: b"/a", watch: true });
//! ```

pub mod acl;
pub mod error;
pub mod host;
pub mod jute;
pub mod limits;
pub mod op;
pub mod path;
pub mod peer;
pub mod properties;
pub mod record;
pub mod request;
pub mod response;
pub mod server;
pub mod session;
pub mod stat;
pub mod txn;
pub mod zxid;

#[cfg(test)]
mod tests;
