//! Requests, connections, watches.

use super::reading::Reading::{Double, IntOrDefault, LongOrDefault, OnIfTrue, OneOfExactly};
use super::{INT_MAX, Key};

const THREADS: &str = "threads are placed by ring.shards and ring.cpus";
const BUFFERS: &str = "every core loop receives into a ring of buffers of its own";
const NO_CACHE: &str = "a reply is encoded from the tree without a copy, nothing is cached";
const NO_CLEANER: &str = "watches die with their connection, there is no cleaner";
const NO_STAGES: &str = "there is no commit stage with threads of its own";
const PATH_STATS: &str = "statistics by path are not built yet";
const IN_SOCKETS: &str = "requests that are held back wait in their sockets, in no queue";
const COUNTS: &str = "what was received counts, whether its connection is still there or not";
const NETTY: &str = "connections are served by io_uring, not by Netty";

/// The classes that serve connections in ZooKeeper.
const FACTORIES: &[&str] = &[
    "org.apache.zookeeper.server.NIOServerCnxnFactory",
    "org.apache.zookeeper.server.NettyServerCnxnFactory",
];
/// The classes that keep watches in ZooKeeper.
const WATCH_MANAGERS: &[&str] = &[
    "org.apache.zookeeper.server.watch.WatchManager",
    "org.apache.zookeeper.server.watch.WatchManagerOptimized",
];

