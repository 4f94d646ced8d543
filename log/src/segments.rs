//! Segments as files: preparing, opening a run, recycling, purging.
//!
//! Lives in: the background. Names in the directory:
//!
//! - `log-<number>`: a segment, its header valid and durable since before it had this name;
//! - `spare-<number>`: zeros or the old content of a segment, to be recycled;
//! - `new-<number>`: being made; if a crash left it, removed when a run is opened;
//! - `cut-<number>`: set aside by [`repair`](crate::repair), for the operator to remove;
//! - `epochs`, `new-epochs`: see [`epochs`].
//!
//! One call at a time works on a directory; the caller ensures that.

use std::path::{Path, PathBuf};

use disk::{AlignedBuf, Disk, DiskError, OpenMode, read_bytes, write_zeros};
use model::zxid::{Epoch, Zxid};

use crate::epochs;
use crate::format::{
    FormatVersion, HeaderFault, SegmentHeader, SegmentNumber, SegmentOffset, Start,
};
use crate::limits::{SEGMENT_HEADER_BYTES, SPARES_MAX};
use crate::scan::SegmentScan;

/// The directory of the log inside `dataLogDir`, beside stock's `version-2`.
pub const DIRECTORY: &str = "ringkeeper-1";

/// Where a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunStart {
    /// The last segment that is kept: [`Recovered::used_last`](crate::Recovered) after a restart;
    /// [`Appender::run_behind`](crate::Appender::run_behind) knows it at run time.
    pub used_last: Option<SegmentNumber>,
    /// The zxid that its first record comes after. What the log holds behind it is cut.
    pub continues_from: Zxid,
    /// How far the history is known to be committed, at most `continues_from`.
    pub committed_through: Zxid,
    /// `None`: the run counts at once. Otherwise it begins with a snapshot that was received from a
    /// leader, at `continues_from`, and counts with it once the current epoch is this one or later;
    /// until then the log is what it was, and [`open_run`] with the run that would have followed
    /// it removes this one.
    pub counts_from: Option<Epoch>,
}

impl RunStart {
    /// That of an empty log.
    pub const FIRST: Self = Self {
        used_last: None,
        continues_from: Zxid::ZERO,
        committed_through: Zxid::ZERO,
        counts_from: None,
    };
}

/// What a purge may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Records after this zxid stay: that of the oldest snapshot that is kept.
    pub keep_after: Zxid,
    /// Segments from here on stay: [`Appender::segment_durable`](crate::Appender::segment_durable).
    pub before: SegmentNumber,
    /// The length of a segment; one of another length is removed and never recycled.
    pub segment_bytes: u64,
    /// How many spares the directory may hold.
    pub spares_max: usize,
}

/// What a purge removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Segments that are spares now.
    pub recycled_count: usize,
    /// Segments that were removed.
    pub removed_count: usize,
}

/// The name of a segment's file.
pub fn file_name(number: SegmentNumber) -> String {
    format!("log-{:016x}", number.0)
}

/// The path of a segment's file.
pub fn path(directory: &Path, number: SegmentNumber) -> PathBuf {
    directory.join(file_name(number))
}

/// The number in a segment's file name; `None` for every other name.
pub fn parse_file_name(name: &str) -> Option<SegmentNumber> {
    parse_name("log-", name)
}

/// The name of a segment that is being made.
pub(crate) fn unfinished_path(directory: &Path, number: SegmentNumber) -> PathBuf {
    directory.join(format!("new-{:016x}", number.0))
}

fn parse_name(prefix: &str, name: &str) -> Option<SegmentNumber> {
    let digits = name.strip_prefix(prefix)?;
    let number = SegmentNumber(u64::from_str_radix(digits, 16).ok()?);
    // One name for one number: no sign, no upper case, no missing zeros.
    (format!("{prefix}{:016x}", number.0) == name && number >= SegmentNumber::FIRST)
        .then_some(number)
}

