//! Sends the same stream of requests to Apache `ZooKeeper` and to ours and compares everything that
//! comes back: replies, errors, Stats, events and their order, byte by byte where the bytes are
//! deterministic. Zxids are exact, because both start empty and get the same requests.
//!
//! One client at a time has requests in flight (many at once, in one write); after each of them,
//! everything that any client received is collected. So the servers' behaviour is determined, and
//! every difference is real.
//!
//! `make twin SEEDS=1000 FIRST=0`, or by hand `TWIN_SEEDS` (how many), `TWIN_FIRST` (the first),
//! `TWIN_REQUESTS` (of each), `TWIN_JOBS` (pairs of servers at once), `TWIN_TRIES` (to shorten a
//! stream that differs), `TWIN_KEEP` (a folder for the servers' files if they differ). Needs java
//! and what `suites/stock-server.sh` fetches.

mod audit;
mod draw;
mod play;
mod reap;
mod reply;
mod request;
mod shrink;
mod side;
mod stream;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use play::{Pair, Setup};

/// Seeds in a row that share a pair of servers: a fresh one for each costs more than the stream
/// itself.
const SEEDS_PER_PAIR: u64 = 10;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

#[test]
fn streams_of_requests_are_answered_alike() {
    let first = number("TWIN_FIRST", 0);
    let seeds = number("TWIN_SEEDS", 40);
    let requests = usize::try_from(number("TWIN_REQUESTS", 250)).unwrap();
    let groups: Vec<_> = (first..first + seeds).collect();
    let groups: Vec<_> = groups.chunks(SEEDS_PER_PAIR as usize).collect();
    let next = AtomicU64::new(0);
    let (total, differences) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..number("TWIN_JOBS", 2) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(group) = groups.get(index as usize) else { break };
                    let count = play_group(group, requests, &differences);
                    let total = total.fetch_add(count, Ordering::Relaxed) + count;
                    let found = differences.lock().unwrap().len();
                    writeln!(
                        std::io::stderr(),
                        "twin: seeds to {}: {total} requests, {found} differences, {} s",
                        group[group.len() - 1],
                        start.elapsed().as_secs()
                    )
                    .ok();
                }
            });
        }
    });
    let differences = differences.into_inner().unwrap();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Plays some seeds on one pair of servers, and on fresh ones after a difference.
fn play_group(seeds: &[u64], requests: usize, differences: &Mutex<Vec<String>>) -> u64 {
    let setup = Setup::of(seeds[0]);
    let mut pair = Pair::start(setup);
    let mut count = 0;
    for seed in seeds {
        let steps = stream::draw(*seed, requests);
        let Err(difference) = pair.play(&steps) else { continue };
        count += pair.requests;
        if let Some(folder) = std::env::var_os("TWIN_KEEP") {
            pair.keep(&std::path::Path::new(&folder).join(format!("seed-{seed}")));
        }
        pair = Pair::start(setup);
        let text = format!("seed {seed} {setup:?} step {}:\n{}", difference.step, difference.text);
        writeln!(std::io::stderr(), "twin: {text}").ok();
        let tries = usize::try_from(number("TWIN_TRIES", 100)).unwrap();
        let shrunk = if tries == 0 { None } else { shrink::shrink(setup, &steps, tries) };
        let text = match shrunk {
            None if tries == 0 => text,
            None => format!("{text}  (not on fresh servers)"),
            Some((steps, found)) => {
                let steps: String = steps.iter().map(play::show).collect();
                format!("seed {seed} {setup:?}, shrunk:\n{steps}{}", found.text)
            }
        };
        writeln!(std::io::stderr(), "twin: {text}").ok();
        differences.lock().unwrap().push(text);
    }
    count + pair.requests
}
