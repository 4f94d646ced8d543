//! One run: everything that happens, in the order of a virtual clock.

mod clients;
mod performing;

use crate::Place;
use crate::checks::{Checks, Violation};
use crate::disk::{Lane, Operation};
use crate::faults::{self, Fault};
use crate::network::{Frame, Link, Partition, Side};
use crate::server::{DISK_US, Server};
use engine::zab::{Ensemble, Event, LinkId, Notice, Pace, Plant, Quorum};
use fastrand::Rng;
use model::peer::notification::Notification;
use model::peer::packet::{FromLeader, FromLearner, PacketLimits};
use model::server::ServerId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What a run is.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Everything is drawn from it.
    pub seed: u64,
    /// A rule that is broken on purpose.
    pub plant: Option<Plant>,
    /// Whether every event is told on standard output.
    pub is_told: bool,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Txns that clients were told of.
    pub acknowledged: usize,
    /// Leaders that there were.
    pub leaders: usize,
    /// Things that happened.
    pub events: u64,
    /// How servers were synchronized: by DIFF, TRUNC, SNAP.
    pub synchronized: [u64; 3],
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Happening {
    Start(Place),
    /// The first frame on its way to this end of a link arrives.
    Arrive(LinkId, Side),
    /// The newest notification between two servers arrives.
    Notify(Place, Place),
    ElectionLink(Place, Place),
    Connect {
        from: Place,
        boot: u32,
        to: Place,
    },
    DiskDone {
        place: Place,
        boot: u32,
        lane: Lane,
    },
    LogRead {
        place: Place,
        boot: u32,
        link: LinkId,
        position: model::zxid::Zxid,
    },
    SnapshotSent {
        place: Place,
        boot: u32,
        link: LinkId,
    },
    Turn {
        place: Place,
        boot: u32,
    },
    Clients,
    /// A server takes a snapshot of what it shows, and purges its log.
    Snapshot,
    Fault,
    Heal,
    SpeedUp(Place),
}

/// Faults come until then, in us; then all is well.
const FAULTS_US: u64 = 25_000_000;
/// Clients write until then.
const CLIENTS_US: u64 = 55_000_000;
/// The end.
const END_US: u64 = 60_000_000;

/// A world of servers.
pub struct World {
    rng: Rng,
    setup: Setup,
    now_us: u64,
    serial: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    servers: Vec<Server>,
    voters: usize,
    links: BTreeMap<LinkId, Link>,
    next_link: u64,
    /// Notifications on their way: only the newest of each pair.
    notices: BTreeMap<(Place, Place), Vec<u8>>,
    partition: Partition,
    /// Servers that crash when their disk ends its next operation, and for how long.
    doomed: BTreeMap<Place, u64>,
    checks: Checks,
    report: Report,
    pace: Pace,
}

/// Runs a seed to its end.
pub fn run(setup: Setup) -> Result<Report, Violation> {
    let attempt = std::panic::catch_unwind(|| World::new(setup).run());
    attempt.unwrap_or(Err(Violation::Panicked))
}

impl World {
    fn new(setup: Setup) -> Self {
        let mut rng = Rng::with_seed(setup.seed);
        let voters = if rng.u32(0..4) == 0 { 5 } else { 3 };
        let observers = usize::from(rng.u32(0..4) == 0);
        let mut world = Self {
            rng,
            setup,
            now_us: 0,
            serial: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            servers: (0..voters + observers).map(|_| Server::new()).collect(),
            voters,
            links: BTreeMap::new(),
            next_link: 0,
            notices: BTreeMap::new(),
            partition: Partition::default(),
            doomed: BTreeMap::new(),
            checks: Checks::default(),
            report: Report::default(),
            pace: Pace { tick_ms: 200, init_limit: 10, sync_limit: 5, reconnect_ms: 20 },
        };
        for place in 0..world.servers.len() {
            let delay_us = world.rng.u64(0..500_000);
            world.at(delay_us, Happening::Start(place));
        }
        world.at(1_000, Happening::Clients);
        world.at(1_000_000, Happening::Snapshot);
        world.at(2_000_000, Happening::Fault);
        world.at(FAULTS_US, Happening::Heal);
        world
    }