/// Makes the segment that `header` describes, durable under its name: from a spare if there is one,
/// otherwise from zeros. A file of that name is replaced, whole or not at all.
///
/// A full disk is reported here ([`DiskError::is_full`]) and leaves nothing behind.
///
/// # Panics
/// If it is of an older format.
pub async fn prepare<D: Disk>(
    disk: &D,
    directory: &Path,
    header: SegmentHeader,
) -> Result<(), DiskError> {
    assert!(header.segment_bytes > SEGMENT_HEADER_BYTES as u64);
    assert_eq!(header.version, FormatVersion::CURRENT, "an older format is never written");
    let spare = disk
        .list(directory)
        .await?
        .into_iter()
        .find(|e| parse_name("spare-", &e.name).is_some() && e.bytes == header.segment_bytes);
    let made = if let Some(spare) = spare {
        directory.join(spare.name)
    } else {
        let made = unfinished_path(directory, header.number);
        if let Err(error) = make_zeroed(disk, &made, header.segment_bytes).await {
            // The first error is the one to report; what is left is removed with the next run.
            let _ = disk.remove(&made).await;
            return Err(error);
        }
        made
    };
    let file = disk.open(&made, OpenMode::Write).await?;
    let mut block = AlignedBuf::zeroed(SEGMENT_HEADER_BYTES);
    header.encode(&mut block);
    disk.write_at(&file, 0, block).await?;
    disk.flush(&file).await?;
    disk.rename_durable(&made, &path(directory, header.number)).await
}

async fn make_zeroed<D: Disk>(disk: &D, path: &Path, bytes: u64) -> Result<(), DiskError> {
    let file = disk.create(path, bytes).await?;
    write_zeros(disk, &file, 0, bytes).await?;
    disk.flush(&file).await
}

/// Begins a run in a fresh segment: after recovery, or to cut a live log. When it returns,
/// everything the log held behind `run.continues_from` is gone for good; interrupted anywhere, the
/// log is what it was or is cut, and a repetition with the same `run` cuts it. `seed` is a random
/// number that no earlier segment had.
///
/// A run that counts from a later epoch on leaves the log as it is; see [`RunStart::counts_from`].
///
/// For a live log the caller ensures that the appender of the run before is idle and writes no
/// more, and that no segment is being prepared; readers that were opened before are not used after.
///
/// What earlier starts have left is removed: unfinished files, and spares that no segment will be
/// made from.
pub async fn open_run<D: Disk>(
    disk: &D,
    directory: &Path,
    run: RunStart,
    segment_bytes: u64,
    seed: u64,
) -> Result<SegmentHeader, DiskError> {
    disk.create_directory(directory).await?;
    let unused_from = run.used_last.map_or(SegmentNumber::FIRST, SegmentNumber::next);
    let mut number = unused_from;
    let entries = disk.list(directory).await?;
    let is_unfinished =
        |name: &str| parse_name("new-", name).is_some() || name == epochs::UNFINISHED_NAME;
    for entry in entries.iter().filter(|entry| is_unfinished(&entry.name)) {
        disk.remove(&directory.join(&entry.name)).await?;
    }
    // From the last one down, so that a crash leaves no hole.
    let unused = entries.iter().rev().filter_map(|entry| parse_file_name(&entry.name));
    for unused in unused.take_while(|unused| *unused >= unused_from) {
        if unused > unused_from {
            retire(disk, directory, unused).await?;
            continue;
        }
        match read_header(disk, &path(directory, unused)).await?.map(|header| header.start) {
            Ok(Start::Follows) => retire(disk, directory, unused).await?,
            // It has cut what this run would bring back, or must count while this run does not: so
            // it stays. One that never counted has cut nothing.
            Ok(Start::Restart { continues_from, counts_from: None, .. })
                if continues_from < run.continues_from || run.counts_from.is_some() =>
            {
                number = number.next();
            }
            // One that begins a run is not removed but replaced by `prepare` in one step: it may be
            // all that keeps what it cut from coming back.
            _ => {}
        }
    }
    let RunStart { continues_from, committed_through, counts_from, .. } = run;
    let start = Start::Restart { continues_from, committed_through, counts_from };
    let version = FormatVersion::CURRENT;
    let header = SegmentHeader { version, number, segment_bytes, seed, start };
    prepare(disk, directory, header).await?;
    remove_spares(disk, directory, segment_bytes).await?;
    Ok(header)
}

