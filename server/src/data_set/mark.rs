//! The two files: `data-set` beside the snapshots, `log-set` beside a log in another directory.
//!
//! Lines of `key=value`; keys that are not known are passed over. Each is replaced as a whole.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use model::zxid::Zxid;
use snapshot::directory::DIRECTORY;
use thiserror::Error;

/// Beside the snapshots.
const DATA_MARK: &str = "data-set";
/// Beside a log that is in another directory than they are.
const LOG_MARK: &str = "log-set";
/// The longest such file that is read, in bytes.
const BYTES_MAX: u64 = 64 << 10;
const HEAD: &str = "# Written by ringkeeper: what belongs to the data here (docs/operating.md).";

/// Why such a file cannot be used.
#[derive(Debug, Error)]
pub enum MarkError {
    /// It cannot be read or written.
    #[error(
        "{path}: {error}; the directory must belong to the user that the server runs as, and have \
         room",
        path = path.display()
    )]
    Io {
        /// Which.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// Its text is no such text.
    #[error(
        "{path} has the line {line:?}, which no version of ringkeeper writes; put the file back \
         as it was, or remove it: what it says is then looked for anew",
        path = path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// The line.
        line: String,
    },
    /// A path that a line cannot hold.
    #[error("{path:?} has a line break in its name: rename the directory")]
    Path {
        /// Which.
        path: PathBuf,
    },
}

/// Tells one data set from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetId(pub u64);

/// What a half of a data set says of the other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Half {
    /// The data set, the same in both halves.
    pub set: SetId,
    /// The directory of the other half.
    pub other: PathBuf,
}

/// Where the log is that belongs to snapshots.
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

/// Up to where the data of `ZooKeeper` beside ours are known: imported, exported, or looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Nobody has looked.
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

/// What is known beside snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataMark {
    /// Where the log is.
    pub log: LogPlace,
    /// Of `ZooKeeper`'s data in the same directory.
    pub known: Known,
    /// The last copy to or from another directory.
    pub copied: Option<Copied>,
}

impl DataMark {
    /// Reads the one of a data directory, if there is one.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, MarkError> {
        let path = Self::path(data_dir);
        let Some(lines) = read_lines(&path)? else { return Ok(None) };
        let mut mark = Self::default();
        let mut half = PartialHalf::default();
        let (mut copied_zxid, mut copied_directory) = (None, None);
        for (key, value) in &lines {
            let is_valid = match (key.as_str(), value.as_bytes()) {
                ("log", b"here") => true,
                ("log", b"not-yet") => {
                    mark.log = LogPlace::NotYet;
                    true
                }
                ("log", _) => false,
                ("set" | "log-directory", _) => half.read(value),
                ("zookeeper", b"nothing") => {
                    mark.known = Known::Nothing;
                    true
                }
                ("zookeeper", _) => {
                    let zxid = zxid_of(value);
                    mark.known = zxid.map_or(Known::Unasked, Known::UpTo);
                    zxid.is_some()
                }
                ("copied-zxid", _) => {
                    copied_zxid = zxid_of(value);
                    copied_zxid.is_some()
                }
                ("copied-directory", _) => {
                    copied_directory = Some(PathBuf::from(value));
                    true
                }
                _ => true,
            };
            check(is_valid, &path, key, value)?;
        }
        if let Some(half) = half.whole() {
            mark.log = LogPlace::Apart(half);
        }
        let copied = copied_directory.zip(copied_zxid);
        mark.copied = copied.map(|(directory, zxid)| Copied { directory, zxid });
        Ok(Some(mark))
    }

    /// Writes it, unless it stands there already.
    pub fn write(&self, data_dir: &Path) -> Result<(), MarkError> {
        let mut text = Text::new();
        match &self.log {
            LogPlace::Here => text.line("log", OsStr::new("here"))?,
            LogPlace::NotYet => text.line("log", OsStr::new("not-yet"))?,
            LogPlace::Apart(half) => text.half(half, "log-directory")?,
        }
        match self.known {
            Known::Unasked => (),
            Known::Nothing => text.line("zookeeper", OsStr::new("nothing"))?,
            Known::UpTo(zxid) => text.line("zookeeper", OsStr::new(&zxid.to_string()))?,
        }
        if let Some(Copied { directory, zxid }) = &self.copied {
            text.line("copied-zxid", OsStr::new(&zxid.to_string()))?;
            text.line("copied-directory", directory.as_os_str())?;
        }
        text.write(&Self::path(data_dir))
    }

    /// Where it is.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(DIRECTORY).join(DATA_MARK)
    }
}

/// What is known beside a log that is elsewhere than the snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMark(pub Half);

impl LogMark {
    /// Reads the one of a directory, if there is one.
    pub fn read(log_dir: &Path) -> Result<Option<Self>, MarkError> {
        let path = Self::path(log_dir);
        let Some(lines) = read_lines(&path)? else { return Ok(None) };
        let mut half = PartialHalf::default();
        for (key, value) in &lines {
            let is_valid = match key.as_str() {
                "set" | "data-directory" => half.read(value),
                _ => true,
            };
            check(is_valid, &path, key, value)?;
        }
        Ok(half.whole().map(Self))
    }

