//! All clients and what is due: operations, storms, attempts to attach, signs of life.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::TcpStream;
use std::time::Duration;

use model::op::Op;
use ring::Token;

use super::client::{Client, State, Visit};
use super::flow::{HIDDEN, Node, Step, Task, World, put_create};
use super::player::token;
use super::recipes;
use crate::bench::limits::{
    ATTACHING_MAX, BACKLOG_MAX, OPEN_IN_FLIGHT_MAX, PREPARE_IN_FLIGHT, RETRY_PAUSE, VISITS_MAX,
};
use crate::bench::results::{IncidentKind, Journal};
use crate::bench::spec::{Bounded, OpKind, StormKind};
use crate::bench::tally::{Class, Tally};

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

    /// The storms begin, each after its interval.
    pub(super) fn begin_storms(&mut self, now_ns: u64) {
        let storms = self.world.spec.storms.iter().map(|storm| {
            let storm = storm.get_ref();
            let every_ns = storm.every_ms.value() * 1_000_000;
            let next_ns = now_ns + every_ns;
            Storm { kind: storm.kind, every_ns, percent: storm.percent.value(), next_ns }
        });
        self.storms = storms.collect();
    }

    pub(super) fn end_storms(&mut self) {
        self.storms.clear();
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

    fn feed(&mut self) {
        match std::mem::replace(&mut self.feed, Feed::None) {
            Feed::None => self.hungry_ones(|_, _| ()),
            Feed::Nodes(mut nodes) => {
                self.feed =
                    if self.feed_nodes(&mut *nodes) { Feed::Nodes(nodes) } else { Feed::None };
            }
            Feed::Closed => {
                let limit = self.world.spec.in_flight.value() as usize;
                self.feed = Feed::Closed;
                self.hungry_ones(|stage, index| stage.fill(index, limit));
            }
            Feed::Open { rate, mut next_ns } => {
                while next_ns as u64 <= self.now_ns.min(self.until_ns) {
                    self.arrive(next_ns as u64);
                    next_ns += self.world.chance.gap_ns(rate);
                }
                self.feed = Feed::Open { rate, next_ns };
                self.hungry_ones(|_, _| ());
            }
        }
    }

    /// Whether there are more.
    fn feed_nodes(&mut self, nodes: &mut dyn Iterator<Item = Node>) -> bool {
        for index in 0..self.connections {
            while self.clients[index].waiting.len() < PREPARE_IN_FLIGHT {
                let Some(node) = nodes.next() else { return false };
                self.world.prepare(&mut self.clients[index], node, self.now_ns);
                self.soil(index);
            }
        }
        true
    }

    /// Clients with room: first for what is due, then `more`.
    fn hungry_ones(&mut self, more: impl Fn(&mut Self, usize)) {
        let hungry = std::mem::take(&mut self.hungry);
        for &index in &hungry {
            self.clients[index].is_hungry = false;
            while self.has_room(index)
                && let Some((op, due_ns)) = self.clients[index].backlog.pop_front()
            {
                self.backlog_count -= 1;
                self.begin(index, op, due_ns);
            }
            more(self, index);
        }
        if self.hungry.is_empty() {
            self.hungry = hungry;
            self.hungry.clear();
        }
    }

    fn has_room(&self, index: usize) -> bool {
        let client = &self.clients[index];
        client.state == State::Ready && client.open_count < OPEN_IN_FLIGHT_MAX
    }

    fn fill(&mut self, index: usize, limit: usize) {
        while self.clients[index].state == State::Ready && self.clients[index].open_count < limit {
            let Some(op) = self.world.chance.op() else { return };
            self.begin(index, op, self.now_ns);
        }
    }

    /// All of the workload's clients look for work.
    pub(super) fn awake_all(&mut self) {
        for index in 0..self.connections {
            self.hunger(index);
        }
    }

    fn hunger(&mut self, index: usize) {
        if index < self.connections && !self.clients[index].is_hungry {
            self.clients[index].is_hungry = true;
            self.hungry.push(index);
        }
    }

    /// An operation of the open loop is due.
    fn arrive(&mut self, due_ns: u64) {
        let Some(op) = self.world.chance.op() else { return };
        // The next connection, or one of the next few if it is busy.
        let mut index = self.round_robin;
        for _ in 0..4 {
            index = self.round_robin;
            self.round_robin = (self.round_robin + 1) % self.connections;
            if self.has_room(index) {
                break;
            }
        }
        if self.has_room(index) && self.clients[index].backlog.is_empty() {
            self.begin(index, op, due_ns);
        } else if self.backlog_count < BACKLOG_MAX {
            self.clients[index].backlog.push_back((op, due_ns));
            self.backlog_count += 1;
        } else {
            self.dropped_count += 1;
        }
    }

    fn begin(&mut self, index: usize, op: usize, due_ns: u64) {
        if due_ns >= self.start_ns && matches!(self.feed, Feed::Open { .. } | Feed::None) {
            self.record_part(LATE, self.now_ns - due_ns);
        }
        if self.world.spec.op(op).kind == OpKind::Session {
            self.open_visit(index, op, due_ns);
            return;
        }
        self.clients[index].open_count += 1;
        self.world.begin(&mut self.clients[index], index, op, (due_ns, self.now_ns));
        self.soil(index);
    }

    fn open_visit(&mut self, owner: usize, op: usize, due_ns: u64) {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.clients.len() < self.connections + VISITS_MAX => {
                self.clients.push(Client::new());
                self.clients.len() - 1
            }
            None => {
                self.dropped_count += 1;
                return;
            }
        };
        self.clients[owner].open_count += 1;
        let client = &mut self.clients[index];
        client.forget_session();
        client.last_zxid = 0;
        client.visit = Some(Visit { owner, op, due_ns });
        client.state = State::Down { retry_ns: 0 };
        self.attach_due.push_back(index);
    }

    /// Puts all that a visiting session asks.
    fn visit(&mut self, index: usize, visit: Visit) {
        let op = self.world.spec.op(visit.op);
        let count = |part: Option<Bounded<0, 10_000>>| part.map_or(0, Bounded::value);
        let (ephemerals, gets) = (count(op.ephemerals), count(op.gets));
        let Self { clients, world, now_ns, .. } = self;
        let client = &mut clients[index];
        for _ in 0..ephemerals {
            let number = client.made_next;
            client.made_next += 1;
            let service = number % world.spec.sessions.services.value();
            let path = world.tree.instance(service, index, number);
            let task = Task::hidden(Step::Upkeep);
            put_create(client, Op::Create, task, *now_ns, (&path, b"", 1));
        }
        for _ in 0..gets {
            let path = world.tree.key(world.chance.key());
            client.ask(Op::GetData, Task::hidden(Step::Upkeep), *now_ns, |out| {
                model::jute::put_string(out, path.as_bytes());
                model::jute::put_bool(out, false);
            });
        }
        client.ask(Op::CloseSession, Task::hidden(Step::Close), *now_ns, |_| ());
        client.state = State::Closing;
        self.soil(index);
    }

    /// Something is to be sent on a connection.
    pub(super) fn soil(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.has_pending() && !client.is_dirty {
            client.is_dirty = true;
            self.dirty.push(index);
        }
    }

    /// A client that is to be attached now.
    pub(super) fn next_attach(&mut self) -> Option<usize> {
        if self.attaching_count >= ATTACHING_MAX {
            return None;
        }
        while let Some(index) = self.attach_due.pop_front() {
            match self.clients[index].state {
                State::Down { retry_ns } if retry_ns > self.now_ns => {
                    let timer = Task::hidden(Step::Close);
                    let generation = self.clients[index].generation;
                    self.hold(index, generation, timer, retry_ns);
                }
                State::Down { .. } => return Some(index),
                _ => {}
            }
        }
        None
    }

    /// A connection is on its way.
    pub(super) fn attach(&mut self, index: usize) -> Token {
        let timeout_ms = self.world.spec.sessions.timeout_ms.value() as i32;
        let client = &mut self.clients[index];
        client.state = State::Attaching { since_ns: self.now_ns };
        client.put_connect(timeout_ms);
        self.attaching_count += 1;
        let token = token(index, client.generation);
        self.soil(index);
        token
    }

    /// A connection could not even be begun.
    pub(super) fn refused(&mut self, index: usize, why: String) {
        self.incident(IncidentKind::Refused, why);
        self.down(index, RETRY_PAUSE);
    }

    pub(super) fn incident(&mut self, kind: IncidentKind, detail: String) {
        if self.is_opening {
            self.journal.end(kind, self.now_ns, detail);
        } else {
            self.journal.add(kind, self.now_ns, detail);
        }
    }

    /// A connection has ended, and nobody here wanted it to.
    pub(super) fn lost(&mut self, index: usize, kind: IncidentKind, why: &str) {
        let client = &self.clients[index];
        let kind = match client.state {
            State::Attaching { .. } => IncidentKind::Refused,
            _ => kind,
        };
        let detail = format!("{why}, {} requests unanswered", client.waiting.len());
        self.incident(kind, detail);
        let lost = self.cut(index);
        self.lost_count += lost;
        self.down(index, RETRY_PAUSE);
    }

    fn down(&mut self, index: usize, pause: Duration) {
        let client = &mut self.clients[index];
        if let Some(visit) = client.visit.take() {
            client.state = State::Gone;
            self.free.push(index);
            self.lost_count += 1;
            self.leave(visit.owner);
            return;
        }
        client.cut_ns = client.cut_ns.or(Some(self.now_ns));
        client.state = State::Down { retry_ns: self.now_ns + pause.as_nanos() as u64 };
        self.attach_due.push_back(index);
    }

    /// Gives a connection up. Says how many operations were lost with it.
    fn cut(&mut self, index: usize) -> u64 {
        if matches!(self.clients[index].state, State::Attaching { .. }) {
            self.attaching_count -= 1;
        }
        let (stream, mut tasks) = self.clients[index].cut();
        self.closing.extend(stream.map(|stream| (index, stream)));
        let generation = self.clients[index].generation;
        let is_held = |held: &&(usize, u32, Task)| held.0 == index && held.1 != generation;
        tasks.extend(self.held.values().filter(is_held).map(|held| held.2.clone()));
        self.held.retain(|_, held| held.0 != index || held.1 == generation);
        let lost = tasks.iter().filter(|task| task.op != HIDDEN).count();
        self.clients[index].open_count -= lost;
        lost as u64
    }

    /// An operation of a client has ended, in some way.
    fn leave(&mut self, index: usize) {
        self.clients[index].open_count -= 1;
        self.hunger(index);
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

    /// A session has been ended as asked.
    fn closed(&mut self, index: usize) {
        let lost = self.cut(index);
        self.lost_count += lost;
        let client = &mut self.clients[index];
        client.forget_session();
        if let Some(visit) = client.visit.take() {
            client.state = State::Gone;
            self.free.push(index);
            if visit.due_ns >= self.start_ns {
                let latency_ns = self.now_ns - visit.due_ns;
                self.tally.record(Class(visit.op as u8), latency_ns, 1);
            }
            self.leave(visit.owner);
        } else if self.feed.is_over() && self.storms.is_empty() {
            client.state = State::Gone;
        } else {
            self.down(index, Duration::ZERO);
        }
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

    /// A session was granted, or the same as before.
    pub(super) fn ready(&mut self, index: usize, is_new: bool) {
        self.attaching_count -= 1;
        self.alive_ns = self.now_ns;
        let client = &mut self.clients[index];
        client.state = State::Ready;
        client.last_sent_ns = self.now_ns;
        if let Some(visit) = client.visit {
            self.visit(index, visit);
            return;
        }
        let cut_ns = client.cut_ns.take();
        if is_new {
            // Before the tree is made there is nothing to watch.
            if !self.is_opening {
                self.world.equip(client, index, self.now_ns);
            }
        } else {
            self.world.resume(client, self.now_ns);
        }
        if let Some(cut_ns) = cut_ns {
            self.record_part(ATTACH, self.now_ns - cut_ns);
        }
        self.soil(index);
        self.hunger(index);
    }

    /// Keeps a task until a time.
    pub(super) fn hold(&mut self, index: usize, generation: u32, task: Task, until_ns: u64) {
        self.held_next += 1;
        self.timers.push(Reverse((until_ns, self.held_next)));
        self.held.insert(self.held_next, (index, generation, task));
    }

    fn wake(&mut self) {
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

    fn storm(&mut self) {
        for at in 0..self.storms.len() {
            let Storm { kind, every_ns, percent, next_ns } = self.storms[at];
            if next_ns > self.now_ns {
                continue;
            }
            self.storms[at].next_ns = next_ns + every_ns;
            let count = (self.connections as u64 * percent).div_ceil(100) as usize;
            match kind {
                StormKind::Watch => self.set_watched(),
                StormKind::Reconnect => (0..count).for_each(|index| self.reconnect(index)),
                StormKind::Session => (0..count).for_each(|index| self.renew(index)),
            }
        }
    }

    fn set_watched(&mut self) {
        let Some(client) = self.clients.iter().position(|client| client.state == State::Ready)
        else {
            return;
        };
        for key in 0..(self.world.set_ns.len() as u64).min(self.world.tree.keys) {
            let task = Task::new(HIDDEN, Step::Write, 0, key);
            self.world.set(&mut self.clients[client], task, self.now_ns);
        }
        self.soil(client);
    }

    fn reconnect(&mut self, index: usize) {
        if self.clients[index].state == State::Ready {
            // What was in flight is lost by our own doing.
            self.cut(index);
            self.down(index, Duration::ZERO);
        }
    }

    fn renew(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.state == State::Ready {
            client.state = State::Closing;
            client.cut_ns = Some(self.now_ns);
            client.ask(Op::CloseSession, Task::hidden(Step::Close), self.now_ns, |_| ());
            self.soil(index);
        }
    }

    /// Asks for the end of every session.
    pub(super) fn close_all(&mut self) {
        self.storms.clear();
        for index in 0..self.clients.len() {
            self.backlog_count -= self.clients[index].backlog.len();
            self.clients[index].backlog.clear();
            self.renew(index);
        }
    }

    /// Looks for silence, and gives signs of life.
    fn watch(&mut self) {
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
