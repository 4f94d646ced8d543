//! A snapshot that a leader has sent, beside those of the history that it would replace.
//!
//! It does not count before the log says so, by a run that begins with it. So it has a name that
//! is not a snapshot's: `received.<zxid>.<epoch>`, both in hexadecimal. From this epoch on the run
//! counts. Once it does, and the caller wants nothing of the old history any more, the snapshot is
//! [adopted](adopt): those of the old history are removed, and it becomes `snapshot.<zxid>`. Until
//! then it is the only one that counts, and none is taken.
//!
//! Lives in: the background. Not here: which one counts (the log).

use std::path::{Path, PathBuf};

use disk::{Disk, DiskError};
use model::zxid::{Epoch, Zxid};

use crate::directory::{self, Candidate, list};

const PREFIX: &str = "received.";
const UNFINISHED: &str = ".tmp";

fn name_of(zxid: Zxid, epoch: Epoch) -> String {
    format!("{PREFIX}{:x}.{:x}", zxid.0, epoch.0)
}

pub(crate) fn path_of(directory: &Path, zxid: Zxid, epoch: Epoch) -> PathBuf {
    directory.join(name_of(zxid, epoch))
}

pub(crate) fn unfinished_path_of(directory: &Path, zxid: Zxid, epoch: Epoch) -> PathBuf {
    directory.join(name_of(zxid, epoch) + UNFINISHED)
}

/// Whether the name is that of a received snapshot, finished or not.
fn is_received(name: &str) -> bool {
    let name = name.strip_suffix(UNFINISHED).unwrap_or(name);
    let parts = name.strip_prefix(PREFIX).and_then(|parts| parts.split_once('.'));
    parts.is_some_and(|(zxid, epoch)| {
        let zxid = u64::from_str_radix(zxid, 16).map(|zxid| Zxid(zxid as i64));
        let epoch = u32::from_str_radix(epoch, 16).map(Epoch);
        zxid.is_ok_and(|zxid| epoch.is_ok_and(|epoch| name_of(zxid, epoch) == name))
    })
}

/// The received snapshot at `zxid` that counts from `epoch` on, if it is there and was not adopted.
pub async fn find<D: Disk>(
    disk: &D,
    directory: &Path,
    zxid: Zxid,
    epoch: Epoch,
) -> Result<Option<Candidate>, DiskError> {
    let entries = match disk.list(directory).await {
        Err(error) if error.is_missing() => return Ok(None),
        entries => entries?,
    };
    let name = name_of(zxid, epoch);
    let found = entries.iter().find(|entry| entry.name == name);
    Ok(found.map(|entry| Candidate { zxid, path: directory.join(&name), bytes: entry.bytes }))
}

/// Makes the received snapshot at `zxid` the only one: those of the history that it has replaced
/// are removed first. False if there is none, or it was adopted before. A repetition after an error
/// completes it.
pub async fn adopt<D: Disk>(
    disk: &D,
    directory: &Path,
    zxid: Zxid,
    epoch: Epoch,
) -> Result<bool, DiskError> {
    let Some(received) = find(disk, directory, zxid, epoch).await? else { return Ok(false) };
    for old in list(disk, directory).await? {
        disk.remove(&old.path).await?;
    }
    disk.rename_durable(&received.path, &directory::path_of(directory, zxid)).await?;
    Ok(true)
}

/// Removes the received snapshots, finished or not, but the one that counts; returns how many. Only
/// while none is being received, and after the runs that begin with them.
pub async fn remove_others<D: Disk>(
    disk: &D,
    directory: &Path,
    counts: Option<(Zxid, Epoch)>,
) -> Result<usize, DiskError> {
    let kept = counts.map(|(zxid, epoch)| name_of(zxid, epoch));
    let mut count = 0;
    for entry in disk.list(directory).await? {
        if is_received(&entry.name) && Some(&entry.name) != kept.as_ref() {
            disk.remove(&directory.join(&entry.name)).await?;
            count += 1;
        }
    }
    Ok(count)
}
