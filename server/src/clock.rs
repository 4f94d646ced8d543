//! The two clocks, read once a turn.

use engine::settings::Now;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The process's clock: monotonic from its start, and the wall's.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_ms: self.start.elapsed().as_millis() as u64, wall_ms: wall.as_millis() as i64 }
    }
}
