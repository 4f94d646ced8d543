//! Which server this one is: the number in its data directory's `myid`.

use std::path::{Path, PathBuf};

use crate::config::ConfigError;

use super::super::Files;

/// The name of the file.
const FILE: &str = "myid";
/// The number that ZooKeeper itself uses for "no number".
const UNSET: i64 = -1;

/// Who this server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The file with its number.
    pub(super) path: PathBuf,
    /// The number, if there is one.
    pub(super) number: Option<i64>,
}

impl Identity {
    /// Reads `myid` of a data directory. A server without the file has no number; a file without a
    /// number is an error even if no number is needed, as in ZooKeeper.
    pub(super) fn read(data_dir: &Path, files: Files<'_>) -> Result<Identity, ConfigError> {
        let path = data_dir.join(FILE);
        let Some(bytes) = files.read(&path)? else { return Ok(Identity { path, number: None }) };
        match number_in(&String::from_utf8_lossy(&bytes)) {
            Ok(number) => Ok(Identity { path, number }),
            Err(found) => Err(ConfigError::Identity { path, found }),
        }
    }
}

/// The number in the text of `myid`, or the text that is there instead.
pub(super) fn number_in(text: &str) -> Result<Option<i64>, String> {
    // Exactly the first line, without white space; the following lines do not count.
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    match line.parse() {
        Ok(number) => Ok(Some(number).filter(|&it| it != UNSET)),
        Err(_) => Err(line.chars().take(SHOWN_MAX).collect()),
    }
}

/// Characters of a wrong `myid` that an error shows.
const SHOWN_MAX: usize = 40;
