//! A shard: owns connections, serves their reads from its view, hands over their writes, holds
//! their watches and answers them.
//!
//! A turn of its core loop: what was received goes to [`Shard::frame`]; [`Shard::drain`] handles
//! the batches published since; [`Shard::serve`] answers the reads of the turn from the view that
//! this leaves; then the bundle of writes is handed over and each dirty connection's output sent.
//!
//! Invariants: a read never overtakes an earlier write of its session, nor a write an earlier
//! read that is parked; a client sees an event before any reply that shows the change (guards:
//! `crate::tests::pipelines`, `crate::tests::watches`).
//!
//! Lives in: each core loop that hosts a shard. Not here: sockets and framing (`net`), what
//! becomes of a write (`ordering`).

mod connection;
mod deliver;
mod ends;
mod intake;
mod listings;
mod long;
mod output;
mod paths;
mod read;
mod spare;
#[cfg(test)]
mod tests;
mod watch;
mod watch_ops;

pub use connection::{Connection, ConnectionCounts, Farewell, Phase, Stream};
pub use intake::Refused;
pub use watch::{Told, WatchMode, WatchTable};

use crate::acl::identity::Identities;
use crate::batch::{ConnectionId, Cursor};
use crate::limits::{
    BUNDLE_BYTES_MAX, CROWD_PARKED_BYTES_MAX, CROWD_UNSENT_BYTES_MAX, FORGOTTEN_PER_TURN,
    KEPT_SLOTS_MAX, LONG_UNITS_PER_TURN, PARKED_BYTES_MAX, PARKED_SHARE_BYTES, UNSENT_BYTES_MAX,
    UNSENT_SHARE_BYTES,
};
use crate::message::{Bundle, ToOrdering, ToShard};
use crate::meter::{Tally, Traffic};
use crate::settings::{Now, Settings};
use crate::state::State;
use crate::tree::Reader;
use listings::KeptListings;
use long::Long;
use model::op::Op;
use model::session::SessionId;
use slab::Slab;
use spare::SpareBuffers;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

/// A request of this turn that is answered here.
#[derive(Clone, Debug)]
struct Queued {
    slot: u32,
    serial: u32,
    xid: i32,
    op: Op,
    body: Range<usize>,
    received_ms: u64,
}

/// What a shard has done since it started or was reset.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShardCounts {
    /// Packets from clients.
    pub received: u64,
    /// Packets to clients, events included.
    pub sent: u64,
    /// Answers, and how long they took together, at least and at most, in ms.
    pub answered: u64,
    /// Sum of the latencies, in ms.
    pub latency_ms_sum: u64,
    /// The shortest, in ms.
    pub latency_ms_min: u64,
    /// The longest, in ms.
    pub latency_ms_max: u64,
    /// Credentials that were refused.
    pub auth_failed: u64,
    /// Length of the last response, in bytes.
    pub response_bytes_last: u64,
    /// Length of the longest response, in bytes.
    pub response_bytes_max: u64,
    /// Length of the shortest response, in bytes.
    pub response_bytes_min: u64,
}

/// What a shard has measured since it started or was reset.
#[derive(Clone, Debug, Default)]
pub struct ShardMeters {
    /// Bytes from clients, the lengths of packets included.
    pub bytes_received: u64,
    /// Bytes of replies, without the lengths of packets, pings and connects left out.
    pub response_bytes: u64,
    /// Bytes of events, likewise.
    pub event_bytes: u64,
    /// Requests, connects among them, credentials not.
    pub requests: u64,
    /// Connects.
    pub connects: u64,
    /// Connects that name a session.
    pub revalidations: u64,
    /// Requests refused because too many bytes of large ones were in flight.
    pub large_refused: u64,
    /// How long reads took, in ms.
    pub reads: Tally,
    /// How long writes took, in ms.
    pub updates: Tally,
    /// Connections told of a creation, deletion, change of data, change of children; an event that
    /// nobody watches is not counted.
    pub told: [Tally; 4],
    /// Bytes read, by the part of the tree.
    pub read_traffic: Traffic,
}

impl ShardMeters {
    /// Forgets the numbers.
    pub fn reset(&mut self) {
        let mut read_traffic = std::mem::take(&mut self.read_traffic);
        read_traffic.reset();
        *self = Self { read_traffic, ..Self::default() };
    }
}

