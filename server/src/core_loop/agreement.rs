//! What agreement asks of the machine: epochs and parts of the log on the disk, links to others.
//!
//! Performed here; decided by [`engine::zab`]. An error of the disk that leaves it open what was
//! stored ends the server: the next start reads what is there.
//!
//! Lives in: the core loop of the ordering role.

use super::catching_up::CatchingUp;
use super::history::History;
use super::inbox::{LoopInbox, LoopMessage};
use super::log_writer::Change;
use super::peers::{self, Lent, Peers};
use crate::admin::inquiry::{EnsembleReport, Mode, ObserverReport};
use crate::membership::Configured;
use crate::persist::{self, ReadJob, RestoreError, SnapshotBeside};
use engine::replica::{Event, Serving};
use engine::settings::Now;
use engine::zab::{self, Effect, LinkId, LogRead, Lost};
use model::server::ServerId;
use model::zxid::{Epochs, Zxid};
use ring::Queue;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use thiserror::Error;
use tracing::{error, info, warn};
use txlog::{Base, RecoverError};

/// Why a server of an ensemble cannot go on.
#[derive(Clone, Debug, Error)]
pub enum AgreementFailure {
    /// What was promised or accepted could not be stored.
    #[error("the epochs could not be stored, so that nothing can be promised to a leader: {0}")]
    Epochs(Arc<RestoreError>),
    /// A history that a leader has sent could not be put into the place of this server's.
    #[error("what the leader has sent could not take the place of this server's history: {0}")]
    Received(Arc<RestoreError>),
    /// What was committed does not fit the tree.
    #[error(
        "a txn that the ensemble has committed does not fit this server's tree: {0}; move its data \
         aside and start it empty: it gets a copy from its leader"
    )]
    Diverged(engine::ordering::ReplayError),
    /// The background takes no more work.
    #[error(transparent)]
    Background(Arc<disk::BackgroundError>),
}

/// What is under way for agreement.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// What is to happen to links, in order.
    pub(super) links: Vec<ForLinks>,
    /// Epochs to be stored once the log is not changing.
    epochs: Option<Epochs>,
    /// Parts of the log that wait for room on their link, or for a purge to end, and how many are
    /// being read.
    waiting: VecDeque<Wanted>,
    reading: usize,
    /// What learners are being sent.
    catching_up: CatchingUp,
    /// The leader that was connected to last, until that is given up.
    leader: Option<ServerId>,
    serving: Option<Serving>,
    failure: Option<AgreementFailure>,
}

/// A piece of the log that a learner needs.
#[derive(Debug)]
struct Wanted {
    link: LinkId,
    after: Zxid,
    /// Whether it decides how the learner begins.
    is_first: bool,
}

/// What is to happen to links.
#[derive(Debug)]
pub(super) enum ForLinks {
    /// An effect of agreement.
    Perform(Effect),
    /// The link is needed for a snapshot.
    Lend(LinkId),
    /// It is not needed any more.
    TakeBack(Box<Lent>),
}

impl UnderWay {
    /// The server has to end.
    pub(super) fn fail(&mut self, failure: AgreementFailure) {
        self.failure.get_or_insert(failure);
    }

    /// Whether a part of the log is being read, which a purge must not remove.
    pub(super) fn is_reading(&self) -> bool {
        self.reading > 0
    }
}

/// Agreement, for what happens to links at this time.
pub(super) struct Hearing<'a> {
    pub(super) history: &'a mut History,
    pub(super) now: Now,
}

impl peers::Agreement for Hearing<'_> {
    fn handle(&mut self, event: zab::Event<'_>) {
        if let zab::Event::Closed(link) = event {
            self.history.forget_reads(link);
            self.history.under_way.catching_up.forget(link);
            self.history.transfers.end(link);
        }
        self.history.handle(Event::Peer(event), self.now);
    }

    fn is_reading(&self, link: LinkId) -> bool {
        self.history.replica().is_reading(link)
    }
}

impl History {
    /// Why this server cannot be one of its ensemble any more.
    pub(super) fn agreement_failure(&self) -> Option<&AgreementFailure> {
        self.under_way.failure.as_ref()
    }

