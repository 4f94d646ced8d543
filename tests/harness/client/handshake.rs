//! Opening a connection: a new session, or an existing one.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use super::exchange::{frame, read_frame};
use super::{ANSWER_MAX, Client};
use crate::wire::{Body, ReplyReader};

/// What a client opens a connection with.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Always 0 so far.
    pub protocol_version: i32,
    /// The newest zxid this client has seen.
    pub last_zxid_seen: i64,
    /// The requested timeout; the server decides.
    pub timeout_ms: i32,
    /// 0 requests a new session.
    pub session_id: i64,
    /// 16 bytes.
    pub password: Vec<u8>,
    /// `None` is a client from before read-only servers: the byte is not sent.
    pub read_only: Option<bool>,
}

impl Default for Handshake {
    fn default() -> Self {
        Self {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 20_000,
            session_id: 0,
            password: vec![0; 16],
            read_only: Some(false),
        }
    }
}

impl Handshake {
    /// The connect request, without its length.
    pub fn encode(&self) -> Vec<u8> {
        let body = Body::new()
            .int(self.protocol_version)
            .long(self.last_zxid_seen)
            .int(self.timeout_ms)
            .long(self.session_id)
            .buffer(self.password.as_slice());
        match self.read_only {
            None => body.0,
            Some(value) => body.boolean(value).0,
        }
    }
}

/// What the server answers to a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Always 0 so far.
    pub protocol_version: i32,
    /// What the server grants; 0 refuses the session.
    pub timeout_ms: i32,
    /// The session, 0 if refused.
    pub session_id: i64,
    /// 16 bytes, zeros if refused.
    pub password: Vec<u8>,
    /// `None` if the byte was not sent.
    pub read_only: Option<bool>,
}

impl Client {
    /// A new session.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn connect(address: SocketAddr) -> Self {
        let client = Self::open(address, &Handshake::default()).expect("server answers");
        assert_ne!(client.session_id(), 0, "session is refused");
        client
    }

    /// Shakes hands; `None` if the server closes instead of answering. A refused session is a
    /// client whose [`Self::session_id`] is 0.
    pub fn open(address: SocketAddr, handshake: &Handshake) -> Option<Self> {
        Self::shake_hands(TcpStream::connect(address).expect("server listens"), address, handshake)
    }

    /// Like [`Self::open`]; `None` also if no server listens.
    pub fn try_open(address: SocketAddr, handshake: &Handshake) -> Option<Self> {
        Self::shake_hands(TcpStream::connect(address).ok()?, address, handshake)
    }

    fn shake_hands(
        mut stream: TcpStream,
        address: SocketAddr,
        handshake: &Handshake,
    ) -> Option<Self> {
        stream.set_nodelay(true).expect("own socket");
        stream.set_read_timeout(Some(ANSWER_MAX)).expect("own socket");
        let bytes = handshake.encode();
        stream.write_all(&frame(&bytes)).ok()?;
        let answer = read_frame(&mut stream)?;
        let mut r = ReplyReader::new(&answer);
        let welcome = Welcome {
            protocol_version: r.int(),
            timeout_ms: r.int(),
            session_id: r.long(),
            password: r.buffer().expect("a password"),
            read_only: if r.is_finished() { None } else { Some(r.boolean()) },
        };
        r.finish();
        Some(Self { stream, address, welcome, next_xid: 1, zxid: 0, events: VecDeque::new() })
    }

    /// The handshake that attaches to this client's session again.
    pub fn reattach(&self) -> Handshake {
        Handshake {
            session_id: self.welcome.session_id,
            password: self.welcome.password.clone(),
            last_zxid_seen: self.zxid,
            ..Handshake::default()
        }
    }

    /// Numbers its requests behind those of an earlier connection of the same session, as clients
    /// do.
    pub fn count_on_from(&mut self, earlier: &Self) {
        self.next_xid = self.next_xid.max(earlier.next_xid);
    }

    /// Attaches to this client's session with a new connection, leaving the old one open.
    #[must_use]
    pub fn reconnect(&self) -> Self {
        let client = Self::open(self.address, &self.reattach()).expect("server answers");
        assert_eq!(client.session_id(), self.session_id(), "session is refused");
        client
    }

    /// What the server answered to the handshake.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The session.
    pub fn session_id(&self) -> i64 {
        self.welcome.session_id
    }

    /// The newest zxid of all replies so far.
    pub fn zxid(&self) -> i64 {
        self.zxid
    }
}
