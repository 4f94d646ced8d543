//! Ports that are taken, and names that are not known.

use std::fs;
use std::net::TcpListener;

use harness::server::next_free_port;
use harness::{Client, Server, is_reference};

use super::super::{Folder, assert_says, ended_start};
use super::{Ports, lines_with, numbered, until_says};

/// Stock ends with this status, too (`ExitCode.UNABLE_TO_BIND_QUORUM_PORT`).
#[test]
fn an_election_port_that_stays_taken_ends_the_server() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    fs::write(folder.path().join("myid"), "1\n").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let base = format!(
        "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\ninitLimit=10\nsyncLimit=5\n\
         electionPortBindRetry=1\nserver.2=127.0.0.1:1:2\nserver.1=",
        folder.path().display()
    );
    let quorum = next_free_port();
    let (status, said) = ended_start(&format!("{base}127.0.0.1:{quorum}:{port}\n"), None);
    assert_eq!(status, 14, "{said}");
    assert_says(
        &said,
        &[
            &format!("cannot listen on 127.0.0.1:{port}"),
            "`ss -ltnp` names it",
            "this server's line",
        ],
    );
    // The address of another machine: perhaps it is the wrong myid.
    let (status, said) = ended_start(&format!("{base}192.0.2.1:{quorum}:{port}\n"), None);
    assert_eq!(status, 14, "{said}");
    assert_says(&said, &["192.0.2.1", "not an address of this machine", "myid", "quorumListenOn"]);
    let (status, said) = ended_start(&format!("{base}nowhere.invalid:{quorum}:{port}\n"), None);
    assert_eq!(status, 14, "{said}");
    assert_says(&said, &["nowhere.invalid", "correct this server's server.N line"]);
}

/// One has the election port, another the quorum port of a server; and one server knows another by
/// a name that nobody knows.
#[test]
fn what_is_missing_at_the_start_may_come_later() {
    if is_reference() {
        return;
    }
    let ports = Ports::of(3);
    let config = ports.config();
    let mut servers = [
        numbered(config.clone().set("electionPortBindRetry", "0"), 1),
        numbered(config.clone(), 2),
        numbered(config.set("server.1", &ports.line("nowhere.invalid", 0)), 3),
    ];
    let election = TcpListener::bind(("127.0.0.1", ports.0[0].1)).unwrap();
    let quorum = TcpListener::bind(("127.0.0.1", ports.0[2].0)).unwrap();
    servers.iter_mut().for_each(Server::launch);
    until_says(&servers[0], "where other servers are to connect for elections");
    until_says(&servers[0], "tried until it succeeds, once a second (electionPortBindRetry)");
    until_says(&servers[2], "without its quorum port this server follows, and cannot lead");
    until_says(
        &servers[2],
        "server 1 cannot be reached for elections: nowhere.invalid is not known",
    );
    until_says(&servers[2], "add it to DNS or /etc/hosts");
    // Two of them are a quorum, if the one that they elect can be reached by the other.
    drop(quorum);
    until_says(&servers[2], "is free: this server can lead");
    servers[1].await_service();
    servers[2].await_service();
    drop(election);
    servers[0].await_service();
    Client::connect(servers[0].address()).make("/all-are-there");
    assert_eq!(lines_with(&servers[0], "electionPortBindRetry"), 1);
    assert_eq!(lines_with(&servers[2], "without its quorum port"), 1);
    assert_eq!(lines_with(&servers[2], "server 1 cannot be reached for elections"), 1);
}