    /// Performs what agreement asks of the disk; keeps what it asks of links.
    pub(super) fn perform_for_agreement(
        &mut self,
        effect: Effect,
        inbox: &Arc<LoopInbox>,
        now: Now,
    ) {
        if let Some((link, caught_up)) = self.under_way.catching_up.see(&effect) {
            let learner = self.replica().zab().and_then(|zab| zab.learner_at(link));
            let learner = learner.map_or(-1, |learner| learner.0);
            info!("server {learner} was sent what it lacked: {caught_up}");
        }
        match effect {
            Effect::StoreEpochs(epochs) => {
                self.under_way.epochs = Some(epochs);
                self.maybe_store_epochs(inbox);
            }
            Effect::AskOracle => {
                let oracle = self.oracle.as_mut().expect("only a server with an oracle asks");
                oracle.ask(inbox);
            }
            Effect::CutLog(zxid) => {
                info!("the log is cut behind {zxid}, as the leader's history asks");
                self.begin_change(Change::Cut(zxid));
            }
            Effect::ReceiveSnapshot { link, zxid, epoch, is_fuzzy } => {
                self.receive_snapshot(link, Base { zxid, epoch }, is_fuzzy);
            }
            Effect::BeginEmpty(epoch) => self.begin_empty(epoch),
            Effect::ForgetSnapshot => self.forget_snapshot(),
            Effect::Close(link, _) => {
                self.forget_reads(link);
                self.transfers.end(link);
                self.under_way.links.push(ForLinks::Perform(effect));
            }
            Effect::ReadLog(link, after) => {
                let is_first = !self.under_way.catching_up.has_begun(link);
                self.under_way.waiting.push_back(Wanted { link, after, is_first });
            }
            Effect::Configured { ref current, ref next } => {
                if let Some(keeper) = &self.keeper {
                    let (current, next) = (current.clone(), next.clone());
                    keeper.follow(Configured { current, next });
                }
                self.under_way.links.push(ForLinks::Perform(effect));
            }
            Effect::Connect(_, to) | Effect::ConnectToMaster(_, to) => {
                self.under_way.leader = Some(to);
                self.under_way.links.push(ForLinks::Perform(effect));
            }
            Effect::Notify { .. } | Effect::OpenToObservers(_) | Effect::Send(..) => {
                self.under_way.links.push(ForLinks::Perform(effect));
            }
            other => unreachable!("{other:?} at {} ms", now.mono_ms),
        }
    }

    /// Stores epochs, if there are any to be stored, unless the log changes to another run: which
    /// history counts from these epochs on is decided before.
    pub(super) fn maybe_store_epochs(&mut self, inbox: &Arc<LoopInbox>) {
        if self.log.is_changing() {
            return;
        }
        let Some(epochs) = self.under_way.epochs.take() else { return };
        let inbox = inbox.clone();
        let notify = move |result| inbox.send(LoopMessage::EpochsStored(result));
        let directories = self.directories.clone();
        let begun = persist::store_epochs(&self.background, directories, epochs, notify);
        self.check_background(begun);
    }

    pub(super) fn check_background(&mut self, begun: Result<(), disk::BackgroundError>) {
        if let Err(error) = begun {
            let failure = AgreementFailure::Background(Arc::new(error));
            self.under_way.failure.get_or_insert(failure);
        }
    }

    /// Begins to read the parts of the log that are asked for by links that have room for them,
    /// unless a purge is under way.
    pub(super) fn read_log(&mut self, inbox: &Arc<LoopInbox>, has_room: impl Fn(LinkId) -> bool) {
        if self.is_purging() {
            return;
        }
        for wanted in std::mem::take(&mut self.under_way.waiting) {
            let Wanted { link, after, is_first } = wanted;
            if !has_room(link) {
                self.under_way.waiting.push_back(wanted);
                continue;
            }
            let beside = SnapshotBeside {
                directory: self.directories.snapshots.clone(),
                log_millionths: self.sent_log_millionths,
            };
            let job = ReadJob {
                directory: self.directories.log.clone(),
                after,
                through: self.durable_through(),
                beside: is_first.then_some(beside),
            };
            let inbox = inbox.clone();
            let notify = move |result| inbox.send(LoopMessage::LogRead(link, result));
            self.under_way.reading += 1;
            let begun = persist::read_log(&self.background, job, notify);
            self.check_background(begun);
        }
    }

    /// Nothing is read any more for a link that has ended.
    fn forget_reads(&mut self, ended: LinkId) {
        self.under_way.waiting.retain(|wanted| wanted.link != ended);
    }

    /// A part of the log has been read, or could not be.
    pub(super) fn log_read(
        &mut self,
        link: LinkId,
        result: Result<LogRead, RecoverError>,
        now: Now,
    ) {
        self.under_way.reading -= 1;
        let read = result.unwrap_or_else(|error| {
            error!("the log could not be read for a learner, which gets a snapshot: {error}");
            LogRead::Unavailable
        });
        self.handle(Event::Peer(zab::Event::LogRead(link, read)), now);
    }

    /// The oracle has answered.
    pub(super) fn oracle_said(&mut self, permits: bool, now: Now) {
        self.handle(Event::Peer(zab::Event::OracleSaid(permits)), now);
    }

    /// Epochs are stored, or could not be.
    pub(super) fn epochs_stored(&mut self, result: Result<(), RestoreError>, now: Now) {
        match result {
            Ok(()) => {
                self.handle(Event::Peer(zab::Event::EpochsStored), now);
                self.maybe_count_received();
            }
            Err(error) => self.under_way.fail(AgreementFailure::Epochs(Arc::new(error))),
        }
    }

