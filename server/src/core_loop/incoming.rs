//! A history that a leader has sent, on its way to the place of this server's own.
//!
//! The tree comes over a link (`transfers`), is stored as a received snapshot, the log begins a run
//! behind it, the tree is loaded from there, and agreement gets it. It counts once the epoch is
//! stored; until then agreement may call it void at any moment, and goes on at once: what is under
//! way then ends by itself, and the log changes back. Once clients are served the snapshot is
//! adopted.
//!
//! **Invariants**
//!
//! - While a received history is on its way, or counts and is not adopted, no snapshot is taken and
//!   no purge begins (guard: `Incoming::is_quiet`, asked before either).
//! - Epochs are stored while no change of the log is under way: what is void must not begin to
//!   count, and what counts must be there (guard: `History::maybe_store_epochs`).
//! - An error of the disk on this way ends the server: the next start has one history or the other
//!   (guard: `persist::received`, its tests).
//!
//! Lives in: the core loop of the ordering role.

use super::agreement::{AgreementFailure, ForLinks};
use super::history::History;
use super::inbox::{LoopInbox, LoopMessage};
use super::log_writer::Change;
use super::peers::Lent;
use super::transfers::{Arrived, Expected, Outcome, Purpose, Transferred};
use crate::persist::{self, RestoreError, StoreJob};
use crate::random;
use crate::threads;
use convert::import::Rebuilt;
use disk::BackgroundError;
use engine::pipeline::Head;
use engine::replica::Event;
use engine::settings::{Now, Settings};
use engine::state::State;
use engine::tree::{Advise, Pin, TreeSeed};
use engine::zab::{self, LinkId};
use model::zxid::{Epoch, Zxid};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::{info, warn};
use txlog::Base;

/// How a tree is made that comes from elsewhere.
pub(super) struct Making {
    /// The server's settings.
    pub(super) settings: Arc<Settings>,
    /// How the tree advises the kernel about its memory.
    pub(super) advise: Option<Advise>,
}

/// How far it has come.
enum Stage {
    /// It is coming over the link.
    Coming,
    /// It has come, and waits until nothing else works on the directory of snapshots.
    Here(Box<Rebuilt>),
    /// It is being stored; set to abandon that.
    Storing(Arc<AtomicBool>),
    /// The log begins a run behind it.
    Beginning,
    /// It is being loaded.
    Loading,
    /// Agreement has it.
    InUse,
}

struct OnTheWay {
    /// `None` for an empty history, which agreement has at once.
    link: Option<LinkId>,
    at: Base,
    stage: Stage,
}

/// What has come, and comes.
#[derive(Default)]
pub(super) struct Incoming {
    on_the_way: Option<OnTheWay>,
    /// The one that counts, and whose snapshot is to be adopted.
    unadopted: Option<Base>,
    /// Whether clients have been served since it counts.
    is_adoption_due: bool,
    /// Whether the background works on the directory of snapshots for this.
    is_busy: bool,
    /// Whether something is left of one that was void.
    has_remains: bool,
    /// The trees that are being loaded and not wanted any more come first.
    unwanted_loads: usize,
}

impl Incoming {
    /// Nothing comes; `unadopted` was not adopted before the start.
    pub(super) fn new(unadopted: Option<Base>) -> Self {
        Self { unadopted, ..Self::default() }
    }

    /// Whether the tree in use counts.
    pub(super) fn counts(&self) -> bool {
        self.on_the_way.is_none()
    }

    /// Whether snapshots may be taken and purged.
    pub(super) fn is_quiet(&self) -> bool {
        self.on_the_way.is_none() && self.unadopted.is_none() && !self.is_busy
    }

    /// Whether the background stores, removes or adopts a received snapshot.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Whether the log holds what agreement has yet to get.
    pub(super) fn is_loading(&self) -> bool {
        self.on_the_way.as_ref().is_some_and(|it| matches!(it.stage, Stage::Loading))
    }

