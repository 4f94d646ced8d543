use super::*;
use crate::plan::layout::smallest;
use clap::{Args, Command, FromArgMatches};

fn args(words: &str) -> PlanArgs {
    let command = PlanArgs::augment_args(Command::new("plan"));
    let found = command.try_get_matches_from(["plan"].into_iter().chain(words.split_whitespace()));
    PlanArgs::from_arg_matches(&found.unwrap()).unwrap()
}

fn refused(words: &str) -> String {
    Question::of(&args(words), None).unwrap_err().to_string()
}

#[test]
fn what_is_not_given_is_said() {
    let question = Question::of(&args("--reads 5000 --nodes 70"), None).unwrap();
    assert_eq!((question.load.reads_per_s, question.load.nodes), (5000.0, 70.0));
    assert_eq!((question.p99_s, question.survives), (0.01, 1));
    assert_eq!(question.servers, Servers::Smallest(limits(&args("")).unwrap()));
    let usual = Load::default();
    for (name, value) in [
        ("--writes", usual.writes_per_s),
        ("--sessions", usual.sessions),
        ("--session-timeout", usual.session_timeout_s),
        ("--node-bytes", usual.node_bytes),
        ("--watches", usual.watches),
    ] {
        assert!(question.assumed.contains(&format!("{name} {value}")), "{:?}", question.assumed);
    }
    assert!(question.assumed.iter().any(|it| it.starts_with("--p99 10,")));
    assert_eq!(question.assumed.len(), 6);
}

#[test]
fn numbers_override_what_was_measured() {
    let load = Load { reads_per_s: 10.0, writes_per_s: 20.0, nodes: 30.0, ..Load::default() };
    let seen = Seen { load, layout: smallest() };
    let question = Question::of(&args("--p99 5"), Some(&seen)).unwrap();
    assert_eq!(question.servers, Servers::Given(smallest()), "those that were measured");
    assert_eq!((question.load, question.assumed), (seen.load.clone(), vec![]));
    let question = Question::of(&args("--writes 40"), Some(&seen)).unwrap();
    assert_eq!((question.load.reads_per_s, question.load.writes_per_s), (10.0, 40.0));
    assert!(matches!(question.servers, Servers::Smallest(_)), "the smallest for other numbers");
    let question = Question::of(&args("--shards-max 2"), Some(&seen)).unwrap();
    assert!(matches!(question.servers, Servers::Smallest(it) if it.shards_max == 2));
    let question = Question::of(&args("--layout servers=5 --writes 1"), Some(&seen)).unwrap();
    assert!(matches!(question.servers, Servers::Given(it) if it.servers == 5));
}

#[test]
fn contradictions_are_refused() {
    for (words, part) in [
        ("", "no load to plan for"),
        ("--nodes 5", "no requests"),
        ("--reads -5", "--reads -5: give a number from 0 to 1e15"),
        ("--reads 1e16", "--reads 10000000000000000: give a number from 0 to 1e15"),
        ("--reads 5 --sessions 1.5", "--sessions 1.5: give a whole number from 0"),
        ("--reads 5 --watches 0.5", "--watches 0.5: give a whole number from 0"),
        ("--reads inf", "--reads inf"),
        ("--reads 1e300", "--reads"),
        ("--writes nan", "--writes NaN"),
        ("--writes 5 --nodes 0", "writes and no nodes"),
        ("--reads 5 --sessions 0", "requests and no sessions"),
        ("--reads 5 --node-bytes 0", "nodes without a byte"),
        ("--reads 5 --p99 0", "--p99 0: give milliseconds, above 0"),
        ("--reads 5 --p99 -1", "--p99 -1"),
        ("--reads 5 --session-timeout 0", "--session-timeout 0: give seconds"),
        ("--reads 5 --survives 0.5", "--survives 0.5: give a whole number from 0"),
        ("--reads 5 --survives 4", "--survives 4 is not possible with 7 servers"),
        ("--reads 5 --survives 1 --servers-max 2", "so 3 are needed"),
        ("--reads 5 --shards-max 0", "--shards-max 0: give a whole number from 1"),
        ("--reads 5 --memory 0", "--memory 0: give GiB"),
        ("--reads 5 --disk -1", "--disk -1: give GiB"),
    ] {
        let error = refused(words);
        assert!(error.contains(part), "{words}: {error}");
    }
    assert!(Question::of(&args("--reads 5 --survives 0 --servers-max 1"), None).is_ok());
}

#[test]
fn a_server_without_requests_is_idle() {
    let seen = Seen { load: Load::default(), layout: smallest() };
    let error = Question::of(&args(""), Some(&seen)).unwrap_err().to_string();
    assert!(error.contains("no requests in the time that was sampled"), "{error}");
}
