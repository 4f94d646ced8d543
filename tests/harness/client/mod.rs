//! One blocking connection to a server, and every operation of the protocol.
//!
//! `handshake` opens a connection and attaches to sessions, `exchange` transfers frames, requests,
//! replies and events. The operations build on it: `session` and `node` single ones, `multi`
//! several at once, `watch` those that cause events.
//!
//! Invariant: replies come in the order of their requests, as `try_reply` asserts; events between
//! them are kept, in order, until the test reads them.

mod exchange;
mod handshake;
mod multi;
mod node;
mod session;
mod watch;

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub use self::exchange::{Incoming, Reply, decode_reply, frame, read_frame, request};
pub use self::handshake::{Handshake, Welcome};
pub use self::multi::{Op, OpResult, multi_body, multi_results};
pub use self::node::create_body;
pub use self::watch::Watches;
use crate::wire::Event;

/// After this time an answer is missing, not late.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A connection with a session.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    address: SocketAddr,
    welcome: Welcome,
    next_xid: i32,
    zxid: i64,
    events: VecDeque<Event>,
}
