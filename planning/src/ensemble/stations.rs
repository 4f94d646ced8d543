//! The queues of every server, with what comes to each.

use super::{Stage, StageUse, UTILISATION_MAX};
use crate::costs::Costs;
use crate::distribution::{Distribution, Gamma, Grid};
use crate::load::{Layout, Load, OrderingCore};
use crate::queue::bulk::{Bulk, Steady};
use crate::queue::single::{Moments, Wait, mg1, mg1_on};

/// What comes to a station.
#[derive(Clone, Copy, Debug)]
struct Kind {
    rate: f64,
    service: Moments,
}

/// One queue served one by one: a core, or an interface.
#[derive(Clone, Debug)]
pub(super) struct Station {
    pub(super) utilisation: f64,
    /// `None` above [`UTILISATION_MAX`].
    pub(super) wait: Option<Wait>,
    /// How long a wait stays like the one before it.
    pub(super) memory_s: f64,
    /// What comes, by rate and service.
    kinds: Vec<(f64, Gamma)>,
}

impl Station {
    fn of(kinds: &[Kind]) -> Self {
        let rate: f64 = kinds.iter().map(|kind| kind.rate).sum();
        let each: Vec<_> = kinds.iter().map(|kind| (kind.rate, kind.service)).collect();
        let service = Moments::mixed(&each);
        let utilisation = rate * service.first;
        let is_bounded = utilisation <= UTILISATION_MAX;
        let wait = if is_bounded { mg1(rate, &service).ok() } else { None };
        let memory_s = wait.map_or(f64::INFINITY, |wait| wait.memory_s(&service));
        let kinds = each.iter().map(|(rate, service)| (*rate, service.gamma())).collect();
        Self { utilisation, wait, memory_s, kinds }
    }

    /// The wait on a grid, which is long enough for it.
    pub(super) fn wait_on(&self, grid: Grid) -> Distribution {
        let saturated = |_| Distribution::constant(grid, f64::MAX);
        mg1_on(grid, &self.kinds).unwrap_or_else(saturated)
    }
}

/// Writes that come together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    /// How many on average.
    pub(super) mean: f64,
    /// How that varies: variance by squared mean.
    pub(super) scv: f64,
}

/// The stations of a server in one role.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// A shard with a core of its own; with one shared shard, that one.
    pub(super) shard: Station,
    /// The shard on the ordering core, if there is one.
    pub(super) shared: Option<Station>,
    /// The ordering core; the same as the shared one, if they are one.
    pub(super) ordering: Station,
    pub(super) network: Station,
}

/// All stations of an ensemble.
pub(super) struct Stations<'a> {
    pub(super) costs: &'a Costs,
    pub(super) load: &'a Load,
    pub(super) layout: &'a Layout,
    /// Voters that live.
    pub(super) alive: usize,
    /// All servers that live and have clients.
    pub(super) members: f64,
    pub(super) leader: Server,
    /// A follower or an observer.
    pub(super) learner: Server,
    /// Writes that one shard answers together.
    pub(super) replies: Batch,
}

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Leader,
    Learner,
}

/// The log in its steady state, given to a function, and its utilisation. What the function gives
/// is `None` if the log is too busy.
pub(super) fn with_log<T>(
    costs: &Costs,
    load: &Load,
    then: impl FnOnce(&Steady<'_>) -> T,
) -> (f64, Option<T>) {
    let (device, record_bytes) = (&costs.device, load.record_bytes(costs));
    let service_s = |batch: f64| device.curve.seconds_at(batch * record_bytes);
    let queue = Bulk {
        rate: load.writes_per_s,
        batch_max: (device.batch_bytes_max / record_bytes).floor().max(1.0),
        slots: device.slots,
        service_s: &service_s,
        scv: device.scv,
    };
    let utilisation = queue.rate / queue.rate_max();
    if utilisation > UTILISATION_MAX {
        return (utilisation, None);
    }
    // Without any writes: what a single one would see.
    let queue = Bulk { rate: queue.rate.max(1e-6 * queue.rate_max()), ..queue };
    (utilisation, queue.steady().ok().map(|steady| then(&steady)))
}

impl<'a> Stations<'a> {
    /// Writes become durable, and are answered, in such batches.
    pub(super) fn of(
        costs: &'a Costs,
        load: &'a Load,
        layout: &'a Layout,
        alive: usize,
        batch: Batch,
    ) -> Self {
        let members = (alive + layout.observers) as f64;
        let copies = Copies { followers: alive as f64 - 1.0, observers: layout.observers as f64 };
        let together = batch.mean / (members * layout.shards as f64);
        let batch = Batch { mean: together, ..batch };
        let come = Come { costs, load, layout, members, copies, replies: batch };
        Self {
            costs,
            load,
            layout,
            alive,
            members,
            replies: batch,
            leader: come.server(Role::Leader),
            learner: come.server(Role::Learner),
        }
    }

    /// Every stage at the server where it is busiest. What arrives counts for the network's
    /// utilisation; what waits is what leaves.
    pub(super) fn uses(&self, log: StageUse, received_bytes_per_s: f64) -> [StageUse; 4] {
        let both = [&self.leader, &self.learner];
        let present = if self.members > 1.0 { 2 } else { 1 };
        let servers = &both[..present];
        let shards = servers.iter().flat_map(|it| [Some(&it.shard), it.shared.as_ref()]).flatten();
        let of = |stage, stations: &mut dyn Iterator<Item = &'_ Station>| {
            let busier = |a: &&Station, b: &&Station| a.utilisation.total_cmp(&b.utilisation);
            let busiest = stations.max_by(busier).unwrap_or(&self.leader.shard);
            let wait_s = busiest.wait.map(|wait| wait.mean_s());
            StageUse { stage, utilisation: busiest.utilisation, wait_s }
        };
        let network = of(Stage::Network, &mut servers.iter().map(|it| &it.network));
        let received = received_bytes_per_s / self.costs.network.bytes_per_s;
        [
            of(Stage::Shard, &mut shards.into_iter()),
            of(Stage::Ordering, &mut servers.iter().map(|it| &it.ordering)),
            log,
            StageUse { utilisation: network.utilisation.max(received), ..network },
        ]
    }
}

