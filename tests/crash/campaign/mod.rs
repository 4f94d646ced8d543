//! The campaign: a server killed repeatedly, at random and at chosen moments, under a load with
//! every kind of write; also while it starts, and twice in a row.
//!
//! `make crash ROUNDS=n` runs more rounds than the few of `make test`; SEED changes what is drawn.
//! A kill is not reproducible, but what is checked after it does not depend on its time.

mod model;
mod worker;

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use harness::{Client, Server, is_reference};

pub(crate) use model::SHARED;
pub(crate) use worker::Worker;

const WORKERS: usize = 4;

/// Rounds with one data directory; then a new one follows, with other settings.
const LIFE_ROUNDS: u64 = 20;

/// How long to wait for a chosen moment.
const MOMENT_MAX: Duration = Duration::from_millis(600);

/// When a server is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    After(Duration),
    /// While a file of this kind is being made.
    Making(&'static str),
}

/// A small deterministic generator (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// What a campaign has done.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    kills: u64,
    at_start: u64,
    in_making: u64,
    acknowledged: u64,
    undecided: u64,
    sessions: u64,
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |text| text.parse().expect("a whole number"))
}

/// Waits for the moment; true if it was a chosen one and occurred.
fn wait_for(moment: Moment, data: &Path) -> bool {
    let (beginning, ending) = match moment {
        Moment::After(time) => {
            thread::sleep(time);
            return false;
        }
        Moment::Making("snapshot") => ("snapshot.", ".tmp"),
        Moment::Making(_) => ("new-", ""),
    };
    let is_made = || {
        let names = fs::read_dir(data).into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .any(|name| name.starts_with(beginning) && name.ends_with(ending))
    };
    let end = Instant::now() + MOMENT_MAX;
    while Instant::now() < end {
        if is_made() {
            return true;
        }
        thread::sleep(Duration::from_micros(300));
    }
    false
}

fn work_moment(chance: &mut Chance) -> Moment {
    match chance.below(5) {
        0 => Moment::Making("snapshot"),
        1 => Moment::Making("segment"),
        _ => Moment::After(Duration::from_millis(5 + chance.below(500))),
    }
}

fn start_moment(chance: &mut Chance) -> Moment {
    match chance.below(3) {
        0 => Moment::Making("segment"),
        _ => Moment::After(Duration::from_millis(chance.below(250))),
    }
}

fn config(chance: &mut Chance) -> harness::Config {
    Server::config()
        .set("ring.shards", chance.one_of(&["1", "4"]))
        .set("snapCount", chance.one_of(&["60", "400", "3000"]))
        .set("ring.log.segmentMb", "16")
        .set("ring.log.slots", chance.one_of(&["1", "2", "8"]))
        .set("ring.log.durability", chance.one_of(&["auto", "auto", "dsync", "flush", "buffered"]))
}

/// One data directory, from its first start to the last check.
fn live(chance: &mut Chance, rounds: u64, tally: &mut Tally) {
    let mut server = config(chance).start();
    let data = server.folder().join("data/ringkeeper-1");
    Client::connect(server.address()).make(SHARED);
    let mut workers: Vec<_> = (0..WORKERS).map(|i| Worker::new(server.address(), i)).collect();
    for _ in 0..rounds {
        let running: Vec<_> = workers
            .into_iter()
            .map(|worker| thread::spawn(move || worker.work_until_cut()))
            .collect();
        tally.in_making += u64::from(wait_for(work_moment(chance), &data));
        server.kill();
        tally.kills += 1;
        workers = running.into_iter().map(|worker| worker.join().unwrap()).collect();
        // Occasionally it is killed again before it serves.
        while chance.below(3) == 0 {
            server.launch();
            tally.in_making += u64::from(wait_for(start_moment(chance), &data));
            server.kill();
            tally.kills += 1;
            tally.at_start += 1;
        }
        server.start_again();
        let newest = workers.iter().map(|worker| worker.shared).max().expect("there are some");
        workers[0].check();
        workers[0].check_shared(newest);
        workers[1..].iter_mut().for_each(Worker::check);
        tally.rounds += 1;
    }
    for worker in workers {
        tally.acknowledged += worker.acknowledged_count;
        tally.undecided += worker.undecided_count;
        tally.sessions += worker.session_count;
    }
}

#[test]
fn nothing_acknowledged_is_lost_whenever_it_is_killed() {
    if is_reference() {
        return;
    }
    let rounds = number("RINGKEEPER_CRASH_ROUNDS", 6);
    let mut chance = Chance(number("RINGKEEPER_CRASH_SEED", 1));
    let mut tally = Tally::default();
    while tally.rounds < rounds {
        live(&mut chance, LIFE_ROUNDS.min(rounds - tally.rounds), &mut tally);
        writeln!(std::io::stderr(), "so far: {tally:?}").ok();
    }
    assert!(tally.acknowledged > 20 * rounds, "hardly any work was done: {tally:?}");
}

#[test]
fn the_campaign_sees_what_is_lost() {
    if is_reference() {
        return;
    }
    let mut server = Server::config().set("snapCount", "1000000").start();
    Client::connect(server.address()).make(SHARED);
    let worker = Worker::new(server.address(), 0);
    let running = thread::spawn(move || worker.work_until_cut());
    thread::sleep(Duration::from_millis(200));
    server.kill();
    let mut worker = running.join().unwrap();
    assert!(worker.acknowledged_count > 0);
    let data = server.folder().join("data/ringkeeper-1");
    for entry in fs::read_dir(&data).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    server.start_again();
    let check = std::panic::AssertUnwindSafe(|| worker.check());
    assert!(std::panic::catch_unwind(check).is_err(), "an empty tree was taken for the old one");
}
