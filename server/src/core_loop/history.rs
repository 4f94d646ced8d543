//! The ordering role's side of the machine: its log on the ring, segments and snapshots in the
//! background.
//!
//! Invariant: `Ordering::durable` hears of a zxid only after the appender has said so (guard: the
//! assertions in `txlog`).

use super::inbox::{LoopInbox, LoopMessage};
use super::meters::Meters;
use super::token::Kind;
use crate::persist::{self, Directories, SnapshotJob};
use disk::{AlignedBuf, Background, DiskError, Durability};
use engine::limits::BUNDLE_BYTES_MAX;
use engine::ordering::{Ordering, Refusal};
use engine::settings::Now;
use engine::state::State;
use engine::tree::Reader;
use model::zxid::Zxid;
use ring::{Errno, Queue, StableBuf};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};
use txlog::limits::SLOT_COUNT_MAX;
use txlog::{AppendFailure, Appender, Effect, Room, SegmentHeader, SegmentNumber, Slot, Write};

/// How long a log must be idle before it states what is durable, in ms.
const STATEMENT_AFTER_MS: u64 = 200;

/// How long to wait before a refused segment is asked for again, in ms.
const SEGMENT_RETRY_MS: u64 = 1_000;

/// What a snapshot rests for after it has been written, in times of what that took: under a load
/// of writes that would ask for one after the other, snapshots take a fifth of the time, however
/// large the tree; the log to replay grows instead.
const SNAPSHOT_REST: u64 = 4;

/// When snapshots are taken.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPolicy {
    /// After so many txns.
    pub txn_count: u64,
    /// Or after so many bytes of log; `None` for no such bound.
    pub log_bytes_max: Option<u64>,
}

/// What a history is made of.
pub struct HistoryParts {
    /// The role.
    pub ordering: Ordering,
    /// Its log.
    pub appender: Appender,
    /// What the restore found.
    pub summary: persist::Summary,
    /// The first segment's file.
    pub first: (SegmentNumber, File),
    /// How its writes become durable.
    pub durability: Durability,
    /// Writes in the air at most.
    pub slot_count: usize,
    /// Where files are.
    pub directories: Directories,
    /// Who does bulk work.
    pub background: Arc<Background>,
    /// The longest txn.
    pub record_bytes_max: usize,
    /// A write or flush of the log that takes longer is worth a warning.
    pub flush_warning: Duration,
    /// When snapshots are taken.
    pub policy: SnapshotPolicy,
    /// Snapshots and log before them that are kept; `None` keeps everything.
    pub purge: Option<persist::PurgePolicy>,
}

/// The ordering role on its core loop.
pub struct History {
    /// The role.
    pub ordering: Ordering,
    /// What clients can see, for reports.
    pub(super) reader: Reader<State>,
    /// What it measures.
    pub(super) meters: Meters,
    parts: Machine,
}

struct Machine {
    appender: Appender,
    files: VecDeque<(SegmentNumber, File)>,
    durability: Durability,
    slot_count: usize,
    in_air: usize,
    /// When the write in each slot left, and the flush.
    left: [Option<Instant>; SLOT_COUNT_MAX + 1],
    flush_warning: Duration,
    directories: Directories,
    background: Arc<Background>,
    policy: SnapshotPolicy,
    purge: Option<persist::PurgePolicy>,
    purged_ms: u64,
    segment_retry_ms: Option<u64>,
    /// Why the next segment could not be prepared, while that is so.
    segment_refusal: Option<DiskError>,
    /// What is kept free of the last segment then, so that whatever is proposed when writes begin
    /// to be refused can still be made durable.
    reserve_bytes: u64,
    idle_since_ms: Option<u64>,
    /// Txns and bytes since the last snapshot began.
    txns_since: u64,
    bytes_since: u64,
    snapshot: SnapshotState,
}

/// Whether a snapshot is being written.
#[derive(Clone, Copy, Debug)]
enum SnapshotState {
    /// None before this time.
    Resting { until_ms: u64 },
    /// Since this time.
    Writing { since_ms: u64 },
}

