//! How connections are closed. What a client sent before counts, whichever side ends the
//! connection; the shard reports when all of it is answered, unless nothing can be.

use super::super::sockets::{Detached, End, Place};
use super::{Client, Clients};
use crate::admin::WordRequest;
use crate::admin::limits::WORDS_WAITING_MAX;
use engine::batch::ConnectionId;
use engine::limits::KEPT_SLOTS_MAX;
use engine::shard::{Connection, Refused};
use ring::Queue;
use std::fmt::Display;
use tracing::{info, warn};

/// How long a connection beyond the limits may be silent.
const EXTRA_MS: u64 = 1_000;

/// Places of sockets that are checked in one turn, and sockets closed in one turn of a stopping
/// server.
const SWEPT_PER_TURN: usize = 512;

impl Clients {
    /// A word instead of a connect request: the socket belongs to the admin thread from now on.
    pub(super) fn detach(&mut self, queue: &mut Queue<'_>, place: Place) {
        let Some(client) = self.sockets.find(place) else { return };
        self.shard.close(client.connection);
        if let Some(detached) = self.sockets.detach(queue, place) {
            self.hand_over(detached);
        }
    }

    /// Hands a socket with a word to the admin thread.
    pub(super) fn hand_over(&mut self, detached: Detached<Client>) {
        let Detached { fd, kept: Client { peer, seat, decoder, .. }, spent } = detached;
        if let Some(spent) = spent {
            self.shard.sent(spent.buffer, spent.bytes);
        }
        let Some((word, rest)) = decoder.into_word() else { return };
        let request = WordRequest { socket: fd, word, rest, seat };
        // A full channel drops the word and closes the socket.
        if !self.words.hand_over(request)
            && let Some(suppressed) = self.refusals.admits(self.now_ms)
        {
            warn!(
                %peer,
                suppressed,
                "four-letter word dropped: {WORDS_WAITING_MAX} wait to be answered"
            );
        }
    }

    /// Nothing more is received.
    pub(super) fn receive_ended(&mut self, queue: &mut Queue<'_>, place: Place, end: End) {
        self.counts.dropped += 1;
        match end {
            End::Stream => self.end_stream(place),
            End::Failed(_) => self.hang_up(queue, place),
        }
    }

    /// The peer is gone, or treated as if it were: it is sent nothing any more, and nothing more is
    /// received.
    fn hang_up(&mut self, queue: &mut Queue<'_>, place: Place) {
        let Some(client) = self.sockets.find(place) else { return };
        self.shard.hang_up(client.connection);
        self.sockets.end_receive(queue, place);
        self.end_stream(place);
    }

    /// Nothing more is received. What the decoder holds is still taken, and answered as long as the
    /// peer takes anything: it may have closed its own side only, and if it has closed the other as
    /// well, the first reply fails.
    fn end_stream(&mut self, place: Place) {
        if self.sockets.find(place).is_some_and(|client| !client.decoder.is_paused()) {
            self.finish(place);
        }
    }

    /// Nothing that a client sent from here on counts. What it sent before is answered first.
    pub(super) fn end_input(&mut self, queue: &mut Queue<'_>, place: Place, why: &dyn Display) {
        self.log_closing(place, why);
        self.sockets.end_receive(queue, place);
        self.finish(place);
    }

    /// The shard has been given all that counts.
    pub(super) fn finish(&mut self, place: Place) {
        if let Some(client) = self.sockets.find_mut(place) {
            client.is_finished = true;
            self.shard.finish(client.connection);
        }
    }

    /// Hangs up on the connections that the shard has dismissed.
    pub(super) fn dismiss(&mut self, queue: &mut Queue<'_>) {
        for connection in self.shard.take_dismissed() {
            if let Some(place) = self.place_of(connection) {
                self.hang_up(queue, place);
            }
        }
    }

    /// Closes the connections that have come to their end, if their last replies have left.
    pub(super) fn close_ending(&mut self, queue: &mut Queue<'_>, now_ms: u64) {
        for connection in self.shard.take_ending() {
            let Some(place) = self.place_of(connection) else { continue };
            self.sockets.linger(place, now_ms);
            if self.shard.connection(connection).is_some_and(Connection::is_gone) {
                self.close(queue, place);
            } else {
                self.send_to(queue, place, connection);
            }
        }
    }

