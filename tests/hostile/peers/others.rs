//! A server of another ensemble at a configured address.

use crate::ensemble::{Ensemble, Seat, nodes};
use crate::hostile::vitals::wait_for;
use crate::mixed::Make;
use harness::{Acl, Client, Server, is_reference};
use std::net::SocketAddr;

/// Two servers of `ZooKeeper`, 2 and 3, with some nodes, and an epoch that is not their first.
fn another() -> Ensemble {
    let mut other = Ensemble::prepare(&[Seat::Voter; 3], |_, config| {
        config.command(Make::Stock.command()).set("server.1", "127.0.0.1:1:2")
    });
    for _ in 0..3 {
        for server in &mut other.servers[1..] {
            server.kill();
            server.launch();
        }
        other.await_service();
    }
    fill(other.servers[2].address(), "other");
    other
}

fn fill(address: SocketAddr, name: &str) {
    let mut client = Client::connect(address);
    for number in 0..20 {
        client.create(&format!("/{name}-{number}"), b"x", &Acl::open(), 0).unwrap();
    }
    client.close();
}

/// What a server shows.
fn shown(server: &Server) -> Vec<String> {
    let mut client = Client::connect(server.address());
    client.sync("/").unwrap();
    let nodes = nodes(&mut client, "/");
    client.close();
    nodes.iter().map(|node| format!("{node:?}")).collect()
}

#[test]
fn a_server_of_another_ensemble_is_named_and_changes_nothing() {
    if is_reference() {
        return;
    }
    let other = another();
    let (quorum, election) = other.ports[2];
    let line = format!("127.0.0.1:{quorum}:{election}");
    let mut own = Ensemble::prepare(&[Seat::Voter; 3], |_, config| config.set("server.3", &line));
    own.servers[..2].iter_mut().for_each(Server::launch);
    own.await_service();
    fill(own.address(0), "own");
    let before = (shown(&own.servers[0]), shown(&other.servers[2]));
    for server in &own.servers[..2] {
        let part = "its server.N lines differ from this server's";
        wait_for(part, || server.log().contains(part));
        let log = server.log();
        let line = log.lines().find(|line| line.contains(part)).unwrap();
        assert!(line.contains("peer=3"), "{line}");
    }
    // Whichever of both looks for a leader: it finds its own.
    for at in [0, 1, 1] {
        own.servers[at].restart();
        own.await_service();
    }
    let after = (shown(&own.servers[0]), shown(&other.servers[2]));
    assert!(after == before, "{before:?} has become {after:?}");
    assert_eq!(shown(&own.servers[1]), after.0);
}
