//! How connections end. What was received before the end counts, whatever the end is.
//!
//! The end of a stream stands in its connection's queue like a request: behind everything that was
//! asked before, and nothing is taken behind it. A client whose connection the server ends is still
//! answered. A peer that is gone is sent nothing: its reads are dropped, and its writes are handed
//! over without waiting for any answer.
//!
//! A connection whose session moves to another one works off what was received in the same way, and
//! says Detached only then. So none of its requests takes effect after one of its successor.
//!
//! Invariant: from [`Shard::finish`] on nothing of a connection is taken; it is in `ending` once
//! all that was taken before has been handed over, and answered unless the peer is gone (guard:
//! `crate::tests::ends`).

use super::long::Progress;
use super::{Connection, Farewell, Phase, Shard, Stream};
use crate::batch::ConnectionId;
use crate::message::ToOrdering;
use model::session::SessionId;

impl Shard {
    /// Nothing follows in this connection: its end comes when what was taken is worked off.
    pub fn finish(&mut self, id: ConnectionId) {
        if self.connection(id).is_some() {
            self.finish_with(id.slot, None);
        }
    }

    /// As [`Self::finish`], with a last word.
    pub(super) fn finish_with(&mut self, slot: u32, farewell: Option<Farewell>) {
        let connection = &mut self.connections[slot as usize];
        if connection.stream == Stream::Open {
            connection.stream = Stream::Over(farewell);
            self.released.push((slot, connection.serial));
        }
    }

    /// The peer receives nothing any more. Its requests are still taken, until [`Self::finish`].
    pub fn hang_up(&mut self, id: ConnectionId) {
        if self.connection(id).is_some_and(|connection| !connection.is_gone) {
            self.lose(id.slot);
        }
    }

    fn lose(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        let serial = connection.serial;
        connection.is_gone = true;
        if std::mem::take(&mut connection.progress) != Progress::None {
            self.longs.retain(|long| long.whose() != (slot, serial));
        }
        if connection.stream == Stream::Ended {
            // It waited for its output to leave.
            self.ending.push(ConnectionId { shard: self.index, slot, serial });
        }
        self.drop_output(slot);
        self.released.push((slot, serial));
    }

    /// Ends a connection from this side: nothing more is received, what was received counts.
    pub(super) fn dismiss(&mut self, slot: u32) {
        let connection = &self.connections[slot as usize];
        if matches!(connection.phase, Phase::Opening | Phase::Connecting) {
            // Without a session there is nothing that could count.
            return self.cut(slot);
        }
        let id = ConnectionId { shard: self.index, slot, serial: connection.serial };
        self.hang_up(id);
        self.dismissed.push(id);
    }

    /// Connections from which nothing more is to be received: the caller calls [`Self::finish`]
    /// when it has given all that it has of them. Drained by the caller.
    pub fn take_dismissed(&mut self) -> Vec<ConnectionId> {
        let mut dismissed = std::mem::take(&mut self.dismissed);
        dismissed.retain(|id| self.connection(*id).is_some());
        dismissed
    }

    /// Closes a connection at once.
    pub(super) fn cut(&mut self, slot: u32) {
        self.connections[slot as usize].is_gone = true;
        self.end(slot);
    }

    /// Closes a connection once its output has left.
    pub(super) fn end(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        connection.stream = Stream::Ended;
        let serial = connection.serial;
        self.ending.push(ConnectionId { shard: self.index, slot, serial });
    }

    /// Nothing is parked any more: has the end's turn come? If reads of this turn stand before it,
    /// it comes when they are answered.
    pub(super) fn come_to_end(&mut self, slot: u32) {
        let connection = &self.connections[slot as usize];
        let is_over = matches!(connection.stream, Stream::Over(_));
        if connection.is_gone {
            let is_closing = connection.phase == Phase::Closing;
            if is_over && connection.phase != Phase::Connecting || is_closing {
                self.end(slot);
            }
        } else if is_over && !connection.is_blocked() && connection.phase != Phase::Connecting {
            self.ends.push((slot, connection.serial));
        }
    }

    /// The ends behind the reads of this turn.
    pub(super) fn say_farewells(&mut self) {
        let mut ends = std::mem::take(&mut self.ends);
        for (slot, serial) in ends.drain(..) {
            let Some(connection) = self.connections.get(slot as usize) else { continue };
            // A read that is left for the next turn brings the end back with it.
            if connection.serial != serial || connection.is_blocked() {
                continue;
            }
            let Stream::Over(farewell) = connection.stream else { continue };
            if let Some(Farewell { xid, zxid, error }) = farewell {
                self.answer_at_once(slot, xid, zxid, error);
            }
            self.end(slot);
        }
        self.ends = ends;
    }

    /// Connections that are to be closed once their output has left, at once if they are gone;
    /// drained by the caller.
    pub fn take_ending(&mut self) -> Vec<ConnectionId> {
        // Some may be closed, and their slots be others'.
        let mut ending = std::mem::take(&mut self.ending);
        ending.retain(|id| self.connection(*id).is_some());
        ending
    }

    /// The socket is closed: forgets the connection. The session lives on until its client comes
    /// back or its time has run out.
    pub fn close(&mut self, id: ConnectionId) {
        if self.connection(id).is_none() {
            return;
        }
        let connection = self.connections.remove(id.slot as usize);
        self.in_flight -= connection.in_flight as usize;
        self.large_bytes -= connection.large_bytes;
        self.unsent_bytes -= connection.counted_bytes;
        self.parked_bytes -= connection.parked_bytes;
        self.data_watches.forget(id.slot);
        self.child_watches.forget(id.slot);
        if connection.session != SessionId(0) {
            if connection.is_touched {
                let touched = vec![(connection.session, connection.last_request_ms)];
                let shard = self.index;
                self.say(ToOrdering::Touched { shard, sessions: touched, until_ms: 0 });
            }
            let session = connection.session;
            self.say(ToOrdering::Detached { connection: id, session });
        }
    }

    /// Connections that have not said connect for too long.
    pub fn sessionless(&self, limit_ms: u64) -> Vec<ConnectionId> {
        let is_late = |c: &Connection| {
            c.phase == Phase::Opening && c.last_request_ms + limit_ms <= self.now.mono_ms
        };
        self.connections().filter(|(_, c)| is_late(c)).map(|(id, _)| id).collect()
    }
}
