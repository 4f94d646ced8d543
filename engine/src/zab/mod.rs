//! Agreement: several servers keep one history, as ZooKeeper's atomic broadcast does it.
//!
//! A server *looks* for a leader, then leads, follows or observes; when that ends, it looks again.
//! The leader of an epoch makes a quorum's histories equal to its own, then proposes txns; one that
//! a quorum holds durably is committed, and is part of every later leader's history.
//!
//! Map, in reading order:
//!
//! - [`quorum`], [`configuration`], [`ensemble`]: who decides, and what counts while that changes;
//!   how long servers wait for each other;
//! - [`event`], [`effect`]: what agreement is notified of, and what it asks for;
//! - [`history`]: this server's log as positions;
//! - [`election`]: who should lead;
//! - `looking`: what servers say to each other without a leader;
//! - [`leading`], [`following`]: the two sides of a learner link, phase by phase; [`learners`]:
//!   what a server knows of those that learn from it; `mastering`, `masters`: followers that
//!   observers learn from;
//! - [`standing`]: what a leader decides a change of the configuration with;
//! - `report`: what it tells its caller, and announces to others;
//! - [`oracle`]: what lets one of two voters decide alone;
//! - [`plant`]: rules that a simulation breaks on purpose.
//!
//! **Invariants**
//!
//! - One leader an epoch; what is committed is in the history of every later leader; histories are
//!   equal through what is committed (guard: `tests/sim`).
//! - A server votes, and promises, only when everything handed to its log has ended (guard:
//!   `Zab::maybe_look`).
//! - A promise is forgotten by no crash: stored before it is given (guard: `tests/sim`).
//!
//! **What is deliberately not here**: what txns mean, sessions, clients (`replica`, `ordering`);
//! bytes of packets (`model::peer`); sockets, files. It handles txns by their zxids and passes
//! their bytes on.
//!
//! Lives in: the ordering role's core loop.

pub mod configuration;
mod context;
pub mod effect;
pub mod election;
pub mod ensemble;
pub mod event;
pub mod following;
pub mod history;
pub mod leading;
pub mod learners;
mod looking;
mod mastering;
mod masters;
pub mod oracle;
pub mod plant;
pub mod quorum;
mod report;
pub mod standing;
mod wire;
mod words;

#[cfg(test)]
mod tests;

pub use configuration::Configuration;
pub use effect::{CloseReason, Effect, Effects, Lost, Message, Notice, Part, Violation};
pub use ensemble::{Ensemble, Pace};
pub use event::{Attempt, Event, LinkId, LogRead};
pub use history::History;
pub use learners::bounding::{CatchUp, CatchingUp};
pub use oracle::Oracle;
pub use plant::{Plant, Planted};
pub use quorum::Quorum;
pub use report::Progress;
pub use standing::Standing;

use crate::limits::LEARNERS_MAX;
use context::Context;
use election::{Elected, Election};
use following::Following;
use leading::Leading;
use masters::Masters;
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a server's agreement is made of when it starts.
#[derive(Clone, Debug)]
pub struct ZabParts {
    /// The configuration in force.
    pub ensemble: Ensemble,
    /// Configurations that the log proposes behind what is known to be committed, with where;
    /// ascending.
    pub proposed: Vec<(Zxid, Arc<Configuration>)>,
    /// How long to wait for others.
    pub pace: Pace,
    /// The epochs on disk.
    pub epochs: Epochs,
    /// The last txn on disk.
    pub last: Zxid,
    /// The last one that is known to be committed.
    pub committed: Zxid,
    /// What cannot be cut away: the txn at which the oldest snapshot was taken.
    pub base: Zxid,
    /// Bytes of the newest txns that are kept in memory, for learners that were away for a moment.
    pub recent_bytes_max: usize,
    /// Whether this server may vote though it has no data: if not, they may be lost, and it only
    /// follows until it has some.
    pub is_empty_trusted: bool,
}

