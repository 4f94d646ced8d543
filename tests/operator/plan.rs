//! `ringkeeper plan`: numbers, reports and running servers become a plan, a refusal, or an error
//! that names its cause.

use super::{Folder, assert_says};
use harness::server::our_binary;
use harness::{Client, Server, is_reference};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const NUMBERS: &str = "--sessions 2000 --nodes 20000 --node-bytes 300 --watches 40000 --reads 8000 \
                       --writes 400 --p99 10";

/// Standard output, standard error, status.
fn plan(folder: &Folder, words: &str) -> (String, String, i32) {
    let mut command = Command::new(our_binary());
    command.current_dir(folder.path()).arg("plan").args(words.split_whitespace());
    let Output { stdout, stderr, status } = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().expect("it ended by itself"))
}

/// What it prints, successfully.
fn printed(folder: &Folder, words: &str) -> String {
    let (text, errors, status) = plan(folder, words);
    assert_eq!(status, 0, "{words}: {text}{errors}");
    text
}

fn json(folder: &Folder, words: &str) -> Value {
    serde_json::from_str(&printed(folder, &format!("{words} --json -"))).unwrap()
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn recorded(name: &str) -> PathBuf {
    workspace().join("server/src/plan/report/recorded").join(name)
}

#[test]
fn numbers_become_servers() {
    let folder = Folder::new();
    let text = printed(&folder, NUMBERS);
    let parts = [
        "servers   3 servers, each 1 shard",
        "8,000 reads and 400 writes a second",
        "STAGE",
        "HIGHEST RATE",
        "NEXT STEPS",
        "ONE SERVER LOST",
        "EACH SERVER",
        "P99 BY RATE",
        "cores.shard_read_s",
        "- --session-timeout 30",
        "NOT MODELLED",
    ];
    assert_says(&text, &parts);
    assert_eq!(printed(&folder, NUMBERS), text, "equal inputs give equal plans");
    let json = json(&folder, NUMBERS);
    assert_eq!((&json["carried"], &json["layout"]["servers"]), (&true.into(), &3.into()));
    let most = json["highest"]["reads_per_s"].as_f64().unwrap();
    assert!(most > 8_000.0, "{json}");
    let p99 = json["one_lost"]["writes"]["p99_s"].as_f64().unwrap();
    assert!(p99 > json["now"]["writes"]["p99_s"].as_f64().unwrap() && p99 < 0.01, "{json}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is created");
}

#[test]
fn more_losses_need_more_servers() {
    let folder = Folder::new();
    let servers = |survives: u32| {
        let found = json(&folder, &format!("{NUMBERS} --survives {survives}"));
        found["layout"]["servers"].as_u64().unwrap()
    };
    assert_eq!([0, 1, 2].map(servers), [1, 3, 5]);
}

#[test]
fn a_load_that_nothing_carries_is_refused() {
    let folder = Folder::new();
    for (words, parts) in [
        ("--writes 5000000", ["5,000,000 writes a second exceed", "more servers do not help"]),
        ("--reads 900000000 --writes 1", ["reads a second exceed", "--observers-max"]),
        ("--reads 1 --nodes 1000000000", ["of memory", "64.0 GiB are allowed"]),
        ("--reads 1 --p99 0.01", ["a lone request has a 99th percentile", "--p99"]),
    ] {
        let (text, errors, status) = plan(&folder, words);
        assert_eq!((status, text.as_str()), (1, ""), "{words}: {errors}");
        assert_says(&errors, &["ringkeeper: no servers carry this: "]);
        assert_says(&errors, &parts);
    }
    let (text, errors, status) = plan(&folder, "--writes 5000000 --json -");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &json["carried"]), (1, &false.into()), "{errors}");
    assert!(json["refused"].as_str().unwrap().contains("5,000,000 writes"), "{json}");
}

#[test]
fn given_servers_are_judged() {
    let folder = Folder::new();
    let text = printed(&folder, &format!("{NUMBERS} --layout servers=5,observers=2,shards=4"));
    assert_says(&text, &["5 servers and 2 observers, each 4 shards and a core for ordering\n"]);
    let (text, errors, status) = plan(&folder, "--reads 5000000 --layout servers=1");
    assert_eq!(status, 1, "{errors}");
    assert_says(&text, &["no latency: a stage is too busy"]);
    assert_says(&errors, &["do not carry this load: the", "busy for", "without --layout"]);
}

