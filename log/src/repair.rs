//! The repair of last resort: how far a log that recovery refuses can be read, and ending it there.
//!
//! A cut is a new run that continues from the zxid where the log is to end; recovery reads earlier
//! runs up to there and no further. So nothing is overwritten. Segments that can no longer be part
//! of the log are set aside as `cut-<number>`, and so are copies of those that stay and hold
//! records behind the cut: the next start trims them. A log that is whole and already ends at the
//! cut is left as it is.
//!
//! Lives in: the background of a repair; no server uses the directory during it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use disk::limits::BULK_BYTES;
use disk::{AlignedBuf, BLOCK_BYTES, Disk, DiskError, OpenMode};
use model::zxid::{Epoch, Zxid};

use crate::format::{SegmentHeader, SegmentNumber};
use crate::limits::{SEGMENT_BYTES_DEFAULT, SEGMENT_HEADER_BYTES};
use crate::recover::{
    LogSink, RecoverError, RecoverFrom, Recovered, Segment, current_epoch, group, load_segment,
    recover, recover_runs,
};
use crate::scan::SegmentScan;
use crate::segments::{self, RunStart, parse_file_name};

/// The result of examining a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// Why recovery refuses the log; `None` if it does not.
    pub complaint: Option<RecoverError>,
    /// The last zxid that can be read from the snapshot on without a gap.
    pub reached: Zxid,
    /// How far of that is known to be committed.
    committed: Zxid,
    /// The first and the last segment of the log.
    pub segments: Option<(SegmentNumber, SegmentNumber)>,
    /// Segments that stay; without a gap.
    keep: Vec<SegmentNumber>,
    /// Segments that a cut sets aside.
    aside: Vec<SegmentNumber>,
    /// The length of a segment, if one is known.
    segment_bytes: Option<u64>,
}

/// What a cut did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// The files that hold what was set aside or copied.
    pub aside: Vec<PathBuf>,
}

impl Examination {
    /// Whether the log is whole and already ends there.
    pub fn ends_at(&self, at: Zxid) -> bool {
        self.complaint.is_none() && self.segments.is_some() && self.reached == at
    }

    /// The segments that a cut sets aside.
    pub fn aside(&self) -> &[SegmentNumber] {
        &self.aside
    }
}

/// Examines the log behind the snapshot at `from.after` and changes nothing.
pub async fn examine<D: Disk>(
    disk: &D,
    directory: &Path,
    from: RecoverFrom,
) -> Result<Examination, DiskError> {
    let complaint = recover(disk, directory, from, |_, _| {}).await.err();
    let entries = match disk.list(directory).await {
        Err(error) if error.is_missing() => Vec::new(),
        entries => entries?,
    };
    let mut all = Vec::new();
    let mut stretches: Vec<Vec<Segment>> = Vec::new();
    for entry in &entries {
        let Some(number) = parse_file_name(&entry.name) else { continue };
        all.push(number);
        // One that cannot be read ends a stretch just like one that is missing.
        let Ok(segment) = load_segment(disk, directory, number, entry.bytes).await else {
            continue;
        };
        match stretches.last_mut() {
            Some(stretch) if last_of(stretch).next() == number => stretch.push(segment),
            _ => stretches.push(vec![segment]),
        }
    }
    // Those of ended runs may have been cut to size.
    let lengths = stretches.iter().flatten().map(|segment| segment.header.segment_bytes);
    let segment_bytes = lengths.max().filter(|bytes| *bytes > SEGMENT_HEADER_BYTES as u64);
    let mut keep = Vec::new();
    let (mut reached, mut committed) = (from.after, from.committed);
    for stretch in stretches.into_iter().rev() {
        // Where the epochs are not known, the complaint says so, and what may not count does not.
        let current = current_epoch(disk, directory, &stretch).await.unwrap_or(Epoch(0));
        let runs = group(stretch, current);
        let of_runs = runs.iter().flat_map(|run| &run.segments);
        let numbers: Vec<_> = of_runs.map(|segment| segment.header.number).collect();
        let mut found = Recovered::behind(from);
        let result = recover_runs(disk, &runs, from.after, &mut found, &mut Nothing).await;
        let is_joined = result.is_ok() || found.last > from.after;
        if is_joined {
            (reached, committed) = (found.last, found.committed_through);
            let last = if result.is_ok() { numbers.last().copied() } else { found.used_last };
            keep = numbers.into_iter().filter(|number| Some(*number) <= last).collect();
            break;
        }
    }
    let kept: BTreeSet<_> = keep.iter().copied().collect();
    let aside = all.iter().copied().filter(|number| !kept.contains(number)).collect();
    let segments = all.first().copied().zip(all.last().copied());
    Ok(Examination { complaint, reached, committed, segments, keep, aside, segment_bytes })
}

/// An examination needs none of the records.
struct Nothing;

impl LogSink for Nothing {
    fn record(&mut self, _: Zxid, _: &[u8]) {}

    fn committed(&mut self, _: Zxid) {}
}