    fn is_at(&self, is_stage: impl Fn(&Stage) -> bool) -> bool {
        self.on_the_way.as_ref().is_some_and(|it| is_stage(&it.stage))
    }
}

impl History {
    /// A snapshot is to be sent over a link.
    pub(super) fn send_snapshot(&mut self, link: LinkId, pin: Pin<State>) {
        self.transfers.ask(link, Purpose::Send(pin));
        self.under_way.links.push(ForLinks::Lend(link));
    }

    /// A snapshot comes over a link.
    pub(super) fn receive_snapshot(&mut self, link: LinkId, at: Base, is_fuzzy: bool) {
        let seed = random::bits().and_then(|first| Ok([first, random::bits()?]));
        let seed = match seed {
            Ok(seed) => TreeSeed(seed),
            Err(error) => return self.fail(RestoreError::Random(error)),
        };
        let zxid = at.zxid;
        info!("a snapshot at {zxid} comes from {}", self.leader());
        let types = self.making.settings.extended_types;
        self.transfers.ask(link, Purpose::Receive(Expected { seed, types, zxid, is_fuzzy }));
        self.under_way.links.push(ForLinks::Lend(link));
        let link = Some(link);
        self.incoming.on_the_way = Some(OnTheWay { link, at, stage: Stage::Coming });
    }

    /// The history is to be replaced by one without txns, which agreement has already.
    pub(super) fn begin_empty(&mut self, epoch: Epoch) {
        info!("the history is replaced by an empty one, as {} asks", self.leader());
        let at = Base { zxid: Zxid::ZERO, epoch };
        self.incoming.on_the_way = Some(OnTheWay { link: None, at, stage: Stage::InUse });
        self.begin_change(Change::Empty(epoch, self.making.settings.clone()));
    }

    /// What came last is void.
    pub(super) fn forget_snapshot(&mut self) {
        let Some(OnTheWay { link, stage, .. }) = self.incoming.on_the_way.take() else { return };
        info!("what came of a snapshot is void");
        match stage {
            Stage::Coming => link.into_iter().for_each(|link| self.transfers.end(link)),
            Stage::Here(rebuilt) => free(rebuilt),
            Stage::Storing(stop) => stop.store(true, Ordering::Relaxed),
            Stage::Loading => {
                self.incoming.unwanted_loads += 1;
                self.log.begin_change(Change::Forget);
            }
            Stage::Beginning | Stage::InUse => self.log.begin_change(Change::Forget),
        }
    }

    fn leader(&self) -> String {
        let leader = self.replica().zab().and_then(zab::Zab::follows);
        leader.map_or("a leader".to_owned(), |leader| format!("server {}", leader.0))
    }

    /// A link is there that was to be lent; comes back if it is not needed any more.
    pub(super) fn lent(&mut self, lent: Lent, inbox: &Arc<LoopInbox>) -> Option<Lent> {
        let init_ms = self.replica().zab().map_or(0, |zab| zab.pace().init_ms());
        let link = lent.link;
        match self.transfers.begin(lent, Duration::from_millis(init_ms.max(1)), inbox) {
            Ok(lent) => lent,
            Err(error) => {
                warn!("a snapshot cannot go over a link, which is closed: {error}");
                inbox.send(LoopMessage::LinkFailed(link));
                None
            }
        }
    }

    /// A link could not be used.
    pub(super) fn link_failed(&mut self, link: LinkId, now: Now) {
        let close = zab::Effect::Close(link, zab::CloseReason::Lost);
        self.under_way.links.push(ForLinks::Perform(close));
        self.handle(Event::Peer(zab::Event::Closed(link)), now);
    }

