//! `ringkeeper bench` against a server, in short runs: workloads, verified reads, exit statuses.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use harness::server::server_command;
use harness::{Server, is_reference};
use serde_json::Value;

use super::Folder;

fn bench(server: &Server, words: &str) -> Output {
    let address = server.address().to_string();
    let mut command = Command::new(&server_command()[0]);
    command.args(["bench", "--server", &address, "--warmup", "0"]);
    command.args(words.split_whitespace()).output().unwrap()
}

fn succeed(server: &Server, words: &str, json: &Path) -> Value {
    let output = bench(server, &format!("{words} --json {}", json.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {said}");
    serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap()
}

const EVERYTHING: &str = "
connections = 4
in_flight = 2
[keys]
count = 50
width = 5
depth = 2
draw = \"zipf\"
[sessions]
ephemerals = 3
services = 2
[watches]
kind = \"data\"
count = 2
[[storm]]
kind = \"reconnect\"
every_ms = 300
[[storm]]
kind = \"session\"
every_ms = 500
percent = 50
[[storm]]
kind = \"watch\"
every_ms = 100
";

#[test]
fn every_operation_is_answered_while_clients_come_and_go() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let server = Server::config().start();
    let mut text = EVERYTHING.to_owned();
    let kinds = "\
        get set exists get-acl set-acl children children2 children-number discover \
        create create2 create-container sequential delete churn ephemeral sync ping auth \
        who-am-i get-ephemerals watch multi-read lock queue-put queue-take";
    for kind in kinds.split_whitespace() {
        writeln!(text, "[[op]]\nkind = \"{kind}\"\nweight = 10").unwrap();
    }
    text += "[[op]]\nkind = \"session\"\nweight = 5\nephemerals = 2\ngets = 1\n";
    text += "[[op]]\nkind = \"multi\"\nweight = 10\nsets = 3\nchecks = 1\ncreates = 1\n";
    let file = folder.path().join("everything.toml");
    fs::write(&file, text).unwrap();
    let words = format!("--workload {} --seconds 2", file.display());
    let json = succeed(&server, &words, &folder.path().join("results.json"));
    assert!(json["ops"].as_u64().unwrap() > 0, "{json}");
    assert!(json["attach_us_p50"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!(json["errors"], 0);
}

#[test]
fn what_is_read_is_verified() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let server = Server::config().start();
    let words = "--op mixed --nodes 5 --connections 4 --pipeline 4 --seconds 1 --verify";
    for _ in 0..2 {
        let json = succeed(&server, words, &folder.path().join("results.json"));
        assert!(json["verified"].as_u64().unwrap() > 0, "{json}");
        assert_eq!(json["violations"], 0);
    }
}

#[test]
fn a_workload_with_a_mistake_is_refused() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let server = Server::config().start();
    let file = folder.path().join("mix.toml");
    fs::write(&file, "[[op]]\nkind = \"get\"\nweight = \"many\"\n").unwrap();
    let output = bench(&server, &format!("--workload {}", file.display()));
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("mix.toml:3: weight: invalid type: string \"many\""), "{said}");
}

fn json_of(server: &Server, folder: &Folder, words: &str) -> Value {
    succeed(server, words, &folder.path().join("results.json"))
}

const ONE_GET: &str = "[keys]\ncount = 10\n[[op]]\nkind = \"get\"\nweight = 1\n";

/// By default a server accepts 60 connections from one address.
#[test]
fn a_server_with_its_defaults_can_be_measured() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let server = Server::config().set("maxClientCnxns", "60").start();
    let file = folder.path().join("get.toml");
    fs::write(&file, ONE_GET).unwrap();
    let workload = format!("--workload {} --seconds 1", file.display());
    for words in ["--op get --nodes 10 --seconds 1", &workload] {
        assert_eq!(json_of(&server, &folder, words)["connections"], 50, "{words}");
        let many = format!("{words} --connections 130");
        assert!(json_of(&server, &folder, &many)["ops"].as_u64().unwrap() > 0, "{many}");
    }
}

#[test]
fn connections_over_a_bound_are_reported_instead_of_a_table() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let server = Server::config().set("maxClientCnxns", "20").start();
    let file = folder.path().join("get.toml");
    fs::write(&file, ONE_GET).unwrap();
    let workload = format!("--workload {} --seconds 1", file.display());
    for words in ["--op get --nodes 10 --seconds 1", &workload] {
        let output = bench(&server, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        for part in ["before it had a session", "raise maxClientCnxns", "fewer --connections"] {
            assert!(said.contains(part), "no {part} in: {said}");
        }
    }
}
