//! Workload files: which operations, how often, on which tree.
//!
//! A file is TOML. Errors are reported with file, line and key; the shipped files are read like any
//! other.

mod fault;
mod fields;
mod read;
mod shipped;
#[cfg(test)]
mod tests;

use clap::ValueEnum;
use serde::Deserialize;
use toml::Spanned;

pub(super) use fault::{Act, FaultSpec, Target};
pub(super) use fields::{Bounded, Span};
pub use read::WorkloadError;
pub(super) use read::open;
pub(super) use shipped::list;

use super::args::word;
use super::limits::{
    CONNECTIONS_DEFAULT, CONNECTIONS_MAX, NODES_MAX, PIPELINE_MAX, RATE_MAX, SIZE_MAX,
};

/// A workload as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workload {
    /// The name on the command line, or the file's path.
    #[serde(skip)]
    pub(super) name: String,
    /// One sentence for `--list`.
    #[serde(default)]
    pub(super) about: String,
    #[serde(default = "connections")]
    pub(super) connections: Bounded<1, { CONNECTIONS_MAX as u64 }>,
    #[serde(default = "in_flight")]
    pub(super) in_flight: Bounded<1, { PIPELINE_MAX as u64 }>,
    /// Operations per second; none is a closed loop.
    pub(super) rate: Option<Bounded<1, { RATE_MAX as u64 }>>,
    /// How long to measure.
    pub(super) seconds: Option<Bounded<1, 86_400>>,
    #[serde(default)]
    pub(super) keys: KeySpec,
    #[serde(default)]
    pub(super) sessions: SessionSpec,
    pub(super) watches: Option<WatchSpec>,
    #[serde(rename = "op", default)]
    pub(super) ops: Vec<Spanned<OpSpec>>,
    #[serde(rename = "storm", default)]
    pub(super) storms: Vec<Spanned<StormSpec>>,
    #[serde(rename = "fault", default)]
    pub(super) faults: Vec<Spanned<FaultSpec>>,
}

fn connections() -> Bounded<1, { CONNECTIONS_MAX as u64 }> {
    Bounded(CONNECTIONS_DEFAULT as u64)
}

fn in_flight() -> Bounded<1, { PIPELINE_MAX as u64 }> {
    Bounded(1)
}

/// The tree that is read and written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeySpec {
    pub(super) count: Bounded<1, { NODES_MAX as u64 }>,
    /// Data of each.
    pub(super) bytes: Bounded<0, { SIZE_MAX as u64 }>,
    /// Children of a folder.
    pub(super) width: Bounded<1, 1_000_000>,
    /// Levels of folders above the keys.
    pub(super) depth: Bounded<1, 8>,
    pub(super) draw: Draw,
    /// Of Zipf's law, in hundredths: 99 is 0.99.
    pub(super) skew_percent: Bounded<1, 1_000>,
}

impl Default for KeySpec {
    fn default() -> Self {
        Self {
            count: Bounded(10_000),
            bytes: Bounded(100),
            width: Bounded(1_000),
            depth: Bounded(1),
            draw: Draw::Uniform,
            skew_percent: Bounded(99),
        }
    }
}

/// How a key is drawn.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Draw {
    /// Each as often as any other.
    Uniform,
    /// The first ones most often, by Zipf's law.
    Zipf,
}

/// What every session has.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SessionSpec {
    pub(super) timeout_ms: Bounded<100, 3_600_000>,
    /// Ephemeral nodes that each session creates at its start.
    pub(super) ephemerals: Bounded<0, 100_000>,
    /// Folders that ephemeral nodes are spread over.
    pub(super) services: Bounded<1, 10_000>,
}

impl Default for SessionSpec {
    fn default() -> Self {
        Self { timeout_ms: Bounded(30_000), ephemerals: Bounded(0), services: Bounded(1) }
    }
}

/// Watches that every connection holds, and re-arms when they have fired.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchSpec {
    pub(super) kind: WatchKind,
    /// How many keys, from the first (folders of services for `children`).
    pub(super) count: Bounded<1, 100_000>,
}

/// The kinds of watches.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WatchKind {
    /// Set by getData.
    Data,
    /// Set by exists.
    Exists,
    /// Set by getChildren on the folders of services.
    Children,
    /// Persistent, on each key.
    Persistent,
    /// Persistent and recursive, one on the whole tree of keys.
    Recursive,
}

