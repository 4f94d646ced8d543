use std::path::Path;

use clap::Parser;

use super::{Bug, Pretend};
use crate::play::tests::{File, play};
use crate::tests::Words;
use crate::{BenchError, IncidentKind};

/// Reads, writes and syncs of a few keys.
pub(super) const MIX: &str = "
connections = 6
in_flight = 2
[keys]
count = 5
[sessions]
timeout_ms = 3000
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

#[test]
fn sessions_are_spread_over_the_servers() {
    let file = File::new(MIX);
    let workload = format!("--workload {} --connections 6", file.0.display());
    for (spread, expected) in
        [("all", [true; 3]), ("leader", [true, false, false]), ("followers", [false, true, true])]
    {
        let pretend = Pretend::start(Bug::None, None);
        let (outcome, json) = play(pretend.names(), &format!("{workload} --spread {spread}"));
        outcome.unwrap();
        let (requests, sessions, resumed) = pretend.counts();
        assert_eq!(requests.iter().map(|count| *count > 0).collect::<Vec<_>>(), expected);
        assert_eq!((sessions, resumed), (6, 0), "{spread}");
        assert_eq!(json["spread"], spread);
    }
}

#[test]
fn a_role_that_no_server_has_is_named() {
    let file = File::new(MIX);
    let leader = Pretend::start(Bug::None, None).addresses[0];
    let words = format!(
        "bench --server {leader} --workload {} --spread followers --patience 1",
        file.0.display()
    );
    let args = Words::parse_from(words.split_whitespace()).args;
    let said = crate::run(&args, &mut Vec::new(), |_| ()).unwrap_err().to_string();
    assert!(said.contains("no server answers srvr with Mode: follower"), "{said}");
}

#[test]
fn clients_of_a_lost_server_take_their_sessions_to_another() {
    let file = File::new(MIX);
    let pretend = Pretend::start(Bug::None, Some((1, 300)));
    let words = format!("--workload {} --connections 6", file.0.display());
    let (outcome, json) = play(pretend.names(), &words);
    let is_closed =
        matches!(outcome, Err(BenchError::Incidents { kind: IncidentKind::Closed, .. }));
    assert!(is_closed, "{outcome:?}");
    let (_, sessions, resumed) = pretend.counts();
    assert_eq!((sessions, resumed), (6, 2), "{json}");
    let incident = &json["incidents"][0];
    assert_eq!(incident["kind"], "connection lost");
    assert_eq!(incident["server"], pretend.addresses[1].to_string());
}

#[test]
fn a_session_that_expired_is_counted_and_replaced() {
    let file = File::new(MIX);
    let pretend = Pretend::start(Bug::Expires, Some((1, 300)));
    let words = format!("--workload {} --connections 6", file.0.display());
    let (_, json) = play(pretend.names(), &words);
    let incidents = json["incidents"].as_array().unwrap();
    let lost: Vec<_> = incidents.iter().filter(|it| it["kind"] == "session lost").collect();
    let count: u64 = lost.iter().map(|it| it["count"].as_u64().unwrap()).sum();
    assert_eq!(count, 2, "{json}");
    assert_eq!(pretend.counts().1, 8, "six at first, two for those that expired");
}

fn verify(bug: Bug, fails: Option<(usize, u32)>) -> (Result<(), BenchError>, serde_json::Value) {
    let file = File::new(MIX);
    let words = format!("--workload {} --connections 6 --verify", file.0.display());
    play(Pretend::start(bug, fails).names(), &words)
}

#[test]
fn stale_reads_are_no_violations() {
    let (outcome, json) = verify(Bug::None, None);
    outcome.unwrap();
    assert!(json["verified"].as_u64().unwrap() > 0);
    assert_eq!(json["verified_at_end"], 3 * 5, "every key on every server");
    // Clients move, and what they have seen moves with them.
    let (outcome, json) = verify(Bug::None, Some((1, 300)));
    assert!(matches!(outcome, Err(BenchError::Incidents { .. })), "{outcome:?}");
    assert_eq!(json["violations"], 0, "{json}");
}

#[test]
fn planted_bugs_are_found() {
    let cases = [
        (Bug::AcceptsTheFuture, Some((0, 300)), "session of connection"),
        (Bug::ClaimsTheNewest, None, "had seen zxid"),
        (Bug::IgnoresSync, None, "had seen zxid"),
        (Bug::LosesWrites, None, "older than write"),
        (Bug::LosesTheEnd, None, "was acknowledged and is lost"),
    ];
    for (bug, fails, expected) in cases {
        let (outcome, json) = verify(bug, fails);
        assert!(matches!(outcome, Err(BenchError::Violations { .. })), "{bug:?}: {outcome:?}");
        let told = json["violations_told"].as_array().unwrap();
        let is_told = told.iter().any(|text| text.as_str().unwrap().contains(expected));
        assert!(is_told, "{bug:?}: {told:?}");
    }
}

