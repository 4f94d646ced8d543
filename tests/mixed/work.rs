//! Every kind of write, by clients of every server of an ensemble.

use crate::ensemble::{Ensemble, moved};
use harness::client::{Op, OpResult};
use harness::{Acl, Client, Handshake};

/// Flags of creates.
const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;
const CONTAINER: i32 = 4;
const TTL: i32 = 5;

/// Errors.
const NO_NODE: i32 = -101;
const BAD_VERSION: i32 = -103;
const NODE_EXISTS: i32 = -110;
const NOT_EMPTY: i32 = -111;

/// All that clients can do, through every server; `name` is different each time.
pub(crate) fn everything(ensemble: &Ensemble, name: &str) {
    let servers = ensemble.servers.iter().filter(|server| server.is_running());
    let mut clients: Vec<_> = servers.map(|server| Client::connect(server.address())).collect();
    let root = format!("/{name}");
    clients[0].make(&root);
    for at in 0..clients.len() {
        let client = &mut clients[at];
        client.sync("/").unwrap();
        let below = format!("{root}/{at}");
        client.make(&below);
        nodes(client, &below);
        failures(client, &below);
        multis(client, &below);
        let next = (at + 1) % clients.len();
        watches(&mut clients, at, next, &below);
        sessions(ensemble, &mut clients, at, next, &below);
    }
    usage(&mut clients, &root);
    for client in clients {
        client.close();
    }
}

fn nodes(client: &mut Client, below: &str) {
    for number in 0..5 {
        let made = client.create(&format!("{below}/s-"), b"s", &Acl::open(), SEQUENTIAL).unwrap();
        assert!(made.ends_with(&format!("-{number:010}")), "{made}");
    }
    let ephemeral = EPHEMERAL | SEQUENTIAL;
    client.create(&format!("{below}/e-"), b"e", &Acl::open(), ephemeral).unwrap();
    client.create_container(&format!("{below}/container"), CONTAINER).unwrap();
    client.make(&format!("{below}/container/child"));
    client.create_ttl(&format!("{below}/ttl"), b"t", TTL, 600_000).unwrap();
    let (path, large) = (format!("{below}/large"), vec![7; 900_000]);
    client.create(&path, &large, &Acl::open(), 0).unwrap();
    client.set(&path, &large[..400_000], 0).unwrap();
    let readable = [Acl::new(1, "world", "anyone"), Acl::new(31, "digest", "a:b")];
    let (path, other) = (format!("{below}/acl"), format!("{below}/acl-2"));
    client.create(&path, b"", &readable, 0).unwrap();
    client.create(&other, b"", &Acl::open(), 0).unwrap();
    client.set_acl(&other, &readable, 0).unwrap();
    client.delete(&format!("{below}/s-0000000003"), 0).unwrap();
}

fn failures(client: &mut Client, below: &str) {
    let nothing = format!("{below}/nothing");
    assert_eq!(client.set(&nothing, b"", -1).unwrap_err(), NO_NODE);
    assert_eq!(client.delete(&nothing, -1).unwrap_err(), NO_NODE);
    assert_eq!(client.create(below, b"", &Acl::open(), 0).unwrap_err(), NODE_EXISTS);
    assert_eq!(client.set(below, b"", 7).unwrap_err(), BAD_VERSION);
    assert_eq!(client.delete(below, -1).unwrap_err(), NOT_EMPTY);
}

fn multis(client: &mut Client, below: &str) {
    let (one, two, gone) =
        (format!("{below}/m-1"), format!("{below}/m-2"), format!("{below}/s-0000000004"));
    let done = client.multi(&[
        Op::create(&one, b"1", 0),
        Op::Set { path: &one, data: b"2", version: 0 },
        Op::Check { path: below, version: 0 },
        Op::CreateContainer { path: &two },
        Op::Delete { path: &gone, version: -1 },
        Op::create(&format!("{below}/s-"), b"m", SEQUENTIAL),
    ]);
    assert_eq!(done.unwrap().len(), 6);
    let failed = client.multi(&[
        Op::create(&format!("{below}/never"), b"", 0),
        Op::Check { path: below, version: 9 },
        Op::Delete { path: &one, version: -1 },
    ]);
    let codes = [OpResult::Error(0), OpResult::Error(BAD_VERSION), OpResult::Error(-2)];
    assert_eq!(failed.unwrap(), codes);
}

/// A client sees through its server what happens through another one, once.
fn watches(clients: &mut [Client], at: usize, other: usize, below: &str) {
    let path = format!("{below}/watched");
    clients[at].make(&path);
    clients[other].sync("/").unwrap();
    clients[other].get(&path, true).unwrap();
    clients[other].children(below, true).unwrap();
    clients[at].set(&path, b"1", -1).unwrap();
    clients[at].set(&path, b"2", -1).unwrap();
    clients[at].delete(&path, -1).unwrap();
    clients[other].sync("/").unwrap();
    let events: Vec<_> =
        clients[other].events().iter().map(|it| (it.kind, it.path.clone())).collect();
    assert_eq!(events, [(3, path), (4, below.to_owned())]);
}

/// Sessions that move, close and expire take their nodes with them, and only then.
fn sessions(ensemble: &Ensemble, clients: &mut [Client], at: usize, next: usize, below: &str) {
    let (first, second) = (ensemble.address(at), ensemble.address(next));
    let mut moving = Client::connect(first);
    let path = format!("{below}/moving");
    moving.create(&path, b"", &Acl::open(), EPHEMERAL).unwrap();
    for address in [second, first, second] {
        moving = moved(&moving, address);
        moving.set(&path, b"here", -1).unwrap();
    }
    let brief = Handshake { timeout_ms: 1_000, ..Handshake::default() };
    let mut brief = Client::open(first, &brief).expect("the server answers");
    let short_lived = format!("{below}/brief");
    brief.create(&short_lived, b"", &Acl::open(), EPHEMERAL).unwrap();
    brief.hang_up();
    let other = &mut clients[next];
    other.sync("/").unwrap();
    assert_eq!(other.get(&path, false).unwrap().0.as_deref(), Some(&b"here"[..]));
    moving.close();
    clients[at].wait_until("the nodes of the closed session are gone", |it| {
        it.exists(&path, false) == Err(NO_NODE)
    });
    clients[next].wait_until("the session has expired", |it| {
        it.sync("/").unwrap();
        it.exists(&short_lived, false) == Err(NO_NODE)
    });
}

/// A quota is counted by each server by itself.
fn usage(clients: &mut [Client], root: &str) {
    let quota = format!("/zookeeper/quota{root}");
    clients[0].make(&quota);
    let limits = b"count=1000000,bytes=100000000";
    clients[0].create(&format!("{quota}/zookeeper_limits"), limits, &Acl::open(), 0).unwrap();
    clients[0]
        .create(&format!("{quota}/zookeeper_stats"), b"count=0,bytes=0", &Acl::open(), 0)
        .unwrap();
    for (at, client) in clients.iter_mut().enumerate() {
        client.sync("/").unwrap();
        let path = format!("{root}/counted-{at}");
        client.create(&path, b"1234567", &Acl::open(), 0).unwrap();
        client.set(&path, b"123", 0).unwrap();
    }
}
