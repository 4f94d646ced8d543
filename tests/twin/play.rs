//! Plays a stream to both sides at once and compares everything that comes back.

use std::fmt::Write as _;

use harness::opcode;
use harness::server::copy_directory;

use super::reap::Reapable;
use super::request::{Call, Path, Sequentials};
use super::servers::PROBES;
use super::setup::{Kind, Setup};
use super::side::Side;
use super::stream::{SLOTS, Step};

/// The slot of the client that audits and cleans up.
pub(super) const AUDITOR: usize = SLOTS;

/// Steps shown before one that differs.
const SHOWN: usize = 3;

/// A difference between the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// The number of the step.
    pub(super) step: usize,
    pub(super) text: String,
}

/// Both sides, with the same history.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) stock: Side,
    pub(super) ours: Side,
    known: Sequentials,
    pub(super) is_size_vague: bool,
    /// Stock counts the usage of a quota again for what is both in its snapshot and in the log
    /// behind, so after a restart the nodes of usage depend on timing.
    is_usage_vague: bool,
    setup: Setup,
    /// Stock checks quotas against what it has applied, which may be any part of the requests sent
    /// together; ours against everything that was decided.
    is_one_by_one: bool,
    pub(super) reapable: Vec<Reapable>,
    /// Requests of streams sent to each; audits of the tree in between are not counted.
    pub(super) requests: u64,
}

impl Pair {
    /// Fresh servers for both sides.
    pub(super) fn start(setup: Setup) -> Self {
        let (stock, ours) = setup.start();
        Self {
            stock: Side::new(stock),
            ours: Side::new(ours),
            known: Sequentials::new(),
            is_size_vague: false,
            is_usage_vague: false,
            setup,
            is_one_by_one: setup.kind == Kind::Quotas,
            reapable: Vec::new(),
            requests: 0,
        }
    }

    /// Plays the steps, audits and cleans up. After a difference the pair is unusable.
    pub(super) fn play(&mut self, steps: &[Step]) -> Result<(), Difference> {
        self.known.clear();
        // What was undetermined has been cleaned up.
        self.is_usage_vague = false;
        self.is_size_vague |= steps.iter().any(makes_size_vague);
        self.reapable.clear();
        for step in steps {
            if let Step::Requests { calls, .. } = step {
                Reapable::collect(calls, &mut self.reapable);
            }
        }
        let start = |text| Difference { step: 0, text };
        self.link_probes().map_err(start)?;
        for (number, step) in steps.iter().enumerate() {
            self.step(step).and_then(|()| self.settle()).map_err(|text| {
                let before = steps[number.saturating_sub(SHOWN)..number].iter().map(show);
                let before: String = before.collect();
                Difference { step: number, text: format!("{before}-- then\n{}{text}", show(step)) }
            })?;
        }
        let end = |text| Difference { step: steps.len(), text };
        self.up().map_err(end)?;
        self.audit().map_err(end)?;
        self.clean_up().map_err(end)
    }

    /// Copies both servers' folders into one of this name.
    pub(super) fn keep(&self, folder: &std::path::Path) {
        for (side, name) in [(&self.stock, "stock"), (&self.ours, "ours")] {
            for (at, server) in side.servers.iter().enumerate() {
                copy_directory(server.folder(), &folder.join(format!("{name}-{}", at + 1)));
            }
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Open { slot, timeout_ms, read_only, ahead } => {
                // An idle session would expire at an arbitrary time.
                self.close(*slot)?;
                self.both(|side| vec![side.open(*slot, (*timeout_ms, *read_only), *ahead)])
            }
            Step::Return { slot, how } => {
                if !self.stock.has_session(*slot) {
                    return Ok(());
                }
                let (stock, ours) =
                    (self.stock.come_back(*slot, how), self.ours.come_back(*slot, how));
                // Stock may forget to close it, when the connection before that one is just being
                // cleaned up.
                let stock = stock.replace("the old connection Silent", "the old connection Closed");
                compare(&[stock], &[ours])
            }
            Step::HangUp { slot } => self.both(|side| {
                side.hang_up(*slot);
                Vec::new()
            }),
            Step::Requests { slot, calls } => {
                self.link(*slot)?;
                self.requests += calls.len() as u64;
                if !self.is_one_by_one {
                    return self.ask(*slot, calls).map(drop);
                }
                for call in calls {
                    if self.stock.is_linked(*slot) {
                        self.ask(*slot, std::slice::from_ref(call))?;
                    }
                }
                Ok(())
            }
            Step::Expire { slot } => {
                self.link(*slot)?;
                self.both(|side| vec![side.expire(*slot)])?;
                self.both(Side::received)
            }
            Step::Restart { kill } => {
                self.restart(*kill);
                self.both(|side| vec![format!("zxid {:x}", side.zxid(0))])
            }
            Step::Reap => self.reap(),
            Step::Place { slot, at } => self.both(|side| {
                side.clients[*slot].at = *at;
                Vec::new()
            }),
            Step::Down { at, kill } => self.down(*at, *kill),
            Step::Up => self.up(),
        }
    }

