//! What is requested of the load generator.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::error::BenchError;
use super::limits::{
    CONNECTIONS_DEFAULT, CONNECTIONS_MAX, ENSEMBLE_MAX, NODES_MAX, PIPELINE_MAX, RATE_MAX,
    SECONDS_DEFAULT, SIZE_MAX,
};

/// Which servers clients use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// All of them, evenly.
    All,
    /// The one that leads, also when that changes.
    Leader,
    /// Those that follow or observe, evenly.
    Followers,
}

impl Spread {
    /// The word on the command line.
    pub(crate) fn name(self) -> Box<str> {
        word(&self)
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operation {
    /// getData of a node of the keyspace, drawn at random.
    Get,
    /// setData of a node drawn at random.
    Set,
    /// create of a new node, below one parent per connection.
    Create,
    /// exists of a node drawn at random.
    Exists,
    /// getChildren of a parent drawn at random.
    Children,
    /// get and set, see --write-percent.
    Mixed,
    /// Sessions opened and closed one after another, each on a new connection.
    Session,
    /// Every connection watches one node, one of them sets it; the time until all are notified.
    Watch,
    /// Nothing is measured but the time until the server answers a first get.
    Ready,
}

impl Operation {
    /// The word on the command line.
    pub(crate) fn name(self) -> Box<str> {
        word(&self)
    }
}

/// The word of a variant, on the command line or in a file.
pub(crate) fn word<V: ValueEnum>(variant: &V) -> Box<str> {
    variant.to_possible_value().expect("no variant is skipped").get_name().into()
}

/// Measures a running server of `ZooKeeper`'s client protocol.
///
/// Without --rate it is a closed loop: a fixed number of requests in flight, each answer is
/// followed by the next request. With --rate it is an open one: requests are due at random times,
/// whatever the server does, and latencies count from when they were due. Nodes created below
/// --root are kept.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Examples:\n  \
    ringkeeper bench --list\n  \
    ringkeeper bench --workload production-mix --rate 20000 --seconds 60 --html mix.html\n  \
    ringkeeper bench --workload mixed-70-30 --ramp --ramp-p99-ms 10 --json ramp.json\n  \
    ringkeeper bench --workload ./mine.toml --verify\n\n\
    The exit status is 0 only if every request was answered correctly; 2 if the command \
    line or the workload is wrong, and nothing was started; else 1.\n\n\
    Servers limit the connections of one address (maxClientCnxns, 60 unless configured). To a \
    server on a loopback address of IPv4 every 50 connections come from a different one; \
    elsewhere, raise that limit on the server for more.")]
pub struct BenchArgs {
    /// The server, as host:port, or several with commas in between.
    #[arg(long, default_value = "127.0.0.1:2181")]
    pub(crate) server: String,

    /// Start so many servers here, on ports of 127.0.0.1, and remove them at the end.
    #[arg(long, value_name = "N", conflicts_with = "server")]
    pub(crate) ensemble: Option<u32>,

    /// What is started with the path of a zoo.cfg, instead of `ringkeeper serve`.
    #[arg(long, value_name = "COMMAND", requires = "ensemble")]
    pub(crate) server_cmd: Option<String>,

    /// The folder for those servers' data and output; by default the system's for temporary files.
    #[arg(long, value_name = "DIR", requires = "ensemble")]
    pub(crate) ensemble_dir: Option<PathBuf>,

    /// Become this command, and end with the process that started it: how servers are started.
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    pub(crate) guarded: Vec<OsString>,

    /// Which of several servers the sessions use.
    #[arg(long, value_enum, default_value_t = Spread::All)]
    pub(crate) spread: Spread,

    /// Connections, each with its own session; by default as in the workload, or 50.
    #[arg(long)]
    pub(crate) connections: Option<u32>,

    /// Requests in flight on each connection; by default as in the workload, or 16.
    #[arg(long)]
    pub(crate) pipeline: Option<u32>,

    /// A workload: a shipped one (--list), or a TOML file.
    #[arg(
        long,
        value_name = "NAME|FILE",
        conflicts_with_all = ["op", "nodes", "size", "write_percent"]
    )]
    pub(crate) workload: Option<String>,

    /// List the shipped workloads, and measure nothing.
    #[arg(long)]
    pub(crate) list: bool,

    /// Requests per second, due at random times (an open loop).
    #[arg(long, value_name = "R")]
    pub(crate) rate: Option<u32>,

    /// Find the highest rate that keeps --ramp-p99-ms, starting at --rate (or 1000).
    #[arg(long, conflicts_with = "verify")]
    pub(crate) ramp: bool,

    /// The 99th percentile that a rate must not exceed, in milliseconds.
    #[arg(long, default_value_t = 10, value_name = "MS")]
    pub(crate) ramp_p99_ms: u32,

