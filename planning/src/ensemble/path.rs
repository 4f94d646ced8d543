//! The ways of a read and of a write through the stations.

use super::Latency;
use super::stations::{Server, Station, Stations};
use crate::distribution::{Distribution, Gamma, Grid};
use crate::queue::bulk::Steady;
use crate::queue::order::at_least;
use crate::queue::single::Wait;

/// Standard deviations behind the mean at which a grid ends.
const DEVIATIONS: f64 = 10.0;

/// A station's wait and the own service behind it.
#[derive(Clone, Copy)]
struct Visit<'a> {
    station: &'a Station,
    wait: Wait,
    service: Gamma,
}

impl<'a> Visit<'a> {
    fn of(station: &'a Station, mean_s: f64, scv: f64) -> Option<Self> {
        Some(Self { station, wait: station.wait?, service: Gamma { mean_s, scv } })
    }

    fn mean_s(&self) -> f64 {
        self.wait.mean_s() + self.service.mean_s
    }

    fn variance(&self) -> f64 {
        self.wait.variance() + self.service.variance()
    }

    fn on(&self, grid: Grid) -> Distribution {
        self.station.wait_on(grid).plus(&Distribution::of_gamma(grid, &self.service))
    }

    /// The waits of two visits, with so long between them: as far as the queue remembers, the
    /// second wait is like the first; otherwise they are independent.
    fn both_waits(&self, grid: Grid, between_s: f64) -> Distribution {
        let like = (-between_s / self.station.memory_s).exp();
        let once = self.station.wait_on(grid);
        let apart = once.plus(&once);
        if like < 1e-3 {
            return apart;
        }
        Distribution::mixed(&[(like, &once.doubled()), (1.0 - like, &apart)])
    }
}

/// A grid for the sum of visits, some of which may be alternatives: then all are counted.
fn grid_of(visits: &[Visit<'_>], more_s: f64, more_variance: f64) -> Grid {
    let mean_s = visits.iter().map(Visit::mean_s).sum::<f64>() + more_s;
    let variance = visits.iter().map(Visit::variance).sum::<f64>() + more_variance;
    Grid::to(mean_s + DEVIATIONS * variance.sqrt())
}

/// A visit to a shard: to the shared one with the probability that a client is connected there.
#[derive(Clone, Copy)]
struct ShardVisit<'a> {
    plain: Visit<'a>,
    shared: Option<(f64, Visit<'a>)>,
}

impl<'a> ShardVisit<'a> {
    fn of(stations: &Stations<'_>, server: &'a Server, mean_s: f64) -> Option<Self> {
        let scv = stations.costs.cores.scv;
        let plain = Visit::of(&server.shard, mean_s, scv)?;
        let part = 1.0 / stations.layout.shards as f64;
        let shared = match &server.shared {
            Some(station) => Some((part, Visit::of(station, mean_s, scv)?)),
            None => None,
        };
        Some(Self { plain, shared })
    }

    fn visits(&self) -> impl Iterator<Item = Visit<'a>> {
        std::iter::once(self.plain).chain(self.shared.map(|(_, visit)| visit))
    }

    /// The wait and service at either kind of shard.
    fn on(&self, grid: Grid) -> Distribution {
        let plain = self.plain.on(grid);
        match &self.shared {
            Some((part, visit)) => {
                Distribution::mixed(&[(1.0 - part, &plain), (*part, &visit.on(grid))])
            }
            None => plain,
        }
    }
}

/// A read's visits to a shard and to the interface.
fn read_visits<'a>(
    stations: &Stations<'_>,
    server: &'a Server,
    wire_s: f64,
) -> Option<(ShardVisit<'a>, Visit<'a>)> {
    let shard = ShardVisit::of(stations, server, stations.costs.cores.shard_read_s)?;
    Some((shard, Visit::of(&server.network, wire_s, 0.0)?))
}

/// The latency of reads; `None` if a station on their way is too busy.
pub(super) fn reads(stations: &Stations<'_>) -> Option<Latency> {
    let costs = stations.costs;
    let wire_s = stations.load.message_bytes(costs) / costs.network.bytes_per_s;
    let (leader, learner) = (
        read_visits(stations, &stations.leader, wire_s)?,
        read_visits(stations, &stations.learner, wire_s)?,
    );
    let all: Vec<Visit<'_>> = [&leader, &learner]
        .into_iter()
        .flat_map(|(shard, network)| shard.visits().chain([*network]))
        .collect();
    let grid = grid_of(&all, 0.0, 0.0);
    let on =
        |(shard, network): &(ShardVisit<'_>, Visit<'_>)| shard.on(grid).plus(&network.on(grid));
    let at_leader = 1.0 / stations.members;
    let parts = [(at_leader, &on(&leader)), (1.0 - at_leader, &on(&learner))];
    let all = Distribution::mixed(&parts);
    Some(Latency::of(&all, costs.network.client_round_trip_s))
}

