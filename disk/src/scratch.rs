//! Small files that are created to try something out, and removed at once.

use std::fs;
use std::path::{Path, PathBuf};

/// What a scratch file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To see whether direct I/O works.
    Probe,
    /// To measure a flush.
    Flush,
    /// To keep glommio from polling.
    Unpolled,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::Probe, Self::Flush, Self::Unpolled];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Probe => ".ringkeeper-probe-",
            Self::Flush => ".ringkeeper-flush-",
            Self::Unpolled => ".ringkeeper-unpolled-",
        }
    }
}

/// The scratch file of this process.
pub(crate) fn path(directory: &Path, purpose: Purpose) -> PathBuf {
    directory.join(format!("{}{}", purpose.prefix(), std::process::id()))
}

/// The process that a scratch file of this name belongs to.
fn owner(name: &str) -> Option<u32> {
    Purpose::ALL.iter().find_map(|purpose| name.strip_prefix(purpose.prefix())?.parse().ok())
}

/// Removes the scratch files in `directory` of processes that were killed before they did. What
/// cannot be removed stays: it is small, and nothing reads it.
pub fn remove_left(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let owner = entry.file_name().to_str().and_then(owner);
        if owner.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tests::TempDirectory;

    #[test]
    fn only_scratch_files_of_processes_that_ended_are_removed() {
        let directory = TempDirectory::new("scratch");
        let place = |name: &str| directory.path().join(name);
        // No process has a number above 4,194,304.
        let ended = Purpose::ALL.map(|purpose| place(&format!("{}4194305", purpose.prefix())));
        let living = path(directory.path(), Purpose::Probe);
        let others = [".ringkeeper-probe-", ".ringkeeper-probe-x", ".ringkeeper-4194305", "data"];
        for path in ended.iter().chain([&living]).chain(&others.map(place)) {
            fs::write(path, b"").unwrap();
        }
        remove_left(directory.path());
        assert!(ended.iter().all(|path| !path.exists()));
        assert!(living.exists() && others.map(place).iter().all(|path| path.exists()));
        remove_left(&place("missing"));
    }
}