fn last_of(stretch: &[Segment]) -> SegmentNumber {
    stretch.last().expect("a stretch has a segment").header.number
}

/// Ends the log at `at`, which is no later than what was reached. If interrupted, it can be
/// restarted.
///
/// # Panics
/// If `at` was not reached.
pub async fn cut<D: Disk>(
    disk: &D,
    directory: &Path,
    found: &Examination,
    at: Zxid,
    seed: u64,
) -> Result<Cut, DiskError> {
    assert!(at <= found.reached, "{at} is behind {}", found.reached);
    let mut done = Cut::default();
    if found.ends_at(at) {
        return Ok(done);
    }
    for number in given_up(disk, directory, found, at).await? {
        done.aside.push(copy_aside(disk, directory, number).await?);
    }
    // From the last one down, so that an interruption leaves no new hole.
    for number in found.aside.iter().rev() {
        let to = aside_path(disk, directory, *number).await?;
        rename(disk, &segments::path(directory, *number), &to).await?;
        done.aside.push(to);
    }
    let used_last = found.keep.last().copied();
    let committed_through = found.committed.min(at);
    let run = RunStart { used_last, continues_from: at, committed_through, counts_from: None };
    let bytes = found.segment_bytes.unwrap_or(SEGMENT_BYTES_DEFAULT);
    let _: SegmentHeader = segments::open_run(disk, directory, run, bytes, seed).await?;
    Ok(done)
}

/// The segments that stay and hold records that a cut at `at` removes from the log: the next start
/// cuts them to size. In a damaged log the last segment is always among them.
async fn given_up<D: Disk>(
    disk: &D,
    directory: &Path,
    found: &Examination,
    at: Zxid,
) -> Result<Vec<SegmentNumber>, DiskError> {
    let mut numbers = Vec::new();
    for (index, number) in found.keep.iter().rev().enumerate() {
        let is_damaged = index == 0 && found.complaint.is_some();
        let path = segments::path(directory, *number);
        let Ok(header) = segments::read_header(disk, &path).await? else { continue };
        let mut scan = SegmentScan::open(disk, &path, header).await?;
        let (mut is_given_up, mut begins) = (is_damaged, None);
        while let Ok(Some((_, batch))) = scan.next().await {
            begins = begins.or(Some(batch.prior));
            is_given_up |= batch.last > at;
            if is_given_up {
                break;
            }
        }
        if is_given_up {
            numbers.push(*number);
        } else if begins.is_some_and(|begins| begins < at) {
            break;
        }
    }
    numbers.reverse();
    Ok(numbers)
}

async fn rename<D: Disk>(disk: &D, from: &Path, to: &Path) -> Result<(), DiskError> {
    disk.rename_durable(from, to).await
}

/// An unused name for the part of a segment that is set aside.
async fn aside_path<D: Disk>(
    disk: &D,
    directory: &Path,
    number: SegmentNumber,
) -> Result<PathBuf, DiskError> {
    let names: BTreeSet<_> =
        disk.list(directory).await?.into_iter().map(|entry| entry.name).collect();
    let plain = format!("cut-{:016x}", number.0);
    let mut free = plain.clone();
    let mut count = 1;
    while names.contains(&free) {
        count += 1;
        free = format!("{plain}.{count}");
    }
    Ok(directory.join(free))
}

/// Copies a segment, with zeros where it cannot be read.
async fn copy_aside<D: Disk>(
    disk: &D,
    directory: &Path,
    number: SegmentNumber,
) -> Result<PathBuf, DiskError> {
    let to = aside_path(disk, directory, number).await?;
    let making = segments::unfinished_path(directory, number);
    let from = disk.open(&segments::path(directory, number), OpenMode::Read).await?;
    let copy = disk.create(&making, 0).await?;
    let mut offset = 0;
    loop {
        let into = AlignedBuf::with_capacity(BULK_BYTES);
        let piece = match disk.read_at(&from, offset, into).await {
            Ok(piece) => piece,
            Err(_) => read_blocks(disk, &from, offset).await,
        };
        let is_last = piece.len() < BULK_BYTES;
        if !piece.is_empty() {
            disk.write_at(&copy, offset, AlignedBuf::from_bytes(&piece)).await?;
        }
        offset += piece.len() as u64;
        if is_last {
            break;
        }
    }
    disk.flush(&copy).await?;
    disk.rename_durable(&making, &to).await?;
    Ok(to)
}

/// Reads 1 MiB block by block; a block that cannot be read is zeros.
async fn read_blocks<D: Disk>(disk: &D, file: &D::File, offset: u64) -> AlignedBuf {
    let mut piece = AlignedBuf::with_capacity(BULK_BYTES);
    while piece.len() < BULK_BYTES {
        let at = offset + piece.len() as u64;
        match disk.read_at(file, at, AlignedBuf::with_capacity(BLOCK_BYTES)).await {
            Ok(block) if block.is_empty() => break,
            Ok(block) => piece.extend_from_slice(&block),
            Err(_) => piece.extend_from_slice(&[0; BLOCK_BYTES]),
        }
    }
    piece
}
