//! Why a measurement failed.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use ring::{Errno, RingError};
use thiserror::Error;

use super::results::IncidentKind;
use super::tally::Code;
use super::workload::WorkloadError;

/// What to do when a server closes connections that have no session yet.
pub(super) const LIMIT_HINT: &str = "if the server bounds connections, raise maxClientCnxns \
    (those of one address, 60 unless configured) or maxCnxns there, or give fewer --connections";

/// Why a measurement failed. Each one ends it with a non-zero status.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The name of the server cannot be resolved.
    #[error("{server} is not an address: {source}")]
    Address {
        /// As given.
        server: Box<str>,
        /// The resolver's error.
        source: io::Error,
    },
    /// A connect string with a path at its end.
    #[error("--server ends with the path /{path}: give it as --root /{path}")]
    Chroot {
        /// After the slash.
        path: Box<str>,
    },
    /// The path of this executable, which servers are started with, is not known.
    #[error("cannot find this executable, to start servers with it: {0}")]
    Executable(io::Error),
    /// An empty command.
    #[error("--server-cmd is empty: give a command that is started with the path of a zoo.cfg")]
    NoCommand,
    /// One file for two forms of the results.
    #[error("--json and --html are both {}: give two files", .0.display())]
    WrittenTwice(PathBuf),
    /// `--guarded` without what belongs to it.
    #[error("--guarded needs the number of a process and a command: --ensemble gives them")]
    Guarded,
    /// The folder of an ensemble.
    #[error("cannot write {path}, for an ensemble: {source}")]
    EnsembleFolder {
        /// The folder, or the one inside it.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// Every port is taken.
    #[error("{count} free ports of 127.0.0.1 are needed, and there are fewer")]
    NoPorts {
        /// How many are needed.
        count: usize,
    },
    /// A server, or a fault's command, cannot be started.
    #[error("cannot start {}: {source}", .command.display())]
    Start {
        /// The command.
        command: OsString,
        /// The kernel's error.
        source: io::Error,
    },
    /// A server ended before the ensemble served.
    #[error("server {number} of the ensemble ended before it served ({status}): {last}")]
    ServerEnded {
        /// From 1.
        number: usize,
        /// How it ended.
        status: Box<str>,
        /// The last lines of its output.
        last: Box<str>,
    },
    /// A server runs and does not serve.
    #[error("server {number} of the ensemble did not serve within {seconds} s: {last}")]
    NotServing {
        /// From 1.
        number: usize,
        /// How long the generator waited.
        seconds: u64,
        /// The last lines of its output.
        last: Box<str>,
    },
    /// Signals cannot be held back.
    #[error("cannot hold back SIGINT and SIGTERM: {0}")]
    Signals(Errno),
    /// A signal ended the run.
    #[error("ended by {signal}; the servers that were started are ended, nothing is reported")]
    Interrupted {
        /// Its name.
        signal: &'static str,
    },
    /// A fault that needs the processes of servers.
    #[error(
        "the fault at {at} ({fault}) needs servers that are started here: give --ensemble, or let \
         a fault run = \"COMMAND\" do it"
    )]
    FaultNeedsEnsemble {
        /// When it is due.
        at: Box<str>,
        /// What it does.
        fault: Box<str>,
    },
    /// A fault of a server that there is not.
    #[error("the fault at {at} ({fault}) needs more than the {servers} servers of --ensemble")]
    FaultNeedsServers {
        /// When it is due.
        at: Box<str>,
        /// What it does.
        fault: Box<str>,
        /// How many there are.
        servers: usize,
    },
    /// A fault that would not begin.
    #[error("the fault at {at} ({fault}) is due after the end: measure for more than {seconds} s")]
    FaultTooLate {
        /// When it is due.
        at: Box<str>,
        /// What it does.
        fault: Box<str>,
        /// As requested.
        seconds: u64,
    },
    /// No connection.
    #[error("cannot connect to {server}: {source}")]
    Connect {
        /// As given.
        server: Box<str>,
        /// The kernel's error.
        source: io::Error,
    },
    /// The server closed a connection before a session was open.
    #[error(
        "the server closed connection {connection} of {connections} before it had a session \
         ({source}); {LIMIT_HINT}"
    )]
    Handshake {
        /// Which one, from 1.
        connection: usize,
        /// Of how many.
        connections: usize,
        /// The error.
        source: io::Error,
    },
    /// The server did what a correct one does not, before anything was measured.
    #[error("nothing was measured: {}: {detail}", .kind.name())]
    NotBegun {
        /// The kind.
        kind: IncidentKind,
        /// A description.
        detail: Box<str>,
    },
    /// The server answered a connect request with no session.
    #[error("the server granted no session")]
    NoSession,
    /// The server closed a connection in use.
    #[error("the server closed a connection with {in_flight} requests unanswered")]
    Closed {
        /// Requests without an answer on that connection.
        in_flight: usize,
    },
    /// A connection broke.
    #[error("a connection broke: {0}")]
    Broken(Errno),
    /// A blocking connection broke.
    #[error("a connection broke: {0}")]
    BrokenIo(io::Error),
    /// No answer for too long.
    #[error("no answer for {seconds} s, {in_flight} requests are waiting")]
    Silent {
        /// Since the last answer.
        seconds: u64,
        /// On all connections.
        in_flight: usize,
    },
    /// A frame with an impossible length.
    #[error("the server sent a frame of {length} bytes")]
    FrameLength {
        /// As announced.
        length: i32,
    },
    /// An answer out of order.
    #[error("wrong answer: xid {found}, expected {expected}")]
    Xid {
        /// Of the oldest request without an answer.
        expected: i32,
        /// In the reply.
        found: i32,
    },
    /// An answer without a request.
    #[error("wrong answer: xid {xid} without a request")]
    Unasked {
        /// In the reply.
        xid: i32,
    },
    /// An answer too short for what was requested.
    #[error("wrong answer: {found} bytes instead of at least {expected}")]
    Short {
        /// The shortest possible good answer.
        expected: u32,
        /// The length of the frame.
        found: u32,
    },
    /// Preparing, or a round of watchers, met an error of the protocol.
    #[error("{stage}: the server answered {code}")]
    Refused {
        /// What was being done.
        stage: &'static str,
        /// The server's answer.
        code: Code,
    },
    /// The workload cannot be used.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// An option that needs `--workload` or another operation.
    #[error(
        "--op {op} is a closed loop against one server only: --rate, --ramp, --verify and several \
         servers need another operation, or --workload"
    )]
    ClosedLoopOnly {
        /// The operation.
        op: Box<str>,
    },
    /// The server did what a correct one does not.
    #[error("{count} incidents, the first after {at_ms} ms: {}", .kind.name())]
    Incidents {
        /// Of all kinds.
        count: u64,
        /// Of the first.
        kind: IncidentKind,
        /// When it happened.
        at_ms: u64,
    },
    /// A value that was read is impossible.
    #[error("{count} violations: the server gave impossible answers")]
    Violations {
        /// Of all kinds.
        count: u64,
    },
    /// The measurement ended, but requests were answered with errors.
    #[error("{count} requests were answered with errors")]
    Errors {
        /// Of all codes.
        count: u64,
    },
    /// Nothing was answered in the time measured.
    #[error("nothing was answered in the time measured")]
    Nothing,
    /// The server was not ready in time.
    #[error("the server was not ready after {seconds} s: {last}")]
    NotReady {
        /// How long the generator waited.
        seconds: u64,
        /// The error of the last attempt.
        last: Box<BenchError>,
    },
    /// An argument out of its bounds.
    #[error("--{name} {value} is out of bounds ({least} to {most})")]
    Argument {
        /// Its name.
        name: &'static str,
        /// As given.
        value: u64,
        /// Least value.
        least: u64,
        /// Greatest value.
        most: u64,
    },
    /// The ring failed.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The thread cannot be pinned to the CPU.
    #[error("cannot pin to CPU {cpu}: {errno}")]
    Pin {
        /// As given.
        cpu: usize,
        /// The kernel's error.
        errno: Errno,
    },
    /// The usage of the process cannot be read.
    #[error("cannot examine process {pid}: {source}")]
    Process {
        /// As given.
        pid: u32,
        /// The kernel's error.
        source: io::Error,
    },
    /// The results cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Where to.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
}

impl BenchError {
    /// What the server did, if that ended the measurement.
    pub(super) fn incident(&self) -> Option<(IncidentKind, String)> {
        let kind = match self {
            Self::Closed { .. } | Self::Broken(_) | Self::BrokenIo(_) => IncidentKind::Closed,
            Self::Silent { .. } => IncidentKind::Stalled,
            Self::FrameLength { .. }
            | Self::Xid { .. }
            | Self::Unasked { .. }
            | Self::Short { .. } => IncidentKind::Wrong,
            _ => return None,
        };
        Some((kind, self.to_string()))
    }
}
