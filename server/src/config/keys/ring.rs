//! The keys that ZooKeeper does not have.

use super::reading::Reading::{AnyText, CpuList, Int, LogFilter, OneOf};
use super::{Key, SEGMENT_KIB_MAX};

pub(super) static KEYS: &[Key] = &[
    Key::new("ring.shards", Int, "").within(1, 256).says(
        "How many shards serve connections; unset lets the placement decide. With 1, \
            ordering shares their core loop.",
    ),
    Key::new("ring.cpus", CpuList, "").says(
        "The processors that core loops may be pinned to; unset means all that the process \
            may use.",
    ),
    Key::new("ring.pin", OneOf(&["auto", "never"]), "auto")
        .says("Whether core loops are pinned if they have a core to themselves."),
    Key::new("ring.spinUs", Int, "").within(0, 1_000).says(
        "For how many microseconds a core loop spins before it sleeps, if it has a core \
            to itself; unset lets the placement decide.",
    ),
    Key::new("ring.profile", AnyText, "").says(
        "A file with a profile, as `ringkeeper probe --profile` writes it, or the name of one that \
            `ringkeeper profile --list` shows. It goes before those that the program takes for \
            such a disk and such a machine.",
    ),
    Key::new("ring.log.slots", Int, "").within(1, txlog::limits::SLOT_COUNT_MAX as i64).says(
        "Writes of the log in flight at a time; unset lets the profile of the device \
            decide.",
    ),
    Key::new("ring.log.segmentMb", Int, "").within(16, SEGMENT_KIB_MAX / 1_024).says(
        "The size of a segment of the log in MiB; unset means preAllocSize, or the profile if \
             that is unset, too.",
    ),
    Key::new("ring.log.durability", OneOf(&["auto", "dsync", "flush", "buffered"]), "auto").says(
        "How a write is made durable: by every write, by a flush over several, or by one \
            through the page cache.",
    ),
    Key::new("ring.sync", OneOf(&["quorum", "leader"]), "quorum").says(
        "What a leader asks before it answers a sync: a quorum, whether it still leads, so that \
            a read behind it sees every write that was acknowledged before it; or nothing, as \
            ZooKeeper does.",
    ),
    Key::new("ring.balance", OneOf(&["off", "on"]), "off").says(
        "Whether a server that has more clients than the others closes connections, idle ones \
            first, so that these clients go elsewhere. `ringkeeper balance even` does so once.",
    ),
    Key::new("ring.balance.seconds", Int, "60").within(1, 86_400).says(
        "How often a server that balances asks the others how many clients they have, in seconds; \
            ever more rarely while those it leads away come back.",
    ),
    Key::new("ring.balance.tolerancePercent", Int, "10")
        .within(0, 1_000)
        .says("How much above the mean a server's clients may be before it leads some away."),
    Key::new("ring.balance.perSecond", Int, "20")
        .within(1, 100_000)
        .says("Connections that a server that balances may close in a second."),
    Key::new("ring.versionLine", OneOf(&["3.9", "3.4"]), "3.9").says(
        "The form of the line with the version in srvr, stat, mntr and envi: with a date as \
            ZooKeeper writes it now, or as it did up to 3.5, which go-zookeeper's FLWSrvr reads.",
    ),
    Key::new("ring.log.level", LogFilter, "info").says(
        "What is logged: error, warn, info, debug, trace, or a filter such as \
            info,server::admin=debug.",
    ),
    Key::new("ring.log.format", OneOf(&["text", "json"]), "text")
        .says("The format of a logged line."),
];
