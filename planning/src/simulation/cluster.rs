//! Servers, and what happens to a request from its arrival to its reply.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::random::Random;
use super::station::{Log, Station};
use super::{Observed, Run, latency};
use crate::costs::Costs;
use crate::ensemble::Stage;
use crate::load::{Layout, Load, OrderingCore};

/// The server that leads.
const LEADER: usize = 0;

/// What a core or an interface works on.
#[derive(Clone, Copy)]
enum Job {
    Ping,
    Read(usize),
    ReadReply(usize),
    WriteIn(usize),
    WriteOut(usize),
    WriteReply(usize),
    Order(usize),
    Follow(usize),
    /// Copies of a write to the followers.
    Propose(usize),
    /// Copies to the observers.
    Inform(usize),
}

#[derive(Clone, Copy)]
enum Event {
    Arrival,
    CoreEnds { server: usize, core: usize },
    WireEnds { server: usize },
    Durable { server: usize, batch: u64 },
    Forwarded(usize),
    Received { server: usize, write: usize },
    Acknowledged(usize),
    Committed(usize),
}

/// An event at its time; of two at one time, the one that was planned first.
struct Planned {
    at_s: f64,
    number: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at_s.total_cmp(&other.at_s).then(self.number.cmp(&other.number))
    }
}

struct Server {
    cores: Vec<Station<Job>>,
    wire: Station<Job>,
    log: Log,
}

/// A read or a write.
struct Request {
    begun_s: f64,
    server: usize,
    core: usize,
    acknowledged: usize,
    is_committed_here: bool,
    is_durable_here: bool,
    is_counted: bool,
}

pub(super) struct Cluster<'a> {
    costs: &'a Costs,
    load: &'a Load,
    layout: &'a Layout,
    random: Random,
    now_s: f64,
    planned: BinaryHeap<Reverse<Planned>>,
    number: u64,
    servers: Vec<Server>,
    requests: Vec<Request>,
    run: Run,
    reads_s: Vec<f64>,
    writes_s: Vec<f64>,
}

impl<'a> Cluster<'a> {
    pub(super) fn new(costs: &'a Costs, load: &'a Load, layout: &'a Layout, run: Run) -> Self {
        let device = &costs.device;
        let batch_max = (device.batch_bytes_max / load.record_bytes(costs)).max(1.0) as usize;
        let server = |_| Server {
            cores: (0..layout.cores()).map(|_| Station::new()).collect(),
            wire: Station::new(),
            log: Log::new(device.slots, batch_max),
        };
        let count = layout.servers + layout.observers;
        Self {
            costs,
            load,
            layout,
            random: Random::new(run.seed),
            now_s: 0.0,
            planned: BinaryHeap::new(),
            number: 0,
            servers: (0..count).map(server).collect(),
            requests: Vec::with_capacity(run.requests),
            run,
            reads_s: Vec::new(),
            writes_s: Vec::new(),
        }
    }

    /// All requests arrive and are answered.
    pub(super) fn run(mut self) -> Observed {
        if self.load.reads_per_s + self.load.writes_per_s > 0.0 {
            self.plan(0.0, Event::Arrival);
        }
        while let Some(Reverse(next)) = self.planned.pop() {
            self.now_s = next.at_s;
            self.handle(next.event);
        }
        self.observed()
    }

    fn observed(self) -> Observed {
        let leader = &self.servers[LEADER];
        let span_s = self.now_s.max(f64::MIN_POSITIVE);
        let shards = &leader.cores[..self.layout.shards];
        let shard_s = shards.iter().map(|core| core.busy_s).fold(0.0, f64::max);
        let log = &leader.log;
        let busy = [
            (Stage::Shard, shard_s / span_s),
            (Stage::Ordering, leader.cores[self.ordering_core()].busy_s / span_s),
            (Stage::Log, log.busy_s / span_s / log.slots as f64),
            (Stage::Network, leader.wire.busy_s / span_s),
        ];
        let batch_mean = log.writes as f64 / log.batches.max(1) as f64;
        Observed { reads: latency(self.reads_s), writes: latency(self.writes_s), busy, batch_mean }
    }