/// Where the times of a write's parts are found.
struct Parts {
    /// One of the other servers, from the moment that it has a proposal until it is durable.
    learner: Distribution,
    /// The leader's log.
    own: Distribution,
    /// From when the copies have left until the leader has the acknowledgement of one follower.
    answer: Distribution,
    /// Until the copies of a proposal have left, which all followers wait for together.
    copies: Distribution,
}

/// Between two servers and back; none, if there is one.
fn trip_s(stations: &Stations<'_>) -> f64 {
    if stations.members > 1.0 { stations.costs.network.server_round_trip_s } else { 0.0 }
}

/// The visits of a write to cores and interfaces.
struct Visits<'a> {
    leader_shard: ShardVisit<'a>,
    learner_shard: ShardVisit<'a>,
    ordering: Visit<'a>,
    follow: Visit<'a>,
    /// Copies for the followers.
    propose: Visit<'a>,
    /// Copies for the observers.
    inform: Visit<'a>,
    /// The reply to a client of the leader.
    leader_reply: Visit<'a>,
    /// The reply to a client of another server.
    learner_reply: Visit<'a>,
    /// How long the replies of one shard to the writes of one batch take: a reply waits for those
    /// before it.
    replies_s: f64,
    /// From a visit to the leader's shard to the other one.
    at_leader_s: f64,
    /// The same for another server's.
    at_learner_s: f64,
}

impl<'a> Visits<'a> {
    fn of(stations: &'a Stations<'_>, log: &Steady<'_>) -> Option<Self> {
        let (costs, cores) = (stations.costs, &stations.costs.cores);
        let (leader, learner) = (&stations.leader, &stations.learner);
        let observers = stations.layout.observers as f64;
        let followers = stations.alive as f64 - 1.0;
        let ordering_s = cores.ordering_write_s + (followers + observers) * cores.peer_write_s;
        let shard_s = 0.5 * cores.shard_write_s;
        let copy_s = stations.load.message_bytes(costs) / costs.network.bytes_per_s;
        let reply_s = costs.network.frame_bytes / costs.network.bytes_per_s;
        let trip_s = trip_s(stations);
        let replies = stations.replies;
        Some(Self {
            leader_shard: ShardVisit::of(stations, leader, shard_s)?,
            learner_shard: ShardVisit::of(stations, learner, shard_s)?,
            ordering: Visit::of(&leader.ordering, ordering_s, cores.scv)?,
            follow: Visit::of(&learner.ordering, cores.follow_write_s, cores.scv)?,
            propose: Visit::of(&leader.network, copy_s * followers, 0.0)?,
            inform: Visit::of(&leader.network, copy_s * observers, 0.0)?,
            leader_reply: Visit::of(&leader.network, reply_s, 0.0)?,
            learner_reply: Visit::of(&learner.network, reply_s, 0.0)?,
            replies_s: shard_s * replies.mean * (1.0 + replies.scv),
            at_leader_s: log.mean_s + trip_s,
            at_learner_s: log.mean_s + 2.0 * trip_s,
        })
    }

    fn grid(&self, stations: &Stations<'_>, log: &Steady<'_>) -> Grid {
        let mut all = vec![self.ordering, self.follow, self.propose, self.inform];
        all.extend([self.leader_reply, self.learner_reply]);
        for shard in [self.leader_shard, self.learner_shard] {
            all.extend(shard.visits());
            all.extend(shard.visits());
        }
        // Two logs follow each other at most: a quorum's and an observer's.
        let more_s = 2.0 * log.mean_s + 2.0 * trip_s(stations) + self.replies_s;
        grid_of(&all, more_s, 2.0 * log.variance)
    }

    /// All that a write of the leader's clients spends on cores and for its reply. A shard on the
    /// ordering core orders what it receives at once.
    fn at_leader(&self, grid: Grid) -> Distribution {
        let ordering = Distribution::of_gamma(grid, &self.ordering.service);
        let shard = |visit: &Visit<'_>| {
            let service = Distribution::of_gamma(grid, &visit.service);
            let waits = visit.both_waits(grid, self.at_leader_s);
            waits.plus(&service).plus(&service).plus(&ordering)
        };
        let handed = shard(&self.leader_shard.plain).plus(&self.ordering.station.wait_on(grid));
        let all = match &self.leader_shard.shared {
            Some((part, visit)) => {
                Distribution::mixed(&[(1.0 - part, &handed), (*part, &shard(visit))])
            }
            None => handed,
        };
        all.plus(&self.behind_others(grid)).plus(&self.leader_reply.on(grid))
    }

    /// The same for a client of another server, the leader's ordering core included.
    fn at_learner(&self, grid: Grid) -> Distribution {
        let shard = |visit: &Visit<'_>| {
            let service = Distribution::of_gamma(grid, &visit.service);
            visit.both_waits(grid, self.at_learner_s).plus(&service).plus(&service)
        };
        let plain = shard(&self.learner_shard.plain);
        let all = match &self.learner_shard.shared {
            Some((part, visit)) => {
                Distribution::mixed(&[(1.0 - part, &plain), (*part, &shard(visit))])
            }
            None => plain,
        };
        let all = all.plus(&self.ordering.on(grid)).plus(&self.behind_others(grid));
        all.plus(&self.learner_reply.on(grid))
    }

    /// A reply's wait for others of the same batch.
    fn behind_others(&self, grid: Grid) -> Distribution {
        let mut before = Distribution::empty(grid);
        before.add_between(0.0, self.replies_s, 1.0);
        before
    }
}

