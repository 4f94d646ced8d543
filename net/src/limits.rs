//! Every bound of this crate.

/// Bytes of the length before each frame.
pub const FRAME_HEADER_BYTES: usize = 4;

/// Largest capacity that an inbox keeps while it holds nothing: an idle connection costs 0.
pub const INBOX_KEPT_BYTES_MAX: usize = 0;

/// Above so much unsent, a connection is not read: 1 MiB, to which one reply may be added.
pub const UNSENT_BYTES_MAX: usize = 1 << 20;

/// Largest send buffer that is kept for reuse; a larger one is freed when it has been sent.
pub const SEND_BUFFER_KEPT_BYTES_MAX: usize = 256 << 10;
/// Most bytes of capacity that the spare send buffers of one shard hold together.
pub const SPARE_BYTES_MAX: usize = 4 << 20;
/// Most spare send buffers of one shard: 4 MiB in the smallest buffers.
pub const SPARE_BUFFERS_MAX: usize = SPARE_BYTES_MAX / SEND_BUFFER_BYTES_MIN;
/// Capacity that a new send buffer begins with: a few small replies.
pub const SEND_BUFFER_BYTES_MIN: usize = 1 << 10;

/// Connections that may wait to be accepted, where the configuration says nothing; the kernel
/// lowers it to `net.core.somaxconn`.
pub const LISTEN_BACKLOG_DEFAULT: i32 = 1_024;

const _: () = assert!(SEND_BUFFER_KEPT_BYTES_MAX <= SPARE_BYTES_MAX);
const _: () = assert!(SEND_BUFFER_BYTES_MIN <= SEND_BUFFER_KEPT_BYTES_MAX);
const _: () = assert!(SPARE_BUFFERS_MAX == 4_096);
