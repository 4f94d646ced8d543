use super::super::names::{Table, of_words};
use super::*;
use planning::OrderingCore;
use std::fmt::Write as _;

fn table(pairs: &[(&str, f64)]) -> Table {
    let text = pairs.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "zk_{name}\t{value}");
        text
    });
    of_words(&text).expect("there are nodes")
}

fn sample(at_s: f64, reads: f64, writes: f64) -> Sample {
    let pairs = [
        ("znode_count", 100.0),
        ("approximate_data_size", 5_000.0),
        ("global_sessions", 30.0),
        ("watch_count", 7.0),
        ("packets_received", reads + writes),
        ("uptime", at_s * 1e3),
        ("cnt_readlatency", reads),
        ("cnt_updatelatency", writes),
    ];
    Sample { at_s, tables: vec![table(&pairs)] }
}

#[test]
fn rates_are_differences() {
    let samples =
        [sample(0.0, 1_000.0, 50.0), sample(2.0, 1_400.0, 70.0), sample(4.0, 2_000.0, 90.0)];
    let found = observed(&samples).unwrap();
    let load = found.seen.load;
    // 250 a second, of which 30 sessions sent 3 pings in 30 s each.
    assert_eq!((load.reads_per_s, load.writes_per_s), (247.0, 10.0));
    assert_eq!(
        (load.sessions, load.nodes, load.node_bytes, load.watches),
        (30.0, 100.0, 50.0, 7.0)
    );
    let layout = found.seen.layout;
    assert_eq!((layout.servers, layout.shards), (1, 1));
    assert_eq!(layout.ordering, OrderingCore::SharedWithShard);
    assert!(found.missing.iter().any(|it| it.starts_with("shards")), "{:?}", found.missing);
}

#[test]
fn counters_that_went_backwards_discard_their_interval() {
    let restarted =
        [sample(0.0, 5_000.0, 500.0), sample(1.0, 100.0, 10.0), sample(2.0, 203.0, 30.0)];
    let found = observed(&restarted).unwrap();
    assert_eq!((found.seen.load.reads_per_s, found.seen.load.writes_per_s), (100.0, 20.0));
    assert!(found.missing[0].starts_with("1 of 2 intervals"), "{:?}", found.missing);
    assert!(matches!(observed(&restarted[..2]), Err(PlanError::Unsteady)));
    assert!(matches!(observed(&restarted[..1]), Err(PlanError::Unsteady)));
    assert!(matches!(observed(&[]), Err(PlanError::Unsteady)));
}

#[test]
fn servers_are_added_and_what_they_share_is_not() {
    let server = |state: &str, reads: f64, sessions: f64| {
        let mut one = table(&[
            ("znode_count", 10.0),
            ("global_sessions", sessions),
            ("packets_received", reads),
            ("cnt_readlatency", reads),
            ("cnt_updatelatency", 0.0),
            ("quorum_size", 3.0),
            ("shard_0_connections", 1.0),
            ("shard_1_connections", 1.0),
        ]);
        state.clone_into(&mut one.state);
        one
    };
    let at = |at_s: f64, reads: f64| Sample {
        at_s,
        tables: vec![
            server("leader", reads, 60.0),
            server("follower", 2.0 * reads, 60.0),
            server("observer", 0.0, 60.0),
        ],
    };
    let found = observed(&[at(0.0, 0.0), at(1.0, 100.0)]).unwrap();
    assert_eq!((found.seen.load.reads_per_s, found.seen.load.sessions), (294.0, 60.0));
    let Layout { servers, observers, shards, ordering, .. } = found.seen.layout;
    assert_eq!((servers, observers, shards, ordering), (3, 1, 2, OrderingCore::Own));
    let unnamed = "the load of 1 of 3 servers";
    assert!(found.missing.iter().any(|it| it.starts_with(unnamed)), "{:?}", found.missing);
    for missing in ["bytes of nodes: 200", "watches: 1,000"] {
        assert!(found.missing.iter().any(|it| it.starts_with(missing)), "{:?}", found.missing);
    }
}

#[test]
fn without_kinds_of_requests_a_mix_is_assumed() {
    let at = |at_s: f64, received: f64| {
        let pairs =
            [("znode_count", 1.0), ("global_sessions", 0.0), ("packets_received", received)];
        Sample { at_s, tables: vec![table(&pairs)] }
    };
    let found = observed(&[at(0.0, 0.0), at(10.0, 1_000.0)]).unwrap();
    assert_eq!((found.seen.load.reads_per_s, found.seen.load.writes_per_s), (90.0, 10.0));
    assert!(found.missing.iter().any(|it| it.contains("nine reads")), "{:?}", found.missing);
}
