//! The segments of a directory, checked and grouped into runs.

use std::path::{Path, PathBuf};

use disk::{Disk, DiskError};
use model::zxid::{Epoch, Zxid};

use super::RecoverError;
use crate::epochs::{self, EpochsError};
use crate::format::{FORMAT_VERSION, HeaderFault, SegmentHeader, SegmentNumber, Start};
use crate::limits::SEGMENT_HEADER_BYTES;
use crate::scan::SegmentScan;
use crate::segments::{parse_file_name, path, read_header};

/// A segment's header and file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    pub(crate) path: PathBuf,
}

/// Segments whose batches form one chain; at least one.
#[derive(Debug)]
pub(crate) struct SegmentRun {
    pub(crate) segments: Vec<Segment>,
    /// What its first record comes after; `None` where a purge has removed the beginning.
    pub(crate) continues_from: Option<Zxid>,
    /// What was known to be committed when it began; nothing where that was removed.
    pub(crate) committed_through: Zxid,
    /// Whether it begins with a snapshot that was received.
    pub(crate) is_received: bool,
    /// The lowest zxid that later runs continue from: records behind it are cut.
    pub(crate) limit: Zxid,
}

impl SegmentRun {
    /// The last segment that a later run must leave, if this one holds no record: one that begins
    /// with a received snapshot also then keeps what came before from counting.
    pub(crate) fn left_before(&self) -> Option<SegmentNumber> {
        let first = self.segments[0].header.number;
        if self.is_received { Some(first) } else { first.before() }
    }

    /// Whether later runs have cut all of it.
    pub(crate) fn is_cut(&self) -> bool {
        self.continues_from.is_some_and(|start| start >= self.limit)
    }
}

impl Segment {
    /// The epoch from which on the run counts that begins with it, if it is one with a snapshot
    /// that was received.
    pub(crate) const fn counts_from(&self) -> Option<Epoch> {
        match self.header.start {
            Start::Restart { counts_from, .. } => counts_from,
            Start::Follows => None,
        }
    }

    pub(crate) async fn scan<'d, D: Disk>(
        &self,
        disk: &'d D,
    ) -> Result<SegmentScan<'d, D>, DiskError> {
        SegmentScan::open(disk, &self.path, self.header).await
    }
}

/// A snapshot that was received from a leader, and that the log begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its zxid: the log holds nothing at or before it.
    pub zxid: Zxid,
    /// The epoch that it was received in.
    pub epoch: Epoch,
}

/// The received snapshot that the log in `directory` begins with, if it begins with one that
/// counts: of other snapshots none counts that was taken before.
pub async fn base<D: Disk>(disk: &D, directory: &Path) -> Result<Option<Base>, RecoverError> {
    let runs = load_runs(disk, directory).await?;
    let first = runs.first().map(|run| &run.segments[0]);
    Ok(first.and_then(|first| match first.header.start {
        Start::Restart { continues_from, counts_from: Some(epoch), .. } => {
            Some(Base { zxid: continues_from, epoch })
        }
        _ => None,
    }))
}

/// What identifies a run, and how far it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRun {
    /// Its segments with their seeds, at least one; a purge may have removed the first ones.
    pub segments: Vec<(SegmentNumber, u64)>,
    /// What its first record comes after; `None` where a purge has removed the beginning.
    pub continues_from: Option<Zxid>,
    /// How far later runs have kept it: records behind are cut.
    pub limit: Zxid,
}

/// The runs of the log in `directory` that count, oldest first, by the headers of its segments.
pub async fn runs<D: Disk>(disk: &D, directory: &Path) -> Result<Vec<LogRun>, RecoverError> {
    let runs = load_runs(disk, directory).await?.into_iter();
    let log_run = |run: SegmentRun| LogRun {
        segments: run.segments.iter().map(|it| (it.header.number, it.header.seed)).collect(),
        continues_from: run.continues_from,
        limit: run.limit,
    };
    Ok(runs.map(log_run).collect())
}