/// What a server does.
#[derive(Debug)]
enum Role {
    /// What the last role had under way has yet to end; nothing is said of the history meanwhile.
    Ending {
        /// A learner's part, whose snapshot may count or not.
        following: Option<Box<Following>>,
        /// What servers have said meanwhile.
        heard: BTreeMap<ServerId, Notice>,
    },
    /// It looks for a leader.
    Looking(Election),
    /// It leads.
    Leading(Box<Leading>),
    /// It follows, or observes.
    Following(Box<Following>),
}

/// The agreement of one server.
#[derive(Debug)]
pub struct Zab {
    ensemble: Ensemble,
    pace: Pace,
    epochs: Epochs,
    /// The epochs that are being stored.
    storing: Option<Epochs>,
    history: History,
    role: Role,
    /// The last round of elections that this server took part in.
    round: i64,
    /// Whom it follows, as it answers those that ask.
    elected: Option<Elected>,
    /// Attempts to connect to leaders so far.
    attempts: u64,
    /// Which observer master is next.
    masters: Masters,
    /// Links of servers that found this one to lead before it did; they are not read.
    early: BTreeSet<LinkId>,
    /// The leader that can be followed by a snapshot only, and its epoch.
    snapshot_of: Option<(ServerId, Epoch)>,
    /// What some server has promised that could not follow this one.
    later_promise: Epoch,
    /// Whether it votes without data.
    is_empty_trusted: bool,
    /// Who leads in the configuration that came into force, without an election.
    designated: Option<ServerId>,
    /// It does not look for a leader before, in ms of the monotonic clock.
    rests_until_ms: u64,
}

impl Zab {
    /// The agreement of a server that has just started; it begins to look for a leader at the end
    /// of its first turn.
    pub fn new(parts: ZabParts) -> Self {
        let ZabParts { mut ensemble, pace, mut epochs, .. } = parts;
        if ensemble.planted.has(Plant::PromiseForgotten) {
            epochs = Epochs::default().promise(epochs.current()).accept();
        }
        let mut history =
            History::new(parts.last, parts.committed, parts.base, parts.recent_bytes_max);
        parts.proposed.into_iter().for_each(|(zxid, it)| history.propose(zxid, it));
        history.forget_proposed(ensemble.current.version());
        ensemble.follow(&history);
        let heard = BTreeMap::new();
        Self {
            ensemble,
            pace,
            epochs,
            storing: None,
            history,
            role: Role::Ending { following: None, heard },
            round: 0,
            elected: None,
            attempts: 0,
            masters: Masters::default(),
            early: BTreeSet::new(),
            snapshot_of: None,
            later_promise: Epoch(0),
            is_empty_trusted: parts.is_empty_trusted,
            designated: None,
            rests_until_ms: 0,
        }
    }

    /// Handles one event and appends its effects to `effects`.
    ///
    /// # Panics
    /// If the caller reports something done that was not requested.
    pub fn handle(&mut self, now_ms: u64, event: Event<'_>, effects: &mut Effects) {
        let versions = self.ensemble.versions();
        let start = effects.count();
        self.decide(now_ms, event, effects);
        self.ensemble.follow(&self.history);
        if self.ensemble.versions() != versions {
            let (current, next) = (self.ensemble.current.clone(), self.ensemble.next.clone());
            effects.insert(start, Effect::Configured { current, next });
            if let Role::Following(_) = &self.role {
                for link in std::mem::take(&mut self.early) {
                    effects.push(Effect::Close(link, CloseReason::NotLeading));
                }
            }
            if let Role::Leading(leading) = &mut self.role {
                leading.standing_changed();
            }
        }
        if let Role::Leading(leading) = &mut self.role
            && let Some(standing) = leading.take_standing(&self.ensemble)
        {
            effects.push(Effect::Stand(Some(standing)));
        }
        self.maybe_ask(now_ms, effects);
    }

