//! The load generator `ringkeeper bench`, for any server that speaks ZooKeeper's client protocol.
//!
//! It measures what a client sees, over sockets, with latencies that count from when a request was
//! due. One thread, one ring: one core of it saturates a server on another.
//!
//! Map, in reading order:
//!
//! - `args`: what is requested; `error`: why a measurement failed; `limits`: every bound;
//! - `wire`: requests as templates, replies cut by their length; `source`: the addresses that
//!   connections come from; `outgoing`: what a connection sends; `blocking`: a client that waits
//!   for each reply; `paths`: what all paths have in common;
//! - `tally`: counts and latencies, one line per second; `process`, `meter`: what the server and
//!   the generator used meanwhile;
//! - `single`: one operation in a closed loop, as cheap as possible;
//! - `servers`: those of a connect string, and which of them leads; `ensemble`: servers started
//!   here; `signals`: what ends them early;
//! - `workload`: workload files; `play`: workloads played, in a closed or an open loop, with
//!   storms, faults, recipes, checked reads and clients that reconnect;
//! - `results`: the table, the JSON, the page.
//!
//! **Invariants**
//!
//! - Every reply is checked: its xid is that of the oldest request of its connection, its length
//!   is possible, its error is counted (guard: `tests::wrong_answers_are_reported`).
//! - Whatever the server does, the end is a report or an error, never a hang (guards:
//!   `tests::a_server_that_dies_is_reported`, `play::tests::silence_ends_the_run`).
//! - A latency of an open loop counts from when the request was due, however late it was sent
//!   (guard: `play::tests::what_was_due_while_the_server_slept_is_as_late_as_it_was`).
//! - No server that was started here outlives the generator (guards: those of `ensemble`).
//! - The clock is read here, since time is what is measured; the environment and the server's
//!   configuration are not (guard: `tests/tidy.rs`).
//! - The single operation allocates nothing in steady state: send buffers alternate, the rest is
//!   reused (guard: `outgoing::tests::one_send_is_in_flight_and_the_rest_waits`).
//!
//! **What is deliberately not here**: any crate of the server except the protocol's types (`model`)
//! and the loop (`ring`): servers are started as processes; recorded workloads; several threads:
//! start several generators. Standard output and error belong to the caller, as does the exit
//! status of a failure.
//!
//! ```no_run
//! use clap::{Args, FromArgMatches};
//! let command = generator::BenchArgs::augment_args(clap::Command::new("bench"));
//! let words = command.get_matches_from(["bench", "--op", "get", "--seconds", "5"]);
//! let args = generator::BenchArgs::from_arg_matches(&words).expect("clap checked the words");
//! let result = generator::run(&args, &mut std::io::stdout(), |line| eprintln!("{line}"));
//! assert!(result.is_ok(), "a server listens on 127.0.0.1:2181");
//! ```

mod args;
mod blocking;
mod ensemble;
mod error;
mod limits;
mod meter;
mod outgoing;
mod paths;
mod play;
mod process;
mod results;
mod servers;
mod signals;
mod single;
mod source;
mod tally;
#[cfg(test)]
mod tests;
mod wire;
mod workload;

use std::io::Write;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

use self::blocking::resolve;

pub use args::BenchArgs;
pub use error::BenchError;
pub use results::IncidentKind;
pub use tally::Code;
pub use workload::WorkloadError;

/// Reports a line of progress: one per second, and one for each incident.
pub type Say = fn(&str);

/// Where results and progress go. Lives in: the generator's thread.
struct Output<'a> {
    results: &'a mut dyn Write,
    say: Say,
}

/// Measures as requested. The results go to `results`, progress to `say`.
///
/// # Errors
/// Whatever makes the measurement void; each causes a non-zero exit status.
pub fn run(args: &BenchArgs, results: &mut dyn Write, say: Say) -> Result<(), BenchError> {
    if !args.guarded.is_empty() {
        return Err(ensemble::exec(&args.guarded));
    }
    args.check()?;
    let out = &mut Output { results, say };
    if args.list {
        return list(out);
    }
    if let Some(cpu) = args.cpu {
        pin(cpu)?;
    }
    raise_descriptors();
    let is_one = args.ensemble.is_none() && !args.server.contains(',');
    let found = || resolve(&args.server).ok().filter(|_| is_one).and_then(process::listener_of);
    let args = &BenchArgs { pid: args.pid.or_else(found), ..args.clone() };
    if args.is_play() { play::run(args, out) } else { single::run(args, out) }
}

fn list(out: &mut Output<'_>) -> Result<(), BenchError> {
    let failed = |source| BenchError::Write { path: "standard output".into(), source };
    for (name, _) in workload::list() {
        let about = workload::open(name)?.about;
        writeln!(out.results, "{name:<18} {about}").map_err(failed)?;
    }
    Ok(())
}

fn pin(cpu: usize) -> Result<(), BenchError> {
    let mut cpus = CpuSet::new();
    let pinned = cpus.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &cpus));
    pinned.map_err(|errno| BenchError::Pin { cpu, errno })
}

/// Raises the limit of descriptors as far as allowed. If that is too few, opening a connection
/// fails.
fn raise_descriptors() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
