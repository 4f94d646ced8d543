//! Group commit: many txns, one write.
//!
//! A txn may be acknowledged only when it is durable, and a write costs the same for one record as
//! for a hundred. So records wait for each other, but never longer than a slot is busy: while
//! batches are in flight the next one fills; when a slot is free it departs, full or not.
//!
//! Invariant: `durable <= departed <= appended`. All three only grow.
//!
//! A log is cut between two appenders: this one ends, [`Appender::run_behind`] says what the next
//! run continues from, the background opens it, and a fresh appender takes over.
//!
//! Lives in: the ordering role. Not here: deciding what to write (engine), moving bytes (ring),
//! what happens after a failed write (nothing is ever written again; see `disk::latch`).

mod config;
mod departure;
mod flights;
mod open_batch;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use disk::limits::block_align_up;
use disk::{AlignedBuf, BLOCK_BYTES, Durability, Latch};
use model::zxid::{Epoch, Zxid};

use crate::format::{BatchHeader, SegmentHeader, SegmentNumber, SegmentOffset, Sequence, Start};
use crate::limits::{SEGMENT_HEADER_BYTES, lone_batch_bytes};
use crate::segments::RunStart;
pub use config::AppenderConfig;
pub use departure::{AppendError, AppendFailure, Departure, Flush, Room, Slot, Write};
use flights::{Flight, Flights};
use open_batch::OpenBatch;

/// The append half of the log.
#[derive(Debug)]
pub struct Appender {
    config: AppenderConfig,
    latch: Latch<AppendFailure>,
    /// The segment that the next batch goes into, and where.
    segment: SegmentHeader,
    offset_next: u64,
    prepared: VecDeque<SegmentHeader>,
    is_asked: bool,
    /// Full batches, oldest first, and the one that fills.
    waiting: VecDeque<OpenBatch>,
    waiting_bytes: usize,
    open: Option<OpenBatch>,
    #[allow(clippy::vec_box, reason = "the ring takes and returns boxes; these are reused")]
    pool: Vec<Box<AlignedBuf>>,
    flights: Flights,
    appended: Zxid,
    departed: Sequence,
    departed_crc: u32,
    /// The last batch that had records, and what the last one that left said was durable.
    departed_with_records: Sequence,
    stated: Sequence,
    /// What is committed, and what the last batch that left said was, or the run's beginning.
    committed: Zxid,
    committed_stated: Zxid,
    is_ended: bool,
}

impl Appender {
    /// Appends to the run that `first` begins.
    ///
    /// # Panics
    /// If the bounds contradict each other, or `first` does not begin a run.
    pub fn new(config: AppenderConfig, first: SegmentHeader) -> Self {
        config.assert_valid();
        assert_eq!(first.segment_bytes, config.segment_bytes);
        let Start::Restart { continues_from, committed_through, .. } = first.start else {
            panic!("segment {} does not begin a run", first.number)
        };
        let new_buffer = || Box::new(AlignedBuf::with_capacity(config.batch_bytes_max));
        Self {
            config,
            latch: Latch::new(),
            segment: first,
            offset_next: SEGMENT_HEADER_BYTES as u64,
            prepared: VecDeque::new(),
            is_asked: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            open: None,
            pool: (0..=config.slot_count).map(|_| new_buffer()).collect(),
            flights: Flights::new(config.slot_count, continues_from, first.number),
            appended: continues_from,
            departed: Sequence::ZERO,
            departed_crc: 0,
            departed_with_records: Sequence::ZERO,
            stated: Sequence::ZERO,
            committed: committed_through,
            committed_stated: committed_through,
            is_ended: false,
        }
    }

    /// Appends one txn. It is copied; nothing is written before [`depart`](Self::depart).
    ///
    /// # Panics
    /// If `zxid` does not come after the last one appended.
    pub fn append(&mut self, zxid: Zxid, txn: &[u8]) -> Result<(), AppendError> {
        self.append_with(zxid, txn.len(), |into| into.copy_from_slice(txn))
    }

