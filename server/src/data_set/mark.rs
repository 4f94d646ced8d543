//! The two files: `data-set` beside the snapshots, `log-set` beside a log in another directory.
//!
//! Lines of `key=value`; unknown keys are skipped. Every file names the other half: one that does
//! not was truncated by a power loss.

use std::path::{Path, PathBuf};

use model::zxid::{Epoch, Epochs, Zxid};
use snapshot::directory::DIRECTORY;

use super::lineage::Lineage;
use super::text::{self, Line, MarkError, Text, damaged, read_lines};

/// Beside the snapshots.
const DATA_MARK: &str = "data-set";
/// Beside a log that is in another directory than they are.
const LOG_MARK: &str = "log-set";

/// Identifies a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetId(pub u64);

/// What one half of a data set records about the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Half {
    /// The data set, the same in both halves.
    pub set: SetId,
    /// The directory of the other half.
    pub other: PathBuf,
}

/// Where the log of the snapshots is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogPlace {
    /// Beside them.
    #[default]
    Here,
    /// There is none yet: the snapshot was imported, and no server has started on it.
    NotYet,
    /// In another directory.
    Apart(Half),
}

/// Up to where ZooKeeper's data beside ours are known: imported, exported, or examined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// They were never examined.
    #[default]
    Unasked,
    /// There were none.
    Nothing,
    /// They ended with this txn.
    UpTo(Zxid),
}

/// An export into another directory, or an import from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The other directory.
    pub directory: PathBuf,
    /// The last txn that was copied.
    pub zxid: Zxid,
}

/// What is recorded beside snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataMark {
    /// Where the log is.
    pub log: LogPlace,
    /// Of `ZooKeeper`'s data in the same directory.
    pub known: Known,
    /// The last copy to or from another directory.
    pub copied: Option<Copied>,
    /// What the server of the imported data has promised and accepted, as one of an ensemble.
    pub epochs: Option<Epochs>,
    /// The log that the snapshots were last served with.
    pub lineage: Lineage,
}

impl DataMark {
    /// Reads the file of a data directory, if there is one.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, MarkError> {
        let path = Self::path(data_dir);
        let Some(lines) = read_lines(&path)? else { return Ok(None) };
        let mut mark = Self::default();
        let mut half = PartialHalf::default();
        let (mut place, mut copied_zxid, mut copied_directory) = (None, None, None);
        for line in &lines {
            let is_valid = match line.key.as_str() {
                "log" => {
                    place = log_place(line);
                    place.is_some()
                }
                "set" => half.read_set(line),
                "log-directory" => half.read_other(line),
                "zookeeper" => known(line).map(|known| mark.known = known).is_some(),
                "epochs" => {
                    mark.epochs = epochs(line);
                    mark.epochs.is_some()
                }
                "copied-zxid" => {
                    copied_zxid = line.zxid();
                    copied_zxid.is_some()
                }
                "copied-directory" => {
                    copied_directory = line.path();
                    copied_directory.is_some()
                }
                _ => mark.lineage.read(line),
            };
            if !is_valid {
                return Err(damaged(&path, line));
            }
        }
        let Some(log) = place.or(half.whole().map(LogPlace::Apart)) else {
            return Err(MarkError::Incomplete { path, missing: "where the log is" });
        };
        mark.log = log;
        let copied = copied_directory.zip(copied_zxid);
        mark.copied = copied.map(|(directory, zxid)| Copied { directory, zxid });
        Ok(Some(mark))
    }

    /// Writes it, unless the file has this content already.
    pub fn write(&self, data_dir: &Path) -> Result<(), MarkError> {
        let mut text = Text::new();
        match &self.log {
            LogPlace::Here => text.line("log", "here")?,
            LogPlace::NotYet => text.line("log", "not-yet")?,
            LogPlace::Apart(half) => half.write(&mut text, "log-directory")?,
        }
        match self.known {
            Known::Unasked => (),
            Known::Nothing => text.line("zookeeper", "nothing")?,
            Known::UpTo(zxid) => text.line("zookeeper", zxid.to_string())?,
        }
        if let Some(Copied { directory, zxid }) = &self.copied {
            text.line("copied-zxid", zxid.to_string())?;
            text.line("copied-directory", directory)?;
        }
        if let Some(epochs) = self.epochs {
            text.line("epochs", format!("{} {}", epochs.promised().0, epochs.current().0))?;
        }
        self.lineage.write(&mut text)?;
        text.write(&Self::path(data_dir))
    }

    /// Writes it, and keeps the previous file under an unused name, which it returns.
    pub fn replace(&self, data_dir: &Path) -> Result<Option<PathBuf>, MarkError> {
        let kept = text::keep(&Self::path(data_dir))?;
        self.write(data_dir)?;
        Ok(kept)
    }

    /// Where it is.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(DIRECTORY).join(DATA_MARK)
    }
}

/// What is recorded beside a log that is in another directory than the snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMark(pub Half);

impl LogMark {
    /// Reads the file of a directory, if there is one.
    pub fn read(log_dir: &Path) -> Result<Option<Self>, MarkError> {
        let path = Self::path(log_dir);
        let Some(lines) = read_lines(&path)? else { return Ok(None) };
        let mut half = PartialHalf::default();
        for line in &lines {
            let is_valid = match line.key.as_str() {
                "set" => half.read_set(line),
                "data-directory" => half.read_other(line),
                _ => true,
            };
            if !is_valid {
                return Err(damaged(&path, line));
            }
        }
        match half.whole() {
            Some(half) => Ok(Some(Self(half))),
            None => Err(MarkError::Incomplete { path, missing: "where the snapshots are" }),
        }
    }

