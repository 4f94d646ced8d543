//! `ringkeeper probe`: a disk is measured, and nothing of that stays.

use super::Folder;
use harness::server::our_binary;
use std::fs;
use std::io::{BufRead, BufReader};
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

#[test]
fn the_way_to_another_server_is_measured() {
    let mut listening = Command::new(our_binary())
        .args(["probe", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(listening.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on ").unwrap().split(';').next().unwrap();
    let peer = |words: &[&str]| {
        let mut command = Command::new(our_binary());
        let done = command.args(["probe", "--seconds", "1", "--peer"]).args(words).output();
        let done = done.unwrap();
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        (text.into_owned(), done.status.code())
    };
    let (text, status) = peer(&[address]);
    assert!(status == Some(0) && text.contains(&format!("to {address} and back")), "{text}");
    let (text, status) = peer(&[address, "--json"]);
    assert!(status == Some(0) && text.contains("\"mib_per_second\""), "{text}");
    let mut from = String::new();
    said.read_line(&mut from).unwrap();
    assert!(from.starts_with("measured from 127.0.0.1:"), "{from}");
    listening.kill().unwrap();
    listening.wait().unwrap();
    let (text, status) = peer(&[address]);
    assert!(status == Some(1) && text.contains("`ringkeeper probe --listen"), "{text}");
}

#[test]
fn figures_are_drawn() {
    let folder = Folder::new();
    let picture = folder.path().join("curve.svg");
    let (text, status) =
        probe(folder.path(), &["--seconds", "1", "--svg", picture.to_str().unwrap()]);
    assert!(status == 0 && text.contains(" KiB ####"), "{text}");
    let svg = fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("durable writes a second"), "{svg}");
}
