//! Every bound of this crate, with its arithmetic.

/// The default of `jute.maxbuffer`: the longest packet and the longest single field, in bytes.
pub const JUTE_MAX_BUFFER: usize = 0xf_ffff;

/// Bytes by which decoding may always exceed `jute.maxbuffer` (`jute.maxbuffer.extrasize`).
pub const JUTE_EXTRA_MIN: usize = 1024;

/// The longest message of an election link; the shortest has one byte (ZooKeeper 3.9.5,
/// `QuorumCnxManager.PACKETMAXSIZE`). A notification needs 44 bytes and the text of a
/// configuration: some 6,000 servers.
pub const ELECTION_FRAME_BYTES_MAX: usize = 512 << 10;

/// Bytes of addresses in a hello at the most (ZooKeeper 3.9.5, `QuorumCnxManager.maxBuffer`).
pub const HELLO_ADDRESSES_BYTES_MAX: usize = 2048;

/// Length of a session's password in bytes.
pub const PASSWORD_BYTES: usize = 16;

/// The largest time to live of a node in ms: 40 bits.
pub const TTL_MS_MAX: i64 = 0xff_ffff_ffff;

const _: () = assert!(TTL_MS_MAX == (1 << 40) - 1);