    fn decide(&mut self, now_ms: u64, event: Event<'_>, effects: &mut Effects) {
        match event {
            Event::ConfigurationHeard(configuration) => {
                self.heard_of(now_ms, configuration, effects);
            }
            Event::Notification { from, notice } => self.notified(now_ms, from, notice, effects),
            Event::ElectionLinkOpened(peer) => {
                if let Role::Looking(election) = &self.role
                    && self.ensemble.is_known_voter(peer)
                {
                    effects.notify(peer, election.notice());
                }
            }
            Event::Accepted(link) => self.accepted(now_ms, link, effects),
            Event::ObserverAccepted(link) => {
                self.in_role(now_ms, effects, |role, context| match role {
                    Role::Following(following) => following.observer_accepted(link, context),
                    _ => context.effects.push(Effect::Close(link, CloseReason::NotLeading)),
                });
            }
            Event::Closed(link) => self.link_closed(now_ms, link, effects),
            Event::EpochsStored => {
                let stored = self.storing.take().expect("epochs were to be stored");
                self.epochs = stored;
                self.in_role(now_ms, effects, |role, context| match role {
                    Role::Leading(leading) => leading.epochs_stored(context),
                    Role::Following(following) => following.epochs_stored(context),
                    Role::Ending { following: Some(following), .. } => {
                        following.epochs_stored(context);
                    }
                    Role::Ending { .. } | Role::Looking(_) => (),
                });
            }
            Event::Durable(zxid) => {
                self.history.set_durable(zxid);
                self.in_role(now_ms, effects, |role, context| match role {
                    Role::Leading(leading) => leading.durable(),
                    Role::Following(following) => following.durable(context),
                    Role::Ending { .. } | Role::Looking(_) => (),
                });
            }
            Event::LogCut(end) => self.in_role(now_ms, effects, |role, context| match role {
                Role::Following(following) | Role::Ending { following: Some(following), .. } => {
                    following.log_cut(end, context);
                }
                _ => panic!("the log was cut without a request"),
            }),
            Event::OracleSaid(permits) => self.oracle_said(now_ms, permits, effects),
            Event::TurnEnded => self.end_turn(now_ms, effects),
            Event::Connected(..)
            | Event::ConnectFailed(_)
            | Event::FromLearner(..)
            | Event::FromLeader(..)
            | Event::LogRead(..)
            | Event::SnapshotSent(_)
            | Event::SnapshotReceived(..)
            | Event::Sealed(_)
            | Event::Confirm(_) => self.on_link(now_ms, event, effects),
        }
    }

    /// A server has connected to the quorum port. It may have found this one to lead before it
    /// did: then it waits.
    fn accepted(&mut self, now_ms: u64, link: LinkId, effects: &mut Effects) {
        let is_changing = self.ensemble.next.is_some();
        let refusal = match &mut self.role {
            // In the configuration that is proposed this server may be the one that leads.
            Role::Following(_) if is_changing && self.early.len() < LEARNERS_MAX => {
                self.early.insert(link);
                None
            }
            Role::Following(_) => Some(CloseReason::NotLeading),
            Role::Leading(leading) if leading.learners().count() < LEARNERS_MAX => {
                leading.accepted(link, now_ms);
                None
            }
            Role::Looking(_) | Role::Ending { .. } if self.early.len() < LEARNERS_MAX => {
                self.early.insert(link);
                None
            }
            Role::Leading(_) | Role::Looking(_) | Role::Ending { .. } => {
                Some(CloseReason::TooManyLinks)
            }
        };
        if let Some(why) = refusal {
            effects.push(Effect::Close(link, why));
        }
    }

