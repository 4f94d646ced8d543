//! Local sessions: one server knows them, until they own a node.

use super::{Ensemble, PATIENCE, moved};
use harness::client::{Op, OpResult};
use harness::{Acl, Client, Config, Handshake, Server};
use std::thread;
use std::time::{Duration, Instant};

const EPHEMERAL: i32 = 1;

const NO_NODE: i32 = -101;
const SESSION_EXPIRED: i32 = -112;
const EPHEMERAL_ON_LOCAL_SESSION: i32 = -120;
const RUNTIME_INCONSISTENCY: i32 = -2;

/// Sessions are local, and upgraded or not.
pub(crate) fn with_local_sessions(config: Config, upgrades: bool) -> Config {
    config
        .set("localSessionsEnabled", "true")
        .set("localSessionsUpgradingEnabled", if upgrades { "true" } else { "false" })
}

fn value(server: &Server, name: &str) -> i64 {
    let text = server.word("mntr");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    let value = line.unwrap_or_else(|| panic!("no {name} in\n{text}"));
    value.parse::<f64>().expect("a number") as i64
}

fn await_value(server: &Server, name: &str, expected: i64) {
    let end = Instant::now() + PATIENCE;
    while value(server, name) != expected {
        assert!(Instant::now() < end, "{name} is {}, not {expected}", value(server, name));
        thread::sleep(Duration::from_millis(20));
    }
}

fn make_ephemeral(client: &mut Client, path: &str) -> Result<String, i32> {
    client.create(path, b"e", &Acl::open(), EPHEMERAL)
}

/// The session where another server is asked for it; 0 if that has none.
fn asked_for(client: &Client, server: &Server) -> i64 {
    let handshake = Handshake { last_zxid_seen: 0, ..client.reattach() };
    Client::open(server.address(), &handshake).expect("an answer").session_id()
}

/// What local sessions that are upgraded can do, through every server; `name` is different each
/// time. No other client has a session.
pub(crate) fn upgraded_everywhere(ensemble: &Ensemble, name: &str) {
    let mut client = Client::connect(ensemble.address(0));
    client.make(&format!("/{name}"));
    client.close();
    for (at, server) in ensemble.servers.iter().enumerate() {
        let others = || ensemble.servers.iter().enumerate().filter(move |(it, _)| *it != at);
        let mut client = Client::connect(server.address());
        client.sync("/").unwrap();
        let seen = client.zxid();
        let below = format!("/{name}/{at}");
        client.make(&below);
        assert_eq!(client.zxid(), seen + 1, "the session has taken no zxid");
        await_value(server, "zk_local_sessions", 1);
        assert_eq!(value(server, "zk_global_sessions"), 0);
        let dump = server.word("dump");
        // ZooKeeper keeps a time at which a session was to expire until it has passed.
        assert!(dump.contains("\nLocal Session Sets ("), "{dump}");
        assert!(dump.contains(")/(1):\n") && dump.contains("\n1 expire at "), "{dump}");
        assert!(
            dump.contains(&format!("\n\t0x{:x}\nGlobal Session", client.session_id())),
            "{dump}"
        );
        for (_, other) in others() {
            assert_eq!(asked_for(&client, other), 0, "only its own server knows it");
            await_value(other, "zk_local_sessions", 0);
        }
        let mut client = client.reconnect();
        let (seen, path) = (client.zxid(), format!("{below}/e"));
        assert_eq!(make_ephemeral(&mut client, &path), Ok(path.clone()));
        assert_eq!(client.zxid(), client.exists(&path, false).unwrap().czxid);
        assert!(seen < client.zxid());
        for server in &ensemble.servers {
            await_value(server, "zk_global_sessions", 1);
            await_value(server, "zk_local_sessions", 0);
        }
        let (_, other) = others().next().expect("another server");
        let mut client = moved(&client, other.address());
        let stat = client.exists(&path, false).unwrap();
        assert_eq!(stat.ephemeral_owner, client.session_id());
        client.close();
        in_multis(server, &below);
        let mut client = Client::connect(server.address());
        client.sync("/").unwrap();
        assert_eq!(client.children(&below, false).unwrap(), ["p".to_owned()]);
        let seen = client.zxid();
        client.close();
        let mut client = Client::connect(server.address());
        client.sync("/").unwrap();
        assert_eq!(client.zxid(), seen, "a local session's end takes no zxid");
        client.close();
        for server in &ensemble.servers {
            await_value(server, "zk_global_sessions", 0);
            await_value(server, "zk_local_sessions", 0);
        }
    }
}