    /// How long each rate is tried, in seconds.
    #[arg(long, default_value_t = 5, value_name = "S")]
    pub(crate) ramp_seconds: u64,

    /// Check what is read: no value that was not written, none older than one acknowledged.
    #[arg(long, conflicts_with_all = ["skip_prepare", "prepare_only"])]
    pub(crate) verify: bool,

    /// A request that is unanswered for this long is an incident, in milliseconds.
    #[arg(long, default_value_t = 5_000, value_name = "MS")]
    pub(crate) stall_ms: u32,

    /// How long a server may be unreachable or silent before the run ends, in seconds.
    #[arg(long, default_value_t = 20, value_name = "S")]
    pub(crate) patience: u32,

    /// One operation to measure.
    #[arg(long, value_enum, default_value_t = Operation::Get)]
    pub(crate) op: Operation,

    /// With --op mixed: the percentage of sets.
    #[arg(long, default_value_t = 30)]
    pub(crate) write_percent: u32,

    /// Data of each node in bytes.
    #[arg(long, default_value_t = 100)]
    pub(crate) size: u32,

    /// Nodes of the keyspace. They are created first, as ROOT/pNNN/nNNNNNNN.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) nodes: u32,

    /// The root of the keyspace.
    #[arg(long, default_value = "/bench")]
    pub(crate) root: String,

    /// Create the keyspace and measure nothing.
    #[arg(long, conflicts_with = "skip_prepare")]
    pub(crate) prepare_only: bool,

    /// The keyspace exists already.
    #[arg(long)]
    pub(crate) skip_prepare: bool,

    /// How long to measure, in seconds; by default as in the workload, or 10.
    #[arg(long)]
    pub(crate) seconds: Option<u64>,

    /// How long to run before that, in seconds.
    #[arg(long, default_value_t = 2)]
    pub(crate) warmup: u64,

    /// Pin the generator to this CPU.
    #[arg(long, value_name = "K")]
    pub(crate) cpu: Option<usize>,

    /// The server's process on this machine, whose CPU time, memory, switches and writes are shown.
    /// By default the process is found by its port, which needs the rights of its user.
    #[arg(long = "server-pid", alias = "pid", value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// Write the results to this file too, as a JSON object, totals first, one per line.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the results to this file too, as a page with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

impl BenchArgs {
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        let within = |name, value: u32, least: u32, most: u32| {
            let (value, least, most) = (value.into(), least.into(), most.into());
            let is_fine = (least..=most).contains(&value);
            if is_fine { Ok(()) } else { Err(BenchError::Argument { name, value, least, most }) }
        };
        within("connections", self.connections(), 1, CONNECTIONS_MAX)?;
        within("pipeline", self.in_flight(), 1, PIPELINE_MAX)?;
        within("rate", self.rate.unwrap_or(1), 1, RATE_MAX)?;
        within("ensemble", self.ensemble.unwrap_or(1), 1, ENSEMBLE_MAX)?;
        within("ramp-p99-ms", self.ramp_p99_ms, 1, 60_000)?;
        within("ramp-seconds", self.ramp_seconds.min(86_400) as u32, 1, 3_600)?;
        within("stall-ms", self.stall_ms, 10, 600_000)?;
        within("patience", self.patience, 1, 3_600)?;
        within("nodes", self.nodes, u32::from(self.op != Operation::Ready), NODES_MAX)?;
        within("size", self.size, 0, SIZE_MAX)?;
        within("write-percent", self.write_percent, 0, 100)?;
        if self.server_cmd.as_ref().is_some_and(|it| it.trim().is_empty()) {
            return Err(BenchError::NoCommand);
        }
        if let (Some(json), Some(html)) = (&self.json, &self.html)
            && json == html
            // Both may go to /dev/null.
            && (json.is_file() || !json.exists())
        {
            return Err(BenchError::WrittenTwice(json.clone()));
        }
        Ok(())
    }

    /// Connections of a loop of one operation.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.unwrap_or(CONNECTIONS_DEFAULT)
    }

    /// Requests in flight on each of them.
    pub(crate) fn in_flight(&self) -> u32 {
        self.pipeline.unwrap_or(16)
    }

    /// Whether more is requested than a closed loop of one operation.
    pub(crate) fn is_play(&self) -> bool {
        self.workload.is_some()
            || self.rate.is_some()
            || self.ramp
            || self.verify
            || self.server.contains(',')
            || self.spread != Spread::All
            || self.ensemble.is_some()
    }

    /// The root without a slash at its end, so that names can be appended.
    pub(crate) fn root(&self) -> &str {
        self.root.trim_end_matches('/')
    }

    pub(crate) fn measured(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(SECONDS_DEFAULT))
    }

    pub(crate) fn warmup(&self) -> Duration {
        Duration::from_secs(self.warmup)
    }
}