impl History {
    /// The role with its log.
    pub fn new(parts: HistoryParts, now: Now) -> Self {
        let HistoryParts { mut ordering, appender, first, durability, .. } = parts;
        let reader = ordering.head.tree.reader();
        let machine = Machine {
            appender,
            files: VecDeque::from([first]),
            durability,
            slot_count: parts.slot_count,
            in_air: 0,
            left: [None; SLOT_COUNT_MAX + 1],
            flush_warning: parts.flush_warning,
            directories: parts.directories,
            background: parts.background,
            policy: parts.policy,
            purge: parts.purge,
            purged_ms: now.mono_ms,
            segment_retry_ms: None,
            segment_refusal: None,
            reserve_bytes: 2 * (BUNDLE_BYTES_MAX + parts.record_bytes_max) as u64,
            idle_since_ms: None,
            txns_since: 0,
            bytes_since: 0,
            snapshot: SnapshotState::Resting { until_ms: 0 },
        };
        let meters = Meters::of_start(&parts.summary);
        Self { ordering, reader, meters, parts: machine }
    }

    /// A write of the log has ended.
    pub fn written(
        &mut self,
        place: u32,
        buffer: Box<dyn StableBuf>,
        result: Result<usize, Errno>,
    ) {
        let buffer = buffer.downcast::<AlignedBuf>();
        let buffer = buffer.unwrap_or_else(|_| panic!("the log writes aligned buffers only"));
        let result = match result {
            Ok(bytes) if bytes == buffer.len() => Ok(()),
            Ok(_) => Err(Errno::EIO as i32),
            Err(errno) => Err(errno as i32),
        };
        self.parts.in_air -= 1;
        self.arrived(place as usize);
        self.parts.appender.written(Slot(place as u8), result, buffer);
    }

    /// A flush of the log has ended.
    pub fn flushed(&mut self, result: Result<(), Errno>) {
        self.arrived(SLOT_COUNT_MAX);
        self.parts.appender.flushed(result.map_err(|errno| errno as i32));
    }

    /// Publishes what has become durable. True if anything was.
    pub fn publish(&mut self, now: Now) -> bool {
        let durable = self.parts.appender.durable_through();
        let is_published = durable >= self.ordering.published() && self.ordering.durable(durable);
        if is_published {
            self.reader.refresh();
            self.meters.published(self.ordering.published(), now.mono_ms);
        }
        is_published
    }

    /// The first error of the log, which is final.
    pub fn failure(&self) -> Option<&AppendFailure> {
        self.parts.appender.failure()
    }

    /// Whether shards may hand over writes.
    pub fn is_admitting(&self) -> bool {
        self.ordering.is_admitting()
    }

    /// Gives the log what can leave now. True if something was published without it.
    pub fn advance(&mut self, queue: &mut Queue<'_>, inbox: &Arc<LoopInbox>, now: Now) -> bool {
        self.parts.ask_segment(inbox, now);
        self.seal(now);
        self.parts.depart(queue, now);
        let is_published = self.publish(now);
        if self.parts.maybe_snapshot(&mut self.ordering, inbox, now) {
            self.meters.snapshot_began();
        }
        self.parts.maybe_purge(now);
        is_published
    }

    /// Ends the open batch if the log can take it now. Until then it grows: that is group commit.
    fn seal(&mut self, now: Now) {
        let (parts, meters) = (&mut self.parts, &mut self.meters);
        let before = parts.txns_since;
        if self.ordering.has_open() {
            let is_silent = self.ordering.open_is_silent();
            if is_silent || parts.in_air < parts.slot_count && parts.appender.room() == Room::Open {
                self.ordering.seal();
            }
        }
        self.ordering.append_with(|zxid, txn| match parts.appender.append(zxid, txn) {
            Ok(()) => {
                parts.txns_since += 1;
                parts.bytes_since += txn.len() as u64;
                meters.appended(zxid, now.mono_ms);
                true
            }
            Err(_) => false,
        });
        self.meters.departed(self.parts.txns_since - before);
    }

    /// A write or flush has come back: measures it, and warns if that took long.
    fn arrived(&mut self, at: usize) {
        let Some(left) = self.parts.left[at].take() else { return };
        let (took, warning) = (left.elapsed(), self.parts.flush_warning);
        // What is not durable by itself is measured with its flush.
        if at == SLOT_COUNT_MAX || self.parts.durability == Durability::Dsync {
            self.meters.flushed(took, took > warning);
        }
        if took > warning {
            warn!(
                "making the log durable took {} ms (fsync.warningthresholdms = {}): the disk is \
                 slow or shared",
                took.as_millis(),
                warning.as_millis()
            );
        }
    }

