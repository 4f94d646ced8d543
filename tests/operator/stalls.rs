//! A server that stalls, as under SIGSTOP or in a paused virtual machine: once it runs again, it
//! first reads what its clients have sent meanwhile, and only then expires sessions.

use std::thread;
use std::time::{Duration, Instant};

use harness::{Acl, Client, Handshake, Server};

const TICK_MS: u64 = 2_000;
const TIMEOUT_MS: u64 = 4_000;

/// Shorter than a session, longer than one, and longer than one by any number of ticks.
const STALLS_MS: [u64; 5] = [3_000, 7_000, 9_500, 10_500, 20_000];

/// When the session of a dead client has certainly expired, after the server runs again: its
/// timeout, the tick that it is rounded up to, another for the reports of shards, and room for a
/// loaded machine.
const GONE_MAX: Duration = Duration::from_millis(TIMEOUT_MS + 2 * TICK_MS + 6_000);

/// How often a client pings.
const PING_EVERY: Duration = Duration::from_millis(500);

fn client(server: &Server, timeout_ms: u64, node: &str) -> Client {
    let timeout_ms = i32::try_from(timeout_ms).expect("a timeout in ms");
    let handshake = Handshake { timeout_ms, ..Handshake::default() };
    let mut client = Client::open(server.address(), &handshake).expect("answered");
    assert_eq!(client.welcome().timeout_ms, timeout_ms);
    client.create(node, b"", &Acl::open(), 1).expect("the name is free");
    client
}

/// One stall, with a client that pings throughout, one that reconnects meanwhile, and one that is
/// dead.
fn stall(shards: &str, stall: Duration) {
    let tick = TICK_MS.to_string();
    let mut server = Server::config().set("tickTime", &tick).set("ring.shards", shards).start();
    let mut observer = client(&server, 40_000, "/observer");
    let mut live = client(&server, TIMEOUT_MS, "/live");
    let mut moving = client(&server, TIMEOUT_MS, "/moving");
    let mut dead = client(&server, TIMEOUT_MS, "/dead");
    for client in [&mut live, &mut moving, &mut dead] {
        client.ping();
    }
    let (address, handshake) = (server.address(), moving.reattach());
    server.pause();
    let begin = Instant::now();
    moving.hang_up();
    let mut pings = 0;
    let mut moved = None;
    while begin.elapsed() < stall {
        live.post_ping();
        pings += 1;
        if moved.is_none() && begin.elapsed() + 2 * PING_EVERY >= stall {
            let handshake = handshake.clone();
            moved = Some(thread::spawn(move || Client::open(address, &handshake)));
        }
        thread::sleep(PING_EVERY);
    }
    server.resume();
    let resumed = Instant::now();
    for _ in 0..pings {
        live.await_ping();
    }
    let moved = moved.expect("it has connected").join().expect("its thread ends");
    let mut moved = moved.expect("the server answers");
    assert_eq!(moved.session_id(), moving.session_id(), "{stall:?}: it waited to be accepted");
    while observer.exists("/dead", false).is_ok() {
        assert!(resumed.elapsed() < GONE_MAX, "{stall:?}: a dead client keeps its session");
        live.ping();
        moved.ping();
        thread::sleep(PING_EVERY);
    }
    for (client, node) in [(&mut live, "/live"), (&mut moved, "/moving")] {
        let stat = client.exists(node, false).expect("its session lives");
        assert_eq!(stat.ephemeral_owner, client.session_id(), "{stall:?}: {node}");
    }
    dead.assert_closed();
}

/// Each on a server of its own, all concurrently.
fn stalls(shards: &'static str) {
    let stalls =
        STALLS_MS.map(|ms| thread::spawn(move || stall(shards, Duration::from_millis(ms))));
    let ended = stalls.map(thread::JoinHandle::join);
    let failed = ended.iter().filter(|ended| ended.is_err()).count();
    assert_eq!(failed, 0, "stalls that were not survived; see above");
}

#[test]
fn who_waits_in_the_sockets_is_heard_first() {
    stalls("1");
}

#[test]
fn who_waits_in_the_sockets_of_any_shard_is_heard_first() {
    stalls("2");
}
