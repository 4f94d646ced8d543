//! How connections end. What was received before the end counts, whatever the end is.
//!
//! The end of a stream is queued in its connection like a request: behind everything that was
//! requested before, and nothing is taken behind it. A client whose connection the server ends is
//! still answered. A peer that has closed is sent nothing: its reads are dropped, and its writes
//! are handed over without waiting for any answer.
//!
//! A connection whose session moves to another one processes what was received in the same way, and
//! sends Detached only then. So none of its requests takes effect after one of its successor.
//!
//! Invariant: from [`Shard::finish`] on nothing of a connection is taken; its end is reached once
//! all that was taken before has been handed over, and answered unless the peer has closed (guards:
//! `crate::tests::ends::nothing_follows_the_last_request`,
//! `crate::tests::ends::writes_behind_parked_reads_survive_their_connection`).

use super::Shard;
use super::connection::{BareReply, Connection, NextOfEnd};
use crate::batch::ConnectionId;
use crate::message::{Served, ToOrdering};
use model::session::SessionId;

impl Shard {
    /// Nothing follows on this connection: its end is reached when what was taken is processed.
    pub fn finish(&mut self, id: ConnectionId) {
        self.finish_with(id, None);
    }

    /// Like [`Self::finish`], with a last reply.
    pub(super) fn finish_with(&mut self, id: ConnectionId, last: Option<BareReply>) {
        if let Some(connection) = self.connections.find_mut(id)
            && connection.finish(last)
        {
            self.turn.release(id);
        }
    }

    /// The peer no longer receives anything. Its requests are still taken, until [`Self::finish`].
    pub fn hang_up(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.find(id).filter(|held| !held.is_gone()) else {
            return;
        };
        let waited_for_output = connection.has_ended();
        self.lose(id);
        if waited_for_output {
            self.connections.end(id);
        }
        self.drop_output(id);
        self.turn.release(id);
    }

    /// Nothing more is sent to a connection, a long answer included.
    fn lose(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.find_mut(id)
            && connection.lose()
        {
            self.longs.forget(id);
        }
    }

    /// Ends a connection from this side: nothing more is received, what was received counts.
    pub(super) fn dismiss(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.find(id) else { return };
        if connection.is_sessionless() {
            // Without a session nothing could count.
            return self.cut(id);
        }
        self.hang_up(id);
        self.connections.dismiss(id);
    }

    /// Connections from which nothing more is to be received: the caller calls [`Self::finish`]
    /// when it has passed on all that it has from them. Drained by the caller.
    pub fn take_dismissed(&mut self) -> Vec<ConnectionId> {
        self.connections.take_dismissed()
    }

    /// Closes a connection at once.
    pub(super) fn cut(&mut self, id: ConnectionId) {
        self.lose(id);
        self.connections.end(id);
    }

    /// Serves these clients from now on; if nobody, closes all connections.
    pub(super) fn serve_clients(&mut self, served: Served) {
        self.served = served;
        let end = match served {
            Served::All | Served::ReadOnly => return,
            Served::Nobody => Self::cut,
            Served::NobodyMore => {
                self.drain();
                Self::part
            }
        };
        let slots = 0..self.connections.slot_count();
        let all: Vec<_> = self.connections.some(slots).map(Connection::id).collect();
        for id in all {
            end(self, id);
        }
    }

    /// Closes a connection once the replies that it has have left; nothing else is answered.
    fn part(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.find(id) else { return };
        if connection.unsent_bytes() == 0 || connection.is_in_progress() {
            self.cut(id);
        } else {
            self.connections.end(id);
        }
    }

    /// Nothing is parked any more: is the end reached? If reads of this turn precede it, it is
    /// reached when they are answered.
    pub(super) fn reach_end(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.find(id) else { return };
        match connection.next_of_end() {
            NextOfEnd::Waits => (),
            NextOfEnd::BehindReads => self.turn.push_end(id),
            NextOfEnd::Now => self.connections.end(id),
        }
    }

    /// The ends behind the reads of this turn.
    pub(super) fn finish_ends(&mut self) {
        let ends = self.turn.take_ends();
        for &id in &ends {
            let Some(connection) = self.connections.find_mut(id) else { continue };
            // A read that is deferred to the next turn brings the end back with it.
            if connection.is_blocked() || !connection.is_over() {
                continue;
            }
            if let Some(last) = connection.last_reply() {
                connection.reply(last, &mut self.outgoing, &mut self.measured);
            }
            self.connections.end(id);
        }
        self.turn.end_ends(ends);
    }

    /// Connections to be closed once their output has been sent, at once if their peer has closed;
    /// drained by the caller.
    pub fn take_ending(&mut self) -> Vec<ConnectionId> {
        self.connections.take_ending()
    }

    /// The socket is closed: forgets the connection. The session lives on until its client
    /// reconnects or it expires.
    pub fn close(&mut self, id: ConnectionId) {
        self.lose(id);
        let Some(mut connection) = self.connections.close(id) else { return };
        self.watches.forget(id.slot);
        let (session, active_ms) = (connection.session(), connection.last_active.take());
        self.budget.close(&mut connection.account);
        if session != SessionId(0) {
            if let Some(active_ms) = active_ms {
                let sessions = vec![(session, active_ms)];
                let shard = self.connections.shard();
                self.handover.push(ToOrdering::Touched { shard, sessions, until_ms: 0 });
            }
            self.handover.push(ToOrdering::Detached { connection: id, session });
        }
    }
}
