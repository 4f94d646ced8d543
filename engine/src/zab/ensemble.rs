//! An ensemble, as seen by one of its servers: its configurations, and how long servers wait.

use super::election::{NOTIFY_MS_MAX, NOTIFY_MS_MIN};
use super::history::History;
use super::learners::bounding::CatchUp;
use super::oracle::Oracle;
use super::plant::{Plant, Planted};
use crate::limits::EPOCH_TXNS_MAX;
use crate::zab::configuration::Configuration;
use model::server::ServerId;
use model::zxid::Zxid;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The configurations that count, seen from one server.
#[derive(Clone, Debug)]
pub struct Ensemble {
    /// This server.
    pub me: ServerId,
    /// The one in force.
    pub current: Arc<Configuration>,
    /// One that is proposed and not in force: until it is known to be committed or not, a quorum is
    /// one of both.
    pub next: Option<Arc<Configuration>>,
    /// Whether it may change while servers run (`reconfigEnabled`).
    pub can_change: bool,
    /// Whether followers serve observers, and observers learn from them (`observerMasterPort`).
    pub has_masters: bool,
    /// The oracle of this server, which lets one of two voters decide alone (`oraclePath`).
    pub oracle: Oracle,
    /// How learners catch up with this server.
    pub catch_up: CatchUp,
    /// So many txns an epoch has at most: [`crate::limits::EPOCH_TXNS_MAX`] in a server.
    pub epoch_txns_max: u32,
    /// Nothing, in a server.
    pub planted: Planted,
}

/// How long servers wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The unit of the limits, in ms (`tickTime`). Leaders ping twice in it.
    pub tick_ms: u64,
    /// Ticks until a learner must have connected and synchronized (`initLimit`).
    pub init_limit: u64,
    /// Ticks after which a silent server counts as lost (`syncLimit`).
    pub sync_limit: u64,
    /// Ticks until a learner must have reached its leader (`connectToLearnerMasterLimit`).
    pub connect_limit: u64,
    /// Between two attempts to connect to the leader, in ms (`leaderConnectDelayDuringRetryMs`).
    pub reconnect_ms: u64,
    /// How long an election waits for answers before it repeats its vote, in ms: at first
    /// (`fastleader.minNotificationInterval`), at least 1.
    pub notify_ms_min: u64,
    /// The same at most (`fastleader.maxNotificationInterval`), at least 1.
    pub notify_ms_max: u64,
    /// How long a leader without an epoch puts up with a voter that looks for a leader again, in ms
    /// (`leader.maxTimeToWaitForEpoch`); `None` until `init_limit` ends it.
    pub epoch_wait_ms: Option<u64>,
}

impl Pace {
    /// A pace of so many ms a tick and these limits in ticks; the rest is as by default.
    pub const fn of(tick_ms: u64, init_limit: u64, sync_limit: u64, reconnect_ms: u64) -> Self {
        Self {
            tick_ms,
            init_limit,
            sync_limit,
            connect_limit: init_limit,
            reconnect_ms,
            notify_ms_min: NOTIFY_MS_MIN,
            notify_ms_max: NOTIFY_MS_MAX,
            epoch_wait_ms: None,
        }
    }

    /// How long reaching the leader may take, in ms.
    pub const fn connect_ms(&self) -> u64 {
        self.tick_ms * self.connect_limit
    }

    /// How long connecting and synchronizing may take, in ms.
    pub const fn init_ms(&self) -> u64 {
        self.tick_ms * self.init_limit
    }

    /// How long a server may be silent, in ms.
    pub const fn sync_ms(&self) -> u64 {
        self.tick_ms * self.sync_limit
    }
}

impl Ensemble {
    /// That of a configuration that has not changed yet.
    pub fn new(me: ServerId, current: Configuration) -> Self {
        Self {
            me,
            current: Arc::new(current),
            next: None,
            can_change: false,
            has_masters: false,
            oracle: Oracle::Absent,
            catch_up: CatchUp::default(),
            epoch_txns_max: EPOCH_TXNS_MAX,
            planted: Planted::default(),
        }
    }

    /// The configuration that the history proposes last is the next one.
    pub(super) fn follow(&mut self, history: &History) {
        let proposed = history.proposed().map(|(_, it)| it).filter(|_| self.can_change);
        let next = proposed.filter(|it| it.version() > self.current.version());
        if next.map(|it| it.version()) != self.next.as_ref().map(|it| it.version()) {
            self.next = next.cloned();
        }
    }

