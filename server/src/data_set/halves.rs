//! Whether snapshots and log in two directories are the two halves of one data set.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::mark::{DataMark, Half, Known, LogMark, LogPlace, MarkError, SetId};
use crate::persist;
use crate::survey::Survey;

/// Why the directories are not used together. Nothing was changed.
#[derive(Debug, Error)]
pub enum HalvesError {
    /// What the directories say of each other cannot be read or written.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// The log is in another directory than was named.
    #[error(
        "the log that belongs to {data} is in {log}: name that directory (dataLogDir in zoo.cfg, \
         --log-dir of a command); if the log has moved, all files of {log}/ringkeeper-1 belong to \
         its new place",
        data = data_dir.display(),
        log = log_dir.display()
    )]
    LogElsewhere {
        /// Where the snapshots are.
        data_dir: PathBuf,
        /// Where the log is.
        log_dir: PathBuf,
    },
    /// The log should be there and is not.
    #[error(
        "{log} should hold the log that belongs to {data}, and holds none: mount or put back what \
         was there, or name where it is now (dataLogDir in zoo.cfg, --log-dir of a command); if it \
         is lost, remove {mark} to go on with the newest snapshot, without what was written after \
         it",
        data = data_dir.display(),
        log = log_dir.display(),
        mark = DataMark::path(data_dir).display()
    )]
    LogMissing {
        /// Where the snapshots are.
        data_dir: PathBuf,
        /// Where the log was.
        log_dir: PathBuf,
    },
    /// Snapshots of one data set and the log of another.
    #[error(
        "{log} holds the log of the snapshots in {expected}, and not of those in {data}: name \
         directories that belong together (dataDir and dataLogDir in zoo.cfg, DATADIR and \
         --log-dir of a command); if the snapshots in {expected} are lost, remove {mark}",
        data = data_dir.display(),
        log = log_dir.display(),
        expected = expected.display(),
        mark = LogMark::path(log_dir).display()
    )]
    Foreign {
        /// Where the snapshots are.
        data_dir: PathBuf,
        /// Where the log is.
        log_dir: PathBuf,
        /// Where the log's snapshots are.
        expected: PathBuf,
    },
    /// The log of what was there before an import.
    #[error(
        "{log}/ringkeeper-1 holds the log of other data than was imported into {data}: move it \
         away",
        data = data_dir.display(),
        log = log_dir.display()
    )]
    OlderLog {
        /// Where the snapshot is.
        data_dir: PathBuf,
        /// Where the log is.
        log_dir: PathBuf,
    },
    /// There is no such directory.
    #[error(
        "{} is not a directory: name the dataLogDir of the server with --log-dir, or leave that \
         out if it has none",
        .0.display()
    )]
    NoLogDirectory(PathBuf),
    /// No random numbers.
    #[error("/dev/urandom cannot be read: {0}")]
    Random(#[source] io::Error),
}

/// The directory of the log for a command: what it was told, or else what the data directory says.
pub fn find_log(data_dir: &Path, told: Option<&Path>) -> Result<PathBuf, HalvesError> {
    if let Some(told) = told {
        let is_directory = told.is_dir();
        return if is_directory {
            Ok(told.to_owned())
        } else {
            Err(HalvesError::NoLogDirectory(told.to_owned()))
        };
    }
    match log_place(data_dir)? {
        LogPlace::Apart(half) if !has_log(data_dir) => {
            if half.other.is_dir() {
                return Ok(half.other);
            }
            Err(HalvesError::LogMissing { data_dir: data_dir.to_owned(), log_dir: half.other })
        }
        _ => Ok(data_dir.to_owned()),
    }
}

/// Compares what the directories say of each other; `there` is what was found in them.
pub fn check_halves(data_dir: &Path, log_dir: &Path, there: Survey) -> Result<(), HalvesError> {
    let (data, log) = (data_dir.to_owned(), log_dir.to_owned());
    let place = log_place(data_dir)?;
    let log_mark = LogMark::read(log_dir)?;
    if is_same(data_dir, log_dir) {
        return match (place, log_mark) {
            (LogPlace::Apart(half), _) if is_same(&half.other, log_dir) => Ok(()),
            (LogPlace::Apart(half), _) if there.segments == 0 || has_log(&half.other) => {
                Err(HalvesError::LogElsewhere { data_dir: data, log_dir: half.other })
            }
            (LogPlace::Here, Some(LogMark(half))) if there.snapshots == 0 => {
                Err(HalvesError::Foreign { data_dir: data, log_dir: log, expected: half.other })
            }
            _ => Ok(()),
        };
    }
    match (place, log_mark) {
        (LogPlace::Apart(ours), Some(LogMark(its))) if ours.set == its.set => Ok(()),
        (LogPlace::Apart(_), Some(LogMark(its))) => {
            Err(HalvesError::Foreign { data_dir: data, log_dir: log, expected: its.other })
        }
        (LogPlace::Apart(ours), None) => {
            let is_told_place = is_same(&ours.other, log_dir);
            if there.segments > 0 && (is_told_place || !has_log(&ours.other)) {
                // Its files were moved here by hand, one by one.
                Ok(())
            } else if is_told_place {
                Err(HalvesError::LogMissing { data_dir: data, log_dir: log })
            } else {
                Err(HalvesError::LogElsewhere { data_dir: data, log_dir: ours.other })
            }
        }
        (LogPlace::NotYet, _) if there.segments > 0 => {
            Err(HalvesError::OlderLog { data_dir: data, log_dir: log })
        }
        (LogPlace::Here, Some(LogMark(its))) if there.segments > 0 => {
            // Where a crash came between the two files, the log's half alone knows.
            let is_half_settled = is_same(&its.other, data_dir) && there.snapshots > 0;
            if is_half_settled {
                return Ok(());
            }
            Err(HalvesError::Foreign { data_dir: data, log_dir: log, expected: its.other })
        }
        (LogPlace::NotYet | LogPlace::Here, _) => Ok(()),
    }
}

