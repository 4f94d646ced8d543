//! Framing and sockets of clients.
//!
//! A connection is bytes in and bytes out; this crate says where a request begins and ends, keeps
//! what is incomplete or unsent, and knows the socket options. It makes no system call but in
//! `listener`, and knows nothing of what a frame means.
//!
//! The map: `listener` (bind, options, peer address), `client::inbox` (received bytes to frames),
//! `client::word` (four-letter words), `client::outbox` (replies to one send at a time).
//!
//! **Invariants**
//! - A frame that lies whole in what was received is never copied; memory held for an incomplete
//!   one follows the bytes received, not the length announced (`client::inbox::tests`).
//! - At most one send of a connection is in flight; bytes leave in the order they were put in
//!   (`client::outbox::tests`).
//! - An idle connection holds no buffer (both).
//!
//! **What is deliberately not here**: the ring (the caller feeds slices and sends buffers),
//! decoding, sessions, limits on the number of connections, frames between servers.
//!
//! ```
//! use net::client::{Fed, Flow, Inbox, Outbox, SendBuffers};
//! let mut inbox = Inbox::new(1_048_575);
//! let (mut outbox, mut buffers) = (Outbox::new(), SendBuffers::new());
//! let received = [0, 0, 0, 2, b'h', b'i', 0, 0];
//! let fed = inbox.feed(&received, |frame| {
//!     outbox.pending(&mut buffers).extend_from_slice(frame);
//!     Flow::Continue
//! });
//! assert_eq!(fed, Ok(Fed::All));
//! assert_eq!(outbox.take_for_send(), Some(b"hi".to_vec()));
//! ```

#![forbid(unsafe_code)]

pub mod client;
pub mod limits;
pub mod listener;