    /// Appends one txn of `txn_bytes` that `encode` writes in place.
    ///
    /// # Panics
    /// If `zxid` does not come after the last one appended.
    pub fn append_with(
        &mut self,
        zxid: Zxid,
        txn_bytes: usize,
        encode: impl FnOnce(&mut [u8]),
    ) -> Result<(), AppendError> {
        assert!(zxid > self.appended, "{zxid} after {}", self.appended);
        assert!(!self.is_ended, "the run has ended");
        self.latch.check()?;
        if txn_bytes > self.config.record_bytes_max {
            let max = self.config.record_bytes_max;
            return Err(AppendError::TooLarge { found: txn_bytes, max });
        }
        if !self.open.as_ref().is_some_and(|open| open.has_room(txn_bytes)) {
            self.check_backlog()?;
            let batch = self.new_batch(lone_batch_bytes(txn_bytes))?;
            self.open = Some(batch);
        }
        let open = self.open.as_mut().expect("opened above");
        open.push(zxid, txn_bytes, encode);
        self.appended = zxid;
        Ok(())
    }

    /// The history is committed through `zxid`: batches that leave from now on state it. Less than
    /// was known before changes nothing.
    ///
    /// # Panics
    /// If `zxid` comes after the last one appended.
    pub fn commit(&mut self, zxid: Zxid) {
        assert!(zxid <= self.appended, "{zxid} is committed, {} appended", self.appended);
        self.committed = self.committed.max(zxid);
    }

    /// Whether a record of any size could be appended.
    pub fn room(&self) -> Room {
        if let Some(failure) = self.latch.reason() {
            return Room::Failed(*failure);
        }
        if self.is_ended {
            return Room::Ended;
        }
        let needed = lone_batch_bytes(self.config.record_bytes_max) as u64;
        if self.prepared.is_empty() && self.free_offset() + needed > self.config.segment_bytes {
            return Room::NoSegment;
        }
        if self.check_backlog().is_err() { Room::Backlogged } else { Room::Open }
    }

    /// About how many bytes can be appended before another segment must have been prepared: the
    /// open batch counts as appended.
    pub fn bytes_until_segment(&self) -> u64 {
        let ready = self.prepared.len() as u64 * self.config.segment_bytes;
        ready + self.config.segment_bytes.saturating_sub(self.free_offset())
    }

    /// What to do next, until it is `None`: a flush that is due, or a batch for a slot that is
    /// free.
    pub fn depart(&mut self) -> Option<Departure> {
        if self.latch.reason().is_some() {
            return None;
        }
        if self.config.durability != Durability::Dsync
            && let Some(segment) = self.flights.maybe_flush()
        {
            return Some(Departure::Flush(Flush { segment }));
        }
        if !self.flights.has_room() {
            return None;
        }
        if self.waiting.is_empty() {
            self.close_open();
        }
        let batch = self.waiting.pop_front()?;
        self.waiting_bytes -= batch.padded_bytes();
        Some(Departure::Write(self.launch(batch, false)))
    }

    /// Whether nothing is in progress and the last batches are durable without the log stating it:
    /// after a power loss their damage could not be distinguished from a torn tail. Likewise if the
    /// log does not state yet what is committed.
    pub fn is_statement_due(&self) -> bool {
        self.is_idle()
            && !self.is_ended
            && (self.stated < self.departed_with_records || self.committed_stated < self.committed)
            && self.latch.reason().is_none()
    }

    /// An empty batch that states what is durable and what is committed, if [one is
    /// due](Self::is_statement_due) and there is a place for it. For an idle log.
    pub fn maybe_state(&mut self) -> Option<Write> {
        if self.is_statement_due() { self.launch_empty(false) } else { None }
    }

    /// An empty batch that ends the run, once, if nothing is in progress and there is a place for
    /// it: recovery need not look behind it. Nothing can be appended afterwards.
    pub fn end(&mut self) -> Option<Write> {
        if self.is_ended || !self.is_idle() || self.latch.reason().is_some() {
            return None;
        }
        let write = self.launch_empty(true)?;
        self.is_ended = true;
        Some(write)
    }

    fn launch_empty(&mut self, is_end: bool) -> Option<Write> {
        let batch = self.new_batch(BLOCK_BYTES).ok()?;
        // `new_batch` has only counted the open batch; this one never is.
        self.offset_next = batch.offset + batch.padded_bytes() as u64;
        Some(self.launch(batch, is_end))
    }

