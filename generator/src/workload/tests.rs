use super::read::parse;
use clap::ValueEnum;

use super::{Draw, OpKind, StormKind, WatchKind, list, open};

fn refusal(text: &str) -> String {
    parse("mix.toml", text).unwrap_err().to_string()
}

const GET: &str = "[[op]]\nkind = \"get\"\nweight = 1\n";

#[test]
fn every_shipped_workload_is_sound_and_says_what_it_is() {
    assert_eq!(list().len(), 17);
    for (name, _) in list() {
        let workload = open(name).unwrap();
        assert_eq!(&workload.name, name);
        assert!(
            workload.about.ends_with('.') && workload.about.len() < 100,
            "{name}: {}",
            workload.about
        );
    }
    let workload = open("production-mix").unwrap();
    assert_eq!((workload.keys.draw, workload.keys.depth.value()), (Draw::Zipf, 2));
    assert_eq!(workload.watches.unwrap().kind, WatchKind::Data);
    let workload = open("service-discovery").unwrap();
    assert_eq!(workload.connections.value() * workload.sessions.ephemerals.value(), 10_000);
    assert_eq!(open("session-storm").unwrap().storms[0].get_ref().kind, StormKind::Reconnect);
    assert_eq!(open("write-only").unwrap().op(0).kind, OpKind::Create);
}

#[test]
fn defaults_are_filled_in() {
    let workload = parse("x", GET).unwrap();
    assert_eq!((workload.connections.value(), workload.in_flight.value()), (50, 1));
    assert_eq!((workload.keys.count.value(), workload.keys.bytes.value()), (10_000, 100));
    assert!(workload.rate.is_none() && workload.watches.is_none() && workload.storms.is_empty());
    assert_eq!(workload.op(0).title().as_ref(), "get");
}

#[test]
fn mistakes_are_reported_with_file_line_and_key() {
    let said = refusal(&format!("connections = 0\n{GET}"));
    assert_eq!(
        said,
        "mix.toml:1: connections: invalid value: integer `0`, expected a whole number from 1 to \
         60000"
    );
    let said = refusal(&format!("\n[keys]\nbytes = -1\n{GET}"));
    assert!(said.starts_with("mix.toml:3: bytes: invalid value: integer `-1`"), "{said}");
    let said = refusal(&format!("{GET}\n[[op]]\nkind = \"gett\"\nweight = 1\n"));
    assert!(said.starts_with("mix.toml:6: kind: unknown variant `gett`"), "{said}");
    let said = refusal(&format!("{GET}wieght = 1\n"));
    assert!(said.starts_with("mix.toml:4: wieght: unknown field `wieght`"), "{said}");
    let said = refusal(&format!("[keys]\ncount = \"many\"\n{GET}"));
    assert!(said.starts_with("mix.toml:2: count: invalid type: string \"many\""), "{said}");
    let said = refusal("[[op]]\nkind = \"get\"\n");
    assert!(said.starts_with("mix.toml:1: [[op]]: missing field `weight`"), "{said}");
    let said = refusal("connections = 1\nconnections = 2\n");
    assert!(said.starts_with("mix.toml:2: connections: duplicate key"), "{said}");
    let said = refusal("connections 1\n");
    assert!(said.starts_with("mix.toml:1: "), "{said}");
}

#[test]
fn contradictions_are_reported_too() {
    assert_eq!(refusal(""), "mix.toml:1: op: there is none with a weight, nor a storm");
    let said = refusal(&format!("{GET}\n[[op]]\nkind = \"set\"\nweight = 1\nhold_ms = 5\n"));
    assert_eq!(said, "mix.toml:8: hold_ms: means nothing for an operation set");
    let said = refusal(&format!("{GET}bytes = 5\n"));
    assert_eq!(said, "mix.toml:4: bytes: means nothing for an operation get");
    let said = refusal("[[op]]\nweight = 1\nkind = \"multi\"\nsets = 0\n");
    assert_eq!(said, "mix.toml:3: kind: a multi needs sets, creates or checks");
    let said = refusal("[[storm]]\nkind = \"watch\"\nevery_ms = 100\n");
    assert_eq!(said, "mix.toml:2: kind: a storm of watches needs [watches]");
}

#[test]
fn faults_are_planned() {
    let faults = "
[[fault]]
at = \"500ms\"
kill = \"leader\"
[[fault]]
at = \"3s\"
stop = 2
for = \"1m\"
[[fault]]
at = \"4s\"
restart = \"rolling\"
[[fault]]
at = \"5s\"
reconnect = \"all\"
[[fault]]
at = \"6s\"
run = \"true\"
";
    let plan = parse("x", &format!("{GET}{faults}")).unwrap().plan();
    let words: Vec<_> = plan.iter().map(|(at, act)| format!("{at} {act}")).collect();
    let expected = [
        "500ms kill leader, down for 5s",
        "3s stop server 2 for 60s",
        "4s rolling restart",
        "5s reconnect 100 %",
        "6s run true",
    ];
    assert_eq!(words, expected);
}

#[test]
fn faults_that_are_impossible_are_reported() {
    let of = |text: &str| refusal(&format!("{GET}[[fault]]\n{text}\n"));
    let cases = [
        ("kill = \"leader\"", "mix.toml:4: [[fault]]: missing field `at`"),
        ("at = \"5s\"", "mix.toml:5: at: a fault needs kill, stop, slow, restart,"),
        (
            "at = \"5\"\nkill = \"any\"",
            "mix.toml:5: at: invalid value: string \"5\", expected a time",
        ),
        (
            "at = \"5s\"\nkill = \"all\"",
            "mix.toml:6: kill: invalid value: string \"all\", expected \"lead",
        ),
        ("at = \"5s\"\nkill = 0", "mix.toml:6: kill: invalid value: integer `0`"),
        ("at = \"5s\"\nstop = \"any\"", "mix.toml:5: at: a fault stop needs for"),
        ("at = \"5s\"\nkill = 1\nstop = 2\nfor = \"1s\"", "mix.toml:5: at: a fault is one of"),
        ("at = \"5s\"\nstop = 1\nfor = \"0s\"", "mix.toml:7: for: is no time"),
        ("at = \"5s\"\nkill = 1\nfor = \"1s\"", "mix.toml:7: for: means nothing but for stop"),
        ("at = \"5s\"\nreconnect = 101", "mix.toml:6: reconnect: invalid value: integer `101`"),
        ("at = \"5s\"\nrestart = \"all\"", "mix.toml:6: restart: unknown variant `all`"),
        ("at = \"5s\"\nrun = \" \"", "mix.toml:6: run: is no command"),
        ("at = \"5s\"\nkil = 1", "mix.toml:6: kil: unknown field `kil`"),
    ];
    for (text, expected) in cases {
        let said = of(text);
        assert!(said.starts_with(expected), "{said} for {text}");
    }
}

#[test]
fn a_missing_workload_is_reported() {
    let said = open("/nonexistent/mix.toml").unwrap_err().to_string();
    assert!(said.contains("no workload /nonexistent/mix.toml (`ringkeeper bench --list`)"));
}

#[test]
fn results_call_an_operation_what_its_file_does() {
    for kind in OpKind::value_variants() {
        let rest = if *kind == OpKind::Multi { "sets = 1" } else { "" };
        let text = format!("[[op]]\nkind = \"{}\"\nweight = 1\n{rest}", kind.name());
        assert_eq!(parse("x", &text).unwrap().op(0).kind, *kind, "{text}");
    }
}
