//! A server of the simulation: the engine's value, its disk, and what it has in memory.

use crate::Place;
use crate::checks::State;
use crate::disk::Disk;
use crate::stock::Stock;
use crate::stock::follower::{Follower, Step};
use crate::whole::image::Image;
use crate::whole::{Whole, WholeParts};
use engine::settings::{LocalSessions, Now};
use engine::zab::{Configuration, Effects, Ensemble, LinkId, Pace, Zab, ZabParts};
use model::zxid::{Epoch, Epochs, Zxid};
use std::collections::VecDeque;
use std::sync::Arc;

/// What decides in a server.
#[derive(Debug)]
pub enum Body {
    /// Its agreement alone. A stock server's knows nothing while that follows.
    Agreement(Box<Zab>),
    /// All of it, with clients.
    Whole(Box<Whole>),
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// What decides.
    pub body: Body,
    /// What a stock server has besides.
    pub stock: Option<Stock>,
    /// The states of its history since it started: a snapshot's, then one a txn.
    pub memory: VecDeque<State>,
    /// Through where its clients see the history.
    pub shown: State,
    /// The epoch that it leads, and its last counter.
    pub leads: Option<(Epoch, u32)>,
    /// The txns of its own clients that are not answered yet.
    pub asked: VecDeque<Zxid>,
    /// The syncs of its clients that are not answered yet: the number of the confirmation that each
    /// needs, and the last txn that any client had been acknowledged when it came.
    pub syncs: VecDeque<(u64, Zxid)>,
    /// Confirmations asked for in this epoch.
    pub confirmations: u64,
    /// The link that a snapshot is coming over.
    pub receiving: Option<(LinkId, Zxid, Epoch)>,
    /// When its next turn ends, in us, if one has begun.
    pub turn_us: Option<u64>,
}

/// What a whole server starts with, besides its disk.
#[derive(Debug)]
pub struct WholeStart<'a> {
    /// The tree of its snapshot.
    pub base: Option<&'a Image>,
    /// Whether its sessions are local.
    pub local_sessions: LocalSessions,
    /// Txns after which it takes a snapshot.
    pub snapshot_txns: u64,
    /// Count of its shards.
    pub shards: u16,
    /// The time.
    pub now: Now,
}

/// A server, running or not.
#[derive(Debug)]
pub struct Server {
    /// Its disk.
    pub disk: Disk,
    /// How often it has started.
    pub boot: u32,
    /// What it is while it runs.
    pub running: Option<Running>,
    /// Nothing happens in it before this time, in us.
    pub paused_until_us: u64,
    /// How long an operation of its disk takes, in us, about.
    pub disk_us: u64,
    /// When each file is done with what was begun, in us.
    pub disk_busy_until_us: [u64; 2],
    /// What was to be done last; empty between events.
    pub effects: Effects,
}

/// So little that learners often need the log.
const RECENT_BYTES_MAX: usize = 200;

/// The usual pace of a disk, in us.
pub const DISK_US: u64 = 2_000;

/// The pace of a slow one, in us.
pub const SLOW_DISK_US: u64 = 100 * DISK_US;

impl Server {
    /// One that has never run, of ours or with stock's habits.
    pub fn new(is_stock: bool) -> Self {
        Self {
            disk: if is_stock { Disk::stock() } else { Disk::default() },
            boot: 0,
            running: None,
            paused_until_us: 0,
            disk_us: DISK_US,
            disk_busy_until_us: [0; 2],
            effects: Effects::default(),
        }
    }

    /// Starts it, from what is on its disk; a whole server if there is what that needs.
    pub fn start(
        &mut self,
        (ensemble, proposed): (Ensemble, Vec<(Zxid, Arc<Configuration>)>),
        pace: Pace,
        whole: Option<&WholeStart<'_>>,
    ) -> State {
        self.boot += 1;
        if let Some((states, last)) = self.disk.files().map(|it| it.load()) {
            return self.start_stock(ensemble, pace, states, last);
        }
        let stored = self.disk.history();
        let last = stored.end().zxid;
        let committed = stored.committed.min(last);
        let zab = ZabParts {
            ensemble,
            pace,
            epochs: self.disk.epochs(),
            last,
            committed,
            base: stored.base.zxid,
            recent_bytes_max: RECENT_BYTES_MAX,
            is_empty_trusted: true,
            proposed,
        };
        let states = stored.records.iter().map(|(state, _)| *state);
        let memory: VecDeque<_> = std::iter::once(stored.base).chain(states).collect();
        // A snapshot may be newer than what is known to be committed: nothing is shown of it yet.
        let is_known = committed >= stored.base.zxid;
        let shown = if is_known { stored.at(committed) } else { State::default() };
        let body =
            if let Some(&WholeStart { base, local_sessions, snapshot_txns, shards, now }) = whole {
                let parts =
                    WholeParts { zab, stored, base, local_sessions, snapshot_txns, shards, now };
                Body::Whole(Box::new(Whole::start(parts)))
            } else {
                Body::Agreement(Box::new(Zab::new(zab)))
            };
        self.running = Some(Running::new(body, memory, shown, None));
        shown
    }

