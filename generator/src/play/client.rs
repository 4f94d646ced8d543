//! One connection with its session, like a client library: it reattaches when disconnected.

use std::collections::VecDeque;
use std::mem;
use std::net::TcpStream;

use model::jute;
use model::op::Op;
use model::response::{end_packet, xid};

use super::flow::Task;
use crate::limits::REPLY_BYTES_MAX;
use crate::outgoing::Outgoing;
use crate::wire::{self, SessionKey};

/// How far a client is in attaching to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attachment {
    /// It has no connection; the next attempt is due at this time.
    Down { retry_ns: u64 },
    /// The connect request was sent at this time.
    Attaching { since_ns: u64 },
    /// Requests are answered.
    Ready,
    /// The end of the session was requested.
    Closing,
    /// The only session of this client has ended.
    Gone,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) xid: i32,
    pub(super) op: Op,
    pub(super) sent_ns: u64,
    pub(super) task: Task,
}

/// A reply with its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) zxid: i64,
    pub(super) error: i32,
    pub(super) body: &'a [u8],
}

/// What a session with its own connection does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// The client whose operation it is.
    pub(super) owner: usize,
    pub(super) op: usize,
    pub(super) due_ns: u64,
}

/// Lives in: the player.
pub(super) struct Client {
    pub(super) stream: Option<TcpStream>,
    /// The one that it is connected to, or was last.
    pub(super) server: Option<usize>,
    /// Of the connection: completions of earlier ones are ignored.
    pub(super) generation: u32,
    pub(super) attachment: Attachment,
    pub(super) session: SessionKey,
    pub(super) last_zxid: i64,
    next_xid: i32,
    pub(super) waiting: VecDeque<Waiting>,
    /// Operations that are due but not begun, and when they were due.
    pub(super) backlog: VecDeque<(usize, u64)>,
    /// Operations begun and not ended.
    pub(super) begun_count: usize,
    /// Operations that wait for the deletion of a node.
    pub(super) parked: Vec<(Vec<u8>, Task)>,
    /// Numbers of nodes that it has created and not deleted.
    pub(super) made: VecDeque<u64>,
    pub(super) made_next: u64,
    pub(super) visit: Option<Visit>,
    /// When the last connection was lost or abandoned.
    pub(super) cut_ns: Option<u64>,
    pub(super) last_sent_ns: u64,
    pub(super) is_silent: bool,
    pub(super) is_vacant: bool,
    input: Vec<u8>,
    pub(super) outgoing: Outgoing,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            stream: None,
            server: None,
            generation: 0,
            attachment: Attachment::Down { retry_ns: 0 },
            session: SessionKey::none(),
            last_zxid: 0,
            next_xid: 1,
            waiting: VecDeque::new(),
            backlog: VecDeque::new(),
            begun_count: 0,
            parked: Vec::new(),
            made: VecDeque::new(),
            made_next: 0,
            visit: None,
            cut_ns: None,
            last_sent_ns: 0,
            is_silent: false,
            is_vacant: false,
            input: Vec::new(),
            outgoing: Outgoing::default(),
        }
    }

    /// Puts a request: its header, and what `encode` writes.
    pub(super) fn request(
        &mut self,
        op: Op,
        task: Task,
        now_ns: u64,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let xid = match op {
            Op::Ping => xid::PING,
            Op::Auth => xid::AUTH,
            Op::SetWatches2 => xid::SET_WATCHES,
            _ => {
                let xid = self.next_xid;
                self.next_xid = xid.checked_add(1).unwrap_or(1);
                xid
            }
        };
        let out = self.outgoing.pending();
        let start = out.len();
        jute::put_int(out, 0);
        jute::put_int(out, xid);
        jute::put_int(out, op.code());
        encode(out);
        end_packet(out, start);
        self.last_sent_ns = now_ns;
        self.waiting.push_back(Waiting { xid, op, sent_ns: now_ns, task });
    }

    /// Puts the connect request, for the session that it has, or for a new one.
    pub(super) fn put_connect(&mut self, timeout_ms: i32) {
        wire::put_connect(self.outgoing.pending(), self.last_zxid, timeout_ms, &self.session);
    }

    /// The next connect request requests a new session, which has seen nothing.
    pub(super) fn forget_session(&mut self) {
        self.session = SessionKey::none();
        self.last_zxid = 0;
    }

    /// Forgets the connection; returns it and the tasks in flight.
    pub(super) fn cut(&mut self) -> (Option<TcpStream>, Vec<Task>) {
        self.generation = self.generation.wrapping_add(1);
        self.input.clear();
        self.outgoing.cut();
        self.is_silent = false;
        let parked = self.parked.drain(..).map(|(_, task)| task);
        let tasks = self.waiting.drain(..).map(|waiting| waiting.task).chain(parked).collect();
        (self.stream.take(), tasks)
    }

    /// Appends bytes that are not a whole frame yet.
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The whole input, to be returned by [`Self::put_input`] when its frames were handled.
    pub(super) fn take_input(&mut self) -> Vec<u8> {
        mem::take(&mut self.input)
    }

    /// Returns the input without its first `used` bytes.
    pub(super) fn put_input(&mut self, mut input: Vec<u8>, used: usize) {
        input.drain(..used);
        self.input = input;
    }
}

/// The first frame of `bytes` without its length, `None` if it is incomplete.
///
/// # Errors
/// An impossible length.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<&[u8]>, i32> {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*head);
    if !(0..=REPLY_BYTES_MAX as i32).contains(&length) {
        return Err(length);
    }
    Ok(bytes.get(4..4 + length as usize))
}