/// The mix with a fault, after half a second.
fn with_fault(fault: &str) -> File {
    File::new(&format!("{MIX}[[fault]]\nat = \"500ms\"\n{fault}\n"))
}

#[test]
fn a_storm_of_reconnects_is_a_fault_that_explains_itself() {
    let pretend = Pretend::start(Bug::None, None);
    let file = with_fault("reconnect = \"all\"");
    let words = format!("--workload {} --connections 6 --verify", file.0.display());
    let (outcome, json) = play(pretend.names(), &words);
    outcome.unwrap();
    let (_, sessions, resumed) = pretend.counts();
    assert_eq!((sessions, resumed), (6, 6), "{json}");
    let fault = &json["faults"][0];
    assert_eq!(fault["fault"], "reconnect 100 %");
    assert!(fault["to_ms"].as_u64() >= fault["from_ms"].as_u64(), "{fault}");
    assert!(fault["no_writes"]["ms"].is_u64() && fault["no_reads"]["ms"].is_u64(), "{fault}");
}

#[test]
fn a_command_is_told_what_the_servers_are() {
    let pretend = Pretend::start(Bug::None, None);
    let told = File::new("");
    let command = "echo $BENCH_LEADER-$BENCH_FOLLOWERS-$BENCH_SERVERS";
    let command = format!("{command} > {}", told.0.display());
    let file = with_fault(&format!("run = \"{command}\""));
    let words = format!("--workload {} --connections 6 --verify", file.0.display());
    play(pretend.names(), &words).0.unwrap();
    let names: Vec<_> = pretend.addresses.iter().map(ToString::to_string).collect();
    let [one, two, three] = &names[..] else { panic!("three servers") };
    let expected = format!("{one}-{two} {three}-{one} {two} {three}\n");
    assert_eq!(std::fs::read_to_string(&told.0).unwrap(), expected);
}

#[test]
fn a_command_that_does_not_end_ends_with_the_run() {
    let pretend = Pretend::start(Bug::None, None);
    let told = File::new("");
    let file = with_fault(&format!("run = \"echo $$ > {}; sleep 1000\"", told.0.display()));
    let words = format!("--workload {} --connections 6", file.0.display());
    let (outcome, json) = play(pretend.names(), &words);
    outcome.unwrap();
    assert!(json["faults"][0]["to_ms"].is_null(), "{json}");
    let pid = std::fs::read_to_string(&told.0).unwrap();
    assert!(!pid.is_empty() && !Path::new("/proc").join(pid.trim()).exists(), "{pid}");
}

#[test]
fn a_command_that_fails_fails_the_run() {
    let pretend = Pretend::start(Bug::None, None);
    let file = with_fault("run = \"exit 4\"");
    let words = format!("--workload {} --connections 6 --verify", file.0.display());
    let (outcome, json) = play(pretend.names(), &words);
    let kind = IncidentKind::FaultFailed;
    assert!(matches!(outcome, Err(BenchError::Incidents { kind: it, .. }) if it == kind));
    let detail = json["incidents"][0]["detail"].as_str().unwrap();
    assert_eq!(detail, "the command ended with exit status: 4");
}

#[test]
fn faults_without_their_servers_are_refused_before_anything_starts() {
    let of = |fault: &str, words: &str| {
        let file = with_fault(fault);
        let words = format!("bench --workload {} {words}", file.0.display());
        let args = Words::parse_from(words.split_whitespace()).args;
        crate::run(&args, &mut Vec::new(), |_| ()).unwrap_err().to_string()
    };
    let said = of("kill = \"leader\"", "--server 127.0.0.1:1");
    assert!(
        said.starts_with("the fault at 500ms (kill leader, down for 5s) needs servers"),
        "{said}"
    );
    let said = of("restart = \"rolling\"", "--server 127.0.0.1:1");
    assert!(said.contains("give --ensemble"), "{said}");
    let said = of("kill = 4", "--ensemble 3");
    assert!(said.ends_with("needs more than the 3 servers of --ensemble"), "{said}");
    let said = of("kill = \"follower\"", "--ensemble 1");
    assert!(said.ends_with("needs more than the 1 servers of --ensemble"), "{said}");
    let file = File::new(&format!("{MIX}[[fault]]\nat = \"10s\"\nreconnect = 5\n"));
    let words = format!("bench --workload {} --server 127.0.0.1:1", file.0.display());
    let args = Words::parse_from(words.split_whitespace()).args;
    let said = crate::run(&args, &mut Vec::new(), |_| ()).unwrap_err().to_string();
    assert!(said.ends_with("is due after the end: measure for more than 10 s"), "{said}");
}
