//! The replica on its core loop: passes events from the log and the background to it, and performs
//! its effects. Decides nothing.

use super::agreement::UnderWay;
use super::inbox::{LoopInbox, LoopMessage};
use super::incoming::{self, Incoming, Making};
use super::log_writer::{Change, LogWriter, LogWriterParts};
use super::meters::{AgreementMeters, Meters};
use super::oracle::OracleFile;
use super::peers::Departure;
use super::transfers::Transfers;
use crate::directories::Directories;
use crate::membership::Keeper;
use crate::persist::{self, SnapshotJob};
use disk::{Background, DiskError};
use engine::message::{Served, ToOrdering, ToShard};
use engine::ordering::Refusal;
use engine::replica::{Effect, Effects, Event, LogState, Replica};
use engine::settings::{Now, Settings};
use engine::state::State;
use engine::tree::{Advise, Pin, TreeReader};
use model::session::SessionId;
use model::zxid::Zxid;
use ring::{Errno, Queue, StableBuf};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::{error, info, warn};
use txlog::{AppendFailure, Base, SegmentHeader};

/// What a history is made of.
pub struct HistoryParts {
    /// The decisions.
    pub replica: Replica,
    /// Its log.
    pub log: LogWriterParts,
    /// The result of the restore.
    pub summary: persist::Summary,
    /// What trees are made for that come from elsewhere.
    pub settings: Arc<Settings>,
    /// How trees advise the kernel about their memory.
    pub advise: Option<Advise>,
    /// The received snapshot that the log begins with, if it was not adopted.
    pub unadopted: Option<Base>,
    /// Where files are.
    pub directories: Directories,
    /// Where bulk work runs.
    pub background: Arc<Background>,
    /// How much of the log is sent rather than a snapshot, in millionths of the newest one.
    pub sent_log_millionths: Option<u64>,
    /// Whether clients are served while this server leads.
    pub leader_serves: bool,
    /// The file that says whether this server may decide without the other one of two.
    pub oracle: Option<PathBuf>,
    /// Keeps files and ports as agreement says, where the configuration may change.
    pub keeper: Option<Keeper>,
    /// Snapshots and log before them that are kept; `None` keeps everything.
    pub purge: Option<persist::PurgePolicy>,
}

/// The replica on its core loop, with its log.
pub struct History {
    replica: Replica,
    /// The replica's effects; kept to reuse the memory.
    effects: Effects,
    /// What clients can see, for reports.
    pub(super) reader: TreeReader<State>,
    /// What it measures.
    pub(super) meters: Meters,
    pub(super) log: LogWriter,
    /// The log's state as the replica last received it.
    log_state: LogState,
    bytes_left: Option<u64>,
    pub(super) directories: Directories,
    pub(super) background: Arc<Background>,
    /// How much of the log a learner is sent rather than a snapshot.
    pub(super) sent_log_millionths: Option<u64>,
    /// Whether clients are served while this server leads.
    leader_serves: bool,
    /// What is asked whether this server may decide alone.
    pub(super) oracle: Option<OracleFile>,
    purge: Option<persist::PurgePolicy>,
    /// When the next purge is due.
    purge_ms: u64,
    /// Whether one is under way.
    is_purging: bool,
    /// Abandons the snapshot that is being written.
    snapshot_stop: Option<Arc<AtomicBool>>,
    /// What agreement has asked for.
    pub(super) under_way: UnderWay,
    /// Snapshots that go over links.
    pub(super) transfers: Transfers,
    /// The one that comes, and is to take the place of the history.
    pub(super) incoming: Incoming,
    /// How its tree is made.
    pub(super) making: Making,
    /// Keeps files and ports as agreement says, where the configuration may change.
    pub(super) keeper: Option<Keeper>,
}

impl History {
    /// The replica with its log.
    pub fn new(parts: HistoryParts, now: Now) -> Self {
        let HistoryParts { mut replica, log, summary, directories, background, purge, .. } = parts;
        let HistoryParts {
            settings,
            advise,
            unadopted,
            sent_log_millionths,
            leader_serves,
            oracle,
            keeper,
            ..
        } = parts;
        let (reader, _) = replica.view();
        let mut meters = Meters::of_start(&summary);
        meters.agreement = replica.zab().map(|_| Box::new(AgreementMeters::new(now)));
        Self {
            replica,
            effects: Effects::default(),
            reader,
            meters,
            log: LogWriter::new(log),
            log_state: LogState::Busy,
            bytes_left: None,
            directories,
            background,
            sent_log_millionths,
            leader_serves,
            oracle: oracle.map(OracleFile::new),
            purge,
            // At the start, as stock does: a server that is restarted every night purges too.
            purge_ms: now.mono_ms,
            is_purging: false,
            snapshot_stop: None,
            under_way: UnderWay::default(),
            transfers: Transfers::default(),
            incoming: Incoming::new(unadopted),
            making: Making { settings, advise },
            keeper,
        }
    }