fn in_multis(server: &Server, below: &str) {
    let mut client = Client::connect(server.address());
    let (node, owned) = (format!("{below}/p"), format!("{below}/e2"));
    let made = client.multi(&[Op::create(&node, b"", 0)]).unwrap();
    assert_eq!(made, [OpResult::Create(node.clone())]);
    await_value(server, "zk_local_sessions", 1);
    let ops = [Op::Check { path: &node, version: 0 }, Op::create(&owned, b"", EPHEMERAL)];
    let made = client.multi(&ops).unwrap();
    assert_eq!(made, [OpResult::Check, OpResult::Create(owned.clone())]);
    await_value(server, "zk_local_sessions", 0);
    client.close();
}

/// What they cannot do if they are not upgraded.
pub(crate) fn refused_everywhere(ensemble: &Ensemble, name: &str) {
    let leader = ensemble.leader();
    for (at, server) in ensemble.servers.iter().enumerate() {
        let mut client = Client::connect(server.address());
        let (node, owned) = (format!("/{name}-{at}"), format!("/{name}-{at}-e"));
        client.make(&node);
        assert_eq!(make_ephemeral(&mut client, &owned), Err(EPHEMERAL_ON_LOCAL_SESSION));
        let refused = client.create2(&owned, b"", &Acl::open(), EPHEMERAL).map(|_| ());
        assert_eq!(refused, Err(EPHEMERAL_ON_LOCAL_SESSION));
        // A leader has not heard of the sessions of others, and its results are passed on.
        let error = if at == leader { EPHEMERAL_ON_LOCAL_SESSION } else { SESSION_EXPIRED };
        let ops = [
            Op::Check { path: &node, version: 0 },
            Op::create(&owned, b"", EPHEMERAL),
            Op::Delete { path: &node, version: 0 },
        ];
        let results = client.multi(&ops).unwrap();
        let expected = [0, error, RUNTIME_INCONSISTENCY].map(OpResult::Error);
        assert_eq!(results, expected);
        let container = client.create_container(&owned, EPHEMERAL).map(|_| ());
        assert_eq!(container, Err(SESSION_EXPIRED), "nothing has looked at these flags before");
        assert_eq!(client.exists(&owned, false).map(|_| ()), Err(NO_NODE));
        assert_eq!(value(server, "zk_local_sessions"), 1);
        client.close();
    }
}

#[test]
fn local_sessions_are_upgraded() {
    let ensemble = Ensemble::start(3, |config| with_local_sessions(config, true));
    upgraded_everywhere(&ensemble, "upgraded");
    ensemble.assert_equal();
    ensemble.assert_digests();
}

#[test]
fn local_sessions_cannot_own_nodes() {
    let ensemble = Ensemble::start(3, |config| with_local_sessions(config, false));
    refused_everywhere(&ensemble, "refused");
    ensemble.assert_equal();
}

#[test]
fn a_local_session_ends_with_its_silence_or_its_server() {
    let mut ensemble = Ensemble::start(3, |config| with_local_sessions(config, true));
    for at in 0..3 {
        let handshake = Handshake { timeout_ms: 1, ..Handshake::default() };
        let mut silent = Client::open(ensemble.address(at), &handshake).expect("an answer");
        let mut awake = Client::open(ensemble.address(at), &handshake).expect("an answer");
        let timeout = u64::try_from(awake.welcome().timeout_ms).expect("a timeout");
        let end = Instant::now() + Duration::from_millis(timeout * 4);
        while Instant::now() < end {
            awake.ping();
            thread::sleep(Duration::from_millis(timeout / 4));
        }
        silent.assert_closed();
        assert_eq!(asked_for(&silent, &ensemble.servers[at]), 0);
        awake.close();
    }
    let leader = ensemble.leader();
    let at = (leader + 1) % 3;
    let (local, mut global) =
        (Client::connect(ensemble.address(at)), Client::connect(ensemble.address(at)));
    make_ephemeral(&mut global, "/e").unwrap();
    ensemble.servers[at].kill();
    ensemble.servers[at].start_again();
    let global = moved(&global, ensemble.address(at));
    assert_eq!(asked_for(&local, &ensemble.servers[at]), 0, "nobody knows it any more");
    global.close();
    // A server that loses its leader serves nobody for a while.
    let local = Client::connect(ensemble.address(at));
    ensemble.servers[leader].kill();
    ensemble.await_service();
    ensemble.leader();
    assert_eq!(asked_for(&local, &ensemble.servers[at]), 0);
}

#[test]
fn a_single_server_has_none() {
    let server = with_local_sessions(Server::config(), false).start();
    let mut client = Client::connect(server.address());
    make_ephemeral(&mut client, "/e").unwrap();
    assert_eq!(value(&server, "zk_local_sessions"), 0);
    assert!(!server.word("dump").contains("Local"));
    let mut client = client.reconnect();
    assert!(client.exists("/e", false).is_ok());
    client.close();
}
