//! The keys that ZooKeeper does not have.

use super::{Form, Key, one_of, whole};

pub(super) static KEYS: &[Key] = &[
    whole(
        "ring.shards",
        (1, 256),
        "",
        "How many shards serve connections; unset lets the placement \
        decide. With 1, ordering shares their core loop.",
    ),
    Key::new(
        "ring.cpus",
        Form::CpuList,
        "",
        "The processors that core loops may be pinned to; \
        unset means all that the process may use.",
    ),
    one_of(
        "ring.pin",
        &["auto", "never"],
        "auto",
        "Whether core loops are pinned where they have a \
        core to themselves.",
    ),
    whole(
        "ring.spinUs",
        (0, 1_000),
        "",
        "For how many microseconds a core loop spins before it \
        sleeps, where it has a core to itself; unset lets the placement decide.",
    ),
    whole(
        "ring.log.slots",
        (1, txlog::limits::SLOT_COUNT_MAX as i64),
        "",
        "Writes of the log in the air at a time; unset lets the \
        profile of the device decide.",
    ),
    whole(
        "ring.log.segmentMb",
        (16, 8_192),
        "",
        "The size of a segment of the log in MiB; unset \
        means preAllocSize.",
    ),
    one_of(
        "ring.log.durability",
        &["auto", "dsync", "flush", "buffered"],
        "auto",
        "How a write is \
        made durable: by every write, by a flush over several, or by one through the page cache.",
    ),
    Key::new(
        "ring.log.level",
        Form::Text,
        "info",
        "What is logged: error, warn, info, debug, \
        trace, or a filter such as info,server::admin=debug.",
    ),
    one_of("ring.log.format", &["text", "json"], "text", "The form of a logged line."),
];
