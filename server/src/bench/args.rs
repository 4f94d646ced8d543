//! What is asked of the load generator.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::error::BenchError;
use super::limits::{CONNECTIONS_MAX, NODES_MAX, PIPELINE_MAX, SIZE_MAX};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// getData of a node of the keyspace, drawn at random.
    Get,
    /// setData of a node drawn at random.
    Set,
    /// create of a new node, each connection below a parent of its own.
    Create,
    /// exists of a node drawn at random.
    Exists,
    /// getChildren of a parent drawn at random.
    Children,
    /// get and set, see --write-percent.
    Mixed,
    /// A session opened and closed, one after another, on a new connection each.
    Session,
    /// Every connection watches one node, one of them sets it; the time until all were told.
    Watch,
    /// Nothing is measured but the time until the server answers a first get.
    Ready,
}

impl Operation {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Create => "create",
            Self::Exists => "exists",
            Self::Children => "children",
            Self::Mixed => "mixed",
            Self::Session => "session",
            Self::Watch => "watch",
            Self::Ready => "ready",
        }
    }
}

/// Measures a running server: a closed loop of a fixed number of requests in flight.
///
/// Works with every server that speaks `ZooKeeper`'s client protocol. Nodes made below --root stay.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// The server, as host:port.
    #[arg(long, default_value = "127.0.0.1:2181")]
    pub server: String,

    /// Connections, each with its own session.
    #[arg(long, default_value_t = 64)]
    pub connections: u32,

    /// Requests in flight on each connection.
    #[arg(long, default_value_t = 16)]
    pub pipeline: u32,

    /// What to measure.
    #[arg(long, value_enum, default_value_t = Operation::Get)]
    pub op: Operation,

    /// With --op mixed: how many of a hundred requests are sets.
    #[arg(long, default_value_t = 30)]
    pub write_percent: u32,

    /// Data of each node in bytes.
    #[arg(long, default_value_t = 100)]
    pub size: u32,

    /// Nodes of the keyspace. They are made first, as ROOT/pNNN/nNNNNNNN.
    #[arg(long, default_value_t = 10_000)]
    pub nodes: u32,

    /// Where the keyspace lies.
    #[arg(long, default_value = "/bench")]
    pub root: String,

    /// Make the keyspace and measure nothing.
    #[arg(long, conflicts_with = "skip_prepare")]
    pub prepare_only: bool,

    /// The keyspace is there already.
    #[arg(long)]
    pub skip_prepare: bool,

    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,

    /// How long to run before that, in seconds.
    #[arg(long, default_value_t = 2)]
    pub warmup: u64,

    /// Pin the generator to this CPU.
    #[arg(long, value_name = "K")]
    pub cpu: Option<usize>,

    /// The server's process on this machine: its CPU time, memory, switches and writes are shown.
    #[arg(long)]
    pub pid: Option<u32>,

    /// Write the results to this file too, as a flat JSON object, one field a line.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl BenchArgs {
    pub(super) fn check(&self) -> Result<(), BenchError> {
        let within = |name, value: u32, least: u32, most: u32| {
            let (value, least, most) = (value.into(), least.into(), most.into());
            let is_fine = (least..=most).contains(&value);
            if is_fine { Ok(()) } else { Err(BenchError::Argument { name, value, least, most }) }
        };
        within("connections", self.connections, 1, CONNECTIONS_MAX)?;
        within("pipeline", self.pipeline, 1, PIPELINE_MAX)?;
        within("nodes", self.nodes, u32::from(self.op != Operation::Ready), NODES_MAX)?;
        within("size", self.size, 0, SIZE_MAX)?;
        within("write-percent", self.write_percent, 0, 100)
    }

    /// The root without a slash at its end, so that names can be appended.
    pub(super) fn root(&self) -> &str {
        self.root.trim_end_matches('/')
    }

    pub(super) fn measured(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    pub(super) fn warmup(&self) -> Duration {
        Duration::from_secs(self.warmup)
    }
}
