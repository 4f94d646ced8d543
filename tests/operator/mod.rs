//! Operator mistakes and machine faults: the server names the problem, exits with the status for
//! its kind, and loses nothing.

mod balancing;
mod bench;
mod copies;
mod directories;
mod disk_room;
mod ensembles;
mod exits;
mod exposition;
mod failing_disk;
mod full_disk;
mod halves;
mod lineage;
mod metrics;
mod pages;
mod plan;
mod probe;
mod profile;
mod repair;
mod route;
mod stalls;
mod start;
mod stress;
mod threads;
mod topology;
mod tune;
mod versions;
mod wrong_paths;

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::server::server_command;

/// A server that cannot start reports it at once, or after retrying its port.
const END_MAX: Duration = Duration::from_secs(60);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A folder of a test's own, removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("ringkeeper-operator-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Starts a server that cannot start; returns its standard error once it has exited. [`exits`]
/// checks the status.
fn failed_start(zoo_cfg: &str) -> String {
    failed_start_as(zoo_cfg, None)
}

/// Like [`failed_start`], as this user.
fn failed_start_as(zoo_cfg: &str, user: Option<u32>) -> String {
    let (status, said) = ended_start(zoo_cfg, user);
    assert!((1..=4).contains(&status), "{status}: {said}");
    said
}

/// The exit status of a server that cannot start, and what it prints.
fn ended_start(zoo_cfg: &str, user: Option<u32>) -> (i32, String) {
    let folder = Folder::new();
    let (file, errors) = (folder.path().join("zoo.cfg"), folder.path().join("errors"));
    fs::write(&file, zoo_cfg).unwrap();
    let words = server_command();
    let mut command = Command::new(&words[0]);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let mut child = command
        .args(&words[1..])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    let end = Instant::now() + END_MAX;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the server runs:\n{}", fs::read_to_string(&errors).unwrap());
        }
        thread::sleep(Duration::from_millis(10));
    };
    let said = fs::read_to_string(&errors).unwrap();
    (status.code().expect("no signal ends it"), said)
}

fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no \"{part}\" in:\n{said}");
    }
}
