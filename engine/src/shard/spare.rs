//! Send buffers that are not in use.
//!
//! A busy shard takes and returns them all the time and allocates none; what a load peak needed is
//! freed in pieces.
//!
//! Invariant: no more of them, and none larger, than `limits` allows (guard:
//! `tests::what_is_too_many_or_too_large_is_freed`).
//!
//! Lives in: a shard's `Outgoing`.

use crate::limits::{SPARE_BUFFER_BYTES_MAX, SPARE_BUFFERS_MAX};

/// Empty buffers with their memory.
#[derive(Debug, Default)]
pub(super) struct SpareBuffers {
    free: Vec<Vec<u8>>,
    /// The fewest since the last trim: this many were not needed.
    least: usize,
}

impl SpareBuffers {
    /// One of them, or one without memory.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let buffer = self.free.pop().unwrap_or_default();
        self.least = self.least.min(self.free.len());
        buffer
    }

    /// Keeps a buffer, unless there are enough or it is too large.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        let is_kept = self.free.len() < SPARE_BUFFERS_MAX;
        if is_kept && (1..=SPARE_BUFFER_BYTES_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            self.free.push(buffer);
        }
    }

    /// Frees those that were not needed since the last time.
    pub(super) fn trim(&mut self) {
        // Those at the bottom have been there longest.
        self.free.drain(..self.least);
        self.least = self.free.len();
    }
}

#[cfg(test)]
mod tests {
    use super::{SPARE_BUFFER_BYTES_MAX, SPARE_BUFFERS_MAX, SpareBuffers};

    #[test]
    fn what_is_too_many_or_too_large_is_freed() {
        let mut spare = SpareBuffers::default();
        spare.give(Vec::new());
        spare.give(Vec::with_capacity(SPARE_BUFFER_BYTES_MAX + 1));
        assert!(spare.free.is_empty());
        for _ in 0..SPARE_BUFFERS_MAX + 5 {
            spare.give(vec![1; 10]);
        }
        assert_eq!(spare.free.len(), SPARE_BUFFERS_MAX);
        assert!(spare.take().is_empty());
        // Those that were needed since the last time stay.
        spare.trim();
        let needed = [spare.take(), spare.take(), spare.take()];
        for buffer in needed {
            spare.give(buffer);
        }
        spare.trim();
        assert_eq!(spare.free.len(), 3);
    }
}
