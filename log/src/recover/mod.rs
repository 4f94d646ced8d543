//! What the log holds after a restart.
//!
//! The log is a chain of batches, cut into runs by segments that begin one. Recovery follows the
//! chain; where it breaks, the question is whether what is missing was ever acknowledged:
//!
//! - in a run that was ended by a later one, everything up to where that one continues must be
//!   there;
//! - in the last run, a batch was acknowledged only when it and all before it were durable, and
//!   each batch states what was durable when it left. So if any later valid batch of the run states
//!   that the missing one was durable, acknowledged data is damaged, and likewise if the caller
//!   knows of a later zxid that was durable. Otherwise the missing batch was in flight when the
//!   power was lost: the torn tail. Valid batches behind it were in flight with it, were never
//!   acknowledged, and are cut with it.
//!
//! A run that begins with a snapshot received from a leader is ignored while the current epoch is
//! lower than the run's; once it is not, nothing of earlier runs is read.
//!
//! Lives in: the background, before the ordering role starts.

mod error;
mod kept;
mod link;
mod runs;

use std::path::Path;

use disk::{Disk, DiskError};
use model::zxid::Zxid;

use crate::format::{BatchFault, BatchHeader, SegmentNumber, SegmentOffset};
use crate::limits::SEGMENT_HEADER_BYTES;
use crate::scan::SegmentScan;
pub(crate) use kept::{Kept, kept};
pub(crate) use link::Link;
pub(crate) use runs::{Segment, SegmentRun, add, current_epoch, group, load_runs, load_segment};

pub use error::{RecoverError, Witness};
pub use runs::{Base, LogRun, base, runs};

/// From where, and what must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoverFrom {
    /// Records up to here are skipped: the zxid of the snapshot that was loaded.
    pub after: Zxid,
    /// What is known to have been durable from elsewhere: the zxid of the newest snapshot, also
    /// of one that could not be read.
    pub durable: Zxid,
    /// What is known to be committed from elsewhere: all of a snapshot of this server's own,
    /// nothing of imported data.
    pub committed: Zxid,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last zxid of the log, or that of the snapshot if it is later: what the next run
    /// continues from.
    pub last: Zxid,
    /// How far the history is known to be committed, at most `last`: as the log states it, and not
    /// before the snapshot, unless that was received from a leader or imported. Format 1 states
    /// nothing: all that is found of it is committed.
    pub committed_through: Zxid,
    /// Records handed out.
    pub record_count: u64,
    /// Their bytes.
    pub record_bytes: u64,
    /// The last segment that the next run must leave in its place, for
    /// [`segments::RunStart`](crate::segments::RunStart): the last one with a batch, but none of a
    /// run that holds no record and that the next one replaces.
    pub used_last: Option<SegmentNumber>,
    /// What was in flight when the power was lost, and is cut.
    pub torn: Option<TornTail>,
}

/// Where a power loss interrupted the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub segment: SegmentNumber,
    /// Where the first missing batch would be.
    pub offset: SegmentOffset,
    /// What is found there.
    pub fault: BatchFault,
    /// Valid batches behind it, never acknowledged.
    pub unacknowledged_count: u64,
}

/// What is done with a log while it is read.
pub trait LogSink {
    /// The next record, behind all before.
    fn record(&mut self, zxid: Zxid, txn: &[u8]);

    /// What was read so far states that the history is committed through here, at most through
    /// the last record. More than the time before.
    fn committed(&mut self, through: Zxid);
}

/// For who needs the records only.
struct Records<F>(F);

impl<F: FnMut(Zxid, &[u8])> LogSink for Records<F> {
    fn record(&mut self, zxid: Zxid, txn: &[u8]) {
        (self.0)(zxid, txn);
    }

    fn committed(&mut self, _: Zxid) {}
}

/// Reads the log in `directory` and hands out every record behind `from.after`, in order.
///
/// Records are handed out while reading; after an error those already handed out are void. If the
/// log was truncated, snapshots behind the truncation must have been removed before.
pub async fn recover<D: Disk>(
    disk: &D,
    directory: &Path,
    from: RecoverFrom,
    on_record: impl FnMut(Zxid, &[u8]),
) -> Result<Recovered, RecoverError> {
    recover_into(disk, directory, from, &mut Records(on_record)).await
}

