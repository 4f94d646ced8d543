//! Why the command failed.

use assignment::{EmptyClient, ServersError, WeightError};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why the command failed.
#[derive(Debug, Error)]
pub enum RouteError {
    /// A server is not HOST:PORT.
    #[error("{text}: {why}")]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: AddressError,
    },
    /// Two servers are one.
    #[error("{first} and {second} are the same server: name each server once")]
    Twice {
        /// As it was given first.
        first: String,
        /// As it was given then.
        second: String,
    },
    /// The servers cannot be ordered.
    #[error(transparent)]
    Servers(#[from] ServersError),
    /// Something is not about a server.
    #[error("--{option} {text}: write it as {form}")]
    Form {
        /// `weight` or `zone`.
        option: &'static str,
        /// What was given.
        text: String,
        /// How it is written.
        form: &'static str,
    },
    /// Something is about a server that is not there.
    #[error("--{option} {text}: {server} is not among the servers: {known}")]
    Unknown {
        /// `weight` or `zone`.
        option: &'static str,
        /// What was given.
        text: String,
        /// The server.
        server: String,
        /// Those that are there.
        known: String,
    },
    /// A server has two weights or zones.
    #[error("--{option} {text}: {server} already has a {option}: give it once")]
    Again {
        /// `weight` or `zone`.
        option: &'static str,
        /// What was given.
        text: String,
        /// The server.
        server: String,
    },
    /// A weight is not one.
    #[error("--weight {text}: {why}")]
    Weight {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: WeightError,
    },
    /// No server is in the clients' zone.
    #[error("--in {zone}: no server is in that zone; {known}")]
    Zone {
        /// The zone.
        zone: String,
        /// Those that servers are in.
        known: String,
    },
    /// The chroot is not a path.
    #[error("--chroot {0}: it is not a path: begin with a slash, and end without one")]
    Chroot(String),
    /// A client has no name.
    #[error("{0}: give each client a name of its own that stays the same, such as its host's")]
    Client(#[from] EmptyClient),
    /// The clients' names cannot be read.
    #[error("the names of clients cannot be read from {from}: {error}", from = from(path))]
    Read {
        /// From where.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A name is not UTF-8.
    #[error("line {line} of {from} is not UTF-8: names of clients are text", from = from(path))]
    NotText {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: u64,
    },
    /// The file has no names.
    #[error("{from} has no names of clients: write one on each line", from = from(.0))]
    NoClients(PathBuf),
    /// Its output.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

fn from(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Why a text is no server.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// There is nothing between two commas, or at an end.
    #[error("a server is missing: write HOST:PORT[,HOST:PORT...]")]
    Empty,
    /// A connect string's path.
    #[error("the path belongs into --chroot, not to a server")]
    Path,
    /// There is no host.
    #[error("it has no host: write HOST:PORT")]
    NoHost,
    /// There is no port.
    #[error("it has no port: write HOST:PORT, such as zk1:2181")]
    NoPort,
    /// More than one colon without brackets.
    #[error("an IPv6 address is written in brackets, with the port behind them: [ADDRESS]:PORT")]
    Brackets,
    /// Not an IPv6 address in brackets.
    #[error("what is in brackets is not an IPv6 address")]
    Ipv6,
    /// Neither a name nor an address.
    #[error("its host is neither a name nor an address")]
    Host,
    /// Not a port.
    #[error("its port is not a number from 1 to 65535, without zeros before it")]
    Port,
}
