//! The process's size, and when to have the heap return its idle memory.

use std::fs;

/// Growth that is worth a request, in pages of 4 KiB: 16 MiB.
const GROWTH_PAGES: u64 = 4 << 10;

/// How long after growth the first request is made, and the longest interval between two, in ms.
const PATIENCE_MS_MIN: u64 = 10_000;
const PATIENCE_MS_MAX: u64 = 600_000;

/// Watches the size of the process.
///
/// Lives in: the main thread. Its life: idle while the process is about as small as it ever was;
/// while it is larger, it asks the heap to return idle memory, less and less often.
#[derive(Debug)]
pub(crate) struct Resident {
    least_pages: u64,
    after_pages: u64,
    asked_ms: u64,
    patience_ms: u64,
}

impl Resident {
    pub(crate) fn new(now_ms: u64) -> Self {
        let pages = resident_pages().unwrap_or(0);
        Self {
            least_pages: pages,
            after_pages: pages,
            asked_ms: now_ms,
            patience_ms: PATIENCE_MS_MIN,
        }
    }

    /// To be called about once a second.
    pub(crate) fn look(&mut self, now_ms: u64) {
        let Some(pages) = resident_pages() else { return };
        self.least_pages = self.least_pages.min(pages);
        if pages > self.after_pages + GROWTH_PAGES {
            self.patience_ms = PATIENCE_MS_MIN;
        }
        let is_large = pages > self.least_pages + GROWTH_PAGES;
        if !is_large || now_ms < self.asked_ms + self.patience_ms {
            return;
        }
        disk::heap::give_back();
        self.after_pages = resident_pages().unwrap_or(pages);
        self.asked_ms = now_ms;
        self.patience_ms = (self.patience_ms * 2).min(PATIENCE_MS_MAX);
    }
}

/// The second number of `/proc/self/statm`.
fn resident_pages() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse().ok()
}
