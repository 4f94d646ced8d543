//! Framing and sockets of clients.
//!
//! A connection is bytes in and bytes out; this crate says where a request begins and ends, keeps
//! what is incomplete, and knows the socket options. It makes no system call but in `listener` and
//! `outgoing`, and knows nothing of what a frame means.
//!
//! The map: `listener` (bind, options, peer address), `outgoing` (sockets that this server
//! connects), `client::decoder` (received bytes to frames), `client::word` (four-letter words).
//!
//! **Invariants**
//! - A frame that lies whole in what was received is never copied; memory held for an incomplete
//!   one follows the bytes received, not the length announced (`client::decoder::tests`).
//! - An idle connection holds no buffer (`client::decoder::tests`).
//!
//! **What is deliberately not here**: the ring (the caller feeds slices and sends buffers),
//! decoding, sessions, limits on the number of connections, frames between servers.
//!
//! ```
//! use net::client::{Fed, Flow, FrameDecoder};
//! let mut decoder = FrameDecoder::new(1_048_575);
//! let mut frames = Vec::new();
//! let received = [0, 0, 0, 2, b'h', b'i', 0, 0];
//! let fed = decoder.feed(&received, |frame| {
//!     frames.push(frame.to_vec());
//!     Flow::Continue
//! });
//! assert_eq!(fed, Ok(Fed::All));
//! assert_eq!(frames, [b"hi"]);
//! ```

#![forbid(unsafe_code)]

pub mod client;
pub mod limits;
pub mod listener;
pub mod outgoing;
