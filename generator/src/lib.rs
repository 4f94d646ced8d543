//! The load generator `ringkeeper bench`, for any server that speaks `ZooKeeper`'s client protocol.
//!
//! One operation in a closed loop (`load`): so many connections, so many requests in flight on
//! each, an answer is followed at once by the next request. One thread, one ring; one core of it
//! saturates a server on another. So requests are copied from templates, replies are cut by their
//! length only and matched by their order, and the clock is read once a turn.
//!
//! Everything else is a workload that is played (`play`): mixes of operations in a closed or an
//! open loop, recipes, storms, checked reads; clients that are cut come back.
//!
//! The map: `args` (what is asked), `load` (the loop's operations), `watch`, `sessions` (the
//! operations of other forms), `drive` (the loop), `lane` (one connection), `workload` and `keys`
//! (what is asked for), `wire` (bytes), `session` (blocking connections), `spec` (workload files),
//! `play` (workloads played), `tally` (counts and latencies), `process` and `report` (what a
//! server used), `results` (table, JSON, page).
//!
//! **Invariants**
//! - Every reply is checked: its xid is that of the oldest request of its connection, its length
//!   is possible, its error is counted (`tests::wrong_answers_are_told`).
//! - Whatever the server does, the end is a report or an error, never a hang
//!   (`tests::a_server_that_dies_is_told`).
//! - In steady state the loop allocates nothing: send buffers alternate, the rest is reused.
//!
//! **What is deliberately not here**: recorded workloads, several servers at once, several
//! threads: start several generators.

mod args;
mod drive;
mod error;
mod keys;
mod lane;
mod limits;
mod load;
mod play;
mod process;
mod report;
mod results;
mod session;
mod sessions;
mod source;
mod spec;
mod tally;
#[cfg(test)]
mod tests;
mod watch;
mod wire;
mod workload;

use std::io::{self, Write};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

use self::session::resolve;

pub use args::{BenchArgs, Operation};
pub use error::BenchError;
pub use results::IncidentKind;
pub use spec::SpecError;
pub use tally::Code;

/// Measures as asked; what was found goes to `out`, a line a second to standard error.
///
/// # Errors
/// Whatever makes the measurement void; each is worth a non-zero exit status.
pub fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), BenchError> {
    args.check()?;
    if args.list {
        return list(out);
    }
    if let Some(cpu) = args.cpu {
        pin(cpu)?;
    }
    raise_descriptors();
    let found = || resolve(&args.server).ok().and_then(process::listener_of);
    let args = &BenchArgs { pid: args.pid.or_else(found), ..args.clone() };
    if args.is_play() {
        return play::run(args, out);
    }
    match args.op {
        Operation::Session => sessions::run(args, out),
        Operation::Ready => sessions::ready(args, out),
        Operation::Watch => watch::run(args, out),
        _ => load::run(args, out),
    }
}

fn list(out: &mut dyn Write) -> Result<(), BenchError> {
    let failed = |source| BenchError::Write { path: "standard output".into(), source };
    for (name, _) in spec::list() {
        let about = spec::open(name)?.about;
        writeln!(out, "{name:<18} {about}").map_err(failed)?;
    }
    Ok(())
}

fn pin(cpu: usize) -> Result<(), BenchError> {
    let mut cpus = CpuSet::new();
    let pinned = cpus.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &cpus));
    pinned.map_err(|errno| BenchError::Pin { cpu, errno })
}

/// As many descriptors as we may have. If that is too few, opening a connection says so.
fn raise_descriptors() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// A line on standard error, which may be closed.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
