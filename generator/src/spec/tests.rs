use super::read::parse;
use super::{Draw, OpKind, StormKind, WatchKind, list, open};

fn refusal(text: &str) -> String {
    parse("mix.toml", text).unwrap_err().to_string()
}

const GET: &str = "[[op]]\nkind = \"get\"\nweight = 1\n";

#[test]
fn every_shipped_workload_is_sound_and_says_what_it_is() {
    assert_eq!(list().len(), 12);
    for (name, _) in list() {
        let spec = open(name).unwrap();
        assert_eq!(&spec.name, name);
        assert!(spec.about.ends_with('.') && spec.about.len() < 100, "{name}: {}", spec.about);
    }
    let spec = open("production-mix").unwrap();
    assert_eq!((spec.keys.draw, spec.keys.depth.value()), (Draw::Zipf, 2));
    assert_eq!(spec.watches.unwrap().kind, WatchKind::Data);
    let spec = open("service-discovery").unwrap();
    assert_eq!(spec.connections.value() * spec.sessions.ephemerals.value(), 10_000);
    assert_eq!(open("session-storm").unwrap().storms[0].get_ref().kind, StormKind::Reconnect);
    assert_eq!(open("write-only").unwrap().op(0).kind, OpKind::Create);
}

#[test]
fn defaults_are_filled_in() {
    let spec = parse("x", GET).unwrap();
    assert_eq!((spec.connections.value(), spec.in_flight.value()), (50, 1));
    assert_eq!((spec.keys.count.value(), spec.keys.bytes.value()), (10_000, 100));
    assert!(spec.rate.is_none() && spec.watches.is_none() && spec.storms.is_empty());
    assert_eq!(spec.op(0).title(), "get");
}

#[test]
fn mistakes_are_told_with_file_line_and_key() {
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
fn contradictions_are_told_too() {
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
fn a_workload_that_is_not_there_is_told() {
    let said = open("/nonexistent/mix.toml").unwrap_err().to_string();
    assert!(said.contains("no workload /nonexistent/mix.toml (`ringkeeper bench --list`)"));
}
