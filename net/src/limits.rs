//! Every bound of this crate.

/// Bytes of the length before each frame.
pub const FRAME_HEADER_BYTES: usize = 4;

/// Largest capacity that a decoder keeps while it holds nothing: an idle connection costs 0.
pub const INBOX_KEPT_BYTES_MAX: usize = 0;

/// Connections that may wait to be accepted, unless configured; the kernel lowers it to
/// `net.core.somaxconn`.
pub const LISTEN_BACKLOG_DEFAULT: i32 = 1_024;