#[test]
fn bad_input_is_named() {
    let folder = Folder::new();
    let at = |name: &str, text: &[u8]| {
        fs::write(folder.path().join(name), text).unwrap();
    };
    let reads = fs::read(recorded("reads.json")).unwrap();
    at("half.json", &reads[..reads.len() / 2]);
    at(
        "later.json",
        String::from_utf8(reads).unwrap().replacen('{', "{\"version\": 9,", 1).as_bytes(),
    );
    at("costs.toml", b"[cores]\nshard_raed_s = 1e-6\n");
    at("text", b"hello");
    at("zeros", &[0; 64]);
    at("bytes", &[0xff; 64]);
    let closed = format!("--report {}", recorded("closed_loop.json").display());
    for (words, part) in [
        ("", "no load to plan for"),
        ("--reads -1", "--reads -1: give a number"),
        ("--reads 1 --p99 0", "--p99 0: give milliseconds"),
        ("--writes 1 --nodes 0", "writes and no nodes"),
        ("--reads 1 --survives 4", "a quorum is more than half"),
        ("--reads 1 --layout servers=0", "from 1 to 1000"),
        ("--reads 1 --layout servers=3 --survives 1", "cannot be used with"),
        ("--reads 1 --layout servers=3,servers=5", "servers is given twice"),
        ("--reads 1 --sessions 1.5", "--sessions 1.5: give a whole number from 0 to 1e15"),
        ("--reads 1e16", "give a number from 0 to 1e15"),
        ("--reads 1 --html -", "--html -: only --json writes to standard output"),
        ("--reads 1 --json new --html new", "new is both --html and --json: name two files"),
        ("--reads 1 --json ./new --html new", "./new is both --html and --json"),
        ("--report half.json --svg ./half.json", "is both --report and --svg"),
        ("--report /dev/zero", "/dev/zero: it has more than 64 MiB"),
        ("--server a:1,a:1", "a:1 is named twice"),
        ("--server a", "a is no address"),
        ("--metrics a", "a is no address (an address begins with http://)"),
        ("--report half.json", "half.json: it ends in the middle"),
        ("--report later.json", "later.json: it is of version 9"),
        ("--report text", "text: it is no JSON"),
        ("--report zeros", "zeros: it is no JSON"),
        ("--report bytes", "bytes: "),
        ("--report missing.json", "missing.json: No such file"),
        (&closed, "it has no ramp"),
        ("--reads 1 --costs costs.toml", "did you mean cores.shard_read_s?"),
        ("--reads 1 --costs text", "text: "),
        ("--reads 1 --probe text", "text is no measurement of `ringkeeper probe"),
        ("--reads 1 --profile missing", "missing"),
        ("--check", "--workload"),
        // What a check would take no notice of is no part of it.
        ("--check --server x --workload y --p99 5", "cannot be used with"),
        ("--check --server x --workload y --costs costs.toml", "cannot be used with"),
        ("--check --server x --workload y --report half.json", "cannot be used with"),
        ("--server 127.0.0.1:1 --samples 1", "1 is not in 2..="),
    ] {
        let (text, errors, status) = plan(&folder, words);
        assert_eq!((status, text.as_str()), (2, ""), "{words}: {errors}");
        assert_says(&errors, &[part]);
    }
    printed(&folder, "--reads 1 --html /dev/null --svg /dev/null --json /dev/null");
    let (_, errors, status) = plan(&folder, "--server 127.0.0.1:1");
    assert_eq!(status, 1, "{errors}");
    assert_says(&errors, &["127.0.0.1:1: it does not answer", "name the port for clients"]);
}

#[test]
fn a_ramp_becomes_costs() {
    let folder = Folder::new();
    let report = format!("--report {}", recorded("reads.json").display());
    let json = json(&folder, &format!("{report} --costs-out own.toml"));
    let read = &json["costs"]["cores.shard_read_s"];
    let [value, low, high] = ["value", "low", "high"].map(|it| &read["confidence_95"][it]);
    let [value, low, high] = [value, low, high].map(|it| it.as_f64().unwrap());
    assert!(read["from"] == "fitted" && low <= value && value <= high, "{read}");
    // The server carried 40,000 a second on one core, and not 80,000.
    assert!((5e-6..3e-5).contains(&value), "{read}");
    assert_eq!(json["fits"][0]["steps"], 9);
    assert_eq!(json["load"]["sessions"], 50.0);
    // What was found is a file, and the file is what was found.
    let again = printed(&folder, &format!("{NUMBERS} --costs own.toml --json again.json"));
    assert_says(&again, &["cores.shard_read_s", "  file  "]);
    let again = fs::read_to_string(folder.path().join("again.json")).unwrap();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["costs"]["cores.shard_read_s"]["value"], read["value"]);
}

#[test]
fn throughputs_show_how_it_scales() {
    let folder = Folder::new();
    let text = fs::read_to_string(recorded("closed_loop.json")).unwrap();
    let mut words = String::new();
    // A law of 1,000 for one, a contention of 0.05 and a coherency of 0.001.
    for n in [1, 2, 4, 8, 16, 32] {
        let count = f64::from(n);
        let per_s = 1000.0 * count / (1.0 + 0.05 * (count - 1.0) + 0.001 * count * (count - 1.0));
        let mut json: Value = serde_json::from_str(&text).unwrap();
        json["ops_per_s"] = per_s.into();
        fs::write(folder.path().join(format!("{n}.json")), json.to_string()).unwrap();
        write!(words, " --report {n}={n}.json").unwrap();
    }
    let found = json(&folder, &words);
    let law = &found["scalability"];
    let near = |name: &str, expected: f64| {
        let value = law[name]["value"].as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 1e-3, "{name}: {law}");
    };
    near("one_per_s", 1000.0);
    near("contention", 0.05);
    near("coherency", 0.001);
    let peak = law["peak"].as_f64().unwrap();
    assert!((peak - (0.95_f64 / 0.001).sqrt()).abs() < 0.1, "{law}");
    assert_says(&printed(&folder, &words), &["SCALABILITY", "peak", "RESIDUAL"]);
}

