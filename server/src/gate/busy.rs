//! How busy the loops of shards are: new connections go to those that have time for them.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A loop that works for this share of a second has no time for more, in thousandths.
const FULL_PERMILLE: u32 = 900;
/// Seconds in a row that make a limit: opening thousands of connections takes less.
const FULL_SECONDS_MIN: u32 = 3;
/// A report is a second old when the next one comes. A loop that sends none has nothing to do.
const REPORT_MS_MAX: u64 = 2_500;

/// How busy one loop is. Written by that loop about once a second, read by the loop that accepts
/// connections: of two reports parts may be mixed, and a connection be dealt by the older one.
#[derive(Debug, Default)]
pub(super) struct Busy {
    permille: AtomicU32,
    full_seconds: AtomicU32,
    reported_ms: AtomicU64,
}

impl Busy {
    /// The loop worked for this share of the last second or more.
    pub(super) fn report(&self, permille: u32, now_ms: u64) {
        let full_seconds = if permille >= FULL_PERMILLE {
            self.full_seconds.load(Ordering::Relaxed).saturating_add(1)
        } else {
            0
        };
        self.permille.store(permille, Ordering::Relaxed);
        self.full_seconds.store(full_seconds, Ordering::Relaxed);
        self.reported_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The share of its time that the loop works, in thousandths.
    pub(super) fn permille(&self, now_ms: u64) -> u32 {
        if self.is_current(now_ms) { self.permille.load(Ordering::Relaxed) } else { 0 }
    }

    /// Whether the loop has had no time left for some seconds.
    pub(super) fn is_at_limit(&self, now_ms: u64) -> bool {
        self.full_seconds.load(Ordering::Relaxed) >= FULL_SECONDS_MIN && self.is_current(now_ms)
    }

    fn is_current(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.reported_ms.load(Ordering::Relaxed)) <= REPORT_MS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::Busy;

    #[test]
    fn a_limit_is_a_matter_of_seconds() {
        let busy = Busy::default();
        for second in 1..=2 {
            busy.report(1_000, second * 1_000);
            assert!(!busy.is_at_limit(second * 1_000));
        }
        busy.report(900, 3_000);
        assert!(busy.is_at_limit(3_100));
        assert_eq!(busy.permille(3_100), 900);
        busy.report(899, 4_000);
        assert!(!busy.is_at_limit(4_000));
    }

    #[test]
    fn a_loop_that_reports_nothing_sleeps() {
        let busy = Busy::default();
        (1..=9).for_each(|second| busy.report(1_000, second * 1_000));
        assert!(busy.is_at_limit(11_000));
        assert!(!busy.is_at_limit(12_000));
        assert_eq!(busy.permille(12_000), 0);
    }
}
