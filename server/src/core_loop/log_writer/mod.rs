//! The log on the ring: txns not yet appended, writes in flight, the files of the segments, and the
//! next segment, which the background prepares.
//!
//! A change to another run (`change`) ends the one that is being written: once everything in flight
//! has ended, the background begins the new one, and a fresh appender takes over.
//!
//! Invariant: [`LogWriter::durable_through`] comes from the appender alone (guard: the assertions
//! in `txlog`).

mod change;
#[cfg(test)]
mod tests;

use super::inbox::{LoopInbox, LoopMessage};
use super::meters::Meters;
use super::token::Kind;
use crate::directories::Directories;
use crate::persist;
pub(super) use change::Change;
use change::Changing;
use disk::{AlignedBuf, Background, DiskError, Durability};
use engine::in_log::InLog;
use engine::replica::LogState;
use engine::settings::Now;
use model::zxid::Zxid;
use ring::{Errno, Queue, StableBuf};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;
use txlog::limits::SLOT_COUNT_MAX;
use txlog::segments::RunStart;
use txlog::{AppendFailure, Appender, Departure, Room, SegmentHeader, SegmentNumber, Slot, Write};

/// How long a log must be idle before it states what is durable, in ms.
const STATEMENT_AFTER_MS: u64 = 200;

/// How long to wait before a segment that could not be prepared is requested again, in ms.
const SEGMENT_RETRY_MS: u64 = 1_000;

/// What a log writer is made of.
pub struct LogWriterParts {
    /// The log.
    pub appender: Appender,
    /// The first segment's file.
    pub first: (SegmentNumber, File),
    /// How writes become durable.
    pub durability: Durability,
    /// Writes in flight at most.
    pub slot_count: usize,
    /// A write or flush that takes longer is worth a warning.
    pub flush_warning: Duration,
    /// Where segments are.
    pub directories: Directories,
    /// Where they are prepared.
    pub background: Arc<Background>,
}

/// The log's writer.
///
/// Lives in: the ordering role's core loop.
pub(super) struct LogWriter {
    appender: Appender,
    durability: Durability,
    slot_count: usize,
    flush_warning: Duration,
    directories: Directories,
    background: Arc<Background>,
    files: VecDeque<(SegmentNumber, File)>,
    /// What is not appended yet, and how many txns of the first entry are.
    waiting: VecDeque<Arc<InLog>>,
    taken: usize,
    in_flight: usize,
    /// The change that is under way and those that follow it; those that have ended, to be
    /// reported.
    changes: VecDeque<Changing>,
    changed: VecDeque<Change>,
    /// The run that would have followed the log before the last received one began.
    before_received: Option<RunStart>,
    /// When the write in each slot was submitted, and the flush.
    left: [Option<Instant>; SLOT_COUNT_MAX + 1],
    /// Whether the background prepares a segment.
    is_preparing: bool,
    segment_retry_ms: Option<u64>,
    /// Why the next segment could not be prepared, while that is so.
    segment_refusal: Option<DiskError>,
    idle_since_ms: Option<u64>,
    has_ended: bool,
}

impl LogWriter {
    pub(super) fn new(parts: LogWriterParts) -> Self {
        let LogWriterParts { appender, first, durability, slot_count, flush_warning, .. } = parts;
        Self {
            appender,
            durability,
            slot_count,
            flush_warning,
            directories: parts.directories,
            background: parts.background,
            files: VecDeque::from([first]),
            waiting: VecDeque::new(),
            taken: 0,
            in_flight: 0,
            changes: VecDeque::new(),
            changed: VecDeque::new(),
            before_received: None,
            left: [None; SLOT_COUNT_MAX + 1],
            is_preparing: false,
            segment_retry_ms: None,
            segment_refusal: None,
            idle_since_ms: None,
            has_ended: false,
        }
    }

    /// Queues these txns, to be appended as soon as there is room; behind changes under way.
    pub(super) fn push(&mut self, in_log: Arc<InLog>) {
        match self.changes.back_mut() {
            Some(last) => last.push(in_log),
            None => self.waiting.push_back(in_log),
        }
    }

    /// Appends what there is room for, and calls `appended` with the zxid of each txn. Returns an
    /// entry that is appended completely; to be called until there is none.
    pub(super) fn append(&mut self, mut appended: impl FnMut(Zxid)) -> Option<Arc<InLog>> {
        let first = self.waiting.front()?;
        for (zxid, txn) in first.txns(self.taken) {
            if self.appender.append(zxid, txn).is_err() {
                return None;
            }
            self.taken += 1;
            appended(zxid);
        }
        self.taken = 0;
        self.waiting.pop_front()
    }

    /// Whether a batch can be taken now.
    pub(super) fn state(&self) -> LogState {
        if self.has_ended {
            return LogState::Ended;
        }
        let has_room =
            !self.is_changing() && self.waiting.is_empty() && self.appender.room() == Room::Open;
        if has_room && self.in_flight < self.slot_count { LogState::Ready } else { LogState::Busy }
    }

    /// How many bytes can still be appended, while the next segment is not available.
    pub(super) fn bytes_left(&self) -> Option<u64> {
        self.segment_refusal.as_ref()?;
        let waiting: usize = self.waiting.iter().map(|it| it.byte_count()).sum();
        Some(self.appender.bytes_until_segment().saturating_sub(waiting as u64))
    }

    /// Why the next segment could not be prepared, while that is so.
    pub(super) fn segment_refusal(&self) -> Option<&DiskError> {
        self.segment_refusal.as_ref()
    }

