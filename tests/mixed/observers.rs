//! What a leader tells of its observers: `ZooKeeper`'s and ours tell the same of the same.

use super::{Make, Mixed};
use crate::ensemble::{PATIENCE, Seat};
use harness::Client;
use harness::http::get;
use harness::server::next_free_port;
use serde_json::Value;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// The fields of an observer, in order.
const FIELDS: [&str; 9] = [
    "remote_socket_address",
    "sid",
    "established",
    "queued_packets",
    "queued_packets_size",
    "packets_received",
    "packets_sent",
    "requests",
    "last_zxid",
];

/// What the leader tells, once that is right.
fn told(http: SocketAddr, is_right: impl Fn(&Value) -> bool) -> (String, Value) {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = get(http, "/commands/observers").expect("an answer");
        let told: Value = serde_json::from_str(&answer.body).expect("JSON");
        if is_right(&told) {
            return (answer.body, told);
        }
        assert!(Instant::now() < end, "not as expected: {told}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn play(leader: Make) {
    let port = next_free_port();
    let parts = [(Make::Ours, Seat::Observer), (leader, Seat::Voter), (leader, Seat::Voter)];
    let mut mixed = Mixed::prepare(&parts, |config| config);
    mixed.ensemble.servers[2].set("admin.enableServer", "true");
    mixed.ensemble.servers[2].set("admin.serverPort", &port.to_string());
    mixed.launch(&[2, 1, 0]);
    assert_eq!(mixed.ensemble.leader(), 2);
    let http = SocketAddr::from(([127, 0, 0, 1], port));
    let mut client = Client::connect(mixed.ensemble.address(0));
    (0..3).for_each(|at| client.make(&format!("/node-{at}")));
    client.sync("/").unwrap();
    let zxid = client.zxid();
    // The session, three nodes, the sync; and a ping behind all of that.
    let (text, told_of) = told(http, |it| {
        let observer = &it["observers"][0];
        observer["requests"] == 5 && observer["last_zxid"] == zxid
    });
    assert_eq!(told_of["synced_observers"], 1);
    let observer = &told_of["observers"][0];
    assert_eq!(observer["sid"], 1);
    let of = |field: &str| observer[field].as_i64().expect("a number");
    // ZooKeeper's count of bytes leaves out what synchronizes a learner when that is queued.
    assert!(of("queued_packets") == 0 && of("queued_packets_size") <= 0, "{text}");
    assert!(of("packets_received") >= 5 && of("packets_sent") >= 6, "{text}");
    assert!(of("established") > 1_600_000_000_000, "{text}");
    let places: Vec<_> = FIELDS.iter().map(|it| text.find(&format!("\"{it}\""))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    let from = observer["remote_socket_address"].as_str().expect("a text");
    assert!(from.starts_with("/127.0.0.1:"), "{text}");
    assert_eq!(observer.as_object().map(serde_json::Map::len), Some(FIELDS.len()), "{text}");
    let reset = get(http, "/commands/observer_connection_stat_reset").expect("an answer");
    let reset: Value = serde_json::from_str(&reset.body).expect("JSON");
    assert!(reset["error"].is_null(), "{reset}");
    told(http, |it| it["observers"][0]["requests"] == 0);
    client.close();
}

#[test]
fn zookeeper_tells_of_its_observers() {
    play(Make::Stock);
}

#[test]
fn ours_tells_the_same() {
    play(Make::Ours);
}
