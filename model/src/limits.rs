//! Every bound of this crate, with its arithmetic.

/// The default of `jute.maxbuffer`: the longest packet and the longest single field, in bytes.
pub const JUTE_MAX_BUFFER: usize = 0xf_ffff;

/// Length of a session's password in bytes.
pub const PASSWORD_BYTES: usize = 16;

/// The largest time to live of a node in ms: 40 bits.
pub const TTL_MS_MAX: i64 = 0xff_ffff_ffff;

const _: () = assert!(TTL_MS_MAX == (1 << 40) - 1);
