//! The segments of a directory, checked and grouped into runs.

use std::path::{Path, PathBuf};

use disk::{Disk, DiskError};
use model::zxid::Zxid;

use super::RecoverError;
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
    /// The lowest zxid that later runs continue from: records behind it are cut.
    pub(crate) limit: Zxid,
}

impl SegmentRun {
    /// Whether later runs have cut all of it.
    pub(crate) fn is_cut(&self) -> bool {
        self.continues_from.is_some_and(|start| start >= self.limit)
    }
}

impl Segment {
    pub(crate) async fn scan<'d, D: Disk>(
        &self,
        disk: &'d D,
    ) -> Result<SegmentScan<'d, D>, DiskError> {
        SegmentScan::open(disk, &self.path, self.header).await
    }
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

/// The runs of the log in `directory`, oldest first, by the headers of its segments.
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
    Ok(group(segments))
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

/// Segments without a gap, as runs.
pub(crate) fn group(segments: Vec<Segment>) -> Vec<SegmentRun> {
    let mut runs = Vec::new();
    for segment in segments {
        add(&mut runs, segment);
    }
    runs
}

/// Adds the segment behind the last one.
pub(crate) fn add(runs: &mut Vec<SegmentRun>, segment: Segment) {
    match (segment.header.start, runs.last_mut()) {
        (Start::Follows, Some(run)) => run.segments.push(segment),
        (start, _) => {
            let (continues_from, committed_through) = match start {
                Start::Restart { continues_from, committed_through } => {
                    (Some(continues_from), committed_through)
                }
                Start::Follows => (None, Zxid::ZERO),
            };
            for run in &mut *runs {
                run.limit = run.limit.min(continues_from.unwrap_or(run.limit));
            }
            let limit = Zxid(i64::MAX);
            let segments = vec![segment];
            runs.push(SegmentRun { segments, continues_from, committed_through, limit });
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