    /// A thread has done with a link.
    pub(super) fn transferred(&mut self, transferred: Transferred, now: Now) {
        let Transferred { lent, took, outcome } = transferred;
        let (link, from, took_ms) = (lent.link, lent.from, took.as_millis());
        self.transfers.ended(link);
        self.under_way.links.push(ForLinks::TakeBack(Box::new(lent)));
        match outcome {
            Outcome::Sent(zxid, Ok(bytes)) => {
                let learner = self.replica().zab().and_then(|zab| zab.learner_at(link));
                let learner = learner.map_or(-1, |learner| learner.0);
                info!(%from, bytes, took_ms, "a snapshot at {zxid} was sent to server {learner}");
                self.handle(Event::Peer(zab::Event::SnapshotSent(link)), now);
            }
            Outcome::Sent(zxid, Err(error)) => {
                warn!(%from, took_ms, "a snapshot at {zxid} could not be sent: {error}");
            }
            Outcome::Received(Ok(Arrived { rebuilt, through, bytes, txns })) => {
                if txns == 0 {
                    info!(%from, bytes, took_ms, "the snapshot has come");
                } else {
                    info!(
                        %from, bytes, took_ms,
                        "the snapshot has come, and the {txns} txns through {through} that were \
                         committed meanwhile"
                    );
                }
                match &mut self.incoming.on_the_way {
                    Some(it) if it.link == Some(link) => {
                        it.at.zxid = it.at.zxid.max(through);
                        it.stage = Stage::Here(rebuilt);
                    }
                    _ => free(rebuilt),
                }
            }
            Outcome::Received(Err(error)) => {
                warn!(%from, took_ms, "a snapshot could not be received: {error}");
            }
        }
    }

    /// Begins what can be begun now.
    pub(super) fn advance_incoming(&mut self, inbox: &Arc<LoopInbox>, now: Now) {
        while let Some(change) = self.log.take_changed() {
            match change {
                Change::Cut(at) => self.handle(Event::Peer(zab::Event::LogCut(at)), now),
                Change::Received(_) if self.incoming.is_at(|it| matches!(it, Stage::Beginning)) => {
                    self.load(inbox);
                }
                Change::Received(_) | Change::Empty(..) | Change::Forget => (),
            }
        }
        if self.incoming.is_busy || self.log.is_changing() {
            return;
        }
        if self.incoming.is_at(|it| matches!(it, Stage::Here(_))) {
            self.store(inbox);
        } else if self.incoming.on_the_way.is_none() {
            self.maybe_tidy(inbox);
        }
    }

    /// Removes what is void, or adopts what counts.
    fn maybe_tidy(&mut self, inbox: &Arc<LoopInbox>) {
        let (inbox, directories) = (inbox.clone(), self.directories.clone());
        if std::mem::take(&mut self.incoming.has_remains) {
            let notify = move |result| inbox.send(LoopMessage::ReceivedRemoved(result));
            let begun = persist::remove_received(&self.background, directories, notify);
            self.begun(begun);
        } else if std::mem::take(&mut self.incoming.is_adoption_due)
            && let Some(at) = self.incoming.unadopted
        {
            let notify = move |result| inbox.send(LoopMessage::Adopted(result));
            let begun = persist::adopt(&self.background, directories, at, notify);
            self.begun(begun);
        }
    }

    fn store(&mut self, inbox: &Arc<LoopInbox>) {
        let Some(it) = &mut self.incoming.on_the_way else { return };
        let stop = Arc::new(AtomicBool::new(false));
        let stage = std::mem::replace(&mut it.stage, Stage::Storing(stop.clone()));
        let Stage::Here(mut rebuilt) = stage else { return };
        // That of earlier ones is removed first.
        self.incoming.has_remains = false;
        let closed = rebuilt.close_unknown_acls();
        if !closed.is_empty() {
            warn!("nodes whose ACL the snapshot lacks are closed to clients: {closed:?}");
        }
        let job = StoreJob { rebuilt, at: it.at, directories: self.directories.clone(), stop };
        let inbox = inbox.clone();
        let notify = move |result| inbox.send(LoopMessage::ReceivedStored(result));
        let begun = persist::store_received(&self.background, job, notify);
        self.begun(begun);
    }

    /// The background has begun to work on the directory of snapshots.
    fn begun(&mut self, begun: Result<(), BackgroundError>) {
        self.incoming.is_busy = begun.is_ok();
        self.check_background(begun);
    }

