//! Which clients were active, and until when everything that they have sent was read.
//!
//! The ordering role ends a session only when every shard has read all that had reached the server
//! by the end of the session's time. A process that was stalled may find requests of that time in
//! its sockets, in any number and on connections not yet accepted: so a shard reports "read until
//! then" not by its clock but after a *look*, which begins at that time and ends in a turn that
//! brings nothing more.
//!
//! Invariant: `read_until_ms` never passes what was read (guard:
//! `crate::tests::stalls::what_waits_in_the_sockets_is_read_first`). A server so busy that every
//! turn brings something ends its look after half a tick and [`LOOK_TURNS_MAX`] turns: what arrives
//! first is read first.
//!
//! Lives in: each shard; a [`LastActive`] in each connection.

use crate::limits::LOOK_TURNS_MAX;

/// When a connection was last active.
#[derive(Debug)]
pub(super) struct LastActive {
    last_ms: u64,
    /// Whether its slot is among the touched ones.
    is_touched: bool,
}

impl LastActive {
    /// It was accepted at this time.
    pub(super) fn new(now_ms: u64) -> Self {
        Self { last_ms: now_ms, is_touched: false }
    }

    /// When it was last active, in ms of the monotonic clock.
    pub(super) fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// When it was last active, if that is not reported yet.
    pub(super) fn take(&mut self) -> Option<u64> {
        std::mem::take(&mut self.is_touched).then_some(self.last_ms)
    }
}

/// What a shard knows about the activity of its clients.
#[derive(Debug)]
pub(super) struct Activity {
    /// A look is due this long after the last began.
    period_ms: u64,
    /// The slots of connections that were active since the last report.
    touched: Vec<u32>,
    /// When the last look began.
    begun_ms: u64,
    /// Everything that had reached the server by then was read.
    read_until_ms: u64,
    look: Look,
}

/// A look at everything that waits to be read.
#[derive(Clone, Copy, Debug, Default)]
enum Look {
    /// None is in progress.
    #[default]
    None,
    /// It began in this turn: the kernel has not been asked since.
    Begun { until_ms: u64 },
    /// The kernel has been asked in this many turns.
    InProgress { until_ms: u64, turns: u32 },
}

impl Activity {
    /// Activity with two looks per tick.
    pub(super) fn new(tick_ms: u64) -> Self {
        let (touched, look) = (Vec::new(), Look::None);
        Self { period_ms: tick_ms / 2, touched, begun_ms: 0, read_until_ms: 0, look }
    }

    /// The connection behind a slot was active.
    #[inline]
    pub(super) fn touch(&mut self, slot: u32, last: &mut LastActive, now_ms: u64) {
        last.last_ms = now_ms;
        if !last.is_touched {
            last.is_touched = true;
            self.touched.push(slot);
        }
    }

    /// Begins a look if one is due, or continues it.
    pub(super) fn maybe_look(&mut self, now_ms: u64, dealt_ms: u64) {
        let deadline_ms = self.deadline_ms();
        match self.look {
            Look::Begun { until_ms } => self.look = Look::InProgress { until_ms, turns: 1 },
            Look::InProgress { ref mut turns, .. } => *turns += 1,
            Look::None if now_ms >= deadline_ms => {
                self.begun_ms = now_ms;
                self.look = Look::Begun { until_ms: now_ms.min(dealt_ms) };
            }
            Look::None => (),
        }
    }

    /// Ends a look in progress if this turn has nothing more to read, or if it has taken so long
    /// that what was there at the start was read. Returns until when everything was read.
    pub(super) fn maybe_end_look(&mut self, now_ms: u64, is_read: bool) -> Option<u64> {
        let Look::InProgress { until_ms, turns } = self.look else { return None };
        let is_long = now_ms >= self.deadline_ms() && turns >= LOOK_TURNS_MAX;
        if !is_read && !is_long {
            return None;
        }
        self.look = Look::None;
        self.read_until_ms = self.read_until_ms.max(until_ms);
        Some(until_ms)
    }

    /// The slots of connections that were active since the last time.
    pub(super) fn take_touched(&mut self) -> std::vec::Drain<'_, u32> {
        self.touched.drain(..)
    }

    /// Whether a look has to end.
    pub(super) fn is_looking(&self) -> bool {
        !matches!(self.look, Look::None)
    }

    /// When the next look is due, or the last one may end regardless.
    pub(super) fn deadline_ms(&self) -> u64 {
        self.begun_ms + self.period_ms
    }

    /// Everything that had reached the server by then was read.
    pub(super) fn read_until_ms(&self) -> u64 {
        self.read_until_ms
    }
}
