//! Several whole servers, agreement and clients, on instant links and disks.

mod agreeing;
mod behind;
mod clients;
mod local;
mod reading;
mod syncs;

use super::harness::{SEED, World, settings};
use crate::limits::EPOCH_TXNS_MAX;
use crate::pipeline::Head;
use crate::replica::{Event, MemberParts};
use crate::settings::{Now, Settings};
use crate::zab::{Attempt, CloseReason, Effect, Event as Peer, LinkId, LogRead, Pace, ZabParts};
use crate::{batch::Batch, in_log::InLog, ordering::replay};
use model::peer::packet::{FromLeader, FromLearner, PacketLimits};
use model::server::ServerId;
use model::zxid::{Epochs, Zxid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A server by its place: 0 is the one with id 1.
pub(super) type Place = usize;

/// Something on its way to a server.
enum Arrival {
    Connect {
        from: Place,
        attempt: Attempt,
        is_to_master: bool,
    },
    Notice {
        from: Place,
        notice: crate::zab::Notice,
    },
    Packets {
        link: LinkId,
        is_for_learner: bool,
        bytes: Vec<u8>,
    },
    Closed(LinkId),
    Stored,
    Cut(Zxid),
    Read(LinkId, Zxid),
    /// A tree: the txns that lead to it.
    Snapshot(LinkId, Txns),
    SnapshotSent(LinkId),
}

type Txns = Vec<(Zxid, Vec<u8>)>;

/// What outlives a server's run.
#[derive(Default)]
struct Disk {
    epochs: Epochs,
    /// Every txn of its log, those that are in its oldest snapshot alone included.
    log: Txns,
    committed: Zxid,
    /// What that snapshot holds.
    base: Zxid,
    /// The history that a snapshot is to replace: its log and its base.
    replaced: Option<(Txns, Zxid)>,
}

/// Servers, links and clocks.
pub(super) struct Servers {
    pub(super) worlds: Vec<Option<World>>,
    disks: Vec<Disk>,
    now: Now,
    /// By how much each server's wall clock is wrong, in ms.
    pub(super) clock_errors_ms: Vec<i64>,
    queue: VecDeque<(Place, Arrival)>,
    /// What arrived on links that are not read.
    held: Vec<(Place, Arrival)>,
    /// Learner, leader.
    links: BTreeMap<LinkId, (Place, Place)>,
    next_link: u64,
    /// Servers that nothing reaches, and that reach nothing.
    pub(super) cut_off: BTreeSet<Place>,
    /// Whether answers to pings get lost.
    pub(super) loses_pongs: bool,
    settings: Settings,
    /// Servers that observe, behind followers.
    pub(super) observers: BTreeSet<Place>,
    /// Txns of an epoch.
    pub(super) epoch_txns_max: u32,
}

impl Servers {
    /// So many voters, none of which runs yet.
    pub(super) fn new(count: usize) -> Self {
        Self {
            worlds: (0..count).map(|_| None).collect(),
            disks: (0..count).map(|_| Disk::default()).collect(),
            now: Now { mono_ms: 1_000_000, wall_ms: 1_700_000_000_000 },
            clock_errors_ms: vec![0; count],
            queue: VecDeque::new(),
            held: Vec::new(),
            links: BTreeMap::new(),
            next_link: 0,
            cut_off: BTreeSet::new(),
            loses_pongs: false,
            settings: settings(),
            observers: BTreeSet::new(),
            epoch_txns_max: EPOCH_TXNS_MAX,
        }
    }

    /// So many voters that have elected the last one.
    pub(super) fn elected(count: usize) -> Self {
        Self::new(count).elect()
    }

    /// All of them start, and elect the last one.
    pub(super) fn elect(mut self) -> Self {
        let count = self.worlds.len();
        (0..count).for_each(|place| self.start(place));
        self.pass(2_000);
        assert_eq!(self.leader(), Some(count - 1));
        self
    }

    /// A server starts with what is on its disk.
    pub(super) fn start(&mut self, place: Place) {
        self.start_with(place, self.disks[place].committed);
    }

    /// The same, with a tree through `applied`.
    pub(super) fn start_with(&mut self, place: Place, applied: Zxid) {
        let settings = Settings { server_id: place as u8 + 1, ..self.settings.clone() };
        let disk = &self.disks[place];
        let mut head = self.empty_head(place);
        let (mut tail, mut batch) = (InLog::default(), Batch::default());
        for (zxid, txn) in &disk.log {
            if *zxid <= applied {
                replay(&mut head, txn, &mut batch).expect("it was applied before");
            } else {
                tail.push(*zxid, txn);
            }
        }
        let last = disk.log.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        let zab = ZabParts {
            ensemble: self.ensemble_of(place),
            pace: Pace::of(1_000, 10, 5, 100),
            epochs: disk.epochs,
            last,
            committed: disk.committed,
            base: disk.base,
            recent_bytes_max: 2_000,
            is_empty_trusted: true,
            proposed: Vec::new(),
        };
        let tail = if tail.is_empty() { Vec::new() } else { vec![Arc::new(tail)] };
        let of_empty = Arc::new(settings.clone());
        let empty = Box::new(move || {
            let mut head = Head::new(of_empty.clone(), SEED);
            let version = head.seal();
            head.tree.publish(version);
            head
        });
        let member = Some(MemberParts { zab, tail, empty });
        let now = self.now_at(place);
        let mut world = World::with_member(head, applied, settings, 2, now, member);
        world.log = disk.log.clone();
        world.durable_count = world.log.len();
        self.worlds[place] = Some(world);
    }

    /// A server ends without a warning. What its log was given and is not durable is lost.
    pub(super) fn kill(&mut self, place: Place) {
        let Some(world) = self.worlds[place].take() else { return };
        let zab = world.replica.zab().expect("it is of an ensemble");
        let disk = &mut self.disks[place];
        disk.committed = zab.history().committed();
        disk.log = world.log[..world.durable_count].to_vec();
        if let Some((log, base)) = disk.replaced.take() {
            // The snapshot never counted.
            (disk.log, disk.base) = (log, base);
        }
        self.queue.retain(|(to, _)| *to != place);
        self.held.retain(|(to, _)| *to != place);
        let is_ours = |(_, ends): &(&LinkId, &(Place, Place))| ends.0 == place || ends.1 == place;
        let ended: Vec<_> = self.links.iter().filter(is_ours).map(|(link, _)| *link).collect();
        for link in ended {
            self.end_link(link, place);
        }
    }

    fn end_link(&mut self, link: LinkId, by: Place) {
        if let Some((learner, leader)) = self.links.remove(&link) {
            let other = if learner == by { leader } else { learner };
            self.queue.push_back((other, Arrival::Closed(link)));
        }
    }

    pub(super) fn world(&mut self, place: Place) -> &mut World {
        self.worlds[place].as_mut().expect("it runs")
    }

    /// The server that leads.
    pub(super) fn leader(&self) -> Option<Place> {
        let leads = |world: &World| world.replica.zab().is_some_and(|zab| zab.leads().is_some());
        let is_there = |place: &Place| !self.cut_off.contains(place);
        (0..self.worlds.len())
            .filter(is_there)
            .find(|place| self.worlds[*place].as_ref().is_some_and(leads))
    }

    /// Lets time pass, in steps that are shorter than any limit.
    pub(super) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(50) {
            self.tick();
            self.run();
        }
    }

    fn tick(&mut self) {
        self.now.mono_ms += 50;
        self.now.wall_ms += 50;
        for place in 0..self.worlds.len() {
            let now = self.now_at(place);
            if let Some(world) = &mut self.worlds[place] {
                world.now = now;
            }
        }
    }

    /// The time as a server sees it.
    fn now_at(&self, place: Place) -> Now {
        Now { wall_ms: self.now.wall_ms + self.clock_errors_ms[place], ..self.now }
    }

    /// Until nothing is left to do at this time.
    pub(super) fn run(&mut self) {
        while self.round() {}
    }

    /// A little of what is to be done; lets time pass if there is nothing.
    pub(super) fn step(&mut self) {
        if !self.round() {
            self.tick();
        }
    }

    /// A turn of each server, then what was on its way; true if there was anything.
    fn round(&mut self) -> bool {
        let mut is_active = false;
        for place in 0..self.worlds.len() {
            is_active |= self.turn(place);
        }
        let arrivals = std::mem::take(&mut self.queue);
        is_active |= !arrivals.is_empty();
        for (place, arrival) in arrivals {
            self.arrive(place, arrival);
        }
        is_active
    }

    fn turn(&mut self, place: Place) -> bool {
        let Some(world) = &mut self.worlds[place] else { return false };
        let mut is_active = world.turn();
        loop {
            let Some(world) = &mut self.worlds[place] else { return is_active };
            let effects = std::mem::take(&mut world.to_peers);
            if effects.is_empty() {
                break;
            }
            is_active = true;
            for effect in effects {
                self.perform(place, effect);
            }
        }
        self.send_snapshots(place);
        self.release_held(place);
        is_active
    }

    fn send_snapshots(&mut self, place: Place) {
        let world = self.worlds[place].as_mut().expect("it has just had a turn");
        for (link, pin) in std::mem::take(&mut world.snapshots) {
            let through = pin.view().meta().zxid;
            let log = world.log.iter().filter(|(zxid, _)| *zxid <= through).cloned().collect();
            self.queue.push_back((place, Arrival::SnapshotSent(link)));
            let Some(&(learner, _)) = self.links.get(&link) else { continue };
            self.queue.push_back((learner, Arrival::Snapshot(link, log)));
        }
    }

    /// Packets that had to wait are handed in once their link is read.
    fn release_held(&mut self, place: Place) {
        let (of_place, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|(to, _)| *to == place);
        self.held = rest;
        for (to, arrival) in of_place {
            self.arrive(to, arrival);
        }
    }

    fn perform(&mut self, place: Place, effect: Effect) {
        match effect {
            Effect::Notify { to, notice } => {
                self.queue.push_back((to.0 as Place - 1, Arrival::Notice { from: place, notice }));
            }
            Effect::Connect(attempt, to) | Effect::ConnectToMaster(attempt, to) => {
                let is_to_master = matches!(effect, Effect::ConnectToMaster(..));
                let arrival = Arrival::Connect { from: place, attempt, is_to_master };
                self.queue.push_back((to.0 as Place - 1, arrival));
            }
            Effect::Send(link, message) => {
                let Some(&(learner, leader)) = self.links.get(&link) else { return };
                let is_for_learner = leader == place;
                let to = if is_for_learner { learner } else { leader };
                let mut bytes = Vec::new();
                let zab = self.world(place).replica.zab().expect("it is of an ensemble");
                message.encode(zab.ensemble(), &mut bytes);
                self.queue.push_back((to, Arrival::Packets { link, is_for_learner, bytes }));
            }
            Effect::Close(link, CloseReason::Protocol(why)) => panic!("{link:?}: {why:?}"),
            Effect::Close(link, _) => self.end_link(link, place),
            Effect::StoreEpochs(epochs) => {
                let disk = &mut self.disks[place];
                // A promise comes before any snapshot: this accepts one.
                disk.replaced = None;
                disk.epochs = epochs;
                self.queue.push_back((place, Arrival::Stored));
            }
            Effect::CutLog(zxid) => self.queue.push_back((place, Arrival::Cut(zxid))),
            Effect::ReadLog(link, zxid) => self.queue.push_back((place, Arrival::Read(link, zxid))),
            Effect::ReceiveSnapshot { .. } | Effect::OpenToObservers(_) => (),
            Effect::ForgetSnapshot => {
                let disk = &mut self.disks[place];
                if let Some((log, base)) = disk.replaced.take() {
                    disk.base = base;
                    let world = self.world(place);
                    world.log = log;
                    world.durable_count = world.log.len();
                }
            }
            other => panic!("{other:?} is not of these servers"),
        }
    }

    fn arrive(&mut self, place: Place, arrival: Arrival) {
        let is_apart =
            |other: Place| self.cut_off.contains(&place) || self.cut_off.contains(&other);
        match arrival {
            Arrival::Notice { from, .. } if is_apart(from) => (),
            Arrival::Notice { from, notice } => {
                let from = ServerId(from as i64 + 1);
                self.hand_in(place, Peer::Notification { from, notice });
            }
            Arrival::Connect { from, attempt, is_to_master } => {
                let is_open = !is_apart(from) && self.takes(place, is_to_master);
                self.connect_link((from, place), attempt, is_to_master, is_open);
            }
            Arrival::Packets { link, is_for_learner, bytes } => {
                self.read(place, link, is_for_learner, &bytes);
            }
            Arrival::Closed(_) if self.cut_off.contains(&place) => (),
            Arrival::Closed(link) => {
                self.held.retain(|(to, it)| {
                    *to != place || !matches!(it, Arrival::Packets { link: of, .. } if *of == link)
                });
                self.hand_in(place, Peer::Closed(link));
            }
            Arrival::Stored => self.hand_in(place, Peer::EpochsStored),
            Arrival::Cut(zxid) => {
                let world = self.world(place);
                world.log.retain(|(it, _)| *it <= zxid);
                world.durable_count = world.log.len();
                let end = world.log.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
                self.hand_in(place, Peer::LogCut(end));
            }
            Arrival::SnapshotSent(link) => self.hand_in(place, Peer::SnapshotSent(link)),
            Arrival::Snapshot(link, log) => self.receive_snapshot(place, link, log),
            Arrival::Read(link, position) if position < self.disks[place].base => {
                self.hand_in(place, Peer::LogRead(link, LogRead::Unavailable));
            }
            Arrival::Read(link, position) => {
                let world = self.world(place);
                let (mut txns, mut after) = (InLog::default(), Zxid::ZERO);
                for (zxid, txn) in &world.log {
                    if *zxid <= position { after = *zxid } else { txns.push(*zxid, txn) }
                }
                let read = LogRead::Range { after, txns: Arc::new(txns) };
                self.hand_in(place, Peer::LogRead(link, read));
            }
        }
    }

    fn receive_snapshot(&mut self, place: Place, link: LinkId, log: Txns) {
        if !self.links.contains_key(&link) {
            return;
        }
        let (mut head, mut batch) = (self.empty_head(place), Batch::default());
        for (_, txn) in &log {
            replay(&mut head, txn, &mut batch).expect("the log is a history");
        }
        let version = head.seal();
        head.tree.publish(version);
        let base = log.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        let world = self.world(place);
        let before = std::mem::replace(&mut world.log, log);
        world.durable_count = world.log.len();
        let disk = &mut self.disks[place];
        disk.replaced = Some((before, std::mem::replace(&mut disk.base, base)));
        let world = self.world(place);
        world.fact(Event::SnapshotReceived { link, head: Box::new(head) });
        world.perform();
    }

    fn empty_head(&self, place: Place) -> Head {
        let settings = Settings { server_id: place as u8 + 1, ..self.settings.clone() };
        Head::new(Arc::new(settings), SEED)
    }

    /// A server's log reaches back no further than to here: the rest is in a snapshot.
    pub(super) fn purge(&mut self, place: Place) {
        let world = self.world(place);
        self.disks[place].base = world.ordering().seen();
    }

    fn hand_in(&mut self, place: Place, event: Peer<'_>) {
        if let Some(world) = &mut self.worlds[place] {
            world.fact(Event::Peer(event));
            // What an event asks for happens before the next one.
            world.perform();
        }
    }

    fn read(&mut self, place: Place, link: LinkId, is_for_learner: bool, bytes: &[u8]) {
        let Some(&(learner, leader)) = self.links.get(&link) else { return };
        if self.cut_off.contains(&learner) || self.cut_off.contains(&leader) {
            return;
        }
        let limits = PacketLimits::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let zab = self.world(place).replica.zab().expect("it is of an ensemble");
            if !zab.is_reading(link) {
                let bytes = rest.to_vec();
                let arrival = Arrival::Packets { link, is_for_learner, bytes };
                return self.held.push((place, arrival));
            }
            let length = if is_for_learner {
                let decoded = FromLeader::decode(rest, limits).expect("a packet");
                let (packet, length) = decoded.expect("a whole packet");
                self.hand_in(place, Peer::FromLeader(link, packet));
                length
            } else {
                let decoded = FromLearner::decode(rest, limits).expect("a packet");
                let (packet, length) = decoded.expect("a whole packet");
                if !self.loses_pongs || !matches!(packet, FromLearner::Ping { .. }) {
                    self.hand_in(place, Peer::FromLearner(link, packet));
                }
                length
            };
            rest = &rest[length..];
            if !self.links.contains_key(&link) {
                return;
            }
        }
    }

    /// Every server that runs shows the same tree, with the same digest.
    pub(super) fn assert_equal(&self) {
        let mut running = self.worlds.iter().flatten();
        let shown = |world: &World| {
            let tree = &world.ordering().head.tree;
            // Each server shows the configuration by itself, as of when it began to serve.
            let records = tree.records().filter(|it| it.path() != b"/zookeeper/config");
            let records = records.map(|it| (it.path().to_vec(), it.stat_bytes().to_vec()));
            let sessions: Vec<_> =
                tree.meta().sessions.iter().map(|(id, it)| (*id, it.timeout_ms)).collect();
            (tree.meta().zxid, tree.digest(), records.collect::<Vec<_>>(), sessions)
        };
        let Some(first) = running.next().map(shown) else { return };
        for other in running.map(shown) {
            assert_eq!((first.0, first.1, &first.3), (other.0, other.1, &other.3));
            assert_eq!(first.2, other.2);
        }
    }
}