    /// Writes it, unless it stands there already.
    pub fn write(&self, log_dir: &Path) -> Result<(), MarkError> {
        let mut text = Text::new();
        text.half(&self.0, "data-directory")?;
        text.write(&Self::path(log_dir))
    }

    /// Removes the one of a directory, if there is one.
    pub fn remove(log_dir: &Path) -> Result<(), MarkError> {
        let path = Self::path(log_dir);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(MarkError::Io { path, error })
            }
            _ => Ok(()),
        }
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
    /// An absolute path is the other half, a number the set; says whether it is one of them.
    fn read(&mut self, value: &OsStr) -> bool {
        if value.as_bytes().starts_with(b"/") {
            self.other = Some(PathBuf::from(value));
            return true;
        }
        let number = value.to_str().and_then(|text| u64::from_str_radix(text, 16).ok());
        self.set = number.map(SetId);
        self.set.is_some()
    }

    fn whole(self) -> Option<Half> {
        Some(Half { set: self.set?, other: self.other? })
    }
}

fn zxid_of(value: &OsStr) -> Option<Zxid> {
    let digits = value.to_str()?.strip_prefix("0x")?;
    u64::from_str_radix(digits, 16).ok().map(|zxid| Zxid(zxid as i64))
}

fn check(is_valid: bool, path: &Path, key: &str, value: &OsStr) -> Result<(), MarkError> {
    if is_valid {
        return Ok(());
    }
    let line = format!("{key}={}", value.to_string_lossy());
    Err(MarkError::Damaged { path: path.to_owned(), line })
}

/// The lines of a file with their keys; `None` where there is no file.
fn read_lines(path: &Path) -> Result<Option<Vec<(String, OsString)>>, MarkError> {
    let failed = |error| MarkError::Io { path: path.to_owned(), error };
    let text = match fs::metadata(path) {
        Ok(found) if found.len() > BYTES_MAX => {
            let error = io::Error::new(io::ErrorKind::InvalidData, "longer than it can be");
            return Err(failed(error));
        }
        Ok(_) => fs::read(path).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let lines = text.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let line = |line: &[u8]| {
        let at = line.iter().position(|&byte| byte == b'=').unwrap_or(line.len());
        let value = line.get(at + 1..).unwrap_or_default().to_vec();
        (String::from_utf8_lossy(&line[..at]).into_owned(), OsString::from_vec(value))
    };
    Ok(Some(lines.map(line).collect()))
}

/// A text to be written.
struct Text(Vec<u8>);

impl Text {
    fn new() -> Self {
        Self(format!("{HEAD}\n").into_bytes())
    }

    fn line(&mut self, key: &str, value: &OsStr) -> Result<(), MarkError> {
        if value.as_bytes().contains(&b'\n') {
            return Err(MarkError::Path { path: PathBuf::from(value) });
        }
        for part in [key.as_bytes(), b"=", value.as_bytes(), b"\n"] {
            self.0.extend_from_slice(part);
        }
        Ok(())
    }

    fn half(&mut self, half: &Half, other: &str) -> Result<(), MarkError> {
        self.line("set", OsStr::new(&format!("{:016x}", half.set.0)))?;
        self.line(other, half.other.as_os_str())
    }

    /// Replaces the file, durably; leaves it alone if this is its text.
    fn write(&self, path: &Path) -> Result<(), MarkError> {
        if fs::read(path).is_ok_and(|text| text == self.0) {
            return Ok(());
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| MarkError::Io { path, error }
        };
        let directory = path.parent().unwrap_or(path);
        let unfinished = path.with_extension("tmp");
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(&self.0)?;
            file.sync_all()
        });
        written.map_err(failed(&unfinished))?;
        fs::rename(&unfinished, path).map_err(failed(path))?;
        for directory in [Some(directory), directory.parent()].into_iter().flatten() {
            File::open(directory).and_then(|it| it.sync_all()).map_err(failed(directory))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
                    let mark = DataMark { log: log.clone(), known, copied };
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
        for text in ["", "later=1\n", "# only\n\n", "no sign\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(DataMark::read(&folder).unwrap(), Some(DataMark::default()), "{text:?}");
        }
        for text in ["log=\n", "zookeeper=7\n", "zookeeper=0x\n", "set=x\n", "copied-zxid=0x1z\n"] {
            fs::write(&path, text).unwrap();
            let said = DataMark::read(&folder).unwrap_err().to_string();
            assert!(said.contains(text.trim_end()), "{said}");
        }
        fs::write(&path, vec![b'a'; BYTES_MAX as usize + 1]).unwrap();
        assert!(matches!(DataMark::read(&folder), Err(MarkError::Io { .. })));
        fs::remove_dir_all(&folder).unwrap();
    }
}
