//! A shard's sockets: accepted, framed, sent to and closed.
//!
//! Invariants: one receive and one send at a time are in flight for a socket; its place is used
//! again only when neither is (guard: the assertions in `Sockets::release`).

use super::gate::{ConnectionGate, Denied};
use super::throttle::ConnectThrottle;
use super::token::Kind;
use crate::admin::metrics::{Counter, Measure, Metrics};
use crate::admin::{WordRequest, Words};
use engine::batch::ConnectionId;
use engine::limits::KEPT_SLOTS_MAX;
use engine::settings::Now;
use engine::shard::{Connection, Refused, Shard};
use net::client::{Fed, Flow, FourLetterWord, Inbox};
use net::listener::{self, Listener};
use ring::{OpId, Queue};
use slab::Slab;
use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tracing::{debug, info, warn};

/// Bytes that a paused connection may have sent before its socket is not read any more.
const PAUSED_BYTES_MAX: usize = 64 << 10;

/// Connections accepted in one turn before the listener rests until the next.
const ACCEPTED_PER_TURN_MAX: u32 = 64;

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

#[derive(Debug)]
struct Socket {
    stage: Stage,
    peer: SocketAddr,
    connection: ConnectionId,
    inbox: Inbox,
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
    /// Which shard gets it.
    pub shard: u16,
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
    sessionless_checked_ms: u64,
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

/// Lets a line a second through: a storm is not to fill the disk.
#[derive(Debug, Default)]
struct Rare {
    told_ms: Option<u64>,
    untold: u64,
}

impl Rare {
    /// Whether a line may be told now, and how many were not told since the last.
    fn admits(&mut self, now_ms: u64) -> Option<u64> {
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

struct Listening {
    listener: Listener,
    accept: Option<OpId>,
    accepted: u32,
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
            sessionless_checked_ms: 0,
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

    /// Whoever was accepted has been told to the loop that gets him.
    pub fn dealt(&self) {
        if self.index == 0 {
            self.gate.dealt_until(self.shard.heard_ms());
        }
    }

    /// Begins to accept.
    pub fn listen(&mut self, queue: &mut Queue<'_>, listener: Listener) {
        let place = self.listeners.len() as u32;
        let accept = Some(queue.accept_multishot(&listener, Kind::Accept(place).token()));
        self.listeners.push(Listening { listener, accept, accepted: 0 });
    }

    /// Stops accepting.
    pub fn stop_listening(&mut self, queue: &mut Queue<'_>) {
        for listening in self.listeners.drain(..) {
            if let Some(accept) = listening.accept {
                queue.cancel(accept);
            }
            let fd: OwnedFd = listening.listener.into();
            queue.close(fd);
        }
    }

    /// A client was accepted: decides whether it may stay, and whose it is.
    pub fn accepted(&mut self, queue: &mut Queue<'_>, place: u32, socket: OwnedFd) {
        if let Some(listening) = self.listeners.get_mut(place as usize) {
            listening.accepted += 1;
            if listening.accepted >= ACCEPTED_PER_TURN_MAX
                && let Some(accept) = listening.accept.take()
            {
                queue.cancel(accept);
            }
        }
        let Ok(peer) = listener::peer_address(&socket) else {
            return queue.close_after(socket, None);
        };
        match self.gate.admit(peer) {
            Ok(shard) if shard == self.index => {
                self.open(queue, Dealt { socket, peer, shard });
            }
            Ok(shard) => self.dealt.push(Dealt { socket, peer, shard }),
            Err(denied) => {
                self.tell_refused(peer, denied);
                queue.close_after(socket, None);
            }
        }
    }

    fn tell_refused(&mut self, peer: SocketAddr, denied: Denied) {
        if let Some(untold) = self.refusals.admits(self.now_ms) {
            warn!(%peer, untold, "connection refused: {denied}");
        }
    }

    /// Closes a connection because of what it did, and says so.
    fn send_away(&mut self, queue: &mut Queue<'_>, place: u32, why: &dyn Display) {
        if let Some(untold) = self.closings.admits(self.now_ms) {
            info!(peer = %self.sockets[place as usize].peer, untold, "connection closed: {why}");
        }
        self.close(queue, place);
    }

    /// Accepting ended: by its own hand, or because the process has no descriptors left.
    pub fn accept_ended(&mut self, place: u32, errno: ring::Errno) {
        if let Some(listening) = self.listeners.get_mut(place as usize) {
            if errno != ring::Errno::ECANCELED {
                warn!(
                    "accepting was interrupted: {errno}; raise the limit on open files (ulimit -n)"
                );
            }
            listening.accept = None;
        }
    }

    /// Clients for other shards, drained by the caller.
    pub fn take_dealt(&mut self) -> std::vec::Drain<'_, Dealt> {
        self.dealt.drain(..)
    }

    /// A client that the gate gave to this shard.
    pub fn open(&mut self, queue: &mut Queue<'_>, dealt: Dealt) {
        let Dealt { socket, peer, .. } = dealt;
        let connection = self.shard.open(peer);
        let place = self.sockets.vacant_key() as u32;
        let receive = Some(queue.recv_multishot(&socket, Kind::Receive(place).token()));
        self.sockets.insert(Socket {
            stage: Stage::Open(socket),
            peer,
            connection,
            inbox: Inbox::new(self.frame_bytes_max),
            receive,
            send: None,
            sending_bytes: 0,
            ending_since_ms: None,
            is_paused: false,
        });
        let slot = connection.slot as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, u32::MAX);
        }
        self.by_slot[slot] = place;
        debug!(%peer, "accepted");
    }

