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
//!
//! **Ensembles** (`make twin-ensemble SEEDS=200 FIRST=0 MIX=ours`, by hand `TWIN_MIX`): the same
//! with three servers of `ZooKeeper`'s beside three of ours (`ours`), beside two of ours and one of
//! its own (`mixed`), or beside another three of its own, which shows what is deterministic there
//! (`stock`). Clients are spread over the servers and take their sessions from one to another, and
//! one server ends in the middle of a stream and returns (`spread`). After each write the clients
//! of followers sync, then every server catches up before the next client acts (`servers`), so it
//! stays determined what everyone receives.
//!
//! What is not compared there, because it is not determined in `ZooKeeper` itself:
//!
//! - the number of an epoch, only which one it is in order: an election that fails takes one, too.
//!   The counter of a zxid is exact;
//! - the zxid that a leader shows before its epoch's first txn: it serves before it sets one
//!   (`Leader.startZkServer`), and ours goes on showing the last txn's, which is intended. So each
//!   change of servers is followed by a write;
//! - writes that a leader cannot decode: it proposes them under the zxid of the one before, and
//!   commits nothing from then on (`PrepRequestProcessor.pRequestHelper`, `Leader.tryToCommit`);
//! - when a session expires that a follower's client has just used with a longer timeout: a leader
//!   learns of that at its next ping (`Learner.ping`). So a session is idle before it expires;
//! - the time in the Stat of `/zookeeper/config`: each server writes that node as it starts.
//!
//! Not part of these streams: restarts of all servers, and the collection of containers, for which
//! servers are restarted.

mod audit;
mod draw;
mod moves;
mod play;
mod reap;
mod reply;
mod request;
mod servers;
mod setup;
mod shrink;
mod side;
mod spread;
mod stream;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use play::Pair;
use setup::Setup;
use stream::Step;

/// Seeds in a row that share a pair of servers: a fresh one for each costs more than the stream
/// itself.
const SEEDS_PER_PAIR: u64 = 10;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// How the streams of a test are drawn and played.
struct Campaign {
    seeds: u64,
    jobs: u64,
    setup: fn(u64) -> Setup,
    draw: fn(u64, usize) -> Vec<Step>,
}

#[test]
fn streams_of_requests_are_answered_alike() {
    Campaign { seeds: 40, jobs: 2, setup: Setup::of, draw: stream::draw }.run();
}

#[test]
fn ensembles_answer_streams_alike() {
    let setup = |seed| {
        let mix = std::env::var("TWIN_MIX");
        Setup::of_ensemble(seed, mix.as_deref().unwrap_or("ours"))
    };
    Campaign { seeds: 3, jobs: 1, setup, draw: spread::draw }.run();
}

impl Campaign {
    fn run(self) {
        let first = number("TWIN_FIRST", 0);
        let seeds = number("TWIN_SEEDS", self.seeds);
        let groups: Vec<_> = (first..first + seeds).collect();
        let groups: Vec<_> = groups.chunks(SEEDS_PER_PAIR as usize).collect();
        let next = AtomicU64::new(0);
        let (total, differences) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..number("TWIN_JOBS", self.jobs) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(group) = groups.get(index as usize) else { break };
                        let count = self.play_group(group, &differences);
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
    fn play_group(&self, seeds: &[u64], differences: &Mutex<Vec<String>>) -> u64 {
        let setup = (self.setup)(seeds[0]);
        let requests = usize::try_from(number("TWIN_REQUESTS", 250)).unwrap();
        let mut pair = Pair::start(setup);
        let mut count = 0;
        for seed in seeds {
            let steps = (self.draw)(*seed, requests);
            let Err(difference) = pair.play(&steps) else { continue };
            count += pair.requests;
            if let Some(folder) = std::env::var_os("TWIN_KEEP") {
                pair.keep(&std::path::Path::new(&folder).join(format!("seed-{seed}")));
            }
            pair = Pair::start(setup);
            let text =
                format!("seed {seed} {setup:?} step {}:\n{}", difference.step, difference.text);
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
}
