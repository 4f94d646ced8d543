//! Cutting ended runs to size: a server that is started often must not fill its disk with segments
//! that are mostly empty.
//!
//! A run ends in the middle of a segment, and the next one begins in another. The rest of the old
//! one is never written: the segment is replaced by a copy without it, whose header states the
//! length that it has now. Seed, number and batches are the same, so the copy is read as the
//! original was; it gets the segment's name in one step and only when it is durable, so a power
//! loss leaves one or the other. Nothing is changed in place.
//!
//! Lives in: the background, after a run was opened and before its first record.

use std::path::Path;

use disk::limits::BULK_BYTES;
use disk::{AlignedBuf, Disk, DiskError, OpenMode, read_bytes};

use crate::format::{SegmentHeader, SegmentOffset};
use crate::limits::SEGMENT_HEADER_BYTES;
use crate::recover::{Kept, RecoverError, Segment, SegmentRun, kept, load_runs};
use crate::scan::SegmentScan;
use crate::segments::unfinished_path;

/// What a trim did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Segments that were cut to size.
    pub segment_count: usize,
    /// The bytes that they freed.
    pub freed_bytes: u64,
}

/// A segment, and how long it needs to be.
struct Excess {
    segment: Segment,
    bytes: u64,
}

/// Cuts the last segments of ended runs to size where half of one or more is unused. The last run
/// is not touched.
///
/// What is damaged or cannot be read is left as it is. After an error all that could be cut was;
/// the next start retries the others.
pub async fn trim<D: Disk>(disk: &D, directory: &Path) -> Result<Trimmed, RecoverError> {
    let mut runs = load_runs(disk, directory).await?;
    runs.pop();
    let mut excess = Vec::new();
    // All runs before one that is cut to size are cut to size as well: they are cut oldest first.
    while let Some(run) = runs.pop() {
        let Ok(Some(kept)) = kept(disk, &run).await else { continue };
        let before = excess.len();
        excess.extend(excess_of(run, kept));
        if excess.len() == before {
            break;
        }
    }
    let (mut trimmed, mut failed) = (Trimmed::default(), None);
    for Excess { segment, bytes } in excess.iter().rev() {
        match shorten(disk, directory, segment, *bytes).await {
            Ok(false) => {}
            Ok(true) => {
                trimmed.segment_count += 1;
                trimmed.freed_bytes += segment.header.segment_bytes - bytes;
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(trimmed), |error| Err(error.into()))
}

/// The segments of a run of which half or more is unused, last one first.
fn excess_of(run: SegmentRun, kept: Kept) -> impl Iterator<Item = Excess> {
    let tail = run.segments.into_iter().enumerate().skip(kept.at).rev();
    tail.filter_map(move |(at, segment)| {
        let bytes = if at == kept.at { kept.end.0 } else { SEGMENT_HEADER_BYTES as u64 };
        (2 * bytes <= segment.header.segment_bytes).then_some(Excess { segment, bytes })
    })
}

/// Replaces a segment by a copy of its first `bytes`; false if the copy is not what was read
/// before, and the segment stays.
async fn shorten<D: Disk>(
    disk: &D,
    directory: &Path,
    segment: &Segment,
    bytes: u64,
) -> Result<bool, DiskError> {
    let made = unfinished_path(directory, segment.header.number);
    let header = SegmentHeader { segment_bytes: bytes, ..segment.header };
    let copied = async {
        copy(disk, &segment.path, &made, header).await?;
        is_whole(disk, &made, header).await
    };
    let copied = copied.await;
    if !matches!(copied, Ok(true)) {
        // The first error is the one to report; what is left is removed with the next run.
        let _ = disk.remove(&made).await;
        return copied;
    }
    disk.rename_durable(&made, &segment.path).await?;
    Ok(true)
}

async fn copy<D: Disk>(
    disk: &D,
    from: &Path,
    to: &Path,
    header: SegmentHeader,
) -> Result<(), DiskError> {
    let source = disk.open(from, OpenMode::Read).await?;
    let copy = disk.create(to, header.segment_bytes).await?;
    let mut block = AlignedBuf::zeroed(SEGMENT_HEADER_BYTES);
    header.encode(&mut block);
    disk.write_at(&copy, 0, block).await?;
    let mut offset = SEGMENT_HEADER_BYTES as u64;
    while offset < header.segment_bytes {
        let piece_bytes = (header.segment_bytes - offset).min(BULK_BYTES as u64);
        let piece = read_bytes(disk, &source, from, offset, piece_bytes as usize).await?;
        disk.write_at(&copy, offset, piece).await?;
        offset += piece_bytes;
    }
    disk.flush(&copy).await
}

/// Whether valid batches fill a segment to its end: a wrong read must not replace what is right on
/// the medium.
async fn is_whole<D: Disk>(
    disk: &D,
    path: &Path,
    header: SegmentHeader,
) -> Result<bool, DiskError> {
    let mut scan = SegmentScan::open(disk, path, header).await?;
    let mut offset = SegmentOffset(SEGMENT_HEADER_BYTES as u64);
    while offset.0 < header.segment_bytes {
        let Ok(batch) = scan.batch_at(offset).await? else { return Ok(false) };
        offset.0 += batch.padded_bytes() as u64;
    }
    Ok(offset.0 == header.segment_bytes)
}
