//! How long a loop's turns take: all clients that it serves wait for the longest, and a loop whose
//! turns take all its time has none for more clients.
//!
//! Lives in: each core loop.

use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// A turn that is worth a debug line, and one that is worth a warning.
const LONG: Duration = Duration::from_millis(5);
const TOO_LONG: Duration = Duration::from_millis(500);
/// The share of time spent in turns is taken over at least this.
const SPAN: Duration = Duration::from_secs(1);

/// Times turns, logs the longest at most once a second, and tells what share of the time they take.
#[derive(Debug, Default)]
pub(super) struct Pace {
    begun: Option<Instant>,
    longest: Duration,
    told_ms: u64,
    /// Since when turns are added up.
    span_begun: Option<Instant>,
    in_turns: Duration,
}

impl Pace {
    /// A turn begins.
    pub(super) fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    /// It has ended. Returns what share of the time turns have taken, in thousandths, when a second
    /// or more has passed since it did so before.
    pub(super) fn end(&mut self, now_ms: u64) -> Option<u32> {
        let begun = self.begun.take()?;
        let ended = Instant::now();
        let turn = ended.duration_since(begun);
        self.longest = self.longest.max(turn);
        self.log(now_ms);
        self.in_turns += turn;
        let span = ended.duration_since(*self.span_begun.get_or_insert(begun));
        if span < SPAN {
            return None;
        }
        self.span_begun = Some(ended);
        let share = std::mem::take(&mut self.in_turns).as_secs_f64() / span.as_secs_f64();
        Some((share * 1_000.0).round() as u32)
    }

    fn log(&mut self, now_ms: u64) {
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
