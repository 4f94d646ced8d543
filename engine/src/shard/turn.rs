//! What one turn has to do, and how much of it: the requests that are due, the connections to look
//! at, and what may still be answered.
//!
//! A connection has a share of each turn, and so do long answers and all replies together. What has
//! no room is deferred to the next turn, in which it goes first.
//!
//! Invariant: requests of one connection are due in the order in which they were taken (guard:
//! `crate::tests::long::what_was_deferred_in_one_turn_goes_first_in_the_next`).
//!
//! Lives in: each shard; a [`Share`] in each connection. Not here: why a request waits (`parking`).

use super::measured::Answered;
use super::parking::Taken;
use crate::batch::ConnectionId;
use crate::limits::{LONG_UNITS_PER_TURN, TURN_REPLY_BYTES_MAX, TURN_REQUESTS_MAX};
use crate::settings::Now;
use model::op::Op;
use model::zxid::Zxid;
use std::ops::Range;

/// Memory for the bodies of due requests that is kept from turn to turn.
const KEPT_BODIES_BYTES_MAX: usize = 1 << 20;

/// A request that is answered in this turn.
#[derive(Clone, Debug)]
pub(super) struct DueRequest {
    pub(super) connection: ConnectionId,
    pub(super) xid: i32,
    pub(super) op: Op,
    /// Where its body is.
    pub(super) body: Range<usize>,
    pub(super) received_ms: u64,
}

impl DueRequest {
    /// The reply to it, counted.
    #[inline]
    pub(super) fn answered(&self, zxid: Zxid, bytes: u64, now_ms: u64) -> Answered {
        let DueRequest { op, xid, received_ms, .. } = *self;
        Answered { op, xid, zxid, bytes, received_ms, now_ms }
    }
}

/// The requests of a turn, and their bodies.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) requests: Vec<DueRequest>,
    bodies: Vec<u8>,
}

impl Due {
    /// The body of one of them.
    #[inline]
    pub(super) fn body(&self, request: &DueRequest) -> &[u8] {
        &self.bodies[request.body.clone()]
    }
}

/// How many requests of a connection were taken, and in which turn.
#[derive(Debug, Default)]
pub(super) struct Share {
    taken: u32,
    turn: u32,
}

impl Share {
    /// The request just taken cost nothing.
    pub(super) fn give_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }
}

/// Connections to look at, and how many requests were due before.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) connections: Vec<ConnectionId>,
    due_before: usize,
}

/// A turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Everything in it happens at this time.
    now: Now,
    /// Counts the times that shares were renewed.
    number: u32,
    due: Due,
    /// Connections whose parked requests or end are to be looked at.
    released: Vec<ConnectionId>,
    /// Connections whose end comes when the requests that are due are answered.
    ends: Vec<ConnectionId>,
    /// What it may still do for long requests, and the bytes of replies that it has made.
    units_left: usize,
    reply_bytes: usize,
}

impl Turn {
    /// The next begins.
    pub(super) fn begin(&mut self, now: Now) {
        self.now = now;
        self.units_left = LONG_UNITS_PER_TURN;
        self.reply_bytes = 0;
    }

    /// When it is.
    #[inline]
    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// Renews the share of every connection.
    pub(super) fn renew_shares(&mut self) {
        self.number = self.number.wrapping_add(1);
    }

    /// Whether another request of a connection may be taken.
    #[inline]
    pub(super) fn has_share(&self, share: &Share) -> bool {
        share.turn != self.number || share.taken < TURN_REQUESTS_MAX
    }

    /// One more is taken.
    #[inline]
    pub(super) fn take_share(&self, share: &mut Share) {
        if share.turn != self.number {
            *share = Share { taken: 0, turn: self.number };
        }
        share.taken += 1;
    }

    /// A request is due.
    #[inline]
    pub(super) fn push(&mut self, connection: ConnectionId, taken: Taken<'_>) {
        let Taken { xid, op, body, received_ms, large_bytes: _ } = taken;
        let start = self.due.bodies.len();
        self.due.bodies.extend_from_slice(body);
        let body = start..self.due.bodies.len();
        self.due.requests.push(DueRequest { connection, xid, op, body, received_ms });
    }

    /// Whether no request is due.
    pub(super) fn is_answered(&self) -> bool {
        self.due.requests.is_empty()
    }

    /// Whether something is left to do that no message triggers.
    pub(super) fn has_more(&self) -> bool {
        !self.is_answered() || !self.released.is_empty() || !self.ends.is_empty()
    }

    /// Takes the requests that are due; they return through [`Self::end_due`].
    pub(super) fn take_due(&mut self) -> Due {
        std::mem::take(&mut self.due)
    }

    /// They are answered, or parked again: their memory is reused for the next ones.
    pub(super) fn end_due(&mut self, mut due: Due) {
        // Nothing can have become due meanwhile: the chain is drained before.
        assert!(self.is_answered(), "a request became due while others were answered");
        due.requests.clear();
        due.bodies.clear();
        if due.bodies.capacity() > KEPT_BODIES_BYTES_MAX {
            due.bodies = Vec::new();
        }
        self.due = due;
    }

    /// What a connection has parked, or its end, is to be looked at.
    #[inline]
    pub(super) fn release(&mut self, connection: ConnectionId) {
        self.released.push(connection);
    }

    /// Takes the connections to look at; they return through [`Self::end_released`].
    pub(super) fn take_released(&mut self) -> Option<Released> {
        if self.released.is_empty() {
            return None;
        }
        let connections = std::mem::take(&mut self.released);
        Some(Released { connections, due_before: self.due.requests.len() })
    }

    /// All of them were looked at. Those that have had their share wait for the next turn.
    pub(super) fn end_released(&mut self, released: Released) {
        let Released { mut connections, due_before } = released;
        connections.clear();
        connections.append(&mut self.released);
        self.released = connections;
        // Deferred requests go before new ones, or a client that is answered and asks again would
        // keep all others waiting. No connection has requests in both parts: what it requests while
        // some are parked is parked behind them.
        self.due.requests.rotate_left(due_before);
    }

    /// A connection's end is reached after the requests that are due.
    pub(super) fn push_end(&mut self, connection: ConnectionId) {
        self.ends.push(connection);
    }

    /// Takes the ends; the list returns through [`Self::end_ends`].
    pub(super) fn take_ends(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.ends)
    }

    /// All of them were looked at.
    pub(super) fn end_ends(&mut self, mut ends: Vec<ConnectionId>) {
        ends.clear();
        self.ends = ends;
    }

    /// What it may still do for long requests.
    pub(super) fn units_left(&self) -> usize {
        self.units_left
    }

    /// This much of that is left.
    pub(super) fn keep_units(&mut self, units_left: usize) {
        self.units_left = units_left;
    }

    /// A reply to a read was made.
    #[inline]
    pub(super) fn count_reply(&mut self, bytes: u64) {
        self.reply_bytes += bytes as usize;
    }

    /// Whether it has made as many bytes of replies as allowed.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.reply_bytes > TURN_REPLY_BYTES_MAX
    }
}
