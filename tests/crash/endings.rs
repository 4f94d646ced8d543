//! The end of a session is one change: after a crash all of its nodes are there and the session
//! lives, or none is and it has ended.

use std::thread;
use std::time::Duration;

use harness::{Body, Client, Handshake, Op, Server, code, opcode};

/// Far more than fit into a turn, and more than the txn that ends their session lists.
const NODES: usize = 25_000;

/// Few enough for a test that repeats this; still far more than fit into a turn.
const NODES_OF_A_ROUND: usize = 11_000;

/// Nodes that one request creates.
const CHUNK: usize = 500;

fn path(at: usize) -> String {
    format!("/endings/a-node-of-a-session-that-ends-{at:05}")
}

/// A session with this many nodes.
fn owner(server: &Server, timeout_ms: i32, nodes: usize) -> Client {
    let handshake = Handshake { timeout_ms, ..Handshake::default() };
    let mut owner = Client::open(server.address(), &handshake).expect("answered");
    for first in (0..nodes).step_by(CHUNK) {
        let paths: Vec<_> = (first..first + CHUNK).map(path).collect();
        let creates: Vec<_> = paths.iter().map(|path| Op::create(path, b"", 1)).collect();
        assert_eq!(owner.multi(&creates).expect("created").len(), CHUNK);
    }
    owner
}

/// What remains after a restart: everything with its session, or nothing. Returns which.
fn assert_whole(server: &Server, handshake: &Handshake, nodes: usize) -> bool {
    let again = Client::open(server.address(), handshake).expect("answered");
    let is_alive = again.session_id() != 0;
    let mut other = if is_alive { again } else { Client::connect(server.address()) };
    let left = other.all_children_number("/endings").expect("the parent stays");
    let expected = if is_alive { nodes } else { 0 };
    assert_eq!(left as usize, expected, "the session is alive: {is_alive}");
    if is_alive {
        // It ends now, so that the next round begins empty.
        other.close();
    } else {
        assert_eq!(other.exists(&path(nodes / 2), false), Err(code::NO_NODE));
    }
    is_alive
}

fn prepared(shards: &str) -> Server {
    // Snapshots in between, so that no start replays the rounds before.
    let server = Server::config().set("ring.shards", shards).set("snapCount", "20").start();
    let mut client = Client::connect(server.address());
    client.make("/endings");
    client.close();
    server
}

/// Killed when the first node is seen to be deleted: by then the whole end is in the log.
fn killed_at_the_first_event(shards: &str) {
    let mut server = prepared(shards);
    let mut owner = owner(&server, 30_000, NODES);
    let mut watcher = Client::connect(server.address());
    watcher.exists(&path(0), true).expect("it is there");
    owner.post(opcode::CLOSE_SESSION, &Body::new());
    let event = watcher.event();
    server.kill();
    assert_eq!((event.kind, event.path), (2, path(0)));
    server.start_again();
    assert!(!assert_whole(&server, &owner.reattach(), NODES), "what a client saw is lost");
}

#[test]
fn a_close_is_whole_at_its_first_event() {
    killed_at_the_first_event("1");
}

#[test]
fn a_close_is_whole_at_its_first_event_with_four_shards() {
    killed_at_the_first_event("4");
}

/// Killed at any moment of the close, seen by a client or not.
#[test]
fn a_close_is_whole_at_every_moment() {
    let mut server = prepared("1");
    for delay_ms in [0, 4, 12, 40, 120] {
        let mut owner = owner(&server, 30_000, NODES_OF_A_ROUND);
        let handshake = owner.reattach();
        owner.post(opcode::CLOSE_SESSION, &Body::new());
        thread::sleep(Duration::from_millis(delay_ms));
        server.restart();
        assert_whole(&server, &handshake, NODES_OF_A_ROUND);
    }
}

/// An orderly stop does not split it either.
#[test]
fn a_close_is_whole_when_the_server_stops() {
    let mut server = prepared("1");
    for delay_ms in [0, 10, 40] {
        let mut owner = owner(&server, 30_000, NODES_OF_A_ROUND);
        let handshake = owner.reattach();
        owner.post(opcode::CLOSE_SESSION, &Body::new());
        thread::sleep(Duration::from_millis(delay_ms));
        server.stop();
        server.start_again();
        assert_whole(&server, &handshake, NODES_OF_A_ROUND);
    }
}

/// Few nodes with long names: their list is longer than any txn that the log accepts.
#[test]
fn a_list_too_long_for_the_log_blocks_no_client() {
    let mut server = prepared("1");
    let mut owner = Client::connect(server.address());
    for first in (0..4_000).step_by(CHUNK) {
        let paths = (first..first + CHUNK).map(|at| format!("/endings/{at:01000}"));
        let paths: Vec<_> = paths.collect();
        let creates: Vec<_> = paths.iter().map(|path| Op::create(path, b"", 1)).collect();
        owner.multi(&creates).expect("created");
    }
    let handshake = owner.reattach();
    owner.close();
    let mut other = Client::connect(server.address());
    other.make("/after");
    server.restart();
    assert!(!assert_whole(&server, &handshake, 4_000), "the close was acknowledged");
    let mut other = Client::connect(server.address());
    assert!(other.exists("/after", false).is_ok());
}

#[test]
fn an_expiry_is_whole_at_its_first_event() {
    let mut server = prepared("1");
    // Long enough not to expire while it creates its nodes.
    let owner = owner(&server, 4_000, NODES);
    let mut watcher = Client::connect(server.address());
    watcher.exists(&path(0), true).expect("it is there");
    let handshake = owner.reattach();
    owner.hang_up();
    let event = watcher.event();
    server.kill();
    assert_eq!((event.kind, event.path), (2, path(0)));
    server.start_again();
    assert!(!assert_whole(&server, &handshake, NODES), "what a client saw is lost");
}