/// Writes down where the halves are, once they are known to belong together, and up to where the
/// data of `ZooKeeper` beside them are known.
pub fn settle(data_dir: &Path, log_dir: &Path, known: Known) -> Result<(), HalvesError> {
    let mut mark = DataMark::read(data_dir)?.unwrap_or_default();
    mark.known = known;
    if is_same(data_dir, log_dir) {
        mark.log = LogPlace::Here;
        mark.write(data_dir)?;
        return Ok(LogMark::remove(log_dir)?);
    }
    let set = match (&mark.log, LogMark::read(log_dir)?) {
        (LogPlace::Apart(half), _) => half.set,
        (LogPlace::Here, Some(LogMark(half))) if is_same(&half.other, data_dir) => half.set,
        _ => SetId(persist::random().map_err(HalvesError::Random)?),
    };
    // The log's first: a half that knows of the other is believed only where there is a log.
    LogMark(Half { set, other: absolute(data_dir) }).write(log_dir)?;
    mark.log = LogPlace::Apart(Half { set, other: absolute(log_dir) });
    Ok(mark.write(data_dir)?)
}

fn log_place(data_dir: &Path) -> Result<LogPlace, MarkError> {
    Ok(DataMark::read(data_dir)?.map_or(LogPlace::Here, |mark| mark.log))
}

/// Whether a directory has segments of a log.
fn has_log(directory: &Path) -> bool {
    let entries = fs::read_dir(directory.join(txlog::segments::DIRECTORY));
    let mut names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_str().is_some_and(is_segment))
}

fn is_segment(name: &str) -> bool {
    txlog::segments::parse_file_name(name).is_some()
}

/// Whether two paths lead to one directory.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

fn absolute(directory: &Path) -> PathBuf {
    directory.canonicalize().unwrap_or_else(|_| directory.to_owned())
}

#[cfg(test)]
mod tests {
    use model::zxid::Zxid;

    use super::*;

    /// Directories of a test's own: with a snapshot, and with a segment.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("ringkeeper-halves-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn directory(&self, name: &str, files: &[&str]) -> PathBuf {
            let directory = self.0.join(name);
            fs::create_dir_all(directory.join("ringkeeper-1")).unwrap();
            for file in files {
                fs::write(directory.join("ringkeeper-1").join(file), b"").unwrap();
            }
            directory
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    const SEGMENT: &str = "log-0000000000000001";

    fn both(snapshots: usize, segments: usize) -> Survey {
        Survey { snapshots, segments }
    }

    #[test]
    fn a_crash_between_the_two_files_is_no_harm() {
        let folder = Folder::new("crash");
        let data = folder.directory("data", &["snapshot.5"]);
        let log = folder.directory("log", &[SEGMENT]);
        settle(&data, &log, Known::Nothing).unwrap();
        check_halves(&data, &log, both(1, 1)).unwrap();
        // The log's is there already, the data's is as before.
        DataMark::default().write(&data).unwrap();
        check_halves(&data, &log, both(1, 1)).unwrap();
        let set = LogMark::read(&log).unwrap().unwrap().0.set;
        settle(&data, &log, Known::Nothing).unwrap();
        assert_eq!(LogMark::read(&log).unwrap().unwrap().0.set, set);
        check_halves(&data, &log, both(1, 1)).unwrap();
    }

    #[test]
    fn halves_that_moved_together_belong_together() {
        let folder = Folder::new("moved");
        let data = folder.directory("data", &["snapshot.5"]);
        let log = folder.directory("log", &[SEGMENT]);
        settle(&data, &log, Known::UpTo(Zxid(3))).unwrap();
        let (data_now, log_now) = (folder.0.join("data-now"), folder.0.join("log-now"));
        fs::rename(&data, &data_now).unwrap();
        fs::rename(&log, &log_now).unwrap();
        check_halves(&data_now, &log_now, both(1, 1)).unwrap();
        assert!(matches!(find_log(&data_now, None), Err(HalvesError::LogMissing { .. })));
        settle(&data_now, &log_now, Known::UpTo(Zxid(3))).unwrap();
        assert_eq!(find_log(&data_now, None).unwrap(), log_now.canonicalize().unwrap());
        // Into one directory, all files of it.
        fs::rename(log_now.join("ringkeeper-1").join(SEGMENT), data_now.join("ringkeeper-1/x"))
            .unwrap();
        fs::rename(data_now.join("ringkeeper-1/x"), data_now.join("ringkeeper-1").join(SEGMENT))
            .unwrap();
        check_halves(&data_now, &data_now, both(1, 1)).unwrap();
        assert_eq!(find_log(&data_now, None).unwrap(), data_now);
        settle(&data_now, &data_now, Known::UpTo(Zxid(3))).unwrap();
        let mark = DataMark::read(&data_now).unwrap().unwrap();
        assert_eq!((mark.log, mark.known), (LogPlace::Here, Known::UpTo(Zxid(3))));
    }
}
