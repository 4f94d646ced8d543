//! A shard's clients: let in, framed, answered and closed.
//!
//! The map: `accept` (who is let in), this file (what is received and sent), `ends` (how a
//! connection is closed, and what counts until then), `moving` (clients that go to other servers),
//! `shed` (which of them, and when). This module knows what a client is, and [`super::sockets`] the
//! life of its socket.
//!
//! Invariant: every whole frame that was received is given to the shard before the end is (guard:
//! `tests/conformance/ends.rs`).

mod accept;
mod ends;
mod moving;
mod shed;

use super::rare::Rare;
use super::sockets::{Event, Owner, Place, Sockets, Spent};
use crate::admin::inquiry::ShardInquiry;
use crate::admin::metrics::{Counter, Measure, Metrics};
use crate::admin::{Words, fill};
use crate::gate::{ConnectThrottle, ConnectionGate, Seat};
use ends::Sweep;
use engine::batch::ConnectionId;
use engine::settings::Now;
use engine::shard::{Refused, Shard};
use moving::Shedding;
use net::client::{Fed, Flow, FrameDecoder};
use ring::{Completion, Errno, Queue};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tracing::{debug, warn};

/// Bytes that a paused connection may have sent before its socket is not read any more.
const PAUSED_BYTES_MAX: usize = 64 << 10;

/// Bytes that tell a four-letter word from anything else.
const WORD_BYTES: usize = 4;

/// What is kept with a client's socket.
#[derive(Debug)]
struct Client {
    peer: SocketAddr,
    /// What the gate counts, until the last operation has completed or a word is answered.
    seat: Seat,
    connection: ConnectionId,
    decoder: FrameDecoder,
    /// The shard knows that nothing follows what it was given.
    is_finished: bool,
    /// Listed in [`Clients::paused`].
    is_paused: bool,
}

/// A client on its way to the shard that gets it.
#[derive(Debug)]
pub struct Dealt {
    /// Its socket.
    pub socket: OwnedFd,
    /// Its address.
    pub peer: SocketAddr,
    /// What the gate counts.
    pub seat: Seat,
}

/// The clients of one shard.
///
/// Lives in: the core loop that hosts the shard.
pub struct Clients {
    /// The shard that serves them.
    pub shard: Shard,
    index: u16,
    sockets: Sockets<Client>,
    /// The socket of each slot of the shard.
    by_slot: Vec<Option<Place>>,
    paused: Vec<Place>,
    gate: Arc<ConnectionGate>,
    throttle: Arc<ConnectThrottle>,
    words: Words,
    frame_bytes_max: u32,
    /// How long a connection may stay without a connect request, or without taking its last reply.
    sessionless_timeout_ms: u64,
    /// Clients for other shards.
    dealt: Vec<Dealt>,
    sweep: Sweep,
    shedding: Shedding,
    /// The time of this turn.
    now_ms: u64,
    /// Limits the log lines about connections that are not let in.
    refusals: Rare,
    /// Limits those about connections that are closed because of what they sent.
    closings: Rare,
    counts: SocketCounts,
}

/// What became of sockets since the start, or since it was reset.
#[derive(Clone, Copy, Debug, Default)]
struct SocketCounts {
    /// Closed by their clients.
    dropped: u64,
    /// Closed because they never sent a connect request.
    sessionless: u64,
    /// What the gate had refused by the last reset.
    rejected_before: u64,
}

