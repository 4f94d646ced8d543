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
//! Invariant: from [`Shard::finish`] on nothing of a connection is taken; its end comes once all
//! that was taken before has been handed over, and answered unless the peer is gone (guards:
//! `crate::tests::ends::a_farewell_is_the_last_word`,
//! `crate::tests::ends::writes_behind_parked_reads_survive_their_connection`).

use super::Shard;
use super::connection::{BareReply, NextOfEnd};
use crate::batch::ConnectionId;
use crate::message::ToOrdering;
use model::session::SessionId;

impl Shard {
    /// Nothing follows in this connection: its end comes when what was taken is worked off.
    pub fn finish(&mut self, id: ConnectionId) {
        self.finish_with(id, None);
    }

    /// As [`Self::finish`], with a last word.
    pub(super) fn finish_with(&mut self, id: ConnectionId, last: Option<BareReply>) {
        if let Some(connection) = self.connections.find_mut(id)
            && connection.finish(last)
        {
            self.turn.release(id);
        }
    }

    /// The peer receives nothing any more. Its requests are still taken, until [`Self::finish`].
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

    /// A connection is told nothing any more, a long answer included.
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
            // Without a session there is nothing that could count.
            return self.cut(id);
        }
        self.hang_up(id);
        self.connections.dismiss(id);
    }

    /// Connections from which nothing more is to be received: the caller calls [`Self::finish`]
    /// when it has given all that it has of them. Drained by the caller.
    pub fn take_dismissed(&mut self) -> Vec<ConnectionId> {
        self.connections.take_dismissed()
    }

    /// Closes a connection at once.
    pub(super) fn cut(&mut self, id: ConnectionId) {
        self.lose(id);
        self.connections.end(id);
    }

    /// Nothing is parked any more: has the end's turn come? If reads of this turn stand before it,
    /// it comes when they are answered.
    pub(super) fn come_to_end(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.find(id) else { return };
        match connection.next_of_end() {
            NextOfEnd::Waits => (),
            NextOfEnd::BehindReads => self.turn.push_end(id),
            NextOfEnd::Now => self.connections.end(id),
        }
    }

    /// The ends behind the reads of this turn.
    pub(super) fn say_farewells(&mut self) {
        let ends = self.turn.take_ends();
        for &id in &ends {
            let Some(connection) = self.connections.find_mut(id) else { continue };
            // A read that is left for the next turn brings the end back with it.
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

    /// Connections that are to be closed once their output has left, at once if they are gone;
    /// drained by the caller.
    pub fn take_ending(&mut self) -> Vec<ConnectionId> {
        self.connections.take_ending()
    }

    /// The socket is closed: forgets the connection. The session lives on until its client comes
    /// back or its time has run out.
    pub fn close(&mut self, id: ConnectionId) {
        self.lose(id);
        let Some(mut connection) = self.connections.close(id) else { return };
        self.watches.forget(id.slot);
        let (session, heard_ms) = (connection.session(), connection.heard.take());
        self.budget.close(&mut connection.account);
        if session != SessionId(0) {
            if let Some(heard_ms) = heard_ms {
                let sessions = vec![(session, heard_ms)];
                let shard = self.connections.shard();
                self.handover.say(ToOrdering::Touched { shard, sessions, until_ms: 0 });
            }
            self.handover.say(ToOrdering::Detached { connection: id, session });
        }
    }
}
