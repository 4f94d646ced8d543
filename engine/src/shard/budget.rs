//! How much all connections of a shard together, and each of them, may have waiting.
//!
//! Every bounded quantity is kept twice: in the account of its connection, and in the shard's
//! total. Both are private to this file, so that no call changes one without the other.
//!
//! Invariant: each total is the sum of the accounts of the connections that are open (guards:
//! [`Budget::assert_balanced`] whenever a turn of an engine test begins and its shard is dropped;
//! `tests::totals_are_the_sums_of_accounts`).
//!
//! Lives in: each shard; an account in each connection. Not here: how many requests are taken in
//! one turn (`turn`).

use crate::limits::{
    CROWD_PARKED_BYTES_MAX, CROWD_UNSENT_BYTES_MAX, PARKED_BYTES_MAX, PARKED_SHARE_BYTES,
    UNSENT_BYTES_MAX, UNSENT_SHARE_BYTES,
};
use crate::settings::{LargeRequests, Settings};

/// What one connection has waiting.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Requests handed over and not answered yet.
    in_flight: u32,
    /// Bytes of its large requests, parked or in flight.
    large_bytes: u64,
    /// Requests parked, and their bytes.
    parked_count: u32,
    parked_bytes: usize,
    /// Bytes of its output, as last counted.
    unsent_bytes: usize,
}

impl Account {
    /// Whether a request was handed over and is not answered yet.
    #[inline]
    pub(super) fn has_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// Requests parked or in flight.
    #[inline]
    pub(super) fn waiting_count(&self) -> u64 {
        u64::from(self.in_flight) + u64::from(self.parked_count)
    }

    /// Requests parked, and their bytes.
    #[cfg(test)]
    pub(super) fn parked(&self) -> (usize, usize) {
        (self.parked_count as usize, self.parked_bytes)
    }
}

/// The totals of a shard, and their bounds.
#[derive(Debug)]
pub(super) struct Budget {
    in_flight: usize,
    in_flight_max: usize,
    large_bytes: u64,
    /// Which requests are large, and this shard's share of those in flight.
    large: Option<LargeRequests>,
    parked_count: usize,
    parked_bytes: usize,
    unsent_bytes: usize,
    /// Bytes given to sockets that have not left yet: of no account, since the connection may be
    /// closed before.
    sending_bytes: usize,
}

impl Budget {
    /// The budget of one of this many shards.
    pub(super) fn new(settings: &Settings, shards: u16) -> Self {
        let shards = shards.max(1);
        let large = settings.large.map(|large| LargeRequests {
            total_bytes_max: large.total_bytes_max / u64::from(shards),
            ..large
        });
        Self {
            in_flight: 0,
            in_flight_max: (settings.outstanding_max / usize::from(shards)).max(1),
            large_bytes: 0,
            large,
            parked_count: 0,
            parked_bytes: 0,
            unsent_bytes: 0,
            sending_bytes: 0,
        }
    }

    /// Whether the next request may be taken of a connection with this many requests waiting for an
    /// answer and this many bytes that its client has not received.
    pub(super) fn admits(&self, account: &Account, waiting: u64, unsent_bytes: usize) -> bool {
        let is_over = self.in_flight >= self.in_flight_max && waiting > 0;
        !is_over
            && unsent_bytes <= self.unsent_bytes_max()
            && account.parked_bytes < self.parked_bytes_max()
    }

    /// The unsent bytes up to which one connection is answered.
    #[inline]
    pub(super) fn unsent_bytes_max(&self) -> usize {
        let is_crowded = self.unsent_bytes + self.sending_bytes > CROWD_UNSENT_BYTES_MAX;
        if is_crowded { UNSENT_SHARE_BYTES } else { UNSENT_BYTES_MAX }
    }

    fn parked_bytes_max(&self) -> usize {
        let is_crowded = self.parked_bytes > CROWD_PARKED_BYTES_MAX;
        if is_crowded { PARKED_SHARE_BYTES } else { PARKED_BYTES_MAX }
    }

    /// Whether all connections together leave so much unsent that one of them must be closed.
    pub(super) fn is_overfull(&self) -> bool {
        self.unsent_bytes + self.sending_bytes > 2 * CROWD_UNSENT_BYTES_MAX
    }

    /// Requests parked or in flight.
    pub(super) fn waiting_count(&self) -> usize {
        self.in_flight + self.parked_count
    }

