use std::fmt::{Display, Write as _};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use clap::Parser;
use model::error::ErrorCode;
use model::op::Op;
use serde_json::Value;

use super::ramp::Search;
use super::register::{Registers, Seen, VALUE_BYTES};
use super::tree::Tree;
use crate::tests::{Words, converse, reply, serve, well};
use crate::workload::{Bounded, OpKind, Workload};
use crate::{BenchArgs, BenchError, IncidentKind};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A file of the test.
pub(super) struct File(pub(super) PathBuf);

impl File {
    pub(super) fn new(text: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringkeeper-play-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn args(address: impl Display, words: &str) -> BenchArgs {
    let words = format!("bench --server {address} --connections 3 --warmup 0 --seconds 1 {words}");
    Words::parse_from(words.split_whitespace()).args
}

/// The outcome, and the JSON.
pub(super) fn play(address: impl Display, words: &str) -> (Result<(), BenchError>, Value) {
    let file = File::new("{}");
    let words = format!("{words} --json {}", file.0.display());
    let outcome = crate::run(&args(address, &words), &mut Vec::new(), |_| ());
    (outcome, serde_json::from_str(&fs::read_to_string(&file.0).unwrap()).unwrap())
}

const MIX: &str = "
[keys]
count = 20
width = 3
depth = 2
[sessions]
ephemerals = 2
[watches]
kind = \"data\"
count = 2
";

#[test]
fn every_operation_is_played() {
    let kinds = [
        "get",
        "set",
        "exists",
        "get-acl",
        "set-acl",
        "children",
        "children2",
        "children-number",
        "discover",
        "create",
        "create2",
        "create-container",
        "create-ttl",
        "sequential",
        "delete",
        "churn",
        "ephemeral",
        "sync",
        "ping",
        "auth",
        "who-am-i",
        "get-ephemerals",
        "watch",
        "multi-read",
        "queue-put",
        "queue-take",
        "session",
    ];
    let mut text = MIX.to_owned();
    for kind in kinds {
        writeln!(text, "[[op]]\nkind = \"{kind}\"\nweight = 1").unwrap();
    }
    text += "[[op]]\nkind = \"multi\"\nweight = 1\nsets = 2\ncreates = 1\nchecks = 1\n";
    let file = File::new(&text);
    let (outcome, json) = play(serve(well), &format!("--workload {}", file.0.display()));
    outcome.unwrap();
    let ops = json["ops"].as_u64().unwrap();
    assert!(ops > 28, "{ops}");
    assert!(json["session_us_p50"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!(json["incidents"], Value::Array(vec![]));
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let page = File::new("");
    let words = format!("--op mixed --nodes 10 --rate 500 --html {}", page.0.display());
    let (outcome, json) = play(serve(well), &words);
    outcome.unwrap();
    // Poisson: 500 and nine times its root, whatever the machine does.
    let ops = json["ops"].as_u64().unwrap();
    assert!((300..=700).contains(&ops), "{ops}");
    assert_eq!((&json["unanswered"], &json["dropped"]), (&Value::from(0), &Value::from(0)));
    assert!(json["generator late_us_p99"].is_number());
    let text = fs::read_to_string(&page.0).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"));
    assert!(text.contains("Latency by percentile") && !text.contains("http"), "{text}");
}

#[test]
fn a_warm_up_shows_what_it_answers() {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let say = |line: &str| SAID.lock().unwrap().push(line.to_owned());
    let words = "--op get --nodes 10 --rate 500 --warmup 2";
    crate::run(&args(serve(well), words), &mut Vec::new(), say).unwrap();
    let said = SAID.lock().unwrap();
    let warming = said.iter().find(|line| line.contains("warm-up")).expect("a second has passed");
    assert!(!warming.contains(" 0/s"), "{said:#?}");
}

#[test]
fn what_is_written_once_needs_a_file_of_its_own() {
    let refused = |words| crate::run(&args("127.0.0.1:1", words), &mut Vec::new(), |_| ());
    let twice = refused("--json same --html same");
    assert!(matches!(twice, Err(BenchError::WrittenTwice(_))), "{twice:?}");
    let words = ["bench", "--ensemble", "3", "--server-cmd", " "];
    let nothing = crate::run(&Words::parse_from(words).args, &mut Vec::new(), |_| ());
    assert!(matches!(nothing, Err(BenchError::NoCommand)), "{nothing:?}");
}

#[test]
fn what_was_due_while_the_server_slept_is_as_late_as_it_was() {
    fn sleepy(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        if count == 60 {
            thread::sleep(Duration::from_millis(500));
        }
        well(count, xid, op, out)
    }
    let words = "--connections 1 --op get --nodes 10 --rate 400";
    let (outcome, json) = play(serve(sleepy), words);
    outcome.unwrap();
    // The server slept for half of the second: what was due then counts, though it was sent later.
    assert!(json["get_us_p90"].as_f64().unwrap() > 200_000.0, "{json}");
}

#[test]
fn closed_connections_are_reported_and_reopened() {
    fn closes(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        count < 300 && well(count, xid, op, out)
    }
    let (outcome, json) = play(serve(closes), "--workload mixed-70-30 --prepare-only");
    let is_closed = matches!(outcome, Err(BenchError::NotBegun { kind: IncidentKind::Closed, .. }));
    assert!(is_closed, "the tree is larger than one connection can create: {outcome:?}");
    assert!(json["incidents"].is_null(), "nothing was measured: {json}");
    let (outcome, json) = play(serve(closes), "--op get --nodes 10 --rate 2000");
    let is_closed =
        matches!(outcome, Err(BenchError::Incidents { kind: IncidentKind::Closed, .. }));
    assert!(is_closed, "{outcome:?}");
    assert_eq!(json["incidents"][0]["kind"], "connection lost");
    let detail = json["incidents"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("closed by the server"), "{detail}");
    assert!(json["attach_us_p50"].as_f64().unwrap() > 0.0, "{json}");
}

#[test]
fn a_server_that_is_gone_ends_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().take(3) {
            let stream = stream.unwrap();
            thread::spawn(|| {
                converse(stream, |count, xid, op, out| count < 200 && well(count, xid, op, out))
            });
        }
    });
    let words = "--op get --nodes 10 --rate 2000 --seconds 60 --patience 1";
    let (outcome, json) = play(address, words);
    assert!(matches!(outcome, Err(BenchError::Incidents { .. })), "{outcome:?}");
    let incidents = json["incidents"].as_array().unwrap();
    let kinds: Vec<_> = incidents.iter().map(|i| i["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"connection lost") && kinds.contains(&"connection refused"));
    assert_eq!(kinds.last(), Some(&"server gone"));
    assert!(json["seconds"].as_f64().unwrap() < 50.0);
}

#[test]
fn a_stall_is_reported_with_its_time() {
    fn stalls(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        if count == 60 {
            thread::sleep(Duration::from_millis(600));
        }
        well(count, xid, op, out)
    }
    let (outcome, json) = play(serve(stalls), "--op get --nodes 10 --rate 500 --stall-ms 200");
    let is_stall =
        matches!(outcome, Err(BenchError::Incidents { kind: IncidentKind::Stalled, .. }));
    assert!(is_stall, "{outcome:?}");
    let stall = &json["incidents"][0];
    let length_ms = stall["to_ms"].as_u64().unwrap() - stall["from_ms"].as_u64().unwrap();
    assert!(length_ms >= 200, "{stall}");
}

#[test]
fn silence_ends_the_run() {
    fn sleeps(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        if count == 60 {
            thread::sleep(Duration::from_secs(600));
        }
        well(count, xid, op, out)
    }
    let words = "--op get --nodes 10 --rate 500 --seconds 60 --patience 1 --stall-ms 100";
    let (outcome, json) = play(serve(sleeps), words);
    assert!(matches!(outcome, Err(BenchError::Incidents { .. })), "{outcome:?}");
    let incidents = json["incidents"].as_array().unwrap();
    assert_eq!(incidents.last().unwrap()["kind"], "server gone");
}

#[test]
fn wrong_answers_end_the_run() {
    fn other_xid(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        well(count, if count == 90 { xid + 1 } else { xid }, op, out)
    }
    fn too_short(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        if op != Op::GetData {
            return well(count, xid, op, out);
        }
        model::response::put_reply(out, xid, model::zxid::Zxid(1), ErrorCode::Ok, b"");
        true
    }
    fn endless(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        if count < 90 {
            return well(count, xid, op, out);
        }
        out.extend_from_slice(&[0xff; 20]);
        true
    }
    type Behaviour = fn(u32, i32, Op, &mut Vec<u8>) -> bool;
    let cases: [(Behaviour, &str); 3] = [
        (other_xid, "expected"),
        (too_short, "that do not answer GetData"),
        (endless, "a frame of -1 bytes"),
    ];
    for (behaviour, what) in cases {
        let (outcome, json) = play(serve(behaviour), "--op get --nodes 10 --rate 2000");
        let is_wrong =
            matches!(outcome, Err(BenchError::Incidents { kind: IncidentKind::Wrong, .. }));
        assert!(is_wrong, "{outcome:?}");
        let incidents = json["incidents"].as_array().unwrap();
        let detail = incidents.last().unwrap()["detail"].as_str().unwrap();
        assert!(detail.contains(what), "{detail}");
    }
}

#[test]
fn errors_are_counted_by_kind() {
    fn no_auth(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        let code = if op == Op::GetData { ErrorCode::NoAuth } else { ErrorCode::Ok };
        reply(xid, code, out);
        count < u32::MAX
    }
    let (outcome, json) = play(serve(no_auth), "--op get --nodes 10 --rate 500");
    assert!(matches!(outcome, Err(BenchError::Errors { .. })), "{outcome:?}");
    assert_eq!(json["error_kinds"][0]["name"], "NoAuth (-102)");
}

#[test]
fn a_server_that_makes_values_up_is_caught() {
    let (outcome, json) = play(serve(well), "--op mixed --nodes 10 --verify --rate 500");
    assert!(matches!(outcome, Err(BenchError::Violations { .. })), "{outcome:?}");
    assert!(json["violations"].as_u64().unwrap() > 0);
}

#[test]
fn a_ramp_ends_with_a_rate() {
    let words = "--op get --nodes 10 --ramp --rate 200 --ramp-seconds 1 --ramp-p99-ms 60000";
    let mut search = Search::new(200.0);
    assert_eq!(search.next(), Some(200.0));
    search.tried(true);
    search.tried(true);
    search.tried(false);
    assert_eq!(search.next(), Some(600.0));
    search.tried(true);
    assert_eq!(search.next(), Some(700.0));
    for _ in 0..3 {
        search.tried(false);
    }
    assert_eq!(search.next(), None);
    assert!(args(SocketAddr::from(([127, 0, 0, 1], 1)), words).ramp);
}

fn seen(mzxid: i64, version: i32) -> Seen {
    Seen { mzxid, version }
}

/// Registers with two acknowledged writes of key 3, and their values.
fn written() -> (Registers, [Vec<u8>; 2]) {
    let mut registers = Registers::default();
    let mut values = [Vec::new(), Vec::new()];
    let first = registers.value(3, &mut values[0]);
    let second = registers.value(3, &mut values[1]);
    registers.written(0, 3, first, seen(10, 1));
    registers.written(0, 3, second, seen(20, 2));
    (registers, values)
}

#[test]
fn correct_reads_are_no_violations() {
    let (mut registers, values) = written();
    assert_eq!((registers.floor(3), values[0].len()), (20, VALUE_BYTES));
    registers.read(1, 3, 20, &values[1], (25, seen(20, 2)));
    // A read that was sent before the second write was acknowledged, by another session.
    registers.read(2, 3, 10, &values[0], (15, seen(10, 1)));
    // A write that was not acknowledged, because its connection was lost, may have been applied.
    let mut third = Vec::new();
    registers.value(3, &mut third);
    registers.read(1, 3, 20, &third, (30, seen(30, 3)));
    registers.answered(1, 25, 30);
    assert_eq!(registers.violations, [""; 0]);
    assert_eq!(registers.checked, 5);
}

/// As [`written`], by session 0 of several servers.
fn lagging() -> (Registers, [Vec<u8>; 2]) {
    let (mut registers, values) = written();
    registers.allows_lag = true;
    (registers, values)
}

#[test]
fn a_session_of_several_servers_may_be_behind_others_but_not_itself() {
    let (mut registers, values) = lagging();
    assert_eq!((registers.floor(3), registers.acknowledged()), (0, 20));
    registers.answered(1, 0, 15);
    registers.read(1, 3, 0, &values[0], (15, seen(10, 1)));
    registers.answered(1, 15, 19);
    registers.read(1, 3, 0, &values[0], (19, seen(10, 1)));
    assert_eq!(registers.violations, [""; 0], "the second write is unknown there yet");
    registers.answered(1, 19, 20);
    registers.answered(1, 20, 21);
    registers.read(1, 3, 0, &values[0], (21, seen(10, 1)));
    assert!(registers.violations[0].contains("had seen zxid 0x14"), "{:?}", registers.violations);
    let (mut registers, values) = lagging();
    registers.synced(1, 20);
    registers.read(1, 3, 0, &values[0], (15, seen(10, 1)));
    assert!(registers.violations[0].contains("had seen zxid 0x14"), "{:?}", registers.violations);
    let (mut registers, values) = lagging();
    registers.synced(1, 20);
    registers.forget(1);
    registers.read(1, 3, 0, &values[0], (15, seen(10, 1)));
    assert_eq!(registers.violations, [""; 0], "its successor has seen nothing");
}

#[test]
fn the_last_check_finds_what_is_lost() {
    let check = |act: &dyn Fn(&mut Registers, &[Vec<u8>; 2]), expected: &str| {
        let (mut registers, values) = lagging();
        act(&mut registers, &values);
        let found = registers.violations.first().cloned().unwrap_or_default();
        assert!(found.contains(expected), "{found} for {expected}");
        assert_eq!(found.is_empty(), expected.is_empty(), "{found}");
    };
    let one = "server 1";
    check(&|r, v| r.audit(3, one, &v[1], seen(20, 2)), "");
    check(&|r, v| r.audit(3, one, &v[0], seen(10, 1)), "write 2 of zxid 0x14 was acknowledged and");
    check(&|r, v| r.audit(3, one, &v[0], seen(30, 3)), "write 1 is zxid 0xa and zxid 0x1e");
    check(&|r, _| r.missing(3, one, -101), "key 3: server 1 answers NoNode (-101)");
    // Neither acknowledged nor impossible: its answer was lost, then another one read it.
    let unknown = |r: &mut Registers| {
        let mut value = Vec::new();
        r.value(3, &mut value);
        value
    };
    check(
        &|r, _| {
            let v = unknown(r);
            r.audit(3, one, &v, seen(30, 3));
        },
        "",
    );
    check(
        &|r, v| {
            let value = unknown(r);
            r.read(1, 3, 0, &value, (30, seen(30, 3)));
            r.audit(3, one, &v[1], seen(20, 2));
        },
        "write 3 of zxid 0x1e was read and is lost",
    );
}

#[test]
fn every_kind_of_violation_is_found() {
    let check = |act: &dyn Fn(&mut Registers, &[Vec<u8>; 2]), expected: &str| {
        let (mut registers, values) = written();
        act(&mut registers, &values);
        let found = registers.violations.first().cloned().unwrap_or_default();
        assert!(found.contains(expected), "{found} for {expected}");
    };
    check(&|r, v| r.read(1, 3, 20, &v[0], (25, seen(10, 1))), "acknowledged before");
    check(&|r, v| r.read(1, 4, 0, &v[0], (25, seen(10, 1))), "never written there");
    check(&|r, _| r.read(1, 3, 20, b"", (25, seen(20, 2))), "bytes that were never written");
    check(&|r, v| r.read(1, 3, 20, &v[0], (25, seen(20, 2))), "zxid 0x14 is version 2");
    check(&|r, v| r.read(1, 3, 20, &v[1], (25, seen(21, 2))), "zxid 0x15 is version 2");
    check(&|r, v| r.read(1, 3, 20, &v[1], (19, seen(20, 2))), "an answer of zxid 0x13");
    check(&|r, v| r.read(0, 3, 0, &v[0], (25, seen(10, 1))), "connection 0 saw zxid 0xa after");
    check(&|r, _| r.answered(0, 30, 29), "zxid 0x1d after 0x1e");
    let (mut registers, mut future) = (Registers::default(), Vec::new());
    Registers::default().value(3, &mut future);
    registers.read(0, 3, 0, &future, (1, seen(1, 1)));
    assert!(registers.violations[0].contains("never written there"));
}

#[test]
fn keys_lie_in_their_folders() {
    let mut workload = Workload::of(&[(OpKind::Get, 1)]);
    workload.keys.count = Bounded(20);
    workload.keys.width = Bounded(3);
    workload.keys.depth = Bounded(2);
    let tree = Tree::new("/a/b", &workload);
    assert_eq!((tree.folder_count(0), tree.folder_count(1)), (3, 7));
    assert_eq!(tree.key(19), "/a/b/w3d2/00002/00000/k0000019");
    assert_eq!(tree.folder(0, 2), "/a/b/w3d2/00002");
    assert_eq!(tree.key_of(tree.key(19).as_bytes()), Some(19));
    let folders: Vec<_> = (0..7).map(|number| tree.folder(1, number)).collect();
    for key in 0..20 {
        let folder = tree.folder_of_key(key);
        assert!(folders.contains(&folder));
        assert!((0..3).any(|number| folder.starts_with(&tree.folder(0, number))));
    }
    assert_eq!(&tree.tops()[..3], ["/a", "/a/b", "/a/b/w3d2"]);
}
