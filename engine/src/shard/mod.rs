//! A shard: owns connections, serves their reads from its view, hands over their writes, holds
//! their watches and sends replies.
//!
//! A turn of its core loop: what was received goes to [`Shard::frame`]; [`Shard::drain`] handles
//! the batches published since; [`Shard::serve`] answers the reads of the turn from the view that
//! this leaves; then the bundle of writes is handed over and each dirty connection's output sent.
//!
//! Parts, each with private state and the invariant that it keeps, in the order in which they use
//! each other: `measured`, `budget`, `parking`, `output`, `activity`, `turn`, `handover`;
//! `connection`, `connections`; `watches`, `reads`. Steps over these parts, likewise: `sending`,
//! `ends`, `order`, `credentials`, `intake`, `deliver`, `serve`, `moving`.
//!
//! Invariants: those of `order` (requests of one session) and `deliver` (events and replies); steps
//! change parts only through their methods: the fields are private.
//!
//! Lives in: each core loop that hosts a shard. Not here: sockets and framing (`net`), what becomes
//! of a write (`ordering`).

mod activity;
mod budget;
mod connection;
mod connections;
mod credentials;
mod deliver;
mod ends;
mod handover;
mod intake;
mod measured;
mod moving;
mod order;
mod output;
mod parking;
mod reads;
mod refused;
mod sending;
mod serve;
mod spare;
mod turn;
mod watches;

pub use connection::Connection;
pub use measured::{ConnectionCounts, EnsembleAuth, ShardCounts, ShardMeters};
pub use refused::Refused;
pub use watches::{Notified, WatchMode, WatchTable};

use crate::batch::{ConnectionId, Cursor};
use crate::message::{Served, ToOrdering, ToShard};
use crate::settings::{Now, Settings};
use crate::state::State;
use crate::tree::TreeReader;
use activity::Activity;
use budget::Budget;
use connections::Connections;
use handover::Handover;
use measured::Measured;
use model::session::SessionId;
use output::Outgoing;
use reads::{Longs, Reads};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use turn::Turn;
use watches::Watches;

/// A shard.
pub struct Shard {
    settings: Arc<Settings>,
    /// Which clients may have sessions here.
    served: Served,
    /// The newest version that it has seen, and the batch that led there.
    reader: TreeReader<State>,
    cursor: Cursor,
    connections: Connections,
    budget: Budget,
    outgoing: Outgoing,
    turn: Turn,
    handover: Handover,
    activity: Activity,
    watches: Watches,
    reads: Reads,
    longs: Longs,
    measured: Measured,
}

impl Shard {
    /// Shard number `index` of `shards`.
    pub fn new(
        index: u16,
        shards: u16,
        settings: Arc<Settings>,
        reader: TreeReader<State>,
        cursor: Cursor,
    ) -> Self {
        Self {
            served: Served::All,
            reader,
            cursor,
            connections: Connections::new(index),
            budget: Budget::new(&settings, shards),
            outgoing: Outgoing::default(),
            turn: Turn::default(),
            handover: Handover::default(),
            activity: Activity::new(settings.tick_ms),
            watches: Watches::new(settings.hash_seed),
            reads: Reads::new(settings.clone()),
            longs: Longs::default(),
            measured: Measured::default(),
            settings,
        }
    }

    /// A turn begins: everything in it happens at this time.
    pub fn begin_turn(&mut self, now: Now) {
        #[cfg(test)]
        self.assert_balanced();
        self.turn.begin(now);
    }

    /// When this turn is.
    pub fn now(&self) -> Now {
        self.turn.now()
    }

    /// A client was accepted.
    pub fn open(&mut self, peer: SocketAddr) -> ConnectionId {
        self.connections.open(peer, self.turn.now())
    }

