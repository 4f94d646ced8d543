//! Log lines that strangers and storms can cause: few of them.
//!
//! Lives in: the owners of sockets.

/// Lets one log line a second through, so that a storm does not fill the disk.
#[derive(Debug, Default)]
pub(super) struct Rare {
    logged_ms: Option<u64>,
    suppressed: u64,
}

impl Rare {
    /// If a line may be logged now: how many were suppressed since the last.
    pub(super) fn admits(&mut self, now_ms: u64) -> Option<u64> {
        if self.logged_ms.is_some_and(|logged_ms| now_ms < logged_ms + 1_000) {
            self.suppressed += 1;
            return None;
        }
        self.logged_ms = Some(now_ms);
        Some(std::mem::take(&mut self.suppressed))
    }
}
