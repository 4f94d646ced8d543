//! The arguments of `import`, `export` and `inspect`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do about a migration between servers that run.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct MigrateArgs {
    /// What.
    #[command(subcommand)]
    pub what: Migrating,
}

/// A part of a migration between servers that run.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Migrating {
    /// Look at a running ensemble of ZooKeeper; print what stands in the way of exchanging its
    /// servers one by one, or what to do.
    Plan(PlanArgs),
}

/// Which ensemble.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Nothing is changed. Servers are asked srvr and, where \
    4lw.commands.whitelist has it, conf. The status is 1 while something stands in the way.\n\n\
    Example: ringkeeper migrate plan zk1:2181,zk2:2181,zk3:2181")]
pub struct PlanArgs {
    /// All servers of the ensemble, by the ports of their clients.
    #[arg(value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub servers: Vec<String>,
}

/// What to import.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Stop ZooKeeper first. Nothing in DIR is changed. The newest whole \
    snapshot is read, plain, gzip or snappy, and the logs after it are replayed; the result is \
    compared with the digest that ZooKeeper wrote. --to may be the same directory: Ringkeeper's \
    files are in ringkeeper-1, beside version-2.\n\n\
    Example: ringkeeper import /var/lib/zookeeper --to /var/lib/zookeeper")]
pub struct ImportArgs {
    /// ZooKeeper's dataDir.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// ZooKeeper's dataLogDir, if zoo.cfg names one.
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,

    /// The dataDir of Ringkeeper, without data yet.
    #[arg(long, value_name = "DATADIR")]
    pub to: PathBuf,

    /// If logs are damaged or missing, import what precedes the gap instead of failing.
    #[arg(long)]
    pub stop_at_damage: bool,

    /// Import a tree even if its digest differs from the one that ZooKeeper wrote.
    #[arg(long)]
    pub accept_mismatch: bool,

    /// If there are logs and no snapshot, begin with an empty tree (as
    /// zookeeper.snapshot.trust.empty).
    #[arg(long)]
    pub trust_empty_snapshot: bool,

    /// If there is a snapshot and no log at all, as in a backup, import the snapshot as it is.
    #[arg(long)]
    pub without_log: bool,

    /// Empty /zookeeper/config, which names the servers of the ensemble that the data are from.
    #[arg(long)]
    pub clear_ensemble: bool,

    /// Read owners of nodes with a time to live as zookeeper.emulate353TTLNodes does.
    #[arg(long)]
    pub emulate_353_ttl_nodes: bool,
}

/// What to export.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Stop the server first: it holds a lock on its data. No snapshot and \
    no log in DATADIR is changed; ringkeeper-1/data-set notes how far was exported. ZooKeeper \
    3.9 starts on the result as after any restart; it has one snapshot and needs no log.\n\n\
    Example: ringkeeper export /var/lib/ringkeeper --to /var/lib/zookeeper")]
pub struct ExportArgs {
    /// The dataDir of Ringkeeper.
    #[arg(value_name = "DATADIR")]
    pub dir: PathBuf,

    /// The dataLogDir of Ringkeeper, if it has moved since the server last used it.
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,

    /// The dataDir of ZooKeeper, without data yet.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,

    /// If there is a snapshot and no log any more, export the snapshot as it is.
    #[arg(long)]
    pub without_log: bool,
}

/// What to inspect.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Files of ZooKeeper and of Ringkeeper are recognised by their first \
    bytes, whatever their names. Exits with 1 if the file is damaged; the item `damage` names the \
    place, what was expected and found, and what can be done.")]
pub struct InspectArgs {
    /// What kind of file it is.
    #[command(subcommand)]
    pub what: Inspected,
}

/// A kind of file.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Inspected {
    /// A log: every txn in it.
    Log {
        /// version-2/log.*, or a segment ringkeeper-1/log-*.
        file: PathBuf,
        /// A JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// A snapshot: its metadata, and with --nodes every node in it.
    Snapshot {
        /// version-2/snapshot.*, or ringkeeper-1/snapshot.*.
        file: PathBuf,
        /// A JSON object a line.
        #[arg(long)]
        json: bool,
        /// Show all nodes too.
        #[arg(long)]
        nodes: bool,
    },
}