/// An operation of the mix.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpSpec {
    pub(super) kind: OpKind,
    /// Its share: of all weights together.
    pub(super) weight: Bounded<0, 1_000_000>,
    /// Its row in the results; by default its kind.
    pub(super) name: Option<String>,
    /// Data written, if not as for the keys.
    pub(super) bytes: Option<Bounded<0, { SIZE_MAX as u64 }>>,
    /// multi: how many of each.
    pub(super) sets: Option<Bounded<0, 10_000>>,
    pub(super) creates: Option<Bounded<0, 10_000>>,
    pub(super) checks: Option<Bounded<0, 10_000>>,
    /// multi-read: how many.
    pub(super) reads: Option<Bounded<1, 10_000>>,
    /// lock, queue-put, queue-take: how many locks or queues there are.
    pub(super) count: Option<Bounded<1, 10_000>>,
    /// lock: how long it is held.
    pub(super) hold_ms: Option<Bounded<0, 60_000>>,
    /// session: ephemeral nodes created in it, and gets requested in it.
    pub(super) ephemerals: Option<Bounded<0, 10_000>>,
    pub(super) gets: Option<Bounded<0, 10_000>>,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OpKind {
    /// getData of a key.
    Get,
    /// setData of a key.
    Set,
    /// exists of a key.
    Exists,
    /// getACL of a key.
    GetAcl,
    /// setACL of a key, to what it was.
    SetAcl,
    /// getChildren of a folder of keys.
    Children,
    /// getChildren2 of a folder of keys.
    Children2,
    /// getAllChildrenNumber of a folder of keys.
    ChildrenNumber,
    /// getChildren of a folder of services.
    Discover,
    /// create of a new node.
    Create,
    /// create2 of a new node.
    Create2,
    /// createContainer of a new node.
    CreateContainer,
    /// createTTL of a new node; the server needs extendedTypesEnabled.
    CreateTtl,
    /// create of a new sequential node.
    Sequential,
    /// delete of the oldest node that the connection has created; creates one if there is none.
    Delete,
    /// create of a new node, then its delete.
    Churn,
    /// create of an ephemeral node of a service, then its delete.
    Ephemeral,
    /// sync of a key.
    Sync,
    /// ping.
    Ping,
    /// auth with a digest.
    Auth,
    /// whoAmI.
    WhoAmI,
    /// getEphemerals of the own session.
    GetEphemerals,
    /// addWatch, checkWatches and removeWatches of a key.
    Watch,
    /// A multi of sets, creates and checks.
    Multi,
    /// A multiRead of keys.
    MultiRead,
    /// A lock taken and released, as in the recipe: sequential ephemeral nodes, each waits for the
    /// preceding one.
    Lock,
    /// An element put into a queue.
    QueuePut,
    /// The first element of a queue taken, or nothing if it is empty.
    QueueTake,
    /// A session on a connection of its own, from connecting to its end.
    Session,
}

/// What happens to many connections at once, repeatedly.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StormSpec {
    pub(super) kind: StormKind,
    pub(super) every_ms: Bounded<10, 3_600_000>,
    /// Of the connections.
    #[serde(default = "all")]
    pub(super) percent: Bounded<1, 100>,
}

fn all() -> Bounded<1, 100> {
    Bounded(100)
}

/// The kinds of storms.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StormKind {
    /// Connections are cut and reopened, each for its session; watches are restored.
    Reconnect,
    /// Sessions are ended and new ones opened.
    Session,
    /// Every watched key is set.
    Watch,
}

impl Workload {
    /// The given operations, everything else by default.
    pub(super) fn of(kinds: &[(OpKind, u64)]) -> Self {
        let op = |&(kind, weight)| Spanned::new(0..0, OpSpec::of(kind, weight));
        Self {
            name: String::new(),
            about: String::new(),
            connections: connections(),
            in_flight: in_flight(),
            rate: None,
            seconds: None,
            keys: KeySpec::default(),
            sessions: SessionSpec::default(),
            watches: None,
            ops: kinds.iter().map(op).collect(),
            storms: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The faults, each with its time.
    pub(super) fn plan(&self) -> Vec<(Span, Act)> {
        let planned = |fault: &Spanned<FaultSpec>| {
            let fault = fault.get_ref();
            (fault.at, fault.act().expect("it was checked when the workload was read"))
        };
        self.faults.iter().map(planned).collect()
    }

    pub(super) fn op(&self, index: usize) -> &OpSpec {
        self.ops[index].get_ref()
    }
}

impl OpSpec {
    fn of(kind: OpKind, weight: u64) -> Self {
        Self {
            kind,
            weight: Bounded(weight),
            name: None,
            bytes: None,
            sets: None,
            creates: None,
            checks: None,
            reads: None,
            count: None,
            hold_ms: None,
            ephemerals: None,
            gets: None,
        }
    }

    /// Its row in the results.
    pub(super) fn title(&self) -> Box<str> {
        self.name.as_deref().map_or_else(|| self.kind.name(), Into::into)
    }
}

impl OpKind {
    /// The word in a file.
    pub(super) fn name(self) -> Box<str> {
        word(&self)
    }
}