/// The same, and reports what is committed as soon as it is known.
pub async fn recover_into<D: Disk>(
    disk: &D,
    directory: &Path,
    from: RecoverFrom,
    sink: &mut impl LogSink,
) -> Result<Recovered, RecoverError> {
    let runs = load_runs(disk, directory).await?;
    let mut found = Recovered::behind(from);
    recover_runs(disk, &runs, from.durable, &mut found, sink).await?;
    Ok(found)
}

impl Recovered {
    /// Nothing yet, behind the snapshot.
    pub(crate) fn behind(from: RecoverFrom) -> Self {
        Self { last: from.after, committed_through: from.committed, ..Self::default() }
    }

    /// Something that was read states that the history is committed through there. A batch may have
    /// known more than the power loss has left.
    fn commit(&mut self, through: Zxid, sink: &mut impl LogSink) {
        let through = through.min(self.last);
        if through > self.committed_through {
            self.committed_through = through;
            sink.committed(through);
        }
    }
}

/// Reads `runs` from `found.last` on. After an error `found` says how far it got.
pub(crate) async fn recover_runs<D: Disk>(
    disk: &D,
    runs: &[SegmentRun],
    durable: Zxid,
    found: &mut Recovered,
    sink: &mut impl LogSink,
) -> Result<(), RecoverError> {
    let after = found.last;
    if let Some(first) = runs.first()
        && first.is_received
        && first.continues_from == Some(after)
    {
        // A leader's history that may not have been chosen.
        found.committed_through = Zxid::ZERO;
    }
    found.used_last = runs.first().and_then(SegmentRun::left_before);
    let run_count = runs.len();
    for (index, run) in runs.iter().enumerate() {
        let is_last = index + 1 == run_count;
        found.commit(run.committed_through.min(run.limit), sink);
        if !is_last && (run.is_cut() || run.limit <= after) {
            // Later runs have cut all of it, or the snapshot covers what they have left.
            found.used_last = run.segments.last().map(|segment| segment.header.number);
            continue;
        }
        let mut chain = Chain::begin(disk, run, found.last).await?;
        let end = chain.follow(found, sink).await?;
        if is_last && chain.is_ended && chain.last >= durable {
            // Nothing was written behind it, so there is nothing to search.
        } else if is_last {
            let used_last = found.used_last;
            if let Err(error) = chain.judge_tail(&end, durable, found).await {
                found.used_last = used_last;
                return Err(error);
            }
        } else {
            chain.require(&end, found)?;
            found.last = found.last.max(run.limit);
            found.used_last = run.segments.last().map(|segment| segment.header.number);
        }
        if is_last && run.continues_from == Some(found.last) {
            // It only states where the log ends, and the next run states the same.
            found.used_last = run.left_before();
        }
    }
    Ok(())
}

/// The batches of one run, followed from one to the next.
pub(crate) struct Chain<'r, D: Disk> {
    disk: &'r D,
    run: &'r SegmentRun,
    /// Which segment of the run is being read, and where in it.
    pub(crate) at: usize,
    offset: SegmentOffset,
    scan: SegmentScan<'r, D>,
    /// What the next batch must follow.
    pub(crate) link: Link,
    /// The zxid of the last record in the chain.
    pub(crate) last: Zxid,
    /// Whether the last batch is flagged as the clean end of the run.
    is_ended: bool,
}

/// Where a chain has ended.
pub(crate) struct ChainEnd {
    pub(crate) at: usize,
    pub(crate) offset: SegmentOffset,
    pub(crate) fault: BatchFault,
    /// What is found at the beginning of the run's next segment, where the missing batch may have
    /// been as well.
    pub(crate) next_fault: Option<BatchFault>,
}

impl ChainEnd {
    /// The more likely place of the missing batch.
    pub(crate) fn place(&self) -> (usize, SegmentOffset, BatchFault) {
        match (self.fault, self.next_fault) {
            (BatchFault::SegmentEnd, Some(fault))
            | (
                BatchFault::Unwritten { .. },
                Some(fault @ (BatchFault::Crc { .. } | BatchFault::Length { .. })),
            ) => (self.at + 1, FIRST_OFFSET, fault),
            _ => (self.at, self.offset, self.fault),
        }
    }

