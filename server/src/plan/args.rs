//! The arguments of `plan`.

use super::layout::LayoutWords;
use super::report::ReportArg;
use clap::Args;
use std::path::PathBuf;

/// Say how many servers of what kind a load needs, and what breaks first.
#[derive(Args, Clone, Debug, Default)]
#[command(
    allow_negative_numbers = true,
    after_long_help = "The load comes from numbers, from a running server (--server, --metrics) or \
    from reports of `ringkeeper bench`; numbers override what was measured. With numbers the \
    smallest servers for them are searched; without, the servers that were measured are judged; \
    with --layout, the given ones.\n\n\
    Examples:\n  \
    ringkeeper plan --sessions 6000 --nodes 40000 --reads 20000 --writes 1500 --p99 10\n  \
    ringkeeper plan --server zk1:2181,zk2:2181,zk3:2181\n  \
    ringkeeper plan --report reads.json --report writes.json --reads 80000 --writes 4000\n\n\
    Exit status: 0 if the load is carried (and after --check, whatever the errors are), 1 if no \
    servers carry it, 2 if the input is wrong."
)]
pub struct PlanArgs {
    /// A report of `ringkeeper bench --json`, best of a --ramp of reads or of writes: costs are
    /// fitted to it. Four or more show how the throughput scales, by N, or by their connections.
    #[arg(long = "report", value_name = "[N=]FILE")]
    pub reports: Vec<ReportArg>,

    /// Running servers, by their ports for clients: their load is sampled (mntr).
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub server: Vec<String>,

    /// Running servers, by their pages of Prometheus's metrics.
    #[arg(long, value_name = "URL", value_delimiter = ',', conflicts_with = "server")]
    pub metrics: Vec<String>,

    /// Samples of the running servers.
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub samples: u32,

    /// Seconds between two samples.
    #[arg(long, value_name = "S", default_value_t = 2,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub interval: u32,

    /// What is required.
    #[command(flatten)]
    pub required: RequiredArgs,

    /// What one request costs.
    #[command(flatten)]
    pub costs: CostArgs,

    /// What there may be at most.
    #[command(flatten)]
    pub most: MostArgs,

    /// Judge these servers: servers=3,observers=0,shards=4,ordering=own (or shared).
    #[arg(long, value_name = "NAME=N,...",
          conflicts_with_all = ["shards_max", "servers_max", "observers_max"])]
    pub layout: Option<LayoutWords>,

    /// The servers that reports were measured on, as for --layout; by default one of one core.
    #[arg(long, value_name = "NAME=N,...")]
    pub measured_on: Option<LayoutWords>,

    /// Print JSON to this file, or to standard output (-).
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,

    /// Write a page with plots to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Draw the 99th percentiles by the rate into this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Compare predictions with measurements.
    #[command(flatten)]
    pub check: CheckArgs,
}

/// Numbers that are required.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct RequiredArgs {
    /// Open sessions.
    #[arg(long, value_name = "N")]
    pub sessions: Option<f64>,
    /// After which a silent session ends, in seconds.
    #[arg(long, value_name = "S")]
    pub session_timeout: Option<f64>,
    /// Nodes in the tree.
    #[arg(long, value_name = "N")]
    pub nodes: Option<f64>,
    /// Path and data of a node, on average.
    #[arg(long, value_name = "BYTES")]
    pub node_bytes: Option<f64>,
    /// Watches that are set.
    #[arg(long, value_name = "N")]
    pub watches: Option<f64>,
    /// Reads a second; an event that is sent counts as one.
    #[arg(long, value_name = "R")]
    pub reads: Option<f64>,
    /// Writes a second.
    #[arg(long, value_name = "R")]
    pub writes: Option<f64>,
    /// The 99th percentile that reads and writes must keep, in milliseconds; 10 by default.
    #[arg(long, value_name = "MS")]
    pub p99: Option<f64>,
    /// Servers that may be lost with the load still carried; 1 by default.
    #[arg(long, value_name = "N", conflicts_with = "layout")]
    pub survives: Option<f64>,
}

impl RequiredArgs {
    /// Whether anything about the load is required.
    pub(super) fn has_load(&self) -> bool {
        let Self { sessions, session_timeout, nodes, node_bytes, watches, reads, writes, .. } =
            self;
        let all = [sessions, session_timeout, nodes, node_bytes, watches, reads, writes];
        all.into_iter().any(Option::is_some) || self.survives.is_some()
    }
}

/// Where costs come from, besides reports; the last of these counts.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CostArgs {
    /// The log's device, as measured by `ringkeeper probe DIR --json`.
    #[arg(long, value_name = "FILE")]
    pub probe: Option<PathBuf>,
    /// A profile, by name or file: its batches and how many are in flight.
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<PathBuf>,
    /// Costs that override all others, as written by --costs-out.
    #[arg(long = "costs", value_name = "FILE.toml")]
    pub file: Option<PathBuf>,
    /// Write the costs that are used to this file.
    #[arg(long = "costs-out", value_name = "FILE.toml")]
    pub out: Option<PathBuf>,
}

/// What there may be at most.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct MostArgs {
    /// Memory of a server; 64 by default.
    #[arg(long, value_name = "GIB")]
    pub memory: Option<f64>,
    /// Disk of a server; 1000 by default.
    #[arg(long, value_name = "GIB")]
    pub disk: Option<f64>,
    /// Shards of a server; 16 by default.
    #[arg(long, value_name = "N")]
    pub shards_max: Option<f64>,
    /// Servers that vote; 7 by default.
    #[arg(long, value_name = "N")]
    pub servers_max: Option<f64>,
    /// Observers; 20 by default.
    #[arg(long, value_name = "N")]
    pub observers_max: Option<f64>,
}

/// A check of the predictions.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckArgs {
    /// Load the server at --server with --workload, and print what was predicted beside what is
    /// measured. For a server that nobody uses: it is brought to its limit.
    #[arg(long, requires = "workload", requires = "server")]
    #[arg(conflicts_with_all = ["layout", "metrics", "html", "svg", "reports", "measured_on"])]
    #[arg(conflicts_with_all = ["RequiredArgs", "CostArgs", "MostArgs"])]
    pub check: bool,
    /// A workload of `ringkeeper bench` (--list), or a file.
    #[arg(long, value_name = "NAME|FILE", requires = "check")]
    pub workload: Option<String>,
    /// How often each rate is measured; the middle half of the rounds counts.
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// How long each rate is measured, in seconds.
    #[arg(long, value_name = "S", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,
}
