//! Progress on standard error: a line a second.

use crate::output::say;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// Reports progress and speed.
pub(super) struct ProgressLines {
    what: &'static str,
    began: Instant,
    reported: Instant,
}

impl ProgressLines {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { what: "", began: now, reported: now }
    }

    /// `count` of `what` are done; prints a line if the last one is a second old.
    pub(super) fn report(
        &mut self,
        what: &'static str,
        count: u64,
        detail: impl FnOnce() -> String,
    ) {
        let now = Instant::now();
        if self.what != what {
            (self.what, self.began) = (what, now);
        }
        if now - self.reported < INTERVAL {
            return;
        }
        self.reported = now;
        let rate = count as f64 / (now - self.began).as_secs_f64().max(0.001);
        say(&format!("{count} {what}, {rate:.0} a second{}", detail()));
    }
}