    /// What concerns the links of a role that is in force.
    fn on_link(&mut self, now_ms: u64, event: Event<'_>, effects: &mut Effects) {
        let mut lost = Ok(());
        self.in_role(now_ms, effects, |role, context| match (role, event) {
            (Role::Leading(leading), Event::FromLearner(link, packet)) => {
                lost = leading.handle(link, &packet, context);
            }
            (Role::Leading(leading), Event::LogRead(link, read)) => {
                leading.log_read(link, read, context);
            }
            (Role::Leading(leading), Event::SnapshotSent(link)) => {
                leading.snapshot_sent(link, context);
            }
            (Role::Leading(leading), Event::Sealed(txns)) => leading.propose(txns, context),
            (Role::Leading(leading), Event::Confirm(number)) => leading.confirm(number, context),
            (Role::Following(following), Event::FromLearner(link, packet)) => {
                following.observer_said(link, &packet, context);
            }
            (Role::Following(following), Event::LogRead(link, read)) => {
                following.log_read(link, read, context);
            }
            (Role::Following(following), Event::SnapshotSent(link)) => {
                following.snapshot_sent(link, context);
            }
            (Role::Following(following), Event::FromLeader(link, packet))
                if following.link() == Some(link) =>
            {
                lost = following.handle(&packet, context);
            }
            (Role::Following(following), Event::Connected(attempt, link)) => {
                following.connected(attempt, link, context);
            }
            (Role::Following(following), Event::ConnectFailed(attempt)) => {
                following.connect_failed(attempt, context);
            }
            (Role::Following(following), Event::SnapshotReceived(link, through))
                if following.link() == Some(link) =>
            {
                following.snapshot_received(through, context);
            }
            (_, Event::Connected(_, link)) => {
                context.effects.push(Effect::Close(link, CloseReason::Lost));
            }
            // Of a role that has ended meanwhile.
            _ => (),
        });
        if let Err(why) = lost {
            self.lose(why, effects);
        }
    }

    fn in_role(
        &mut self,
        now_ms: u64,
        effects: &mut Effects,
        part: impl FnOnce(&mut Role, &mut Context<'_>),
    ) {
        let Self { ensemble, pace, history, storing, attempts, masters, role, .. } = self;
        let pace = *pace;
        let mut context =
            Context { ensemble, pace, history, storing, attempts, masters, effects, now_ms };
        part(role, &mut context);
    }

    fn link_closed(&mut self, now_ms: u64, link: LinkId, effects: &mut Effects) {
        self.early.remove(&link);
        match &mut self.role {
            Role::Leading(leading) => leading.closed(link, &self.ensemble),
            Role::Following(following) if following.link() == Some(link) => {
                // A leader sends observers away while too many catch up: they come back, not at
                // once.
                if following.is_observer() && !following.is_serving() {
                    self.rests_until_ms = now_ms + self.pace.reconnect_ms;
                }
                self.lose(Lost::LinkClosed, effects);
            }
            Role::Following(following) => following.observer_closed(link),
            Role::Looking(_) | Role::Ending { .. } => (),
        }
    }

    /// Abandons the role: links are closed, and once nothing is under way the server looks again.
    fn lose(&mut self, why: Lost, effects: &mut Effects) {
        let ending = Role::Ending { following: None, heard: BTreeMap::new() };
        let following = match std::mem::replace(&mut self.role, ending) {
            Role::Leading(leading) => {
                leading.end(effects);
                None
            }
            Role::Following(mut following) => {
                following.close(effects);
                Some(following)
            }
            Role::Looking(_) | Role::Ending { .. } => None,
        };
        self.elected = None;
        match why {
            Lost::Reconfigured { leader } => self.designated = leader,
            Lost::CutBelowSnapshot { leader, epoch } => self.snapshot_of = Some((leader, epoch)),
            Lost::LaterPromise { promised, .. } => {
                self.later_promise = self.later_promise.max(promised);
            }
            _ => (),
        }
        self.role = Role::Ending { following, heard: BTreeMap::new() };
        if self.ensemble.can_change {
            effects.push(Effect::Stand(None));
        }
        effects.push(Effect::Look(why));
    }

    fn end_turn(&mut self, now_ms: u64, effects: &mut Effects) {
        let mut lost = Ok(());
        let mut elected = None;
        self.in_role(now_ms, effects, |role, context| match role {
            Role::Leading(leading) => lost = leading.end_turn(context),
            Role::Following(following) => {
                lost = following.end_turn(context).and_then(|()| following.tick(context));
            }
            Role::Looking(election) => {
                elected = election.tick(context.ensemble, now_ms, context.effects);
            }
            Role::Ending { .. } => (),
        });
        if let Some(elected) = elected {
            self.join(now_ms, elected, effects);
        }
        if let Err(why) = lost {
            self.lose(why, effects);
        }
        self.maybe_look(now_ms, effects);
    }
}
