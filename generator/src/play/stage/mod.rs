//! All clients and what is due: operations, storms, attempts to attach, signs of life.
//!
//! `feed` begins operations, `attach` keeps connections and sessions, `storm` disturbs them.

mod attach;
mod feed;
mod storm;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::TcpStream;

use model::op::Op;

use crate::play::client::{Client, State};
use crate::play::flow::{HIDDEN, Node, Step, Task, World};
use crate::play::recipes;
use crate::results::{IncidentKind, Journal};
use crate::spec::StormKind;
use crate::tally::{Class, Tally};

/// Rows that are parts of operations, behind the rows of the operations.
pub(super) const PARTS: [&str; 4] = ["event", "attach", "lock taken", "generator late"];
const EVENT: usize = 0;
const ATTACH: usize = 1;
const TAKEN: usize = 2;
const LATE: usize = 3;
/// How often connections are looked at for silence.
const WATCH_NS: u64 = 20_000_000;

/// Where operations come from.
pub(super) enum Feed {
    /// Nowhere.
    None,
    /// The tree is made.
    Nodes(Box<dyn Iterator<Item = Node>>),
    /// Each answer makes room for the next.
    Closed,
    /// They are due at random times.
    Open { rate: f64, next_ns: f64 },
}

impl Feed {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// A storm, and when it comes next.
struct Storm {
    kind: StormKind,
    every_ns: u64,
    percent: u64,
    next_ns: u64,
}

/// Lives in: the player.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) clients: Vec<Client>,
    /// Those of the workload; clients behind them are sessions with a connection of their own.
    pub(super) connections: usize,
    /// Places of such sessions that have ended.
    free: Vec<usize>,
    pub(super) feed: Feed,
    pub(super) tally: Tally,
    pub(super) journal: Journal,
    pub(super) now_ns: u64,
    /// Operations due before are not recorded.
    pub(super) start_ns: u64,
    /// Nothing is due after it.
    pub(super) until_ns: u64,
    pub(super) lost_count: u64,
    pub(super) dropped_count: u64,
    backlog_count: usize,
    pub(super) stall_ns: u64,
    pub(super) patience_ns: u64,
    /// When some connection was last ready.
    alive_ns: u64,
    watch_ns: u64,
    round_robin: usize,
    pub(super) dirty: Vec<usize>,
    hungry: Vec<usize>,
    attach_due: VecDeque<usize>,
    attaching_count: usize,
    pub(super) closing: Vec<(usize, TcpStream)>,
    timers: BinaryHeap<Reverse<(u64, u64)>>,
    held: HashMap<u64, (usize, u32, Task)>,
    held_next: u64,
    storms: Vec<Storm>,
    pub(super) is_opening: bool,
}

impl Stage {
    pub(super) fn new(world: World, connections: usize) -> Self {
        Self {
            clients: (0..connections).map(|_| Client::new()).collect(),
            connections,
            free: Vec::new(),
            feed: Feed::None,
            tally: Tally::new(&[""], "", 0),
            journal: Journal::default(),
            now_ns: 0,
            start_ns: u64::MAX,
            until_ns: u64::MAX,
            lost_count: 0,
            dropped_count: 0,
            backlog_count: 0,
            stall_ns: u64::MAX,
            patience_ns: u64::MAX,
            alive_ns: 0,
            watch_ns: 0,
            round_robin: 0,
            dirty: Vec::new(),
            hungry: Vec::new(),
            attach_due: (0..connections).collect(),
            attaching_count: 0,
            closing: Vec::new(),
            timers: BinaryHeap::new(),
            held: HashMap::new(),
            held_next: 0,
            storms: Vec::new(),
            is_opening: true,
            world,
        }
    }

    /// Counts from now on: operations that are due from now, into a new tally.
    pub(super) fn start(&mut self, tally: Tally, now_ns: u64) {
        self.tally = tally;
        self.start_ns = now_ns;
        self.lost_count = 0;
        self.dropped_count = 0;
    }