impl Clients {
    /// The clients of `shard`, none yet. A connection without a connect request is closed after
    /// `sessionless_timeout_ms`.
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
            sockets: Sockets::new(Owner::Clients),
            by_slot: Vec::new(),
            paused: Vec::new(),
            gate,
            throttle,
            words,
            frame_bytes_max,
            sessionless_timeout_ms,
            dealt: Vec::new(),
            sweep: Sweep::Resting { since_ms: 0 },
            shedding: Shedding::default(),
            now_ms: 0,
            refusals: Rare::default(),
            closings: Rare::default(),
            counts: SocketCounts::default(),
        }
    }

    /// A turn begins: everything in it happens at this time. To be called before the loop's decoder
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

    /// The loop spent this share of the last second or more in turns, in thousandths.
    pub fn report_busy(&self, permille: u32) {
        self.gate.report_busy(self.index, permille, self.shard.now().mono_ms);
    }

    /// An operation on a client's socket or a listener has completed.
    #[inline]
    pub fn handle(&mut self, queue: &mut Queue<'_>, completion: Completion<'_>) {
        match self.sockets.handle(queue, completion) {
            Event::Received { place, bytes } => self.take_frames(queue, place, Some(bytes)),
            Event::Sent { place, spent, result } => self.sent(queue, place, spent, result),
            Event::Returned(spent) => self.shard.sent(spent.buffer, spent.bytes),
            Event::Ended { place, end } => self.receive_ended(queue, place, end),
            Event::Detached(detached) => self.hand_over(detached),
            Event::Accepted(fd) => self.accepted(queue, fd),
            Event::AcceptFailed(errno) => warn!(
                "accepting was interrupted: {errno}; raise the limit on open files (ulimit -n)"
            ),
            // Clients connect to this server, not the other way round.
            Event::Opened(_) | Event::NotConnected { .. } | Event::Nothing => (),
        }
    }

    /// The socket of a connection, if it is still open.
    fn place_of(&self, connection: ConnectionId) -> Option<Place> {
        place_of(&self.sockets, &self.by_slot, connection)
    }

    /// Gives the shard the frames that `bytes` complete, or the ones that a pause has kept.
    fn take_frames(&mut self, queue: &mut Queue<'_>, place: Place, bytes: Option<&[u8]>) {
        let sending_bytes = self.sockets.sending_bytes(place);
        let Some(client) = self.sockets.find_mut(place) else { return };
        if client.is_finished {
            return;
        }
        let connection = client.connection;
        let is_extra = client.seat.is_extra();
        let decoder = &mut client.decoder;
        let shard = &mut self.shard;
        let throttle = &self.throttle;
        let (mut refused, mut is_throttled) = (None::<Refused>, false);
        let tell = |frame: &[u8]| {
            if is_extra {
                return Flow::PauseBefore;
            }
            if !shard.is_reading(connection, sending_bytes) {
                // It waits for its turn, which is a sign of life nevertheless.
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
        if is_extra && !is_word && decoder.kept_bytes() >= WORD_BYTES {
            if self.maybe_refuse(queue, place) {
                return;
            }
            // There is room: it is a connection like any other.
            return self.take_frames(queue, place, None);
        }
        if is_throttled {
            debug!(peer = %client.peer, "connection closed: too many connects at once");
            return self.close(queue, place);
        }
        if let Some(why) = refused {
            return self.end_input(queue, place, &why);
        }
        match fed {
            Ok(fed) => self.proceed(queue, place, fed),
            Err(error) => self.end_input(queue, place, &error),
        }
    }

    /// Receives more, or waits until the shard takes more, or reports that nothing follows.
    fn proceed(&mut self, queue: &mut Queue<'_>, place: Place, fed: Fed) {
        let Some(client) = self.sockets.find_mut(place) else { return };
        match fed {
            Fed::All => {
                client.is_paused = false;
                if !self.sockets.resume(queue, place) {
                    self.finish(place);
                }
            }
            Fed::Paused => {
                if !client.is_paused {
                    client.is_paused = true;
                    self.paused.push(place);
                }
                if client.decoder.kept_bytes() > PAUSED_BYTES_MAX {
                    self.sockets.pause(queue, place);
                }
            }
            Fed::FourLetterWord(_) => self.detach(queue, place),
        }
    }

    /// A send has ended: the buffer is free, and what has accumulated meanwhile is sent next.
    fn sent(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        spent: Spent,
        result: Result<(), Errno>,
    ) {
        self.shard.sent(spent.buffer, spent.bytes);
        let Some(client) = self.sockets.find(place) else { return };
        let connection = client.connection;
        match result {
            Ok(()) => self.send_to(queue, place, connection),
            // The peer takes nothing any more. Not all that it has sent may be received yet.
            Err(_) => self.shard.hang_up(connection),
        }
    }

    /// Sends what a connection has to be sent, unless a send is in flight.
    fn send(&mut self, queue: &mut Queue<'_>, connection: ConnectionId) {
        if let Some(place) = self.place_of(connection) {
            self.send_to(queue, place, connection);
        }
    }

    fn send_to(&mut self, queue: &mut Queue<'_>, place: Place, connection: ConnectionId) {
        let Some(sender) = self.sockets.sender(place) else { return };
        match self.shard.take_output(connection) {
            Some(buffer) => sender.send(queue, buffer),
            None if self.shard.is_held(connection) => (),
            None if self.sockets.lingering_since_ms(place).is_some() => self.close(queue, place),
            None => (),
        }
    }

    /// The end of a turn: sends, closes what is ending, takes the frames that a pause has kept.
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
        self.maybe_shed(queue, now_ms);
        self.sockets.accept_more(queue);
    }

    fn resume(&mut self, queue: &mut Queue<'_>) {
        let paused = std::mem::take(&mut self.paused);
        for place in paused {
            let sending_bytes = self.sockets.sending_bytes(place);
            let Some(client) = self.sockets.find_mut(place) else { continue };
            if !client.is_paused {
                continue;
            }
            if self.shard.is_reading(client.connection, sending_bytes) {
                client.is_paused = false;
                self.take_frames(queue, place, None);
            } else {
                self.paused.push(place);
            }
        }
    }

    /// Answers an inquiry of the admin thread.
    pub(super) fn answer(&mut self, inquiry: ShardInquiry) {
        let inquiry = match inquiry {
            ShardInquiry::Moving(inquiry) => return self.answer_moving(inquiry),
            other => other,
        };
        if matches!(inquiry, ShardInquiry::ResetCounts(_)) {
            self.reset_counts();
        }
        let mut metrics = None;
        if matches!(inquiry, ShardInquiry::Metrics(_)) {
            self.fill(metrics.get_or_insert_default());
        }
        let busy_permille = self.gate.busy_permille(self.index, self.shard.now().mono_ms);
        let Self { shard, sockets, by_slot, .. } = self;
        let unsent_bytes = |connection: ConnectionId| {
            let place = place_of(sockets, by_slot, connection);
            place.map_or(0, |place| sockets.sending_bytes(place))
        };
        let of_loop = fill::OfLoop { busy_permille, metrics: metrics.unwrap_or_default() };
        fill::shard(inquiry, shard, unsent_bytes, of_loop);
    }

    /// Fills a report with what became of sockets. Connections that were not let in are reported by
    /// the first shard alone, which accepts for all.
    fn fill(&self, metrics: &mut Metrics) {
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

    /// When there is something to do that no completion begins, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        self.shard.deadline_ms().min(self.shed_deadline_ms())
    }

    /// Whether there is no socket left, and no operation in flight for one.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}

fn place_of(
    sockets: &Sockets<Client>,
    by_slot: &[Option<Place>],
    connection: ConnectionId,
) -> Option<Place> {
    let place = by_slot.get(connection.slot as usize).copied().flatten()?;
    sockets.find(place).filter(|client| client.connection == connection).map(|_| place)
}
