//! A part of a live log, in pieces: for a learner that lacks it.
//!
//! The appender writes behind the reader. What the reader may count on is what the caller says is
//! durable: each call names the last zxid that may be read, and everything up to there must be
//! whole, or it is damage. Nothing behind it is looked at, so no batch in flight is mistaken for a
//! damaged one. The log is read as recovery reads it: a run counts as far as later ones have kept
//! it.
//!
//! Memory: one batch or a window of the scan, whichever is larger, and a [`Piece`].
//!
//! Lives in: the background. The caller ensures that
//! - no segment from [`LogReader::segment`] on is purged, and none while the reader is opened;
//! - no reader outlives the appender's run: what a cut removes would still be read.

use std::path::{Path, PathBuf};

use disk::{Disk, DiskError};
use model::zxid::Zxid;

use crate::format::{
    BatchFault, BatchHeader, RECORD_HEADER_BYTES, Record, SegmentNumber, SegmentOffset,
};
use crate::limits::SCAN_FIRST_BYTES;
use crate::recover::{
    Chain, ChainEnd, FIRST_OFFSET, Link, RecoverError, Segment, SegmentRun, Witness, add,
    load_runs, load_segment, next_segment,
};
use crate::scan::SegmentScan;
use crate::segments::file_name;

/// A reader of a live log. Invariant: of the records behind the requested place, exactly those up
/// to [`position`](Self::position) have been returned.
pub struct LogReader<'d, D: Disk> {
    disk: &'d D,
    directory: PathBuf,
    runs: Vec<SegmentRun>,
    place: Place<'d, D>,
}

/// The log does not reach back far enough: all that can be read comes after this zxid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeginsAfter(pub Zxid);

/// Records in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The txns, one behind the other.
    bytes: Vec<u8>,
    /// Their zxids, and where in `bytes` each of them ends.
    ends: Vec<(Zxid, usize)>,
    is_at_end: bool,
}

impl Piece {
    /// The records.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let ends = self.ends.iter().zip(starts);
        ends.map(|((zxid, end), start)| Record { zxid: *zxid, txn: &self.bytes[start..*end] })
    }

    /// Whether everything that may be read has been read with it.
    pub const fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Takes the record if there is room for it, or if the piece is empty.
    fn take(&mut self, record: Record<'_>, bytes_max: usize) -> bool {
        let taken_bytes = self.bytes.len() + self.ends.len() * RECORD_HEADER_BYTES;
        let has_room = taken_bytes + RECORD_HEADER_BYTES + record.txn.len() <= bytes_max;
        if has_room || self.ends.is_empty() {
            self.bytes.extend_from_slice(record.txn);
            self.ends.push((record.zxid, self.bytes.len()));
            return true;
        }
        false
    }
}

impl<'d, D: Disk> LogReader<'d, D> {
    /// Opens the log in `directory` behind its last record at or before `after`. Everything up to
    /// `through`, which is the last zxid of the log or of any record in it, is durable.
    pub async fn open(
        disk: &'d D,
        directory: &Path,
        after: Zxid,
        through: Zxid,
    ) -> Result<Result<Self, BeginsAfter>, RecoverError> {
        let runs = load_runs(disk, directory).await?;
        let after = after.min(through);
        let counted: Vec<_> = (0..runs.len()).filter(|run| !runs[*run].is_cut()).collect();
        let Some((&last, ended)) = counted.split_last() else {
            return Ok(Err(BeginsAfter(through)));
        };
        let begins = |run: usize| runs[run].continues_from;
        let first = begins(counted[0]);
        let entry = counted.iter().rposition(|run| begins(*run).is_none_or(|it| it <= after));
        let place = match hole(Place::enter(disk, &runs, last, through).await)? {
            Ok(place) => place,
            Err(hole) => return Ok(Err(hole)),
        };
        let mut reader = Self { disk, directory: directory.to_owned(), runs, place };
        if let Some(hole) = reader.last_hole(&ended[entry.unwrap_or(0)..]).await? {
            return Ok(Err(hole));
        }
        let Some(entry) = entry else {
            return Ok(Err(BeginsAfter(first.expect("one without a beginning is entered"))));
        };
        match hole(Place::enter(disk, &reader.runs, counted[entry], after).await)? {
            Ok(place) => reader.place = place,
            Err(hole) => return Ok(Err(hole)),
        }
        reader.advance(through, after, |_| true).await?;
        Ok(Ok(reader))
    }

    /// The last zxid that was read; after opening, that of the last record at or before the one
    /// requested, or what the log's first record comes after if that is the request's place.
    pub const fn position(&self) -> Zxid {
        self.place.last
    }

