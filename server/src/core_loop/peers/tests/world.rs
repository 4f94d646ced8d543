//! Several servers in one thread: each with its links, and agreement over a log in memory.

use super::{lookup, no_wake, parts, reach, reserved};
use crate::core_loop::peers::{Agreement, Peers};
use engine::in_log::InLog;
use engine::zab::{
    Configuration, Effect, Effects, Ensemble, Event, LinkId, LogRead, Pace, Zab, ZabParts,
};
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use net::listener::{Endpoint, ListenOptions, Listener};
use ring::{Ring, RingConfig, Wait};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Rounds in which something must happen that is waited for.
const ROUNDS_MAX: usize = 200_000;

/// Patient: a round that is late on a busy machine is no reason for an election.
const PACE: Pace = Pace::of(20_000, 10, 5, 10);

/// What a server has on its disk, which is instant.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) epochs: Epochs,
    pub(super) log: Vec<(Zxid, Vec<u8>)>,
    pub(super) committed: Zxid,
}

impl Disk {
    fn last(&self) -> Zxid {
        self.log.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid)
    }
}

/// Agreement, and its disk.
pub(super) struct Node {
    pub(super) zab: Zab,
    pub(super) disk: Disk,
    effects: Effects,
    now_ms: u64,
    /// The next txn that it proposes.
    next: Option<Zxid>,
    pub(super) events: Vec<&'static str>,
}

impl Agreement for Node {
    fn handle(&mut self, event: Event<'_>) {
        match &event {
            Event::Connected(..) => self.events.push("connected"),
            Event::ConnectFailed(_) => self.events.push("not connected"),
            Event::Accepted(_) => self.events.push("accepted"),
            Event::Closed(_) => self.events.push("closed"),
            _ => (),
        }
        self.zab.handle(self.now_ms, event, &mut self.effects);
    }

    fn is_reading(&self, link: LinkId) -> bool {
        self.zab.is_reading(link)
    }
}

impl Node {
    /// Performs what is no effect of links.
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::StoreEpochs(epochs) => {
                self.disk.epochs = epochs;
                self.handle(Event::EpochsStored);
            }
            Effect::Append(txns) => {
                self.disk.log.extend(txns.txns(0).map(|(zxid, txn)| (zxid, txn.to_vec())));
                self.handle(Event::Durable(txns.last().expect("txns")));
            }
            Effect::CutLog(through) => {
                self.disk.log.retain(|(zxid, _)| *zxid <= through);
                self.handle(Event::LogCut(self.disk.last()));
            }
            Effect::ReadLog(link, position) => {
                let mut txns = InLog::default();
                let behind = self.disk.log.partition_point(|(zxid, _)| *zxid <= position);
                self.disk.log[behind..].iter().for_each(|(zxid, txn)| txns.push(*zxid, txn));
                let after = self.disk.log[..behind].last().map_or(Zxid::ZERO, |it| it.0);
                let read = LogRead::Range { after, txns: Arc::new(txns) };
                self.handle(Event::LogRead(link, read));
            }
            Effect::Committed(zxid) => self.disk.committed = zxid,
            Effect::Lead(epoch) => self.next = Some(Zxid::of_epoch(epoch).next()),
            Effect::Look(_) => self.next = None,
            Effect::Inherit | Effect::Follow(_) => (),
            other => panic!("no test leads to {other:?}"),
        }
    }
}

/// A server that runs.
pub(super) struct Server {
    ring: Ring,
    peers: Peers,
    pub(super) node: Node,
}

impl Server {
    /// A turn; gives how many completions there were.
    fn turn(&mut self, now_ms: u64) -> usize {
        let Self { ring, peers, node } = self;
        node.now_ms = now_ms;
        peers.begin_turn(now_ms);
        let count = ring.completions(|queue, completion| peers.handle(queue, completion, node));
        peers.sweep(&mut ring.queue(), node);
        loop {
            node.handle(Event::TurnEnded);
            let effects: Vec<_> = node.effects.take().collect();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                let ensemble = node.zab.ensemble();
                if let Some(other) = peers.perform(&mut ring.queue(), effect, ensemble) {
                    node.perform(other);
                }
            }
        }
        peers.end_turn(&mut ring.queue());
        ring.turn(Wait::No).unwrap();
        count + usize::from(peers.is_busy(node))
    }
}

/// Where a server listens, while it runs and while it does not.
struct Home {
    election: (OwnedFd, SocketAddr),
    quorum: (OwnedFd, SocketAddr),
}

/// Servers 1 to `count`, and time.
pub(super) struct World {
    homes: BTreeMap<ServerId, Home>,
    pub(super) servers: BTreeMap<ServerId, Server>,
    pub(super) disks: BTreeMap<ServerId, Disk>,
    now_ms: u64,
}

impl World {
    /// None runs yet.
    pub(super) fn new(count: i64) -> Self {
        let home = |id| (ServerId(id), Home { election: reserved(), quorum: reserved() });
        Self {
            homes: (1..=count).map(home).collect(),
            servers: BTreeMap::new(),
            disks: BTreeMap::new(),
            now_ms: 0,
        }
    }

