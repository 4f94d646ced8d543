//! The snapshots of a directory: their names, which exist, and which may be removed.

use std::path::{Path, PathBuf};

use disk::{Disk, DiskError};
use model::zxid::Zxid;

/// The directory of our files, in the data directory.
pub const DIRECTORY: &str = "ringkeeper-1";

const PREFIX: &str = "snapshot.";
const UNFINISHED: &str = ".tmp";

/// A file that has the name of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The last txn in it, by its name.
    pub zxid: Zxid,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// What a purge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// The zxids of the removed snapshots.
    pub removed: Vec<Zxid>,
    /// The oldest one that is kept: none needs the log before it.
    pub oldest_kept: Option<Zxid>,
}

/// The name of the snapshot at `zxid`: `snapshot.` and the zxid in hexadecimal, as stock has it.
pub fn name_of(zxid: Zxid) -> String {
    format!("{PREFIX}{:x}", zxid.0)
}

/// The zxid in a name; `None` if it is not one that [`name_of`] makes.
pub fn zxid_of(name: &str) -> Option<Zxid> {
    let digits = name.strip_prefix(PREFIX)?;
    let zxid = Zxid(u64::from_str_radix(digits, 16).ok()? as i64);
    (name_of(zxid) == name).then_some(zxid)
}

pub(crate) fn path_of(directory: &Path, zxid: Zxid) -> PathBuf {
    directory.join(name_of(zxid))
}

pub(crate) fn unfinished_path_of(directory: &Path, zxid: Zxid) -> PathBuf {
    directory.join(name_of(zxid) + UNFINISHED)
}

/// The snapshots of `directory`, newest first; none if there is no such directory. Their content is
/// not read.
pub async fn list<D: Disk>(disk: &D, directory: &Path) -> Result<Vec<Candidate>, DiskError> {
    let entries = match disk.list(directory).await {
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        entries => entries?,
    };
    let candidate = |entry: disk::DirectoryEntry| {
        let path = directory.join(&entry.name);
        Some(Candidate { zxid: zxid_of(&entry.name)?, path, bytes: entry.bytes })
    };
    let mut candidates: Vec<_> = entries.into_iter().filter_map(candidate).collect();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.zxid));
    Ok(candidates)
}

/// Sets the snapshots behind `zxid` aside, durably, and returns the new paths: a log that is cut
/// there must not meet them again. None is being written meanwhile.
pub async fn set_aside_above<D: Disk>(
    disk: &D,
    directory: &Path,
    zxid: Zxid,
) -> Result<Vec<PathBuf>, DiskError> {
    let mut aside = Vec::new();
    for candidate in list(disk, directory).await? {
        if candidate.zxid > zxid {
            let to =
                free_path(disk, directory, &format!("cut.{}", name_of(candidate.zxid))).await?;
            disk.rename_durable(&candidate.path, &to).await?;
            aside.push(to);
        }
    }
    Ok(aside)
}

/// An unused path: this name, or with a number behind it.
async fn free_path<D: Disk>(disk: &D, directory: &Path, name: &str) -> Result<PathBuf, DiskError> {
    let entries = disk.list(directory).await?;
    let mut free = name.to_owned();
    let mut count = 1;
    while entries.iter().any(|entry| entry.name == free) {
        count += 1;
        free = format!("{name}.{count}");
    }
    Ok(directory.join(free))
}

/// Keeps the newest `keep_count` snapshots and removes the others, oldest first.
///
/// # Panics
/// If none is to be kept.
pub async fn purge<D: Disk>(
    disk: &D,
    directory: &Path,
    keep_count: usize,
) -> Result<Purged, DiskError> {
    assert!(keep_count > 0, "a purge keeps at least one snapshot");
    let mut candidates = list(disk, directory).await?;
    let going = candidates.split_off(keep_count.min(candidates.len()));
    let oldest_kept = candidates.last().map(|candidate| candidate.zxid);
    let mut removed = Vec::with_capacity(going.len());
    for candidate in going.iter().rev() {
        disk.remove(&candidate.path).await?;
        removed.push(candidate.zxid);
    }
    Ok(Purged { removed, oldest_kept })
}

/// Removes the files of unfinished snapshots, and returns how many. Only while none is being
/// written: at the start.
pub async fn remove_unfinished<D: Disk>(disk: &D, directory: &Path) -> Result<usize, DiskError> {
    let entries = match disk.list(directory).await {
        Err(error) if error.is_missing() => return Ok(0),
        entries => entries?,
    };
    let is_unfinished = |name: &str| name.strip_suffix(UNFINISHED).and_then(zxid_of).is_some();
    let mut count = 0;
    for entry in entries.iter().filter(|entry| is_unfinished(&entry.name)) {
        disk.remove(&directory.join(&entry.name)).await?;
        count += 1;
    }
    Ok(count)
}
