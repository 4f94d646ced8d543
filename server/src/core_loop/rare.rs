//! Log lines that strangers and storms can cause: few of them.
//!
//! Lives in: the owners of sockets.

/// Lets one log line through at a time, so that a storm does not fill the disk.
#[derive(Debug)]
pub(super) struct Rare {
    /// How long the next one waits, in ms.
    pause_ms: u64,
    logged_ms: Option<u64>,
    suppressed: u64,
}

impl Default for Rare {
    /// One a second.
    fn default() -> Self {
        Self::every(1_000)
    }
}

impl Rare {
    /// One in so many ms.
    pub(super) fn every(pause_ms: u64) -> Self {
        Self { pause_ms, logged_ms: None, suppressed: 0 }
    }

    /// If a line may be logged now: how many were suppressed since the last.
    pub(super) fn admits(&mut self, now_ms: u64) -> Option<u64> {
        if self.logged_ms.is_some_and(|logged_ms| now_ms < logged_ms + self.pause_ms) {
            self.suppressed += 1;
            return None;
        }
        self.logged_ms = Some(now_ms);
        Some(std::mem::take(&mut self.suppressed))
    }
}
