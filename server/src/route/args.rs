//! The command line.

use clap::Args;
use std::path::PathBuf;

/// Which servers and which clients.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(
    after_long_help = "The order follows from the names alone, so it is the same wherever it is \
    computed; docs/balancing.md has the rule in Python, Java and Go. A server that joins or leaves \
    moves only the clients that it gains or loses. The text HOST:PORT is the server's name: write \
    it the same way everywhere.\n\n\
    Clients shuffle the servers of their connect string unless they are told not to:\n  \
    Python, kazoo           KazooClient(hosts=..., randomize_hosts=False)\n  \
    C                       zoo_deterministic_conn_order(1), before zookeeper_init\n  \
    Java, ZooKeeper         a HostProvider of your own; StaticHostProvider always shuffles\n  \
    Java, Curator           a ZookeeperFactory with such a HostProvider, ensembleTracker(false)\n  \
    Go, go-zookeeper/zk     a HostProvider of your own that has the order\n\
    docs/balancing.md has them, and what else works.\n\n\
    Examples:\n  \
    ringkeeper route --servers zk1:2181,zk2:2181,zk3:2181 --chroot /app web-12\n  \
    ringkeeper route --servers zk1:2181,zk2:2181,zk3:2181 --spread clients.txt"
)]
pub struct RouteArgs {
    /// The servers that clients may connect to. An IPv6 address is in brackets.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub servers: Vec<String>,

    /// How many clients a server gets, relative to the others: a whole number, 1 if not given. May
    /// be given several times.
    #[arg(long = "weight", value_name = "HOST:PORT=W", value_delimiter = ',')]
    pub weights: Vec<String>,

    /// Where a server is. May be given several times.
    #[arg(long = "zone", value_name = "HOST:PORT=NAME", value_delimiter = ',')]
    pub zones: Vec<String>,

    /// Where the clients are: servers of this zone come before all others.
    #[arg(long = "in", value_name = "ZONE")]
    pub within: Option<String>,

    /// The path that the client's own paths begin below; printed behind the servers.
    #[arg(long, value_name = "PATH", conflicts_with = "spread")]
    pub chroot: Option<String>,

    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,

    /// Count instead: read names of clients, one a line, from this file (-: standard input), and
    /// print how many each server gets, and how many move if one leaves or joins.
    #[arg(long, value_name = "FILE", conflicts_with = "clients")]
    pub spread: Option<PathBuf>,

    /// The server of which --spread says what happens if it joins; --weight and --zone may be about
    /// it.
    #[arg(long, value_name = "HOST:PORT", requires = "spread", conflicts_with = "clients")]
    pub joining: Option<String>,

    /// Names of clients: whatever is unique and stays the same, such as a host's name. The order of
    /// each is printed on a line.
    #[arg(value_name = "CLIENT", required_unless_present = "spread")]
    pub clients: Vec<String>,
}
