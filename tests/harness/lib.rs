//! What a test needs to talk to a server from outside: a server process of its own and a raw
//! client.
//!
//! - [`server`]: starts a server on a free port with files of its own; kills, stops and restarts
//!   it.
//! - [`client`]: one blocking connection, every operation of the protocol, replies decoded to the
//!   last byte.
//! - [`wire`]: the few types on the wire, and their layout.
//! - [`code`], [`opcode`]: the numbers of the protocol.
//! - [`http`]: one exchange with the admin server or the page of metrics.
//!
//! **Invariants**
//!
//! - *Not circular*: nothing of the server's own codec is used here (guard: `tests/tidy.rs`, no
//!   dependency on another crate), so an error in the codec cannot be hidden by a matching one
//!   here.
//! - *Any server*: the server that the environment names is tested (see [`server`]), so every
//!   expectation can be checked against Apache `ZooKeeper` as well.
//! - *Strict*: a reply with a byte too many or too few, or out of order, fails the test that sent
//!   the request.
//!
//! **What is deliberately not here**: reconnecting, retries, callbacks. A test does one thing after
//! another.
//!
//! ```no_run
//! use harness::{Acl, Client, Server, code};
//! let server = Server::config().start();
//! let mut client = Client::connect(server.address());
//! client.create("/a", b"x", &Acl::open(), 0).expect("the name is free");
//! assert_eq!(client.create("/a", b"x", &Acl::open(), 0), Err(code::NODE_EXISTS));
//! ```

pub mod client;
pub mod code;
pub mod http;
pub mod opcode;
pub mod server;
pub mod wire;

pub use client::{Client, Handshake, Incoming, Op, OpResult, Reply, Watches, Welcome};
pub use server::{Config, Server, is_reference, own_command, reference_command};
pub use wire::{Acl, Body, Event, ReplyReader, Stat};
