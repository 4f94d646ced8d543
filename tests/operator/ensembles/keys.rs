//! Keys of ensembles do in a running one what they do in stock.

use harness::{Acl, Client, Handshake, Server, code, is_reference};

use super::{Ports, leader, mode, numbered, run, servers, until_says};

/// A client whose session is short.
fn short() -> Handshake {
    Handshake { timeout_ms: 1_000, ..Handshake::default() }
}

/// Whether a client gets a session.
fn is_served(server: &Server) -> bool {
    Client::open(server.address(), &Handshake::default()).is_some()
}

/// `leaderServes=no`, and servers that differ in what need not be the same: digests, delays,
/// timeouts.
#[test]
fn a_leader_may_serve_no_clients() {
    if is_reference() {
        return;
    }
    let mut servers = servers(3, |number, config| {
        let config = config
            .set("leaderServes", "no")
            .set("digest.enabled", if number == 2 { "false" } else { "true" })
            .set("tcpKeepAlive", "true")
            .set("cnxTimeout", "3000")
            .set("quorumCnxnTimeoutMs", "2000")
            .set("connectToLearnerMasterLimit", "10")
            .set("leaderConnectDelayDuringRetryMs", "20")
            .set("fastleader.minNotificationInterval", "100")
            .set("fastleader.maxNotificationInterval", "400")
            .set("leader.maxTimeToWaitForEpoch", "10000");
        config.property("leader.nodelay=false").property("follower.nodelay=false")
    });
    servers.iter_mut().for_each(Server::launch);
    let first = leader(&servers);
    until_says(&servers[first], "clients are not served (leaderServes=no)");
    let (a, b) = ((first + 1) % 3, (first + 2) % 3);
    servers[a].await_service();
    servers[b].await_service();
    assert!(!is_served(&servers[first]));
    let said = servers[first].word("srvr");
    assert!(said.contains("not currently serving requests"), "{said}");
    let mut one = Client::open(servers[a].address(), &short()).unwrap();
    let mut two = Client::connect(servers[b].address());
    one.make("/data");
    one.create("/mine", b"", &Acl::open(), 1).unwrap();
    two.sync("/").unwrap();
    two.exists("/mine", true).unwrap();
    // The leader expires the sessions of others, though it has no clients.
    one.hang_up();
    assert_eq!(two.event().path, "/mine");
    assert_eq!(two.exists("/mine", false).unwrap_err(), code::NO_NODE);
    // When it follows it serves.
    servers[first].kill();
    let second = leader(&servers);
    assert_ne!(second, first);
    servers[first].launch();
    servers[first].await_service();
    assert_eq!(mode(&servers[first]).as_deref(), Some("follower"));
    assert!(is_served(&servers[first]) && !is_served(&servers[second]));
}

#[test]
fn one_server_may_be_an_ensemble() {
    if is_reference() {
        return;
    }
    let mut server = [numbered(Ports::of(1).config().set("standaloneEnabled", "false"), 1)];
    run(&mut server);
    assert_eq!(mode(&server[0]).as_deref(), Some("leader"));
    Client::connect(server[0].address()).make("/alone");
    server[0].restart();
    assert_eq!(mode(&server[0]).as_deref(), Some("leader"));
    Client::connect(server[0].address()).get("/alone", false).unwrap();
}
