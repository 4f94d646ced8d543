//! One setting's file: read in a form that can be compared, and written.
//!
//! Names begin with `/sys/` or `/proc/`, as they are in the kernel's documentation; where these are
//! is for the [`Kernel`] to say.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use crate::host::chosen;
use crate::placement::list;
use crate::topology::Kernel;
use crate::topology::device::{cpus_of, names};

/// Why a file cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// The kernel offers no writing.
    #[error("the kernel does not let it be changed")]
    ReadOnlyFile,
    /// As in a container.
    #[error("it is mounted read-only here, as in a container: change it on the host")]
    ReadOnlyMount,
    /// Only root may.
    #[error("only root may change it")]
    NotAllowed,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The value: see [`value`].
    pub value: String,
    /// All of it, for files that list what is possible.
    pub text: String,
    /// Why it cannot be written.
    pub blocked: Option<Blocked>,
}

/// A file of the kernel that shows more than this shows a table, not a setting.
const BYTES_MAX: u64 = 64 << 10;
/// An empty set of processors.
const NOBODY: &str = "none";

/// The form in which the value of a file is compared and shown: of a choice the word in brackets,
/// of processors a list such as `0-3,8`.
pub fn value(name: &str, text: &str) -> String {
    let text = text.trim();
    let cpus = if is_mask(name) {
        masked(text)
    } else if name.ends_with("affinity_list") {
        Some(cpus_of(text))
    } else {
        None
    };
    match cpus {
        Some(cpus) if cpus.is_empty() => NOBODY.to_owned(),
        Some(cpus) => list(&cpus.into_iter().collect::<Vec<_>>()),
        None => chosen(text).unwrap_or_else(|| text.to_owned()),
    }
}

/// The text that gives a file this value.
pub fn text_of(name: &str, value: &str) -> String {
    if is_mask(name) { mask(&cpus_of(value)) } else { value.to_owned() }
}

fn is_mask(name: &str) -> bool {
    name.ends_with("/rps_cpus") || name.ends_with("/xps_cpus")
}

/// The processors in `00000001,0000000f`; `None` if it is no mask.
fn masked(text: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for (word, digits) in (0u32..).zip(text.rsplit(',')) {
        let bits = u32::from_str_radix(digits, 16).ok()?;
        cpus.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| word * 32 + bit));
    }
    Some(cpus)
}

fn mask(cpus: &BTreeSet<u32>) -> String {
    let words = cpus.last().map_or(1, |last| last / 32 + 1);
    let word = |number: u32| {
        let inside = cpus.iter().filter(|cpu| **cpu / 32 == number);
        inside.fold(0u32, |bits, cpu| bits | 1 << (cpu % 32))
    };
    let words: Vec<String> = (0..words).rev().map(|it| format!("{:08x}", word(it))).collect();
    words.join(",")
}

impl Kernel {
    /// Where a file is that is named as the kernel's documentation does it. `None` for a name that
    /// is not below `/sys` or `/proc`.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let below = |root: &Path, rest: &str| {
            let plain = rest.split('/').all(|part| !["", ".", ".."].contains(&part));
            plain.then(|| root.join(rest))
        };
        match (name.strip_prefix("/sys/"), name.strip_prefix("/proc/")) {
            (Some(rest), _) => below(&self.sys, rest),
            (_, Some(rest)) => below(&self.proc, rest),
            _ => None,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn read(&self, name: &str) -> io::Result<File> {
        let path = self.path(name).ok_or(io::ErrorKind::InvalidFilename)?;
        let mut bytes = Vec::new();
        fs::File::open(&path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(File { value: value(name, &text), blocked: blocked(&path), text })
    }

    /// The names that match a pattern in which `*` stands for any part of one folder's name, in
    /// the order of their numbers.
    pub fn matching(&self, pattern: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        for part in pattern.split('/').skip(1) {
            let extend = |name: String| match part.split_once('*') {
                None => vec![format!("{name}/{part}")],
                Some((before, after)) => {
                    let folder = self.path(&name).map(|it| names(&it)).unwrap_or_default();
                    let mut there: Vec<String> = folder
                        .into_iter()
                        .filter(|it| it.len() >= before.len() + after.len())
                        .filter(|it| it.starts_with(before) && it.ends_with(after))
                        .collect();
                    there.sort_by_key(|it| (it.len(), it.clone()));
                    there.into_iter().map(|it| format!("{name}/{it}")).collect()
                }
            };
            found = found.into_iter().flat_map(extend).collect();
        }
        found
    }

    /// Gives a file a value, and reads it back. The only place that changes the machine.
    ///
    /// # Errors
    /// The kernel's answer, or what the file says instead.
    pub fn write(&self, name: &str, value: &str) -> Result<(), WriteError> {
        let path = self.path(name).ok_or(WriteError::Io(io::ErrorKind::InvalidFilename.into()))?;
        if let Some(blocked) = blocked(&path) {
            return Err(WriteError::Blocked(blocked));
        }
        let file = OpenOptions::new().write(true).truncate(true).open(&path);
        let mut file = file.map_err(WriteError::Io)?;
        // In one piece: the kernel takes each write as a value of its own.
        let text = format!("{}\n", text_of(name, value));
        file.write_all(text.as_bytes()).map_err(WriteError::Io)?;
        drop(file);
        let now = self.read(name).map_err(WriteError::Io)?.value;
        if now == value { Ok(()) } else { Err(WriteError::Other { now }) }
    }
}

/// A file that does not have the value that it was given.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It was not tried.
    #[error(transparent)]
    Blocked(Blocked),
    /// The kernel's answer.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// It was taken, and is not in effect.
    #[error("the kernel made {now} of it")]
    Other {
        /// What it says.
        now: String,
    },
}

fn blocked(path: &Path) -> Option<Blocked> {
    // Root is refused by the file's mode in sysfs and in procfs only when it opens the file.
    let mode = fs::metadata(path).ok()?.permissions().mode();
    match access(path, AccessFlags::W_OK) {
        Err(Errno::EROFS) => Some(Blocked::ReadOnlyMount),
        _ if mode & 0o222 == 0 => Some(Blocked::ReadOnlyFile),
        Err(_) => Some(Blocked::NotAllowed),
        Ok(()) => None,
    }
}
