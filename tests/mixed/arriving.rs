//! A server that has nothing is sent a snapshot.
//!
//! `ZooKeeper`'s tree changes while it is sent. The log of ours says how many txns came behind it
//! that may be in it in part.

use super::{Make, Mixed, is_release};
use crate::ensemble::{Seat, nodes};
use harness::client::{Op, create_body, multi_body};
use harness::{Acl, Body, Client, opcode};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const OURS: (Make, Seat) = (Make::Ours, Seat::Voter);
const STOCK: (Make, Seat) = (Make::Stock, Seat::Voter);

/// Nodes of the tree: sending them takes `ZooKeeper` long enough for many writes.
const NODES: u64 = 20_000;
/// Nodes below one parent.
const FAMILY: u64 = 100;
/// Requests that are in flight at a time.
const TOGETHER: u64 = 200;
/// Clients that change it. Half of the nodes is a multiple of them.
const WRITERS: u64 = 2;

fn parent(number: u64) -> String {
    format!("/tree/{:04}", number / FAMILY % (NODES / FAMILY))
}

fn node(number: u64) -> String {
    format!("{}/{:02}", parent(number), number % FAMILY)
}

fn fill(address: SocketAddr) {
    let mut client = Client::connect(address);
    client.make("/tree");
    let create = |path: &str| (opcode::CREATE, create_body(path, &[b'n'; 100], &Acl::open(), 0));
    let families: Vec<_> =
        (0..NODES).step_by(FAMILY as usize).map(|it| create(&parent(it))).collect();
    let nodes: Vec<_> = (0..NODES).map(|it| create(&node(it))).collect();
    for requests in [&families[..], &nodes[..]] {
        for part in requests.chunks(TOGETHER as usize) {
            all_done(&mut client, part);
        }
    }
    client.close();
}

fn all_done(client: &mut Client, requests: &[(i32, Body)]) {
    let first = client.post_all(requests);
    for at in 0..requests.len() as i32 {
        let reply = client.reply(first + at);
        assert_eq!(reply.err, 0, "{:?}", requests[at as usize]);
    }
}

/// The changes of a writer's round, to nodes that no other writer changes: a node is deleted and
/// made again, with children; another one gets other data, an ACL; sequential and ephemeral nodes
/// come; multis do several of that.
fn changes(writer: u64, round: u64) -> Vec<(i32, Body)> {
    let mut requests = Vec::new();
    // Families all over the tree, in another order than the snapshot's.
    let number = (WRITERS * round * 7_919 + writer) % NODES;
    let (path, below) = (node(number), format!("{}/below", node(number)));
    let acl = [Acl::new(31, "world", "anyone"), Acl::new(1, "digest", &format!("u:{round}"))];
    requests.push((opcode::DELETE, Body::new().string(&path).int(-1)));
    requests.push((opcode::CREATE, create_body(&path, b"again", &Acl::open(), 0)));
    requests.push((opcode::CREATE, create_body(&below, b"", &acl, 0)));
    requests.push((opcode::DELETE, Body::new().string(&below).int(-1)));
    let other = node((number + NODES / 2) % NODES);
    let data = round.to_string();
    requests.push((opcode::SET_DATA, Body::new().string(&other).buffer(data.as_bytes()).int(-1)));
    requests.push((opcode::SET_ACL, Body::new().string(&other).acls(&acl).int(-1)));
    let sequential = format!("{}/s-", parent(number));
    requests.push((opcode::CREATE, create_body(&sequential, b"", &Acl::open(), 2)));
    requests.push((opcode::CREATE, create_body(&sequential, b"", &Acl::open(), 3)));
    let multi = multi_body(&[
        Op::Set { path: &path, data: b"multi", version: -1 },
        Op::Set { path: &parent(number), data: data.as_bytes(), version: -1 },
        Op::create(&sequential, b"m", 2),
    ]);
    requests.push((opcode::MULTI, multi));
    requests
}