/// Removes the spares that no segment can be made from, and those beyond [`SPARES_MAX`].
async fn remove_spares<D: Disk>(
    disk: &D,
    directory: &Path,
    segment_bytes: u64,
) -> Result<(), DiskError> {
    let mut kept_count = 0;
    for entry in disk.list(directory).await? {
        if parse_name("spare-", &entry.name).is_none() {
            continue;
        }
        if entry.bytes == segment_bytes && kept_count < SPARES_MAX {
            kept_count += 1;
        } else {
            disk.remove(&directory.join(&entry.name)).await?;
        }
    }
    Ok(())
}

/// Reads a segment's first block.
pub(crate) async fn read_header<D: Disk>(
    disk: &D,
    path: &Path,
) -> Result<Result<SegmentHeader, HeaderFault>, DiskError> {
    let file = disk.open(path, OpenMode::Read).await?;
    let block = read_bytes(disk, &file, path, 0, SEGMENT_HEADER_BYTES).await?;
    Ok(SegmentHeader::decode(&block))
}

async fn retire<D: Disk>(
    disk: &D,
    directory: &Path,
    number: SegmentNumber,
) -> Result<(), DiskError> {
    let spare = directory.join(format!("spare-{:016x}", number.0));
    disk.rename_durable(&path(directory, number), &spare).await
}

/// The oldest segment that [`purge`] leaves; `None` if it removes nothing.
pub async fn needed_from<D: Disk>(
    disk: &D,
    directory: &Path,
    purge: Purge,
) -> Result<Option<SegmentNumber>, DiskError> {
    let entries = disk.list(directory).await?;
    let mut counted = Vec::new();
    let (mut is_ignored, mut base) = (false, None);
    for number in entries.iter().filter_map(|entry| parse_file_name(&entry.name)) {
        let Ok(header) = read_header(disk, &path(directory, number)).await? else {
            // What follows may not count, and what came before may be needed.
            is_ignored = true;
            continue;
        };
        if let Start::Restart { counts_from, .. } = header.start {
            is_ignored = false;
            if let Some(epoch) = counts_from {
                // Where the epochs are not known, everything may be needed.
                let current = epochs::current(disk, directory).await.ok();
                is_ignored = current.is_none_or(|current| epoch > current);
                base = if is_ignored { base } else { Some(number) };
            }
        }
        if !is_ignored {
            counted.push(header);
        }
    }
    counted.retain(|header| header.number <= purge.before && Some(header.number) >= base);
    for header in counted.into_iter().rev() {
        let path = path(directory, header.number);
        let begins_after = begins_after(disk, &path, header).await?;
        if begins_after.is_some_and(|zxid| zxid <= purge.keep_after) {
            return Ok(Some(header.number));
        }
    }
    Ok(base)
}

/// Removes the segments that are no longer needed, oldest first. They become spares up to the
/// bound, and are deleted beyond it.
pub async fn purge<D: Disk>(disk: &D, directory: &Path, purge: Purge) -> Result<Purged, DiskError> {
    let entries = disk.list(directory).await?;
    let mut spare_count =
        entries.iter().filter(|entry| parse_name("spare-", &entry.name).is_some()).count();
    let segments = entries.iter().filter_map(|e| Some((parse_file_name(&e.name)?, e.bytes)));
    let segments: Vec<_> = segments.collect();
    let needed_from = needed_from(disk, directory, purge).await?;
    let mut purged = Purged::default();
    let Some(needed_from) = needed_from else { return Ok(purged) };
    for (number, bytes) in segments.into_iter().take_while(|(number, _)| *number < needed_from) {
        if bytes == purge.segment_bytes && spare_count < purge.spares_max {
            retire(disk, directory, number).await?;
            spare_count += 1;
            purged.recycled_count += 1;
        } else {
            disk.remove(&path(directory, number)).await?;
            purged.removed_count += 1;
        }
    }
    Ok(purged)
}

/// The zxid that the first record of a segment comes after, if it states it.
async fn begins_after<D: Disk>(
    disk: &D,
    path: &Path,
    header: SegmentHeader,
) -> Result<Option<Zxid>, DiskError> {
    if let Start::Restart { continues_from, .. } = header.start {
        return Ok(Some(continues_from));
    }
    let mut scan = SegmentScan::open(disk, path, header).await?;
    let first = scan.batch_at(SegmentOffset(SEGMENT_HEADER_BYTES as u64)).await?;
    Ok(first.ok().map(|batch| batch.prior))
}
