//! Every bound of the engine, with its arithmetic.

use model::limits::JUTE_MAX_BUFFER;

/// Some bounds are small in the engine's tests, so that every run reaches them. With the feature
/// `production-limits` the tests run with those of a server.
pub(crate) const IS_SMALL: bool = cfg!(all(test, not(feature = "production-limits")));

/// Batches whose memory is kept for the next ones: more than are in flight and unhandled at once on
/// a healthy server.
pub const SPARE_BATCHES_MAX: usize = 16;

/// A batch's buffer larger than this is not kept for the next one.
pub const SPARE_BYTES_MAX: usize = 1 << 20;

/// Bytes of the txn that ends a session and lists its nodes; a longer one lists none. ZooKeeper
/// reads txns of up to twice its `jute.maxbuffer` from its log and from a leader; with the default
/// of that, and a digest behind the list, this is half of it.
pub const CLOSE_LIST_BYTES_MAX: usize = if IS_SMALL { 64 << 10 } else { JUTE_MAX_BUFFER };

/// Bytes of a configuration that a client proposes, some hundreds of servers: it goes out with each
/// vote, in frames of half a MiB at most, and servers compare and keep lists of 64 KiB.
pub const CONFIGURATION_BYTES_MAX: usize = 48 << 10;

/// Nodes of ending sessions that are deleted in one turn: all other clients wait that long.
pub const CLOSED_NODES_PER_TURN: usize = 200;

/// Expired sessions that are closed in one turn.
pub const CLOSED_PER_TURN: usize = 64;

/// Containers and nodes with a TTL that are checked in one turn, and that are removed in one.
pub const REAP_LOOKS_PER_TURN: usize = if IS_SMALL { 4 } else { 512 };
/// See [`REAP_LOOKS_PER_TURN`].
pub const REAPED_PER_TURN: u64 = if IS_SMALL { 2 } else { 64 };

/// Between two digests that are remembered, in txns, as stock does it.
pub const DIGEST_EVERY_TXNS: i64 = if IS_SMALL { 8 } else { 128 };

/// Bytes of txns after which a batch accepts no more: bounds what one flush carries.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// How many batches the slowest shard may be behind before writes are no longer admitted.
pub const BACKLOG_BATCHES_MAX: usize = 1_024;

/// Retired pieces of the tree freed in one turn.
pub const RECLAIM_PER_TURN: usize = 4_096;

/// Unsent bytes of a client above which its requests are no longer read; one reply may exceed it.
pub const UNSENT_BYTES_MAX: usize = 1 << 20;

/// Unsent bytes of all clients of a shard together above which each is held to a share: a client
/// with more than the share unsent is not read. Above twice as much, the client with the most is
/// closed, one per turn.
pub const CROWD_UNSENT_BYTES_MAX: usize = if IS_SMALL { 8 << 20 } else { 512 << 20 };
/// See [`CROWD_UNSENT_BYTES_MAX`]; one reply may exceed it.
pub const UNSENT_SHARE_BYTES: usize = 64 << 10;

/// Bytes of parked requests of all clients of a shard above which each is held to a share.
pub const CROWD_PARKED_BYTES_MAX: usize = if IS_SMALL { 4 << 20 } else { 256 << 20 };
/// See [`CROWD_PARKED_BYTES_MAX`]; one request may exceed it.
pub const PARKED_SHARE_BYTES: usize = 16 << 10;

/// Bytes of writes that a shard collects in a turn before it stops reading: a bundle is at most
/// this and one more request.
pub const BUNDLE_BYTES_MAX: usize = 2 << 20;

/// Send buffers that a shard keeps for reuse, and the longest that is kept.
pub const SPARE_BUFFERS_MAX: usize = 1_024;
/// See [`SPARE_BUFFERS_MAX`]: together at most 64 MiB per shard.
pub const SPARE_BUFFER_BYTES_MAX: usize = 64 << 10;

/// Connections for which a shard keeps slots while it has a quarter of them or fewer.
pub const KEPT_SLOTS_MAX: usize = 1_024;

/// Bytes of a connection's parked requests above which it is no longer read.
pub const PARKED_BYTES_MAX: usize = 256 << 10;

/// Room for parked requests that a connection keeps while none is parked.
pub const PARKED_KEPT_MAX: usize = 32;

/// Unsent bytes of a client that is sent events and receives none, above which its connection is
/// closed; it sets its watches again when it reconnects.
pub const EVENT_BYTES_MAX: usize = 16 << 20;

/// Requests of one connection that are taken in one turn, new or parked: a client that sends
/// thousands at once waits for the others in between.
pub const TURN_REQUESTS_MAX: u32 = 128;