    /// The run was to reach `limit`, where a later one continues from, and ends here instead.
    pub(crate) fn before_limit(&self, run: &SegmentRun, reached: Zxid) -> RecoverError {
        let (at, offset, fault) = self.place();
        let (path, limit) = (run.segments[at].path.clone(), run.limit);
        // Nothing is there, and yet the next run continues from later: it began with a snapshot,
        // and the records in between were never in this log.
        if is_nothing(fault) {
            return RecoverError::Hole { path, reached, next: limit };
        }
        RecoverError::Corrupt { path, offset, fault, witness: Witness::NextRun(limit) }
    }
}

/// Whether no batch was ever begun there.
const fn is_nothing(fault: BatchFault) -> bool {
    matches!(fault, BatchFault::Unwritten { .. } | BatchFault::SegmentEnd)
}

pub(crate) const FIRST_OFFSET: SegmentOffset = SegmentOffset(SEGMENT_HEADER_BYTES as u64);

impl<'r, D: Disk> Chain<'r, D> {
    /// Enters a run as late as it can be for records behind `reached`.
    pub(crate) async fn begin(
        disk: &'r D,
        run: &'r SegmentRun,
        reached: Zxid,
    ) -> Result<Self, RecoverError> {
        for (at, segment) in run.segments.iter().enumerate().rev() {
            if at == 0
                && let Some(continues_from) = run.continues_from
            {
                let scan = segment.scan(disk).await?;
                if continues_from > reached {
                    let path = segment.path.clone();
                    return Err(RecoverError::Hole { path, reached, next: continues_from });
                }
                let offset = FIRST_OFFSET;
                return Ok(Self {
                    disk,
                    run,
                    at,
                    offset,
                    scan,
                    link: Link::START,
                    last: continues_from,
                    is_ended: false,
                });
            }
            let mut scan = segment.scan(disk).await?;
            let first = match scan.batch_at(FIRST_OFFSET).await {
                // No place to enter; the chain reaches it again if it is needed.
                Err(_) if at > 0 => continue,
                first => first?,
            };
            match first {
                Ok(first) if first.prior <= reached => {
                    let (offset, last) = (FIRST_OFFSET, first.prior);
                    return Ok(Self {
                        disk,
                        run,
                        at,
                        offset,
                        scan,
                        link: Link::UNKNOWN,
                        last,
                        is_ended: false,
                    });
                }
                // The log's first segment, after a purge: what came before was removed.
                Ok(first) if at == 0 => {
                    let (path, next) = (segment.path.clone(), first.prior);
                    return Err(RecoverError::Hole { path, reached, next });
                }
                // A purge leaves only segments whose first batch was durable.
                Err(fault) if at == 0 => {
                    let (path, offset) = (segment.path.clone(), FIRST_OFFSET);
                    let witness = Witness::Purge;
                    return Err(RecoverError::Corrupt { path, offset, fault, witness });
                }
                Ok(_) | Err(_) => {}
            }
        }
        unreachable!("a run has a first segment")
    }

    /// Hands out records until the chain breaks.
    async fn follow(
        &mut self,
        found: &mut Recovered,
        sink: &mut impl LogSink,
    ) -> Result<ChainEnd, RecoverError> {
        loop {
            if self.last >= self.run.limit || self.is_ended {
                // What follows, if anything, is cut, and may be the very reason for the cut.
                let (at, offset, fault) = (self.at, self.offset, BatchFault::SegmentEnd);
                return Ok(ChainEnd { at, offset, fault, next_fault: None });
            }
            let batch = match self.batch_here().await? {
                Ok(batch) => batch,
                Err(fault) => {
                    let (at, offset) = (self.at, self.offset);
                    match self.switch().await? {
                        Ok(()) => continue,
                        Err(next_fault) => {
                            return Ok(ChainEnd { at, offset, fault, next_fault });
                        }
                    }
                }
            };
            for record in self.scan.records() {
                let record = record.map_err(|fault| RecoverError::Malformed {
                    path: self.scan.path().to_owned(),
                    offset: self.offset,
                    fault,
                })?;
                if record.zxid > found.last && record.zxid <= self.run.limit {
                    sink.record(record.zxid, record.txn);
                    found.last = record.zxid;
                    found.record_count += 1;
                    found.record_bytes += record.txn.len() as u64;
                }
            }
            found.commit(batch.committed_through.min(self.run.limit), sink);
            self.advance(&batch);
            found.used_last = Some(self.segment().header.number);
        }
    }

