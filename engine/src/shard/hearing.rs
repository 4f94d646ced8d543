//! Who was heard, and until when everything that clients have sent was read.
//!
//! The ordering role ends a session only when every shard has read all that had reached the server
//! by the end of the session's time. A process that stood still may find requests of that time in
//! its sockets, in any number and on connections not yet accepted: so a shard says "heard until
//! then" not by its clock but after a *look*, which begins at that time and ends in a turn that
//! brings nothing more.
//!
//! Invariant: `heard_ms` never passes what was read (guard: `crate::tests::stalls`). A server so
//! busy that every turn brings something ends its look after half a tick and a good many turns:
//! what comes first is read first.

use super::{Connection, Phase, Shard};
use crate::batch::ConnectionId;
use crate::limits::{KEPT_SLOTS_MAX, LOOK_TURNS_MAX};
use crate::message::ToOrdering;
use model::session::SessionId;

/// What a shard knows of its hearing.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// The slots of connections that were heard since the last report.
    touched: Vec<u32>,
    /// When the last look began.
    begun_ms: u64,
    /// Everything that had reached the server by then was read.
    heard_ms: u64,
    look: Look,
}

/// A look at everything that waits to be read.
#[derive(Clone, Copy, Debug, Default)]
enum Look {
    /// None is under way.
    #[default]
    None,
    /// It began in this turn: the kernel has not been asked since.
    Begun { until_ms: u64 },
    /// The kernel has been asked in so many turns.
    UnderWay { until_ms: u64, turns: u32 },
}

impl Hearing {
    pub(super) fn touch(&mut self, slot: u32) {
        self.touched.push(slot);
    }

    pub(super) fn is_looking(&self) -> bool {
        !matches!(self.look, Look::None)
    }
}

impl Shard {
    /// Begins a look if one is due: every half tick. To be called at the beginning of a turn,
    /// before anything is read. Connections that reached the server before `dealt_ms` have been
    /// handed to their shards, or are about to be handed to this one in this turn.
    pub fn maybe_look(&mut self, dealt_ms: u64) {
        let (now_ms, deadline_ms) = (self.now.mono_ms, self.deadline_ms());
        let hearing = &mut self.hearing;
        match hearing.look {
            Look::Begun { until_ms } => hearing.look = Look::UnderWay { until_ms, turns: 1 },
            Look::UnderWay { ref mut turns, .. } => *turns += 1,
            Look::None if now_ms >= deadline_ms => {
                hearing.begun_ms = now_ms;
                hearing.look = Look::Begun { until_ms: now_ms.min(dealt_ms) };
            }
            Look::None => (),
        }
    }

    /// Reports which sessions were heard of if a look has come to its end; `is_quiet` says that
    /// this turn has brought nothing and no connection.
    pub fn report_touches(&mut self, is_quiet: bool) {
        let Look::UnderWay { until_ms, turns } = self.hearing.look else { return };
        let is_read = is_quiet && self.queue.is_empty();
        let is_long = self.now.mono_ms >= self.deadline_ms() && turns >= LOOK_TURNS_MAX;
        if !is_read && !is_long {
            return;
        }
        self.hearing.look = Look::None;
        self.hearing.heard_ms = self.hearing.heard_ms.max(until_ms);
        self.buffers.trim();
        let capacity = self.connections.capacity();
        if capacity > KEPT_SLOTS_MAX && self.connections.len() < capacity / 4 {
            self.connections.shrink_to_fit();
        }
        let mut sessions = Vec::with_capacity(self.hearing.touched.len());
        for slot in self.hearing.touched.drain(..) {
            let Some(connection) = self.connections.get_mut(slot as usize) else { continue };
            if std::mem::take(&mut connection.is_touched) && connection.session != SessionId(0) {
                sessions.push((connection.session, connection.last_request_ms));
            }
        }
        let shard = self.index;
        self.say(ToOrdering::Touched { shard, sessions, until_ms });
    }

    /// A connection has sent a request that is not taken yet.
    pub fn hear(&mut self, id: ConnectionId) {
        let now_ms = self.now.mono_ms;
        let Some(connection) = self.connections.get_mut(id.slot as usize) else { return };
        if connection.serial != id.serial || connection.phase != Phase::Established {
            return;
        }
        connection.last_request_ms = now_ms;
        if !connection.is_touched {
            connection.is_touched = true;
            self.hearing.touch(id.slot);
        }
    }

    /// When the next look is due, or the last one may end whatever comes, in ms of the
    /// monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        self.hearing.begun_ms + self.settings.tick_ms / 2
    }

    /// Everything that had reached the server by then was read.
    pub fn heard_ms(&self) -> u64 {
        self.hearing.heard_ms
    }

    /// Connections that have not said connect for too long.
    pub fn sessionless(&self, limit_ms: u64) -> Vec<ConnectionId> {
        let is_late = |c: &Connection| {
            c.phase == Phase::Opening && c.last_request_ms + limit_ms <= self.hearing.heard_ms
        };
        self.connections().filter(|(_, c)| is_late(c)).map(|(id, _)| id).collect()
    }
}
