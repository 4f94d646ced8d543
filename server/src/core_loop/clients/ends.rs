//! How connections are closed. What a client sent before counts, whoever ends the connection; the
//! shard says when all of it is worked off, unless nothing can be.

use super::super::token::Kind;
use super::{Clients, Input, Stage};
use crate::admin::WordRequest;
use crate::admin::limits::WORDS_WAITING_MAX;
use engine::batch::ConnectionId;
use engine::limits::KEPT_SLOTS_MAX;
use engine::shard::{Connection, Refused};
use net::client::FourLetterWord;
use ring::Queue;
use std::fmt::Display;
use tracing::{info, warn};

/// How long a connection beyond the limits may be silent.
const EXTRA_MS: u64 = 1_000;

/// Places of sockets that are looked at in one turn, and sockets closed in one turn of the end.
const SWEPT_PER_TURN: usize = 512;

impl Clients {
    /// A word instead of a connect: the socket goes to the admin thread once its receive ended.
    pub(super) fn leave(&mut self, queue: &mut Queue<'_>, place: u32, word: FourLetterWord) {
        let socket = &mut self.sockets[place as usize];
        if let Stage::Open(fd) = std::mem::replace(&mut socket.stage, Stage::Closed) {
            socket.stage = Stage::Leaving(fd, word);
            self.shard.close(socket.connection);
            if let Some(receive) = socket.receive {
                queue.cancel(receive);
            }
        }
    }

    /// A receive has ended.
    pub fn receive_ended(&mut self, queue: &mut Queue<'_>, place: u32, how: ReceiveEnd) {
        let Some(socket) = self.sockets.get_mut(place as usize) else { return };
        socket.receive = None;
        match (&socket.stage, how) {
            (Stage::Open(fd), ReceiveEnd::Cancelled) => {
                // A pause: armed again when what it kept is taken, perhaps already.
                if !socket.decoder.is_paused() && socket.input == Input::Open {
                    socket.receive = Some(queue.recv_multishot(fd, Kind::Receive(place).token()));
                }
            }
            (Stage::Open(_), ReceiveEnd::Stream) => {
                self.counts.dropped += 1;
                self.end_stream(place);
            }
            (Stage::Open(_), ReceiveEnd::Failed) => {
                self.counts.dropped += 1;
                self.hang_up(queue, place);
            }
            (Stage::Leaving(..) | Stage::Closed, _) => self.release(place),
        }
    }

    /// The peer is gone, or treated as if it were: it is sent nothing any more, and nothing more is
    /// received.
    fn hang_up(&mut self, queue: &mut Queue<'_>, place: u32) {
        let socket = &mut self.sockets[place as usize];
        if let Some(receive) = socket.receive {
            queue.cancel(receive);
        }
        self.shard.hang_up(socket.connection);
        self.end_stream(place);
    }

    /// Nothing more is received. What the decoder holds is still taken, and answered as long as the
    /// peer takes anything: it may have closed its own side only, and if it has closed the other as
    /// well, the first reply says so.
    fn end_stream(&mut self, place: u32) {
        let socket = &mut self.sockets[place as usize];
        if socket.input == Input::Open {
            socket.input = Input::Ended;
        }
        if !socket.decoder.is_paused() {
            socket.input = Input::Over;
            self.shard.finish(socket.connection);
        }
    }

    /// Nothing that a client sent from here on counts. What it sent before is answered first.
    pub(super) fn end_input(&mut self, queue: &mut Queue<'_>, place: u32, why: &dyn Display) {
        self.tell_closing(place, why);
        let socket = &mut self.sockets[place as usize];
        if let Some(receive) = socket.receive {
            queue.cancel(receive);
        }
        socket.input = Input::Over;
        self.shard.finish(socket.connection);
    }