    /// Bytes of a client.
    pub fn received(&mut self, queue: &mut Queue<'_>, place: u32, bytes: &[u8]) {
        self.take_frames(queue, place, Some(bytes));
    }

    /// Gives the shard the frames that `bytes` complete, or the ones that a pause has kept.
    fn take_frames(&mut self, queue: &mut Queue<'_>, place: u32, bytes: Option<&[u8]>) {
        let Some(socket) = self.sockets.get_mut(place as usize) else { return };
        if !matches!(socket.stage, Stage::Open(_)) || socket.ending_since_ms.is_some() {
            return;
        }
        let (connection, sending_bytes) = (socket.connection, socket.sending_bytes);
        let inbox = &mut socket.inbox;
        let shard = &mut self.shard;
        let throttle = &self.throttle;
        let (mut refused, mut is_throttled) = (None::<Refused>, false);
        let tell = |frame: &[u8]| {
            if !shard.is_reading(connection, sending_bytes) {
                // It waits for its turn, which is a sign of life all the same.
                shard.hear(connection);
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
            Some(bytes) => inbox.feed(bytes, tell),
            None => inbox.resume(tell),
        };
        if is_throttled {
            debug!(peer = %socket.peer, "connection closed: too many connects at once");
            return self.close(queue, place);
        }
        if let Some(why) = refused {
            return self.send_away(queue, place, &why);
        }
        match fed {
            Ok(Fed::All) => {
                socket.is_paused = false;
                if socket.receive.is_none()
                    && let Stage::Open(fd) = &socket.stage
                {
                    socket.receive = Some(queue.recv_multishot(fd, Kind::Receive(place).token()));
                }
            }
            Ok(Fed::Paused) => {
                if !socket.is_paused {
                    socket.is_paused = true;
                    self.paused.push(place);
                }
                if socket.inbox.kept_bytes() > PAUSED_BYTES_MAX
                    && let Some(receive) = socket.receive
                {
                    queue.cancel(receive);
                }
            }
            Ok(Fed::FourLetterWord(word)) => self.leave(queue, place, word),
            Err(error) => self.send_away(queue, place, &error),
        }
    }

    /// A word instead of a connect: the socket goes to the admin thread once its receive ended.
    fn leave(&mut self, queue: &mut Queue<'_>, place: u32, word: FourLetterWord) {
        let socket = &mut self.sockets[place as usize];
        if let Stage::Open(fd) = std::mem::replace(&mut socket.stage, Stage::Closed) {
            socket.stage = Stage::Leaving(fd, word);
            self.shard.close(socket.connection);
            if let Some(receive) = socket.receive {
                queue.cancel(receive);
            }
        }
    }

    /// A receive has ended: at the peer's end, by an error, or cancelled.
    pub fn receive_ended(&mut self, queue: &mut Queue<'_>, place: u32, was_cancelled: bool) {
        let Some(socket) = self.sockets.get_mut(place as usize) else { return };
        socket.receive = None;
        match &socket.stage {
            Stage::Open(fd) if was_cancelled => {
                // A pause: armed again when what it kept is taken, perhaps already.
                if !socket.inbox.is_paused() {
                    socket.receive = Some(queue.recv_multishot(fd, Kind::Receive(place).token()));
                }
            }
            Stage::Open(_) => {
                self.counts.dropped += 1;
                self.close(queue, place);
            }
            Stage::Leaving(..) | Stage::Closed => self.release(place),
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
        self.shard.recycle(buffer);
        let Some(socket) = self.sockets.get_mut(place as usize) else { return };
        self.shard.end_send(std::mem::take(&mut socket.sending_bytes));
        socket.send = None;
        match (&socket.stage, result) {
            (Stage::Open(_), Ok(_)) => {
                let connection = socket.connection;
                self.send(queue, connection);
            }
            (Stage::Open(_), Err(_)) => self.close(queue, place),
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
                self.shard.begin_send(buffer.len());
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
        let mut dirty = Vec::new();
        std::mem::swap(&mut dirty, self.shard.dirty_mut());
        for slot in dirty.drain(..) {
            if let Some(connection) = self.shard.clean(slot) {
                self.send(queue, connection);
            }
        }
        std::mem::swap(&mut dirty, self.shard.dirty_mut());
        for connection in self.shard.take_ending() {
            let Some(&place) = self.by_slot.get(connection.slot as usize) else { continue };
            let Some(socket) = self.sockets.get_mut(place as usize) else { continue };
            if socket.connection == connection {
                socket.ending_since_ms.get_or_insert(now_ms);
                if self.shard.connection(connection).is_some_and(|held| held.is_cut) {
                    self.close(queue, place);
                    continue;
                }
                if socket.sending_bytes == 0 {
                    self.send(queue, connection);
                }
            }
        }
        if self.shard.is_overfull() {
            self.relieve(queue);
        }
        if !self.paused.is_empty() {
            self.resume(queue);
        }
        for place in 0..self.listeners.len() {
            let listening = &mut self.listeners[place];
            listening.accepted = 0;
            if listening.accept.is_none() {
                let token = Kind::Accept(place as u32).token();
                listening.accept = Some(queue.accept_multishot(&listening.listener, token));
            }
        }
    }

    /// Closes whoever leaves the most unsent.
    fn relieve(&mut self, queue: &mut Queue<'_>) {
        let open = self.sockets.iter().filter(|(_, s)| matches!(s.stage, Stage::Open(_)));
        let waiting = open.map(|(place, socket)| {
            let held = self.shard.connection(socket.connection);
            (socket.sending_bytes + held.map_or(0, Connection::unsent_bytes), place)
        });
        if let Some((bytes, place)) = waiting.max() {
            self.send_away(queue, place as u32, &Overfull(bytes));
        }
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

    /// Closes the connections that have not said connect for too long, and those that do not take
    /// the last they are told.
    pub fn close_sessionless(&mut self, queue: &mut Queue<'_>, now_ms: u64) {
        self.now_ms = now_ms;
        if now_ms < self.sessionless_checked_ms + 1_000 {
            return;
        }
        self.sessionless_checked_ms = now_ms;
        let capacity = self.sockets.capacity();
        if capacity > KEPT_SLOTS_MAX && self.sockets.len() < capacity / 4 {
            self.sockets.shrink_to_fit();
        }
        for connection in self.shard.sessionless(self.sessionless_timeout_ms) {
            let place = self.by_slot[connection.slot as usize];
            self.counts.sessionless += 1;
            self.send_away(queue, place, &"it never said connect");
        }
        let limit_ms = self.sessionless_timeout_ms;
        let is_stuck = |socket: &Socket| {
            let is_open = matches!(socket.stage, Stage::Open(_));
            is_open && socket.ending_since_ms.is_some_and(|since_ms| since_ms + limit_ms <= now_ms)
        };
        let stuck = self.sockets.iter().filter(|(_, socket)| is_stuck(socket));
        let stuck: Vec<u32> = stuck.map(|(place, _)| place as u32).collect();
        for place in stuck {
            self.send_away(queue, place, &"it does not take its last reply");
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

    fn close(&mut self, queue: &mut Queue<'_>, place: u32) {
        let socket = &mut self.sockets[place as usize];
        if let Stage::Open(fd) = std::mem::replace(&mut socket.stage, Stage::Closed) {
            self.shard.close(socket.connection);
            queue.close_after(fd, socket.receive.into_iter().chain(socket.send));
            self.release(place);
        }
    }

    /// Frees a place whose operations have all completed.
    fn release(&mut self, place: u32) {
        let socket = &self.sockets[place as usize];
        if socket.receive.is_some() || socket.sending_bytes > 0 {
            return;
        }
        assert!(!matches!(socket.stage, Stage::Open(_)), "an open socket was released");
        let socket = self.sockets.remove(place as usize);
        self.gate.leave(socket.peer, self.index);
        if let Stage::Leaving(fd, word) = socket.stage {
            let rest = socket.inbox.into_rest();
            let request = WordRequest { socket: fd, word, rest };
            // A full channel drops the word and closes the socket: words are asked again.
            if !self.words.hand_over(request) {
                warn!(peer = %socket.peer, "too many four-letter words at once");
            }
        }
    }

    /// Bytes in flight to each client that has any.
    pub(super) fn unsent(&self) -> HashMap<ConnectionId, usize> {
        let sending = self.sockets.iter().filter(|(_, socket)| socket.sending_bytes > 0);
        sending.map(|(_, socket)| (socket.connection, socket.sending_bytes)).collect()
    }

    /// Fills a report with what became of sockets. Connections that were not let in are told by
    /// the first shard alone, which accepts for all.
    pub(super) fn tell(&self, metrics: &mut Metrics) {
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
    pub(super) fn reset_counts(&mut self) {
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

    /// Closes every connection: the server stops.
    pub fn close_all(&mut self, queue: &mut Queue<'_>) {
        let places: Vec<u32> = self.sockets.iter().map(|(place, _)| place as u32).collect();
        for place in places {
            self.close(queue, place);
        }
    }
}
