//! One run: everything that happens, in the order of a virtual clock.

mod changing;
mod clients;
mod links;
mod machines;
mod performing;
mod sessions;
mod setup;
mod squeeze;
mod stock;
mod whole;

pub use setup::{Kind, Report, Setup};

use crate::Place;
use crate::checks::{Checks, State, Violation};
use crate::disk::Lane;
use crate::faults;
use crate::network::{Link, Partition, Side};
use crate::server::{DISK_US, Server};
use crate::whole::WireId;
use changing::Changing;
use engine::limits::EPOCH_TXNS_MAX;
use engine::zab::{Attempt, Event, LinkId, Pace};
use fastrand::Rng;
use model::server::ServerId;
use sessions::{Service, Way};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::Write as _;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
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
        attempt: Attempt,
        to: Place,
        is_to_master: bool,
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
    /// Leaders propose other configurations.
    Change,
    /// A client of whole servers does something.
    Client(usize),
    /// What was sent over a client's connection arrives.
    Travelled(WireId, Way),
    /// A client closes a connection that it has left.
    Abandon(WireId),
    /// A whole server has written a snapshot.
    Saved {
        place: Place,
        boot: u32,
        state: State,
    },
    /// A server takes a snapshot of what it shows, and purges its log.
    Snapshot,
    Fault,
    Crash(Place, u64),
    /// A server loses its link to the leader.
    Leave(Place),
    /// A [`faults::Fault::Squeeze`] begins for a follower that comes back.
    Squeeze {
        leader: Place,
        chosen: Place,
        ms: u64,
    },
    /// All lose their power; this one, and the follower that holds most, stay away.
    SqueezeEnds(Place),
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
    /// Its configurations, where they change.
    changing: Changing,
    /// An observer that was given the id of the observer before it. It stays down once all is well.
    twin: Option<Place>,
    links: BTreeMap<LinkId, Link>,
    next_link: u64,
    /// Notifications on their way: only the newest of each pair.
    notices: BTreeMap<(Place, Place), Vec<u8>>,
    partition: Partition,
    /// Servers that crash when their disk ends its next operation, and for how long.
    doomed: BTreeMap<Place, u64>,
    /// The server that ends everybody's power when it has stored epochs.
    dooming: Option<Place>,
    /// The follower that a [`faults::Fault::Squeeze`] has chosen.
    squeezed: Option<Place>,
    /// Txns of an epoch.
    epoch_txns_max: u32,
    /// Whether observers learn from followers.
    has_masters: bool,
    /// Clients of whole servers.
    service: Service,
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
        let voters = if rng.bool() { 5 } else { 3 };
        let observers = usize::from(rng.u32(0..4) == 0);
        let is_whole = setup.kind == Kind::Servers;
        let has_twin = observers == 1 && rng.u32(0..4) == 0 && !is_whole;
        let stock = if is_whole { Vec::new() } else { stock_places(setup.seed, voters, &mut rng) };
        // In a quarter of those with servers of ours alone.
        let is_changing = !is_whole && stock.is_empty() && setup.seed % 4 == 2;
        let has_twin = has_twin && !is_changing;
        let outside = if is_changing { changing::OUTSIDE } else { 0 };
        let count = voters + observers + usize::from(has_twin) + outside;
        let short = if is_whole { 5 } else { 7 };
        let new = |place| Server::new(stock.contains(&place));
        let mut world = Self {
            rng,
            setup,
            now_us: 0,
            serial: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            servers: (0..count).map(new).collect(),
            voters,
            changing: Changing::new(is_changing),
            twin: has_twin.then(|| count - 1),
            links: BTreeMap::new(),
            next_link: 0,
            notices: BTreeMap::new(),
            partition: Partition::default(),
            doomed: BTreeMap::new(),
            dooming: None,
            squeezed: None,
            // In some worlds epochs are so short that several of them fill.
            epoch_txns_max: if setup.seed % 8 == short { 150 } else { EPOCH_TXNS_MAX },
            has_masters: setup.has_masters(),
            service: Service::default(),
            checks: Checks::default(),
            report: Report::default(),
            pace: Pace::of(200, 10, 5, 20),
        };
        for place in 0..world.servers.len() {
            let delay_us = world.rng.u64(0..500_000);
            world.at(delay_us, Happening::Start(place));
        }
        if is_whole {
            world.begin_clients();
        } else {
            world.at(1_000, Happening::Clients);
            world.at(1_000_000, Happening::Snapshot);
        }
        if is_changing {
            world.at(1_500_000, Happening::Change);
        }
        world.at(2_000_000, Happening::Fault);
        world.at(FAULTS_US, Happening::Heal);
        world
    }

    fn at(&mut self, delay_us: u64, happening: Happening) {
        self.serial += 1;
        self.queue.push(Reverse((self.now_us + delay_us, self.serial)));
        self.happenings.insert(self.serial, happening);
    }

    /// The id of the server at a place.
    fn id_of(&self, place: Place) -> ServerId {
        let twin = self.twin == Some(place);
        server_id(place - usize::from(twin))
    }

    /// The place of a server; of two that run and have one id, either.
    fn place_of(&mut self, id: ServerId) -> Place {
        let place = id.0 as Place - 1;
        let twin = self.twin.filter(|it| *it == place + 1 && self.running(*it).is_some());
        twin.filter(|_| self.rng.bool()).unwrap_or(place)
    }

    fn log(&self, line: impl FnOnce() -> String) {
        if self.setup.is_logged {
            let now_ms = self.now_us as f64 / 1000.0;
            // A reader that has seen enough closes the pipe.
            let _ = writeln!(std::io::stdout(), "{now_ms:>12.3} {}", line());
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
        let tail = self.checks.tail();
        let places = self.servers.iter().enumerate();
        for (place, server) in places.filter(|(place, _)| Some(*place) != self.twin) {
            let shown = server.running.as_ref().map(|it| (it.is_serving(), it.shown));
            let (is_serving, state) = shown.unwrap_or_default();
            if !is_serving || state.hash != tail.hash {
                return Err(Violation::NotServing { place, zxid: state.zxid });
            }
        }
        self.check_service()?;
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
            self.at(delay_us, *happening);
            return false;
        }
        true
    }

    fn take_snapshot(&mut self) {
        let place = self.rng.usize(0..self.servers.len());
        let server = &mut self.servers[place];
        if let Some(running) = &server.running {
            match server.disk.files() {
                Some(files) if running.is_serving() => files.take_snapshot(running.shown),
                Some(_) => (),
                None => server.disk.take_snapshot(running.shown.zxid),
            }
        }
        let delay_us = self.rng.u64(10_000..2_000_000);
        self.at(delay_us, Happening::Snapshot);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Start(place) => self.start(place),
            Happening::Arrive(link, side) => self.arrive(link, side),
            Happening::Notify(from, to) => self.arrive_notice(from, to),
            Happening::ElectionLink(from, to) => {
                if self.servers[from].running.is_some() && !self.partition.is_blocked(from, to) {
                    self.event(from, Event::ElectionLinkOpened(self.id_of(to)))?;
                }
                Ok(())
            }
            Happening::Connect { from, boot, attempt, to, is_to_master } => {
                let again = Happening::Connect { from, boot, attempt, to, is_to_master };
                if self.is_there(from, boot, &again) {
                    self.connect((from, to), attempt, is_to_master)
                } else {
                    Ok(())
                }
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
            Happening::Change => self.change(),
            Happening::Client(_)
            | Happening::Travelled(..)
            | Happening::Abandon(_)
            | Happening::Saved { .. } => self.happen_to_clients(happening),
            Happening::Snapshot
            | Happening::Fault
            | Happening::Crash(..)
            | Happening::Leave(_)
            | Happening::Squeeze { .. }
            | Happening::SqueezeEnds(_)
            | Happening::Heal
            | Happening::SpeedUp(_) => {
                self.befall(happening);
                Ok(())
            }
        }
    }

    /// What happens to clients of whole servers, and to the snapshots of those.
    fn happen_to_clients(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Client(client) => self.client_acts(client),
            Happening::Travelled(wire, way) => return self.travelled(wire, way),
            Happening::Abandon(wire) => self.abandon(wire),
            Happening::Saved { place, boot, state } => {
                if self.is_there(place, boot, &happening) {
                    return self.saved(place, state);
                }
            }
            other => panic!("{other:?} is not of clients"),
        }
        Ok(())
    }

    /// What happens to machines and their network.
    fn befall(&mut self, happening: Happening) {
        match happening {
            Happening::Snapshot => self.take_snapshot(),
            Happening::Fault => {
                let fault = faults::draw(&mut self.rng, self.servers.len());
                let delay_us = self.rng.u64(50_000..1_500_000);
                if self.now_us + delay_us < FAULTS_US {
                    self.at(delay_us, Happening::Fault);
                }
                self.fault(&fault);
            }
            Happening::Crash(place, down_ms) => self.crash_for(place, down_ms),
            Happening::Leave(place) => self.leave(place),
            Happening::Squeeze { leader, chosen, ms } => self.squeeze_behind(leader, chosen, ms),
            Happening::SqueezeEnds(leader) => self.end_squeeze(leader),
            Happening::Heal => self.heal(),
            Happening::SpeedUp(place) => self.servers[place].disk_us = DISK_US,
            other => panic!("{other:?} concerns a server"),
        }
    }
}

/// Which voters have stock's habits: in two of five seeds one of three, or one or two of five.
fn stock_places(seed: u64, voters: usize, rng: &mut Rng) -> Vec<Place> {
    if !matches!(seed % 5, 0 | 4) {
        return Vec::new();
    }
    let mut places: Vec<_> = (0..voters).collect();
    rng.shuffle(&mut places);
    places.truncate(rng.usize(1..=voters / 2));
    places
}

/// The id of the server at a place, unless it is a twin.
fn server_id(place: Place) -> ServerId {
    ServerId(place as i64 + 1)
}
