//! A server that was away gets what it lacks from a leader of the other make: from memory, from the
//! log, and after a tail of its own that no quorum held.

use super::{Make, Mixed};
use crate::ensemble::returning::holds;
use crate::ensemble::{PATIENCE, Seat, moved};
use harness::client::create_body;
use harness::{Acl, Body, Client, Server, opcode};
use std::thread;
use std::time::{Duration, Instant};

const OURS: (Make, Seat) = (Make::Ours, Seat::Voter);
const STOCK: (Make, Seat) = (Make::Stock, Seat::Voter);

/// Requests in one write.
const TOGETHER: i32 = 200;

/// Creates nodes, all of them acknowledged.
fn create(client: &mut Client, name: &str, count: i32) {
    for first in (0..count).step_by(TOGETHER as usize) {
        let numbers = first..count.min(first + TOGETHER);
        let requests: Vec<_> = numbers
            .map(|number| {
                let path = format!("/{name}-{number}");
                (opcode::CREATE, create_body(&path, b"x", &Acl::open(), 0))
            })
            .collect();
        let first = client.post_all(&requests);
        (0..requests.len() as i32).for_each(|at| assert_eq!(client.reply(first + at).err, 0));
    }
}

/// What a leader of ours says of a server that has returned to it.
fn sent(leader: &Server, logged: usize, at: usize) -> String {
    let opening = format!("server {} was sent what it lacked: ", at + 1);
    let log = leader.log();
    let line = log[logged..].lines().find_map(|line| line.split_once(&opening));
    line.unwrap_or_else(|| panic!("{log}")).1.to_owned()
}

/// The last server leads, and the first one is away meanwhile. Where a leader has few txns in
/// memory it reads its log.
fn away(parts: [(Make, Seat); 3], count: i32) -> String {
    let mut mixed = Mixed::prepare(&parts, |config| config.set("snapshotSizeFactor", "1"));
    mixed.launch(&[2, 1, 0]);
    assert_eq!(mixed.ensemble.leader(), 2);
    let mut client = Client::connect(mixed.ensemble.address(2));
    create(&mut client, "before", 20);
    mixed.ensemble.assert_equal();
    mixed.ensemble.servers[0].kill();
    create(&mut client, "meanwhile", count);
    if count > 500 {
        // After a restart they have the newest ones only.
        for at in [1, 2] {
            mixed.ensemble.servers[at].kill();
        }
        mixed.launch(&[2, 1]);
        assert_eq!(mixed.ensemble.leader(), 2);
    }
    let logged = mixed.ensemble.servers.iter().map(|server| server.log().len());
    let logged: Vec<_> = logged.collect();
    mixed.launch(&[0]);
    mixed.assert_same();
    super::work::everything(&mixed.ensemble, "then");
    mixed.assert_same();
    let log = mixed.ensemble.servers[0].log();
    let came = log[logged[0]..].contains("a snapshot at ");
    assert!(!came, "a snapshot was sent:\n{log}");
    if parts[2] == OURS { sent(&mixed.ensemble.servers[2], logged[2], 0) } else { String::new() }
}

#[test]
fn zookeeper_is_sent_what_it_missed() {
    let said = away([STOCK, STOCK, OURS], 100);
    assert!(said.starts_with("DIFF") && !said.contains("the log was read"), "{said}");
    let said = away([STOCK, STOCK, OURS], 3_000);
    assert!(said.starts_with("DIFF") && said.contains("the log was read"), "{said}");
}

#[test]
fn zookeeper_sends_what_a_server_of_ours_missed() {
    away([OURS, STOCK, STOCK], 100);
    away([OURS, STOCK, STOCK], 3_000);
}

/// The last server leads, and proposes what no other one gets; then it is away, and the others go
/// on, with txns or without. It returns to them.
fn tail(parts: [(Make, Seat); 3], has_news: bool) -> Mixed {
    let mut mixed = Mixed::prepare(&parts, |config| config);
    mixed.launch(&[2, 1, 0]);
    assert_eq!(mixed.ensemble.leader(), 2);
    let mut client = Client::connect(mixed.ensemble.address(2));
    create(&mut client, "before", 20);
    mixed.ensemble.assert_equal();
    mixed.ensemble.servers[..2].iter_mut().for_each(Server::pause);
    let create_never = |number| {
        let path = format!("/never-{number}");
        (opcode::CREATE, create_body(&path, b"never acknowledged", &Acl::open(), 0))
    };
    let first = client.post_all(&(0..20).map(create_never).collect::<Vec<(i32, Body)>>());
    let data = mixed.ensemble.servers[2].folder().join("data");
    let end = Instant::now() + PATIENCE;
    while !holds(&data, b"/never-19") {
        assert!(Instant::now() < end, "the leader has not logged the last one");
        thread::sleep(Duration::from_millis(10));
    }
    mixed.ensemble.servers[2].kill();
    assert!(client.try_reply(first).is_none(), "acknowledged without a quorum");
    // A server that is killed while it is paused has not read its sockets.
    mixed.ensemble.servers[..2].iter_mut().for_each(Server::kill);
    mixed.launch(&[1, 0]);
    let mut client = moved(&client, mixed.ensemble.address(0));
    if has_news {
        create(&mut client, "after", 20);
    }
    mixed.launch(&[2]);
    if !has_news {
        create(&mut client, "after", 20);
    }
    let mut client = moved(&client, mixed.ensemble.address(2));
    client.sync("/").unwrap();
    let names = client.children("/", false).unwrap();
    assert!(names.iter().all(|name| !name.starts_with("never")), "{names:?}");
    assert!(names.contains(&"after-19".to_owned()), "{names:?}");
    client.close();
    mixed.assert_same();
    // It stays so, and can lead.
    for at in [2, 0] {
        mixed.ensemble.servers[at].restart();
        mixed.ensemble.await_service();
        mixed.assert_same();
    }
    super::work::everything(&mixed.ensemble, "then");
    mixed.assert_same();
    mixed
}

#[test]
fn zookeeper_cuts_the_tail_of_a_server_of_ours() {
    let mixed = tail([STOCK, STOCK, OURS], false);
    let log = mixed.ensemble.servers[2].log();
    assert!(log.contains("the log is cut behind"), "{log}");
}

/// `ZooKeeper` cuts nothing behind which there is another epoch.
#[test]
fn zookeeper_sends_a_snapshot_in_place_of_a_tail() {
    let mixed = tail([STOCK, STOCK, OURS], true);
    let log = mixed.ensemble.servers[2].log();
    assert!(log.contains("a snapshot at 0x2"), "{log}");
}

/// A server of ours never asks `ZooKeeper` to cut its log (decision 0007).
#[test]
fn zookeeper_gets_a_snapshot_in_place_of_its_tail() {
    let mixed = tail([OURS, OURS, STOCK], true);
    let said = sent(&mixed.ensemble.servers[1], 0, 2);
    assert!(said.starts_with("SNAP"), "{said}");
}
