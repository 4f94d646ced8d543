//! `ZooKeeper`'s data directories, imported, served, exported: the tree does not change.

mod craft;
mod fixtures;
pub(crate) mod golden;
mod histories;
mod notes;
mod overflow;
mod refusals;
pub(crate) mod tree;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use harness::server::our_binary;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A folder of a test's own, removed when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("ringkeeper-convert-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// What a command printed, and how it exited.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) is_success: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs our binary with these words.
pub(crate) fn run(words: &[&str]) -> Said {
    let binary = our_binary();
    let output = Command::new(&binary).args(words).output();
    let output =
        output.unwrap_or_else(|e| panic!("{}: {e} (make test builds it)", binary.display()));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { is_success: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Imports `from` into `to`, which must succeed.
pub(crate) fn import(from: &Path, to: &Path) -> Said {
    let said = run(&["import", word(from), "--to", word(to)]);
    assert!(said.is_success, "{said:?}");
    said
}

/// The only file of `directory` whose name has this prefix and suffix.
fn only_file(directory: &Path, beginning: &str) -> PathBuf {
    let files = files(directory, beginning);
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().unwrap()
}

/// The files of `directory` whose names have this prefix, sorted.
fn files(directory: &Path, beginning: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(beginning);
    let mut files: Vec<_> = entries.filter(named).collect();
    files.sort();
    files
}