    /// Hears the background.
    pub fn prepared(&mut self, result: Result<(SegmentHeader, File), DiskError>, now: Now) {
        match result {
            Ok((header, file)) => {
                self.parts.files.push_back((header.number, file));
                self.parts.segment_refusal = None;
                self.parts.appender.segment_prepared(header);
                if self.ordering.refusal() == Some(Refusal::DiskFull) {
                    info!("there is room for the log again: writes are taken");
                    self.ordering.refuse(None);
                }
            }
            Err(error) => {
                self.parts.appender.segment_refused();
                self.parts.segment_retry_ms = Some(now.mono_ms + SEGMENT_RETRY_MS);
                if self.parts.segment_refusal.is_none() {
                    warn!("the next segment of the log could not be prepared: {error}");
                }
                self.parts.segment_refusal = Some(error);
                self.maybe_refuse();
            }
        }
    }

    /// Refuses writes in time: while what was proposed before still fits into the log. To be asked
    /// after every bundle of writes.
    pub fn maybe_refuse(&mut self) {
        let Some(error) = &self.parts.segment_refusal else { return };
        let needed = self.parts.reserve_bytes + self.ordering.unappended_bytes() as u64;
        let is_short = self.parts.appender.bytes_until_segment() < needed;
        if is_short && self.ordering.refusal().is_none() {
            error!("writes are refused until there is room for the log: {error}");
            self.ordering.refuse(Some(Refusal::DiskFull));
        }
    }

    /// Hears the background.
    pub fn snapshot_ended(&mut self, result: Result<Zxid, String>, now: Now) {
        self.parts.snapshot.end(now.mono_ms);
        self.meters.snapshot_ended(result.as_ref().ok().copied(), now.wall_ms);
        match result {
            Ok(zxid) => info!(%zxid, "snapshot written"),
            Err(why) => warn!("the snapshot could not be written; it is tried again later: {why}"),
        }
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        let Self { ordering, .. } = self;
        let is_open = ordering.has_open() || ordering.is_busy() || ordering.in_flight() > 0;
        !is_open && self.parts.appender.is_idle()
    }

    /// When [`Self::advance`] has something to do by itself, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        let times = [
            Some(self.ordering.deadline_ms()),
            self.parts.segment_retry_ms,
            self.parts.idle_since_ms.map(|since| since + STATEMENT_AFTER_MS),
            self.parts.snapshot_deadline_ms(),
        ];
        times.into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// The last batch of a log that ends cleanly. True if it is under way.
    pub fn end_log(&mut self, queue: &mut Queue<'_>) -> bool {
        match self.parts.appender.end() {
            Some(write) => {
                self.parts.write(queue, write);
                // A session whose time runs out now is the next run's to close.
                self.ordering.refuse(Some(Refusal::LogEnded));
            }
            None => return self.parts.in_air > 0,
        }
        true
    }
}

impl Machine {
    fn depart(&mut self, queue: &mut Queue<'_>, now: Now) {
        while let Some(effect) = self.appender.depart() {
            match effect {
                Effect::Write(write) => self.write(queue, write),
                Effect::Flush(flush) => {
                    self.left[SLOT_COUNT_MAX] = Some(Instant::now());
                    queue.flush(self.file(flush.segment), Kind::Flush(0).token());
                }
            }
        }
        if !self.appender.is_statement_due() {
            self.idle_since_ms = None;
            return;
        }
        let since = *self.idle_since_ms.get_or_insert(now.mono_ms);
        if now.mono_ms >= since + STATEMENT_AFTER_MS
            && let Some(write) = self.appender.maybe_state()
        {
            self.idle_since_ms = None;
            self.write(queue, write);
        }
    }

    fn write(&mut self, queue: &mut Queue<'_>, write: Write) {
        // Whatever lies before the last durable batch is neither written nor flushed any more.
        let durable = self.appender.segment_durable();
        while self.files.front().is_some_and(|(number, _)| Some(*number) < durable) {
            self.files.pop_front();
        }
        self.in_air += 1;
        self.left[usize::from(write.slot.0)] = Some(Instant::now());
        let token = Kind::Write(u32::from(write.slot.0)).token();
        queue.write_at(self.file(write.segment), write.buffer, write.offset.0, token);
    }

