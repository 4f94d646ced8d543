//! A bound on connections for a time: so that clients go to other servers meanwhile.
//!
//! It ends by itself, so that no one who has closed a server can forget to open it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of the bound; above them is the end.
const BOUND_BITS: u32 = 24;
/// The greatest bound: far more connections than a server has.
pub const LEASE_CONNECTIONS_MAX: u32 = (1 << BOUND_BITS) - 1;
/// How long a lease may last.
pub const LEASE_MS_MAX: u64 = 3_600_000;

/// A bound, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Connections that may be there.
    pub at_most: u32,
    /// In ms of the monotonic clock.
    pub until_ms: u64,
}

/// The lease that counts, if any: one number, so that it is read at once.
#[derive(Debug, Default)]
pub(super) struct LeaseCell(AtomicU64);

impl LeaseCell {
    /// Replaces the lease.
    pub(super) fn set(&self, lease: Option<Lease>) {
        let packed = lease.map_or(0, |Lease { at_most, until_ms }| {
            until_ms << BOUND_BITS | u64::from(at_most.min(LEASE_CONNECTIONS_MAX))
        });
        self.0.store(packed, Ordering::Relaxed);
    }

    /// The lease at this time.
    pub(super) fn at(&self, now_ms: u64) -> Option<Lease> {
        let packed = self.0.load(Ordering::Relaxed);
        let until_ms = packed >> BOUND_BITS;
        let at_most = packed as u32 & LEASE_CONNECTIONS_MAX;
        (now_ms < until_ms).then_some(Lease { at_most, until_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::{LEASE_CONNECTIONS_MAX, Lease, LeaseCell};

    #[test]
    fn a_lease_ends_by_itself_or_is_replaced() {
        let cell = LeaseCell::default();
        assert_eq!(cell.at(0), None);
        let year_ms = 365 * 24 * 3_600_000;
        let lease = Lease { at_most: 7, until_ms: 30 * year_ms };
        cell.set(Some(lease));
        assert_eq!(cell.at(lease.until_ms - 1), Some(lease));
        assert_eq!(cell.at(lease.until_ms), None);
        cell.set(Some(Lease { at_most: u32::MAX, until_ms: 10 }));
        assert_eq!(cell.at(9), Some(Lease { at_most: LEASE_CONNECTIONS_MAX, until_ms: 10 }));
        cell.set(Some(Lease { at_most: 0, until_ms: 10 }));
        assert_eq!(cell.at(9).map(|lease| lease.at_most), Some(0));
        cell.set(None);
        assert_eq!(cell.at(9), None);
    }
}
