//! Requests of a connection that wait for its earlier ones.
//!
//! A read waits for the writes before it, a write for what is parked before it; both wait for a
//! long answer. The stream's end waits for all of them.
//!
//! Invariant: requests leave in the order in which they were taken, and every parked one is in the
//! account (guards: `tests::what_is_parked_is_in_the_account`,
//! `crate::tests::stuck::replies_that_no_client_receives_are_not_made`).
//!
//! Lives in: each connection.

use super::budget::{Account, Budget};
use crate::limits::PARKED_KEPT_MAX;
use model::op::Op;
use std::collections::VecDeque;

/// A request as it was taken from its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'a> {
    pub(super) xid: i32,
    pub(super) op: Op,
    pub(super) body: &'a [u8],
    /// What it counts as a large one, in bytes.
    pub(super) large_bytes: u64,
    pub(super) received_ms: u64,
}

/// A parked request.
#[derive(Debug)]
pub(super) struct Parked {
    xid: i32,
    op: Op,
    body: Box<[u8]>,
    large_bytes: u64,
    received_ms: u64,
}

impl From<Taken<'_>> for Parked {
    fn from(taken: Taken<'_>) -> Self {
        let Taken { xid, op, body, large_bytes, received_ms } = taken;
        Self { xid, op, body: body.into(), large_bytes, received_ms }
    }
}

impl Parked {
    /// As it was taken.
    pub(super) fn taken(&self) -> Taken<'_> {
        let Self { xid, op, ref body, large_bytes, received_ms } = *self;
        Taken { xid, op, body, large_bytes, received_ms }
    }

    /// The memory that it takes.
    fn bytes(&self) -> usize {
        self.body.len() + size_of::<Self>()
    }
}

/// What there is no room for besides the long requests that are being answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    /// Another of any kind.
    pub(super) is_full: bool,
    /// Another listing.
    pub(super) is_listing_full: bool,
}

impl Room {
    /// Whether there is room for a request of this kind.
    #[inline]
    pub(super) fn admits(self, op: Op) -> bool {
        let is_listing = matches!(op, Op::GetChildren | Op::GetChildren2);
        !(self.is_full || is_listing && self.is_listing_full)
    }
}

/// The circumstances of what a connection has parked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ahead {
    /// No client receives answers any more.
    pub(super) is_gone: bool,
    /// The session's end was requested: nothing behind that counts.
    pub(super) is_closing: bool,
    /// A long request is being answered.
    pub(super) is_in_progress: bool,
    /// Requests are in flight.
    pub(super) has_in_flight: bool,
    /// As much waits to be sent as is allowed.
    pub(super) is_unsent_full: bool,
    /// The turn answers no further reads.
    pub(super) is_turn_full: bool,
    /// The long requests that may be begun.
    pub(super) room: Room,
    /// The connection has had its share of the turn.
    pub(super) has_share: bool,
}

/// What becomes of a connection's parked requests now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// None is parked: the end of the stream is next.
    Nothing,
    /// None of them counts.
    Void,
    /// They wait; what they wait for looks at them again.
    Waits,
    /// The next turn looks at them.
    Later,
    /// The first may leave.
    Leaves,
}

/// The parked requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Parking {
    parked: VecDeque<Parked>,
}

impl Parking {
    /// Whether none is parked.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// What becomes of them.
    pub(super) fn next(&self, ahead: Ahead) -> Next {
        let Some(first) = self.parked.front() else { return Next::Nothing };
        if ahead.is_closing {
            return if ahead.is_gone { Next::Void } else { Next::Waits };
        }
        if ahead.is_in_progress {
            return Next::Waits;
        }
        let is_read = !first.op.is_ordered();
        if !ahead.is_gone {
            if is_read && ahead.has_in_flight || ahead.is_unsent_full {
                return Next::Waits;
            }
            if is_read && (ahead.is_turn_full || !ahead.room.admits(first.op)) {
                return Next::Later;
            }
        }
        if ahead.has_share { Next::Leaves } else { Next::Later }
    }

    /// Parks a request behind all others.
    pub(super) fn push(&mut self, parked: Parked, account: &mut Account, budget: &mut Budget) {
        budget.park(account, parked.bytes());
        self.parked.push_back(parked);
    }

    /// Parks a request that was taken back before all others.
    pub(super) fn push_first(
        &mut self,
        parked: Parked,
        account: &mut Account,
        budget: &mut Budget,
    ) {
        budget.park(account, parked.bytes());
        self.parked.push_front(parked);
    }