    fn at(&mut self, delay_us: u64, happening: Happening) {
        self.serial += 1;
        self.queue.push(Reverse((self.now_us + delay_us, self.serial)));
        self.happenings.insert(self.serial, happening);
    }

    fn tell(&self, line: impl FnOnce() -> String) {
        if self.setup.is_told {
            println!("{:>12.3} {}", self.now_us as f64 / 1000.0, line());
        }
    }

    fn latency_us(&mut self) -> u64 {
        match self.rng.u32(0..100) {
            0 => self.rng.u64(1_000..60_000),
            1..10 => self.rng.u64(300..3_000),
            _ => self.rng.u64(50..300),
        }
    }

    fn run(mut self) -> Result<Report, Violation> {
        while let Some(Reverse((time_us, serial))) = self.queue.pop() {
            if time_us > END_US {
                break;
            }
            self.now_us = time_us;
            self.report.events += 1;
            if let Some(happening) = self.happenings.remove(&serial) {
                self.happen(happening)?;
            }
        }
        let tail = self.checks.tail().zxid;
        for (place, server) in self.servers.iter().enumerate() {
            let shown = server.running.as_ref().map(|it| (it.zab.is_serving(), it.shown.zxid));
            if shown != Some((true, tail)) {
                let zxid = shown.unwrap_or_default().1;
                return Err(Violation::NotServing { place, zxid });
            }
        }
        self.checks.ended()?;
        self.report.acknowledged = self.checks.acknowledged_count();
        self.report.leaders = self.checks.leader_count();
        Ok(self.report)
    }

