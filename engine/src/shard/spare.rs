//! Send buffers that nobody uses at the moment.
//!
//! A busy shard takes and gives them back all the time and allocates none; what a crowd needed
//! and nobody needs any more is freed by and by.
//!
//! Lives in: each shard.

use crate::limits::{SPARE_BUFFER_BYTES_MAX, SPARE_BUFFERS_MAX};

/// Empty buffers with their memory.
#[derive(Debug, Default)]
pub(super) struct SpareBuffers {
    free: Vec<Vec<u8>>,
    /// How few there were since the last trim: so many nobody has needed.
    least: usize,
}

impl SpareBuffers {
    /// One of them, or one without memory.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let buffer = self.free.pop().unwrap_or_default();
        self.least = self.least.min(self.free.len());
        buffer
    }

    /// Keeps a buffer, unless there are enough or it is too large to lie about.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        let is_kept = self.free.len() < SPARE_BUFFERS_MAX;
        if is_kept && (1..=SPARE_BUFFER_BYTES_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            self.free.push(buffer);
        }
    }

    /// Frees those that nobody has needed since the last time.
    pub(super) fn trim(&mut self) {
        // Those at the bottom have lain there longest.
        self.free.drain(..self.least);
        self.least = self.free.len();
    }
}
