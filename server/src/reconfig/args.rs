//! The arguments of `reconfig`.

use clap::Args;
use std::path::PathBuf;

/// What to change in which ensemble.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(
    after_long_help = "First it is checked what would fail: the servers are asked srvr, and \
    the leader whether it takes changes at all and from this client, by a change and a write that \
    cannot succeed. With --dry-run, or without a change, that is all. The status is 1 if \
    something stands in the way, or the change failed.\n\n\
    The servers need reconfigEnabled=true, and the client WRITE on /zookeeper/config.\n\n\
    Example: ringkeeper reconfig zk1:2181,zk2:2181 --auth digest:super:secret \
    --add 'server.4=zk4:2888:3888;2181' --remove 3 --dry-run"
)]
pub struct ReconfigArgs {
    /// Servers of the ensemble, by the ports of their clients. The first that answers is used.
    #[arg(value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub servers: Vec<String>,

    /// Let a server join, or change the one with that number: server.N=host:port:port:role;port.
    /// May be given several times.
    #[arg(long, value_name = "LINE")]
    pub add: Vec<String>,

    /// Remove a server. May be given several times, or with commas.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub remove: Vec<String>,

    /// A file with all lines of the new configuration.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["add", "remove"])]
    pub members: Option<PathBuf>,

    /// The version that the change is to follow, in hexadecimal, as /zookeeper/config has it.
    #[arg(long, value_name = "VERSION")]
    pub from_version: Option<String>,

    /// Credentials. May be given several times.
    #[arg(long, value_name = "SCHEME:CREDENTIALS")]
    pub auth: Vec<String>,

    /// Only say what would be, and what would fail.
    #[arg(long)]
    pub dry_run: bool,
}
