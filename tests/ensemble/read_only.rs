//! Three servers of which two are killed: the one that is left serves read-only clients until it
//! has a leader again.
//!
//! With `RINGKEEPER_TEST_SERVER_CMD` the servers are ZooKeeper's, to see that it does the same.

use super::{Ensemble, PATIENCE};
use harness::{Acl, Client, Handshake, Op, code, is_reference};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server looks for a leader before it takes clients.
const AFTER: Duration = Duration::from_secs(2);

fn ensemble() -> Ensemble {
    Ensemble::start(3, |config| {
        let config = config.set("tickTime", "1000").property("readonlymode.enabled=true");
        if is_reference() {
            // Without them it cannot give a session to a read-only client.
            let config = config.set("localSessionsEnabled", "true");
            return config.set("localSessionsUpgradingEnabled", "true");
        }
        config
    })
}

fn isro_within(server: &harness::Server, word: &str) {
    let end = Instant::now() + PATIENCE;
    while server.word("isro") != word {
        assert!(Instant::now() < end, "isro does not say {word}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// All servers but one are killed, and that one is waited for.
fn isolate(ensemble: &mut Ensemble, at: usize) {
    (0..3).filter(|other| *other != at).for_each(|other| ensemble.servers[other].kill());
    let server = &ensemble.servers[at];
    isro_within(server, "null");
    let since = Instant::now();
    let refused = Handshake { read_only: Some(true), ..Handshake::default() };
    assert!(Client::try_open(server.address(), &refused).is_none(), "it is looked for a leader");
    isro_within(server, "ro");
    assert!(since.elapsed() + Duration::from_millis(500) > AFTER, "{:?}", since.elapsed());
}

fn new_reader() -> Handshake {
    Handshake { read_only: Some(true), timeout_ms: 5_000, ..Handshake::default() }
}

fn reader(address: SocketAddr) -> Client {
    let client = Client::open(address, &new_reader()).expect("read-only clients are served");
    assert_ne!(client.session_id(), 0);
    assert_eq!(client.welcome().read_only, Some(true));
    client
}

#[test]
fn a_server_without_a_leader_is_read_and_not_written() {
    let mut ensemble = ensemble();
    let leader = ensemble.leader();
    let mut client = Client::connect(ensemble.address(leader));
    client.create("/kept", b"data", &Acl::open(), 0).unwrap();
    client.create("/kept/below", b"", &Acl::open(), 0).unwrap();
    let zxid = client.zxid();
    isolate(&mut ensemble, leader);
    client.assert_closed();
    let mut reader = reader(ensemble.address(leader));
    reader.add_auth("digest", b"some:one").unwrap();
    assert_eq!(reader.get("/kept", true).unwrap().0.unwrap(), b"data");
    assert_eq!(reader.exists("/none", true), Err(code::NO_NODE));
    assert_eq!(reader.children("/kept", true).unwrap(), ["below"]);
    assert_eq!(reader.multi_read(&[Op::Get { path: "/kept" }]).unwrap().len(), 1);
    reader.ping();
    let refused = code::NOT_READ_ONLY;
    assert_eq!(reader.create("/new", b"", &Acl::open(), 0), Err(refused));
    assert_eq!(reader.create2("/new", b"", &Acl::open(), 0).unwrap_err(), refused);
    assert_eq!(reader.create_container("/new", 4).unwrap_err(), refused);
    assert_eq!(reader.set("/kept", b"", -1).unwrap_err(), refused);
    assert_eq!(reader.set_acl("/kept", &Acl::open(), -1).unwrap_err(), refused);
    assert_eq!(reader.delete("/kept/below", -1), Err(refused));
    assert_eq!(reader.multi(&[Op::create("/new", b"", 0)]).unwrap_err(), refused);
    assert_eq!(reader.sync("/"), Err(refused));
    assert_eq!(reader.get("/kept", false).unwrap().0.unwrap(), b"data");
    assert!(reader.zxid() >= zxid, "all that was acknowledged is shown");
    let again = reader.reattach();
    reader.close();
    let again = Handshake { read_only: Some(true), ..again };
    let ended = Client::open(ensemble.address(leader), &again).unwrap();
    assert_eq!((ended.session_id(), ended.welcome().read_only), (0, Some(true)));
}

#[test]
fn words_say_that_a_server_is_read_only() {
    let mut ensemble = ensemble();
    let follower = (ensemble.leader() + 1) % 3;
    assert_eq!(ensemble.servers[follower].word("isro"), "rw");
    isolate(&mut ensemble, follower);
    let server = &ensemble.servers[follower];
    let _reader = reader(server.address());
    for word in ["srvr", "stat"] {
        let text = server.word(word);
        let mut lines = text.lines();
        assert!(lines.next().is_some_and(|line| line.starts_with("Zookeeper version: ")));
        assert_eq!(lines.next(), Some("READ-ONLY mode; serving only read-only clients"));
        assert!(lines.any(|line| line == "Mode: read-only"), "{text}");
    }
    let monitored = server.word("mntr");
    let has = |line: &str| monitored.lines().any(|it| it == line);
    assert!(has("zk_server_state\tread-only") && has("zk_local_sessions\t1"), "{monitored}");
    assert!(!monitored.contains("zk_peer_state"), "{monitored}");
    assert!(!server.word("conf").contains("membership"));
    let dump = server.word("dump");
    let dumped: Vec<_> = dump.lines().take(2).collect();
    assert_eq!(dumped, ["SessionTracker dump:", "Local Session Sets (1)/(1):"]);
}

#[test]
fn only_read_only_clients_are_let_in_until_there_is_a_leader_again() {
    let mut ensemble = ensemble();
    let follower = (ensemble.leader() + 1) % 3;
    let (address, other) = (ensemble.address(follower), (follower + 1) % 3);
    // One that said it would read only is served as any other, and may write.
    let mut owner = Client::open(address, &new_reader()).unwrap();
    assert_eq!(owner.welcome().read_only, Some(false));
    owner.create("/owned", b"", &Acl::open(), 1).unwrap();
    let owned = Handshake { timeout_ms: 20_000, ..owner.reattach() };
    owner.hang_up();
    let mut owner = Client::open(address, &owned).unwrap();
    owner.ping();
    isolate(&mut ensemble, follower);
    owner.assert_closed();
    for read_only in [Some(false), None] {
        let handshake = Handshake { read_only, ..Handshake::default() };
        assert!(Client::open(address, &handshake).is_none(), "{read_only:?}");
    }
    for read_only in [Some(true), Some(false), None] {
        let handshake = Handshake { read_only, ..owned.clone() };
        assert!(Client::open(address, &handshake).is_none(), "a session of the ensemble");
    }
    let ahead = Handshake { last_zxid_seen: i64::MAX, ..new_reader() };
    assert!(Client::open(address, &ahead).is_none(), "it has seen more");
    let first = reader(address);
    let mut idle = Client::open(address, &Handshake { timeout_ms: 2_000, ..new_reader() }).unwrap();
    let mut second = Client::open(address, &reattached(&first)).unwrap();
    assert_eq!(second.session_id(), first.session_id());
    idle.assert_closed();
    assert_eq!(
        second.exists("/owned", false).map(|stat| stat.ephemeral_owner),
        Ok(owned.session_id)
    );
    second.hang_up();
    let mut third = Client::open(address, &reattached(&second)).unwrap();
    ensemble.servers[other].launch();
    third.assert_closed();
    ensemble.await_service();
    isro_within(&ensemble.servers[follower], "rw");
    // What the read-only server gave away is unknown; what the ensemble gave is not.
    let gone = Client::open(address, &reattached(&third)).unwrap();
    assert_eq!((gone.session_id(), gone.welcome().read_only), (0, Some(false)));
    let mut owner = Client::open(address, &owned).unwrap();
    assert_eq!(owner.session_id(), owned.session_id);
    assert_eq!(owner.ephemerals("/").unwrap(), ["/owned"]);
    owner.set("/owned", b"new", -1).unwrap();
}

fn reattached(client: &Client) -> Handshake {
    Handshake { read_only: Some(true), timeout_ms: 5_000, ..client.reattach() }
}