/// Reads all headers. Every segment's header was durable before the segment had its name, so an
/// invalid one is damage, never a crash.
pub(crate) async fn load_runs<D: Disk>(
    disk: &D,
    directory: &Path,
) -> Result<Vec<SegmentRun>, RecoverError> {
    let entries = match disk.list(directory).await {
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut segments = Vec::new();
    let mut expected = None;
    for entry in entries {
        let Some(number) = parse_file_name(&entry.name) else { continue };
        if let Some(expected) = expected
            && number != expected
        {
            return Err(RecoverError::MissingSegment { path: path(directory, expected) });
        }
        expected = Some(number.next());
        segments.push(load_segment(disk, directory, number, entry.bytes).await?);
    }
    let current = current_epoch(disk, directory, &segments).await?;
    Ok(group(segments, current))
}

/// The current epoch, where it decides which runs count.
pub(crate) async fn current_epoch<D: Disk>(
    disk: &D,
    directory: &Path,
    segments: &[Segment],
) -> Result<Epoch, EpochsError> {
    if segments.iter().all(|segment| segment.counts_from().is_none()) {
        return Ok(Epoch(0));
    }
    epochs::current(disk, directory).await
}

/// Reads and checks the header of the segment of this number, whose file has this many bytes.
pub(crate) async fn load_segment<D: Disk>(
    disk: &D,
    directory: &Path,
    number: SegmentNumber,
    bytes: u64,
) -> Result<Segment, RecoverError> {
    let path = path(directory, number);
    if bytes < SEGMENT_HEADER_BYTES as u64 {
        let (expected, found) = (SEGMENT_HEADER_BYTES as u64, bytes);
        return Err(RecoverError::WrongLength { path, expected, found });
    }
    let header = read_header(disk, &path).await?.map_err(|fault| refused(&path, fault))?;
    if header.number != number {
        let (expected, found) = (number, header.number);
        return Err(RecoverError::WrongNumber { path, expected, found });
    }
    if header.segment_bytes != bytes {
        let (expected, found) = (header.segment_bytes, bytes);
        return Err(RecoverError::WrongLength { path, expected, found });
    }
    Ok(Segment { header, path })
}

/// The runs that count of segments without a gap.
pub(crate) fn group(segments: Vec<Segment>, current: Epoch) -> Vec<SegmentRun> {
    let mut runs = Vec::new();
    let mut is_ignored = false;
    for segment in segments {
        if segment.header.start != Start::Follows {
            is_ignored = segment.counts_from().is_some_and(|epoch| epoch > current);
        }
        if is_ignored {
            continue;
        }
        if segment.counts_from().is_some() {
            runs.clear();
        }
        add(&mut runs, segment);
    }
    runs
}

/// Adds the segment behind the last one.
pub(crate) fn add(runs: &mut Vec<SegmentRun>, segment: Segment) {
    match (segment.header.start, runs.last_mut()) {
        (Start::Follows, Some(run)) => run.segments.push(segment),
        (start, _) => {
            let is_received = segment.counts_from().is_some();
            let (continues_from, committed_through) = match start {
                Start::Restart { continues_from, committed_through, .. } => {
                    (Some(continues_from), committed_through)
                }
                Start::Follows => (None, Zxid::ZERO),
            };
            for run in &mut *runs {
                run.limit = run.limit.min(continues_from.unwrap_or(run.limit));
            }
            let limit = Zxid(i64::MAX);
            runs.push(SegmentRun {
                segments: vec![segment],
                continues_from,
                committed_through,
                is_received,
                limit,
            });
        }
    }
}

fn refused(path: &Path, fault: HeaderFault) -> RecoverError {
    let path = path.to_owned();
    match fault {
        HeaderFault::Magic { found } => RecoverError::WrongMagic { path, found },
        HeaderFault::Version { found } => {
            RecoverError::OtherVersion { path, found, known: FORMAT_VERSION }
        }
        HeaderFault::Crc { expected, found } => {
            RecoverError::CorruptHeader { path, expected, found }
        }
        HeaderFault::Start { found } => RecoverError::UnknownStart { path, found },
    }
}
