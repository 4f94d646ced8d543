//! Servers that are set up differently, whoever leads: digests on and off, sessions that end with a
//! list of their nodes and without; nodes that the leader removes by itself; requests as long as
//! they may be.

use super::{Make, Mixed};
use crate::ensemble::{Ensemble, Seat};
use harness::client::create_body;
use harness::{Acl, Body, Client, Config, code, opcode};

const OURS: (Make, Seat) = (Make::Ours, Seat::Voter);
const STOCK: (Make, Seat) = (Make::Stock, Seat::Voter);

/// The longest request, and the header in it.
const REQUEST_BYTES: usize = 0xf_ffff;
const HEADER_BYTES: usize = 8;

/// Containers that were emptied and nodes whose time is over go on all servers, by one of them.
fn reaped(ensemble: &Ensemble) {
    let mut clients: Vec<_> =
        ensemble.servers.iter().map(|server| Client::connect(server.address())).collect();
    let mut paths = Vec::new();
    for (at, client) in clients.iter_mut().enumerate() {
        let (container, child) = (format!("/container-{at}"), format!("/container-{at}/child"));
        client.create_container(&container, 4).unwrap();
        client.make(&child);
        client.delete(&child, -1).unwrap();
        let timed = format!("/timed-{at}");
        client.create_ttl(&timed, b"t", 5, 200).unwrap();
        client.create_ttl(&format!("/long-{at}"), b"t", 5, 600_000).unwrap();
        client.create_container(&format!("/full-{at}"), 4).unwrap();
        client.make(&format!("/full-{at}/child"));
        paths.extend([container, timed]);
    }
    for client in &mut clients {
        for path in &paths {
            client.wait_until(&format!("{path} is gone"), |it| {
                it.exists(path, false) == Err(code::NO_NODE)
            });
        }
        for at in 0..3 {
            client.exists(&format!("/long-{at}"), false).unwrap();
            client.exists(&format!("/full-{at}"), false).unwrap();
        }
    }
    clients.into_iter().for_each(Client::close);
}

/// Data with which a request is as long as may be.
fn longest(body: impl Fn(&[u8]) -> Body) -> Body {
    let rest = body(&[]).0.len() + HEADER_BYTES;
    body(&vec![b'l'; REQUEST_BYTES - rest])
}

fn large(ensemble: &Ensemble) {
    for (at, server) in ensemble.servers.iter().enumerate() {
        let mut client = Client::connect(server.address());
        let path = format!("/large-{at}");
        let create = longest(|data| create_body(&path, data, &Acl::open(), 0));
        assert_eq!(client.call(opcode::CREATE, &create).err, 0);
        let set = longest(|data| Body::new().string(&path).buffer(data).int(-1));
        assert_eq!(client.call(opcode::SET_DATA, &set).err, 0);
        client.close();
    }
}

/// The last server leads.
fn work(parts: [(Make, Seat); 3], configure: impl Fn(usize, Config) -> Config) -> Mixed {
    let mut mixed = Mixed::prepare_each(&parts, |at, config| {
        let config = config.property("znode.container.checkIntervalMs=100");
        configure(at, config.property("znode.container.maxPerMinute=60000"))
    });
    mixed.launch(&[2, 1, 0]);
    assert_eq!(mixed.ensemble.leader(), 2);
    super::work::everything(&mixed.ensemble, "before");
    reaped(&mixed.ensemble);
    large(&mixed.ensemble);
    mixed.ensemble.assert_equal();
    mixed
}

/// A server without digests; on the others they are equal.
fn without_digests(parts: [(Make, Seat); 3], without: usize) {
    let mixed = work(parts, |at, config| {
        config.set("digest.enabled", if at == without { "false" } else { "true" })
    });
    mixed.ensemble.assert_digests_of(|at| at != without);
    mixed.assert_unalarmed();
}

#[test]
fn a_follower_of_zookeepers_may_have_no_digests() {
    without_digests([STOCK, OURS, OURS], 0);
}

#[test]
fn a_leader_of_zookeepers_may_have_no_digests() {
    without_digests([OURS, STOCK, STOCK], 2);
}

#[test]
fn a_follower_of_ours_may_have_no_digests() {
    without_digests([OURS, STOCK, STOCK], 0);
}

#[test]
fn a_leader_of_ours_may_have_no_digests() {
    without_digests([STOCK, OURS, OURS], 2);
}

/// The leader decides whether the end of a session lists the session's nodes.
#[test]
fn sessions_end_without_a_list_of_their_nodes() {
    for parts in [[OURS, STOCK, STOCK], [STOCK, OURS, OURS]] {
        let mixed = work(parts, |at, config| {
            config.set("closeSessionTxn.enabled", if at == 2 { "false" } else { "true" })
        });
        mixed.assert_alike();
    }
}