    /// What a write of this length counts as a large one; `Err` with the bound if there is no room
    /// for it.
    #[inline]
    pub(super) fn large_bytes_of(&self, bytes: u64) -> Result<u64, u64> {
        match self.large {
            Some(large) if bytes > large.threshold_bytes => {
                let is_over = self.large_bytes + bytes > large.total_bytes_max;
                if is_over { Err(large.total_bytes_max) } else { Ok(bytes) }
            }
            _ => Ok(0),
        }
    }

    /// A large request was taken; 0 for any other.
    #[inline]
    pub(super) fn take_large(&mut self, account: &mut Account, bytes: u64) {
        account.large_bytes += bytes;
        self.large_bytes += bytes;
    }

    /// Its outcome has arrived.
    #[inline]
    pub(super) fn settle_large(&mut self, account: &mut Account, bytes: u64) {
        account.large_bytes -= bytes;
        self.large_bytes -= bytes;
    }

    /// A request is handed over to the ordering role.
    #[inline]
    pub(super) fn hand_over(&mut self, account: &mut Account) {
        account.in_flight += 1;
        self.in_flight += 1;
    }

    /// It is answered, or taken back.
    #[inline]
    pub(super) fn settle(&mut self, account: &mut Account) {
        account.in_flight -= 1;
        self.in_flight -= 1;
    }

    /// A request of this many bytes is parked.
    pub(super) fn park(&mut self, account: &mut Account, bytes: usize) {
        account.parked_count += 1;
        self.parked_count += 1;
        account.parked_bytes += bytes;
        self.parked_bytes += bytes;
    }

    /// It is no longer parked.
    pub(super) fn unpark(&mut self, account: &mut Account, bytes: usize) {
        account.parked_count -= 1;
        self.parked_count -= 1;
        account.parked_bytes -= bytes;
        self.parked_bytes -= bytes;
    }

    /// A connection has this many bytes to send.
    #[inline]
    pub(super) fn count_unsent(&mut self, account: &mut Account, bytes: usize) {
        self.unsent_bytes = self.unsent_bytes - account.unsent_bytes + bytes;
        account.unsent_bytes = bytes;
    }

    /// A connection's output goes to its socket, this many bytes.
    #[inline]
    pub(super) fn begin_send(&mut self, account: &mut Account, bytes: usize) {
        self.count_unsent(account, 0);
        self.sending_bytes += bytes;
    }

    /// They have been sent, or never will be.
    #[inline]
    pub(super) fn end_send(&mut self, bytes: usize) {
        self.sending_bytes -= bytes;
    }

    /// A connection is closed, and what it had waiting is dropped with it.
    pub(super) fn close(&mut self, account: &mut Account) {
        let Account { in_flight, large_bytes, parked_count, parked_bytes, unsent_bytes } =
            std::mem::take(account);
        self.in_flight -= in_flight as usize;
        self.large_bytes -= large_bytes;
        self.parked_count -= parked_count as usize;
        self.parked_bytes -= parked_bytes;
        self.unsent_bytes -= unsent_bytes;
    }

