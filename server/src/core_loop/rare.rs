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

/// A second, in ms.
pub(super) const SECOND_MS: u64 = 1_000;

impl Default for Rare {
    /// One a second.
    fn default() -> Self {
        Self::every(SECOND_MS)
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

/// The same for lines of several kinds, none of which can hide another. There must be few kinds.
#[derive(Debug)]
pub(super) struct Rares<K> {
    kinds: Vec<(K, Rare)>,
}

impl<K> Default for Rares<K> {
    fn default() -> Self {
        Self { kinds: Vec::new() }
    }
}

impl<K: PartialEq> Rares<K> {
    /// If a line of this kind may be logged now: how many of it were suppressed since the last. The
    /// kind's first line decides how long the next one waits.
    pub(super) fn admits(&mut self, kind: K, pause_ms: u64, now_ms: u64) -> Option<u64> {
        let known = self.kinds.iter().position(|(known, _)| *known == kind);
        let at = known.unwrap_or_else(|| {
            self.kinds.push((kind, Rare::every(pause_ms)));
            self.kinds.len() - 1
        });
        self.kinds[at].1.admits(now_ms)
    }
}
