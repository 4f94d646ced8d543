//! One client's connection, as its shard knows it.

use super::long::Progress;
use super::spare::SpareBuffers;
use crate::acl::identity::Identities;
use crate::limits::TURN_REQUESTS_MAX;
use model::error::ErrorCode;
use model::op::Op;
use model::session::SessionId;
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not said connect.
    Opening,
    /// It waits for its session.
    Connecting,
    /// It has a session.
    Established,
    /// It has asked for the end of its session; what else it says is not heard.
    Closing,
}

/// How much of what a client says is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Requests are taken.
    Open,
    /// Its last request was taken. The end stands behind all that is not answered yet, with what is
    /// said then.
    Over(Option<Farewell>),
    /// The end's turn has come: to be closed once its replies have left.
    Ended,
}

/// The last reply to a client whose connection its server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The number of the request that brought the end.
    pub xid: i32,
    /// As stock has it for this error.
    pub zxid: Zxid,
    /// Why.
    pub error: ErrorCode,
}

/// A request that waits on the shard for its session's earlier ones.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) xid: i32,
    pub(super) op: Op,
    pub(super) body: Box<[u8]>,
    pub(super) large_bytes: u64,
    pub(super) received_ms: u64,
}

/// What the word `cons` shows of a connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionCounts {
    /// Packets from it.
    pub received: u64,
    /// Packets to it.
    pub sent: u64,
    /// Its last request.
    pub last_op: Option<Op>,
    /// The last request's number.
    pub last_cxid: i64,
    /// The last zxid it was told.
    pub last_zxid: Zxid,
    /// When it was last answered, in ms of the monotonic clock.
    pub last_response_ms: u64,
    /// How long the last answer took, in ms.
    pub last_latency_ms: u64,
    /// The shortest answer, in ms.
    pub latency_ms_min: u64,
    /// The longest answer, in ms.
    pub latency_ms_max: u64,
    /// All answers together, in ms.
    pub latency_ms_sum: u64,
    /// Count of answers in that sum.
    pub answered: u64,
    /// When it was accepted, in ms of the wall clock.
    pub established_ms: i64,
}

impl ConnectionCounts {
    pub(super) fn new(established_ms: i64) -> Self {
        Self {
            received: 0,
            sent: 0,
            last_op: None,
            last_cxid: -1,
            last_zxid: Zxid(-1),
            last_response_ms: 0,
            last_latency_ms: 0,
            latency_ms_min: u64::MAX,
            latency_ms_max: 0,
            latency_ms_sum: 0,
            answered: 0,
            established_ms,
        }
    }

    pub(super) fn answered(&mut self, op: Op, xid: i32, zxid: Zxid, now_ms: u64, took_ms: u64) {
        self.sent += 1;
        self.last_op = Some(op);
        if op != Op::Ping {
            self.last_cxid = i64::from(xid);
        }
        self.last_zxid = zxid;
        self.last_response_ms = now_ms;
        self.last_latency_ms = took_ms;
        self.latency_ms_min = self.latency_ms_min.min(took_ms);
        self.latency_ms_max = self.latency_ms_max.max(took_ms);
        self.latency_ms_sum += took_ms;
        self.answered += 1;
    }

    /// Forgets what the word `crst` resets.
    pub fn reset(&mut self) {
        let established_ms = self.established_ms;
        *self = Self::new(established_ms);
    }
}

/// A connection.
///
/// Lives in: its shard, from accept to close.
#[derive(Debug)]
pub struct Connection {
    /// Tells it from earlier users of its slot.
    pub serial: u32,
    /// Whose it is.
    pub peer: SocketAddr,
    /// How far it has come.
    pub phase: Phase,
    /// Its session, once it has one or wishes one.
    pub session: SessionId,
    /// As granted, in ms.
    pub timeout_ms: i32,
    /// How far its end has come.
    pub stream: Stream,
    /// Whether it is told nothing any more: its peer has closed or takes nothing, or its session is
    /// another connection's. What it wrote counts all the same, what it read does not.
    pub is_gone: bool,
    pub(super) identities: Arc<Identities>,
    pub(super) out: Vec<u8>,
    pub(super) parked: VecDeque<Parked>,
    pub(super) parked_bytes: usize,
    /// Bytes of the output that its shard has counted.
    pub(super) counted_bytes: usize,
    /// Requests handed over and not answered yet.
    pub(super) in_flight: u32,
    /// Bytes of its large requests in flight.
    pub(super) large_bytes: u64,
    /// Requests taken in this turn, and which turn that was.
    pub(super) taken: u32,
    pub(super) taken_turn: u32,
    pub(super) last_request_ms: u64,
    pub(super) is_touched: bool,
    pub(super) is_dirty: bool,
    /// Whether a long request of it is under way.
    pub(super) progress: Progress,
    /// Whether a request of it was left over in this turn: those behind it are, too.
    pub(super) is_left: bool,
    /// What `cons` shows.
    pub counts: ConnectionCounts,
}

impl Connection {
    /// Whether a read would overtake an earlier request of the session.
    pub(super) fn is_blocked(&self) -> bool {
        self.in_flight > 0 || self.must_wait()
    }

    /// Whether even a write has to wait for what came before it.
    pub(super) fn must_wait(&self) -> bool {
        !self.parked.is_empty() || self.is_in_progress()
    }

    /// Whether its queue has to be looked at when nothing of it is in flight any more.
    pub(super) fn is_waiting(&self) -> bool {
        !self.parked.is_empty() || matches!(self.stream, Stream::Over(_))
    }

    /// Whether a long request of it is under way.
    pub(super) fn is_in_progress(&self) -> bool {
        self.progress != Progress::None
    }

    /// What is to be sent, with memory from the shard's spare buffers: an idle connection holds
    /// none.
    pub(super) fn writable(&mut self, spare: &mut SpareBuffers) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = spare.take();
        }
        &mut self.out
    }

    /// Whether another of its requests may be taken in this turn.
    pub(super) fn has_share(&self, turn: u32) -> bool {
        self.taken_turn != turn || self.taken < TURN_REQUESTS_MAX
    }

    /// One more of its requests is taken in this turn.
    pub(super) fn take_share(&mut self, turn: u32) {
        if self.taken_turn != turn {
            (self.taken, self.taken_turn) = (0, turn);
        }
        self.taken += 1;
    }

    /// The request just taken cost nothing.
    pub(super) fn give_back_share(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Bytes that wait to be sent.
    pub fn unsent_bytes(&self) -> usize {
        self.out.len()
    }

    /// When it was heard of last, in ms of the monotonic clock.
    pub fn heard_ms(&self) -> u64 {
        self.last_request_ms
    }

    /// Requests that wait for an answer.
    pub fn outstanding(&self) -> u64 {
        u64::from(self.in_flight) + self.parked.len() as u64 + u64::from(self.is_in_progress())
    }
}
