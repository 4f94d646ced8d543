//! A shard's sockets: accepted, framed, sent to and closed.
//!
//! The map: `accept` (who is let in), this file (what is received and sent), `ends` (how a
//! connection is closed, and what counts until then).
//!
//! Invariants: one receive and one send at a time are in flight for a socket; its place is used
//! again only when neither is (guard: the assertions in `Clients::release`); every whole frame that
//! was received is given to the shard before the end is (guard: `tests/conformance/ends.rs`).

mod accept;
mod ends;

use super::token::Kind;
use crate::admin::inquiry::ShardInquiry;
use crate::admin::metrics::{Counter, Measure, Metrics};
use crate::admin::{Words, fill};
use crate::gate::{ConnectThrottle, ConnectionGate, Seat};
use accept::Listening;
pub(super) use ends::ReceiveEnd;
use ends::{Rare, Sweep};
use engine::batch::ConnectionId;
use engine::settings::Now;
use engine::shard::{Refused, Shard};
use net::client::{Fed, Flow, FourLetterWord, FrameDecoder};
use ring::{OpId, Queue};
use slab::Slab;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tracing::debug;

/// Bytes that a paused connection may have sent before its socket is not read any more.
const PAUSED_BYTES_MAX: usize = 64 << 10;

/// Bytes that tell a four-letter word from anything else.
const WORD_BYTES: usize = 4;

/// Where a socket is in its life.
#[derive(Debug)]
enum Stage {
    /// A client's.
    Open(OwnedFd),
    /// On its way to the admin thread, as soon as its receive has ended.
    Leaving(OwnedFd, FourLetterWord),
    /// Given to the ring to close; operations may still complete.
    Closed,
}

/// How much of what a client sends has reached the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// More may be received.
    Open,
    /// Nothing more is received. What the decoder holds still counts.
    Ended,
    /// All that counts; the shard knows that nothing follows.
    Over,
}

#[derive(Debug)]
struct Socket {
    stage: Stage,
    input: Input,
    peer: SocketAddr,
    /// What the gate counts, until the last operation has completed or a word is answered.
    seat: Seat,
    connection: ConnectionId,
    decoder: FrameDecoder,
    receive: Option<OpId>,
    send: Option<OpId>,
    /// Bytes in flight.
    sending_bytes: usize,
    /// To be closed when all that waits for it was sent; since when, in ms of the monotonic clock.
    ending_since_ms: Option<u64>,
    is_paused: bool,
}

/// A client on its way to the shard that gets it.
#[derive(Debug)]
pub struct Dealt {
    /// Its socket.
    pub socket: OwnedFd,
    /// Whose it is.
    pub peer: SocketAddr,
    /// What the gate counts.
    pub seat: Seat,
}

/// The sockets of one shard.
///
/// Lives in: the core loop that hosts the shard.
pub struct Clients {
    /// The shard that they belong to.
    pub shard: Shard,
    index: u16,
    sockets: Slab<Socket>,
    /// The socket of each slot of the shard.
    by_slot: Vec<u32>,
    paused: Vec<u32>,
    gate: Arc<ConnectionGate>,
    throttle: Arc<ConnectThrottle>,
    words: Words,
    frame_bytes_max: u32,
    /// How long a connection may stay without saying connect, or without taking its last reply.
    sessionless_timeout_ms: u64,
    listeners: Vec<Listening>,
    /// Clients for other shards.
    dealt: Vec<Dealt>,
    sweep: Sweep,
    /// The time of this turn, and whom it has sent away.
    now_ms: u64,
    refusals: Rare,
    /// The same of connections that were closed because of what they sent.
    closings: Rare,
    counts: SocketCounts,
}

/// What became of sockets since the start, or since it was reset.
#[derive(Clone, Copy, Debug, Default)]
struct SocketCounts {
    /// Closed by their clients.
    dropped: u64,
    /// Closed because they never said connect.
    sessionless: u64,
    /// What the gate had refused by the last reset.
    rejected_before: u64,
}

impl Clients {
    /// The sockets of `shard`, none yet. A connection that has not said connect after
    /// `sessionless_timeout_ms` is closed.
    pub fn new(
        shard: Shard,
        index: u16,
        (gate, throttle): (Arc<ConnectionGate>, Arc<ConnectThrottle>),
        words: Words,
        frame_bytes_max: u32,
        sessionless_timeout_ms: u64,
    ) -> Self {
        Self {
            shard,
            index,
            sockets: Slab::new(),
            by_slot: Vec::new(),
            paused: Vec::new(),
            gate,
            throttle,
            words,
            frame_bytes_max,
            sessionless_timeout_ms,
            listeners: Vec::new(),
            dealt: Vec::new(),
            sweep: Sweep::Resting { since_ms: 0 },
            now_ms: 0,
            refusals: Rare::default(),
            closings: Rare::default(),
            counts: SocketCounts::default(),
        }
    }

