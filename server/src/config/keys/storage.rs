//! Log and snapshots.

use super::{Form, INT_MAX, Key, NATURAL, POSITIVE, decimal, flag, text, whole};

const NO_TIMER: &str =
    "a batch leaves as soon as the device has a free slot, and grows by itself when it has none";
const IMAGE: &str = "snapshots are images of the tree in a form of their own";
const WHOLE_LOG: &str =
    "a log without a snapshot is taken if it reaches back to the first txn, and refused otherwise";
const VOTES: &str =
    "it keeps an empty server of an ensemble from voting, and ensembles are not built yet";
const LEARNERS: &str = "only a leader uses it, and ensembles are not built yet";

pub(super) static KEYS: &[Key] = &[
    whole(
        "preAllocSize",
        (1, INT_MAX),
        "65536",
        "The size of a segment of the log in KiB, rounded \
        up to what the log allows.",
    ),
    whole(
        "snapCount",
        (i32::MIN as i64, INT_MAX),
        "100000",
        "Txns after which a snapshot is \
        written; at least 2.",
    ),
    whole(
        "snapSizeLimitInKb",
        (i64::MIN / 1024, i64::MAX / 1024),
        "4194304",
        "KiB of log after \
        which a snapshot is written; 0 or less means no such limit.",
    ),
    whole(
        "txnLogSizeLimitInKb",
        (-1, i64::MAX / 1024),
        "-1",
        "The size at which a log file is \
        ended.",
    )
    .no_effect("segments have a fixed size: see ring.log.segmentMb"),
    whole("commitLogCount", POSITIVE, "500", "Txns kept in memory for learners.").not_yet(LEARNERS),
    decimal(
        "snapshotSizeFactor",
        (-1e9, 1e9),
        "0.33",
        "How much log is sent before a snapshot is \
        cheaper.",
    )
    .not_yet(LEARNERS),
    whole(
        "fsync.warningthresholdms",
        NATURAL,
        "1000",
        "A flush that takes longer, in ms, is \
        logged.",
    )
    .prefixed_or_bare(),
    Key::new(
        "forceSync",
        Form::YesNo,
        "yes",
        "Whether a write is durable before it is \
        acknowledged.",
    )
    .no_effect("a write is never acknowledged before it is durable"),
    whole("flushDelay", NATURAL, "0", "How long a batch waits for more, in ms.")
        .no_effect(NO_TIMER),
    whole("maxWriteQueuePollTime", NATURAL, "0", "How long the log waits for a request, in ms.")
        .no_effect(NO_TIMER),
    whole("maxBatchSize", NATURAL, "1000", "Requests in a batch.").no_effect(NO_TIMER),
    Key::new("snapshot.compression.method", Form::MaybeEmpty, "", "How snapshots are compressed.")
        .no_effect(IMAGE),
    flag("serializeLastProcessedZxid.enabled", "true", "Whether a snapshot names its last zxid.")
        .no_effect("a snapshot is exact at one zxid, and always names it"),
    flag(
        "snapshot.trust.empty",
        "false",
        "Whether a log without a snapshot is believed to be \
        whole.",
    )
    .no_effect(WHOLE_LOG),
    flag(
        "digest.enabled",
        "true",
        "Whether a digest of the tree is kept and written with every \
        txn.",
    ),
    flag("datadir.autocreate", "true", "Whether missing directories are made."),
    flag("db.autocreate", "true", "Whether an empty directory is the beginning of an empty tree.")
        .not_yet(VOTES),
    whole(
        "autopurge.snapRetainCount",
        (i32::MIN as i64, INT_MAX),
        "3",
        "Snapshots kept by a \
        purge; at least 3.",
    )
    .file_only(),
    whole(
        "autopurge.purgeInterval",
        (i32::MIN as i64, INT_MAX),
        "0",
        "Hours between purges; 0 or \
        less means never.",
    )
    .file_only(),
    text("testingonly.initialZxid", "", "The first zxid of a leader, for tests.")
        .no_effect("it is for tests of ZooKeeper itself"),
    flag(
        "test.allowDiscontinuousProposals",
        "false",
        "Whether holes between zxids are passed \
        over, for tests.",
    )
    .no_effect("it is for tests of ZooKeeper itself"),
];