    /// Hangs up on the connections that the shard has dismissed.
    pub(super) fn dismiss(&mut self, queue: &mut Queue<'_>) {
        for connection in self.shard.take_dismissed() {
            let Some(&place) = self.by_slot.get(connection.slot as usize) else { continue };
            let Some(socket) = self.sockets.get(place as usize) else { continue };
            if socket.connection == connection && matches!(socket.stage, Stage::Open(_)) {
                self.hang_up(queue, place);
            }
        }
    }

    /// Closes the connections that have come to their end, if their last replies have left.
    pub(super) fn close_ending(&mut self, queue: &mut Queue<'_>, now_ms: u64) {
        for connection in self.shard.take_ending() {
            let Some(&place) = self.by_slot.get(connection.slot as usize) else { continue };
            let Some(socket) = self.sockets.get_mut(place as usize) else { continue };
            if socket.connection == connection {
                socket.ending_since_ms.get_or_insert(now_ms);
                if self.shard.connection(connection).is_some_and(Connection::is_gone) {
                    self.close(queue, place);
                    continue;
                }
                if socket.sending_bytes == 0 {
                    self.send(queue, connection);
                }
            }
        }
    }

    fn tell_closing(&mut self, place: u32, why: &dyn Display) {
        if let Some(untold) = self.closings.admits(self.now_ms) {
            info!(peer = %self.sockets[place as usize].peer, untold, "connection closed: {why}");
        }
    }

    /// Closes a connection at once because of what it did, and says so.
    fn send_away(&mut self, queue: &mut Queue<'_>, place: u32, why: &dyn Display) {
        self.tell_closing(place, why);
        self.close(queue, place);
    }

    /// Hangs up on the connection that leaves the most unsent.
    pub(super) fn relieve(&mut self, queue: &mut Queue<'_>) {
        let open = self.sockets.iter().filter(|(_, s)| matches!(s.stage, Stage::Open(_)));
        let waiting = open.map(|(place, socket)| {
            let held = self.shard.connection(socket.connection);
            (socket.sending_bytes + held.map_or(0, Connection::unsent_bytes), place)
        });
        let Some((bytes, place)) = waiting.max() else { return };
        // One that is gone already takes its bytes with it.
        let connection = self.sockets[place].connection;
        if self.shard.connection(connection).is_some_and(|held| !held.is_gone()) {
            self.tell_closing(place as u32, &Overfull(bytes));
            self.hang_up(queue, place as u32);
        }
    }

    /// Once a second, in pieces: closes the connections that have not sent a connect request for
    /// too long, and those that do not take the last they are told.
    pub fn sweep(&mut self, queue: &mut Queue<'_>, now_ms: u64) {
        self.now_ms = now_ms;
        let (since_ms, place) = match self.sweep {
            Sweep::UnderWay { since_ms, place } => (since_ms, place),
            Sweep::Resting { since_ms } if now_ms < since_ms + 1_000 => return,
            Sweep::Resting { .. } => {
                let capacity = self.sockets.capacity();
                if capacity > KEPT_SLOTS_MAX && self.sockets.len() < capacity / 4 {
                    self.sockets.shrink_to_fit();
                }
                (now_ms, 0)
            }
        };
        let end = self.sockets.capacity().min(place + SWEPT_PER_TURN);
        for place in place..end {
            self.maybe_send_away(queue, place as u32, now_ms);
        }
        self.sweep = if end < self.sockets.capacity() {
            Sweep::UnderWay { since_ms, place: end }
        } else {
            Sweep::Resting { since_ms }
        };
    }

    /// Whether [`Self::sweep`] has more to do at once.
    pub fn is_sweeping(&self) -> bool {
        matches!(self.sweep, Sweep::UnderWay { .. })
    }

