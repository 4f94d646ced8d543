//! What a run is, and how it went.

use engine::settings::LocalSessions;
use engine::zab::Plant;
use std::fmt;

/// What servers of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Agreement alone, over histories of hashes.
    Histories,
    /// Whole servers, with clients.
    Servers,
}

impl Kind {
    /// What a seed runs, unless the caller chooses.
    pub const fn of_seed(seed: u64) -> Self {
        if seed % 4 == 1 { Self::Servers } else { Self::Histories }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Histories => "histories",
            Self::Servers => "servers",
        })
    }
}

/// What a run is.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Everything is drawn from it.
    pub seed: u64,
    /// What runs.
    pub kind: Kind,
    /// A rule that is broken on purpose.
    pub plant: Option<Plant>,
    /// Whether everything that happens is printed to standard output.
    pub is_logged: bool,
}

impl Setup {
    /// Whether observers, where there are any, learn from followers: in half of the seeds.
    pub const fn has_masters(&self) -> bool {
        self.seed / 4 % 2 == 1
    }

    /// Whether sessions are local until they own a node: in a third of the seeds.
    pub const fn local_sessions(&self) -> LocalSessions {
        if self.seed / 4 % 3 == 2 { LocalSessions::Upgraded } else { LocalSessions::Off }
    }
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Txns that were acknowledged.
    pub acknowledged: usize,
    /// Leaders that there were.
    pub leaders: usize,
    /// Epochs that ended because they could have no more txns.
    pub full_epochs: u64,
    /// Syncs that were answered by leaders, in runs of histories.
    pub syncs: usize,
    /// Things that happened.
    pub events: u64,
    /// How servers were synchronized: by DIFF, TRUNC, SNAP.
    pub synchronized: [u64; 3],
    /// Sessions of clients that were made, resumed, and have expired.
    pub sessions: [u64; 3],
    /// Watches that fired.
    pub fired: u64,
    /// Configurations that were proposed.
    pub changes: u64,
    /// How often followers began to serve observers, and observers came to one.
    pub masters: u64,
    /// See [`Self::masters`].
    pub observing: u64,
    /// Writes and syncs that read-only servers refused.
    pub refused: u64,
}

impl Report {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.leaders += other.leaders;
        self.full_epochs += other.full_epochs;
        self.syncs += other.syncs;
        self.events += other.events;
        self.fired += other.fired;
        self.changes += other.changes;
        self.refused += other.refused;
        self.masters += other.masters;
        self.observing += other.observing;
        let sums = self.synchronized.iter_mut().chain(&mut self.sessions);
        for (sum, more) in sums.zip(other.synchronized.into_iter().chain(other.sessions)) {
            *sum += more;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [diff, trunc, snap] = self.synchronized;
        let [made, resumed, expired] = self.sessions;
        let Self { leaders, full_epochs, acknowledged, syncs, events, fired, refused, .. } = self;
        write!(
            f,
            "{leaders} leaders ({full_epochs} of them with as many txns as an epoch can have), \
             {acknowledged} writes acknowledged, {syncs} syncs, {events} events; learners \
             synchronized by DIFF {diff}, TRUNC {trunc}, SNAP {snap}; sessions made {made}, \
             resumed {resumed}, expired {expired}; {fired} watches fired; \
             {refused} requests refused by read-only servers; {} configurations; \
             {} observers came to {} masters",
            self.changes, self.observing, self.masters
        )
    }
}
