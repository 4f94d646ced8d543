//! One server for one data directory.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The file that is locked.
pub const LOCK_FILE: &str = "ringkeeper.lock";

/// The lock on a data directory, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    // Held for its lock alone.
    _file: Flock<File>,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// There is no such directory.
    #[error("the directory {} does not exist: create it, or correct the path", .0.display())]
    Missing(PathBuf),
    /// The path names something else.
    #[error("{} is not a directory: move the file away, or correct the path", .0.display())]
    NotADirectory(PathBuf),
    /// Files cannot be created in it.
    #[error(
        "the directory {} is not writable for this user: change its owner or mode",
        .0.display()
    )]
    ReadOnlyDirectory(PathBuf),
    /// The whole file system cannot be written.
    #[error("the file system of {} is mounted read-only: mount it read-write", .0.display())]
    ReadOnlyFileSystem(PathBuf),
    /// Another server holds it.
    #[error(
        "the directory {} is in use by the server with process id {}: stop that server, or give \
         this one a directory of its own",
        directory.display(),
        pid.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string())
    )]
    Held {
        /// The directory.
        directory: PathBuf,
        /// The other server's process id, as it wrote it down.
        pid: Option<u32>,
    },
    /// Anything else.
    #[error("locking {} failed: {error}", directory.display())]
    Io {
        /// The directory.
        directory: PathBuf,
        /// The kernel's answer.
        error: std::io::Error,
    },
}

impl DirectoryLock {
    /// Takes the lock on `directory`, or says who holds it or what is wrong with the directory.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        match std::fs::metadata(directory) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(LockError::NotADirectory(directory.to_owned()));
            }
            Ok(_) => {}
            Err(error) => return Err(refused(directory, error)),
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(LOCK_FILE))
            .map_err(|error| refused(directory, error))?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => locked,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut text = String::new();
                let pid =
                    file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held { directory: directory.to_owned(), pid });
            }
            Err((_, errno)) => return Err(refused(directory, errno.into())),
        };
        let note = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note(&mut file).map_err(|error| refused(directory, error))?;
        Ok(Self { _file: file })
    }
}

fn refused(directory: &Path, error: std::io::Error) -> LockError {
    let directory = directory.to_owned();
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT) => LockError::Missing(directory),
        Some(Errno::ENOTDIR) => LockError::NotADirectory(directory),
        Some(Errno::EACCES | Errno::EPERM) => LockError::ReadOnlyDirectory(directory),
        Some(Errno::EROFS) => LockError::ReadOnlyFileSystem(directory),
        _ => LockError::Io { directory, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tests::TempDirectory;

    #[test]
    fn the_second_learns_who_holds_it_and_gets_it_after_the_first() {
        let directory = TempDirectory::new("lock");
        let first = DirectoryLock::take(directory.path()).unwrap();
        let error = DirectoryLock::take(directory.path()).unwrap_err();
        assert!(
            matches!(error, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()),
            "{error}"
        );
        assert!(error.to_string().contains(&std::process::id().to_string()));
        drop(first);
        DirectoryLock::take(directory.path()).unwrap();
    }

    #[test]
    fn each_wrong_directory_has_its_own_error() {
        let directory = TempDirectory::new("lock-wrong");
        let missing = directory.path().join("missing");
        assert!(matches!(DirectoryLock::take(&missing), Err(LockError::Missing(_))));
        let file = directory.path().join("file");
        std::fs::write(&file, b"").unwrap();
        assert!(matches!(DirectoryLock::take(&file), Err(LockError::NotADirectory(_))));
        let below = file.join("below");
        assert!(matches!(DirectoryLock::take(&below), Err(LockError::NotADirectory(_))));
        let refused = |errno: Errno| refused(&file, errno.into());
        assert!(matches!(refused(Errno::EACCES), LockError::ReadOnlyDirectory(_)));
        assert!(matches!(refused(Errno::EROFS), LockError::ReadOnlyFileSystem(_)));
    }
}
