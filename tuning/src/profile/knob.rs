//! What a profile can decide.

use std::fmt;

/// A number, word or switch that depends on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knob {
    /// How a write of the log becomes durable.
    LogDurability,
    /// Writes of the log in flight.
    LogSlots,
    /// The longest batch of the log.
    LogBatchKib,
    /// The length of a segment.
    LogSegmentMib,
    /// Segments prepared in advance.
    LogSegmentsAhead,
    /// How long a loop polls before it sleeps.
    LoopSpinUs,
    /// Whether loops are pinned.
    LoopPin,
    /// Submission entries of a ring.
    RingEntries,
    /// Completion entries of a ring.
    RingCompletions,
    /// Receive buffers of a loop.
    RingBuffers,
    /// The size of each.
    RingBufferBytes,
    /// The share of snapshots in the background.
    BackgroundSnapshots,
    /// The share of preparing segments.
    BackgroundSegments,
    /// The share of purging.
    BackgroundPurge,
    /// What the background writes before it flushes.
    BackgroundPieceKib,
    /// Huge pages for the tree.
    MemoryHugePages,
}

/// What values a knob can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number, from and to.
    Number(u32, u32),
    /// A power of two, from and to.
    Power(u32, u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
}

/// A knob's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Number`] and [`Kind::Power`].
    Number(u32),
    /// Of [`Kind::Word`].
    Word(&'static str),
    /// Of [`Kind::Flag`].
    Flag(bool),
}

/// Every knob: its section and name in a file, its values, what it means.
pub const KNOBS: [(Knob, &str, &str, Kind, &str); 16] = [
    (
        Knob::LogDurability,
        "log",
        "durability",
        Kind::Word(&["dsync", "flush", "buffered"]),
        "How a write becomes durable: by itself, by a flush that covers several, or by one through \
         the page cache. ring.log.durability goes before it.",
    ),
    (
        Knob::LogSlots,
        "log",
        "slots",
        Kind::Number(1, 8),
        "Writes in flight. ring.log.slots goes before it.",
    ),
    (
        Knob::LogBatchKib,
        "log",
        "batch-kib",
        Kind::Number(16, 16_384),
        "The longest batch of txns in one write, in KiB.",
    ),
    (
        Knob::LogSegmentMib,
        "log",
        "segment-mib",
        Kind::Number(16, 4_096),
        "The length of a segment of the log, in MiB. ring.log.segmentMb and preAllocSize go before \
         it.",
    ),
    (
        Knob::LogSegmentsAhead,
        "log",
        "segments-ahead",
        Kind::Number(1, 8),
        "Segments that are ready before they are needed.",
    ),
    (
        Knob::LoopSpinUs,
        "loops",
        "spin-us",
        Kind::Number(0, 1_000),
        "For how many microseconds a loop that has a core to itself polls before it sleeps. \
         ring.spinUs goes before it.",
    ),
    (
        Knob::LoopPin,
        "loops",
        "pin",
        Kind::Flag,
        "Whether loops are pinned if they have a core to themselves. ring.pin goes before it.",
    ),
    (
        Knob::RingEntries,
        "ring",
        "entries",
        Kind::Power(64, 32_768),
        "Submission entries of a loop.",
    ),
    (
        Knob::RingCompletions,
        "ring",
        "completions",
        Kind::Power(128, 65_536),
        "Completion entries of a loop, at least as many as submission entries.",
    ),
    (
        Knob::RingBuffers,
        "ring",
        "buffers",
        Kind::Power(64, 32_768),
        "Buffers of a loop for what is received.",
    ),
    (
        Knob::RingBufferBytes,
        "ring",
        "buffer-bytes",
        Kind::Power(1_024, 65_536),
        "The size of each of them.",
    ),
    (
        Knob::BackgroundSnapshots,
        "background",
        "snapshots",
        Kind::Number(1, 1_000),
        "The share of snapshots in what is done behind the server's back, beside the next two.",
    ),
    (
        Knob::BackgroundSegments,
        "background",
        "segments",
        Kind::Number(1, 1_000),
        "The share of preparing segments of the log.",
    ),
    (
        Knob::BackgroundPurge,
        "background",
        "purge",
        Kind::Number(1, 1_000),
        "The share of removing old files.",
    ),
    (
        Knob::BackgroundPieceKib,
        "background",
        "piece-kib",
        Kind::Power(64, 1_024),
        "How much of a snapshot or a new segment is written before it is flushed, in KiB: a write \
         of the log waits for no more than this.",
    ),
    (
        Knob::MemoryHugePages,
        "memory",
        "huge-pages",
        Kind::Flag,
        "Whether the tree's memory asks for huge pages of 2 MiB.",
    ),
];

impl Knob {
    /// Its section and name in a file.
    pub fn place(self) -> (&'static str, &'static str) {
        let (_, section, name, ..) = self.entry();
        (section, name)
    }

    /// What values it can have.
    pub fn kind(self) -> Kind {
        self.entry().3
    }

    /// What it means.
    pub fn says(self) -> &'static str {
        self.entry().4
    }

    /// Whether it can have this value.
    pub fn takes(self, value: &Value) -> bool {
        match (self.kind(), value) {
            (Kind::Number(from, to), Value::Number(number)) => (from..=to).contains(number),
            (Kind::Power(from, to), Value::Number(number)) => {
                (from..=to).contains(number) && number.is_power_of_two()
            }
            (Kind::Word(words), Value::Word(word)) => words.contains(word),
            (Kind::Flag, Value::Flag(_)) => true,
            _ => false,
        }
    }

    fn entry(self) -> (Knob, &'static str, &'static str, Kind, &'static str) {
        *KNOBS.iter().find(|it| it.0 == self).expect("every knob is in the table")
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (section, name) = self.place();
        write!(f, "{section}.{name}")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Number(from, to) => write!(f, "a whole number from {from} to {to}"),
            Kind::Power(from, to) => write!(f, "a power of two from {from} to {to}"),
            Kind::Word(words) => write!(f, "one of \"{}\"", words.join("\", \"")),
            Kind::Flag => f.write_str("true or false"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Word(word) => f.write_str(word),
            Value::Flag(flag) => flag.fmt(f),
        }
    }
}