#[test]
fn a_running_server_is_a_load() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let server = Server::config().set("4lw.commands.whitelist", "*").start();
    let (address, is_over) = (server.address(), AtomicBool::new(false));
    let words = format!("--server {address} --samples 2 --interval 1");
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(address);
            client.make("/planned");
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                client.make(&format!("/planned/{number}"));
            }
            client.close();
        });
        let found = plan(&folder, &format!("{words} --json -"));
        is_over.store(true, Ordering::Relaxed);
        found
    });
    let (text, errors, status) = found;
    assert_eq!(status, 0, "{text}{errors}");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(json["load"]["writes_per_s"].as_f64().unwrap() > 0.0, "{json}");
    assert!(json["load"]["nodes"].as_f64().unwrap() > 1.0, "{json}");
    assert_eq!(json["load"]["sessions"], 1.0, "{json}");
    // Nobody asks anything of it now; with numbers, its data counts.
    let (_, errors, status) = plan(&folder, &words);
    assert_eq!(status, 2, "{errors}");
    assert_says(&errors, &["no requests in the time that was sampled"]);
    let text = printed(&folder, &format!("{words} --reads 1000 --writes 50 --sessions 100"));
    assert_says(&text, &["1,000 reads and 50 writes a second", "MEASURED"]);
}

#[test]
fn servers_that_do_not_belong_together_are_not_added_up() {
    let folder = Folder::new();
    let servers = [(); 2].map(|()| Server::config().set("4lw.commands.whitelist", "*").start());
    let [one, other] = [0, 1].map(|at: usize| servers[at].address());
    let (text, errors, status) = plan(&folder, &format!("--server {one},{other}"));
    assert_eq!((status, text.as_str()), (2, ""), "{errors}");
    assert_says(&errors, &["are not of one ensemble, since the first is in none"]);
}

#[test]
fn a_server_without_the_word_is_asked_otherwise() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let server = Server::config().set("4lw.commands.whitelist", "srvr").start();
    let (_, errors, status) = plan(&folder, &format!("--server {}", server.address()));
    assert_eq!(status, 1, "{errors}");
    assert_says(&errors, &["4lw.commands.whitelist", "--metrics http://"]);
}

/// Regenerate it by the command that docs/capacity.md shows below it.
#[test]
fn the_picture_in_the_docs_is_what_the_command_draws() {
    let folder = Folder::new();
    printed(&folder, &format!("{NUMBERS} --svg drawn.svg --html page.html"));
    let drawn = fs::read_to_string(folder.path().join("drawn.svg")).unwrap();
    let shown = fs::read_to_string(workspace().join("docs/capacity.svg")).unwrap();
    assert!(
        drawn == shown,
        "docs/capacity.svg is not what `ringkeeper plan {NUMBERS} --svg` draws"
    );
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert_says(&page, &["<!DOCTYPE html>", &shown, "How busy each stage is", "8,000 reads"]);
    assert!(!page.contains("<script") && !page.contains("src="), "it needs nothing else");
}

/// What is measured on this machine is not judged: the errors are the result.
#[test]
fn predictions_are_shown_beside_measurements() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let server = Server::config().set("4lw.commands.whitelist", "*").start();
    let words = format!(
        "--check --server {} --workload uniform-get --seconds 1 --rounds 1 --json -",
        server.address()
    );
    let (text, errors, status) = plan(&folder, &words);
    assert_eq!(status, 0, "{errors}");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["workload"], "uniform-get");
    let lines = json["lines"].as_array().unwrap();
    let names: Vec<_> = lines.iter().map(|it| it["what"].as_str().unwrap()).collect();
    let reads = ["p50 of reads", "p99 of reads"];
    assert_eq!(names, [&["highest rate"][..], &reads, &reads, &reads].concat());
    assert!(lines.iter().all(|it| it["predicted"].as_f64().unwrap() > 0.0), "{json}");
    let rates: Vec<_> = lines[1..].iter().map(|it| it["rate"].as_f64().unwrap()).collect();
    assert!(rates.is_sorted() && rates[0] < rates[5], "{json}");
    let seen = json["fitted"].as_array().unwrap();
    assert_eq!(seen.len(), 1 + 2 * 5, "{json}");
    assert!(seen.iter().all(|it| it["rounds"].as_array().unwrap().len() == 1), "{json}");
}