    /// The replica itself, for reports.
    pub(super) fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Forgets what was counted; the sizes of proposals only if that is requested.
    pub(super) fn reset(&mut self, forgets_proposals: bool) {
        self.meters.reset(forgets_proposals);
        self.replica.reset_counts();
    }

    /// A write of the log has ended.
    pub fn written(&mut self, slot: u32, buffer: Box<dyn StableBuf>, result: Result<usize, Errno>) {
        self.log.written(slot, buffer, result, &mut self.meters);
    }

    /// A flush of the log has ended.
    pub fn flushed(&mut self, result: Result<(), Errno>) {
        self.log.flushed(result, &mut self.meters);
    }

    /// The background has prepared a segment, or failed to.
    pub fn prepared(&mut self, result: Result<(SegmentHeader, File), DiskError>, now: Now) {
        self.log.prepared(result, now);
    }

    /// The background has written a snapshot, or failed to.
    pub fn snapshot_ended(&mut self, result: Result<Zxid, String>, now: Now) {
        self.snapshot_stop = None;
        self.meters.snapshot_ended(result.as_ref().ok().copied(), now.wall_ms);
        match result {
            Ok(zxid) => info!(%zxid, "snapshot written"),
            Err(why) => warn!("the snapshot could not be written; it will be retried: {why}"),
        }
        self.handle(Event::SnapshotEnded, now);
    }

