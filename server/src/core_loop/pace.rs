//! How long a loop's turns take: all clients that it serves wait for the longest.
//!
//! Lives in: each core loop.

use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// A turn that is worth a debug line, and one that is worth a warning.
const LONG: Duration = Duration::from_millis(5);
const TOO_LONG: Duration = Duration::from_millis(500);

/// Times turns, and logs the longest at most once a second.
#[derive(Debug, Default)]
pub(super) struct Pace {
    begun: Option<Instant>,
    longest: Duration,
    told_ms: u64,
}

impl Pace {
    /// A turn begins.
    pub(super) fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    /// It has ended.
    pub(super) fn end(&mut self, now_ms: u64) {
        let Some(begun) = self.begun.take() else { return };
        self.longest = self.longest.max(begun.elapsed());
        if self.longest < LONG || now_ms < self.told_ms + 1_000 {
            return;
        }
        let turn_us = std::mem::take(&mut self.longest).as_micros() as u64;
        self.told_ms = now_ms;
        if u128::from(turn_us) >= TOO_LONG.as_micros() {
            warn!(
                turn_us,
                "one turn of a core loop delayed all its clients; the machine may be overloaded"
            );
        } else {
            debug!(turn_us, "the longest turn of the last second");
        }
    }
}
