//! The bounds of an appender.

use disk::{BLOCK_BYTES, Durability};

use crate::limits::{
    BACKLOG_BYTES_MAX_DEFAULT, BATCH_BYTES_MAX_DEFAULT, RECORD_BYTES_MAX_DEFAULT,
    RECORD_BYTES_MAX_MAX, SEGMENT_BYTES_DEFAULT, SEGMENT_HEADER_BYTES, SEGMENTS_AHEAD_DEFAULT,
    SLOT_COUNT_DSYNC, SLOT_COUNT_FLUSH, SLOT_COUNT_MAX, lone_batch_bytes,
};

/// The bounds of an appender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppenderConfig {
    /// Writes in flight, 1 to 8.
    pub slot_count: usize,
    /// A batch with header and padding, in whole blocks; a larger record gets one of its own.
    pub batch_bytes_max: usize,
    /// One txn.
    pub record_bytes_max: usize,
    /// A segment, in whole blocks.
    pub segment_bytes: u64,
    /// Batches that wait for a slot, in bytes.
    pub backlog_bytes_max: usize,
    /// Segments to have ready besides the one being filled, at least 1.
    pub segments_ahead: usize,
    /// How a write becomes durable.
    pub durability: Durability,
}

impl AppenderConfig {
    /// The defaults.
    pub const fn new(durability: Durability) -> Self {
        Self {
            slot_count: match durability {
                Durability::Dsync => SLOT_COUNT_DSYNC,
                Durability::FlushAfter | Durability::BufferedFlush => SLOT_COUNT_FLUSH,
            },
            batch_bytes_max: BATCH_BYTES_MAX_DEFAULT,
            record_bytes_max: RECORD_BYTES_MAX_DEFAULT,
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            backlog_bytes_max: BACKLOG_BYTES_MAX_DEFAULT,
            segments_ahead: SEGMENTS_AHEAD_DEFAULT,
            durability,
        }
    }

    pub(super) fn assert_valid(&self) {
        assert!((1..=SLOT_COUNT_MAX).contains(&self.slot_count), "{} slots", self.slot_count);
        assert!(self.batch_bytes_max > 0 && self.batch_bytes_max.is_multiple_of(BLOCK_BYTES));
        assert!(self.segment_bytes.is_multiple_of(BLOCK_BYTES as u64));
        assert!(self.record_bytes_max <= RECORD_BYTES_MAX_MAX);
        assert!(self.segments_ahead > 0);
        let needed = SEGMENT_HEADER_BYTES + lone_batch_bytes(self.record_bytes_max);
        assert!(needed as u64 <= self.segment_bytes, "the largest txn does not fit a segment");
    }
}