    /// Writes it, unless the file has this content already.
    pub fn write(&self, log_dir: &Path) -> Result<(), MarkError> {
        let mut text = Text::new();
        self.0.write(&mut text, "data-directory")?;
        text.write(&Self::path(log_dir))
    }

    /// Removes the file of a directory, if there is one.
    pub fn remove(log_dir: &Path) -> Result<(), MarkError> {
        text::remove(&Self::path(log_dir))
    }

    /// Where it is.
    pub fn path(log_dir: &Path) -> PathBuf {
        log_dir.join(DIRECTORY).join(LOG_MARK)
    }
}

#[derive(Default)]
struct PartialHalf {
    set: Option<SetId>,
    other: Option<PathBuf>,
}

impl PartialHalf {
    fn read_set(&mut self, line: &Line) -> bool {
        self.set = line.number().map(SetId);
        self.set.is_some()
    }

    fn read_other(&mut self, line: &Line) -> bool {
        self.other = line.path();
        self.other.is_some()
    }

    fn whole(self) -> Option<Half> {
        Some(Half { set: self.set?, other: self.other? })
    }
}

impl Half {
    fn write(&self, text: &mut Text, other: &str) -> Result<(), MarkError> {
        text.line("set", format!("{:016x}", self.set.0))?;
        text.line(other, &self.other)
    }
}

/// The promised one and the current one.
fn epochs(line: &Line) -> Option<Epochs> {
    let (promised, current) = line.value.to_str()?.split_once(' ')?;
    Epochs::new(Epoch(promised.parse().ok()?), Epoch(current.parse().ok()?))
}

fn log_place(line: &Line) -> Option<LogPlace> {
    match line.value.to_str()? {
        "here" => Some(LogPlace::Here),
        "not-yet" => Some(LogPlace::NotYet),
        _ => None,
    }
}

fn known(line: &Line) -> Option<Known> {
    match line.value.to_str()? {
        "nothing" => Some(Known::Nothing),
        _ => line.zxid().map(Known::UpTo),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::ffi::OsStringExt as _;

    use super::super::text::BYTES_MAX;
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("ringkeeper-mark-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = folder("read");
        assert_eq!(DataMark::read(&folder).unwrap(), None);
        assert_eq!(LogMark::read(&folder).unwrap(), None);
        let other = PathBuf::from(OsString::from_vec(b"/a=b #\xff".to_vec()));
        let half = Half { set: SetId(u64::MAX), other: other.clone() };
        let copied = Copied { directory: other, zxid: Zxid(i64::MIN) };
        for log in [LogPlace::Here, LogPlace::NotYet, LogPlace::Apart(half.clone())] {
            for known in [Known::Unasked, Known::Nothing, Known::UpTo(Zxid(0x2a))] {
                for copied in [None, Some(copied.clone())] {
                    let (log, lineage) = (log.clone(), Lineage::default());
                    let epochs = copied.as_ref().and_then(|_| Epochs::new(Epoch(7), Epoch(6)));
                    let mark = DataMark { log, known, copied, epochs, lineage };
                    mark.write(&folder).unwrap();
                    assert_eq!(DataMark::read(&folder).unwrap(), Some(mark));
                }
            }
        }
        LogMark(half.clone()).write(&folder).unwrap();
        assert_eq!(LogMark::read(&folder).unwrap(), Some(LogMark(half)));
        LogMark::remove(&folder).unwrap();
        LogMark::remove(&folder).unwrap();
        assert_eq!(LogMark::read(&folder).unwrap(), None);
        let broken = Half { set: SetId(1), other: "/a\nb".into() };
        assert!(matches!(LogMark(broken).write(&folder), Err(MarkError::Path { .. })));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn any_text_ends_in_a_result() {
        let folder = folder("any");
        let path = DataMark::path(&folder);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for text in ["log=here", "later=1\nlog=here\n", "# only\n\nlog=here\nset=1\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(DataMark::read(&folder).unwrap(), Some(DataMark::default()), "{text:?}");
        }
        for text in ["", "later=1\n", "# only\n\n", "set=1\n", "log-directory=/\n"] {
            fs::write(&path, text).unwrap();
            let error = DataMark::read(&folder).unwrap_err();
            assert!(matches!(error, MarkError::Incomplete { .. }), "{text:?}: {error}");
        }
        let wrong =
            ["run=1\n", "run=1@2\n", "copied-zxid=0x1z\n", "no sign\n", "set=/a\n", "log\0=here\n"];
        for text in ["log=\n", "zookeeper=7\n", "zookeeper=0x\n", "set=x\n", "epochs=1 2\n"]
            .iter()
            .chain(&wrong)
        {
            fs::write(&path, text).unwrap();
            let said = DataMark::read(&folder).unwrap_err().to_string();
            assert!(said.contains(&format!("{:?}", text.trim_end())), "{said}");
        }
        fs::write(&path, vec![b'a'; BYTES_MAX as usize + 1]).unwrap();
        assert!(matches!(DataMark::read(&folder), Err(MarkError::Io { .. })));
        fs::remove_dir_all(&folder).unwrap();
    }
}