    /// A write has ended. A write that moved fewer bytes than it had to is an error for the
    /// caller to name (EIO).
    ///
    /// # Panics
    /// If nothing is in flight in `slot`.
    pub fn written(&mut self, slot: Slot, result: Result<(), i32>, buffer: Box<AlignedBuf>) {
        self.give_back(buffer);
        let flight = self.flights.land(slot);
        match result {
            Err(errno) => {
                let (segment, offset) = (flight.segment, flight.offset);
                self.latch.close(AppendFailure { segment, offset, errno });
            }
            Ok(()) if self.latch.reason().is_some() => {}
            Ok(()) => {
                if self.config.durability == Durability::Dsync {
                    self.flights.settle_landed(slot);
                }
                self.flights.advance();
            }
        }
        assert!(self.flights.durable() <= self.departed);
    }

    /// The flush has ended.
    ///
    /// # Panics
    /// If no flush was requested.
    pub fn flushed(&mut self, result: Result<(), i32>) {
        let segment = self.flights.flush_ended();
        match result {
            Err(errno) => {
                self.latch.close(AppendFailure { segment, offset: SegmentOffset(0), errno });
            }
            Ok(()) if self.latch.reason().is_some() => {}
            Ok(()) => {
                self.flights.settle_covered();
                self.flights.advance();
            }
        }
        assert!(self.flights.durable() <= self.departed);
    }

    /// The number of a segment to prepare now, if one should be. The answer comes through
    /// [`segment_prepared`](Self::segment_prepared) or [`segment_refused`](Self::segment_refused);
    /// until then no other is requested.
    pub fn maybe_ask_segment(&mut self) -> Option<SegmentNumber> {
        if self.is_asked || self.prepared.len() >= self.config.segments_ahead {
            return None;
        }
        self.is_asked = true;
        Some(self.segment_expected())
    }

    /// The requested segment is ready.
    ///
    /// # Panics
    /// If it is not the requested one.
    pub fn segment_prepared(&mut self, header: SegmentHeader) {
        assert!(self.is_asked, "segment {} was not requested", header.number);
        assert_eq!(header.number, self.segment_expected());
        assert_eq!(header.start, Start::Follows);
        assert_eq!(header.version, self.segment.version);
        assert_eq!(header.segment_bytes, self.config.segment_bytes);
        self.is_asked = false;
        self.prepared.push_back(header);
    }

    /// The requested segment could not be prepared (a full disk). It is requested again; the caller
    /// decides when.
    pub const fn segment_refused(&mut self) {
        self.is_asked = false;
    }

    /// Everything up to here is durable.
    pub const fn durable_through(&self) -> Zxid {
        self.flights.durable_through()
    }

    /// The last zxid appended.
    pub const fn appended_through(&self) -> Zxid {
        self.appended
    }

    /// The run that cuts this log behind `at`, for
    /// [`open_run`](crate::segments::open_run): once it is open, the log continues with an appender
    /// of its own, and this one is of no use any more. Until then nothing has changed.
    ///
    /// # Panics
    /// If something waits or is in flight: it could land behind the cut. If `at` comes after what
    /// is durable.
    pub fn run_behind(&self, at: Zxid) -> RunStart {
        let durable = self.durable_through();
        assert!(self.is_idle(), "a log is cut when nothing is in flight");
        assert!(at <= durable, "a cut at {at}, {durable} is durable");
        RunStart {
            used_last: self.segment_used_last(),
            continues_from: at,
            committed_through: self.committed.min(at),
            counts_from: None,
        }
    }

    /// The run that begins with a snapshot that was received from a leader, and counts with it from
    /// `epoch` on, for [`open_run`](crate::segments::open_run). This log is left as it is: opening
    /// [`run_behind`](Self::run_behind) what is durable in its place, before the epoch is stored,
    /// removes that run and continues this log.
    ///
    /// # Panics
    /// If something waits or is in flight.
    pub fn run_received(&self, snapshot: Zxid, epoch: Epoch) -> RunStart {
        RunStart {
            continues_from: snapshot,
            committed_through: self.committed.min(snapshot),
            counts_from: Some(epoch),
            ..self.run_behind(self.durable_through())
        }
    }

    /// Its bounds.
    pub const fn config(&self) -> &AppenderConfig {
        &self.config
    }

    /// The last segment that a batch was placed in. The run's first one counts only then, or if it
    /// states that nothing of earlier runs counts.
    pub(crate) fn segment_used_last(&self) -> Option<SegmentNumber> {
        let is_used = self.free_offset() > SEGMENT_HEADER_BYTES as u64;
        if is_used || matches!(self.segment.start, Start::Restart { counts_from: Some(_), .. }) {
            return Some(self.segment.number);
        }
        self.segment.number.before()
    }

