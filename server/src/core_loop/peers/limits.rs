//! Every bound of the links between servers, with its arithmetic.

use engine::limits::RECENT_BYTES_MAX;
use model::limits::{ELECTION_FRAME_BYTES_MAX, HELLO_ADDRESSES_BYTES_MAX};
use model::peer::packet::PacketLimits;

/// Connections to one port that have not said who they are. The next one takes the place of the
/// oldest: servers introduce themselves at once, so strangers that are silent keep none of them
/// out. Each holds at most [`STRANGER_BYTES_MAX`].
pub const STRANGERS_MAX: usize = 128;

/// Election links to servers outside the configuration (observers without a number, servers about
/// to join), attempts to connect back to them included. Each holds less than two frames.
pub const OUTSIDERS_MAX: usize = 64;

/// Bytes of another server's configuration that are compared with this one's: some hundreds of
/// lines.
pub const ROSTER_BYTES_MAX: usize = 1 << 16;

/// Between two attempts to listen on a quorum port that another process holds, in ms.
pub const BIND_RETRY_MS: u64 = 1_000;

/// Addresses of a hello that are tried: a server has one, or a few with `multiAddress`.
pub const SAID_ADDRESSES_MAX: usize = 8;

/// The fields of the packet in which a learner introduces itself: it has 20 bytes, and whatever
/// later versions put behind them.
pub const INTRODUCTION: PacketLimits = PacketLimits::new(0, 0);

/// Bytes of one receive at most, as rings are configured.
const RECEIVED_BYTES_MAX: usize = 64 << 10;

/// Bytes that a connection which has not said who it is can make this server hold: a hello, or an
/// introduction, that is about to be whole, and one more receive.
pub const STRANGER_BYTES_MAX: usize = INTRODUCTION.packet_bytes_max() + RECEIVED_BYTES_MAX;

/// Bytes that are received from a link while agreement does not take its packets, before the
/// socket is not read any more: a few turns' worth.
pub const HELD_BYTES_MAX: usize = 64 << 10;

/// Memory that an idle link keeps for what it sends or receives.
pub const KEPT_BYTES_MAX: usize = 64 << 10;

/// A buffer of packets that wait to be sent takes no further packets from this size on. One buffer
/// is one send.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Bytes that wait to be sent over one learner link, and are being sent. A learner is given all
/// that memory has of the recent history at once, a PROPOSAL and a COMMIT for each txn, in 40 bytes
/// around it; a txn has at least 40 itself, so that doubles its bytes. As much again as memory has
/// is left for what is proposed meanwhile. A peer that lets more accumulate is disconnected, and
/// returns for what it lacks.
pub const UNSENT_BYTES_MAX: usize = 3 * RECENT_BYTES_MAX;

/// The same for all learner links together: a follower or two may be slow at a time. Beyond it the
/// link with the most is closed.
pub const UNSENT_TOTAL_BYTES_MAX: usize = 2 * UNSENT_BYTES_MAX;

/// A link with less than this unsent has room for another piece of the log.
pub const ROOM_BYTES: usize = 2 * CHUNK_BYTES;

/// How long an election link that could not be opened rests before the next attempt, in ms: at
/// first, doubled each time, and at most.
pub const RETRY_MS_MIN: u64 = 100;
/// See [`RETRY_MS_MIN`].
pub const RETRY_MS_MAX: u64 = 5_000;

/// How long a server of a greater number has to connect back before it is announced to again, in
/// ms. Sooner than a slow network lets it, the next hello would make it drop the link that it has
/// just opened.
pub const CALLED_BACK_MS: u64 = 1_000;

const _: () = {
    assert!(HELLO_ADDRESSES_BYTES_MAX + 20 <= STRANGER_BYTES_MAX);
    // 9 MiB at a port of strangers, 66 MiB of half frames from outside the configuration.
    assert!(STRANGERS_MAX * STRANGER_BYTES_MAX <= 9 << 20);
    assert!(OUTSIDERS_MAX * 2 * ELECTION_FRAME_BYTES_MAX <= 66 << 20);
    assert!(UNSENT_BYTES_MAX >= 2 * RECENT_BYTES_MAX + RECENT_BYTES_MAX);
    assert!(ROOM_BYTES < UNSENT_BYTES_MAX && RETRY_MS_MIN < RETRY_MS_MAX);
};
