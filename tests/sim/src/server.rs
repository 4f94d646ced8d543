//! A server of the simulation: the engine's value, its disk, and what it has in memory.

use crate::Place;
use crate::checks::State;
use crate::disk::Disk;
use engine::zab::{Effects, Ensemble, LinkId, Pace, Zab, ZabParts};
use model::zxid::{Epoch, Zxid};
use std::collections::VecDeque;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Its agreement.
    pub zab: Zab,
    /// The states of its history since it started: a snapshot's, then one a txn.
    pub memory: VecDeque<State>,
    /// Through where its clients see the history.
    pub shown: State,
    /// The epoch that it leads, and its last counter.
    pub leads: Option<(Epoch, u32)>,
    /// The txns of its own clients that are not answered yet.
    pub asked: VecDeque<Zxid>,
    /// The link that a snapshot is coming over.
    pub receiving: Option<(LinkId, Zxid, Epoch)>,
    /// When its next turn ends, in us, if one has begun.
    pub turn_us: Option<u64>,
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
    /// One that has never run.
    pub fn new() -> Self {
        Self {
            disk: Disk::default(),
            boot: 0,
            running: None,
            paused_until_us: 0,
            disk_us: DISK_US,
            disk_busy_until_us: [0; 2],
            effects: Effects::default(),
        }
    }

    /// Starts it, from what is on its disk.
    pub fn start(&mut self, ensemble: Ensemble, pace: Pace) -> State {
        self.boot += 1;
        let stored = self.disk.history();
        let last = stored.end().zxid;
        let committed = stored.committed.min(last);
        let zab = Zab::new(ZabParts {
            ensemble,
            pace,
            epochs: self.disk.epochs(),
            last,
            committed,
            base: stored.base.zxid,
            recent_bytes_max: RECENT_BYTES_MAX,
        });
        let states = stored.records.iter().map(|(state, _)| *state);
        let memory = std::iter::once(stored.base).chain(states).collect();
        // A snapshot may be newer than what is known to be committed: nothing is shown of it yet.
        let is_known = committed >= stored.base.zxid;
        let shown = if is_known { stored.at(committed) } else { State::default() };
        self.running = Some(Running {
            zab,
            memory,
            shown,
            leads: None,
            asked: VecDeque::new(),
            receiving: None,
            turn_us: None,
        });
        shown
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Running {
    /// The state at a position, or at the last one before it.
    pub fn at(&self, zxid: Zxid) -> State {
        let count = self.memory.partition_point(|state| state.zxid <= zxid);
        self.memory[count.saturating_sub(1)]
    }

    /// How far it has come, for a conversation's line.
    pub fn summary(&self, place: Place) -> String {
        let history = self.zab.history();
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
