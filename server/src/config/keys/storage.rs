//! Log and snapshots.

use super::reading::Reading::{
    AnyText, DecimalIntOrDefault, DecimalLongOrDefault, DoubleOrDefault, Int, IntOrDefault,
    LongOrDefault, OffIf, OnIfTrue,
};
use super::{INT_MAX, Key, SEGMENT_KIB_MAX};

const NO_TIMER: &str =
    "a batch is written as soon as the device has a free slot, and grows while it has none";
const IMAGE: &str = "snapshots are images of the tree in a form of their own";
const WHOLE_LOG: &str =
    "a log without a snapshot is used if it reaches back to the first txn, and refused otherwise";
const RECENT: &str = "the newest 64 MiB of txns are kept in memory, however many they are; older \
     ones are read from the log";

pub(super) static KEYS: &[Key] = &[
    Key::new("preAllocSize", DecimalLongOrDefault, "65536")
        .limited(1, SEGMENT_KIB_MAX)
        .says("The size of a segment of the log in KiB, rounded up to what the log allows."),
    Key::new("snapCount", IntOrDefault, "100000")
        .limited(2, INT_MAX)
        .says("Txns after which a snapshot is written; at least 2."),
    Key::new("snapSizeLimitInKb", LongOrDefault, "4194304")
        .says("KiB of log after which a snapshot is written; 0 or less means no such limit."),
    Key::new("txnLogSizeLimitInKb", LongOrDefault, "-1")
        .says("The size at which a log file is closed.")
        .no_effect("segments have a fixed size: see ring.log.segmentMb"),
    Key::new("commitLogCount", DecimalIntOrDefault, "500")
        .limited(500, INT_MAX)
        .says("Txns kept in memory for learners.")
        .no_effect(RECENT),
    Key::new("snapshotSizeFactor", DoubleOrDefault, "0.33").says(
        "How much log a learner is sent rather than a snapshot, as a share of the newest \
             snapshot, and 64 MiB in any case; 0 or less means none.",
    ),
    Key::new("fsync.warningthresholdms", LongOrDefault, "1000")
        .limited(0, u32::MAX as i64)
        .says("A flush that takes longer, in ms, is logged.")
        .prefixed_or_bare(),
    Key::new("forceSync", OffIf("no"), "yes")
        .says("Whether a write is durable before it is acknowledged.")
        .no_effect("a write is never acknowledged before it is durable"),
    Key::new("flushDelay", LongOrDefault, "0")
        .says("How long a batch waits for more, in ms.")
        .no_effect(NO_TIMER),
    Key::new("maxWriteQueuePollTime", LongOrDefault, "0")
        .says("How long the log waits for a request, in ms.")
        .no_effect(NO_TIMER),
    Key::new("maxBatchSize", IntOrDefault, "1000").says("Requests in a batch.").no_effect(NO_TIMER),
    Key::new("snapshot.compression.method", AnyText, "")
        .says("How snapshots are compressed.")
        .no_effect(IMAGE),
    Key::new("serializeLastProcessedZxid.enabled", OnIfTrue, "true")
        .says("Whether a snapshot names its last zxid.")
        .no_effect("a snapshot is exact at one zxid, and always names it"),
    Key::new("snapshot.trust.empty", OnIfTrue, "false")
        .says("Whether a log without a snapshot is trusted to be whole.")
        .no_effect(WHOLE_LOG),
    Key::new("digest.enabled", OnIfTrue, "true")
        .says("Whether a digest of the tree is kept and written with every txn."),
    Key::new("datadir.autocreate", OnIfTrue, "true").says(
        "Whether missing directories are created; else `ringkeeper-1` or `version-2` must exist.",
    ),
    Key::new("db.autocreate", OnIfTrue, "true").says(
        "Whether a server of an ensemble votes though it has no data; if not, it does so once \
            it has got them, or if the file `initialize` is in dataLogDir, which is then removed.",
    ),
    Key::new("autopurge.snapRetainCount", Int, "3")
        .limited(3, INT_MAX)
        .says("Snapshots kept by a purge; at least 3.")
        .file_only(),
    Key::new("autopurge.purgeInterval", Int, "0")
        .says("Hours between purges; 0 or less means never.")
        .file_only(),
    Key::new("testingonly.initialZxid", AnyText, "")
        .says("The first zxid of a leader, for tests.")
        .no_effect("it is for tests of ZooKeeper itself"),
    Key::new("test.allowDiscontinuousProposals", OnIfTrue, "false")
        .says("Whether gaps between zxids are ignored, for tests.")
        .no_effect("it is for tests of ZooKeeper itself"),
];
