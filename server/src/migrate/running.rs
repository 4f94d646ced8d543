//! Whether a process writes ZooKeeper's files: `ZooKeeper` takes no lock, but holds its log open.

use std::fs;
use std::path::{Path, PathBuf};

/// A process that has a file open for writing.
pub(super) struct Writer {
    /// Its number.
    pub(super) pid: u32,
    /// The file.
    pub(super) file: PathBuf,
}

/// A process that writes a file directly in one of these directories, as far as this user may see:
/// other users' processes are visible to root only.
pub(super) fn writer_in(directories: &[PathBuf]) -> Option<Writer> {
    let directories: Vec<_> =
        directories.iter().filter_map(|directory| directory.canonicalize().ok()).collect();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        for opened in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(file) = fs::read_link(opened.path()) else { continue };
            let is_inside = file.parent().is_some_and(|it| directories.iter().any(|d| d == it));
            let info = process.path().join("fdinfo").join(opened.file_name());
            if is_inside && is_writing(&info) {
                return Some(Writer { pid, file });
            }
        }
    }
    None
}

/// Whether a descriptor was opened for writing: the two lowest of its flags say so, in octal.
fn is_writing(info: &Path) -> bool {
    let text = fs::read_to_string(info).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 3 != 0)
}
