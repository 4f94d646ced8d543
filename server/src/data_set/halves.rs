//! Checks whether snapshots and log in two directories are the two halves of one data set.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::{HalvesError, HalvesFault};
use super::mark::{DataMark, Half, LogMark, LogPlace, SetId};
use super::text::MarkError;
use crate::random;
use crate::survey::Survey;

/// How far from the data directory to look for a log that moved along with it, in directories up
/// and down.
const LIKELY_DEPTH_MAX: usize = 4;

/// The directory of the log for a command: the one that was named, or else the one that the data
/// directory records, if the log there agrees. A copy has the record of the original, but its log
/// is elsewhere.
pub fn find_log(data_dir: &Path, named: Option<&Path>) -> Result<PathBuf, HalvesError> {
    if let Some(named) = named {
        let is_directory = named.is_dir();
        return if is_directory {
            Ok(named.to_owned())
        } else {
            Err(HalvesError::NoLogDirectory(named.to_owned()))
        };
    }
    match log_place(data_dir)? {
        LogPlace::Apart(half) if !has_log(data_dir) => {
            let owner = LogMark::read(&half.other)?.filter(|LogMark(its)| its.set == half.set);
            if owner.is_some_and(|LogMark(its)| is_same(&its.other, data_dir)) {
                return Ok(half.other);
            }
            Err(elsewhere(data_dir, &half)?)
        }
        _ => Ok(data_dir.to_owned()),
    }
}

/// Why the log that the snapshots name is not used unless the operator names it.
fn elsewhere(data_dir: &Path, half: &Half) -> Result<HalvesError, MarkError> {
    let log_dir = &half.other;
    let fault = if has_log(log_dir) {
        match LogMark::read(log_dir)? {
            Some(LogMark(its)) if !is_same(&its.other, data_dir) => {
                let likely = likely(data_dir, half);
                HalvesFault::LogOfOriginal { owner: its.other, likely }
            }
            _ => HalvesFault::LogElsewhere,
        }
    } else {
        HalvesFault::LogMissing { likely: likely(data_dir, half) }
    };
    Ok(HalvesError::apart(data_dir, log_dir, fault))
}

/// A log of the same data set at the same relative position to these snapshots as the one that they
/// name may have had before both were moved or copied.
fn likely(data_dir: &Path, half: &Half) -> Option<PathBuf> {
    let data_dir = absolute(data_dir);
    let named: Vec<_> = half.other.components().collect();
    let depths = 1..=LIKELY_DEPTH_MAX.min(named.len());
    let candidates = depths.flat_map(|depth| {
        let end: PathBuf = named[named.len() - depth..].iter().collect();
        let above = data_dir.ancestors().skip(1).take(LIKELY_DEPTH_MAX);
        above.map(|above| above.join(&end)).collect::<Vec<_>>()
    });
    let is_it = |log_dir: &PathBuf| {
        let mark = LogMark::read(log_dir).ok().flatten();
        mark.is_some_and(|LogMark(its)| its.set == half.set) && !is_same(log_dir, &half.other)
    };
    candidates.into_iter().find(is_it)
}

/// Compares what the directories record about each other; `there` is what was found in them.
pub fn check_halves(data_dir: &Path, log_dir: &Path, there: Survey) -> Result<(), HalvesError> {
    let apart = |fault| Err(HalvesError::apart(data_dir, log_dir, fault));
    let mark = DataMark::read(data_dir)?.unwrap_or_default();
    let log_mark = LogMark::read(log_dir)?;
    let has_begun = mark.lineage.has_begun();
    let is_emptied = has_begun && there == Survey::default();
    if is_same(data_dir, log_dir) {
        return match (mark.log, log_mark) {
            (LogPlace::Apart(half), _) if is_same(&half.other, log_dir) => Ok(()),
            (LogPlace::Apart(half), _) if there.segments == 0 || has_log(&half.other) => {
                Err(elsewhere(data_dir, &half)?)
            }
            (LogPlace::Here, Some(LogMark(half))) if there.snapshots == 0 => {
                apart(HalvesFault::Foreign(half.other))
            }
            _ if is_emptied => apart(HalvesFault::Emptied),
            _ => Ok(()),
        };
    }
    match (mark.log, log_mark) {
        (LogPlace::Apart(ours), Some(LogMark(its))) if ours.set == its.set => {
            if is_emptied {
                return apart(HalvesFault::Emptied);
            }
            if has_begun && there.segments == 0 {
                return apart(HalvesFault::LogMissing { likely: likely(data_dir, &ours) });
            }
            Ok(())
        }
        (LogPlace::Apart(_), Some(LogMark(its))) => apart(HalvesFault::Foreign(its.other)),
        (LogPlace::Apart(ours), None) => {
            let is_told_place = is_same(&ours.other, log_dir);
            if there.segments > 0 && (is_told_place || !has_log(&ours.other)) {
                // Its files were moved here by hand, one by one.
                Ok(())
            } else {
                Err(elsewhere(data_dir, &ours)?)
            }
        }
        (LogPlace::NotYet, _) if there.segments > 0 => apart(HalvesFault::OlderLog),
        (LogPlace::Here, Some(LogMark(its))) if there.segments > 0 => {
            let is_ours = is_same(&its.other, data_dir);
            if is_ours && there.snapshots > 0 {
                // If a crash came between the two files, only the log's half has the record.
                Ok(())
            } else if is_ours {
                apart(HalvesFault::SnapshotsMissing)
            } else {
                apart(HalvesFault::Foreign(its.other))
            }
        }
        (LogPlace::NotYet | LogPlace::Here, _) if is_emptied => apart(HalvesFault::Emptied),
        (LogPlace::NotYet | LogPlace::Here, _) => Ok(()),
    }
}

