//! `ringkeeper bench --ensemble`: servers that the generator starts, faults, and what it leaves.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::is_reference;
use harness::server::our_binary;
use serde_json::Value;

use super::Folder;

/// A loaded machine starts and ends servers slowly.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The mix of the shipped workloads with faults, in small.
const MIX: &str = "
connections = 9
rate = 300
seconds = 4
[keys]
count = 20
[sessions]
timeout_ms = 10000
ephemerals = 1
[watches]
kind = \"data\"
count = 2
[[op]]
kind = \"get\"
weight = 6
[[op]]
kind = \"set\"
weight = 3
[[op]]
kind = \"sync\"
weight = 1
";

fn command(workload: &Path, folder: &Path) -> Command {
    let mut command = Command::new(our_binary());
    command.args(["bench", "--warmup", "0", "--ensemble", "3", "--verify", "--workload"]);
    command.arg(workload).arg("--ensemble-dir").arg(folder);
    command
}

fn workload(folder: &Folder, rest: &str) -> std::path::PathBuf {
    let file = folder.path().join("mine.toml");
    fs::write(&file, format!("{MIX}{rest}")).unwrap();
    file
}

/// The outcome and the JSON of a run, which has left nothing in its folder.
fn run(rest: &str, more: &[&str]) -> (Output, Value) {
    let folder = Folder::new();
    let (json, data) = (folder.path().join("results.json"), folder.path().join("data"));
    let mut command = command(&workload(&folder, rest), &data);
    let output = command.args(more).arg("--json").arg(&json).output().unwrap();
    assert!(!data.exists(), "a folder that was made for the servers is removed");
    assert_eq!(processes_of(&data), [0; 0]);
    let said = String::from_utf8_lossy(&output.stderr);
    let text = fs::read_to_string(&json).unwrap_or_else(|_| panic!("no results: {said}"));
    (output, serde_json::from_str(&text).unwrap())
}