/// Changes until it is told to stop; its session, whose nodes are ephemeral, is closed and made
/// again now and then.
fn change(address: SocketAddr, writer: u64, stop: &AtomicBool) -> u64 {
    let mut client = Client::connect(address);
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        let requests: Vec<_> = (0..20).flat_map(|it| changes(writer, round + it)).collect();
        round += 20;
        all_done(&mut client, &requests);
        if round.is_multiple_of(400) {
            client.close();
            client = Client::connect(address);
        }
    }
    client.close();
    round
}

/// The last two servers have a tree that is changed while the first one, which has nothing, comes.
fn arrives(parts: [(Make, Seat); 3]) -> Mixed {
    // However short the log is, it is not sent in place of the tree.
    let mut mixed = Mixed::prepare(&parts, |config| config.set("snapshotSizeFactor", "0"));
    mixed.launch(&[2, 1]);
    assert_eq!(mixed.ensemble.leader(), 2);
    fill(mixed.ensemble.address(2));
    if parts[2] == OURS {
        // Their memory does not reach back to the beginning any more.
        for at in [1, 2] {
            mixed.ensemble.servers[at].kill();
        }
        mixed.launch(&[2, 1]);
        assert_eq!(mixed.ensemble.leader(), 2);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writers = [0, 1].map(|writer| {
        let (address, stop) = (mixed.ensemble.address(1 + writer), stop.clone());
        thread::spawn(move || change(address, writer as u64, &stop))
    });
    mixed.launch(&[0]);
    // And on, as a member.
    thread::sleep(std::time::Duration::from_millis(300));
    stop.store(true, Ordering::Relaxed);
    let rounds: u64 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    assert!(rounds > 0);
    assert_same_acls(&mixed);
    mixed
}

/// Every node has the same ACL on each server (ZOOKEEPER-4846).
fn assert_same_acls(mixed: &Mixed) {
    let mut client = Client::connect(mixed.ensemble.address(0));
    client.sync("/").unwrap();
    let nodes = nodes(&mut client, "/");
    client.close();
    // The times of the configuration are each server's own.
    let paths = nodes.iter().map(|node| &node.0).filter(|path| *path != "/zookeeper/config");
    let requests: Vec<_> = paths.map(|it| (opcode::GET_ACL, Body::new().string(it))).collect();
    let acls = mixed.ensemble.servers.iter().map(|server| {
        let mut client = Client::connect(server.address());
        client.sync("/").unwrap();
        let mut acls = Vec::new();
        for part in requests.chunks(TOGETHER as usize) {
            let first = client.post_all(part);
            acls.extend((0..part.len() as i32).map(|at| client.reply(first + at).body));
        }
        client.close();
        acls
    });
    let acls: Vec<_> = acls.collect();
    for others in &acls[1..] {
        let differs = (0..acls[0].len()).find(|at| acls[0][*at] != others[*at]);
        assert!(differs.is_none(), "{:?}", differs.map(|at| &requests[at]));
    }
}

#[test]
fn a_tree_that_changes_while_it_comes_is_exact_in_the_end() {
    let mixed = arrives([OURS, STOCK, STOCK]);
    let log = mixed.ensemble.servers[0].log();
    let behind = log.lines().find(|line| line.contains("that were committed meanwhile"));
    assert!(behind.is_some(), "nothing changed while the snapshot came:\n{log}");
    super::work::everything(&mixed.ensemble, "then");
    mixed.assert_alike();
}

#[test]
fn a_tree_of_ours_that_changes_while_it_is_sent_is_exact_in_the_end() {
    let mixed = arrives([STOCK, OURS, OURS]);
    let log = mixed.ensemble.servers[2].log();
    let sent = log.lines().find(|line| line.contains("server 1 was sent what it lacked: SNAP"));
    assert!(sent.is_some(), "{log}");
    super::work::everything(&mixed.ensemble, "then");
    if is_release(&["3.6.", "3.7.", "3.8."]) {
        // Their learners give up once if a commit comes soon after NEWLEADER (ZOOKEEPER-4394), and
        // come back.
        return mixed.assert_same();
    }
    mixed.assert_alike();
}
