//! Watchers of one node: how long until all of them were told.
//!
//! A watch belongs to a connection, so there are as many watchers as connections. A round: every
//! connection reads the node with a watch; one of them sets it; the round ends with the last
//! event. Only the second part is in the latencies; the CPU per event holds the whole round.

use std::io::Write;

use super::args::BenchArgs;
use super::drive::{Until, Workload};
use super::error::BenchError;
use super::keys::Keys;
use super::lane::Ask;
use super::load;
use super::report::{Meter, results};
use super::tally::{Class, Tally};
use super::wire::{REPLY_BYTES_MIN, Template, payload};

/// Measures rounds for the time asked.
pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), BenchError> {
    let mut driver = load::driver(&BenchArgs { pipeline: Some(1), ..args.clone() })?;
    let keys = Keys::new(args.root());
    let path = [args.root().as_bytes(), b"/watched"].concat();
    load::create_roots(&mut driver, &keys)?;
    load::create_all(&mut driver, vec![path.clone()])?;
    let mut rounds = Rounds::new(&path, args);
    let mut tally = Tally::new(&["told"], "warm-up", driver.now_ns());
    let warm_ns = driver.now_ns() + args.warmup().as_nanos() as u64;
    let mut start_ns = driver.now_ns();
    let mut meter = None;
    let mut count = 0;
    loop {
        if meter.is_none() && driver.now_ns() >= warm_ns {
            tally = Tally::new(&["told"], "watch", driver.now_ns());
            start_ns = driver.now_ns();
            meter = Some(Meter::start(args.pid, start_ns)?);
            count = 0;
        }
        let mut aside = Tally::aside(driver.now_ns());
        rounds.arm();
        driver.run(&mut rounds, &mut aside, Until::Done)?;
        rounds.set();
        let set_ns = driver.now_ns();
        let now_ns = driver.run(&mut rounds, &mut aside, Until::Done)?;
        load::refuse(&aside, "watching")?;
        tally.record(Class(0), now_ns - set_ns, 1);
        tally.tick(now_ns);
        count += 1;
        if let Some(meter) = &meter
            && now_ns >= start_ns + args.measured().as_nanos() as u64
        {
            let used = meter.stop(now_ns);
            let events = count * u64::from(args.connections());
            results(args, "event", events, used, &mut tally).tell(args, out)?;
            return driver.close();
        }
    }
}

/// The requests of a round.
struct Rounds {
    read: Template,
    write: Template,
    has_read: Vec<bool>,
    has_set: bool,
    expected: usize,
    told: usize,
}

impl Rounds {
    fn new(path: &[u8], args: &BenchArgs) -> Self {
        Self {
            read: Template::get(path, true),
            write: Template::set(path, &payload(args.size)),
            has_read: vec![true; args.connections() as usize],
            has_set: true,
            expected: 0,
            told: 0,
        }
    }

    fn arm(&mut self) {
        self.has_read.fill(false);
        self.expected = 0;
        self.told = 0;
    }

    fn set(&mut self) {
        self.has_set = false;
        self.expected = self.has_read.len();
    }
}

impl Workload for Rounds {
    fn next(&mut self, lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Ask> {
        let ask = Ask { class: Class(0), reply_bytes_min: REPLY_BYTES_MIN };
        if !std::mem::replace(&mut self.has_read[lane], true) {
            self.read.put(out, xid, |_| ());
            return Some(ask);
        }
        if !std::mem::replace(&mut self.has_set, true) {
            self.write.put(out, xid, |_| ());
            return Some(ask);
        }
        None
    }

    fn event(&mut self) {
        self.told += 1;
    }

    fn is_done(&self) -> bool {
        self.told >= self.expected
    }
}