    /// The next time at which something is due.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let arrival = match &self.feed {
            Feed::Open { next_ns, .. } => Some(*next_ns as u64).filter(|at| *at <= self.until_ns),
            _ => None,
        };
        let timer = self.timers.peek().map(|timer| timer.0.0);
        let storm = self.storms.iter().map(|storm| storm.next_ns).min();
        arrival.into_iter().chain(timer).chain(storm).min()
    }

    /// Whether nothing is waited for.
    pub(super) fn is_quiet(&self) -> bool {
        let is_quiet = |client: &Client| client.waiting.is_empty() && client.open_count == 0;
        self.backlog_count == 0 && self.clients.iter().all(is_quiet)
    }

    /// Everything that is due now.
    pub(super) fn advance(&mut self) {
        self.wake();
        self.feed();
        self.storm();
        if self.now_ns >= self.watch_ns {
            self.watch_ns = self.now_ns + WATCH_NS;
            self.watch();
        }
    }

    /// Something is to be sent on a connection.
    pub(super) fn soil(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.has_pending() && !client.is_dirty {
            client.is_dirty = true;
            self.dirty.push(index);
        }
    }

    pub(super) fn incident(&mut self, kind: IncidentKind, detail: String) {
        if self.is_opening {
            self.journal.end(kind, self.now_ns, detail);
        } else {
            self.journal.add(kind, self.now_ns, detail);
        }
    }

    /// Records the end of an operation.
    pub(super) fn ended(&mut self, index: usize, task: &Task, outcome: Result<(), i32>) {
        if let Err(code) = outcome {
            self.tally.record_error(code);
        }
        if task.op == HIDDEN {
            if task.step == Step::Close {
                self.closed(index);
            }
            return;
        }
        if outcome.is_ok() && task.due_ns >= self.start_ns {
            self.tally.record(Class(task.op as u8), self.now_ns - task.due_ns, 1);
        }
        self.leave(index);
    }

    pub(super) fn record_part(&mut self, part: usize, latency_ns: u64) {
        if self.now_ns >= self.start_ns {
            let class = Class((self.world.spec.ops.len() + part) as u8);
            self.tally.record(class, latency_ns, 1);
        }
    }

    /// The latencies that the world has seen.
    pub(super) fn record_taken(&mut self) {
        while let Some(latency_ns) = self.world.acquired_ns.pop() {
            self.record_part(TAKEN, latency_ns);
        }
    }

    pub(super) fn record_event(&mut self, latency_ns: u64) {
        self.record_part(EVENT, latency_ns);
    }

    /// Keeps a task until a time.
    pub(super) fn hold(&mut self, index: usize, generation: u32, task: Task, until_ns: u64) {
        self.held_next += 1;
        self.timers.push(Reverse((until_ns, self.held_next)));
        self.held.insert(self.held_next, (index, generation, task));
    }

    pub(super) fn wake(&mut self) {
        while let Some(Reverse((due_ns, key))) = self.timers.peek().copied() {
            if due_ns > self.now_ns {
                return;
            }
            self.timers.pop();
            let Some((index, generation, task)) = self.held.remove(&key) else { continue };
            if generation != self.clients[index].generation {
                continue;
            }
            if task.op == HIDDEN {
                self.attach_due.push_back(index);
            } else {
                recipes::release(&mut self.clients[index], task, self.now_ns);
                self.soil(index);
            }
        }
    }

    /// Looks for silence, and gives signs of life.
    pub(super) fn watch(&mut self) {
        let ping_ns = self.world.spec.sessions.timeout_ms.value() * 1_000_000 / 3;
        let mut is_alive = false;
        for index in 0..self.clients.len() {
            let client = &mut self.clients[index];
            if client.state == State::Ready && self.now_ns - client.last_sent_ns > ping_ns {
                client.ask(Op::Ping, Task::hidden(Step::Upkeep), self.now_ns, |_| ());
                self.soil(index);
            }
            let client = &mut self.clients[index];
            let since_ns = match client.state {
                State::Attaching { since_ns } => Some(since_ns),
                _ => client.waiting.front().map(|waiting| waiting.sent_ns),
            };
            is_alive |= matches!(client.state, State::Ready | State::Closing);
            let silent_ns = since_ns.map_or(0, |since_ns| self.now_ns - since_ns);
            if silent_ns > self.stall_ns && !client.is_silent {
                client.is_silent = true;
                let count = client.waiting.len();
                let detail = format!("connection {index}: {count} requests are waiting");
                self.journal.add(IncidentKind::Stalled, self.now_ns - silent_ns, detail);
            }
            if silent_ns > self.patience_ns && !self.journal.is_fatal {
                let seconds = silent_ns / 1_000_000_000;
                let detail = format!("connection {index} had no answer for {seconds} s");
                self.journal.end(IncidentKind::Gone, self.now_ns, detail);
            }
        }
        if is_alive {
            self.alive_ns = self.now_ns;
        } else if self.now_ns - self.alive_ns > self.patience_ns && !self.journal.is_fatal {
            let seconds = (self.now_ns - self.alive_ns) / 1_000_000_000;
            let detail = format!("no connection could be opened for {seconds} s");
            self.journal.end(IncidentKind::Gone, self.now_ns, detail);
        }
    }

    pub(super) fn tick(&mut self) {
        self.record_taken();
        self.tally.tick(self.now_ns);
    }

    /// Records what is due and not answered, as old as it is. Says how much that was.
    pub(super) fn give_up(&mut self) -> u64 {
        let mut ages = Vec::new();
        self.backlog_count = 0;
        for client in &mut self.clients {
            let tasks = client.waiting.iter().map(|waiting| &waiting.task);
            let parked = client.parked.iter().map(|parked| &parked.1);
            let begun = tasks.chain(parked).filter(|task| task.op != HIDDEN);
            ages.extend(begun.map(|task| (task.op, task.due_ns)));
            ages.extend(client.backlog.drain(..));
        }
        for &(op, due_ns) in &ages {
            if due_ns >= self.start_ns {
                self.tally.record(Class(op as u8), self.now_ns - due_ns, 1);
            }
        }
        ages.len() as u64
    }
}