    /// With a core of its own, the last one; otherwise the first shard's.
    fn ordering_core(&self) -> usize {
        match self.layout.ordering {
            OrderingCore::Own => self.layout.shards,
            OrderingCore::SharedWithShard => 0,
        }
    }

    fn plan(&mut self, after_s: f64, event: Event) {
        let at_s = self.now_s + after_s;
        self.planned.push(Reverse(Planned { at_s, number: self.number, event }));
        self.number += 1;
    }

    fn on_core(&mut self, server: usize, core: usize, job: Job) {
        let cores = &self.costs.cores;
        let peers = self.servers.len() as f64 - 1.0;
        let mean_s = match job {
            Job::Ping => cores.shard_ping_s,
            Job::Read(_) => cores.shard_read_s,
            Job::WriteIn(_) | Job::WriteOut(_) => cores.shard_write_s / 2.0,
            Job::Order(_) => cores.ordering_write_s + peers * cores.peer_write_s,
            _ => cores.follow_write_s,
        };
        let mut service_s = self.random.time(mean_s, cores.scv);
        if matches!(job, Job::WriteIn(_)) && self.is_fused(server, core) {
            let mean_s = cores.ordering_write_s + peers * cores.peer_write_s;
            service_s += self.random.time(mean_s, cores.scv);
        }
        if let Some(ends_s) = self.servers[server].cores[core].arrive(job, service_s) {
            self.plan(ends_s, Event::CoreEnds { server, core });
        }
    }

    fn on_wire(&mut self, server: usize, job: Job) {
        let message_bytes = self.load.message_bytes(self.costs);
        let bytes = match job {
            Job::WriteReply(_) => self.costs.network.frame_bytes,
            Job::Propose(_) => message_bytes * (self.layout.servers as f64 - 1.0),
            Job::Inform(_) => message_bytes * self.layout.observers as f64,
            _ => message_bytes,
        };
        let service_s = bytes / self.costs.network.bytes_per_s;
        if let Some(ends_s) = self.servers[server].wire.arrive(job, service_s) {
            self.plan(ends_s, Event::WireEnds { server });
        }
    }

    fn on_log(&mut self, server: usize, write: usize) {
        self.servers[server].log.append(write);
        self.depart(server);
    }

    fn depart(&mut self, server: usize) {
        if let Some((batch, size)) = self.servers[server].log.depart() {
            let bytes = size as f64 * self.load.record_bytes(self.costs);
            let mean_s = self.costs.device.curve.seconds_at(bytes);
            let service_s = self.random.time(mean_s, self.costs.device.scv);
            self.servers[server].log.busy_s += service_s;
            self.plan(service_s, Event::Durable { server, batch });
        }
    }

    fn half_trip_s(&self) -> f64 {
        self.costs.network.server_round_trip_s / 2.0
    }

    fn handle(&mut self, event: Event) {
        let ordering = self.ordering_core();
        match event {
            Event::Arrival => self.arrive(),
            Event::CoreEnds { server, core } => {
                let (job, begun) = self.servers[server].cores[core].end();
                if let Some(ends_s) = begun {
                    self.plan(ends_s, Event::CoreEnds { server, core });
                }
                self.core_ended(server, job);
            }
            Event::WireEnds { server } => {
                let (job, begun) = self.servers[server].wire.end();
                if let Some(ends_s) = begun {
                    self.plan(ends_s, Event::WireEnds { server });
                }
                self.wire_ended(job);
            }
            Event::Durable { server, batch } => {
                for write in self.servers[server].log.done(batch) {
                    self.durable(server, write);
                }
                self.depart(server);
            }
            Event::Forwarded(write) => self.on_core(LEADER, ordering, Job::Order(write)),
            Event::Received { server, write } => {
                self.on_core(server, ordering, Job::Follow(write));
            }
            Event::Acknowledged(write) => self.acknowledged(write),
            Event::Committed(write) => self.committed(write),
        }
    }

