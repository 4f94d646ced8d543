//! The configuration files, as ZooKeeper rewrites them.
//!
//! `zoo.cfg.dynamic.100000003` has the servers' lines of that version, sorted, without the version;
//! `dynamicConfigFile` in `zoo.cfg` names it. `zoo.cfg.dynamic.next` has those that are proposed,
//! with their version. `zoo.cfg.bak` is the file as it was before its first change. Of `zoo.cfg`
//! itself all other lines stay as they are. (ZooKeeper drops comments and the order.)
//!
//! Each file is replaced as a whole and durable before it is named (guard:
//! `tests::a_configuration_file_points_at_its_servers`).
//!
//! Source: ZooKeeper 3.9.5, `QuorumPeerConfig.writeDynamicConfig`, `editStaticConfig`,
//! `backupOldConfig`.

use crate::data_set::MarkError;
use engine::zab::Configuration;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a configuration file is not as it should be.
#[derive(Debug, Error)]
pub enum FilesError {
    /// It could not be read or written.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// What it was could not be recorded.
    #[error(transparent)]
    Mark(#[from] MarkError),
}

/// The files around one configuration file.
#[derive(Clone, Debug)]
pub struct ConfigFiles {
    config: PathBuf,
}

/// Keys whose lines a dynamic file takes over. ZooKeeper looks at the beginning of keys only.
const MOVED: [&str; 5] = ["server.", "group", "weight", "dynamicConfigFile", "peerType"];

impl ConfigFiles {
    /// Those around this file.
    pub fn new(config: PathBuf) -> Self {
        Self { config }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.config.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// Keeps the configuration file as it is now, under another name.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn back_up(&self) -> Result<(), FilesError> {
        let bytes = fs::read(&self.config).map_err(failed(&self.config))?;
        replace(&self.beside(".bak"), &bytes)
    }

    /// A configuration is in force: its servers get a file, which the configuration file names.
    /// The port for clients stays there unless the server's line has one.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn write_current(
        &self,
        current: &Configuration,
        has_own_client: bool,
    ) -> Result<(), FilesError> {
        let dynamic = self.beside(&format!(".dynamic.{:x}", current.version()));
        replace(&dynamic, lines(current, false).as_bytes())?;
        let named = fs::canonicalize(&dynamic).map_err(failed(&dynamic))?;
        let text = fs::read(&self.config).map_err(failed(&self.config))?;
        replace(&self.config, &edited(&text, &named, has_own_client))
    }

    /// What is proposed; nothing any more.
    ///
    /// # Errors
    /// The file cannot be written or removed.
    pub fn write_next(&self, next: Option<&Configuration>) -> Result<(), FilesError> {
        let path = self.beside(".dynamic.next");
        match next {
            Some(next) => replace(&path, lines(next, true).as_bytes()),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path)(error)),
                _ => Ok(()),
            },
        }
    }
}

/// The sorted lines of a configuration, without a newline behind the last.
fn lines(configuration: &Configuration, has_version: bool) -> String {
    let text = configuration.membership().to_string();
    let is_kept = |line: &&str| has_version || !line.starts_with("version");
    let mut lines: Vec<&str> = text.lines().filter(is_kept).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The configuration file without the lines that a dynamic file has, and with its name.
/// Its bytes need not be UTF-8: Java reads ISO-8859-1.
fn edited(text: &[u8], dynamic: &Path, has_own_client: bool) -> Vec<u8> {
    let is_moved = |line: &[u8]| {
        let key = line.trim_ascii_start();
        MOVED.iter().any(|moved| key.starts_with(moved.as_bytes()))
            || has_own_client && key.starts_with(b"clientPort")
    };
    let mut edited = Vec::new();
    let mut is_continued = false;
    let mut is_dropped = false;
    for line in text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n') {
        if !is_continued {
            is_dropped = is_moved(line);
        }
        let whole = line.strip_suffix(b"\r").unwrap_or(line);
        is_continued = whole.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
        if !is_dropped {
            edited.extend_from_slice(line);
            edited.push(b'\n');
        }
    }
    edited.extend_from_slice(b"dynamicConfigFile=");
    edited.extend_from_slice(dynamic.as_os_str().as_bytes());
    edited.push(b'\n');
    edited
}

fn failed(path: &Path) -> impl Fn(io::Error) -> FilesError {
    let path = path.to_owned();
    move |error| FilesError::Io { path: path.clone(), error }
}

/// Replaces a file, durably.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    let mut unfinished = path.to_owned().into_os_string();
    unfinished.push(".tmp");
    let unfinished = PathBuf::from(unfinished);
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(failed(&unfinished))?;
    if let Ok(there) = fs::metadata(path) {
        fs::set_permissions(&unfinished, there.permissions()).map_err(failed(&unfinished))?;
    }
    fs::rename(&unfinished, path).map_err(failed(path))?;
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    File::open(directory).and_then(|it| it.sync_all()).map_err(failed(directory))
}

#[cfg(test)]
mod tests {
    use super::ConfigFiles;
    use engine::zab::Configuration;
    use std::fs;

    const SERVERS: &[u8] =
        b"server.2=b:2888:3888:observer;2181\nserver.1=a:2888:3888;2181\nversion=100000003";

    #[test]
    fn a_configuration_file_points_at_its_servers() {
        let folder = std::env::temp_dir().join(format!("ringkeeper-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let config = folder.join("zoo.cfg");
        let before = "# ours, caf\u{e9}\ntickTime=2000\nserver.1=a:1:2\nserver.2=b:1:\\\n  2\n\
                      clientPort=2181\n\
                      peerType=participant\ndataDir=/data";
        fs::write(&config, before).unwrap();
        let files = ConfigFiles::new(config.clone());
        let current = Configuration::parse(SERVERS).unwrap();
        files.back_up().unwrap();
        files.write_next(Some(&current)).unwrap();
        let next = fs::read_to_string(folder.join("zoo.cfg.dynamic.next")).unwrap();
        let lines = "server.1=a:2888:3888:participant;0.0.0.0:2181\n\
                     server.2=b:2888:3888:observer;0.0.0.0:2181";
        assert_eq!(next, format!("{lines}\nversion=100000003"));
        files.write_current(&current, true).unwrap();
        files.write_next(None).unwrap();
        assert!(!folder.join("zoo.cfg.dynamic.next").exists());
        let dynamic = folder.join("zoo.cfg.dynamic.100000003");
        assert_eq!(fs::read_to_string(&dynamic).unwrap(), lines);
        let named = dynamic.canonicalize().unwrap();
        let expected = format!(
            "# ours, caf\u{e9}\ntickTime=2000\ndataDir=/data\ndynamicConfigFile={}\n",
            named.display()
        );
        assert_eq!(fs::read_to_string(&config).unwrap(), expected);
        assert_eq!(fs::read_to_string(folder.join("zoo.cfg.bak")).unwrap(), before);
        fs::remove_dir_all(&folder).unwrap();
    }
}
