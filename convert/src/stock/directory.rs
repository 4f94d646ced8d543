//! Finds `ZooKeeper`'s files in a directory.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use model::zxid::{Epoch, Epochs, Zxid};

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

/// The files with the epochs of a server of an ensemble, beside its snapshots.
const PROMISED: &str = "acceptedEpoch";
const CURRENT: &str = "currentEpoch";

/// What a server has promised to leaders, and accepted of them, by the files of a `version-2`;
/// `None` if it has neither.
///
/// # Errors
/// A file that does not hold an epoch.
pub fn epochs(directory: &Path) -> io::Result<Option<Epochs>> {
    let [promised, current] = [PROMISED, CURRENT].map(|name| epoch(&directory.join(name)));
    let (promised, current) = (promised?, current?);
    if promised.is_none() && current.is_none() {
        return Ok(None);
    }
    let current = current.unwrap_or(Epoch(0));
    Ok(Epochs::new(promised.unwrap_or(current).max(current), current))
}

fn epoch(path: &Path) -> io::Result<Option<Epoch>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("{}: {error}", path.display());
            return Err(io::Error::new(error.kind(), what));
        }
    };
    let number = text.trim().parse().map_err(|_| {
        let what = format!("{} should hold the number of an epoch", path.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    })?;
    Ok(Some(Epoch(number)))
}

/// Writes them into a `version-2`.
pub fn write_epochs(directory: &Path, epochs: Epochs) -> io::Result<()> {
    for (name, epoch) in [(PROMISED, epochs.promised()), (CURRENT, epochs.current())] {
        let mut file = fs::File::create(directory.join(name))?;
        file.write_all(epoch.0.to_string().as_bytes())?;
        file.sync_all()?;
    }
    fs::File::open(directory)?.sync_all()
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
    for entry in fs::read_dir(directory)? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_read_as_they_were_written() {
        let name = format!("ringkeeper-epochs-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(epochs(&folder).unwrap(), None);
        let stored = Epochs::new(Epoch(12), Epoch(11)).unwrap();
        write_epochs(&folder, stored).unwrap();
        assert_eq!(fs::read(folder.join(PROMISED)).unwrap(), b"12");
        assert_eq!(epochs(&folder).unwrap(), Some(stored));
        // One that has accepted and whose promise is lost has promised that at least.
        fs::remove_file(folder.join(PROMISED)).unwrap();
        assert_eq!(epochs(&folder).unwrap(), Epochs::new(Epoch(11), Epoch(11)));
        fs::write(folder.join(CURRENT), "eleven").unwrap();
        let said = epochs(&folder).unwrap_err().to_string();
        assert!(said.ends_with("currentEpoch should hold the number of an epoch"), "{said}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
