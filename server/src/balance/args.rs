//! The arguments of `balance`.

use clap::{Args, Subcommand};

/// Lead clients from server to server.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(
    after_long_help = "The servers are named by the addresses of their admin servers. No client \
    loses its session or a request: a connection is closed only while nothing is under way on it, \
    and its client attaches its session at a server that admits it. That needs clients that know \
    more than one server. Local sessions (localSessionsEnabled) stay where they are.\n\n\
    Example: ringkeeper balance even --servers zk1:8080,zk2:8080,zk3:8080 --dry-run"
)]
pub struct BalanceArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: Balancing,
}

/// What to do.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
pub enum Balancing {
    /// Show how clients are spread over the servers.
    Status(StatusArgs),
    /// Spread clients evenly.
    Even(EvenArgs),
    /// Lead all clients away from a server, before it is stopped.
    Drain(DrainArgs),
    /// Lead some clients from one server to another.
    Move(MoveArgs),
}

/// Which servers, and who asks.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ServersArgs {
    /// All servers of the ensemble, by the addresses of their admin servers.
    #[arg(long, value_name = "HOST:ADMINPORT", value_delimiter = ',', required = true)]
    pub servers: Vec<String>,

    /// Credentials with every permission on /. In the environment (`RINGKEEPER_AUTH`) no list of
    /// processes shows them.
    #[arg(long, value_name = "digest:USER:PASSWORD")]
    pub auth: Option<String>,

    /// Where the admin servers have their commands (admin.commandURL).
    #[arg(long, value_name = "PATH", default_value = "/commands")]
    pub url: String,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// How gently clients are led.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct PaceArgs {
    /// Connections that a server closes in a second.
    #[arg(long, value_name = "R", default_value_t = 200)]
    pub per_second: u32,

    /// Seconds for which a busy connection is waited for before it is left.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub patience: u32,

    /// Seconds after which the command gives up, beside those that the pace takes.
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub timeout: u32,

    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// The arguments of `balance status`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusArgs {
    /// Which servers.
    #[command(flatten)]
    pub servers: ServersArgs,
}

/// The arguments of `balance even`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct EvenArgs {
    /// Which servers.
    #[command(flatten)]
    pub servers: ServersArgs,
    /// How gently.
    #[command(flatten)]
    pub pace: PaceArgs,
}

/// The arguments of `balance drain`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainArgs {
    /// Which one, as --servers names it.
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// Minutes for which it admits no clients.
    #[arg(long, value_name = "M", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=60))]
    pub minutes: u32,
    /// Drain it even if no other server admits clients, or another one is drained.
    #[arg(long)]
    pub force: bool,
    /// Which servers.
    #[command(flatten)]
    pub servers: ServersArgs,
    /// How gently.
    #[command(flatten)]
    pub pace: PaceArgs,
}

/// The arguments of `balance move`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct MoveArgs {
    /// How many clients.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// From which server, as --servers names it.
    #[arg(value_name = "FROM")]
    pub from: String,
    /// To which one.
    #[arg(value_name = "TO")]
    pub to: String,
    /// Which servers.
    #[command(flatten)]
    pub servers: ServersArgs,
    /// How gently.
    #[command(flatten)]
    pub pace: PaceArgs,
}
