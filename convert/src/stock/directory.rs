//! Finds `ZooKeeper`'s files in a directory.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use model::zxid::Zxid;

use super::log::LogReader;
use super::stream::StreamError;

/// The directory of `ZooKeeper`'s files, in `dataDir` and in `dataLogDir`.
pub const DIRECTORY: &str = "version-2";

/// A file with the zxid of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockFile {
    /// Where it is.
    pub path: PathBuf,
    /// A snapshot's last txn when it was begun; a log's first txn.
    pub zxid: Zxid,
    /// Its length.
    pub bytes: u64,
    /// When it was last written.
    pub modified: SystemTime,
}

/// `version-2` inside `directory`, or the directory itself if it has that name.
pub fn version_directory(directory: &Path) -> PathBuf {
    let inside = directory.join(DIRECTORY);
    if !inside.is_dir() && directory.file_name().is_some_and(|name| name == DIRECTORY) {
        directory.to_owned()
    } else {
        inside
    }
}

/// The snapshots of a directory, newest first.
pub fn snapshots(directory: &Path) -> io::Result<Vec<StockFile>> {
    let mut files = list(directory, "snapshot")?;
    files.reverse();
    Ok(files)
}

/// The logs of a directory, oldest first.
pub fn logs(directory: &Path) -> io::Result<Vec<StockFile>> {
    list(directory, "log")
}

/// The logs that may hold txns after `zxid`: all that begin after it, and the last one before.
pub fn logs_behind(mut logs: Vec<StockFile>, zxid: Zxid) -> Vec<StockFile> {
    let first_behind = logs.partition_point(|log| log.zxid <= zxid);
    logs.drain(..first_behind.saturating_sub(1));
    logs
}

/// The last zxid that the files in these directories, each a `version-2`, hold: that of the last
/// txn in the logs, or of a snapshot that was begun later. `None` if there is no file.
pub fn newest_zxid(directories: &[PathBuf]) -> io::Result<Option<Zxid>> {
    let mut newest = None;
    for directory in directories {
        let present = |list: io::Result<Vec<StockFile>>| match list {
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            list => list,
        };
        let snapshot = present(snapshots(directory))?.first().map(|file| file.zxid);
        newest = newest.max(snapshot);
        // A crash can leave a newest log that is still empty.
        for log in present(logs(directory))?.iter().rev() {
            let last = last_txn(log)?;
            newest = newest.max(last);
            if last.is_some() {
                break;
            }
        }
    }
    Ok(newest)
}

/// The last txn of a log; if it is damaged, the last one before the damage, and no earlier than the
/// one in its name.
fn last_txn(log: &StockFile) -> io::Result<Option<Zxid>> {
    let mut last = None;
    let read = LogReader::open(&log.path).and_then(|reader| {
        let Some(mut reader) = reader else { return Ok(()) };
        while let Some(entry) = reader.next_entry()? {
            last = last.max(entry.zxid().ok());
        }
        Ok(())
    });
    match read {
        Ok(()) => Ok(last),
        Err(StreamError::Damage { .. }) => Ok(last.max(Some(log.zxid))),
        Err(StreamError::Io(error)) => Err(error),
    }
}

/// Whether there is no directory of this name.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The zxid in a name: what follows the prefix and a dot, up to the next dot, in hexadecimal.
fn zxid_of(name: &str, prefix: &str) -> Option<Zxid> {
    let mut parts = name.split('.');
    if parts.next()? != prefix {
        return None;
    }
    let zxid = u64::from_str_radix(parts.next()?, 16).ok()?;
    Some(Zxid(zxid as i64))
}

fn list(directory: &Path, prefix: &str) -> io::Result<Vec<StockFile>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(zxid) = name.to_str().and_then(|name| zxid_of(name, prefix)) {
            let metadata = entry.metadata()?;
            let (bytes, modified) = (metadata.len(), metadata.modified()?);
            files.push(StockFile { path: entry.path(), zxid, bytes, modified });
        }
    }
    files.sort_by(|a, b| (a.zxid, &a.path).cmp(&(b.zxid, &b.path)));
    Ok(files)
}