    /// Starts a server from what is on its disk.
    pub(super) fn start(&mut self, id: i64) {
        let id = ServerId(id);
        let home = &self.homes[&id];
        let (election, quorum) = (home.election.1, home.quorum.1);
        let bind = |at| Listener::bind(Endpoint::One(at), ListenOptions::default()).unwrap();
        let others = self
            .homes
            .iter()
            .filter(|(other, _)| **other != id)
            .map(|(other, home)| (*other, reach(home.election.1.port(), home.quorum.1.port())));
        let parts = parts(id.0, election.port(), others.collect());
        let config = RingConfig { receive_buffers: 64, ..RingConfig::default() };
        let mut ring = Ring::new(&config).unwrap();
        let mut peers = Peers::new(&parts, lookup(), no_wake());
        peers.listen_for_elections(&mut ring.queue(), bind(election));
        peers.listen_for_learners(&mut ring.queue(), bind(quorum));
        let disk = self.disks.remove(&id).unwrap_or_default();
        let zab = Zab::new(ZabParts {
            ensemble: Ensemble::new(id, Configuration::of_voters(self.homes.keys().copied())),
            pace: PACE,
            epochs: disk.epochs,
            last: disk.last(),
            committed: disk.committed,
            base: Zxid::ZERO,
            recent_bytes_max: 1 << 20,
            is_empty_trusted: true,
            proposed: Vec::new(),
        });
        let (effects, events) = (Effects::default(), Vec::new());
        let node = Node { zab, disk, effects, now_ms: self.now_ms, next: None, events };
        self.servers.insert(id, Server { ring, peers, node });
    }

    /// Stops a server; its disk stays.
    pub(super) fn stop(&mut self, id: ServerId) {
        let mut server = self.servers.remove(&id).expect("it runs");
        let Server { ring, peers, node } = &mut server;
        peers.stop(&mut ring.queue());
        while !peers.is_empty() || ring.queue().in_flight() > 0 {
            ring.turn(Wait::Until(std::time::Duration::from_secs(10))).unwrap();
            ring.completions(|queue, completion| peers.handle(queue, completion, node));
        }
        self.disks.insert(id, server.node.disk);
    }

    /// Rounds until `is_done`; time passes while nothing happens.
    pub(super) fn until(&mut self, what: &str, is_done: impl Fn(&Self) -> bool) {
        for _ in 0..ROUNDS_MAX {
            if is_done(self) {
                return;
            }
            let now_ms = self.now_ms;
            let count: usize = self.servers.values_mut().map(|it| it.turn(now_ms)).sum();
            if count == 0 {
                self.now_ms += 1;
                std::thread::yield_now();
            }
        }
        let told = |(id, server): (&ServerId, &Server)| {
            format!("{id}: {:?} {:?}", server.node.zab.notice(), server.node.events)
        };
        panic!("{what}: not so; {:#?}", self.servers.iter().map(told).collect::<Vec<_>>());
    }

    /// Waits for a leader in broadcast, which all others follow that run.
    pub(super) fn led(&mut self) -> ServerId {
        self.until("a leader that all follow", |world| {
            let mut servers = world.servers.values();
            servers.clone().all(|it| it.node.zab.is_serving())
                && servers.any(|it| it.node.zab.leads().is_some())
        });
        let leader = self.servers.iter().find(|(_, it)| it.node.zab.leads().is_some());
        *leader.expect("one leads").0
    }

    /// The leader proposes txns of these sizes; waits until everyone shows them.
    pub(super) fn write(&mut self, leader: ServerId, sizes: &[usize]) {
        let node = &mut self.servers.get_mut(&leader).expect("it runs").node;
        let mut txns = InLog::default();
        for (index, size) in sizes.iter().enumerate() {
            let next = node.next.expect("it leads");
            txns.push(next, &vec![index as u8; *size]);
            node.next = Some(next.next());
        }
        let last = txns.last().expect("txns");
        node.handle(Event::Sealed(Arc::new(txns)));
        self.until("all show what was written", |world| {
            world.servers.values().all(|it| it.node.disk.committed >= last)
        });
    }

    /// The leader logs a txn that nobody else gets.
    pub(super) fn write_alone(&mut self, leader: ServerId) {
        let node = &mut self.servers.get_mut(&leader).expect("it runs").node;
        let mut txns = InLog::default();
        txns.push(node.next.expect("it leads"), b"lost");
        node.handle(Event::Sealed(Arc::new(txns)));
        for effect in node.effects.take().collect::<Vec<_>>() {
            if matches!(effect, Effect::Append(_)) {
                node.perform(effect);
            }
        }
    }

    /// All that run have the same history, and show all of it.
    pub(super) fn assert_equal(&self) {
        let mut disks = self.servers.iter().map(|(id, it)| (id, &it.node.disk));
        let (_, first) = disks.next().expect("one runs");
        for (id, disk) in disks {
            assert!(disk.log == first.log, "the log of {id} differs");
            assert_eq!(disk.committed, first.committed, "{id} shows something else");
        }
        assert_eq!(first.committed, first.last());
    }

    /// The epoch of the last txn.
    pub(super) fn epoch(&self) -> Epoch {
        self.servers.values().map(|it| it.node.disk.last().epoch()).max().unwrap_or_default()
    }
}