    /// The segment of the last durable batch, or the run's first: a purge touches only those
    /// before it.
    pub const fn segment_durable(&self) -> SegmentNumber {
        self.flights.segment_durable()
    }

    /// Whether nothing waits and nothing is in flight.
    pub fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.open.is_none() && self.waiting.is_empty()
    }

    /// The first error, which is final.
    pub fn failure(&self) -> Option<&AppendFailure> {
        self.latch.reason()
    }

    fn segment_expected(&self) -> SegmentNumber {
        self.prepared.back().map_or(self.segment.number, |header| header.number).next()
    }

    fn check_backlog(&self) -> Result<(), AppendError> {
        let (found, max) = (self.waiting_bytes, self.config.backlog_bytes_max);
        if found > max { Err(AppendError::Backlogged { found, max }) } else { Ok(()) }
    }

    /// Where the batch after the open one would begin.
    fn free_offset(&self) -> u64 {
        self.offset_next + self.open.as_ref().map_or(0, |open| open.padded_bytes() as u64)
    }

    /// Places a batch of at least `needed_bytes` behind the open one, which it closes. Without a
    /// place nothing changes.
    fn new_batch(&mut self, needed_bytes: usize) -> Result<OpenBatch, AppendError> {
        let fits = self.free_offset() + needed_bytes as u64 <= self.config.segment_bytes;
        if !fits && self.prepared.is_empty() {
            return Err(AppendError::NoSegment);
        }
        self.close_open();
        if !fits {
            self.segment = self.prepared.pop_front().expect("checked above");
            self.offset_next = SEGMENT_HEADER_BYTES as u64;
        }
        let room_bytes = (self.config.segment_bytes - self.offset_next) as usize;
        let bytes_max = room_bytes.min(self.config.batch_bytes_max.max(needed_bytes));
        let buffer = self.take_buffer(bytes_max);
        Ok(OpenBatch::new(self.segment, self.offset_next, bytes_max, buffer, self.appended))
    }

    fn close_open(&mut self) {
        if let Some(open) = self.open.take() {
            self.offset_next += open.padded_bytes() as u64;
            assert!(self.offset_next <= self.config.segment_bytes);
            self.waiting_bytes += open.padded_bytes();
            self.waiting.push_back(open);
        }
    }

    #[allow(clippy::unnecessary_box_returns, reason = "the box travels to the ring and comes back")]
    fn take_buffer(&mut self, bytes: usize) -> Box<AlignedBuf> {
        match self.pool.pop() {
            Some(buffer) if buffer.capacity() >= bytes => buffer,
            pooled => {
                self.pool.extend(pooled);
                let capacity = block_align_up(bytes).max(self.config.batch_bytes_max);
                Box::new(AlignedBuf::with_capacity(capacity))
            }
        }
    }

    /// Keeps a buffer for the next batch, unless it was made for one large record.
    fn give_back(&mut self, buffer: Box<AlignedBuf>) {
        if buffer.capacity() == self.config.batch_bytes_max
            && self.pool.len() <= 2 * self.config.slot_count
        {
            self.pool.push(buffer);
        }
    }

    fn launch(&mut self, batch: OpenBatch, is_end: bool) -> Write {
        let mut header = BatchHeader {
            version: batch.segment.version,
            crc: 0,
            segment: batch.segment.number,
            sequence: self.departed.next(),
            payload_bytes: 0,
            record_count: batch.record_count,
            predecessor_crc: self.departed_crc,
            is_end,
            durable_sequence: self.flights.durable(),
            durable_through: self.flights.durable_through(),
            prior: batch.prior,
            first: batch.first,
            last: batch.last,
            committed_through: self.committed.min(batch.last),
        };
        let (seed, offset) = (batch.segment.seed, SegmentOffset(batch.offset));
        let buffer = batch.seal(&mut header, seed);
        self.departed = header.sequence;
        self.departed_crc = header.crc;
        self.stated = header.durable_sequence;
        assert!(self.committed_stated <= header.committed_through, "only more is committed");
        self.committed_stated = header.committed_through;
        if header.record_count > 0 {
            self.departed_with_records = header.sequence;
        }
        assert!(header.durable_through <= header.prior && header.last <= self.appended);
        let (sequence, last) = (header.sequence, header.last);
        let flight = Flight::new(sequence, header.segment, offset, last);
        let slot = self.flights.launch(flight);
        Write { slot, segment: header.segment, offset, buffer }
    }
}