    /// Whether a happening concerns a server that is the same, runs, and is not paused; if it is
    /// paused, the happening comes later.
    fn is_there(&mut self, place: Place, boot: u32, happening: &Happening) -> bool {
        let server = &self.servers[place];
        if server.running.is_none() || server.boot != boot {
            return false;
        }
        if server.paused_until_us > self.now_us {
            let delay_us = server.paused_until_us - self.now_us;
            self.at(delay_us, happening.clone());
            return false;
        }
        true
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Start(place) => self.start(place),
            Happening::Arrive(link, side) => self.arrive(link, side),
            Happening::Notify(from, to) => self.arrive_notice(from, to),
            Happening::ElectionLink(from, to) => {
                if self.servers[from].running.is_some() && !self.partition.is_blocked(from, to) {
                    self.event(from, Event::ElectionLinkOpened(server_id(to)))?;
                }
                Ok(())
            }
            Happening::Connect { from, boot, to } => {
                let again = Happening::Connect { from, boot, to };
                if self.is_there(from, boot, &again) { self.connect(from, to) } else { Ok(()) }
            }
            Happening::DiskDone { place, boot, lane } => self.disk_done(place, boot, lane),
            Happening::LogRead { place, boot, link, position } => {
                let again = Happening::LogRead { place, boot, link, position };
                if !self.is_there(place, boot, &again) {
                    return Ok(());
                }
                let read = self.servers[place].disk.read(position);
                self.event(place, Event::LogRead(link, read))
            }
            Happening::SnapshotSent { place, boot, link } => {
                let again = Happening::SnapshotSent { place, boot, link };
                if !self.is_there(place, boot, &again) {
                    return Ok(());
                }
                self.event(place, Event::SnapshotSent(link))
            }
            Happening::Turn { place, boot } => {
                let again = Happening::Turn { place, boot };
                if !self.is_there(place, boot, &again) {
                    return Ok(());
                }
                self.turn(place)
            }
            Happening::Clients => self.clients_write(),
            Happening::Snapshot => {
                let place = self.rng.usize(0..self.servers.len());
                let server = &mut self.servers[place];
                if let Some(running) = &server.running {
                    server.disk.take_snapshot(running.shown.zxid);
                }
                let delay_us = self.rng.u64(10_000..2_000_000);
                self.at(delay_us, Happening::Snapshot);
                Ok(())
            }
            Happening::Fault => {
                let fault = faults::draw(&mut self.rng, self.servers.len());
                let delay_us = self.rng.u64(50_000..1_500_000);
                if self.now_us + delay_us < FAULTS_US {
                    self.at(delay_us, Happening::Fault);
                }
                self.fault(&fault);
                Ok(())
            }
            Happening::Heal => {
                self.heal();
                Ok(())
            }
            Happening::SpeedUp(place) => {
                self.servers[place].disk_us = DISK_US;
                Ok(())
            }
        }
    }

    fn start(&mut self, place: Place) -> Result<(), Violation> {
        if self.servers[place].running.is_some() {
            return Ok(());
        }
        let ids = (0..self.voters).map(server_id);
        let ensemble = Ensemble {
            me: server_id(place),
            quorum: Quorum::majority(ids),
            version: 0,
            text: (&b"version=0"[..]).into(),
        };
        self.tell(|| format!("{} starts", place + 1));
        let shown = self.servers[place].start(ensemble, self.pace, self.setup.plant);
        self.checks.has(place, shown)?;
        for other in 0..self.servers.len() {
            if other != place {
                let delay_us = self.latency_us();
                self.at(delay_us, Happening::ElectionLink(place, other));
                self.at(delay_us, Happening::ElectionLink(other, place));
            }
        }
        self.schedule_turn(place, 0);
        Ok(())
    }

    fn crash(&mut self, place: Place) {
        if self.servers[place].running.take().is_none() {
            return;
        }
        self.tell(|| format!("{} crashes", place + 1));
        let server = &mut self.servers[place];
        server.disk.crash(&mut self.rng);
        server.disk_busy_until_us = [self.now_us; 2];
        server.paused_until_us = 0;
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            for side in [Side::Dialer, Side::Acceptor] {
                let end = self.links.get(&id).map(|link| link.end(side));
                if end.is_some_and(|end| end.place == place && end.is_open) {
                    self.close_end(id, side);
                }
            }
        }
        self.notices.retain(|(from, to), _| *from != place && *to != place);
    }

    fn close_end(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.end_mut(side).is_open = false;
        if link.ends.iter().any(|end| end.is_open) {
            self.send(id, side.other(), Frame::End);
        } else {
            self.links.remove(&id);
        }
    }

    /// Puts a frame on its way to one end of a link.
    fn send(&mut self, id: LinkId, to: Side, frame: Frame) {
        let delay_us = self.latency_us();
        let now_us = self.now_us;
        let Some(link) = self.links.get_mut(&id) else { return };
        let inbox = &mut link.end_mut(to).inbox;
        let earliest_us = inbox.back().map_or(0, |(at_us, _)| *at_us);
        let at_us = (now_us + delay_us).max(earliest_us);
        inbox.push_back((at_us, frame));
        self.at(at_us - now_us, Happening::Arrive(id, to));
    }

    fn arrive(&mut self, id: LinkId, side: Side) -> Result<(), Violation> {
        let Some(link) = self.links.get(&id) else { return Ok(()) };
        let (end, other) = (link.end(side), link.end(side.other()));
        let (place, boot, from) = (end.place, end.boot, other.place);
        if !end.is_open || end.inbox.is_empty() {
            return Ok(());
        }
        let again = Happening::Arrive(id, side);
        if self.partition.is_blocked(from, place) {
            self.at(20_000, again);
            return Ok(());
        }
        if !self.is_there(place, boot, &again) {
            return Ok(());
        }
        let is_snapshot = matches!(end_inbox(&self.links[&id], side), Some(Frame::Snapshot(_)));
        let is_reading = self.running(place).is_some_and(|it| it.zab.is_reading(id));
        let is_receiving =
            self.running(place).is_some_and(|it| it.receiving.is_some_and(|(link, ..)| link == id));
        if !is_reading && !(is_snapshot && is_receiving) {
            let is_end = matches!(end_inbox(&self.links[&id], side), Some(Frame::End));
            if !is_end {
                self.at(1_000, again);
                return Ok(());
            }
        }
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let Some((_, frame)) = link.end_mut(side).inbox.pop_front() else { return Ok(()) };
        match frame {
            Frame::Bytes(bytes) => {
                link.end_mut(side).unread.extend_from_slice(&bytes);
                self.read(id, side, place)
            }
            Frame::Snapshot(state) => {
                let running = self.servers[place].running.as_mut();
                if let Some((_, zxid, epoch)) = running.and_then(|it| it.receiving) {
                    let base = crate::checks::State { zxid, ..state };
                    self.begin_disk(place, Operation::Receive(base, epoch));
                }
                Ok(())
            }
            Frame::End => {
                link.end_mut(side).is_open = false;
                if link.ends.iter().all(|end| !end.is_open) {
                    self.links.remove(&id);
                }
                self.event(place, Event::Closed(id))
            }
        }
    }

    /// Hands in the packets that have arrived, while they are taken.
    fn read(&mut self, id: LinkId, side: Side, place: Place) -> Result<(), Violation> {
        loop {
            let is_reading = self.running(place).is_some_and(|it| it.zab.is_reading(id));
            let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
            let end = link.end_mut(side);
            if !end.is_open || end.unread.is_empty() {
                return Ok(());
            }
            if !is_reading {
                // An empty frame comes back to what is left.
                end.inbox.push_front((0, Frame::Bytes(Vec::new())));
                self.at(1_000, Happening::Arrive(id, side));
                return Ok(());
            }
            let unread = std::mem::take(&mut end.unread);
            let limits = PacketLimits::default();
            let length = match side {
                Side::Dialer => {
                    let decoded = FromLeader::decode(&unread, limits).expect("a packet");
                    let (packet, length) = decoded.expect("a whole packet");
                    self.tell(|| format!("{} <- leader {packet:?}", place + 1));
                    match packet {
                        FromLeader::Diff { .. } => self.report.synchronized[0] += 1,
                        FromLeader::Trunc { .. } => self.report.synchronized[1] += 1,
                        FromLeader::Snap { .. } => self.report.synchronized[2] += 1,
                        _ => (),
                    }
                    self.event(place, Event::FromLeader(id, packet))?;
                    length
                }
                Side::Acceptor => {
                    let decoded = FromLearner::decode(&unread, limits).expect("a packet");
                    let (packet, length) = decoded.expect("a whole packet");
                    self.tell(|| format!("{} <- learner {packet:?}", place + 1));
                    self.event(place, Event::FromLearner(id, packet))?;
                    length
                }
            };
            if let Some(link) = self.links.get_mut(&id) {
                link.end_mut(side).unread = unread[length..].to_vec();
            }
        }
    }

    fn arrive_notice(&mut self, from: Place, to: Place) -> Result<(), Violation> {
        if !self.notices.contains_key(&(from, to)) {
            return Ok(());
        }
        let again = Happening::Notify(from, to);
        if self.partition.is_blocked(from, to) {
            self.at(50_000, again);
            return Ok(());
        }
        let boot = self.servers[to].boot;
        if self.servers[to].running.is_none() {
            self.notices.remove(&(from, to));
            return Ok(());
        }
        if !self.is_there(to, boot, &again) {
            return Ok(());
        }
        let Some(bytes) = self.notices.remove(&(from, to)) else { return Ok(()) };
        let said = Notification::decode(&bytes).expect("a notification");
        let notice = Notice::from(&said);
        self.tell(|| format!("{} <- {} {notice:?}", to + 1, from + 1));
        self.event(to, Event::Notification { from: server_id(from), notice })
    }

    fn connect(&mut self, from: Place, to: Place) -> Result<(), Violation> {
        let is_blocked = self.partition.is_blocked(from, to) || self.partition.is_blocked(to, from);
        if is_blocked || self.servers[to].running.is_none() {
            return self.event(from, Event::ConnectFailed);
        }
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let boots = (self.servers[from].boot, self.servers[to].boot);
        self.links.insert(id, Link::new((from, boots.0), (to, boots.1)));
        self.event(to, Event::Accepted(id))?;
        self.event(from, Event::Connected(id))
    }

    fn disk_done(&mut self, place: Place, boot: u32, lane: Lane) -> Result<(), Violation> {
        if !self.is_there(place, boot, &Happening::DiskDone { place, boot, lane }) {
            return Ok(());
        }
        if let Some(down_ms) = self.doomed.remove(&place) {
            self.crash(place);
            self.at(down_ms * 1_000, Happening::Start(place));
            return Ok(());
        }
        let Some(operation) = self.servers[place].disk.end_one(lane) else { return Ok(()) };
        match operation {
            Operation::Append(txns, _) => match txns.last() {
                Some(last) => self.event(place, Event::Durable(last)),
                None => Ok(()),
            },
            Operation::Epochs(_) => self.event(place, Event::EpochsStored),
            Operation::Cut(_) => {
                let server = &mut self.servers[place];
                let end = server.disk.history().end().zxid;
                if let Some(running) = &mut server.running {
                    running.memory.retain(|state| state.zxid <= end);
                }
                self.event(place, Event::LogCut(end))
            }
            Operation::Receive(base, _) => {
                let server = &mut self.servers[place];
                let Some(running) = &mut server.running else { return Ok(()) };
                let Some((link, ..)) = running.receiving.take() else { return Ok(()) };
                running.memory = [base].into();
                self.event(place, Event::SnapshotReceived(link))
            }
        }
    }

    fn fault(&mut self, fault: &Fault) {
        self.tell(|| format!("fault {fault:?}"));
        match fault {
            Fault::Crash(place, down_ms) => {
                self.crash(*place);
                self.at(down_ms * 1_000, Happening::Start(*place));
            }
            Fault::CrashAtDisk(place, down_ms) => {
                self.doomed.insert(*place, *down_ms);
            }
            Fault::PowerCut => {
                for place in 0..self.servers.len() {
                    self.crash(place);
                    let delay_us = self.rng.u64(0..2_000_000);
                    self.at(delay_us, Happening::Start(place));
                }
            }
            Fault::Pause(place, ms) => {
                self.servers[*place].paused_until_us = self.now_us + ms * 1_000;
            }
            Fault::CutOff(places, ms) => {
                for inside in places {
                    for outside in (0..self.servers.len()).filter(|it| !places.contains(it)) {
                        self.partition.block(*inside, outside);
                        self.partition.block(outside, *inside);
                    }
                }
                self.at(ms * 1_000, Happening::Heal);
            }
            Fault::Deaf(from, to, ms) => {
                self.partition.block(*from, *to);
                self.at(ms * 1_000, Happening::Heal);
            }
            Fault::BreakLink => {
                let ids: Vec<_> = self.links.keys().copied().collect();
                if let Some(&id) = self.rng.choice(&ids) {
                    // Both ends learn of it, each in its own time.
                    self.send(id, Side::Dialer, Frame::End);
                    self.send(id, Side::Acceptor, Frame::End);
                }
            }
            Fault::SlowDisk(place, ms) => {
                self.servers[*place].disk_us = 100 * DISK_US;
                self.at(ms * 1_000, Happening::SpeedUp(*place));
            }
        }
    }

    /// Everything arrives again; after the last fault all servers run, with disks as usual.
    fn heal(&mut self) {
        self.partition.heal();
        for one in 0..self.servers.len() {
            for other in (0..self.servers.len()).filter(|&it| it != one) {
                let delay_us = self.latency_us();
                self.at(delay_us, Happening::ElectionLink(one, other));
            }
        }
        if self.now_us >= FAULTS_US {
            self.doomed.clear();
            for place in 0..self.servers.len() {
                self.servers[place].paused_until_us = 0;
                self.servers[place].disk_us = DISK_US;
                self.at(0, Happening::Start(place));
            }
        }
    }
}

fn end_inbox(link: &Link, side: Side) -> Option<&Frame> {
    link.end(side).inbox.front().map(|(_, frame)| frame)
}

/// The id of the server at a place.
fn server_id(place: Place) -> ServerId {
    ServerId(place as i64 + 1)
}

/// The place of a server.
fn place_of(id: ServerId) -> Place {
    id.0 as Place - 1
}
