//! Every bound of the engine, with its arithmetic.

use model::limits::JUTE_MAX_BUFFER;

/// Some bounds are small in the engine's tests, so that these meet them in every run. With the
/// feature `production-limits` the tests run with what servers have.
pub(crate) const IS_SMALL: bool = cfg!(all(test, not(feature = "production-limits")));

/// Batches whose memory is kept for the next ones: more than are in the air and unhandled at
/// once on a healthy server.
pub const SPARE_BATCHES_MAX: usize = 16;

/// A batch's buffer past this is not kept for the next one.
pub const SPARE_BYTES_MAX: usize = 1 << 20;

/// Bytes of the txn that ends a session and lists its nodes; one that would be longer lists none.
/// ZooKeeper reads txns of up to twice its `jute.maxbuffer` from its log and from a leader; with
/// the default of that, and a digest behind the list, this is half of it.
pub const CLOSE_LIST_BYTES_MAX: usize = if IS_SMALL { 64 << 10 } else { JUTE_MAX_BUFFER };

/// Nodes of sessions that end which are deleted in one turn: everybody else waits that long.
pub const CLOSED_NODES_PER_TURN: usize = 200;

/// Expired sessions that are closed in one turn.
pub const CLOSED_PER_TURN: usize = 64;

/// Containers and nodes with a TTL that are looked at in one turn, and that are removed in one.
pub const REAP_LOOKS_PER_TURN: usize = if IS_SMALL { 4 } else { 512 };
/// See [`REAP_LOOKS_PER_TURN`].
pub const REAPED_PER_TURN: u64 = if IS_SMALL { 2 } else { 64 };

/// Between two digests that are remembered, in txns, as stock does it.
pub const DIGEST_EVERY_TXNS: i64 = if IS_SMALL { 8 } else { 128 };

/// Bytes of txns after which a batch is closed to more: bounds what one flush carries.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// Batches that the slowest shard may be behind before no more writes are admitted.
pub const BACKLOG_BATCHES_MAX: usize = 1_024;

/// Retired pieces of the tree freed in one turn.
pub const RECLAIM_PER_TURN: usize = 4_096;

/// Bytes that wait for a client before its requests are not read any more, beside one reply.
pub const UNSENT_BYTES_MAX: usize = 1 << 20;

/// Bytes that wait for all clients of a shard together before each is held to a share: above it,
/// whoever leaves more than the share unsent is not read. Above twice as much, whoever leaves the
/// most is closed, one a turn.
pub const CROWD_UNSENT_BYTES_MAX: usize = if IS_SMALL { 8 << 20 } else { 512 << 20 };
/// See [`CROWD_UNSENT_BYTES_MAX`]: beside one reply.
pub const UNSENT_SHARE_BYTES: usize = 64 << 10;

/// Bytes of parked requests of all clients of a shard before each is held to a share.
pub const CROWD_PARKED_BYTES_MAX: usize = if IS_SMALL { 4 << 20 } else { 256 << 20 };
/// See [`CROWD_PARKED_BYTES_MAX`]: beside one request.
pub const PARKED_SHARE_BYTES: usize = 16 << 10;

/// Bytes of writes that a shard collects in a turn before it reads no more: a bundle is this and
/// one more request at most.
pub const BUNDLE_BYTES_MAX: usize = 2 << 20;

/// Send buffers that a shard keeps for reuse, and the longest that is kept.
pub const SPARE_BUFFERS_MAX: usize = 1_024;
/// See [`SPARE_BUFFERS_MAX`]: together at most 64 MiB a shard.
pub const SPARE_BUFFER_BYTES_MAX: usize = 64 << 10;

/// Connections for which a shard keeps places while it has a quarter of them or fewer.
pub const KEPT_SLOTS_MAX: usize = 1_024;

/// Bytes of a connection's requests that wait for its earlier ones before it is not read.
pub const PARKED_BYTES_MAX: usize = 256 << 10;

/// Places for parked requests that a connection keeps while none is parked.
pub const PARKED_KEPT_MAX: usize = 32;

/// Bytes that may wait for a client that is told of events and takes none; then its connection is
/// closed, and it sets its watches again when it comes back.
pub const EVENT_BYTES_MAX: usize = 16 << 20;

/// Requests of one connection that are taken in one turn, new or parked: whoever sends thousands at
/// once waits for the others in between.
pub const TURN_REQUESTS_MAX: u32 = 128;

/// Children that are listed in one turn at once; more are listed by and by.
pub const LISTED_AT_ONCE: i32 = if IS_SMALL { 2 } else { 2_048 };

/// Fewer children than this are walked over again.
pub const KEPT_CHILDREN_MIN: i32 = if IS_SMALL { 3 } else { 128 };

/// Listings that a shard keeps for whoever asks next, and their bytes together.
pub const KEPT_LISTINGS_MAX: usize = 16;
/// See [`KEPT_LISTINGS_MAX`].
pub const KEPT_LISTINGS_BYTES_MAX: usize = 4 << 20;

/// Bytes of a kept listing that is answered at once; of a longer one, what a child counts.
pub const KEPT_AT_ONCE_BYTES: usize = if IS_SMALL { 32 } else { 128 << 10 };
/// See [`KEPT_AT_ONCE_BYTES`]: to copy so much takes as long as to list a child.
pub const KEPT_BYTES_OF_CHILD: usize = if IS_SMALL { 16 } else { 256 };

/// Bytes of a setWatches that is done in one turn at once.
pub const WATCHES_BYTES_AT_ONCE: usize = if IS_SMALL { 40 } else { 16 << 10 };

/// Children that long listings write in one turn together: 64 KiB or so, half a millisecond.
pub const LONG_UNITS_PER_TURN: usize = if IS_SMALL { 3 } else { 4_096 };

/// What a watch that is set again counts, in children listed.
pub const UNITS_OF_WATCH: usize = 8;

/// Long requests that a shard has begun at once; each holds its body, or its reply so far.
pub const LONG_MAX: usize = 64;

/// Long listings among them: each pins a version, and snapshots pin some, too.
pub const LISTINGS_MAX: usize = 4;

/// Bytes of replies to reads that a shard makes in one turn before the next reads wait.
pub const TURN_REPLY_BYTES_MAX: usize = 4 << 20;

/// Bytes of one multiRead's reply, which one small request could make as long as memory is large.
pub const MULTI_READ_BYTES_MAX: usize = 64 << 20;

/// Identities of one connection: each auth copies them.
pub const IDENTITIES_MAX: usize = 1_000;

/// Watches of gone connections that are forgotten in one turn: half a millisecond.
pub const FORGOTTEN_PER_TURN: usize = 512;

/// Turns after which a shard that is never done reading has read what was there at first. The
/// kernel hands over at least twenty receives a turn, oldest first: those of 5,000 connections.
pub const LOOK_TURNS_MAX: u32 = if IS_SMALL { 8 } else { 256 };

/// Reads that are walked through the tree together.
pub const STAGED_READS: usize = 8;

const _: () =
    assert!(UNSENT_SHARE_BYTES < UNSENT_BYTES_MAX && PARKED_SHARE_BYTES < PARKED_BYTES_MAX);

/// Bytes of the newest txns that are kept in memory for learners that were away for a moment: a
/// second of writes at the highest rate. What is not committed is kept beside it.
pub const RECENT_BYTES_MAX: usize = 64 << 20;

/// Bytes of proposals that wait to be handed to the log before the leader's link is not read.
pub const PENDING_BYTES_MAX: usize = 4 << 20;