    /// Takes the first.
    pub(super) fn pop(&mut self, account: &mut Account, budget: &mut Budget) -> Option<Parked> {
        let parked = self.parked.pop_front()?;
        budget.unpark(account, parked.bytes());
        if self.parked.is_empty() && self.parked.capacity() > PARKED_KEPT_MAX {
            self.parked = VecDeque::new();
        }
        Some(parked)
    }

    /// Panics if they do not match the account.
    #[cfg(test)]
    pub(super) fn assert_counted(&self, account: &Account) {
        let bytes = self.parked.iter().map(Parked::bytes).sum();
        assert_eq!(account.parked(), (self.parked.len(), bytes), "parked requests");
    }
}

#[cfg(test)]
mod tests {
    use super::{Ahead, Next, Parked, Parking, Room, Taken};
    use crate::settings::Settings;
    use crate::shard::budget::{Account, Budget};
    use model::op::Op;

    fn request(xid: i32, op: Op) -> Parked {
        Taken { xid, op, body: b"body", large_bytes: 0, received_ms: 0 }.into()
    }

    fn parking(op: Op) -> Parking {
        Parking { parked: [request(1, op)].into() }
    }

    #[test]
    fn what_is_parked_is_in_the_account() {
        let mut budget = Budget::new(&Settings::default(), 1);
        let (mut account, mut parking) = (Account::default(), Parking::default());
        for xid in 3..100 {
            parking.push(request(xid, Op::GetData), &mut account, &mut budget);
        }
        for xid in (0..3).rev() {
            parking.push_first(request(xid, Op::SetData), &mut account, &mut budget);
        }
        parking.assert_counted(&account);
        for xid in 0..100 {
            assert_eq!(account.waiting_count(), 100 - xid);
            let parked = parking.pop(&mut account, &mut budget).unwrap();
            assert_eq!(i64::from(parked.taken().xid), xid as i64, "the order is kept");
            parking.assert_counted(&account);
            budget.assert_balanced([&account].into_iter());
        }
        assert!(parking.is_empty() && parking.parked.capacity() == 0, "no memory is kept");
        assert!(parking.pop(&mut account, &mut budget).is_none());
    }

    #[test]
    fn a_read_waits_for_writes_and_a_write_for_neither() {
        let ahead = Ahead { has_share: true, has_in_flight: true, ..Ahead::default() };
        assert_eq!(parking(Op::GetData).next(ahead), Next::Waits);
        assert_eq!(parking(Op::SetData).next(ahead), Next::Leaves);
        let answered = Ahead { has_in_flight: false, ..ahead };
        assert_eq!(parking(Op::GetData).next(answered), Next::Leaves);
        assert_eq!(Parking::default().next(ahead), Next::Nothing);
        let in_progress = Ahead { is_in_progress: true, ..answered };
        assert_eq!(parking(Op::SetData).next(in_progress), Next::Waits);
    }

    #[test]
    fn a_full_turn_keeps_reads_for_the_next() {
        let full = Ahead { has_share: true, is_turn_full: true, ..Ahead::default() };
        assert_eq!(parking(Op::GetData).next(full), Next::Later);
        assert_eq!(parking(Op::SetData).next(full), Next::Leaves);
        let room = Room { is_full: false, is_listing_full: true };
        let listings = Ahead { has_share: true, room, ..Ahead::default() };
        assert_eq!(parking(Op::GetChildren2).next(listings), Next::Later);
        assert_eq!(parking(Op::GetData).next(listings), Next::Leaves);
        assert_eq!(parking(Op::SetData).next(Ahead::default()), Next::Later, "no share is left");
    }

    /// Its reads are dropped and its writes handed over, whatever waits to be sent or answered.
    #[test]
    fn a_closed_peer_waits_for_no_answer() {
        let gone = Ahead {
            is_gone: true,
            has_in_flight: true,
            is_unsent_full: true,
            is_turn_full: true,
            has_share: true,
            ..Ahead::default()
        };
        assert_eq!(parking(Op::GetData).next(gone), Next::Leaves);
        assert_eq!(parking(Op::SetData).next(Ahead { has_share: false, ..gone }), Next::Later);
        assert_eq!(parking(Op::SetData).next(Ahead { is_closing: true, ..gone }), Next::Void);
        let closing = Ahead { is_closing: true, has_share: true, ..Ahead::default() };
        assert_eq!(parking(Op::SetData).next(closing), Next::Waits);
    }
}