    /// A configuration is in force; false if a later one is.
    pub(super) fn activate(&mut self, it: Arc<Configuration>, history: &mut History) -> bool {
        if it.version() <= self.current.version() {
            return false;
        }
        history.forget_proposed(it.version());
        self.current = it;
        self.follow(history);
        true
    }

    /// Whether the voters of which `is_in` holds are a quorum of one of the configurations.
    pub fn is_quorum_of_either(&self, is_in: impl Fn(ServerId) -> bool) -> bool {
        self.both().any(|it| it.quorum().is_quorum(&is_in))
    }

    /// What a quorum of each configuration holds.
    pub fn held(&self, held_by: impl Fn(ServerId) -> Option<Zxid>) -> Option<Zxid> {
        let held = self.both().map(|it| self.held_in(it, &held_by));
        held.min().flatten()
    }

    /// What a quorum of this configuration holds, or this server alone where it may decide alone.
    pub fn held_in(
        &self,
        it: &Configuration,
        held_by: impl Fn(ServerId) -> Option<Zxid>,
    ) -> Option<Zxid> {
        if self.decides_alone_in(it) { held_by(self.me) } else { it.quorum().held(held_by) }
    }

    /// Whether the configuration in force decides by the voters of which `is_in` holds.
    pub fn is_quorum_of_current(&self, is_in: impl Fn(ServerId) -> bool) -> bool {
        self.decides(&self.current, is_in)
    }

    /// Whether a configuration decides by the voters of which `is_in` holds: they are a quorum of
    /// it, or this server is among them and may decide alone.
    fn decides(&self, it: &Configuration, is_in: impl Fn(ServerId) -> bool) -> bool {
        it.quorum().is_quorum(&is_in) || self.decides_alone_in(it) && is_in(self.me)
    }

    fn decides_alone_in(&self, it: &Configuration) -> bool {
        self.oracle == Oracle::Permits && it.quorum().is_pair_with(self.me)
    }

    /// Whether this server is one of two voters, which an oracle may let decide alone.
    pub fn is_one_of_pair(&self) -> bool {
        self.both().any(|it| it.quorum().is_pair_with(self.me))
    }

    /// Whether a server that says that it leads is believed, though no quorum follows it: it may be
    /// alone because its oracle has permitted that.
    pub fn believes_leaders(&self) -> bool {
        self.oracle != Oracle::Absent && self.both().any(|it| it.quorum().is_pair())
    }

    /// Whether this server votes.
    pub fn is_voter(&self) -> bool {
        self.current.quorum().is_voter(self.me)
    }

    /// Whether this server takes part as an observer. One that no configuration names follows, as
    /// stock's do: it is about to join, or was removed.
    pub fn is_observer(&self) -> bool {
        self.current.is_observer(self.me)
    }

    /// The newest configuration: the one in force, or the one proposed.
    pub fn newest(&self) -> &Arc<Configuration> {
        self.next.as_ref().unwrap_or(&self.current)
    }

    /// The versions of both.
    pub(super) fn versions(&self) -> (i64, Option<i64>) {
        (self.current.version(), self.next.as_ref().map(|it| it.version()))
    }

    fn both(&self) -> impl Iterator<Item = &Configuration> {
        [Some(&self.current), self.next.as_ref()].into_iter().flatten().map(|it| &**it)
    }

    /// Whether a server votes in either.
    pub fn is_known_voter(&self, id: ServerId) -> bool {
        self.both().any(|it| it.quorum().is_voter(id))
    }

    /// Whether a server may be elected.
    pub fn may_lead(&self, id: ServerId) -> bool {
        self.both().any(|it| it.quorum().weight(id) != 0)
    }

    /// The voters of either, ascending.
    pub fn voters(&self) -> BTreeSet<ServerId> {
        self.both().flat_map(|it| it.quorum().voters()).collect()
    }

    /// Whether the voters of which `is_in` holds are a quorum of both.
    pub fn is_quorum(&self, is_in: impl Fn(ServerId) -> bool) -> bool {
        let is_next_ignored = self.planted.has(Plant::NextQuorumIgnored);
        let counts = self.both().take(if is_next_ignored { 1 } else { 2 });
        counts.into_iter().all(|it| self.decides(it, &is_in))
    }
}