    /// Does what is to happen to links, in order, and hands those to threads that are lent.
    pub(super) fn perform_on_links(
        &mut self,
        peers: &mut Peers,
        queue: &mut Queue<'_>,
        inbox: &Arc<LoopInbox>,
    ) {
        let mut links = std::mem::take(&mut self.under_way.links);
        if let Some(zab) = self.replica().zab()
            && let Some(epoch) = zab.leads()
        {
            peers.set_proposed(zab.history().last().max(Zxid::of_epoch(epoch)));
        }
        for what in links.drain(..) {
            match what {
                ForLinks::Perform(effect) => {
                    let Some(zab) = self.replica().zab() else { continue };
                    let left = peers.perform(queue, effect, zab.ensemble());
                    assert!(left.is_none(), "{left:?} is no effect of links");
                }
                ForLinks::Lend(link) => {
                    if !peers.lend(queue, link) {
                        self.transfers.end(link);
                    }
                }
                ForLinks::TakeBack(lent) => peers.take_back(queue, *lent),
            }
        }
        self.under_way.links = links;
        for lent in peers.take_lent() {
            if let Some(lent) = self.lent(lent, inbox) {
                peers.take_back(queue, lent);
            }
        }
    }

    /// What the leader has committed does not fit.
    pub(super) fn diverged(&mut self, error: engine::ordering::ReplayError) {
        self.under_way.failure.get_or_insert(AgreementFailure::Diverged(error));
    }

    /// Clients are served from now on, unless this server leads apart from them.
    pub(super) fn serve(&mut self, serving: Serving) {
        match serving {
            Serving::Leading(epoch) if self.leads_apart() => {
                info!("leading epoch {}; clients are not served (leaderServes=no)", epoch.0);
            }
            Serving::Leading(epoch) => info!("leading epoch {}", epoch.0),
            Serving::Following(_) => {
                let leader = self.replica().zab().and_then(zab::Zab::follows);
                info!("following server {}", leader.map_or(-1, |leader| leader.0));
            }
            Serving::ReadOnly => {
                info!("still looking for a leader: serving read-only clients");
                // From the tree that is served already.
                self.under_way.serving = Some(serving);
                return;
            }
        }
        self.under_way.serving = Some(serving);
        self.adopt_received();
        // The tree may be another one.
        self.renew_reader();
    }

    /// Clients are not served any more.
    pub(super) fn stop_serving(&mut self, why: Lost) {
        self.under_way.serving = None;
        self.meters.forget_in_flight();
        let leader = self.under_way.leader.take().map(|leader| leader.0);
        warn!(leader, "looking for a leader: {why}");
    }

    /// A leader was elected: read-only clients are not served any more.
    pub(super) fn end_read_only(&mut self) {
        self.under_way.serving = None;
        info!("a leader was elected: no longer serving read-only clients");
    }

    /// What the server is to its ensemble, for reports.
    pub(super) fn mode(&self) -> Mode {
        match (self.replica().zab(), self.under_way.serving) {
            (None, _) => Mode::Standalone,
            (Some(_), Some(Serving::Leading(_))) => Mode::Leader,
            (Some(_), Some(Serving::ReadOnly)) => Mode::ReadOnly,
            (Some(zab), _) if !zab.ensemble().is_observer() => Mode::Follower,
            (Some(_), _) => Mode::Observer,
        }
    }

    /// What is reported of the ensemble, if there is one.
    pub(super) fn ensemble_report(&self, now: Now) -> Option<EnsembleReport> {
        let (meters, replica) = (self.meters.agreement.as_ref()?, self.replica());
        Some(meters.report(replica.zab()?, replica.ordering(), now))
    }

    /// The observers that get everything committed from this server, in numbers.
    pub(super) fn observers(&self, peers: &Peers, now: Now) -> Vec<ObserverReport> {
        let Some(zab) = self.replica().zab() else { return Vec::new() };
        let learners = zab.learners().filter(|it| it.is_observer && it.is_in_broadcast());
        let mut traffic: BTreeMap<_, _> = peers.traffic().collect();
        let reports = learners.filter_map(|learner| {
            let traffic = traffic.remove(&learner.link)?;
            let age_ms = now.mono_ms.saturating_sub(traffic.since_ms) as i64;
            let (id, since_wall_ms) = (learner.id?, now.wall_ms - age_ms);
            Some(ObserverReport { id, since_wall_ms, traffic })
        });
        reports.collect()
    }

    /// Whether clients are served.
    pub(super) fn is_serving(&self) -> bool {
        self.replica().zab().is_none() || self.under_way.serving.is_some()
    }
}