    /// A turn begins: everything in it happens at this time. To be called before the loop's inbox
    /// is emptied.
    pub fn begin_turn(&mut self, now: Now) {
        self.shard.begin_turn(now);
        // The first shard's loop accepts for all.
        let dealt_ms = if self.index == 0 { now.mono_ms } else { self.gate.dealt_ms() };
        self.shard.maybe_look(dealt_ms);
    }

    /// Connections accepted for other shards have been handed to their loops.
    pub fn dealt(&self) {
        if self.index == 0 {
            self.gate.dealt_until(self.shard.read_until_ms());
        }
    }

    /// Bytes of a client.
    pub fn received(&mut self, queue: &mut Queue<'_>, place: u32, bytes: &[u8]) {
        self.take_frames(queue, place, Some(bytes));
    }

    /// Gives the shard the frames that `bytes` complete, or the ones that a pause has kept.
    fn take_frames(&mut self, queue: &mut Queue<'_>, place: u32, bytes: Option<&[u8]>) {
        let Some(socket) = self.sockets.get_mut(place as usize) else { return };
        let is_heard = match socket.input {
            Input::Open => true,
            Input::Ended => bytes.is_none(),
            Input::Over => false,
        };
        if !is_heard || !matches!(socket.stage, Stage::Open(_)) || socket.ending_since_ms.is_some()
        {
            return;
        }
        let (connection, sending_bytes) = (socket.connection, socket.sending_bytes);
        let is_extra = socket.seat.is_extra();
        let decoder = &mut socket.decoder;
        let shard = &mut self.shard;
        let throttle = &self.throttle;
        let (mut refused, mut is_throttled) = (None::<Refused>, false);
        let tell = |frame: &[u8]| {
            if is_extra {
                return Flow::PauseBefore;
            }
            if !shard.is_reading(connection, sending_bytes) {
                // It waits for its turn, which is a sign of life all the same.
                shard.touch(connection);
                return Flow::PauseBefore;
            }
            if let Some(is_known) = shard.connect_of(connection, frame)
                && !throttle.admits(is_known, shard.now().mono_ms)
            {
                is_throttled = true;
                return Flow::PauseAfter;
            }
            match shard.frame(connection, frame) {
                Ok(()) => Flow::Continue,
                Err(why) => {
                    refused = Some(why);
                    Flow::PauseAfter
                }
            }
        };
        let fed = match bytes {
            Some(bytes) => decoder.feed(bytes, tell),
            None => decoder.resume(tell),
        };
        let is_word = matches!(fed, Ok(Fed::FourLetterWord(_)));
        if is_extra && !is_word && socket.decoder.kept_bytes() >= WORD_BYTES {
            if self.maybe_refuse(queue, place) {
                return;
            }
            // There is room: it is a connection like any other.
            return self.take_frames(queue, place, None);
        }
        if is_throttled {
            debug!(peer = %socket.peer, "connection closed: too many connects at once");
            return self.close(queue, place);
        }
        if let Some(why) = refused {
            return self.end_input(queue, place, &why);
        }
        match fed {
            Ok(fed) => self.go_on(queue, place, fed),
            Err(error) => self.end_input(queue, place, &error),
        }
    }

    /// Receives more, or waits until the shard takes more, or knows that nothing follows.
    fn go_on(&mut self, queue: &mut Queue<'_>, place: u32, fed: Fed) {
        let socket = &mut self.sockets[place as usize];
        match fed {
            Fed::All => {
                socket.is_paused = false;
                if socket.input == Input::Ended {
                    socket.input = Input::Over;
                    self.shard.finish(socket.connection);
                } else if socket.receive.is_none()
                    && let Stage::Open(fd) = &socket.stage
                {
                    socket.receive = Some(queue.recv_multishot(fd, Kind::Receive(place).token()));
                }
            }
            Fed::Paused => {
                if !socket.is_paused {
                    socket.is_paused = true;
                    self.paused.push(place);
                }
                if socket.decoder.kept_bytes() > PAUSED_BYTES_MAX
                    && let Some(receive) = socket.receive
                {
                    queue.cancel(receive);
                }
            }
            Fed::FourLetterWord(word) => self.leave(queue, place, word),
        }
    }

