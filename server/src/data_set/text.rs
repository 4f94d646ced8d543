//! The text of such a file: lines of `key=value`, replaced as a whole.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use model::zxid::Zxid;
use thiserror::Error;

/// The largest such file that is read, in bytes.
pub(super) const BYTES_MAX: u64 = 64 << 10;
/// How much of a malformed line is shown, in characters.
const SHOWN_MAX: usize = 80;
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
    /// A line is malformed.
    #[error(
        "{path} has the line {line:?}, which no version of ringkeeper writes; put the file back \
         as it was, or remove it: what it says is then determined again",
        path = path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// The line, or the beginning of it.
        line: String,
    },
    /// The text is incomplete.
    #[error(
        "{path} does not say {missing}, as every version of ringkeeper writes it there: it is \
         empty or cut short; put the file back as it was, or remove it: what it says is then \
         determined again",
        path = path.display()
    )]
    Incomplete {
        /// Which.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// A path that a line cannot hold.
    #[error("{path:?} has a line break in its name: rename the directory")]
    Path {
        /// Which.
        path: PathBuf,
    },
}

/// A line of such a file.
pub(super) struct Line {
    pub(super) key: String,
    pub(super) value: OsString,
}

impl Line {
    /// Its value as a zxid.
    pub(super) fn zxid(&self) -> Option<Zxid> {
        zxid_of(self.value.to_str()?)
    }

    /// Its value as an absolute path.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.value.as_bytes().starts_with(b"/").then(|| PathBuf::from(&self.value))
    }

    /// Its value as a number in hexadecimal digits.
    pub(super) fn number(&self) -> Option<u64> {
        u64::from_str_radix(self.value.to_str()?, 16).ok()
    }
}

/// A zxid as it is written.
pub(super) fn zxid_of(text: &str) -> Option<Zxid> {
    let digits = text.strip_prefix("0x")?;
    u64::from_str_radix(digits, 16).ok().map(|zxid| Zxid(zxid as i64))
}

/// The error for a malformed line.
pub(super) fn damaged(path: &Path, line: &Line) -> MarkError {
    let line = format!("{}={}", line.key, line.value.to_string_lossy());
    MarkError::Damaged { path: path.to_owned(), line: shown(&line) }
}

fn shown(line: &str) -> String {
    line.chars().take(SHOWN_MAX).collect()
}

/// The lines of a file; `None` where there is no file.
pub(super) fn read_lines(path: &Path) -> Result<Option<Vec<Line>>, MarkError> {
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
        let damaged = || MarkError::Damaged {
            path: path.to_owned(),
            line: shown(&String::from_utf8_lossy(line)),
        };
        let at = line.iter().position(|&byte| byte == b'=').ok_or_else(damaged)?;
        let (key, value) = (&line[..at], line[at + 1..].to_vec());
        let is_key = key.iter().all(|&byte| byte.is_ascii_lowercase() || byte == b'-');
        let key = String::from_utf8_lossy(key).into_owned();
        if is_key { Ok(Line { key, value: OsString::from_vec(value) }) } else { Err(damaged()) }
    };
    lines.map(line).collect::<Result<_, _>>().map(Some)
}

/// A text to be written.
pub(super) struct Text(Vec<u8>);

impl Text {
    pub(super) fn new() -> Self {
        Self(format!("{HEAD}\n").into_bytes())
    }

    pub(super) fn line(&mut self, key: &str, value: impl AsRef<OsStr>) -> Result<(), MarkError> {
        let value = value.as_ref();
        if value.as_bytes().contains(&b'\n') {
            return Err(MarkError::Path { path: PathBuf::from(value) });
        }
        for part in [key.as_bytes(), b"=", value.as_bytes(), b"\n"] {
            self.0.extend_from_slice(part);
        }
        Ok(())
    }

    /// Replaces the file, durably; leaves it alone if this is its text.
    pub(super) fn write(&self, path: &Path) -> Result<(), MarkError> {
        if fs::read(path).is_ok_and(|text| text == self.0) {
            return Ok(());
        }
        let directory = path.parent().unwrap_or(path);
        let unfinished = path.with_extension("tmp");
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(&self.0)?;
            file.sync_all()
        });
        written.map_err(failed(&unfinished))?;
        fs::rename(&unfinished, path).map_err(failed(path))?;
        flush_name(path)
    }
}

/// Copies a file, if there is one, to `before.` and its own name.
pub(super) fn keep(path: &Path) -> Result<Option<PathBuf>, MarkError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let plain = path.with_file_name(format!("before.{name}"));
    let (mut free, mut count) = (plain.clone(), 1);
    while free.exists() {
        count += 1;
        free = plain.with_extension(format!("{name}.{count}"));
    }
    match fs::copy(path, &free) {
        Ok(_) => Ok(Some(free)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&free)(error)),
    }
}

/// Removes a file, durably, if there is one.
pub(super) fn remove(path: &Path) -> Result<(), MarkError> {
    match fs::remove_file(path) {
        Ok(()) => flush_name(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Makes a change of a name in its directory durable, and the name of the directory itself.
fn flush_name(path: &Path) -> Result<(), MarkError> {
    for directory in path.ancestors().skip(1).take(2) {
        File::open(directory).and_then(|it| it.sync_all()).map_err(failed(directory))?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> MarkError {
    let path = path.to_owned();
    move |error| MarkError::Io { path: path.clone(), error }
}