/// Children that are listed within one turn; more are listed incrementally.
pub const LISTED_AT_ONCE: i32 = if IS_SMALL { 2 } else { 2_048 };

/// Listings of fewer children than this are not kept.
pub const KEPT_CHILDREN_MIN: i32 = if IS_SMALL { 3 } else { 128 };

/// Listings that a shard keeps for later requests, and their total bytes.
pub const KEPT_LISTINGS_MAX: usize = 16;
/// See [`KEPT_LISTINGS_MAX`].
pub const KEPT_LISTINGS_BYTES_MAX: usize = 4 << 20;

/// Bytes up to which a kept listing is answered at once; beyond that, what counts as a child.
pub const KEPT_AT_ONCE_BYTES: usize = if IS_SMALL { 32 } else { 128 << 10 };
/// See [`KEPT_AT_ONCE_BYTES`]: copying this much takes as long as listing a child.
pub const KEPT_BYTES_OF_CHILD: usize = if IS_SMALL { 16 } else { 256 };

/// Bytes of a setWatches that is done within one turn.
pub const WATCHES_BYTES_AT_ONCE: usize = if IS_SMALL { 40 } else { 16 << 10 };

/// Children that all long listings write in one turn: about 64 KiB, half a millisecond.
pub const LONG_UNITS_PER_TURN: usize = if IS_SMALL { 3 } else { 4_096 };

/// The cost of a watch that is set again, in children listed.
pub const UNITS_OF_WATCH: usize = 8;

/// Long requests that a shard processes at once; each holds its body, or its reply so far.
pub const LONG_MAX: usize = 64;

/// Long listings among them: each pins a version, and snapshots pin some, too.
pub const LISTINGS_MAX: usize = 4;

/// Bytes of replies to reads that a shard makes in one turn before further reads wait.
pub const TURN_REPLY_BYTES_MAX: usize = 4 << 20;

/// Bytes of one multiRead's reply, which a small request could otherwise make as large as memory.
pub const MULTI_READ_BYTES_MAX: usize = 64 << 20;

/// Identities of one connection: each auth copies them.
pub const IDENTITIES_MAX: usize = 1_000;

/// Watches of closed connections that are forgotten in one turn: half a millisecond.
pub const FORGOTTEN_PER_TURN: usize = 512;

/// Turns after which a shard that is never done reading has read what was there at the start. The
/// kernel completes at least twenty receives per turn, oldest first: those of 5,000 connections.
pub const LOOK_TURNS_MAX: u32 = if IS_SMALL { 8 } else { 256 };

/// Reads that are walked through the tree together.
pub const STAGED_READS: usize = 8;

const _: () =
    assert!(UNSENT_SHARE_BYTES < UNSENT_BYTES_MAX && PARKED_SHARE_BYTES < PARKED_BYTES_MAX);

/// Bytes of the newest txns that are kept in memory for learners that were away for a moment: a
/// second of writes at the highest rate. What is not committed is kept beside it.
pub const RECENT_BYTES_MAX: usize = 64 << 20;

/// Txns of one epoch: all counters but 0, which no txn has, and the last one, from which stock's
/// counter would run on into the epoch.
pub const EPOCH_TXNS_MAX: u32 = u32::MAX - 1;

/// Learner links at once, those of servers that have yet to introduce themselves included: ten
/// times the servers of the largest ensembles known.
pub const LEARNERS_MAX: usize = 1_024;

/// Bytes of a learner's requests that wait behind a sync or a session's end before its link is
/// closed: a thousand of the largest would be ten times as much, and never wait together.
pub const LINK_REQUEST_BYTES_MAX: usize = if IS_SMALL { 64 << 10 } else { 128 << 20 };

/// Bytes of observers' requests that a follower has passed on and that have not come back, before
/// the links of observers are not read: a quarter of what the leader takes of the follower's link,
/// behind something that waits.
pub const RELAYED_BYTES_MAX: usize = LINK_REQUEST_BYTES_MAX / 4;

/// Sessions of observers that were active and that the leader has yet to be told of, before the
/// link of the observer that names more is closed: the sessions of the largest ensembles known.
pub const RELAYED_SESSIONS_MAX: usize = 1 << 20;

/// Sessions of observers that one answer to a ping names, 12 bytes each: half of what a packet
/// holds by default.
pub const TOUCHED_PER_PING_MAX: usize = 40_000;

/// Bytes of proposals that wait to be handed to the log before the leader's link is not read.
pub const PENDING_BYTES_MAX: usize = 4 << 20;