    /// A send has ended: the buffer is free, and what has gathered meanwhile goes next.
    pub fn sent(
        &mut self,
        queue: &mut Queue<'_>,
        place: u32,
        buffer: Vec<u8>,
        result: Result<usize, ring::Errno>,
    ) {
        let Some(socket) = self.sockets.get_mut(place as usize) else { return };
        self.shard.sent(buffer, std::mem::take(&mut socket.sending_bytes));
        socket.send = None;
        match (&socket.stage, result) {
            (Stage::Open(_), Ok(_)) => {
                let connection = socket.connection;
                self.send(queue, connection);
            }
            // It takes nothing any more. What it has sent may not all be received yet.
            (Stage::Open(_), Err(_)) => self.shard.hang_up(socket.connection),
            (Stage::Leaving(..) | Stage::Closed, _) => self.release(place),
        }
    }

    /// Sends what a connection has to say, unless a send is under way.
    fn send(&mut self, queue: &mut Queue<'_>, connection: ConnectionId) {
        let Some(&place) = self.by_slot.get(connection.slot as usize) else { return };
        let Some(socket) = self.sockets.get_mut(place as usize) else { return };
        if socket.connection != connection || socket.sending_bytes > 0 {
            return;
        }
        let Stage::Open(fd) = &socket.stage else { return };
        match self.shard.take_output(connection) {
            Some(buffer) => {
                socket.sending_bytes = buffer.len();
                socket.send = Some(queue.send(fd, buffer, Kind::Send(place).token()));
            }
            None if self.shard.is_held(connection) => (),
            None if socket.ending_since_ms.is_some() => self.close(queue, place),
            None => (),
        }
    }

    /// The end of a turn: sends, closes what is ending, takes what a pause has kept.
    pub fn end_turn(&mut self, queue: &mut Queue<'_>, now_ms: u64) {
        self.shard.forget_watches();
        self.shard.renew_shares();
        self.dismiss(queue);
        let mut dirty = Vec::new();
        std::mem::swap(&mut dirty, self.shard.dirty_mut());
        for slot in dirty.drain(..) {
            if let Some(connection) = self.shard.clean(slot) {
                self.send(queue, connection);
            }
        }
        std::mem::swap(&mut dirty, self.shard.dirty_mut());
        self.close_ending(queue, now_ms);
        if self.shard.is_overfull() {
            self.relieve(queue);
        }
        if !self.paused.is_empty() {
            self.resume(queue);
        }
        self.accept_more(queue);
    }

    fn resume(&mut self, queue: &mut Queue<'_>) {
        let paused = std::mem::take(&mut self.paused);
        for place in paused {
            let Some(socket) = self.sockets.get_mut(place as usize) else { continue };
            if !socket.is_paused || !matches!(socket.stage, Stage::Open(_)) {
                continue;
            }
            if self.shard.is_reading(socket.connection, socket.sending_bytes) {
                socket.is_paused = false;
                self.take_frames(queue, place, None);
            } else {
                self.paused.push(place);
            }
        }
    }

    /// Answers what the admin thread asks of this shard.
    pub(super) fn answer(&mut self, inquiry: ShardInquiry) {
        if matches!(inquiry, ShardInquiry::ResetCounts(_)) {
            self.reset_counts();
        }
        let mut metrics = None;
        if matches!(inquiry, ShardInquiry::Metrics(_)) {
            self.tell(metrics.get_or_insert_default());
        }
        let Self { shard, sockets, by_slot, .. } = self;
        let unsent_bytes = |connection: ConnectionId| {
            let place = by_slot.get(connection.slot as usize);
            let socket = place.and_then(|&place| sockets.get(place as usize));
            let socket = socket.filter(|socket| socket.connection == connection);
            socket.map_or(0, |socket| socket.sending_bytes)
        };
        fill::shard(inquiry, shard, unsent_bytes, metrics.unwrap_or_default());
    }

    /// Fills a report with what became of sockets. Connections that were not let in are told by
    /// the first shard alone, which accepts for all.
    fn tell(&self, metrics: &mut Metrics) {
        if self.index == 0 {
            let rejected = u64::from(self.gate.rejected()) - self.counts.rejected_before;
            let (deficits, throttled) = self.throttle.counts();
            metrics.count(Counter::ConnectionRejected, rejected + throttled);
            metrics.tally(Measure::ConnectionTokenDeficit, &deficits);
        }
        metrics.count(Counter::ConnectionDropCount, self.counts.dropped);
        metrics.count(Counter::SessionlessConnectionsExpired, self.counts.sessionless);
    }

    /// Forgets what became of sockets.
    fn reset_counts(&mut self) {
        let rejected_before = u64::from(self.gate.rejected());
        self.counts = SocketCounts { rejected_before, ..SocketCounts::default() };
    }

    /// Count of sockets whose operations have not all completed.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}
