//! Keys of ensembles do in a running one what they do in stock.

use harness::{Acl, Client, Handshake, Server, code, is_reference};

use super::{Ports, mode, numbered, run, servers, until, until_says};

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
    until_says(&servers[2], "leading epoch 1; clients are not served (leaderServes=no)");
    servers[0].await_service();
    servers[1].await_service();
    assert!(!is_served(&servers[2]));
    let said = servers[2].word("srvr");
    assert!(said.contains("not currently serving requests"), "{said}");
    let mut one = Client::open(servers[0].address(), &short()).unwrap();
    let mut two = Client::connect(servers[1].address());
    one.make("/data");
    one.create("/mine", b"", &Acl::open(), 1).unwrap();
    two.sync("/").unwrap();
    two.exists("/mine", true).unwrap();
    // The leader expires the sessions of others, though it has no clients.
    one.hang_up();
    assert_eq!(two.event().path, "/mine");
    assert_eq!(two.exists("/mine", false).unwrap_err(), code::NO_NODE);
    // When it follows it serves.
    servers[2].kill();
    let led = until_led(&servers[..2]);
    servers[2].launch();
    servers[2].await_service();
    assert_eq!(mode(&servers[2]).as_deref(), Some("follower"));
    assert!(is_served(&servers[2]) && !is_served(&servers[led]));
}

/// Which of these servers leads, as its log says last.
fn until_led(servers: &[Server]) -> usize {
    let leads = |server: &Server| {
        let log = server.log();
        let last = log.lines().rfind(|line| {
            ["leading epoch", "following server", "looking for a leader"]
                .iter()
                .any(|part| line.contains(part))
        });
        last.is_some_and(|line| line.contains("leading epoch"))
    };
    until("one of them leads", || servers.iter().any(&leads));
    servers.iter().position(leads).expect("one leads")
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