    fn log_closing(&mut self, place: Place, why: &dyn Display) {
        if let Some(client) = self.sockets.find(place)
            && let Some(suppressed) = self.closings.admits(self.now_ms)
        {
            info!(peer = %client.peer, suppressed, "connection closed: {why}");
        }
    }

    /// Closes a connection at once because of what it did, and logs why.
    fn send_away(&mut self, queue: &mut Queue<'_>, place: Place, why: &dyn Display) {
        self.log_closing(place, why);
        self.close(queue, place);
    }

    /// Hangs up on the connection with the most unsent bytes.
    pub(super) fn relieve(&mut self, queue: &mut Queue<'_>) {
        let waiting = self.sockets.iter().map(|(place, client, sending_bytes)| {
            let held = self.shard.connection(client.connection);
            let is_gone = held.is_none_or(Connection::is_gone);
            (sending_bytes + held.map_or(0, Connection::unsent_bytes), place, is_gone)
        });
        let Some((bytes, place, is_gone)) = waiting.max() else { return };
        // One that is gone already takes its bytes with it.
        if !is_gone {
            self.log_closing(place, &Overfull(bytes));
            self.hang_up(queue, place);
        }
    }

    /// Once a second, in pieces: closes the connections that have not sent a connect request for
    /// too long, and those that do not take their last reply.
    pub fn sweep(&mut self, queue: &mut Queue<'_>, now_ms: u64) {
        self.now_ms = now_ms;
        let (since_ms, index) = match self.sweep {
            Sweep::UnderWay { since_ms, index } => (since_ms, index),
            Sweep::Resting { since_ms } if now_ms < since_ms + 1_000 => return,
            Sweep::Resting { .. } => {
                self.sockets.trim(KEPT_SLOTS_MAX);
                (now_ms, 0)
            }
        };
        let end = self.sockets.place_count().min(index + SWEPT_PER_TURN);
        for index in index..end {
            if let Some(place) = self.sockets.at(index) {
                self.maybe_send_away(queue, place, now_ms);
            }
        }
        self.sweep = if end < self.sockets.place_count() {
            Sweep::UnderWay { since_ms, index: end }
        } else {
            Sweep::Resting { since_ms }
        };
    }

    /// Whether [`Self::sweep`] or an order to shed connections has to continue in the next turn.
    pub fn is_sweeping(&self) -> bool {
        matches!(self.sweep, Sweep::UnderWay { .. }) || self.is_shedding()
    }

    fn maybe_send_away(&mut self, queue: &mut Queue<'_>, place: Place, now_ms: u64) {
        let Some(client) = self.sockets.find(place) else { return };
        let limit_ms = self.sessionless_timeout_ms;
        let lingering_since_ms = self.sockets.lingering_since_ms(place);
        if client.seat.is_extra() && self.shard.is_sessionless(client.connection, EXTRA_MS) {
            self.maybe_refuse(queue, place);
        } else if lingering_since_ms.is_some_and(|since_ms| since_ms + limit_ms <= now_ms) {
            self.send_away(queue, place, &"it does not take its last reply");
        } else if self.shard.is_sessionless(client.connection, limit_ms) {
            self.counts.sessionless += 1;
            self.send_away(queue, place, &"it never said connect");
        }
    }

    /// Closes a connection that the shard has refused to serve.
    pub fn refuse(&mut self, queue: &mut Queue<'_>, connection: ConnectionId, why: Refused) {
        if let Some(place) = self.place_of(connection) {
            self.send_away(queue, place, &why);
        }
    }

    /// Closes a connection in the shard, and its socket.
    pub(super) fn close(&mut self, queue: &mut Queue<'_>, place: Place) {
        if let Some(client) = self.sockets.find(place) {
            self.shard.close(client.connection);
            self.sockets.close(queue, place);
        }
    }

    /// Closes some of the connections, because the server stops.
    pub fn close_some(&mut self, queue: &mut Queue<'_>) {
        let open = self.sockets.iter().map(|(place, ..)| place);
        let places: Vec<_> = open.take(SWEPT_PER_TURN).collect();
        for place in places {
            self.close(queue, place);
        }
    }
}

/// The check of all sockets that runs once a second, in pieces, one per turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sweep {
    /// The last one began at this time.
    Resting { since_ms: u64 },
    /// It continues at this index.
    UnderWay { since_ms: u64, index: usize },
}

/// Why the connection with the most unsent bytes, which are so many, is closed.
struct Overfull(usize);

impl Display for Overfull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it leaves {} bytes untaken, and all connections together too many", self.0)
    }
}