/// Records where the halves are, once they are known to belong together; the rest of `mark` is what
/// else is known about the data.
pub fn settle(data_dir: &Path, log_dir: &Path, mut mark: DataMark) -> Result<(), HalvesError> {
    if is_same(data_dir, log_dir) {
        mark.log = LogPlace::Here;
        mark.write(data_dir)?;
        return Ok(LogMark::remove(log_dir)?);
    }
    let set = match (&mark.log, LogMark::read(log_dir)?) {
        (LogPlace::Apart(half), _) => half.set,
        (LogPlace::Here, Some(LogMark(half))) if is_same(&half.other, data_dir) => half.set,
        _ => SetId(random::bits().map_err(HalvesError::Random)?),
    };
    // The log's first: a half that names the other is trusted only where there is a log.
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
    let inode = |path: &Path| fs::metadata(path).map(|it| (it.dev(), it.ino()));
    a == b || inode(a).is_ok_and(|a| inode(b).is_ok_and(|b| a == b))
}

fn absolute(directory: &Path) -> PathBuf {
    directory.canonicalize().unwrap_or_else(|_| directory.to_owned())
}

#[cfg(test)]
mod tests {
    use model::zxid::Zxid;

    use super::super::mark::Known;
    use super::*;

    /// A test's own directories: one with a snapshot, one with a segment.
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

    fn known(data_dir: &Path, known: Known) -> DataMark {
        DataMark { known, ..DataMark::read(data_dir).unwrap().unwrap_or_default() }
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
        settle(&data, &log, known(&data, Known::Nothing)).unwrap();
        check_halves(&data, &log, both(1, 1)).unwrap();
        // The log's file is written already, the data's is unchanged.
        DataMark::default().write(&data).unwrap();
        check_halves(&data, &log, both(1, 1)).unwrap();
        let set = LogMark::read(&log).unwrap().unwrap().0.set;
        settle(&data, &log, known(&data, Known::Nothing)).unwrap();
        assert_eq!(LogMark::read(&log).unwrap().unwrap().0.set, set);
        check_halves(&data, &log, both(1, 1)).unwrap();
    }

    #[test]
    fn halves_that_moved_together_belong_together() {
        let folder = Folder::new("moved");
        let data = folder.directory("data", &["snapshot.5"]);
        let log = folder.directory("log", &[SEGMENT]);
        settle(&data, &log, known(&data, Known::UpTo(Zxid(3)))).unwrap();
        let (data_now, log_now) = (folder.0.join("data-now"), folder.0.join("log-now"));
        fs::rename(&data, &data_now).unwrap();
        fs::rename(&log, &log_now).unwrap();
        check_halves(&data_now, &log_now, both(1, 1)).unwrap();
        let missing = find_log(&data_now, None).unwrap_err();
        let is_missing = matches!(
            missing,
            HalvesError::Apart { fault: HalvesFault::LogMissing { likely: None }, .. }
        );
        assert!(is_missing, "{missing}");
        settle(&data_now, &log_now, known(&data_now, Known::UpTo(Zxid(3)))).unwrap();
        assert_eq!(find_log(&data_now, None).unwrap(), log_now.canonicalize().unwrap());
        // Into one directory, all files of it.
        fs::rename(log_now.join("ringkeeper-1").join(SEGMENT), data_now.join("ringkeeper-1/x"))
            .unwrap();
        fs::rename(data_now.join("ringkeeper-1/x"), data_now.join("ringkeeper-1").join(SEGMENT))
            .unwrap();
        check_halves(&data_now, &data_now, both(1, 1)).unwrap();
        assert_eq!(find_log(&data_now, None).unwrap(), data_now);
        settle(&data_now, &data_now, known(&data_now, Known::UpTo(Zxid(3)))).unwrap();
        let mark = DataMark::read(&data_now).unwrap().unwrap();
        assert_eq!((mark.log, mark.known), (LogPlace::Here, Known::UpTo(Zxid(3))));
    }
}