    fn maybe_send_away(&mut self, queue: &mut Queue<'_>, place: u32, now_ms: u64) {
        let Some(socket) = self.sockets.get(place as usize) else { return };
        let limit_ms = self.sessionless_timeout_ms;
        if !matches!(socket.stage, Stage::Open(_)) {
            return;
        }
        if socket.seat.is_extra() && self.shard.is_sessionless(socket.connection, EXTRA_MS) {
            self.maybe_refuse(queue, place);
        } else if socket.ending_since_ms.is_some_and(|since_ms| since_ms + limit_ms <= now_ms) {
            self.send_away(queue, place, &"it does not take its last reply");
        } else if self.shard.is_sessionless(socket.connection, limit_ms) {
            self.counts.sessionless += 1;
            self.send_away(queue, place, &"it never said connect");
        }
    }

    /// Closes a connection that the shard has found wanting.
    pub fn refuse(&mut self, queue: &mut Queue<'_>, connection: ConnectionId, why: Refused) {
        let Some(&place) = self.by_slot.get(connection.slot as usize) else { return };
        let is_it = self.sockets.get(place as usize).is_some_and(|s| s.connection == connection);
        if is_it {
            self.send_away(queue, place, &why);
        }
    }

    pub(super) fn close(&mut self, queue: &mut Queue<'_>, place: u32) {
        let socket = &mut self.sockets[place as usize];
        if let Stage::Open(fd) = std::mem::replace(&mut socket.stage, Stage::Closed) {
            self.shard.close(socket.connection);
            queue.close_after(fd, socket.receive.into_iter().chain(socket.send));
            self.release(place);
        }
    }

    /// Frees a place whose operations have all completed.
    pub(super) fn release(&mut self, place: u32) {
        let socket = &self.sockets[place as usize];
        if socket.receive.is_some() || socket.sending_bytes > 0 {
            return;
        }
        assert!(!matches!(socket.stage, Stage::Open(_)), "an open socket was released");
        let socket = self.sockets.remove(place as usize);
        if let Stage::Leaving(fd, word) = socket.stage {
            let rest = socket.decoder.into_rest();
            let request = WordRequest { socket: fd, word, rest, seat: socket.seat };
            // A full channel drops the word and closes the socket.
            if !self.words.hand_over(request)
                && let Some(suppressed) = self.refusals.admits(self.now_ms)
            {
                warn!(
                    peer = %socket.peer,
                    suppressed,
                    "four-letter word dropped: {WORDS_WAITING_MAX} wait to be answered"
                );
            }
        }
    }

    /// Closes some of the connections: the server stops.
    pub fn close_some(&mut self, queue: &mut Queue<'_>) {
        let open = self.sockets.iter().filter(|(_, s)| matches!(s.stage, Stage::Open(_)));
        let places: Vec<_> = open.map(|(place, _)| place as u32).take(SWEPT_PER_TURN).collect();
        for place in places {
            self.close(queue, place);
        }
    }
}

/// How a receive ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveEnd {
    /// At the end of what the peer sends.
    Stream,
    /// By an error: there is no peer any more.
    Failed,
    /// From this side.
    Cancelled,
}

/// The look at all sockets that comes once a second: a piece a turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sweep {
    /// The last one began at this time.
    Resting { since_ms: u64 },
    /// It has come to this place.
    UnderWay { since_ms: u64, place: usize },
}

/// Lets a line a second through: a storm is not to fill the disk.
#[derive(Debug, Default)]
pub(super) struct Rare {
    told_ms: Option<u64>,
    untold: u64,
}

impl Rare {
    /// Whether a line may be told now, and how many were not told since the last.
    pub(super) fn admits(&mut self, now_ms: u64) -> Option<u64> {
        if self.told_ms.is_some_and(|told_ms| now_ms < told_ms + 1_000) {
            self.untold += 1;
            return None;
        }
        self.told_ms = Some(now_ms);
        Some(std::mem::take(&mut self.untold))
    }
}

/// Why the connection that leaves so many bytes unsent is closed.
struct Overfull(usize);

impl Display for Overfull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it leaves {} bytes untaken, and all connections together too many", self.0)
    }
}
