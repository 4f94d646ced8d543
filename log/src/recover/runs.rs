//! The segments of a directory, checked and grouped into runs.

use std::path::{Path, PathBuf};

use disk::{Disk, DiskError};
use model::zxid::Zxid;

use super::RecoverError;
use crate::format::{FORMAT_VERSION, HeaderFault, SegmentHeader, Start};
use crate::limits::SEGMENT_HEADER_BYTES;
use crate::scan::SegmentScan;
use crate::segments::{parse_file_name, path, read_header};

/// A segment's header and file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) path: PathBuf,
}

/// Segments whose batches form one chain; one at least.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) segments: Vec<Segment>,
    /// What its first record comes after; `None` where a purge has taken the beginning.
    pub(super) continues_from: Option<Zxid>,
    /// What later runs continue from at the lowest: records behind are cut.
    pub(super) limit: Zxid,
}

impl Segment {
    pub(super) async fn scan<'d, D: Disk>(
        &self,
        disk: &'d D,
    ) -> Result<SegmentScan<'d, D>, DiskError> {
        SegmentScan::open(disk, &self.path, self.header).await
    }
}

/// Reads all headers. Every segment's header was durable before the segment had its name, so one
/// that is not valid is damage, never a crash.
pub(super) async fn load_runs<D: Disk>(
    disk: &D,
    directory: &Path,
) -> Result<Vec<Run>, RecoverError> {
    let entries = match disk.list(directory).await {
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut runs: Vec<Run> = Vec::new();
    let mut expected = None;
    for entry in entries {
        let Some(number) = parse_file_name(&entry.name) else { continue };
        if let Some(expected) = expected
            && number != expected
        {
            return Err(RecoverError::MissingSegment { path: path(directory, expected) });
        }
        expected = Some(number.next());
        let path = directory.join(&entry.name);
        if entry.bytes < SEGMENT_HEADER_BYTES as u64 {
            let (expected, found) = (SEGMENT_HEADER_BYTES as u64, entry.bytes);
            return Err(RecoverError::WrongLength { path, expected, found });
        }
        let header = read_header(disk, &path).await?.map_err(|fault| refused(&path, fault))?;
        if header.number != number {
            let (expected, found) = (number, header.number);
            return Err(RecoverError::WrongNumber { path, expected, found });
        }
        if header.segment_bytes != entry.bytes {
            let (expected, found) = (header.segment_bytes, entry.bytes);
            return Err(RecoverError::WrongLength { path, expected, found });
        }
        add(&mut runs, Segment { header, path });
    }
    Ok(runs)
}

fn add(runs: &mut Vec<Run>, segment: Segment) {
    match (segment.header.start, runs.last_mut()) {
        (Start::Follows, Some(run)) => run.segments.push(segment),
        (start, _) => {
            let continues_from = match start {
                Start::Restart { continues_from } => Some(continues_from),
                Start::Follows => None,
            };
            for run in &mut *runs {
                run.limit = run.limit.min(continues_from.unwrap_or(run.limit));
            }
            let limit = Zxid(i64::MAX);
            runs.push(Run { segments: vec![segment], continues_from, limit });
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