    /// Changes the log to another run, to which belongs what is appended from now on. A snapshot
    /// that is being written is abandoned.
    ///
    /// # Panics
    /// As [`LogWriter::begin_change`].
    pub(super) fn begin_change(&mut self, change: Change) {
        self.log.begin_change(change);
        if let Some(stop) = &self.snapshot_stop {
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Reads for reports from the tree that clients see now.
    pub(super) fn renew_reader(&mut self) {
        (self.reader, _) = self.replica.view();
    }

    /// Handles a message of the background, or of a thread that has a link.
    pub(super) fn receive(&mut self, message: LoopMessage, now: Now) {
        match message {
            LoopMessage::Prepared(result) => self.prepared(result, now),
            LoopMessage::RunBegun(result) => self.log.run_begun(result, now),
            LoopMessage::EpochsStored(result) => self.epochs_stored(result, now),
            LoopMessage::OracleSaid(permits) => self.oracle_said(permits, now),
            LoopMessage::LogRead(link, result) => self.log_read(link, result, now),
            LoopMessage::Purged => self.purge_ended(),
            LoopMessage::Snapshot(result) => self.snapshot_ended(result, now),
            LoopMessage::Transferred(transferred) => self.transferred(*transferred, now),
            LoopMessage::LinkFailed(link) => self.link_failed(link, now),
            LoopMessage::ReceivedStored(result) => self.received_stored(result),
            LoopMessage::ReceivedLoaded(result) => self.received_loaded(result, now),
            LoopMessage::ReceivedRemoved(result) => self.received_removed(result),
            LoopMessage::Adopted(result) => self.adopted(result),
            LoopMessage::Dealt(_)
            | LoopMessage::LeaveClients
            | LoopMessage::ListenForClients(_)
            | LoopMessage::ListenForPeers(..)
            | LoopMessage::ObserversAt(..)
            | LoopMessage::Stop => unreachable!("it is of the loop"),
        }
    }

    /// What the history that counts has reached; `None` while another one is to replace it.
    pub(super) fn reached(&self) -> Option<Zxid> {
        self.incoming.counts().then(|| self.replica.ordering().published())
    }

    /// The background has ended a purge.
    pub fn purge_ended(&mut self) {
        self.is_purging = false;
    }

    /// Whether a purge is under way.
    pub(super) fn is_purging(&self) -> bool {
        self.is_purging
    }

    /// What the log is known to hold.
    pub(super) fn durable_through(&self) -> Zxid {
        self.log.durable_through()
    }

    /// The first error of the log, which is final.
    pub fn failure(&self) -> Option<&AppendFailure> {
        self.log.failure()
    }

    pub(super) fn handle(&mut self, event: Event<'_>, now: Now) {
        self.measure(&event, now);
        self.replica.handle(now, event, &mut self.effects);
        if let (Some(meters), Some(zab)) = (&mut self.meters.agreement, self.replica.zab()) {
            meters.handled(zab, now);
        }
    }

    /// Measures what an event says.
    fn measure(&mut self, event: &Event<'_>, now: Now) {
        if let Event::Durable(zxid) = event {
            self.meters.durable(*zxid, now.mono_ms);
        }
        let (Some(meters), Some(zab)) = (&mut self.meters.agreement, self.replica.zab()) else {
            return;
        };
        match event {
            Event::Durable(zxid) => meters.durable(*zxid, zab, now),
            Event::Peer(event) => meters.heard(event, zab, now),
            Event::Shard(ToOrdering::Writes(bundle)) => meters.requested(bundle.writes.len(), zab),
            Event::Shard(ToOrdering::Connect(connect)) if connect.session == SessionId(0) => {
                meters.requested(1, zab);
            }
            _ => (),
        }
    }

    /// Sends to learners have begun.
    pub(super) fn departed(&mut self, departures: &[Departure]) {
        if let (Some(meters), Some(zab)) = (&mut self.meters.agreement, self.replica.zab()) {
            meters.departed(departures, zab);
        }
    }

    /// Reports to the replica what is durable, and what the log can take.
    pub fn report_log(&mut self, inbox: &Arc<LoopInbox>, now: Now) {
        self.append(now);
        self.log.ask_segment(inbox, now);
        // A snapshot or a purge that ends later would undo a part of the change.
        if self.snapshot_stop.is_none() && !self.is_purging && !self.incoming.is_busy() {
            self.log.begin_run(inbox, now);
        }
        self.advance_incoming(inbox, now);
        self.maybe_store_epochs(inbox);
        let durable = self.log.durable_through();
        let is_current = !self.log.is_changing() && !self.incoming.is_loading();
        if durable > self.replica.durable() && is_current {
            self.handle(Event::Durable(durable), now);
        }
        let bytes_left = self.log.bytes_left();
        if bytes_left != self.bytes_left {
            self.bytes_left = bytes_left;
            self.handle(Event::LogBounded(bytes_left), now);
        }
        let state = self.log.state();
        if state != self.log_state {
            self.log_state = state;
            self.handle(Event::Log(state), now);
        }
    }

    /// Whether shards may hand over writes.
    pub fn is_admitting(&self) -> bool {
        self.replica.is_admitting()
    }

    /// Whether another turn has something to do at once.
    pub fn is_busy(&self) -> bool {
        self.replica.is_busy()
    }

    /// Handles a message of a shard. Only while [`Self::is_admitting`].
    pub fn handle_message(&mut self, message: ToOrdering, now: Now) {
        self.handle(Event::Shard(message), now);
    }

    /// Everything received in this turn has been handled.
    pub fn end_turn(&mut self, now: Now) {
        self.handle(Event::TurnEnded, now);
    }

    /// Performs the replica's effects; `deliver` hands a message to a shard. True if something was
    /// published.
    pub fn perform(
        &mut self,
        inbox: &Arc<LoopInbox>,
        now: Now,
        mut deliver: impl FnMut(u16, ToShard),
    ) -> bool {
        let mut is_published = false;
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.take() {
            match effect {
                Effect::Append(in_log) => {
                    let measured = (&mut self.meters.agreement, self.replica.zab());
                    if let (Some(meters), Some(zab)) = measured {
                        meters.appended(&in_log, zab);
                    }
                    self.log.push(in_log);
                }
                Effect::Published(zxid) => {
                    is_published = true;
                    // What is published is durable and committed.
                    self.log.commit(zxid);
                    self.reader.refresh();
                    self.meters.published(zxid, now.mono_ms);
                }
                Effect::Deliver { shard, message } => deliver(shard, self.for_shard(message)),
                Effect::RefuseWrites(refusal) => self.log_refusal(refusal),
                Effect::TakeSnapshot(pin) => self.take_snapshot(pin, inbox, now),
                Effect::Peer(effect) => {
                    if let Some(meters) = &mut self.meters.agreement {
                        meters.performed(&effect);
                    }
                    self.perform_for_agreement(effect, inbox, now);
                }
                Effect::Serve(serving) => self.serve(serving),
                Effect::StopServing(why) => self.stop_serving(why),
                Effect::EndReadOnly => self.end_read_only(),
                Effect::Diverged(error) => self.diverged(error),
                Effect::SendSnapshot(link, pin) => self.send_snapshot(link, pin),
                Effect::Discard(head) => incoming::discard(head),
            }
        }
        // A snapshot that could not start is reported as ended, which causes no effect.
        assert!(self.effects.is_empty(), "performing an effect causes no other effect");
        self.effects = effects;
        is_published
    }

    /// What a shard gets in place of this message: a leader may not serve clients.
    fn for_shard(&self, message: ToShard) -> ToShard {
        match message {
            ToShard::Serve(Served::All) if self.leads_apart() => ToShard::Serve(Served::Nobody),
            message => message,
        }
    }

    /// Whether this server leads, and therefore serves no clients (`leaderServes=no`).
    pub(super) fn leads_apart(&self) -> bool {
        !self.leader_serves && self.replica.zab().is_some_and(|zab| zab.leads().is_some())
    }

    /// Submits what the log can write now, and starts the background's work that is due.
    pub fn depart(&mut self, queue: &mut Queue<'_>, inbox: &Arc<LoopInbox>, now: Now) {
        self.append(now);
        self.log.depart(queue, now);
        self.maybe_purge(inbox, now);
    }

    fn append(&mut self, now: Now) {
        let (meters, mut count) = (&mut self.meters, 0);
        let mut appended = |zxid| {
            count += 1;
            meters.appended(zxid, now.mono_ms);
        };
        while let Some(in_log) = self.log.append(&mut appended) {
            self.replica.recycle(in_log);
        }
        self.meters.departed(count);
    }

    fn log_refusal(&self, refusal: Option<Refusal>) {
        match (refusal, self.log.segment_refusal()) {
            (Some(Refusal::DiskFull), Some(error)) => {
                error!("writes are refused until there is room for the log: {error}");
            }
            (None, _) => info!("there is room for the log again: writes are accepted"),
            (Some(_), _) => (),
        }
    }

    fn take_snapshot(&mut self, pin: Pin<State>, inbox: &Arc<LoopInbox>, now: Now) {
        if self.log.is_changing() || !self.incoming.is_quiet() {
            // It may hold what is cut away, or of a history that does not count yet.
            return self.handle(Event::SnapshotEnded, now);
        }
        let inbox = inbox.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let directory = self.directories.snapshots.clone();
        let job = SnapshotJob { pin, directory, stop: stop.clone() };
        let notify = move |result| inbox.send(LoopMessage::Snapshot(result));
        match persist::snapshot(&self.background, job, notify) {
            Ok(()) => {
                self.snapshot_stop = Some(stop);
                self.meters.snapshot_began();
            }
            Err(error) => {
                warn!("the background accepts no more work: {error}");
                self.handle(Event::SnapshotEnded, now);
            }
        }
    }

    /// Whether nothing is in flight.
    pub fn is_idle(&self) -> bool {
        self.replica.is_idle() && self.log.is_idle()
    }

    /// When there is something to do even without an event, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        let may_purge = self.may_purge();
        let purge_ms = self.purge.filter(|_| may_purge).map(|_| self.purge_ms);
        let own_ms = [self.log.deadline_ms(), purge_ms].into_iter().flatten().min();
        self.replica.deadline_ms().min(own_ms.unwrap_or(u64::MAX))
    }

    /// Frees blocks that no version needs any more: at most `count_max` of them.
    pub fn reclaim(&mut self, count_max: usize) {
        self.replica.reclaim(count_max);
    }

    /// Writes the last batch of a log that ends cleanly. True if it is in flight.
    pub fn end_log(&mut self, queue: &mut Queue<'_>, inbox: &Arc<LoopInbox>, now: Now) -> bool {
        let is_in_flight = self.log.end(queue);
        self.report_log(inbox, now);
        is_in_flight
    }

    fn may_purge(&self) -> bool {
        let is_in_use = self.is_purging || self.log.is_changing() || self.under_way.is_reading();
        !is_in_use && self.incoming.is_quiet()
    }

    fn maybe_purge(&mut self, inbox: &Arc<LoopInbox>, now: Now) {
        let Some(policy) = self.purge else { return };
        if now.mono_ms < self.purge_ms || !self.may_purge() {
            return;
        }
        self.purge_ms = now.mono_ms + policy.interval_ms;
        let before = self.log.segment_durable();
        let inbox = inbox.clone();
        let notify = move || inbox.send(LoopMessage::Purged);
        match persist::purge(&self.background, &self.directories, policy, before, notify) {
            Ok(()) => self.is_purging = true,
            Err(error) => warn!("the background accepts no more work: {error}"),
        }
    }
}
