//! What agreement asks of the machine: epochs and parts of the log on the disk, links to others.
//!
//! Performed here; decided by [`engine::zab`]. An error of the disk that leaves it open what was
//! stored ends the server: the next start reads what is there.
//!
//! Lives in: the core loop of the ordering role.

use super::history::History;
use super::inbox::{LoopInbox, LoopMessage};
use super::peers;
use crate::admin::inquiry::Mode;
use crate::persist::{self, ReadJob};
use engine::replica::{Event, Serving};
use engine::settings::Now;
use engine::zab::{self, Effect, LinkId, LogRead, Lost};
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;
use thiserror::Error;
use tracing::{error, info, warn};
use txlog::{EpochsError, RecoverError};

/// Why a server of an ensemble cannot go on.
#[derive(Clone, Debug, Error)]
pub enum AgreementFailure {
    /// What was promised or accepted could not be stored.
    #[error("the epochs could not be stored, so that nothing can be promised to a leader: {0}")]
    Epochs(EpochsError),
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
    /// Effects of links, to be performed by whoever has them.
    pub(super) links: Vec<Effect>,
    /// Parts of the log that wait for room on their link, or for a purge to end, and how many are
    /// being read.
    waiting: VecDeque<(LinkId, Zxid)>,
    reading: usize,
    serving: Option<Serving>,
    failure: Option<AgreementFailure>,
}

impl UnderWay {
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
        }
        self.history.handle(Event::Peer(event), self.now);
    }

    fn is_reading(&self, link: LinkId) -> bool {
        self.history.replica().zab().is_some_and(|zab| zab.is_reading(link))
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
        match effect {
            Effect::StoreEpochs(epochs) => {
                let inbox = inbox.clone();
                let notify = move |result| inbox.send(LoopMessage::EpochsStored(result));
                let directory = self.directories.log.clone();
                let begun = persist::store_epochs(&self.background, directory, epochs, notify);
                self.check_background(begun);
            }
            Effect::CutLog(zxid) => {
                info!("the log is cut behind {zxid}, as the leader's history asks");
                self.begin_cut(zxid);
            }
            Effect::ReadLog(link, after) => {
                self.under_way.waiting.push_back((link, after));
            }
            Effect::Notify { .. } | Effect::Connect(..) | Effect::Send(..) | Effect::Close(..) => {
                if let Effect::Close(link, _) = effect {
                    self.forget_reads(link);
                }
                self.under_way.links.push(effect);
            }
            other => unreachable!("{other:?} at {} ms", now.mono_ms),
        }
    }

    fn check_background(&mut self, begun: Result<(), disk::BackgroundError>) {
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
        for (link, after) in std::mem::take(&mut self.under_way.waiting) {
            if !has_room(link) {
                self.under_way.waiting.push_back((link, after));
                continue;
            }
            let through = self.durable_through();
            let job = ReadJob { directory: self.directories.log.clone(), after, through };
            let inbox = inbox.clone();
            let notify = move |result| inbox.send(LoopMessage::LogRead(link, result));
            self.under_way.reading += 1;
            let begun = persist::read_log(&self.background, job, notify);
            self.check_background(begun);
        }
    }

    /// Nothing is read any more for a link that has ended.
    fn forget_reads(&mut self, ended: LinkId) {
        self.under_way.waiting.retain(|(link, _)| *link != ended);
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

    /// Epochs are stored, or could not be.
    pub(super) fn epochs_stored(&mut self, result: Result<(), EpochsError>, now: Now) {
        match result {
            Ok(()) => self.handle(Event::Peer(zab::Event::EpochsStored), now),
            Err(error) => {
                self.under_way.failure.get_or_insert(AgreementFailure::Epochs(error));
            }
        }
    }

    /// Has the effects of links performed, in order.
    pub(super) fn perform_on_links(&mut self, mut perform: impl FnMut(Effect, &zab::Ensemble)) {
        if self.under_way.links.is_empty() {
            return;
        }
        let mut links = std::mem::take(&mut self.under_way.links);
        if let Some(zab) = self.replica().zab() {
            links.drain(..).for_each(|effect| perform(effect, zab.ensemble()));
        }
        self.under_way.links = links;
    }

    /// What the leader has committed does not fit.
    pub(super) fn diverged(&mut self, error: engine::ordering::ReplayError) {
        self.under_way.failure.get_or_insert(AgreementFailure::Diverged(error));
    }

    /// Clients are served from now on.
    pub(super) fn serve(&mut self, serving: Serving) {
        match serving {
            Serving::Leading(epoch) => info!("leading epoch {}", epoch.0),
            Serving::Following(_) => {
                let leader = self.replica().zab().and_then(zab::Zab::follows);
                info!("following server {}", leader.map_or(-1, |leader| leader.0));
            }
        }
        self.under_way.serving = Some(serving);
    }

    /// Clients are not served any more.
    pub(super) fn stop_serving(&mut self, why: Lost) {
        self.under_way.serving = None;
        warn!("looking for a leader: {why}");
    }

    /// What the server is to its ensemble, for reports.
    pub(super) fn mode(&self) -> Mode {
        match (self.replica().zab(), self.under_way.serving) {
            (None, _) => Mode::Standalone,
            (Some(_), Some(Serving::Leading(_))) => Mode::Leader,
            (Some(zab), _) if zab.ensemble().is_voter() => Mode::Follower,
            (Some(_), _) => Mode::Observer,
        }
    }

    /// Whether clients are served.
    pub(super) fn is_serving(&self) -> bool {
        self.replica().zab().is_none() || self.under_way.serving.is_some()
    }
}
