//! Every bound of this crate.

use std::time::Duration;

/// Fewest submission entries a ring is made with.
pub const ENTRIES_MIN: u32 = 8;
/// Most submission entries (`IORING_MAX_ENTRIES` of the kernel).
pub const ENTRIES_MAX: u32 = 32_768;
/// Most completion entries (`IORING_MAX_CQ_ENTRIES`: twice the former).
pub const CQ_ENTRIES_MAX: u32 = 2 * ENTRIES_MAX;
/// Most buffers in a provided ring (the kernel's limit for one group).
pub const RECEIVE_BUFFERS_MAX: u16 = 32_768;
/// Largest receive buffer: with the count above at most 32 GiB, so an address never wraps.
pub const RECEIVE_BUFFER_BYTES_MAX: u32 = 1 << 20;
/// Most operations in flight: 8 for each of two million connections. A bound against a leak of our
/// own; a process runs out of descriptors long before.
pub const OPERATIONS_MAX: usize = 1 << 24;
/// Most bytes of one send or write that the kernel is given at once (`MAX_RW_COUNT` rounds down
/// to a page below 2 GiB); longer ones are continued.
pub const TRANSFER_BYTES_MAX: usize = 0x7fff_f000;
/// How long one wait of a ring that is being dropped lasts.
pub const DRAIN_WAIT: Duration = Duration::from_millis(100);
/// How many such waits are made before the memory of what is still in flight is leaked: 5 s.
pub const DRAIN_WAITS_MAX: u32 = 50;

const _: () = assert!(OPERATIONS_MAX < u32::MAX as usize);
const _: () = assert!(TRANSFER_BYTES_MAX < i32::MAX as usize);