/// A shard.
pub struct Shard {
    index: u16,
    settings: Arc<Settings>,
    reader: Reader<State>,
    cursor: Cursor,
    connections: Slab<Connection>,
    serial: u32,
    data_watches: WatchTable,
    child_watches: WatchTable,
    queue: Vec<Queued>,
    queue_bytes: Vec<u8>,
    bundle: Bundle,
    spare_bundles: Vec<Bundle>,
    to_ordering: Vec<ToOrdering>,
    dirty: Vec<u32>,
    buffers: SpareBuffers,
    /// Bytes of all connections: that wait to be sent, that are being sent, of parked requests.
    unsent_bytes: usize,
    sending_bytes: usize,
    parked_bytes: usize,
    /// Requests that are answered over several turns.
    longs: VecDeque<Long>,
    listings: KeptListings,
    /// What this turn may still do for them, and bytes of replies that it has made.
    units_left: usize,
    reply_bytes: usize,
    /// Counts the turns, for what a connection may do in one.
    turn: u32,
    /// Connections whose end comes when the reads of this turn are answered.
    ends: Vec<(u32, u32)>,
    /// Connections to be closed, and those from which nothing more is received.
    ending: Vec<ConnectionId>,
    dismissed: Vec<ConnectionId>,
    released: Vec<(u32, u32)>,
    touched: Vec<u32>,
    touch_report_ms: u64,
    in_flight: usize,
    in_flight_max: usize,
    /// Bytes of large requests in flight, and this shard's share of the limit.
    large_bytes: u64,
    large_bytes_max: u64,
    told: Told,
    told_of_children: Told,
    now: Now,
    /// What it has done.
    pub counts: ShardCounts,
    /// What it has measured.
    pub meters: ShardMeters,
}

impl Shard {
    /// Shard number `index` of `shards`.
    pub fn new(
        index: u16,
        shards: u16,
        settings: Arc<Settings>,
        reader: Reader<State>,
        cursor: Cursor,
    ) -> Self {
        let seed = settings.hash_seed;
        let large_bytes_max = settings
            .large
            .map_or(u64::MAX, |large| large.total_bytes_max / u64::from(shards.max(1)));
        let in_flight_max = (settings.outstanding_max / usize::from(shards.max(1))).max(1);
        Self {
            index,
            settings,
            reader,
            cursor,
            connections: Slab::new(),
            serial: 0,
            data_watches: WatchTable::new(seed),
            child_watches: WatchTable::new(seed),
            queue: Vec::new(),
            queue_bytes: Vec::new(),
            bundle: Bundle::default(),
            spare_bundles: Vec::new(),
            to_ordering: Vec::new(),
            dirty: Vec::new(),
            buffers: SpareBuffers::default(),
            unsent_bytes: 0,
            sending_bytes: 0,
            parked_bytes: 0,
            longs: VecDeque::new(),
            listings: KeptListings::default(),
            units_left: LONG_UNITS_PER_TURN,
            reply_bytes: 0,
            turn: 0,
            ends: Vec::new(),
            ending: Vec::new(),
            dismissed: Vec::new(),
            released: Vec::new(),
            touched: Vec::new(),
            touch_report_ms: 0,
            in_flight: 0,
            in_flight_max,
            large_bytes: 0,
            large_bytes_max,
            told: Told::default(),
            told_of_children: Told::default(),
            now: Now::default(),
            counts: ShardCounts::default(),
            meters: ShardMeters::default(),
        }
    }

    /// A turn begins: everything in it happens at this time.
    pub fn begin_turn(&mut self, now: Now) {
        self.now = now;
        self.renew_budget();
    }

    /// When this turn is.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Whether this packet is a connect request, and if so, whether it names a session.
    pub fn connect_of(&self, id: ConnectionId, packet: &[u8]) -> Option<bool> {
        self.connection(id).filter(|connection| connection.phase == Phase::Opening)?;
        let wish = model::request::ConnectRequest::decode(packet).ok()?;
        Some(wish.session_id != 0)
    }

    /// A client was accepted.
    pub fn open(&mut self, peer: SocketAddr) -> ConnectionId {
        self.serial = self.serial.wrapping_add(1);
        let slot = self.connections.insert(Connection {
            serial: self.serial,
            peer,
            phase: Phase::Opening,
            session: SessionId(0),
            timeout_ms: 0,
            stream: Stream::Open,
            is_gone: false,
            identities: Arc::new(Identities::of_address(peer.ip())),
            out: Vec::new(),
            parked: VecDeque::new(),
            parked_bytes: 0,
            counted_bytes: 0,
            in_flight: 0,
            large_bytes: 0,
            taken: 0,
            taken_turn: 0,
            last_request_ms: self.now.mono_ms,
            is_touched: false,
            is_dirty: false,
            progress: long::Progress::None,
            is_left: false,
            counts: ConnectionCounts::new(self.now.wall_ms),
        });
        ConnectionId { shard: self.index, slot: slot as u32, serial: self.serial }
    }