    fn file(&self, number: SegmentNumber) -> &File {
        let found = self.files.iter().find(|(n, _)| *n == number);
        &found.expect("the files of the segments in use are open").1
    }

    /// Has the next segment prepared in time.
    fn ask_segment(&mut self, inbox: &Arc<LoopInbox>, now: Now) {
        if self.segment_retry_ms.is_some_and(|at| now.mono_ms < at) {
            return;
        }
        let Some(number) = self.appender.maybe_ask_segment() else { return };
        self.segment_retry_ms = None;
        let inbox = inbox.clone();
        let job = persist::PrepareJob {
            number,
            segment_bytes: self.directories.segment_bytes,
            directory: self.directories.log.clone(),
            durability: self.durability,
        };
        let tell = move |result| inbox.tell(LoopMessage::Prepared(result));
        if let Err(error) = persist::prepare(&self.background, job, tell) {
            warn!("the background takes no more work: {error}");
            self.appender.segment_refused();
            self.segment_retry_ms = Some(now.mono_ms + SEGMENT_RETRY_MS);
        }
    }

    /// Begins a snapshot if it is time for one. True if it was.
    fn maybe_snapshot(
        &mut self,
        ordering: &mut Ordering,
        inbox: &Arc<LoopInbox>,
        now: Now,
    ) -> bool {
        if !self.is_snapshot_due() || !self.snapshot.is_rested(now.mono_ms) {
            return false;
        }
        let Some(pin) = ordering.head.tree.pin() else { return false };
        (self.txns_since, self.bytes_since) = (0, 0);
        self.snapshot = SnapshotState::Writing { since_ms: now.mono_ms };
        let inbox = inbox.clone();
        let job = SnapshotJob { pin, directory: self.directories.snapshots.clone() };
        let tell = move |result| inbox.tell(LoopMessage::Snapshot(result));
        if let Err(error) = persist::snapshot(&self.background, job, tell) {
            warn!("the background takes no more work: {error}");
            self.snapshot = SnapshotState::Resting { until_ms: now.mono_ms };
            return false;
        }
        true
    }

    /// When a snapshot that is due has rested.
    fn snapshot_deadline_ms(&self) -> Option<u64> {
        match self.snapshot {
            SnapshotState::Resting { until_ms } => self.is_snapshot_due().then_some(until_ms),
            SnapshotState::Writing { .. } => None,
        }
    }

    fn is_snapshot_due(&self) -> bool {
        self.txns_since >= self.policy.txn_count
            || self.policy.log_bytes_max.is_some_and(|max| self.bytes_since >= max)
    }

    fn maybe_purge(&mut self, now: Now) {
        let Some(policy) = self.purge else { return };
        if now.mono_ms < self.purged_ms + policy.interval_ms {
            return;
        }
        let Some(before) = self.appender.segment_durable() else { return };
        self.purged_ms = now.mono_ms;
        if let Err(error) = persist::purge(&self.background, &self.directories, policy, before) {
            warn!("the background takes no more work: {error}");
        }
    }
}

impl SnapshotState {
    fn is_rested(self, now_ms: u64) -> bool {
        matches!(self, Self::Resting { until_ms } if until_ms <= now_ms)
    }

    /// It has been written, or could not be.
    fn end(&mut self, now_ms: u64) {
        if let Self::Writing { since_ms } = *self {
            let took_ms = now_ms.saturating_sub(since_ms);
            *self = Self::Resting { until_ms: now_ms + SNAPSHOT_REST * took_ms };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SnapshotState;

    #[test]
    fn a_snapshot_rests_for_as_long_as_its_size_asks() {
        let mut state = SnapshotState::Resting { until_ms: 0 };
        assert!(state.is_rested(0));
        state = SnapshotState::Writing { since_ms: 1_000 };
        assert!(!state.is_rested(u64::MAX), "one at a time");
        state.end(1_500);
        assert!(!state.is_rested(3_499));
        assert!(state.is_rested(3_500));
        // What ends a second time, or never began, changes nothing.
        state.end(9_000);
        assert!(state.is_rested(3_500));
    }
}