    /// A request or a ping arrives, and the next one is planned.
    fn arrive(&mut self) {
        let (reads, writes) = (self.load.reads_per_s, self.load.writes_per_s);
        let pings = 3.0 * self.load.sessions / self.load.session_timeout_s;
        let (server, core) =
            (self.random.below(self.servers.len()), self.random.below(self.layout.shards));
        let kind = self.random.part() * (reads + writes + pings);
        if kind >= reads + writes {
            self.on_core(server, core, Job::Ping);
        } else {
            let number = self.requests.len();
            self.requests.push(Request {
                begun_s: self.now_s,
                server,
                core,
                acknowledged: 0,
                is_committed_here: false,
                is_durable_here: false,
                is_counted: number >= self.run.requests / 10,
            });
            let job = if kind < reads { Job::Read(number) } else { Job::WriteIn(number) };
            self.on_core(server, core, job);
        }
        if self.requests.len() < self.run.requests {
            let next_s = self.random.exponential(1.0 / (reads + writes + pings));
            self.plan(next_s, Event::Arrival);
        }
    }

    fn core_ended(&mut self, server: usize, job: Job) {
        match job {
            Job::Read(request) => self.on_wire(server, Job::ReadReply(request)),
            Job::WriteIn(write) if self.is_fused(server, self.requests[write].core) => {
                self.ordered(write);
            }
            Job::WriteIn(write) => {
                let after_s = if server == LEADER { 0.0 } else { self.half_trip_s() };
                self.plan(after_s, Event::Forwarded(write));
            }
            Job::WriteOut(write) => self.on_wire(server, Job::WriteReply(write)),
            Job::Order(write) => self.ordered(write),
            Job::Follow(write) => self.on_log(server, write),
            _ => {}
        }
    }

    /// Whether what a shard receives is ordered on the same core, at once.
    fn is_fused(&self, server: usize, core: usize) -> bool {
        let is_shared = self.layout.ordering == OrderingCore::SharedWithShard;
        is_shared && server == LEADER && core == self.ordering_core()
    }

    fn ordered(&mut self, write: usize) {
        self.on_log(LEADER, write);
        if self.layout.servers > 1 {
            self.on_wire(LEADER, Job::Propose(write));
        }
    }

    fn wire_ended(&mut self, job: Job) {
        let voters = self.layout.servers;
        match job {
            Job::ReadReply(request) => self.answered(request, true),
            Job::WriteReply(request) => self.answered(request, false),
            Job::Propose(write) => self.received(1..voters, write),
            Job::Inform(write) => {
                if self.requests[write].server >= voters {
                    self.plan(self.half_trip_s(), Event::Committed(write));
                }
                self.received(voters..self.servers.len(), write);
            }
            _ => {}
        }
    }

    fn received(&mut self, servers: std::ops::Range<usize>, write: usize) {
        let after_s = self.half_trip_s();
        for server in servers {
            self.plan(after_s, Event::Received { server, write });
        }
    }

    fn durable(&mut self, server: usize, write: usize) {
        if server == LEADER {
            self.acknowledged(write);
        } else if server < self.layout.servers {
            self.plan(self.half_trip_s(), Event::Acknowledged(write));
        }
        if self.requests[write].server == server {
            self.requests[write].is_durable_here = true;
            self.maybe_answer(write);
        }
    }

    fn acknowledged(&mut self, write: usize) {
        let request = &mut self.requests[write];
        request.acknowledged += 1;
        if request.acknowledged != self.layout.quorum() {
            return;
        }
        let server = request.server;
        if server == LEADER {
            self.committed(write);
        } else if server < self.layout.servers {
            self.plan(self.half_trip_s(), Event::Committed(write));
        }
        if self.layout.observers > 0 {
            self.on_wire(LEADER, Job::Inform(write));
        }
    }

    fn committed(&mut self, write: usize) {
        self.requests[write].is_committed_here = true;
        self.maybe_answer(write);
    }

    fn maybe_answer(&mut self, write: usize) {
        let request = &self.requests[write];
        if request.is_committed_here && request.is_durable_here {
            let (server, core) = (request.server, request.core);
            self.on_core(server, core, Job::WriteOut(write));
        }
    }

    fn answered(&mut self, request: usize, is_read: bool) {
        let request = &self.requests[request];
        if request.is_counted {
            let took_s = self.now_s - request.begun_s + self.costs.network.client_round_trip_s;
            let times_s = if is_read { &mut self.reads_s } else { &mut self.writes_s };
            times_s.push(took_s);
        }
    }
}