    /// Advances over a batch of the chain.
    fn advance(&mut self, batch: &BatchHeader) {
        self.link = Link::behind(batch);
        self.last = batch.last;
        self.is_ended = batch.is_end;
        self.offset.0 += batch.padded_bytes() as u64;
    }

    /// The valid batch at the current position, if it is the next one of the chain.
    async fn batch_here(&mut self) -> Result<Result<BatchHeader, BatchFault>, DiskError> {
        let batch = match self.scan.batch_at(self.offset).await? {
            Ok(batch) => batch,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(self.link.check(&batch).map(|()| batch))
    }

    /// Continues in the next segment if the chain does; otherwise returns what is found there, if
    /// there is one.
    async fn switch(&mut self) -> Result<Result<(), Option<BatchFault>>, RecoverError> {
        let next = next_segment(self.disk, self.run, self.at, self.link).await?;
        Ok(next.map(|scan| (self.at, self.offset, self.scan) = (self.at + 1, FIRST_OFFSET, scan)))
    }

    fn segment(&self) -> &'r Segment {
        &self.run.segments[self.at]
    }

    /// A later run continues from the limit: was everything up to there found?
    fn require(&self, end: &ChainEnd, found: &Recovered) -> Result<(), RecoverError> {
        if self.last >= self.run.limit {
            return Ok(());
        }
        Err(end.before_limit(self.run, found.last))
    }

    /// The last run has ended: torn, or damaged?
    async fn judge_tail(
        &mut self,
        end: &ChainEnd,
        durable: Zxid,
        found: &mut Recovered,
    ) -> Result<(), RecoverError> {
        let (mut at_missing, mut offset_missing, mut fault) = end.place();
        let missing = self.link.sequence_next();
        let (mut unacknowledged_count, mut witness) = (0, None);
        for (at, segment) in self.run.segments.iter().enumerate().skip(end.at) {
            let mut scan = segment.scan(self.disk).await?;
            if at == end.at {
                scan.seek(end.offset);
            }
            while let Some((offset, batch)) = scan.next().await? {
                if at == end.at {
                    // The segment continues behind, so the hole is here.
                    (at_missing, offset_missing, fault) = (end.at, end.offset, end.fault);
                }
                if witness.is_none() && batch.durable_sequence >= missing {
                    let (segment, durable_through) = (batch.segment, batch.durable_through);
                    witness = Some(Witness::Batch { segment, offset, durable_through });
                }
                unacknowledged_count += 1;
                found.used_last = Some(batch.segment);
            }
        }
        let offset = offset_missing;
        if found.last < durable {
            witness = witness.or(Some(Witness::Snapshot(durable)));
        }
        if let Some(witness) = witness {
            let path = self.run.segments[at_missing].path.clone();
            return Err(RecoverError::Corrupt { path, offset, fault, witness });
        }
        if self.last < durable {
            let path = self.run.segments[at_missing].path.clone();
            return Err(RecoverError::Older { path, reached: self.last, snapshot: durable });
        }
        if !is_nothing(fault) || unacknowledged_count > 0 {
            let segment = self.run.segments[at_missing].header.number;
            found.torn = Some(TornTail { segment, offset, fault, unacknowledged_count });
        }
        Ok(())
    }
}

/// The run's segment behind `at`, if the chain continues at its beginning; otherwise what is found
/// there, if there is one.
pub(crate) async fn next_segment<'d, D: Disk>(
    disk: &'d D,
    run: &SegmentRun,
    at: usize,
    link: Link,
) -> Result<Result<SegmentScan<'d, D>, Option<BatchFault>>, DiskError> {
    let Some(segment) = run.segments.get(at + 1) else { return Ok(Err(None)) };
    let mut scan = segment.scan(disk).await?;
    let first = scan.batch_at(FIRST_OFFSET).await?;
    Ok(first.and_then(|first| link.check(&first)).map(|()| scan).map_err(Some))
}