/// The latency of writes; `None` if a station on their way is too busy.
pub(super) fn writes(stations: &Stations<'_>, log: &Steady<'_>) -> Option<Latency> {
    let visits = Visits::of(stations, log)?;
    let grid = visits.grid(stations, log);
    let own = log.response(grid);
    let learner = visits.follow.on(grid).plus(&own);
    let trip = Distribution::constant(grid, trip_s(stations));
    let (answer, copies) = (learner.plus(&trip), visits.propose.on(grid));
    let parts = Parts { learner, own, answer, copies };

    let leader = visits.at_leader(grid).plus(&parts.at_leader(grid, stations));
    let mut ends = vec![(1.0 / stations.members, leader)];
    // Half a round trip to the leader, and half of one back.
    let forwarded = visits.at_learner(grid).plus(&trip);
    if stations.alive > 1 {
        let followers = (stations.alive as f64 - 1.0) / stations.members;
        ends.push((followers, forwarded.plus(&parts.at_follower(grid, stations))));
    }
    if stations.layout.observers > 0 {
        let observers = stations.layout.observers as f64 / stations.members;
        let informed = parts.quorum(grid, stations).plus(&visits.inform.on(grid));
        ends.push((observers, forwarded.plus(&informed).plus(&parts.learner)));
    }
    let ends: Vec<_> = ends.iter().map(|(weight, end)| (*weight, end)).collect();
    let all = Distribution::mixed(&ends);
    Some(Latency::of(&all, stations.costs.network.client_round_trip_s))
}

impl Parts {
    /// From the proposal until a client of the leader may be answered: it is durable here, and at
    /// a quorum.
    fn at_leader(&self, grid: Grid, stations: &Stations<'_>) -> Distribution {
        let followers = stations.alive - 1;
        let needed = stations.layout.quorum() - 1;
        if needed == 0 {
            return self.own.clone();
        }
        let answered = self.answer.cumulative();
        let answered: Vec<f64> =
            answered.iter().map(|each| at_least(needed, followers, *each)).collect();
        let answered = Distribution::of_cumulative(grid, &answered).plus(&self.copies);
        let (own, answered) = (self.own.cumulative(), answered.cumulative());
        let cumulative: Vec<f64> = own.iter().zip(&answered).map(|(a, b)| a * b).collect();
        Distribution::of_cumulative(grid, &cumulative)
    }

    /// From the proposal until the leader knows that a quorum holds it. That its own log begins
    /// before the copies have left is neglected: with its answer at once, it is hardly the last.
    fn quorum(&self, grid: Grid, stations: &Stations<'_>) -> Distribution {
        let followers = stations.alive - 1;
        let quorum = stations.layout.quorum();
        if quorum == 1 {
            return self.own.clone();
        }
        let joint = |(own, answer): (&f64, &f64)| {
            let with = at_least(quorum - 1, followers, *answer);
            own * with + (1.0 - own) * at_least(quorum, followers, *answer)
        };
        let (own, answer) = (self.own.cumulative(), self.answer.cumulative());
        let cumulative: Vec<f64> = own.iter().zip(&answer).map(joint).collect();
        Distribution::of_cumulative(grid, &cumulative).plus(&self.copies)
    }

    /// The same for a client of a follower, but for half a round trip to it: the follower has it
    /// durably, and the leader knows of a quorum. Its own acknowledgement may be one of those, if
    /// it has arrived.
    fn at_follower(&self, grid: Grid, stations: &Stations<'_>) -> Distribution {
        let others = stations.alive - 2;
        let quorum = stations.layout.quorum();
        let (own, answer) = (self.own.cumulative(), self.answer.cumulative());
        let here = self.learner.cumulative();
        let mut cumulative = Vec::with_capacity(own.len());
        for ((own, answer), here) in own.iter().zip(&answer).zip(&here) {
            let of_others = |needed: usize| {
                let with = at_least(needed.saturating_sub(1), others, *answer);
                own * with + (1.0 - own) * at_least(needed, others, *answer)
            };
            let unheard = (here - answer).max(0.0);
            cumulative.push(answer * of_others(quorum - 1) + unheard * of_others(quorum));
        }
        Distribution::of_cumulative(grid, &cumulative).plus(&self.copies)
    }
}
