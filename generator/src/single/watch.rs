//! Watchers of one node: how long it takes until all of them are notified.
//!
//! A watch belongs to a connection, so there are as many watchers as connections. A round: every
//! connection reads the node with a watch; one of them sets it; the round ends with the last event.
//! Only the second part is in the latencies; the CPU per event is that of the whole round.

use super::driver::{Requests, Until};
use super::lane::Expected;
use super::rounds::Rounds;
use super::{create_all, create_roots, driver, refuse};
use crate::Output;
use crate::args::BenchArgs;
use crate::error::BenchError;
use crate::tally::{Class, Tally};
use crate::wire::{REPLY_BYTES_MIN, Template, payload};

/// Measures rounds for the time requested.
pub(super) fn run(args: &BenchArgs, out: &mut Output<'_>) -> Result<(), BenchError> {
    let mut driver = driver(&BenchArgs { pipeline: Some(1), ..args.clone() })?;
    let path = [args.root().as_bytes(), b"/watched"].concat();
    create_roots(&mut driver, args)?;
    create_all(&mut driver, vec![path.clone()])?;
    let mut watchers = Watchers::new(&path, args);
    let mut rounds = Rounds::new(args, &["told"], driver.now_ns(), out.say);
    let mut count = 0;
    loop {
        if rounds.maybe_begin(driver.now_ns())? {
            count = 0;
        }
        let mut aside = Tally::aside(driver.now_ns());
        watchers.arm();
        driver.run(&mut watchers, &mut aside, Until::Done)?;
        watchers.set();
        let set_ns = driver.now_ns();
        let now_ns = driver.run(&mut watchers, &mut aside, Until::Done)?;
        refuse(&aside, "watching")?;
        rounds.tally.record(Class(0), now_ns - set_ns, 1);
        rounds.tally.tick(now_ns);
        count += 1;
        if rounds.is_over(now_ns) {
            let events = count * u64::from(args.connections());
            rounds.results("event", events, now_ns).report(args, out)?;
            return driver.close();
        }
    }
}

/// The requests of a round, and how many watchers were notified in it.
struct Watchers {
    read: Template,
    write: Template,
    has_read: Vec<bool>,
    has_set: bool,
    expected: usize,
    notified: usize,
}

impl Watchers {
    fn new(path: &[u8], args: &BenchArgs) -> Self {
        Self {
            read: Template::get(path, true),
            write: Template::set(path, &payload(args.size)),
            has_read: vec![true; args.connections() as usize],
            has_set: true,
            expected: 0,
            notified: 0,
        }
    }

    fn arm(&mut self) {
        self.has_read.fill(false);
        self.expected = 0;
        self.notified = 0;
    }

    fn set(&mut self) {
        self.has_set = false;
        self.expected = self.has_read.len();
    }
}

impl Requests for Watchers {
    fn next(&mut self, lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Expected> {
        let expected = Expected { class: Class(0), reply_bytes_min: REPLY_BYTES_MIN };
        if !std::mem::replace(&mut self.has_read[lane], true) {
            self.read.put(out, xid, |_| ());
            return Some(expected);
        }
        if !std::mem::replace(&mut self.has_set, true) {
            self.write.put(out, xid, |_| ());
            return Some(expected);
        }
        None
    }

    fn event(&mut self) {
        self.notified += 1;
    }

    fn is_done(&self) -> bool {
        self.notified >= self.expected
    }
}