/// The JSON of a run in which nothing failed but by its faults.
fn succeed(rest: &str) -> Value {
    let (output, json) = run(rest, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(json["violations"], 0);
    assert_eq!(json["verified_at_end"], 3 * 20, "every key on every server");
    for fault in json["faults"].as_array().unwrap() {
        assert!(fault["to_ms"].as_u64() >= fault["from_ms"].as_u64(), "{fault}");
        assert!(fault["no_writes"]["ms"].is_u64() && fault["no_reads"]["ms"].is_u64(), "{fault}");
    }
    json
}

/// Processes whose command line names a path in a folder.
fn processes_of(folder: &Path) -> Vec<u32> {
    let needle = folder.to_str().unwrap();
    let names = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // The generator has the folder as a whole word.
        let words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        words.into_iter().any(|word| word.starts_with(needle) && word.ends_with("/zoo.cfg"))
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(names).collect()
}

#[test]
fn a_killed_leader_loses_nothing() {
    if is_reference() {
        return;
    }
    let json = succeed("[[fault]]\nat = \"1s\"\nkill = \"leader\"\ndown = \"1s\"\n");
    let fault = &json["faults"][0];
    assert_eq!(fault["fault"], "kill leader, down for 1s");
    let servers = json["server"].as_str().unwrap();
    assert!(servers.contains(fault["server"].as_str().unwrap()), "{fault}");
    assert!(fault["failures"]["connection lost"].as_u64() >= Some(3), "{fault}");
    let incidents = json["incidents"].as_array().unwrap();
    assert!(!incidents.is_empty() && incidents.iter().all(|it| it["excused"] == true), "{json}");
    assert!(!fault["series"].as_array().unwrap().is_empty(), "{fault}");
}

#[test]
fn servers_are_restarted_one_after_another() {
    if is_reference() {
        return;
    }
    let json = succeed("[[fault]]\nat = \"1s\"\nrestart = \"rolling\"\n");
    let fault = &json["faults"][0];
    assert_eq!(fault["fault"], "rolling restart");
    // Each of the nine loses its server at least once.
    assert!(fault["failures"]["connection lost"].as_u64() >= Some(9), "{fault}");
}

#[test]
fn a_follower_that_is_slow_and_one_that_is_frozen_fail_nothing() {
    if is_reference() {
        return;
    }
    let slow = "[[fault]]\nat = \"500ms\"\nslow = \"follower\"\nfor = \"1s\"\n";
    let json = succeed(&format!("{slow}[[fault]]\nat = \"3s\"\nstop = 2\nfor = \"500ms\"\n"));
    let faults = json["faults"].as_array().unwrap();
    let words: Vec<_> = faults.iter().map(|fault| fault["fault"].as_str().unwrap()).collect();
    assert_eq!(words, ["slow follower for 1s", "stop server 2 for 500ms"]);
}

#[test]
fn storms_of_reconnects_and_watches_fail_nothing() {
    if is_reference() {
        return;
    }
    let storm = "[[storm]]\nkind = \"watch\"\nevery_ms = 200\n";
    let json = succeed(&format!("{storm}[[fault]]\nat = \"1s\"\nreconnect = \"all\"\n"));
    assert!(json["event_us_p50"].as_f64().unwrap() > 0.0, "{json}");
    assert!(json["attach_us_p50"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!(json["incidents"], Value::Array(vec![]));
}

/// A run that has begun to measure.
fn running(folder: &Folder, more: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let data = folder.path().join("data");
    // Relative paths are those of the working directory.
    let mut command = command(&workload(folder, ""), Path::new("data"));
    command.args(more).current_dir(folder.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(" play ") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it measured");
    }
    assert_eq!(processes_of(&data).len(), 3);
    (child, said)
}

fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

fn await_none(folder: &Path) {
    let end = Instant::now() + WAIT_MAX;
    while !processes_of(folder).is_empty() {
        assert!(Instant::now() < end, "{:?} go on", processes_of(folder));
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    if is_reference() {
        return;
    }
    for signal in ["-INT", "-TERM"] {
        let folder = Folder::new();
        let (mut child, said) = running(&folder, &["--seconds", "600"]);
        kill(signal, child.id());
        let lines: Vec<_> = said.lines().map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        let last = lines.last().unwrap();
        assert!(last.contains(&format!("ended by SIG{}", &signal[1..])), "{last}");
        let data = folder.path().join("data");
        assert_eq!(processes_of(&data), [0; 0]);
        assert!(!data.exists());
    }
}

#[test]
fn the_servers_of_a_killed_generator_end() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let (mut child, _said) = running(&folder, &["--seconds", "600"]);
    kill("-KILL", child.id());
    child.wait().unwrap();
    await_none(&folder.path().join("data"));
}

#[test]
fn a_server_that_ends_by_itself_fails_the_run() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let json = folder.path().join("results.json");
    symlink(our_binary(), folder.path().join("mine")).unwrap();
    let more = ["--seconds", "3", "--server-cmd", "./mine serve", "--json", "results.json"];
    let (mut child, said) = running(&folder, &more);
    let data = folder.path().join("data");
    kill("-KILL", processes_of(&data)[0]);
    let said: Vec<_> = said.lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said:?}");
    let json: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let incidents = json["incidents"].as_array().unwrap();
    let ended: Vec<_> = incidents.iter().filter(|it| it["kind"] == "server ended").collect();
    assert_eq!(ended.len(), 1, "{json}");
    let detail = ended[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("signal 9: ") && detail.contains("INFO"), "{detail}");
}

#[test]
fn a_server_that_cannot_start_is_reported() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let data = folder.path().join("data");
    let mut command = command(&workload(&folder, ""), &data);
    let output = command.args(["--server-cmd", "echo no disk for"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ended before it served (exit status 0): no disk for "), "{said}");
    assert!(!data.exists());
}

#[test]
fn a_fault_of_servers_that_are_not_ours_is_refused() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let file = workload(&folder, "[[fault]]\nat = \"1s\"\nkill = \"leader\"\n");
    let mut command = Command::new(our_binary());
    command.args(["bench", "--server", "127.0.0.1:1,127.0.0.1:2", "--workload"]).arg(file);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the fault at 1s (kill leader, down for 5s) needs servers"), "{said}");
    assert!(said.contains("give --ensemble"), "{said}");
}
