//! What a client receives.

use crate::error::ErrorCode;
use crate::jute;
use crate::session::{Password, SessionId};
use crate::zxid::Zxid;

/// Special xids, which no client gives to a request of its own.
pub mod xid {
    /// An event.
    pub const EVENT: i32 = -1;
    /// A ping and its reply.
    pub const PING: i32 = -2;
    /// Credentials.
    pub const AUTH: i32 = -4;
    /// Watches set after a reconnect.
    pub const SET_WATCHES: i32 = -8;
}

/// Bytes of a reply's header on the wire, the packet's length before it included.
pub const REPLY_HEADER_BYTES: usize = 4 + 16;

/// Appends the header of a reply and leaves its length open; [`end_packet`] closes it. Returns the
/// offset at which the packet starts.
#[inline]
pub fn begin_reply(out: &mut Vec<u8>, xid: i32, zxid: Zxid, error: ErrorCode) -> usize {
    let start = out.len();
    let mut header = [0; REPLY_HEADER_BYTES];
    header[4..8].copy_from_slice(&xid.to_be_bytes());
    header[8..16].copy_from_slice(&zxid.0.to_be_bytes());
    header[16..20].copy_from_slice(&error.code().to_be_bytes());
    out.extend_from_slice(&header);
    start
}

/// Closes the packet that starts at `start`: writes its length.
#[inline]
pub fn end_packet(out: &mut [u8], start: usize) {
    let length = i32::try_from(out.len() - start - 4).expect("packets are shorter than 2 GiB");
    jute::patch_int(out, start, length);
}

/// Appends a whole reply whose body is known.
#[inline]
pub fn put_reply(out: &mut Vec<u8>, xid: i32, zxid: Zxid, error: ErrorCode, body: &[u8]) {
    let start = begin_reply(out, xid, zxid, error);
    out.extend_from_slice(body);
    end_packet(out, start);
}

/// What happened to a watched node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum EventKind {
    /// It exists now.
    Created = 1,
    /// It no longer exists.
    Deleted = 2,
    /// It has other data.
    DataChanged = 3,
    /// It has other children.
    ChildrenChanged = 4,
}

/// Appends an event. `zxid` is that of the txn, or -1 where no single txn is known.
pub fn put_event(out: &mut Vec<u8>, kind: EventKind, zxid: Zxid, path: &[u8]) {
    const CONNECTED: i32 = 3;
    let start = begin_reply(out, xid::EVENT, zxid, ErrorCode::Ok);
    jute::put_int(out, kind as i32);
    jute::put_int(out, CONNECTED);
    jute::put_string(out, path);
    end_packet(out, start);
}

/// The answer to a connect request; a session that does not exist is answered with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Granted, in ms; 0 if the session does not exist.
    pub timeout_ms: i32,
    /// The session.
    pub session_id: SessionId,
    /// For attaching to it later.
    pub password: Password,
    /// Whether the server is a read-only one; `None` to a client that has not sent this byte, and
    /// expects none.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// Appends it as a packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        jute::put_int(out, 0);
        jute::put_int(out, 0);
        jute::put_int(out, self.timeout_ms);
        jute::put_long(out, self.session_id.0);
        jute::put_string(out, &self.password);
        if let Some(is_read_only) = self.read_only {
            jute::put_bool(out, is_read_only);
        }
        end_packet(out, start);
    }
}

/// Appends the header that precedes each result of a multi.
pub fn put_multi_header(out: &mut Vec<u8>, op: i32, done: bool, error: i32) {
    jute::put_int(out, op);
    jute::put_bool(out, done);
    jute::put_int(out, error);
}

/// Appends the result of an operation of a multi that failed or was not attempted.
pub fn put_multi_error(out: &mut Vec<u8>, error: ErrorCode) {
    put_multi_header(out, -1, false, error.code());
    jute::put_int(out, error.code());
}

/// Appends what follows the last result of a multi.
pub fn put_multi_end(out: &mut Vec<u8>) {
    put_multi_header(out, -1, true, -1);
}