    pub(super) fn both(
        &mut self,
        mut act: impl FnMut(&mut Side) -> Vec<String>,
    ) -> Result<(), String> {
        let (mut stock, mut ours) = (act(&mut self.stock), act(&mut self.ours));
        sort_events(&mut stock);
        sort_events(&mut ours);
        compare(&stock, &ours)
    }

    /// Ensures that the slot has a session and a connection.
    pub(super) fn link(&mut self, slot: usize) -> Result<(), String> {
        if self.stock.is_linked(slot) {
            return Ok(());
        }
        if self.stock.has_session(slot) {
            let how = super::stream::Return {
                hang_up: true,
                wrong_password: false,
                read_only: Some(false),
                timeout_ms: 300_000,
            };
            self.both(|side| vec![side.come_back(slot, &how)])?;
        }
        if !self.stock.is_linked(slot) {
            self.both(|side| vec![side.open(slot, (300_000, Some(false)), false)])?;
        }
        if slot < PROBES { self.settle() } else { Ok(()) }
    }

    /// Sends requests to both; returns the names in each list.
    pub(super) fn ask(&mut self, slot: usize, calls: &[Call]) -> Result<Vec<Vec<String>>, String> {
        for side in [&mut self.stock, &mut self.ours] {
            side.send(slot, calls, &self.known);
        }
        let mut stock = self.stock.answers(slot);
        let mut ours = self.ours.answers(slot);
        if calls.iter().any(|call| call.kind() == opcode::CLOSE_SESSION) {
            sort_events(&mut stock.lines);
            sort_events(&mut ours.lines);
        }
        if self.is_usage_vague {
            stock.lines.iter_mut().chain(&mut ours.lines).for_each(hide_usage);
        }
        compare(&stock.lines, &ours.lines)?;
        self.known.extend(stock.created);
        if calls.iter().any(Call::is_write) {
            // Its last writes may still be on their way if it was not answered.
            if self.stock.is_ensemble() && self.stock.is_linked(slot) {
                self.both(Side::synced)?;
            }
            self.settle()?;
            self.both(Side::received)?;
        }
        Ok(stock.lists)
    }

    pub(super) fn restart(&mut self, kill: bool) {
        self.is_usage_vague |= self.setup.kind == Kind::SmallSnapshots;
        let stock = &mut self.stock;
        let ours = &mut self.ours;
        std::thread::scope(|scope| {
            scope.spawn(|| stock.restart(kill));
            ours.restart(kill);
        });
    }

    pub(super) fn close(&mut self, slot: usize) -> Result<(), String> {
        if self.stock.has_session(slot) {
            self.link(slot)?;
            self.ask(slot, &[Call::Bare { kind: opcode::CLOSE_SESSION }])?;
        }
        Ok(())
    }
}

/// Hides the data of a node of a quota's usage, and its length.
fn hide_usage(line: &mut String) {
    if line.contains("\"count=") {
        for key in ["count=", "bytes=", " length "] {
            let Some(at) = line.find(key) else { continue };
            let start = at + key.len();
            let digits = line[start..].bytes().take_while(|b| b.is_ascii_digit() || *b == b'-');
            let end = start + digits.count();
            line.replace_range(start..end, "?");
        }
    }
}

/// Whether stock's approximate size of data is wrong: it omits what it counts in the nodes of
/// quotas until it is restarted, and then counts the root's data twice.
fn makes_size_vague(step: &Step) -> bool {
    match step {
        Step::Restart { .. } | Step::Reap | Step::Down { .. } => true,
        Step::Requests { calls, .. } => format!("{calls:?}").contains("/zookeeper/quota"),
        _ => false,
    }
}

pub(super) fn delete(path: String) -> Call {
    Call::Delete { path: Path::Fixed(path), version: -1 }
}

/// A step, one request per line.
pub(super) fn show(step: &Step) -> String {
    match step {
        Step::Requests { slot, calls } => {
            let mut text = format!("  client {slot} asks\n");
            for (number, call) in calls.iter().enumerate() {
                writeln!(text, "    {number:3} {call:?}").expect("a string takes all");
            }
            text
        }
        other => format!("  {other:?}\n"),
    }
}

/// Sorts the events of one txn on one connection. Stock removes a session's ephemerals in the order
/// of a hash set, so other clients receive these events in any order.
fn sort_events(lines: &mut [String]) {
    let txn_of = |line: &String| -> Option<String> {
        let (front, rest) = line.split_once("xid -1 zxid ")?;
        Some(format!("{front}{}", rest.split(' ').next()?))
    };
    for events in lines.chunk_by_mut(|a, b| txn_of(a).is_some() && txn_of(a) == txn_of(b)) {
        events.sort();
    }
}

pub(super) fn compare(stock: &[String], ours: &[String]) -> Result<(), String> {
    if stock == ours {
        return Ok(());
    }
    let mut text = String::new();
    for i in 0..stock.len().max(ours.len()) {
        let (a, b) = (stock.get(i), ours.get(i));
        if a == b {
            continue;
        }
        let none = "nothing".to_owned();
        writeln!(text, "  line {i}").expect("a string takes all");
        writeln!(text, "    stock {}", a.unwrap_or(&none)).expect("a string takes all");
        writeln!(text, "    ours  {}", b.unwrap_or(&none)).expect("a string takes all");
    }
    Err(text)
}
