//! Sessions: how long they live, and what is removed with them.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use harness::{Acl, Body, Client, Handshake, Op, Server, code, opcode};

/// A server of short ticks.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::config().set("tickTime", "200").start())
}

fn client_for(timeout_ms: i32) -> Client {
    let handshake = Handshake { timeout_ms, ..Handshake::default() };
    let client = Client::open(server().address(), &handshake).expect("answered");
    assert_eq!(client.welcome().timeout_ms, timeout_ms);
    client
}

#[test]
fn a_silent_session_expires_with_its_ephemerals() {
    let mut watcher = client_for(20_000);
    watcher.make("/expire");
    let mut c = client_for(800);
    c.create("/expire/a", b"", &Acl::open(), 1).unwrap();
    c.create("/expire/b", b"", &Acl::open(), 3).unwrap();
    let handshake = c.reattach();
    watcher.exists("/expire/a", true).unwrap();
    let begin = Instant::now();
    c.hang_up();
    let event = watcher.event();
    assert_eq!((event.kind, event.path.as_str()), (2, "/expire/a"));
    assert!(begin.elapsed() >= Duration::from_millis(700), "too early");
    assert_eq!(watcher.children("/expire", false), Ok(vec![]));
    let stat = watcher.exists("/expire", false).unwrap();
    assert_eq!((stat.cversion, stat.pzxid), (4, event.zxid), "both in one txn");
    let late = Client::open(server().address(), &handshake).expect("answered");
    assert_eq!((late.session_id(), late.welcome().timeout_ms), (0, 0));
}

/// The connection of an expired session is closed, even though its socket was never broken.
#[test]
fn a_connection_without_a_request_is_closed() {
    let mut c = client_for(800);
    c.assert_closed();
}

#[test]
fn any_request_keeps_a_session() {
    let mut c = client_for(1200);
    c.create("/kept", b"", &Acl::open(), 1).unwrap();
    let end = Instant::now() + Duration::from_millis(3600);
    let mut turn = 0;
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(200));
        turn += 1;
        match turn % 3 {
            0 => c.ping(),
            1 => assert!(c.exists("/kept", false).is_ok()),
            _ => assert!(c.set("/kept", b"", -1).is_ok()),
        }
    }
    c.close();
}

#[test]
fn ephemerals_survive_a_reconnect() {
    let mut c = client_for(4000);
    c.create("/survive", b"", &Acl::open(), 1).unwrap();
    c.hang_up();
    let mut again = c.reconnect();
    let stat = again.exists("/survive", false).unwrap();
    assert_eq!(stat.ephemeral_owner, again.session_id());
    assert_eq!(again.ephemerals("/").unwrap(), ["/survive"]);
}

#[test]
fn close_takes_the_ephemerals_at_once() {
    let mut watcher = client_for(20_000);
    let mut c = client_for(20_000);
    c.create("/close-a", b"", &Acl::open(), 1).unwrap();
    c.create("/close-b", b"", &Acl::open(), 1).unwrap();
    watcher.exists("/close-a", true).unwrap();
    watcher.exists("/close-b", true).unwrap();
    c.close();
    let mut events = watcher.events();
    events.sort_by(|a, b| a.path.cmp(&b.path));
    let received: Vec<_> = events.iter().map(|e| (e.kind, e.path.as_str())).collect();
    assert_eq!(received, [(2, "/close-a"), (2, "/close-b")]);
    assert_eq!(events[0].zxid, events[1].zxid, "one txn");
    assert_eq!(watcher.exists("/close-a", false), Err(code::NO_NODE));
}

/// However many there are, they are deleted in the txn that ends their session.
#[test]
fn close_takes_very_many_ephemerals_at_once() {
    const COUNT: usize = 12_000;
    let server = Server::config().start();
    let mut watcher = Client::connect(server.address());
    watcher.make("/many");
    let mut c = Client::connect(server.address());
    let path = |at: usize| format!("/many/{at:05}");
    for first in (0..COUNT).step_by(500) {
        let paths: Vec<_> = (first..first + 500).map(path).collect();
        let creates: Vec<_> = paths.iter().map(|path| Op::create(path, b"", 1)).collect();
        c.multi(&creates).unwrap();
    }
    let made = c.zxid();
    for at in [0, COUNT / 2, COUNT - 1] {
        watcher.exists(&path(at), true).unwrap();
    }
    c.close();
    let mut received: Vec<_> = (0..3).map(|_| watcher.event()).collect();
    received.sort_by(|a, b| a.path.cmp(&b.path));
    let received: Vec<_> = received.into_iter().map(|e| (e.kind, e.path, e.zxid)).collect();
    let expected = [0, COUNT / 2, COUNT - 1].map(|at| (2, path(at), made + 1));
    assert_eq!(received, expected, "all in one txn");
    let stat = watcher.exists("/many", false).unwrap();
    let children = i32::try_from(COUNT).unwrap();
    assert_eq!((stat.num_children, stat.cversion, stat.pzxid), (0, 2 * children, made + 1));
}

#[test]
fn another_session_may_delete_an_ephemeral() {
    let mut owner = client_for(20_000);
    let mut other = client_for(20_000);
    owner.create("/shared-e", b"", &Acl::open(), 1).unwrap();
    other.set("/shared-e", b"x", -1).unwrap();
    other.delete("/shared-e", 1).unwrap();
    other.create("/shared-e", b"", &Acl::open(), 1).unwrap();
    owner.close();
    let stat = other.exists("/shared-e", false).unwrap();
    assert_eq!(stat.ephemeral_owner, other.session_id(), "the name is another's now");
}

#[test]
fn a_session_outlives_the_server() {
    let mut server = Server::config().start();
    let mut c = Client::connect(server.address());
    c.create("/outlive", b"x", &Acl::open(), 1).unwrap();
    c.make("/lasting");
    server.restart();
    let mut again = c.reconnect();
    assert_eq!(again.get("/outlive", false).unwrap().0, Some(b"x".to_vec()));
    assert_eq!(again.ephemerals("/").unwrap(), ["/outlive"]);
    let id = again.session_id();
    again.close();
    let mut other = Client::connect(server.address());
    assert!(other.session_id() > id, "ids are not given twice");
    assert_eq!(other.exists("/outlive", false), Err(code::NO_NODE));
    assert!(other.exists("/lasting", false).is_ok());
}

#[test]
fn a_session_expires_although_the_server_was_down() {
    let mut server = Server::config().set("tickTime", "200").start();
    let handshake = Handshake { timeout_ms: 800, ..Handshake::default() };
    let mut c = Client::open(server.address(), &handshake).expect("answered");
    c.create("/away", b"", &Acl::open(), 1).unwrap();
    server.restart();
    let mut other = Client::connect(server.address());
    other.wait_until("the session expires", |o| o.exists("/away", false).is_err());
    let late = Client::open(server.address(), &c.reattach()).expect("answered");
    assert_eq!(late.session_id(), 0);
}

#[test]
fn a_session_leaves_a_connection_that_reads_nothing() {
    let mut stuck = client_for(4000);
    stuck.create("/unread", &vec![7; 500_000], &Acl::open(), 0).unwrap();
    // Far more than sockets buffer, and none of it is read.
    let get = (opcode::GET_DATA, Body::new().string("/unread").boolean(false));
    stuck.post_all(&vec![get; 60]);
    thread::sleep(Duration::from_millis(300));
    let mut moved = stuck.reconnect();
    assert_eq!(moved.get("/unread", false).unwrap().1.data_length, 500_000);
}
