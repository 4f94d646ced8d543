//! What an operator can do about files that are damaged or misplaced.
//!
//! Errors of the lower crates name the file, the offset, and what was expected and found. This
//! module adds the remedy, which depends on where the files are.

use std::path::{Path, PathBuf};

use disk::{Cause, Disk, DiskError};
use nix::errno::Errno;
use txlog::RecoverError;

use crate::directories::Directories;

/// Advice to run the command that shows what can be kept.
pub fn repair(directories: &Directories) -> String {
    format!("`{}` says what can be kept", repair_command(directories))
}

/// The command line of a repair of these directories.
pub fn repair_command(directories: &Directories) -> String {
    let (data, log) = (directories.data_dir(), directories.log_dir());
    if log == data {
        return format!("ringkeeper repair {}", data.display());
    }
    format!("ringkeeper repair {} --log-dir {}", data.display(), log.display())
}

fn parent(directory: &Path) -> &Path {
    directory.parent().unwrap_or(directory)
}

/// The remedy for an error of the log.
pub fn log(error: &RecoverError, directories: &Directories) -> String {
    let repair = repair(directories);
    match error {
        RecoverError::Disk(error) => format!("nothing was changed{}; {repair}", disk(error)),
        RecoverError::Epochs(_) => format!("nothing was changed; {repair}"),
        RecoverError::OtherVersion { .. } => {
            "start the version that wrote it, or restore a backup made by this one".to_owned()
        }
        RecoverError::Hole { reached, next, .. } => format!(
            "put back the segments, or the snapshot, that reach from {reached} to {next}, or \
             restore a backup; {repair}"
        ),
        RecoverError::MissingSegment { .. } => {
            format!("put the file back, or restore a backup; {repair}")
        }
        RecoverError::Older { .. } => format!(
            "put back the log that belongs to the snapshots, or both from one backup; {repair}"
        ),
        _ => format!("nothing was changed; restore a backup; {repair}"),
    }
}

/// The remedy for those errors of the kernel that an operator can fix.
pub fn disk(error: &DiskError) -> &'static str {
    let Cause::Errno(errno) = error.cause else { return "" };
    match Errno::from_raw(errno) {
        Errno::EACCES | Errno::EPERM => {
            ": all files must belong to the user that the server runs as (chown -R)"
        }
        Errno::EROFS => ": the file system is mounted read-only; see the kernel's log for why",
        Errno::EIO => {
            ": the device is failing; see the kernel's log, and copy what can still be read"
        }
        Errno::EISDIR => ": a directory is in the file's place; move it away",
        Errno::ENOSPC | Errno::EDQUOT => ": make room first",
        Errno::EFBIG => ": longer than the limit of this process (ulimit -f) or file system allows",
        _ => "",
    }
}

/// Whether the disk, or its user's quota, is full.
pub fn is_full(error: &DiskError) -> bool {
    let Cause::Errno(errno) = error.cause else { return false };
    matches!(Errno::from_raw(errno), Errno::ENOSPC | Errno::EDQUOT)
}

/// Renames a damaged file to an unused name: `damaged.` and its own.
pub async fn set_aside<D: Disk>(disk: &D, file: &Path) -> Result<PathBuf, DiskError> {
    let directory = parent(file);
    let name = file.file_name().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    let entries = disk.list(directory).await?;
    let plain = format!("damaged.{name}");
    let mut free = plain.clone();
    let mut count = 1;
    while entries.iter().any(|entry| entry.name == free) {
        count += 1;
        free = format!("{plain}.{count}");
    }
    let aside = directory.join(free);
    disk.rename_durable(file, &aside).await?;
    Ok(aside)
}