    /// Everything up to this txn is durable.
    pub(super) fn durable_through(&self) -> Zxid {
        self.appender.durable_through()
    }

    /// The history is committed through here, which is durable: the log states it.
    pub(super) fn commit(&mut self, zxid: Zxid) {
        // The beginning of an epoch is no txn.
        self.appender.commit(zxid.min(self.appender.appended_through()));
    }

    /// The last segment that holds something durable.
    pub(super) fn segment_durable(&self) -> SegmentNumber {
        self.appender.segment_durable()
    }

    /// The first error of the log, which is final.
    pub(super) fn failure(&self) -> Option<&AppendFailure> {
        self.appender.failure()
    }

    /// Whether nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.appender.is_idle() && !self.is_changing()
    }

    /// When [`Self::depart`] or [`Self::ask_segment`] is due without an event, in ms of the
    /// monotonic clock.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let statement_ms = self.idle_since_ms.map(|since| since + STATEMENT_AFTER_MS);
        let change_ms = self.changes.front().and_then(Changing::deadline_ms);
        [self.segment_retry_ms, statement_ms, change_ms].into_iter().flatten().min()
    }

    /// A write has ended.
    pub(super) fn written(
        &mut self,
        slot: u32,
        buffer: Box<dyn StableBuf>,
        result: Result<usize, Errno>,
        meters: &mut Meters,
    ) {
        let buffer = buffer.downcast::<AlignedBuf>();
        let buffer = buffer.unwrap_or_else(|_| panic!("the log writes aligned buffers only"));
        let result = match result {
            Ok(bytes) if bytes == buffer.len() => Ok(()),
            Ok(_) => Err(Errno::EIO as i32),
            Err(errno) => Err(errno as i32),
        };
        self.in_flight -= 1;
        self.arrived(slot as usize, meters);
        self.appender.written(Slot(slot as u8), result, buffer);
    }

    /// A flush has ended.
    pub(super) fn flushed(&mut self, result: Result<(), Errno>, meters: &mut Meters) {
        self.arrived(SLOT_COUNT_MAX, meters);
        self.appender.flushed(result.map_err(|errno| errno as i32));
    }

    /// A write or flush has completed: records how long it took, and warns if that was long.
    fn arrived(&mut self, at: usize, meters: &mut Meters) {
        let Some(left) = self.left[at].take() else { return };
        let (took, warning) = (left.elapsed(), self.flush_warning);
        // A write that is not durable by itself is measured with its flush.
        if at == SLOT_COUNT_MAX || self.durability == Durability::Dsync {
            meters.flushed(took, took > warning);
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

    /// Submits to the ring what can be written now.
    pub(super) fn depart(&mut self, queue: &mut Queue<'_>, now: Now) {
        while let Some(effect) = self.appender.depart() {
            match effect {
                Departure::Write(write) => self.write(queue, write),
                Departure::Flush(flush) => {
                    self.left[SLOT_COUNT_MAX] = Some(Instant::now());
                    queue.flush(self.file(flush.segment), Kind::Flush(0).token());
                }
            }
        }
        if self.is_changing() {
            self.idle_since_ms = None;
            self.end_run(queue);
            return;
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

    /// Writes the last batch of a log that ends cleanly. True if it is in flight.
    pub(super) fn end(&mut self, queue: &mut Queue<'_>) -> bool {
        match self.appender.end() {
            Some(write) => {
                self.write(queue, write);
                self.has_ended = true;
            }
            None => return self.in_flight > 0,
        }
        true
    }

    fn write(&mut self, queue: &mut Queue<'_>, write: Write) {
        // Nothing before the last durable batch is written or flushed any more.
        let durable = self.appender.segment_durable();
        while self.files.front().is_some_and(|(number, _)| *number < durable) {
            self.files.pop_front();
        }
        self.in_flight += 1;
        self.left[usize::from(write.slot.0)] = Some(Instant::now());
        let token = Kind::Write(u32::from(write.slot.0)).token();
        queue.write_at(self.file(write.segment), write.buffer, write.offset.0, token);
    }

    fn file(&self, number: SegmentNumber) -> &File {
        let found = self.files.iter().find(|(n, _)| *n == number);
        &found.expect("the files of the segments in use are open").1
    }

    /// Requests the next segment in time.
    pub(super) fn ask_segment(&mut self, inbox: &Arc<LoopInbox>, now: Now) {
        if self.segment_retry_ms.is_some_and(|at| now.mono_ms < at) || self.has_ended_run() {
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
        let notify = move |result| inbox.send(LoopMessage::Prepared(result));
        if let Err(error) = persist::prepare(&self.background, job, notify) {
            warn!("the background accepts no more work: {error}");
            self.appender.segment_refused();
            self.segment_retry_ms = Some(now.mono_ms + SEGMENT_RETRY_MS);
            return;
        }
        self.is_preparing = true;
    }

    /// The next segment has been prepared, or could not be.
    pub(super) fn prepared(&mut self, result: Result<(SegmentHeader, File), DiskError>, now: Now) {
        self.is_preparing = false;
        match result {
            Ok((header, file)) => {
                self.files.push_back((header.number, file));
                self.segment_refusal = None;
                self.appender.segment_prepared(header);
            }
            Err(error) => {
                self.appender.segment_refused();
                self.segment_retry_ms = Some(now.mono_ms + SEGMENT_RETRY_MS);
                if self.segment_refusal.is_none() {
                    warn!("the next segment of the log could not be prepared: {error}");
                }
                self.segment_refusal = Some(error);
            }
        }
    }
}