/// To how many other servers each write is sent.
struct Copies {
    followers: f64,
    observers: f64,
}

/// What comes to the servers.
struct Come<'a> {
    costs: &'a Costs,
    load: &'a Load,
    layout: &'a Layout,
    members: f64,
    copies: Copies,
    replies: Batch,
}

impl Come<'_> {
    fn core(&self, mean_s: f64) -> Moments {
        Moments::of_gamma(mean_s, self.costs.cores.scv)
    }

    /// What comes to a shard, without the frames of writes.
    fn replies(&self) -> [Kind; 3] {
        let (cores, load) = (&self.costs.cores, self.load);
        let part = 1.0 / (self.members * self.layout.shards as f64);
        // Replies to the writes of one batch come together.
        let (mean, scv) = (self.replies.mean, self.replies.scv);
        let replies = self.core(0.5 * cores.shard_write_s).together(mean, scv);
        [
            Kind { rate: load.reads_per_s * part, service: self.core(cores.shard_read_s) },
            Kind { rate: load.writes_per_s * part / mean, service: replies },
            Kind { rate: load.pings_per_s() * part, service: self.core(cores.shard_ping_s) },
        ]
    }

    fn server(&self, role: Role) -> Server {
        let cores = &self.costs.cores;
        let writes = self.load.writes_per_s;
        let per_shard = writes / (self.members * self.layout.shards as f64);
        let frame = self.core(0.5 * cores.shard_write_s);
        let order = self.core(match role {
            Role::Leader => {
                let peers = self.copies.followers + self.copies.observers;
                cores.ordering_write_s + peers * cores.peer_write_s
            }
            Role::Learner => cores.follow_write_s,
        });
        let replies = self.replies();
        let frames = Kind { rate: per_shard, service: frame };
        let plain = Station::of(&[&replies[..], &[frames]].concat());
        let network = self.network(role);
        if self.layout.ordering == OrderingCore::Own {
            let ordering = Station::of(&[Kind { rate: writes, service: order }]);
            return Server { shard: plain, shared: None, ordering, network };
        }
        // A write that its leader's shared shard receives is ordered at once, without a queue.
        let visits = match role {
            Role::Leader => [
                Kind { rate: per_shard, service: frame.plus(&order) },
                Kind { rate: writes - per_shard, service: order },
            ],
            Role::Learner => [frames, Kind { rate: writes, service: order }],
        };
        let shared = Station::of(&[&replies[..], &visits].concat());
        let shard = if self.layout.shards > 1 { plain } else { shared.clone() };
        Server { shard, shared: Some(shared.clone()), ordering: shared, network }
    }

    /// What leaves a server: replies, and from the leader each write to each other server.
    fn network(&self, role: Role) -> Station {
        let wire = |rate: f64, bytes: f64| {
            let mean_s = bytes / self.costs.network.bytes_per_s;
            Kind { rate, service: Moments::of_gamma(mean_s, 0.0) }
        };
        let message_bytes = self.load.message_bytes(self.costs);
        let (members, writes) = (self.members, self.load.writes_per_s);
        let mut kinds = vec![
            wire(self.load.reads_per_s / members, message_bytes),
            wire(writes / members, self.costs.network.frame_bytes),
        ];
        match role {
            Role::Leader => {
                kinds.push(wire(writes, message_bytes * self.copies.followers));
                kinds.push(wire(writes, message_bytes * self.copies.observers));
            }
            // Writes that are forwarded to the leader.
            Role::Learner => kinds.push(wire(writes / members, message_bytes)),
        }
        Station::of(&kinds)
    }
}
