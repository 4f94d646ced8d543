//! The words of `import`, `export` and `inspect`.

use std::path::PathBuf;

use clap::Args;

/// What to import.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Stop ZooKeeper first. Nothing in DIR is changed. The newest whole \
    snapshot is read, plain, gzip or snappy, and the logs behind it are replayed; the result is \
    compared with the digest that ZooKeeper wrote. --to may be the same directory: Ringkeeper's \
    files lie in ringkeeper-1, beside version-2.\n\n\
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

    /// Where logs are damaged or missing, import what is before instead of nothing.
    #[arg(long)]
    pub stop_at_damage: bool,

    /// Import a tree whose digest is not the one that ZooKeeper wrote.
    #[arg(long)]
    pub accept_mismatch: bool,

    /// Where there are logs and no snapshot, begin with an empty tree (as
    /// zookeeper.snapshot.trust.empty).
    #[arg(long)]
    pub trust_empty_snapshot: bool,

    /// Read owners of nodes with a time to live as zookeeper.emulate353TTLNodes does.
    #[arg(long)]
    pub emulate_353_ttl_nodes: bool,
}
