//! Every bound of this crate, with its arithmetic.

use disk::BLOCK_BYTES;
use disk::limits::block_align_up;

use crate::format::{BATCH_HEADER_BYTES, RECORD_HEADER_BYTES};

/// A segment, unless configured otherwise. Large enough that switching is rare at 100 MB/s, small
/// enough that purges are frequent and recovery reads little in excess.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;

/// A batch with header and padding, unless a single record needs more.
pub const BATCH_BYTES_MAX_DEFAULT: usize = 1 << 20;

/// One txn. `jute.maxbuffer` (1 MiB, often raised to 4) bounds the request; the txn adds its
/// header, digest and what a multi repeats per operation.
pub const RECORD_BYTES_MAX_DEFAULT: usize = (4 << 20) + (64 << 10);

/// What any record may take, regardless of the configuration: its length is a `u32` on disk, and a
/// reader must be able to hold the batch.
pub const RECORD_BYTES_MAX_MAX: usize = 256 << 20;

/// The most batches in flight. A device has deep queues, but each slot is a batch that a power loss
/// may destroy, and eight cover the flush latency of every device measured.
pub const SLOT_COUNT_MAX: usize = 8;

/// Batches in flight where each write is durable by itself. With 64 clients of one write each, four
/// gave a third more throughput than one and a tenth more than two; six gave no more.
pub const SLOT_COUNT_DSYNC: usize = 4;

/// Batches in flight where several share a flush: one that is written while another is flushed.
pub const SLOT_COUNT_FLUSH: usize = 2;

/// Departed batches that are not durable yet, with flushes that cover several slots.
pub const FLIGHT_COUNT_MAX: usize = 4 * SLOT_COUNT_MAX;

/// Full batches that wait for a slot, in bytes; admission stops there.
pub const BACKLOG_BYTES_MAX_DEFAULT: usize = 64 << 20;

/// Segments prepared ahead: one is being filled, one is ready.
pub const SEGMENTS_AHEAD_DEFAULT: usize = 1;

/// Spares that are kept, to make segments from without writing zeros: a start leaves at most one, a
/// purge may leave another.
pub const SPARES_MAX: usize = 2;

/// What a scan reads at a time.
pub const SCAN_WINDOW_BYTES: usize = 4 << 20;

/// What it reads at first.
pub const SCAN_FIRST_BYTES: usize = 64 << 10;

/// Bytes of a segment before its first batch.
pub const SEGMENT_HEADER_BYTES: usize = BLOCK_BYTES;

/// What a batch of a single record takes on disk.
pub const fn lone_batch_bytes(record_bytes: usize) -> usize {
    block_align_up(BATCH_HEADER_BYTES + RECORD_HEADER_BYTES + record_bytes)
}

const _: () = assert!(
    SEGMENT_HEADER_BYTES + lone_batch_bytes(RECORD_BYTES_MAX_DEFAULT)
        <= SEGMENT_BYTES_DEFAULT as usize,
    "the largest txn fits a segment"
);
const _: () = assert!(BATCH_BYTES_MAX_DEFAULT.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(SEGMENT_BYTES_DEFAULT.is_multiple_of(BLOCK_BYTES as u64));
const _: () = assert!(SCAN_WINDOW_BYTES.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(SCAN_FIRST_BYTES.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(RECORD_BYTES_MAX_MAX + RECORD_HEADER_BYTES <= u32::MAX as usize);
const _: () = assert!(SLOT_COUNT_DSYNC <= SLOT_COUNT_MAX && SLOT_COUNT_FLUSH <= SLOT_COUNT_MAX);
const _: () = assert!(SLOT_COUNT_MAX <= u8::BITS as usize, "free slots are bits of a byte");
