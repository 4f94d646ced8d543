//! One connection with its session, as a client library keeps it: it attaches again when cut.

use std::collections::VecDeque;
use std::mem;
use std::net::TcpStream;

use model::jute;
use model::op::Op;
use model::response::{end_packet, xid};

use super::flow::Task;
use crate::limits::REPLY_BYTES_MAX;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is none; the next attempt is due at this time.
    Down { retry_ns: u64 },
    /// The connect request is on its way since then.
    Attaching { since_ns: u64 },
    /// Requests are answered.
    Ready,
    /// The session's end was asked for.
    Closing,
    /// There was one, for one session, and there will not be another.
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

/// A reply, its body whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) zxid: i64,
    pub(super) error: i32,
    pub(super) body: &'a [u8],
}

/// What a session does that has a connection of its own.
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
    /// Of the connection: completions of earlier ones are not heard.
    pub(super) generation: u32,
    pub(super) state: State,
    pub(super) session_id: i64,
    pub(super) password: Vec<u8>,
    pub(super) last_zxid: i64,
    next_xid: i32,
    pub(super) waiting: VecDeque<Waiting>,
    /// Operations that are due, and when, but not begun.
    pub(super) backlog: VecDeque<(usize, u64)>,
    /// Begun and not ended.
    pub(super) open_count: usize,
    /// Wait for the deletion of a node.
    pub(super) parked: Vec<(Vec<u8>, Task)>,
    /// Numbers of nodes that it has made and not deleted.
    pub(super) made: VecDeque<u64>,
    pub(super) made_next: u64,
    pub(super) visit: Option<Visit>,
    /// When the last connection was lost or given up.
    pub(super) cut_ns: Option<u64>,
    pub(super) last_sent_ns: u64,
    pub(super) is_silent: bool,
    pub(super) is_hungry: bool,
    input: Vec<u8>,
    pending: Vec<u8>,
    spare: Vec<u8>,
    pub(super) is_sending: bool,
    pub(super) is_dirty: bool,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            stream: None,
            generation: 0,
            state: State::Down { retry_ns: 0 },
            session_id: 0,
            password: vec![0; 16],
            last_zxid: 0,
            next_xid: 1,
            waiting: VecDeque::new(),
            backlog: VecDeque::new(),
            open_count: 0,
            parked: Vec::new(),
            made: VecDeque::new(),
            made_next: 0,
            visit: None,
            cut_ns: None,
            last_sent_ns: 0,
            is_silent: false,
            is_hungry: false,
            input: Vec::new(),
            pending: Vec::new(),
            spare: Vec::new(),
            is_sending: false,
            is_dirty: false,
        }
    }

    /// Puts a request: its header, and what `encode` says.
    pub(super) fn ask(
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
        let start = self.pending.len();
        jute::put_int(&mut self.pending, 0);
        jute::put_int(&mut self.pending, xid);
        jute::put_int(&mut self.pending, op.code());
        encode(&mut self.pending);
        end_packet(&mut self.pending, start);
        self.last_sent_ns = now_ns;
        self.waiting.push_back(Waiting { xid, op, sent_ns: now_ns, task });
    }

    /// Puts the connect request, for the session that it has, or for a new one.
    pub(super) fn put_connect(&mut self, timeout_ms: i32) {
        let out = &mut self.pending;
        let start = out.len();
        jute::put_int(out, 0);
        jute::put_int(out, 0);
        jute::put_long(out, self.last_zxid);
        jute::put_int(out, timeout_ms);
        jute::put_long(out, self.session_id);
        jute::put_string(out, &self.password);
        jute::put_bool(out, false);
        end_packet(out, start);
    }

    /// The next connect request asks for a new session.
    pub(super) fn forget_session(&mut self) {
        self.session_id = 0;
        self.password = vec![0; 16];
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What is to be sent now, if anything is and no send is in flight.
    pub(super) fn take_for_send(&mut self) -> Option<Vec<u8>> {
        if self.is_sending || self.pending.is_empty() || self.stream.is_none() {
            return None;
        }
        self.is_sending = true;
        Some(mem::replace(&mut self.pending, mem::take(&mut self.spare)))
    }

    /// A send of the connection has ended.
    pub(super) fn sent(&mut self, buffer: Vec<u8>) {
        self.is_sending = false;
        self.spare = buffer;
    }

    /// Forgets the connection; gives it, and what it was waiting for.
    pub(super) fn cut(&mut self) -> (Option<TcpStream>, Vec<Task>) {
        self.generation = self.generation.wrapping_add(1);
        self.input.clear();
        self.pending.clear();
        self.is_sending = false;
        self.is_silent = false;
        let parked = self.parked.drain(..).map(|(_, task)| task);
        let tasks = self.waiting.drain(..).map(|waiting| waiting.task).chain(parked).collect();
        (self.stream.take(), tasks)
    }

    /// Takes bytes in; [`Self::take_frame`] gives the frames.
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The whole input, to be given back by [`Self::put_input`] when its frames were looked at.
    pub(super) fn take_input(&mut self) -> Vec<u8> {
        mem::take(&mut self.input)
    }

    /// Gives the input back without its first `used` bytes.
    pub(super) fn put_input(&mut self, mut input: Vec<u8>, used: usize) {
        input.drain(..used);
        self.input = input;
    }
}

/// The first frame of `bytes` without its length, `None` if it is not whole.
///
/// # Errors
/// A length that no frame has.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<&[u8]>, i32> {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*head);
    if !(0..=REPLY_BYTES_MAX as i32).contains(&length) {
        return Err(length);
    }
    Ok(bytes.get(4..4 + length as usize))
}