    /// A connection, if it is still that one.
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.find(id)
    }

    /// Count of connections.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Requests of all connections that wait for an answer: see [`Connection::outstanding`].
    pub fn outstanding(&self) -> u64 {
        (self.budget.waiting_count() + self.longs.len()) as u64
    }

    /// Slots below this may have connections. A walk over all of them takes a bounded number of
    /// slots per turn.
    pub fn slot_count(&self) -> u32 {
        self.connections.slot_count()
    }

    /// The connections of some slots.
    pub fn connections(
        &self,
        slots: Range<u32>,
    ) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.connections.some(slots).map(|connection| (connection.id(), connection))
    }

    /// The two watch tables: of data, of children.
    pub fn watches(&self) -> [&WatchTable; 2] {
        self.watches.tables()
    }

    /// The newest version that this shard has seen.
    pub fn reader(&self) -> &TreeReader<State> {
        &self.reader
    }

    /// What it has done.
    pub fn counts(&self) -> &ShardCounts {
        self.measured.counts()
    }

    /// What it has measured.
    pub fn meters(&self) -> &ShardMeters {
        self.measured.meters()
    }

    /// Resets what it has done and measured, except for refused credentials.
    pub fn reset_counts(&mut self) {
        self.measured.reset();
    }

    /// Resets what the word `crst` resets, for the connections of some slots.
    pub fn reset_connection_counts(&mut self, slots: Range<u32>) {
        for slot in slots {
            if let Some(connection) = self.connections.at_mut(slot) {
                connection.counts.reset();
            }
        }
    }

    /// Receives a message of the ordering role.
    pub fn handle(&mut self, message: ToShard) {
        match message {
            ToShard::Detach { connection, session } => {
                if self.connections.find(connection).is_some() {
                    self.dismiss(connection);
                } else {
                    // It was closed before it could be notified; another connection may wait for
                    // this.
                    self.handover.push(ToOrdering::Detached { connection, session });
                }
            }
            ToShard::Returned(bundle) => self.handover.recycle(bundle),
            ToShard::Serve(served) => self.serve_clients(served),
            ToShard::Replaced(tree) => {
                (self.reader, self.cursor) = (tree.reader, tree.cursor);
                self.reads.forget();
            }
        }
    }

    /// Messages for the ordering role, in order; drained by the caller.
    pub fn take_messages(&mut self) -> std::vec::Drain<'_, ToOrdering> {
        self.handover.take_messages()
    }

    /// Whether [`Self::take_messages`] would return any.
    pub fn has_messages(&self) -> bool {
        self.handover.has_messages()
    }

    /// Whether there is something to do here that no message begins: requests that
    /// [`Self::serve`] has yet to answer, parked ones that may continue, long ones, ends, watches
    /// to be forgotten, a look that has to end.
    pub fn has_queued(&self) -> bool {
        self.activity.is_looking()
            || self.turn.has_more()
            || !self.longs.is_empty()
            || self.watches.is_forgetting()
    }

    /// Renews each connection's share of requests: once per turn, before the deferred ones are
    /// looked at.
    pub fn renew_shares(&mut self) {
        self.turn.renew_shares();
    }

    /// Forgets some of what closed connections watched.
    pub fn forget_watches(&mut self) {
        self.watches.forget_some();
    }

    /// Whether the connection has not sent a connect request for too long.
    pub fn is_sessionless(&self, id: ConnectionId, limit_ms: u64) -> bool {
        self.connections.find(id).is_some_and(|connection| {
            let is_late = connection.last_active_ms() + limit_ms <= self.read_until_ms();
            connection.is_opening() && is_late
        })
    }

    /// Begins a look if one is due: every half tick. To be called at the beginning of a turn,
    /// before anything is read. Connections that reached the server before `dealt_ms` have been
    /// handed to their shards, or are about to be handed to this one in this turn.
    pub fn maybe_look(&mut self, dealt_ms: u64) {
        self.activity.maybe_look(self.turn.now().mono_ms, dealt_ms);
    }

    /// Reports which sessions were active if a look has ended; `is_quiet` says that this turn has
    /// brought no bytes and no connection.
    pub fn report_touches(&mut self, is_quiet: bool) {
        let is_read = is_quiet && self.turn.is_answered();
        let now_ms = self.turn.now().mono_ms;
        let Some(until_ms) = self.activity.maybe_end_look(now_ms, is_read) else { return };
        self.outgoing.trim();
        self.connections.trim();
        let touched = self.activity.take_touched();
        let mut sessions = Vec::with_capacity(touched.len());
        for slot in touched {
            let Some(connection) = self.connections.at_mut(slot) else { continue };
            if let Some(active_ms) = connection.last_active.take()
                && connection.session() != SessionId(0)
            {
                sessions.push((connection.session(), active_ms));
            }
        }
        let shard = self.connections.shard();
        self.handover.push(ToOrdering::Touched { shard, sessions, until_ms });
    }

    /// When the next look is due, or the last one may end regardless, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        self.activity.deadline_ms()
    }

    /// Everything that had reached the server by then was read.
    pub fn read_until_ms(&self) -> u64 {
        self.activity.read_until_ms()
    }

    #[cfg(test)]
    fn assert_balanced(&self) {
        let open = self.connections.some(0..self.slot_count());
        self.budget.assert_balanced(open.map(|connection| {
            connection.parking.assert_counted(&connection.account);
            &connection.account
        }));
    }
}

#[cfg(test)]
impl Drop for Shard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_balanced();
        }
    }
}