    /// The segment that is being read: a purge must leave it and all behind it. It only grows.
    pub fn segment(&self) -> SegmentNumber {
        self.place.segment(&self.runs).header.number
    }

    /// The next records up to `through`, of about `bytes_max` bytes or a single larger one.
    /// `through` is the last zxid that is durable, or that of any record before it.
    ///
    /// Damage in what is durable is an error with file and offset, once everything before it was
    /// returned.
    pub async fn next(&mut self, through: Zxid, bytes_max: usize) -> Result<Piece, RecoverError> {
        let mut piece = Piece::default();
        let take = |record: Record<'_>| piece.take(record, bytes_max);
        match self.advance(through, through, take).await {
            Ok(is_at_end) => piece.is_at_end = is_at_end,
            Err(error) if piece.ends.is_empty() => return Err(error),
            // It is met again.
            Err(_) => {}
        }
        Ok(piece)
    }

    /// About how many bytes of the log lie behind the position and up to `through`. Segments that
    /// later ones follow count whole (at most twice what is in them), the last one by its batches,
    /// of which only the headers are needed.
    pub async fn bytes_behind(&mut self, through: Zxid) -> Result<u64, RecoverError> {
        if self.place.last >= through {
            return Ok(0);
        }
        while self.extend().await? {}
        let (mut bytes, mut behind) = (0, Vec::new());
        for (index, run) in self.runs.iter().enumerate().skip(self.place.run) {
            let from = if index == self.place.run { self.place.at } else { 0 };
            if !run.is_cut() {
                behind.extend(&run.segments[from..]);
            }
        }
        // From the last one down: those that are only prepared hold nothing.
        while let Some(segment) = behind.pop() {
            let is_here = segment.header.number == self.segment();
            let (mut offset, mut link) = (FIRST_OFFSET, Link::UNKNOWN);
            if is_here {
                (offset, link) = (self.place.offset, self.place.link);
            }
            if bytes > 0 {
                bytes += segment.header.segment_bytes.saturating_sub(offset.0);
                continue;
            }
            let mut scan = segment.scan(self.disk).await?;
            while let Ok(batch) = scan.header_at(offset, SCAN_FIRST_BYTES).await?
                && link.check(&batch).is_ok()
                && batch.prior < through
            {
                (offset.0, link) = (offset.0 + batch.padded_bytes() as u64, Link::behind(&batch));
                bytes += batch.padded_bytes() as u64;
            }
        }
        Ok(bytes)
    }

    /// Where the records behind the last hole begin: those before it lead nowhere.
    async fn last_hole(&mut self, ended: &[usize]) -> Result<Option<BeginsAfter>, RecoverError> {
        for run in ended.iter().rev() {
            let limit = self.runs[*run].limit;
            match hole(Place::enter(self.disk, &self.runs, *run, limit).await)? {
                Ok(place) => self.place = place,
                Err(hole) => return Ok(Some(hole)),
            }
            if let Err(hole) = hole(self.advance(limit, limit, |_| true).await)? {
                return Ok(Some(hole));
            }
        }
        Ok(None)
    }

