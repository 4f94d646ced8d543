//! Requests, connections, watches.

use super::{
    ANY_INT, INT_MAX, Key, NATURAL, NATURAL_OR_UNSET, POSITIVE, decimal, flag, text, whole,
};

const THREADS: &str = "threads are placed by ring.shards and ring.cpus";
const BUFFERS: &str = "every core loop receives into a ring of buffers of its own";
const NO_CACHE: &str = "a reply is encoded out of the tree without a copy, nothing is cached";
const NO_CLEANER: &str = "watches die with their connection, there is no cleaner";
const NO_STAGES: &str = "there is no commit stage with threads of its own";
const PATH_STATS: &str = "statistics by path are not built yet";
const IN_SOCKETS: &str = "requests that are held back wait in their sockets, in no queue";
const COUNTS: &str = "what was received counts, whether its connection is still there or not";
const NETTY: &str = "connections are served by io_uring, not by Netty";

pub(super) static KEYS: &[Key] = &[
    whole("jute.maxbuffer", (1_024, INT_MAX), "1048575", "The longest request in bytes.").bare(),
    whole(
        "jute.maxbuffer.extrasize",
        NATURAL,
        "",
        "Bytes that a stored txn may be longer than a \
        request; unset means as many again as jute.maxbuffer.",
    ),
    whole(
        "globalOutstandingLimit",
        POSITIVE,
        "1000",
        "Writes in flight in all; more wait in their \
        sockets.",
    ),
    whole(
        "request_throttle_max_requests",
        NATURAL,
        "0",
        "Requests in flight before they are \
        stalled; 0 means no limit.",
    ),
    whole(
        "request_throttle_stall_time",
        POSITIVE,
        "100",
        "How long a stalled request waits \
        before it is looked at again, in ms.",
    )
    .no_effect(IN_SOCKETS),
    flag(
        "request_throttle_drop_stale",
        "true",
        "Whether a stalled request whose connection is \
        gone is dropped.",
    )
    .no_effect(COUNTS),
    flag(
        "request_stale_latency_check",
        "false",
        "Whether a request older than its session's \
        timeout is dropped.",
    )
    .no_effect(IN_SOCKETS),
    flag(
        "request_stale_connection_check",
        "true",
        "Whether a request of a closed connection is \
        dropped.",
    )
    .no_effect(COUNTS),
    whole(
        "request_throttler.shutdownTimeout",
        NATURAL,
        "10000",
        "How long the throttler may take \
        to stop.",
    )
    .no_effect("there is no throttler thread to wait for"),
    whole(
        "throttled_op_wait_time",
        ANY_INT,
        "0",
        "A request that waited longer, in ms, is refused; \
        0 or less means never.",
    )
    .no_effect(IN_SOCKETS),
    whole(
        "largeRequestMaxBytes",
        POSITIVE,
        "104857600",
        "Bytes of large requests in flight in \
        all.",
    ),
    whole(
        "largeRequestThreshold",
        NATURAL_OR_UNSET,
        "-1",
        "A request of more bytes is large; 0 \
        and -1 mean none is.",
    ),
    whole(
        "connection_throttle_tokens",
        NATURAL,
        "0",
        "Connections that may come at once; 0 means \
        no limit.",
    ),
    whole(
        "connection_throttle_fill_time",
        POSITIVE,
        "1",
        "How often that allowance is refilled, \
        in ms.",
    ),
    whole("connection_throttle_fill_count", POSITIVE, "1", "By how many it is refilled."),
    whole(
        "connection_throttle_freeze_time",
        NATURAL_OR_UNSET,
        "-1",
        "How often the chance of a \
        refusal is changed, in ms; -1 means never.",
    ),
    decimal(
        "connection_throttle_drop_increase",
        (0.0, 1.0),
        "0.02",
        "By how much the chance of a \
        refusal grows.",
    ),
    decimal("connection_throttle_drop_decrease", (0.0, 1.0), "0.002", "By how much it shrinks."),
    decimal(
        "connection_throttle_decrease_ratio",
        (0.0, 1.0),
        "0",
        "Which part of the allowance \
        must be free for it to shrink.",
    ),
    flag("connection_throttle_weight_enabled", "false", "Whether sessions count by their weights."),
    whole(
        "connection_throttle_global_session_weight",
        POSITIVE,
        "3",
        "The weight of a new \
        session.",
    ),
    whole(
        "connection_throttle_local_session_weight",
        POSITIVE,
        "1",
        "The weight of a new local \
        session.",
    ),
    whole(
        "connection_throttle_renew_session_weight",
        POSITIVE,
        "2",
        "The weight of a session that \
        comes back.",
    ),
    whole(
        "nio.sessionlessCnxnTimeout",
        POSITIVE,
        "10000",
        "How long a connection may take to open \
        a session, in ms.",
    ),
    whole("nio.numSelectorThreads", POSITIVE, "", "Threads that wait for sockets.")
        .no_effect(THREADS),
    whole("nio.numWorkerThreads", NATURAL, "", "Threads that read and write sockets.")
        .no_effect(THREADS),
    whole("nio.shutdownTimeout", NATURAL, "5000", "How long those may take to stop, in ms.")
        .no_effect(THREADS),
    whole("nio.directBufferBytes", NATURAL, "65536", "The size of a thread's buffer.")
        .no_effect(BUFFERS),
    whole("intBufferStartingSizeBytes", (32, INT_MAX), "1024", "The first size of a buffer.")
        .no_effect(BUFFERS),
    text("serverCnxnFactory", "", "The Java class that serves connections.")
        .no_effect("connections are served by io_uring"),
    flag("netty.advancedFlowControl.enabled", "false", "Whether Netty reads more carefully.")
        .no_effect(NETTY),
    whole("netty.server.outstandingHandshake.limit", ANY_INT, "-1", "TLS handshakes at a time.")
        .no_effect(NETTY),
    flag(
        "netty.server.earlyDropSecureConnectionHandshakes",
        "false",
        "Whether handshakes are \
        refused while the server is not serving.",
    )
    .no_effect(NETTY),
    whole("commitProcessor.numWorkerThreads", NATURAL, "", "Threads of the commit stage.")
        .no_effect(NO_STAGES),
    whole("commitProcessor.maxReadBatchSize", ANY_INT, "-1", "Reads before commits are looked at.")
        .no_effect(NO_STAGES),
    whole(
        "commitProcessor.maxCommitBatchSize",
        ANY_INT,
        "1",
        "Commits before reads are looked \
        at.",
    )
    .no_effect(NO_STAGES),
    whole(
        "commitProcessor.shutdownTimeout",
        NATURAL,
        "5000",
        "How long that stage may take to \
        stop.",
    )
    .no_effect(NO_STAGES),
    whole("maxResponseCacheSize", ANY_INT, "400", "Replies of getData that are kept.")
        .no_effect(NO_CACHE),
    whole(
        "maxGetChildrenResponseCacheSize",
        ANY_INT,
        "400",
        "Replies of getChildren that are \
        kept.",
    )
    .no_effect(NO_CACHE),
    text("watchManagerName", "", "The Java class that keeps watches.")
        .no_effect("every shard keeps the watches of its own connections"),
    whole("watcherCleanThreshold", ANY_INT, "1000", "Dead watchers before a cleaning.")
        .no_effect(NO_CLEANER),
    whole("watcherCleanIntervalInSeconds", ANY_INT, "600", "Time between cleanings.")
        .no_effect(NO_CLEANER),
    whole("watcherCleanThreadsNum", ANY_INT, "2", "Threads that clean.").no_effect(NO_CLEANER),
    whole("maxInProcessingDeadWatchers", ANY_INT, "-1", "Dead watchers that may wait.")
        .no_effect(NO_CLEANER),
    whole("bitHashCacheSize", ANY_INT, "10", "Watchers kept by hash in a bit set.")
        .no_effect(NO_CLEANER),
    flag("enforceQuota", "false", "Whether a write beyond a hard quota is refused."),
    flag("pathStats.enabled", "false", "Whether requests are counted by path.").not_yet(PATH_STATS),
    whole("pathStats.slotCapacity", POSITIVE, "60", "Slots kept.").not_yet(PATH_STATS),
    whole("pathStats.slotDuration", POSITIVE, "15", "Seconds in a slot.").not_yet(PATH_STATS),
    whole("pathStats.maxDepth", POSITIVE, "6", "Parts of a path that count.").not_yet(PATH_STATS),
    whole("pathStats.initialDelay", NATURAL, "5", "Minutes before the first report.")
        .not_yet(PATH_STATS),
    whole("pathStats.delay", NATURAL, "5", "Minutes between reports.").not_yet(PATH_STATS),
    whole("pathStats.topPathMax", POSITIVE, "20", "Paths in a report.").not_yet(PATH_STATS),
    decimal("pathStats.sampleRate", (0.0, 1.0), "0.1", "Which part of the requests is counted.")
        .not_yet(PATH_STATS),
];