    /// Panics if the totals are not the sums of these accounts, which are those of all open
    /// connections.
    #[cfg(test)]
    pub(super) fn assert_balanced<'a>(&self, accounts: impl Iterator<Item = &'a Account>) {
        let mut sums = Account::default();
        for account in accounts {
            sums.in_flight += account.in_flight;
            sums.large_bytes += account.large_bytes;
            sums.parked_count += account.parked_count;
            sums.parked_bytes += account.parked_bytes;
            sums.unsent_bytes += account.unsent_bytes;
        }
        assert_eq!(self.in_flight, sums.in_flight as usize, "requests in flight");
        assert_eq!(self.large_bytes, sums.large_bytes, "bytes of large requests");
        assert_eq!(self.parked_count, sums.parked_count as usize, "parked requests");
        assert_eq!(self.parked_bytes, sums.parked_bytes, "bytes of parked requests");
        assert_eq!(self.unsent_bytes, sums.unsent_bytes, "unsent bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Budget};
    use crate::limits::{CROWD_UNSENT_BYTES_MAX, UNSENT_BYTES_MAX, UNSENT_SHARE_BYTES};
    use crate::settings::{LargeRequests, Settings};
    use proptest::prelude::*;

    fn budget(shards: u16) -> Budget {
        let large = Some(LargeRequests { threshold_bytes: 100, total_bytes_max: 1_000 });
        Budget::new(&Settings { large, outstanding_max: 8, ..Settings::default() }, shards)
    }

    #[derive(Clone, Copy, Debug)]
    enum Change {
        HandOver,
        Settle,
        Park(usize),
        Unpark,
        Write(u64),
        Count(usize),
        Send,
        Sent,
        Close,
    }

    fn change() -> impl Strategy<Value = (usize, Change)> {
        let change = prop_oneof![
            3 => Just(Change::HandOver),
            2 => Just(Change::Settle),
            3 => (1..10_000usize).prop_map(Change::Park),
            2 => Just(Change::Unpark),
            2 => (0..400u64).prop_map(Change::Write),
            2 => (0..100_000usize).prop_map(Change::Count),
            1 => Just(Change::Send),
            1 => Just(Change::Sent),
            1 => Just(Change::Close),
        ];
        (0..4usize, change)
    }

    /// An account, and what of it is still to be returned.
    #[derive(Default)]
    struct Held {
        account: Account,
        parked: Vec<usize>,
        output_bytes: usize,
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 300,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn totals_are_the_sums_of_accounts(changes in prop::collection::vec(change(), 1..120)) {
            let mut budget = budget(1);
            let mut held: [Held; 4] = Default::default();
            let mut sending = Vec::new();
            for (at, change) in changes {
                let Held { account, parked, output_bytes } = &mut held[at];
                match change {
                    Change::HandOver => budget.hand_over(account),
                    Change::Settle if account.has_in_flight() => budget.settle(account),
                    Change::Settle => (),
                    Change::Park(bytes) => {
                        budget.park(account, bytes);
                        parked.push(bytes);
                    }
                    Change::Unpark => {
                        if let Some(bytes) = parked.pop() {
                            budget.unpark(account, bytes);
                        }
                    }
                    Change::Write(bytes) => match budget.large_bytes_of(bytes) {
                        Ok(large_bytes) => {
                            prop_assert_eq!(large_bytes, if bytes > 100 { bytes } else { 0 });
                            budget.take_large(account, large_bytes);
                        }
                        Err(max) => prop_assert!(bytes > 100 && max == 1_000),
                    },
                    Change::Count(bytes) => {
                        *output_bytes = bytes;
                        budget.count_unsent(account, bytes);
                    }
                    Change::Send => {
                        budget.begin_send(account, *output_bytes);
                        sending.push(std::mem::take(output_bytes));
                    }
                    Change::Sent => {
                        if let Some(bytes) = sending.pop() {
                            budget.end_send(bytes);
                        }
                    }
                    Change::Close => {
                        budget.close(account);
                        held[at] = Held::default();
                    }
                }
                budget.assert_balanced(held.iter().map(|held| &held.account));
                let waiting: u64 = held.iter().map(|held| held.account.waiting_count()).sum();
                prop_assert_eq!(budget.waiting_count() as u64, waiting);
                prop_assert!(budget.large_bytes <= 1_000);
            }
            for one in &mut held {
                budget.close(&mut one.account);
            }
            prop_assert_eq!(budget.sending_bytes, sending.iter().sum::<usize>());
            let counts = (budget.in_flight, budget.parked_count);
            let bytes = (budget.parked_bytes, budget.unsent_bytes, budget.large_bytes);
            prop_assert_eq!((counts, bytes), ((0, 0), (0, 0, 0)));
        }
    }

    /// A shard with its share in flight still takes the first request of any connection.
    #[test]
    fn a_client_that_waits_for_nothing_is_read() {
        let mut budget = budget(4);
        let mut account = Account::default();
        budget.hand_over(&mut account);
        assert!(budget.admits(&account, 1, 0));
        budget.hand_over(&mut account);
        assert!(!budget.admits(&account, 2, 0), "two of eight are a quarter's");
        assert!(budget.admits(&Account::default(), 0, 0));
    }

    #[test]
    fn a_crowd_is_held_to_shares() {
        let mut budget = budget(1);
        let (mut one, mut other) = (Account::default(), Account::default());
        assert!(budget.admits(&one, 0, UNSENT_BYTES_MAX));
        budget.count_unsent(&mut one, CROWD_UNSENT_BYTES_MAX);
        budget.begin_send(&mut one, CROWD_UNSENT_BYTES_MAX);
        assert!(!budget.is_overfull());
        budget.count_unsent(&mut other, 1);
        assert!(!budget.admits(&other, 0, UNSENT_BYTES_MAX), "what is being sent counts");
        assert!(budget.admits(&other, 0, UNSENT_SHARE_BYTES));
        budget.count_unsent(&mut other, CROWD_UNSENT_BYTES_MAX + 1);
        assert!(budget.is_overfull());
        budget.end_send(CROWD_UNSENT_BYTES_MAX);
        budget.close(&mut other);
        assert!(budget.admits(&one, 0, UNSENT_BYTES_MAX));
    }
}