    /// A connection, if it is still that one.
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id.slot as usize).filter(|c| c.serial == id.serial)
    }

    /// Every connection.
    pub fn connections(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        let index = self.index;
        self.connections.iter().map(move |(slot, connection)| {
            let serial = connection.serial;
            (ConnectionId { shard: index, slot: slot as u32, serial }, connection)
        })
    }

    /// Forgets what the words `crst` and `srst` reset.
    pub fn reset_connection_counts(&mut self) {
        for (_, connection) in &mut self.connections {
            connection.counts.reset();
        }
    }

    /// The two watch tables: of data, of children.
    pub fn watches(&self) -> [&WatchTable; 2] {
        [&self.data_watches, &self.child_watches]
    }

    /// The session behind a slot that a watch table names.
    pub fn session_of(&self, slot: u32) -> SessionId {
        self.connections.get(slot as usize).map_or(SessionId(0), |c| c.session)
    }

    /// The newest version that this shard has seen.
    pub fn reader(&self) -> &Reader<State> {
        &self.reader
    }

    /// Whether the connection's next request may be taken now. While it may not, its bytes wait.
    pub fn is_reading(&self, id: ConnectionId, unsent_bytes: usize) -> bool {
        let Some(connection) = self.connection(id) else { return false };
        let is_open = matches!(connection.phase, Phase::Opening | Phase::Established)
            && connection.stream == Stream::Open;
        let has_room =
            connection.is_gone || connection.out.len() + unsent_bytes <= self.unsent_bytes_max();
        let is_over = self.in_flight >= self.in_flight_max && connection.outstanding() > 0;
        is_open
            && !is_over
            && connection.has_share(self.turn)
            && has_room
            && connection.parked_bytes < self.parked_bytes_max()
            && self.bundle.bytes.len() < BUNDLE_BYTES_MAX
    }

    /// What one connection may leave unsent, and parked.
    fn unsent_bytes_max(&self) -> usize {
        let is_crowded = self.unsent_bytes + self.sending_bytes > CROWD_UNSENT_BYTES_MAX;
        if is_crowded { UNSENT_SHARE_BYTES } else { UNSENT_BYTES_MAX }
    }

    fn parked_bytes_max(&self) -> usize {
        let is_crowded = self.parked_bytes > CROWD_PARKED_BYTES_MAX;
        if is_crowded { PARKED_SHARE_BYTES } else { PARKED_BYTES_MAX }
    }

    /// Hears the ordering role.
    pub fn handle(&mut self, message: ToShard) {
        match message {
            ToShard::Detach { connection, session } => {
                if self.connection(connection).is_some() {
                    self.dismiss(connection.slot);
                } else {
                    // It went before it could be told; somebody may wait for its word.
                    self.say(ToOrdering::Detached { connection, session });
                }
            }
            ToShard::Returned(bundle) => {
                if self.spare_bundles.len() < 8 && bundle.bytes.capacity() <= 1 << 20 {
                    self.spare_bundles.push(bundle);
                }
            }
        }
    }

    /// What the ordering role is to be told, in order; drained by the caller.
    pub fn take_messages(&mut self) -> std::vec::Drain<'_, ToOrdering> {
        self.flush_bundle();
        self.to_ordering.drain(..)
    }

    /// Whether [`Self::take_messages`] would give any.
    pub fn has_messages(&self) -> bool {
        !self.to_ordering.is_empty() || !self.bundle.writes.is_empty()
    }

    /// Whether there is something to do here that nobody else will begin: requests that
    /// [`Self::serve`] has yet to answer, parked ones that may go on, long ones, ends, watches to
    /// be forgotten.
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty()
            || !self.released.is_empty()
            || !self.ends.is_empty()
            || !self.longs.is_empty()
            || self.data_watches.is_forgetting()
            || self.child_watches.is_forgetting()
    }

    /// Each connection may have its share of requests taken again: once a turn, before the ones
    /// that were left are looked at.
    pub fn renew_shares(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }

    /// Forgets some of what gone connections watched.
    pub fn forget_watches(&mut self) {
        self.data_watches.forget_some(FORGOTTEN_PER_TURN);
        self.child_watches.forget_some(FORGOTTEN_PER_TURN);
    }

    fn flush_bundle(&mut self) {
        if !self.bundle.writes.is_empty() {
            let fresh = self.spare_bundles.pop().unwrap_or_default();
            let bundle = std::mem::replace(&mut self.bundle, fresh);
            self.to_ordering.push(ToOrdering::Writes(bundle));
        }
    }

    fn say(&mut self, message: ToOrdering) {
        self.flush_bundle();
        self.to_ordering.push(message);
    }

    /// Reports which sessions were heard of, every half tick.
    pub fn report_touches(&mut self) {
        let now_ms = self.now.mono_ms;
        if now_ms < self.touch_report_ms + self.settings.tick_ms / 2 {
            return;
        }
        self.touch_report_ms = now_ms;
        self.buffers.trim();
        let capacity = self.connections.capacity();
        if capacity > KEPT_SLOTS_MAX && self.connections.len() < capacity / 4 {
            self.connections.shrink_to_fit();
        }
        let mut sessions = Vec::with_capacity(self.touched.len());
        for slot in self.touched.drain(..) {
            let Some(connection) = self.connections.get_mut(slot as usize) else { continue };
            if std::mem::take(&mut connection.is_touched) && connection.session.0 != 0 {
                sessions.push((connection.session, connection.last_request_ms));
            }
        }
        let shard = self.index;
        self.say(ToOrdering::Touched { shard, sessions, until_ms: now_ms });
    }

    /// When [`Self::report_touches`] is due, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        self.touch_report_ms + self.settings.tick_ms / 2
    }
}
