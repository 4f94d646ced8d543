//! What clients see of servers that lose their leader, and of requests that no server should pass
//! on; servers of ours alone, and of both makes.

use super::{Ensemble, PATIENCE, Seat, moved};
use crate::mixed::Make;
use harness::{Acl, Body, Client, Handshake, Server, code, opcode};
use std::thread;
use std::time::{Duration, Instant};

fn ensembles() -> impl Iterator<Item = Ensemble> {
    let makes = [
        [Make::Ours, Make::Ours, Make::Ours],
        [Make::Ours, Make::Stock, Make::Stock],
        [Make::Stock, Make::Ours, Make::Ours],
    ];
    makes.into_iter().map(|makes| {
        let mut ensemble =
            Ensemble::prepare(&[Seat::Voter; 3], |at, config| config.command(makes[at].command()));
        ensemble.servers.iter_mut().for_each(Server::launch);
        ensemble.await_service();
        ensemble
    })
}

/// `check` outside of a multi is refused where it comes, and not passed on (ZOOKEEPER-2623).
#[test]
fn check_alone_goes_no_further() {
    for ensemble in ensembles() {
        let mut other = Client::connect(ensemble.address(0));
        other.make("/checked");
        for at in 0..3 {
            let mut client = Client::connect(ensemble.address(at));
            client.sync("/").unwrap();
            other.set("/checked", b"", -1).unwrap();
            let before = other.zxid();
            let check = Body::new().string("/checked").int(-1);
            assert_eq!(client.call(opcode::CHECK, &check).err, code::UNIMPLEMENTED, "{at}");
            client.assert_closed();
            other.set("/checked", b"", -1).unwrap();
            assert_eq!(other.zxid(), before + 1, "it has taken a zxid");
        }
        other.close();
        ensemble.assert_equal();
        ensemble.assert_digests();
    }
}

/// A follower answers a sync once its leader has, or not at all (ZOOKEEPER-915).
#[test]
fn a_sync_that_the_leader_does_not_get_is_not_answered() {
    for mut ensemble in ensembles() {
        let follower = (ensemble.leader() + 1) % 3;
        let mut client = Client::connect(ensemble.address(follower));
        client.make("/before");
        let others = (0..3).filter(|at| *at != follower).collect::<Vec<_>>();
        for at in &others {
            ensemble.servers[*at].pause();
        }
        let syncs = [
            (opcode::SYNC, Body::new().string("/")),
            (opcode::GET_DATA, Body::new().string("/before").boolean(false)),
        ];
        let first = client.post_all(&syncs);
        assert!(client.try_reply(first).is_none(), "answered without the leader");
        for at in &others {
            ensemble.servers[*at].resume();
        }
        ensemble.await_service();
        ensemble.assert_equal();
    }
}

/// Whether a server answers words as one that serves nobody.
fn serves_nobody(server: &Server) -> bool {
    server.try_word("srvr").is_some_and(|text| text.contains("not currently serving"))
}

/// A server without a quorum keeps no client waiting (patroni #2957).
#[test]
fn a_server_without_a_quorum_closes_its_clients_and_takes_none() {
    for mut ensemble in ensembles() {
        let mut client = Client::connect(ensemble.address(0));
        client.create("/mine", b"", &Acl::open(), 1).unwrap();
        ensemble.servers[1..].iter_mut().for_each(Server::kill);
        client.assert_closed();
        ensemble.until(|| serves_nobody(&ensemble.servers[0]));
        assert_eq!(ensemble.servers[0].word("ruok"), "imok");
        assert!(Client::try_open(ensemble.address(0), &client.reattach()).is_none());
        assert!(Client::try_open(ensemble.address(0), &Handshake::default()).is_none());
        ensemble.servers[1].launch();
        ensemble.await_service();
        let mut client = moved(&client, ensemble.address(1));
        client.exists("/mine", false).unwrap();
        client.close();
    }
}

/// Many sessions come back to other servers when their leader is gone, with all that they own
/// (ZOOKEEPER-3169). `RINGKEEPER_ENSEMBLE_SESSIONS` is their number.
#[test]
fn many_sessions_are_back_after_their_leader_is_gone() {
    let count = super::number("RINGKEEPER_ENSEMBLE_SESSIONS").unwrap_or(600);
    let mut ensemble = Ensemble::start(3, |config| config);
    let leader = ensemble.leader();
    let addresses: Vec<_> = (0..3).map(|at| ensemble.address(at)).collect();
    let long = Handshake { timeout_ms: 40_000, ..Handshake::default() };
    let clients = (0..count).map(|number| {
        let at = number as usize % 3;
        let mut client = Client::open(addresses[at], &long).unwrap();
        client.create(&format!("/owned-{number}"), b"", &Acl::open(), 1).unwrap();
        client
    });
    let clients: Vec<_> = clients.collect();
    ensemble.servers[leader].kill();
    let others = [(leader + 1) % 3, (leader + 2) % 3].map(|at| addresses[at]);
    let back = clients.into_iter().enumerate().map(|(number, client)| {
        let end = Instant::now() + PATIENCE;
        // The first one may come before there is a leader.
        let mut back = moved(&client, others[number % 2]);
        loop {
            let body = Body::new().string(&format!("/owned-{number}")).boolean(false);
            let xid = back.try_post(opcode::EXISTS, &body);
            match xid.and_then(|xid| back.try_reply(xid)) {
                Some(reply) => {
                    break assert_eq!(reply.err, 0, "session {number} has lost its node");
                }
                None => back = moved(&back, others[number % 2]),
            }
            assert!(Instant::now() < end, "session {number} is turned away");
            thread::sleep(Duration::from_millis(20));
        }
        back
    });
    let back: Vec<_> = back.collect();
    ensemble.servers[leader].launch();
    ensemble.await_service();
    ensemble.assert_equal();
    back.into_iter().for_each(Client::close);
    let mut client = Client::connect(addresses[leader]);
    client.sync("/").unwrap();
    assert_eq!(client.children("/", false).unwrap(), ["zookeeper"]);
}
