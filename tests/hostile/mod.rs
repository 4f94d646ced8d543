//! Hostile clients against a server process: malformed packets, and floods.
//!
//! `make test` runs everything here in small; `make hostile` in full, one after another, with
//! figures; `make fuzz MINUTES=n` sends packets for that long. Three variables select:
//! `RINGKEEPER_HOSTILE=full`, `RINGKEEPER_FUZZ_SECONDS`, `RINGKEEPER_FUZZ_SEED`.

mod bytes;
mod crowds;
mod floods;
mod fuzz;
mod peers;
mod probes;
mod vitals;

use harness::{Config, Server};
use std::env;
use std::process::Command;

/// Descriptors that a full campaign needs, here and in the server.
const FILES_WANTED: u64 = 12_000;

/// Whether to run the full campaign.
fn is_full() -> bool {
    env::var("RINGKEEPER_HOSTILE").is_ok_and(|how| how == "full")
}

/// One of two sizes.
fn sized(small: usize, full: usize) -> usize {
    if is_full() { full } else { small }
}

/// Raises a process's limit of open files as far as allowed.
fn raise_limit(pid: u32) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let hard = line.split_whitespace().nth(4).unwrap();
    let pid = pid.to_string();
    let limit = format!("--nofile={hard}:{hard}");
    // Without prlimit the limit stays unchanged, and a flood reports what it could not open.
    Command::new("prlimit").args(["--pid", &pid, &limit]).status().ok();
    let is_low = hard.parse::<u64>().is_ok_and(|hard| hard < FILES_WANTED);
    assert!(
        !(is_full() && is_low),
        "the hard limit on open files is {hard}; {FILES_WANTED} are needed (ulimit -Hn)"
    );
}

/// A server whose limits are raised, as this process's are.
fn start(config: Config) -> Server {
    raise_limit(std::process::id());
    let server = config.start();
    raise_limit(server.pid());
    server
}
