//! All clients and what is due: operations, storms, attempts to attach, pings.
//!
//! `feed` begins operations, `attach` keeps connections and sessions, `silence` gives them up,
//! `storm` disturbs them.

mod attach;
mod feed;
mod silence;
mod storm;
mod timers;

use std::collections::VecDeque;
use std::net::TcpStream;

use self::timers::{Timed, Timer, Timers};
use crate::Say;
use crate::error::BenchError;
use crate::limits::SILENCE_CHECK_NS;
use crate::play::audit::Reader;
use crate::play::client::Client;
use crate::play::faults::{Faults, Outages};
use crate::play::flow::{Node, Step, Task, World};
use crate::play::recipes;
use crate::play::routes::Routes;
use crate::results::{IncidentKind, Journal};
use crate::tally::{Class, Tally};
use crate::workload::StormKind;

/// Rows that are parts of operations, after the rows of the operations.
pub(super) const PARTS: [&str; 4] = ["event", "attach", "lock taken", "generator late"];
const EVENT: usize = 0;
const ATTACH: usize = 1;
const TAKEN: usize = 2;
const LATE: usize = 3;

/// Where operations come from.
pub(super) enum Feed {
    /// Nowhere.
    None,
    /// The tree is being created.
    Nodes(Box<dyn Iterator<Item = Node>>),
    /// The last check.
    Audit(Vec<Reader>),
    /// Each answer makes room for the next.
    ClosedLoop,
    /// They are due at random times.
    OpenLoop { rate: f64, next_ns: f64 },
}

impl Feed {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// A storm, and when it is due next.
struct Storm {
    kind: StormKind,
    every_ns: u64,
    percent: u64,
    next_ns: u64,
}

/// Lives in: the player.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) routes: Routes,
    pub(super) faults: Faults,
    pub(super) outages: Outages,
    pub(super) clients: Vec<Client>,
    /// Clients of the workload; those after them are sessions with their own connection.
    pub(super) connections: usize,
    /// Slots of such sessions that have ended.
    free: Vec<usize>,
    pub(super) feed: Feed,
    pub(super) tally: Tally,
    pub(super) journal: Journal,
    pub(super) now_ns: u64,
    /// Operations that were due before are not recorded.
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
    silence_check_ns: u64,
    round_robin: usize,
    /// Clients that have something to send.
    pub(super) sending: Vec<usize>,
    /// Clients that may have room for an operation.
    vacant: Vec<usize>,
    attach_due: VecDeque<usize>,
    attaching_count: usize,
    pub(super) closing: Vec<(usize, TcpStream)>,
    timers: Timers,
    storms: Vec<Storm>,
    pub(super) is_preparing: bool,
}

impl Stage {
    pub(super) fn new(world: World, routes: Routes, connections: usize, say: Say) -> Self {
        let names = routes.servers.iter().map(|server| server.name.clone()).collect();
        Self {
            clients: (0..connections).map(|_| Client::new()).collect(),
            connections,
            free: Vec::new(),
            feed: Feed::None,
            tally: Tally::aside(0),
            journal: Journal::new(say).of_servers(names),
            now_ns: 0,
            start_ns: u64::MAX,
            until_ns: u64::MAX,
            lost_count: 0,
            dropped_count: 0,
            backlog_count: 0,
            stall_ns: u64::MAX,
            patience_ns: u64::MAX,
            alive_ns: 0,
            silence_check_ns: 0,
            round_robin: 0,
            sending: Vec::new(),
            vacant: Vec::new(),
            attach_due: (0..connections).collect(),
            attaching_count: 0,
            closing: Vec::new(),
            timers: Timers::default(),
            storms: Vec::new(),
            is_preparing: true,
            world,
            routes,
            faults: Faults::default(),
            outages: Outages::default(),
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
            Feed::OpenLoop { next_ns, .. } => {
                Some(*next_ns as u64).filter(|at| *at <= self.until_ns)
            }
            _ => None,
        };
        let timer = self.timers.next_ns();
        let storm = self.storms.iter().map(|storm| storm.next_ns).min();
        let roles = self.routes.roles.next_ns();
        let faults = self.faults.next_ns();
        arrival.into_iter().chain(timer).chain(storm).chain(roles).chain(faults).min()
    }

    /// Whether nothing is in flight.
    pub(super) fn is_quiet(&self) -> bool {
        let is_quiet = |client: &Client| client.waiting.is_empty() && client.begun_count == 0;
        self.backlog_count == 0 && self.clients.iter().all(is_quiet)
    }

    /// Does everything that is due now.
    pub(super) fn advance(&mut self) -> Result<(), BenchError> {
        self.routes.roles.advance(self.now_ns);
        self.advance_faults()?;
        self.wake();
        self.feed();
        self.storm();
        if self.now_ns >= self.silence_check_ns {
            self.silence_check_ns = self.now_ns + SILENCE_CHECK_NS;
            self.check_silence();
        }
        Ok(())
    }

    /// Something may have been put that is to be sent on a connection.
    pub(super) fn list_sending(&mut self, index: usize) {
        if self.clients[index].outgoing.needs_listing() {
            self.sending.push(index);
        }
    }

    /// Something went wrong with a client's connection.
    pub(super) fn incident(&mut self, kind: IncidentKind, index: usize, detail: String) {
        let server = self.clients[index].server;
        if self.is_preparing {
            self.journal.end(kind, server, self.now_ns, detail);
        } else {
            self.journal.add(kind, server, self.now_ns, detail);
        }
    }

    /// Records the end of an operation.
    pub(super) fn ended(&mut self, index: usize, task: &Task, outcome: Result<(), i32>) {
        if let Err(code) = outcome {
            self.tally.record_error(code);
        }
        let Some(op) = task.op else {
            if task.step == Step::Close {
                self.closed(index);
            }
            return;
        };
        if outcome.is_ok() && task.due_ns >= self.start_ns {
            self.tally.record(Class(op as u8), self.now_ns - task.due_ns, 1);
        }
        self.leave(index);
    }

    pub(super) fn record_part(&mut self, part: usize, latency_ns: u64) {
        if self.now_ns >= self.start_ns {
            let class = Class((self.world.workload.ops.len() + part) as u8);
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

    /// Keeps a lock of a client until a time.
    pub(super) fn hold(&mut self, index: usize, task: Task, until_ns: u64) {
        self.set_timer(index, Timed::Release(task), until_ns);
    }

    fn set_timer(&mut self, index: usize, timed: Timed, at_ns: u64) {
        let generation = self.clients[index].generation;
        self.timers.set(at_ns, Timer { client: index, generation, timed });
    }

    pub(super) fn wake(&mut self) {
        while let Some(Timer { client, generation, timed }) = self.timers.take_due(self.now_ns) {
            if generation != self.clients[client].generation {
                continue;
            }
            match timed {
                Timed::Attach => self.attach_due.push_back(client),
                Timed::Release(task) => {
                    recipes::release(&mut self.clients[client], task, self.now_ns);
                    self.list_sending(client);
                }
            }
        }
    }

    pub(super) fn tick(&mut self) {
        self.record_taken();
        self.tally.tick(self.now_ns);
    }

    /// Records what is due and not answered, with its age so far. Returns how much that was.
    pub(super) fn give_up(&mut self) -> u64 {
        let mut ages = Vec::new();
        self.backlog_count = 0;
        for client in &mut self.clients {
            let tasks = client.waiting.iter().map(|waiting| &waiting.task);
            let parked = client.parked.iter().map(|parked| &parked.1);
            let begun = tasks.chain(parked).filter_map(|task| Some((task.op?, task.due_ns)));
            ages.extend(begun);
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
