//! Every bound of this crate, with its arithmetic.

/// The unit of direct I/O: what every file system and device in use accepts as alignment.
pub const BLOCK_BYTES: usize = 4096;
const _: () = assert!(BLOCK_BYTES.is_power_of_two());

/// The least that a device writes atomically; a torn write ends at a multiple of it.
pub const SECTOR_BYTES: usize = 512;
const _: () = assert!(BLOCK_BYTES.is_multiple_of(SECTOR_BYTES));

/// The unit of a huge page on x86-64 and (with 4 KiB granules) aarch64.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;
const _: () = assert!(HUGE_PAGE_BYTES.is_multiple_of(BLOCK_BYTES));

/// What one call of bulk work carries: long enough to amortise the call, short enough to share.
pub const BULK_BYTES: usize = 1 << 20;
const _: () = assert!(BULK_BYTES.is_multiple_of(BLOCK_BYTES));

/// What a write of bulk work carries before it is flushed, unless something else is decided: a
/// concurrent write of the log waits for no more than this.
pub const PIECE_BYTES_DEFAULT: usize = 256 << 10;
const _: () = assert!(PIECE_BYTES_DEFAULT.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(PIECE_BYTES_DEFAULT <= BULK_BYTES);

/// Threads that read, write and flush for the background: while one's call is in progress, the next
/// can be issued. They sleep unless there is such work.
pub const HANDS: usize = 2;

/// Regions that wait for their pages; more are left to whoever touches them.
pub const POPULATE_REQUESTS_MAX: usize = 16;

/// Memory nodes that can be told apart: as many as a kernel is built for.
pub const NODES_MAX: usize = 1024;

/// How much the background yields on a contended processor: it then gets a tenth of it.
pub const NICENESS: i32 = 10;

/// The locked memory that glommio 0.9 requires, in bytes.
pub const MEMLOCK_BYTES_MIN: u64 = 512 << 10;

/// Jobs waiting for the background thread. A server has a few at a time: one snapshot, one purge,
/// two segments, one recovery, one stream for each of a few learners.
pub const JOBS_MAX: usize = 1024;

/// `bytes` rounded up to whole blocks.
pub const fn block_align_up(bytes: usize) -> usize {
    bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}
