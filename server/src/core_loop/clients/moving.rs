//! Clients that go to other servers: connections are shed, and fewer admitted for a time.
//!
//! A shed connection ends as one whose client has said its last word: what it has sent is answered
//! first. Its session lives on, and its client attaches it elsewhere.

use super::Clients;
use super::shed::{Shed, Standing};
use crate::admin::inquiry::{
    Caller, LeaseOrder, MovingInquiry, MovingReport, ShedCounts, ShedOrder,
};
use crate::admin::limits::PAGE_ENTRIES_MAX;
use crate::gate::Lease;
use engine::batch::ConnectionId;
use ring::Queue;
use tracing::info;

/// What became of the order to shed connections.
#[derive(Debug)]
pub(super) enum Shedding {
    /// None is being carried out; how far the last one came.
    Over(ShedCounts),
    /// One is.
    UnderWay(Box<Shed>),
}

impl Default for Shedding {
    fn default() -> Self {
        Self::Over(ShedCounts::default())
    }
}

impl Clients {
    /// Answers an inquiry about clients' moves.
    pub(super) fn answer_moving(&mut self, inquiry: MovingInquiry) {
        // The requester may be gone; then the reply is dropped.
        match inquiry {
            MovingInquiry::Authorize(Caller { address, scheme, auth }, reply) => {
                reply.send(self.shard.authorizes(address, &scheme, auth.as_deref())).ok();
            }
            MovingInquiry::Shed(order, reply) => {
                self.begin_shed(order);
                reply.send(()).ok();
            }
            MovingInquiry::Lend(LeaseOrder { at_most, for_ms }, reply) => {
                let until_ms = self.shard.now().mono_ms + for_ms;
                self.gate.lend((for_ms > 0).then_some(Lease { at_most, until_ms }));
                reply.send(()).ok();
            }
            MovingInquiry::Report(reply) => {
                reply.send(self.moving_report()).ok();
            }
        }
    }

    fn begin_shed(&mut self, order: ShedOrder) {
        let now_ms = self.shard.now().mono_ms;
        let shed = Shed::new(order, now_ms).map(|shed| Shedding::UnderWay(Box::new(shed)));
        self.shedding = shed.unwrap_or_default();
    }

    fn moving_report(&self) -> MovingReport {
        let now_ms = self.shard.now().mono_ms;
        let lease = self.gate.lease(now_ms);
        MovingReport {
            // Without those that are only let in to send a word, and are refused otherwise.
            connections: u64::from(self.gate.of_shard(self.index)),
            shed: match &self.shedding {
                Shedding::Over(counts) => *counts,
                Shedding::UnderWay(shed) => shed.counts(now_ms),
            },
            lease: lease.map(|it| (it.at_most, it.until_ms - now_ms)),
        }
    }

    /// Carries out an order to shed connections, in pieces.
    pub(super) fn maybe_shed(&mut self, queue: &mut Queue<'_>, now_ms: u64) {
        let Shedding::UnderWay(shed) = &mut self.shedding else { return };
        if shed.is_over(now_ms) {
            let counts = shed.counts(now_ms);
            let ShedCounts { shed, left_busy, .. } = counts;
            info!(shed, left_busy, "connections were shed: their clients go to other servers");
            self.shedding = Shedding::Over(counts);
            return;
        }
        shed.begin_turn(now_ms);
        if let Some(from) = shed.search() {
            let end = from.saturating_add(PAGE_ENTRIES_MAX as u32).min(self.shard.slot_count());
            let some = self.shard.connections(from..end);
            let some = some.filter(|(id, _)| self.shard.has_global_session(*id));
            let some = some.map(|(id, connection)| (connection.last_active_ms(), id));
            shed.found(some, (end < self.shard.slot_count()).then_some(end));
        }
        while let Some(id) = self.next_shed(now_ms) {
            if let Some(place) = self.place_of(id) {
                self.end_input(queue, place, &"its client is led to another server");
            }
        }
    }

    fn next_shed(&mut self, now_ms: u64) -> Option<ConnectionId> {
        // Apart from the clients, while it looks at them.
        let mut shedding = std::mem::take(&mut self.shedding);
        let next = match &mut shedding {
            Shedding::Over(_) => None,
            Shedding::UnderWay(shed) => shed.next(now_ms, |id| self.standing(id)),
        };
        self.shedding = shedding;
        next
    }

    fn standing(&self, id: ConnectionId) -> Standing {
        let (Some(place), Some(connection)) = (self.place_of(id), self.shard.connection(id)) else {
            return Standing::Gone;
        };
        if !self.shard.has_global_session(id) {
            return Standing::Gone;
        }
        let is_at_rest = self.sockets.find(place).is_some_and(|client| {
            !client.is_finished && !client.is_paused && client.decoder.kept_bytes() == 0
        });
        if is_at_rest && self.sockets.sending_bytes(place) == 0 && self.shard.is_movable(id) {
            Standing::Idle { since_ms: connection.last_active_ms() }
        } else {
            Standing::Busy
        }
    }

    /// Whether an order to shed connections has something to do in the next turn.
    pub(super) fn is_shedding(&self) -> bool {
        match &self.shedding {
            Shedding::Over(_) => false,
            Shedding::UnderWay(shed) => shed.is_hurried(self.now_ms),
        }
    }

    /// When its next turn is due, in ms of the monotonic clock.
    pub(super) fn shed_deadline_ms(&self) -> u64 {
        match &self.shedding {
            Shedding::Over(_) => u64::MAX,
            Shedding::UnderWay(shed) => shed.wake_ms(self.now_ms),
        }
    }
}