    /// Hands out the records up to `until`, which is not behind `through`. False if one of them was
    /// not accepted: it comes next.
    async fn advance(
        &mut self,
        through: Zxid,
        until: Zxid,
        mut accept: impl FnMut(Record<'_>) -> bool,
    ) -> Result<bool, RecoverError> {
        while self.place.last < until {
            let limit = self.runs[self.place.run].limit;
            if self.place.last >= limit {
                self.begin_next_run().await?;
                continue;
            }
            let Some(batch) = self.batch(through).await? else { continue };
            let place = &mut self.place;
            for record in place.scan.records() {
                let record = record.map_err(|fault| RecoverError::Malformed {
                    path: place.scan.path().to_owned(),
                    offset: place.offset,
                    fault,
                })?;
                if record.zxid > limit.min(until) {
                    break;
                }
                if record.zxid > place.last {
                    if !accept(record) {
                        return Ok(false);
                    }
                    place.last = record.zxid;
                }
            }
            if batch.last <= limit.min(until) {
                place.step_over(&batch);
            } else if limit <= until {
                // What follows was cut, in the middle of a batch.
                place.last = limit;
            } else {
                break;
            }
        }
        Ok(true)
    }

    /// The batch that comes next, which is durable; `None` if the log was found to have grown, and
    /// the place is to be looked at anew.
    async fn batch(&mut self, through: Zxid) -> Result<Option<BatchHeader>, RecoverError> {
        if let Ok(batch) = self.place.batch().await? {
            return Ok(Some(batch));
        }
        // What was read ahead may have been written since.
        self.place.scan.forget();
        let fault = match self.place.batch().await? {
            Ok(batch) => return Ok(Some(batch)),
            Err(fault) => fault,
        };
        let (at, link, offset) = (self.place.at, self.place.link, self.place.offset);
        let run = &self.runs[self.place.run];
        let next_fault = match next_segment(self.disk, run, at, link).await? {
            Ok(scan) => {
                let place = &mut self.place;
                (place.at, place.offset, place.scan) = (at + 1, FIRST_OFFSET, scan);
                return Ok(None);
            }
            Err(next_fault) => next_fault,
        };
        if next_fault.is_none() && self.extend().await? {
            return Ok(None);
        }
        let (run, end) = (self.place.run, ChainEnd { at, offset, fault, next_fault });
        if run + 1 < self.runs.len() {
            return Err(end.before_limit(&self.runs[run], self.place.last));
        }
        let (at, offset, fault) = end.place();
        let path = self.runs[run].segments[at].path.clone();
        Err(RecoverError::Corrupt { path, offset, fault, witness: Witness::Appender(through) })
    }

    /// Continues with the next run that counts, which follows what was read.
    async fn begin_next_run(&mut self) -> Result<(), RecoverError> {
        let behind = self.place.run + 1..self.runs.len();
        let next = behind.into_iter().find(|run| !self.runs[*run].is_cut());
        let next = next.expect("the last run has no limit");
        let place = Place::enter(self.disk, &self.runs, next, self.place.last).await?;
        if self.runs[next].continues_from != Some(self.place.last) {
            let (path, reached) = (place.segment(&self.runs).path.clone(), self.place.last);
            let next = self.runs[next].continues_from.unwrap_or(reached);
            return Err(RecoverError::Hole { path, reached, next });
        }
        self.place = place;
        Ok(())
    }

    /// Notices a segment that was prepared since; false if there is none.
    async fn extend(&mut self) -> Result<bool, RecoverError> {
        let last = self.runs.last().and_then(|run| run.segments.last()).expect("it was opened");
        let number = last.header.number.next();
        let name = file_name(number);
        let entries = self.disk.list(&self.directory).await?;
        let Some(entry) = entries.iter().find(|entry| entry.name == name) else {
            return Ok(false);
        };
        let segment = load_segment(self.disk, &self.directory, number, entry.bytes).await?;
        if segment.counts_from().is_some() {
            // Of another history, which does not count while this one is read.
            return Ok(false);
        }
        add(&mut self.runs, segment);
        Ok(true)
    }
}

/// Sets a hole in the log apart from damage.
fn hole<T>(result: Result<T, RecoverError>) -> Result<Result<T, BeginsAfter>, RecoverError> {
    match result {
        Err(RecoverError::Hole { next, .. }) => Ok(Err(BeginsAfter(next))),
        result => result.map(Ok),
    }
}

/// Where a reader is: all before is read.
struct Place<'d, D: Disk> {
    /// The run, the segment in it, and where in it the next batch is, or the one begun.
    run: usize,
    at: usize,
    offset: SegmentOffset,
    scan: SegmentScan<'d, D>,
    link: Link,
    /// The last zxid that was read.
    last: Zxid,
}

impl<'d, D: Disk> Place<'d, D> {
    /// Enters a run as late as it can be for records behind `after`.
    async fn enter(
        disk: &'d D,
        runs: &[SegmentRun],
        run: usize,
        after: Zxid,
    ) -> Result<Self, RecoverError> {
        let Chain { at, link, last, .. } = Chain::begin(disk, &runs[run], after).await?;
        let scan = runs[run].segments[at].scan(disk).await?;
        Ok(Self { run, at, offset: FIRST_OFFSET, scan, link, last })
    }

    fn segment<'r>(&self, runs: &'r [SegmentRun]) -> &'r Segment {
        &runs[self.run].segments[self.at]
    }

    /// The valid batch here, if it is the next one of the chain.
    async fn batch(&mut self) -> Result<Result<BatchHeader, BatchFault>, DiskError> {
        let batch = self.scan.batch_at(self.offset).await?;
        Ok(batch.and_then(|batch| self.link.check(&batch).map(|()| batch)))
    }

    fn step_over(&mut self, batch: &BatchHeader) {
        self.link = Link::behind(batch);
        self.last = self.last.max(batch.last);
        self.offset.0 += batch.padded_bytes() as u64;
    }
}