    fn start_stock(
        &mut self,
        ensemble: Ensemble,
        pace: Pace,
        memory: VecDeque<State>,
        last: Zxid,
    ) -> State {
        let mut epochs = self.disk.epochs();
        let logged = last.epoch();
        if logged > epochs.current() {
            epochs = Epochs::new(epochs.promised(), logged).expect("promised before it is logged");
            self.disk.set_epochs(epochs);
        }
        let zab = stock_zab(ensemble, pace, epochs, last);
        let shown = State::default();
        let body = Body::Agreement(Box::new(zab));
        self.running = Some(Running::new(body, memory, shown, Some(Stock::new(last))));
        shown
    }
}

/// The agreement of a stock server that looks for a leader, with everything in memory: what of it
/// is committed is not known.
pub fn stock_zab(ensemble: Ensemble, pace: Pace, epochs: Epochs, last: Zxid) -> Zab {
    Zab::new(ZabParts {
        ensemble,
        pace,
        epochs,
        last,
        committed: Zxid::ZERO,
        base: Zxid::ZERO,
        recent_bytes_max: RECENT_BYTES_MAX,
        is_empty_trusted: true,
        proposed: Vec::new(),
    })
}

impl Running {
    fn new(body: Body, memory: VecDeque<State>, shown: State, stock: Option<Stock>) -> Self {
        Self {
            body,
            stock,
            memory,
            shown,
            leads: None,
            asked: VecDeque::new(),
            syncs: VecDeque::new(),
            confirmations: 0,
            receiving: None,
            turn_us: None,
        }
    }

    /// Its agreement.
    pub fn zab(&self) -> &Zab {
        match &self.body {
            Body::Agreement(zab) => zab,
            Body::Whole(whole) => whole.replica.zab().expect("it is of an ensemble"),
        }
    }

    /// The whole server, if it is one.
    pub fn whole(&mut self) -> Option<&mut Whole> {
        match &mut self.body {
            Body::Agreement(_) => None,
            Body::Whole(whole) => Some(whole),
        }
    }

    /// A stock server's part while it follows.
    pub fn stock_following(&self) -> Option<&Follower> {
        self.stock.as_ref().and_then(|it| it.following.as_ref())
    }

    /// Whether clients are served.
    pub fn is_serving(&self) -> bool {
        match self.stock_following() {
            Some(follower) => follower.step() == Step::Broadcast,
            None => self.zab().is_serving(),
        }
    }

    /// Whether a link is read.
    pub fn is_reading(&self, link: LinkId) -> bool {
        match self.stock_following() {
            Some(follower) if follower.link == Some(link) => follower.is_reading(),
            Some(_) => true,
            None => self.zab().is_reading(link),
        }
    }

    /// When time alone is an event, in ms.
    pub fn deadline_ms(&self, pace: Pace) -> u64 {
        match self.stock_following() {
            Some(follower) => follower.deadline_ms(pace),
            None => match &self.body {
                Body::Agreement(zab) => zab.deadline_ms(),
                Body::Whole(whole) => whole.deadline_ms(),
            },
        }
    }

    /// The last txn on disk, about.
    pub fn durable(&self) -> Zxid {
        match (&self.stock, self.stock_following()) {
            (Some(stock), Some(_)) => stock.last,
            _ => self.zab().history().durable(),
        }
    }

    /// The state at a position, or at the last one before it.
    pub fn at(&self, zxid: Zxid) -> State {
        let count = self.memory.partition_point(|state| state.zxid <= zxid);
        self.memory[count.saturating_sub(1)]
    }

    /// How far it has come, for a conversation's line.
    pub fn summary(&self, place: Place) -> String {
        let history = self.zab().history();
        format!(
            "{}: last {} durable {} committed {} shown {}",
            place + 1,
            history.last(),
            history.durable(),
            history.committed(),
            self.shown.zxid
        )
    }
}
