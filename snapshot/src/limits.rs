//! Every bound of this crate, with its arithmetic.

use disk::BLOCK_BYTES;
use disk::limits::{BULK_BYTES, HUGE_PAGE_BYTES};

/// A chunk with its offset table, unless a single record needs more: what one call of bulk work
/// carries.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Records of a chunk before its content may cut it.
pub const CHUNK_BYTES_MIN: usize = 512 << 10;

/// The average number of bytes between two cuts by content. Chunks end at 512 KiB and on average
/// 221 KiB more; one in eight reaches the maximum.
pub const CUT_BYTES_MEAN: u64 = 256 << 10;

/// Writes in flight, in bytes, besides the chunk that is being filled.
pub const WRITE_AHEAD_BYTES: usize = 4 << 20;

/// Reads in flight, in bytes, besides the unit that is being checked: three units or more.
pub const READ_AHEAD_BYTES: usize = 12 << 20;

/// The chunks of a unit of the image add up to at least this, except in the last: the unit in which
/// memory is freed once its records have been replaced.
pub const UNIT_BYTES: usize = HUGE_PAGE_BYTES;

/// The least that a record takes in a chunk: birth, head, and its entry in the offset table. With
/// the sum of paths and data it bounds a snapshot from below.
pub const RECORD_OVERHEAD_BYTES: u64 =
    (model::record::BIRTH_BYTES + model::record::HEAD_BYTES + OFFSET_BYTES) as u64;

/// A record's entry in an offset table.
pub const OFFSET_BYTES: usize = 4;

/// The first block of a file.
pub const HEADER_BYTES: usize = BLOCK_BYTES;

/// The last block of a file.
pub const FOOTER_BYTES: usize = BLOCK_BYTES;

/// Header and footer, and one block each for sessions, ACLs and index.
pub const FILE_BYTES_MIN: u64 = (HEADER_BYTES + FOOTER_BYTES + 3 * BLOCK_BYTES) as u64;

const _: () = assert!(CHUNK_BYTES_MAX.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(CHUNK_BYTES_MAX <= BULK_BYTES, "a chunk is one call");
const _: () = assert!(CHUNK_BYTES_MIN < CHUNK_BYTES_MAX);
const _: () = assert!(CHUNK_BYTES_MAX <= WRITE_AHEAD_BYTES && CHUNK_BYTES_MAX <= READ_AHEAD_BYTES);
const _: () = assert!(CHUNK_BYTES_MAX <= UNIT_BYTES);
