//! The order within a session: what is handed over, what is answered this turn, what waits.
//!
//! A write is handed over at once, a read answered this turn, unless an earlier request is in the
//! way: then it is parked, and everything behind it with it.
//!
//! Invariant: a read never overtakes an earlier write of its session, nor a write an earlier read
//! that is parked (guards: the transcript `engine/src/tests/transcripts/pipelines.txt`,
//! `crate::tests::plain::engine_agrees_with_the_plain_model`).

use super::Shard;
use super::parking::{Next, Taken};
use super::turn::{Due, DueRequest};
use crate::batch::ConnectionId;
use model::op::Op;

impl Shard {
    /// Routes a request by what waits before it.
    #[inline]
    pub(super) fn order(&mut self, id: ConnectionId, taken: Taken<'_>) {
        let Some(connection) = self.connections.find_mut(id) else { return };
        let account = &mut connection.account;
        self.budget.take_large(account, taken.large_bytes);
        let is_write = taken.op.is_ordered();
        if if is_write { connection.must_wait() } else { connection.is_blocked() } {
            let account = &mut connection.account;
            connection.parking.push(taken.into(), account, &mut self.budget);
        } else if is_write {
            self.hand_over(id, taken);
        } else {
            self.turn.push(id, taken);
        }
    }

    #[inline]
    fn hand_over(&mut self, id: ConnectionId, taken: Taken<'_>) {
        let Some(connection) = self.connections.find_mut(id) else { return };
        self.budget.hand_over(&mut connection.account);
        if taken.op == Op::CloseSession {
            connection.begin_closing();
            if connection.is_gone() {
                // No client waits for the answer.
                self.turn.release(id);
            }
        }
        self.handover.write(id, connection.session(), taken);
    }

    /// Looks at the connections that were released since the last time; false if there were none.
    pub(super) fn release_waiting(&mut self) -> bool {
        let Some(released) = self.turn.take_released() else { return false };
        for &id in &released.connections {
            self.release(id);
        }
        self.turn.end_released(released);
        true
    }

    /// The session's writes are answered, or no client waits for that: what was parked behind them
    /// continues, the end of the stream last.
    fn release(&mut self, id: ConnectionId) {
        let unsent_bytes_max = self.budget.unsent_bytes_max();
        let room = self.longs.room();
        loop {
            let Some(connection) = self.connections.find_mut(id) else { return };
            if connection.has_ended() {
                return;
            }
            match connection.next(&self.turn, room, unsent_bytes_max) {
                Next::Nothing => return self.reach_end(id),
                Next::Void => return self.connections.end(id),
                Next::Waits => return,
                Next::Later => return self.turn.release(id),
                Next::Leaves => (),
            }
            self.turn.take_share(&mut connection.share);
            let account = &mut connection.account;
            let Some(parked) = connection.parking.pop(account, &mut self.budget) else { return };
            let taken = parked.taken();
            if taken.op.is_ordered() {
                let received_ms = self.turn.now().mono_ms;
                self.hand_over(id, Taken { received_ms, ..taken });
            } else if !connection.is_gone() {
                self.turn.push(id, taken);
            }
        }
    }

    /// Parks what a connection has handed over in this turn, before what is parked already.
    pub(super) fn take_back_writes(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.find_mut(id) else { return };
        if !connection.account.has_in_flight() {
            return;
        }
        for parked in self.handover.take_back(id).into_iter().rev() {
            if parked.taken().op == Op::CloseSession {
                connection.reopen();
            }
            let account = &mut connection.account;
            self.budget.settle(account);
            connection.parking.push_first(parked, account, &mut self.budget);
        }
    }

    /// Puts requests back before those that already wait: their clients must first receive more,
    /// and they are looked at again when that has been sent. What they wrote since, which the
    /// ordering role has not received yet, waits with them.
    pub(super) fn park_again(&mut self, left: &[DueRequest], due: &Due) {
        let mut before = None;
        for request in left {
            let id = request.connection;
            if before != Some(id) {
                self.take_back_writes(id);
                // What it waits for looks at it again.
                self.turn.release(id);
            }
            before = Some(id);
        }
        for request in left.iter().rev() {
            let Some(connection) = self.connections.find_mut(request.connection) else { continue };
            connection.end_left();
            let DueRequest { xid, op, received_ms, .. } = *request;
            let taken = Taken { xid, op, body: due.body(request), large_bytes: 0, received_ms };
            let account = &mut connection.account;
            connection.parking.push_first(taken.into(), account, &mut self.budget);
        }
    }
}