pub(super) static KEYS: &[Key] = &[
    Key::new("jute.maxbuffer", IntOrDefault, "1048575")
        .limited(0, INT_MAX)
        .says("The longest request in bytes.")
        .bare(),
    Key::new("jute.maxbuffer.extrasize", IntOrDefault, "").limited(1_024, INT_MAX).says(
        "Bytes that a stored txn may be longer than a request; unset means as many again as \
            jute.maxbuffer.",
    ),
    Key::new("globalOutstandingLimit", IntOrDefault, "1000")
        .limited(1, INT_MAX)
        .says("Writes in flight in total; more wait in their sockets."),
    Key::new("request_throttle_max_requests", IntOrDefault, "0")
        .says("Requests in flight before they are stalled; 0 means no limit."),
    Key::new("request_throttle_stall_time", IntOrDefault, "100")
        .says("How long a stalled request waits before it is reconsidered, in ms.")
        .no_effect(IN_SOCKETS),
    Key::new("request_throttle_drop_stale", OnIfTrue, "true")
        .says("Whether a stalled request of a closed connection is dropped.")
        .no_effect(COUNTS),
    Key::new("request_stale_latency_check", OnIfTrue, "false")
        .says("Whether a request older than its session's timeout is dropped.")
        .no_effect(IN_SOCKETS),
    Key::new("request_stale_connection_check", OnIfTrue, "true")
        .says("Whether a request of a closed connection is dropped.")
        .no_effect(COUNTS),
    Key::new("request_throttler.shutdownTimeout", IntOrDefault, "10000")
        .says("How long the throttler may take to stop.")
        .no_effect("there is no throttler thread to wait for"),
    Key::new("throttled_op_wait_time", IntOrDefault, "0")
        .says("A request that waited longer, in ms, is refused; 0 or less means never.")
        .no_effect(IN_SOCKETS),
    Key::new("largeRequestMaxBytes", IntOrDefault, "104857600")
        .or_default_below(1)
        .says("Bytes of large requests in flight in total."),
    Key::new("largeRequestThreshold", IntOrDefault, "-1")
        .says("A request of more bytes is large; 0 and -1 mean none is."),
    Key::new("connection_throttle_tokens", IntOrDefault, "0")
        .within(0, INT_MAX)
        .says("Connections that may be opened at once; 0 means no limit."),
    Key::new("connection_throttle_fill_time", IntOrDefault, "1")
        .within(1, INT_MAX)
        .says("How often that allowance is refilled, in ms."),
    Key::new("connection_throttle_fill_count", IntOrDefault, "1")
        .within(1, INT_MAX)
        .says("By how many connections it is refilled."),
    Key::new("connection_throttle_freeze_time", IntOrDefault, "-1")
        .says("How often the probability of a refusal is changed, in ms; -1 means never."),
    Key::new("connection_throttle_drop_increase", Double, "0.02")
        .limited(0, 1)
        .says("By how much the probability of a refusal grows."),
    Key::new("connection_throttle_drop_decrease", Double, "0.002")
        .limited(0, 1)
        .says("By how much it falls."),
    Key::new("connection_throttle_decrease_ratio", Double, "0")
        .limited(0, 2)
        .says("Which part of the allowance must be free for it to fall."),
    Key::new("connection_throttle_weight_enabled", OnIfTrue, "false")
        .says("Whether sessions count by their weights."),
    Key::new("connection_throttle_global_session_weight", IntOrDefault, "3")
        .or_default_below(1)
        .says("The weight of a new session."),
    Key::new("connection_throttle_local_session_weight", IntOrDefault, "1")
        .or_default_below(1)
        .says("The weight of a new local session."),
    Key::new("connection_throttle_renew_session_weight", IntOrDefault, "2")
        .or_default_below(1)
        .says("The weight of a returning session."),
    Key::new("nio.sessionlessCnxnTimeout", IntOrDefault, "10000")
        .within(1, INT_MAX)
        .says("How long a connection may take to open a session, in ms."),
    Key::new("nio.numSelectorThreads", IntOrDefault, "")
        .within(1, INT_MAX)
        .says("Threads that wait for sockets.")
        .no_effect(THREADS),
    Key::new("nio.numWorkerThreads", IntOrDefault, "")
        .says("Threads that read and write sockets.")
        .no_effect(THREADS),
    Key::new("nio.shutdownTimeout", LongOrDefault, "5000")
        .says("How long those threads may take to stop, in ms.")
        .no_effect(THREADS),
    Key::new("nio.directBufferBytes", IntOrDefault, "65536")
        .says("The size of a thread's buffer.")
        .no_effect(BUFFERS),
    Key::new("intBufferStartingSizeBytes", IntOrDefault, "1024")
        .within(32, INT_MAX)
        .says("The first size of a buffer.")
        .no_effect(BUFFERS),
    Key::new("serverCnxnFactory", OneOfExactly(FACTORIES), "")
        .says("The Java class that serves connections.")
        .no_effect("connections are served by io_uring"),
    Key::new("netty.advancedFlowControl.enabled", OnIfTrue, "false")
        .says("Whether Netty reads more carefully.")
        .no_effect(NETTY),
    Key::new("netty.server.outstandingHandshake.limit", IntOrDefault, "-1")
        .says("TLS handshakes at the same time.")
        .no_effect(NETTY),
    Key::new("netty.server.earlyDropSecureConnectionHandshakes", OnIfTrue, "false")
        .says("Whether handshakes are refused while the server is not serving.")
        .no_effect(NETTY),
    Key::new("commitProcessor.numWorkerThreads", IntOrDefault, "")
        .says("Threads of the commit stage.")
        .no_effect(NO_STAGES),
    Key::new("commitProcessor.maxReadBatchSize", IntOrDefault, "-1")
        .says("Reads before commits are checked.")
        .no_effect(NO_STAGES),
    Key::new("commitProcessor.maxCommitBatchSize", IntOrDefault, "1")
        .says("Commits before reads are checked.")
        .no_effect(NO_STAGES),
    Key::new("commitProcessor.shutdownTimeout", LongOrDefault, "5000")
        .says("How long that stage may take to stop.")
        .no_effect(NO_STAGES),
    Key::new("maxResponseCacheSize", IntOrDefault, "400")
        .says("Replies of getData that are kept.")
        .no_effect(NO_CACHE),
    Key::new("maxGetChildrenResponseCacheSize", IntOrDefault, "400")
        .says("Replies of getChildren that are kept.")
        .no_effect(NO_CACHE),
    Key::new("watchManagerName", OneOfExactly(WATCH_MANAGERS), "")
        .says("The Java class that keeps watches.")
        .no_effect("every shard keeps the watches of its own connections"),
    Key::new("watcherCleanThreshold", IntOrDefault, "1000")
        .says("Dead watchers before a cleanup.")
        .no_effect(NO_CLEANER),
    Key::new("watcherCleanIntervalInSeconds", IntOrDefault, "600")
        .says("Time between cleanups.")
        .no_effect(NO_CLEANER),
    Key::new("watcherCleanThreadsNum", IntOrDefault, "2")
        .says("Threads that clean.")
        .no_effect(NO_CLEANER),
    Key::new("maxInProcessingDeadWatchers", IntOrDefault, "-1")
        .says("Dead watchers that may wait.")
        .no_effect(NO_CLEANER),
    Key::new("bitHashCacheSize", IntOrDefault, "10")
        .says("Watchers kept by hash in a bit set.")
        .no_effect(NO_CLEANER),
    Key::new("enforceQuota", OnIfTrue, "false")
        .says("Whether a write beyond a hard quota is refused."),
    Key::new("pathStats.enabled", OnIfTrue, "false")
        .says("Whether requests are counted by path.")
        .not_yet(PATH_STATS),
    Key::new("pathStats.slotCapacity", IntOrDefault, "60")
        .within(1, INT_MAX)
        .says("Slots kept.")
        .not_yet(PATH_STATS),
    Key::new("pathStats.slotDuration", IntOrDefault, "15")
        .says("Seconds in a slot.")
        .not_yet(PATH_STATS),
    Key::new("pathStats.maxDepth", IntOrDefault, "6")
        .says("Parts of a path that count.")
        .not_yet(PATH_STATS),
    Key::new("pathStats.initialDelay", LongOrDefault, "5")
        .says("Minutes before the first report.")
        .not_yet(PATH_STATS),
    Key::new("pathStats.delay", LongOrDefault, "5")
        .says("Minutes between reports.")
        .not_yet(PATH_STATS),
    Key::new("pathStats.topPathMax", IntOrDefault, "20")
        .says("Paths in a report.")
        .not_yet(PATH_STATS),
    Key::new("pathStats.sampleRate", Double, "0.1")
        .says("Which part of the requests is counted.")
        .not_yet(PATH_STATS),
];