    /// The tree is stored, or could not be.
    pub(super) fn received_stored(&mut self, result: Result<u64, RestoreError>) {
        self.incoming.is_busy = false;
        match &mut self.incoming.on_the_way {
            Some(it) if matches!(it.stage, Stage::Storing(_)) => match result {
                Ok(_) => {
                    it.stage = Stage::Beginning;
                    let at = it.at;
                    self.begin_change(Change::Received(at));
                }
                Err(error) => self.fail(error),
            },
            // It was abandoned.
            _ => self.incoming.has_remains = true,
        }
    }

    fn load(&mut self, inbox: &Arc<LoopInbox>) {
        let Some(it) = &mut self.incoming.on_the_way else { return };
        it.stage = Stage::Loading;
        let Making { settings, advise } = &self.making;
        let (settings, directories, inbox) =
            (settings.clone(), self.directories.clone(), inbox.clone());
        let notify = move |result| inbox.send(LoopMessage::ReceivedLoaded(result));
        let (at, background) = (it.at, &self.background);
        let begun = persist::load_received(background, directories, at, settings, *advise, notify);
        self.check_background(begun);
    }

    /// The tree is loaded, or could not be.
    pub(super) fn received_loaded(&mut self, result: Result<Box<Head>, RestoreError>, now: Now) {
        if self.incoming.unwanted_loads > 0 {
            self.incoming.unwanted_loads -= 1;
            return result.into_iter().for_each(discard);
        }
        let Some(it) = &mut self.incoming.on_the_way else { return };
        match (result, it.link) {
            (Ok(head), Some(link)) => {
                it.stage = Stage::InUse;
                let nodes = head.tree.node_count();
                info!(nodes, "the snapshot at {} takes the place of the history", it.at.zxid);
                self.handle(Event::SnapshotReceived { link, head }, now);
            }
            (Ok(head), None) => discard(head),
            (Err(error), _) => self.fail(error),
        }
    }

    /// What was left of a void one is removed, or could not be.
    pub(super) fn received_removed(&mut self, result: Result<(), RestoreError>) {
        self.incoming.is_busy = false;
        if let Err(error) = result {
            warn!("a void snapshot is not removed before the next one or start: {error}");
        }
    }

    /// Epochs are stored: what has come counts from now on, if agreement has accepted it.
    pub(super) fn maybe_count_received(&mut self) {
        let is_replacing = self.replica().zab().is_some_and(zab::Zab::is_replacing);
        if !is_replacing && self.incoming.is_at(|it| matches!(it, Stage::InUse)) {
            self.incoming.unadopted = self.incoming.on_the_way.take().map(|it| it.at);
            self.incoming.is_adoption_due = false;
        }
    }

    /// Clients are served: a history before the one that has come is not wanted any more.
    pub(super) fn adopt_received(&mut self) {
        self.incoming.is_adoption_due = true;
    }

    /// The snapshot is adopted, or could not be.
    pub(super) fn adopted(&mut self, result: Result<(), RestoreError>) {
        self.incoming.is_busy = false;
        match result {
            Ok(()) => self.incoming.unadopted = None,
            Err(error) => {
                warn!(
                    "no snapshot is taken and nothing is purged before clients are served anew, or \
                     the server is restarted: {error}"
                );
            }
        }
    }

    fn fail(&mut self, error: RestoreError) {
        self.under_way.fail(AgreementFailure::Received(Arc::new(error)));
    }
}

/// Frees a tree on a thread of its own, once nothing reads it any more.
pub(super) fn discard(head: Box<Head>) {
    on_a_thread(move || {
        while head.tree.is_shared() {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(head);
    });
}

fn free(rebuilt: Box<Rebuilt>) {
    on_a_thread(move || drop(rebuilt));
}

/// Without a thread it is done here: late is better than never.
fn on_a_thread(work: impl FnOnce() + Send + 'static) {
    let work = move || {
        disk::background::give_way();
        work();
    };
    if let Err(error) = threads::spawn("rk-discard", work) {
        warn!("a tree was freed by the core loop: {error}");
    }
}
