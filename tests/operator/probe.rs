//! `ringkeeper probe`: a disk is measured, and nothing of that stays.

use super::Folder;
use harness::server::our_binary;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What it prints, and its status.
fn probe(directory: &Path, words: &[&str]) -> (String, i32) {
    let mut command = Command::new(our_binary());
    let done = command.arg("probe").arg(directory).args(words).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    (text.into_owned(), done.status.code().expect("it ended by itself"))
}

#[test]
fn a_disk_is_measured() {
    let folder = Folder::new();
    let (text, status) = probe(folder.path(), &["--seconds", "1"]);
    assert!(status == 0 && text.starts_with("durable "), "{text}");
    for expected in ["1048576", "A clock read takes", "Advised: ring.log.durability="] {
        assert!(text.contains(expected), "{text}");
    }
    let (text, status) = probe(folder.path(), &["--seconds", "1", "--json"]);
    assert_eq!(status, 0, "{text}");
    for expected in ["\"version\": 1", "\"p99_us\":", "\"slots\":", "\"sustained\":"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_probe_that_is_killed_leaves_nothing() {
    let folder = Folder::new();
    let mut running = Command::new(our_binary())
        .arg("probe")
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // It has a ring, so it writes.
    let has_ring = || {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", running.id())).unwrap();
        let mut targets = descriptors.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
        targets.any(|target| target.to_string_lossy().contains("io_uring"))
    };
    while !has_ring() {
        std::thread::yield_now();
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_measured_is_said() {
    for directory in ["/nonexistent", "/proc"] {
        let (text, status) = probe(Path::new(directory), &[]);
        assert_eq!(status, 3, "{text}");
        assert!(text.contains(directory) && text.contains("name a directory"), "{text}");
    }
    let folder = Folder::new();
    let (text, status) = probe(folder.path(), &["--seconds", "0"]);
    assert!(status == 2 && text.contains("0 is not in 1..=3600"), "{text}");
}
