//! An ensemble grows from three servers to five without a command: two come whose files list all,
//! and the others are restarted, one by one, with longer lists (ZOOKEEPER-2819, ZOOKEEPER-3829).
//!
//! While `reconfigEnabled=false` a server's own file says who is in the ensemble, whatever the tree
//! or a snapshot has brought.

use super::Make::{Ours, Stock};
use super::{Make, Mixed};
use crate::ensemble::Seat;
use crate::ensemble::returning::holds;
use harness::wire::Body;
use harness::{Acl, Client, Handshake, Server, code, opcode};

impl Mixed {
    /// Every server that runs takes a write: at once, or when it has noticed that its leader is
    /// gone, and has another one.
    fn make(&self, name: &str) {
        for (at, server) in self.ensemble.servers.iter().enumerate() {
            if server.is_running() {
                let path = format!("/{name}-{at}");
                let body = Body::new().string(&path).buffer(None).acls(&Acl::open()).int(0);
                self.ensemble.until(|| {
                    let client = Client::try_open(server.address(), &Handshake::default());
                    let Some(mut client) = client else { return false };
                    let xid = client.try_post(opcode::CREATE, &body);
                    let reply = xid.and_then(|xid| client.try_reply(xid));
                    // The answer to the first try may be lost.
                    let is_made = |err| [code::OK, code::NODE_EXISTS].contains(&err);
                    client.hang_up();
                    reply.is_some_and(|reply| is_made(reply.err))
                });
            }
        }
    }
}

fn grows(makes: [Make; 5]) {
    let parts: Vec<_> = makes.iter().map(|make| (*make, Seat::Voter)).collect();
    let mut mixed = Mixed::prepare_each(&parts, |at, config| {
        let config = config.set("reconfigEnabled", "false");
        if at < 3 { config.without("server.4").without("server.5") } else { config }
    });
    mixed.launch(&[0, 1, 2]);
    mixed.make("three");
    mixed.launch(&[3]);
    mixed.launch(&[4]);
    let lines: Vec<_> = [3, 4]
        .map(|at| {
            let (quorum, election) = mixed.ensemble.ports[at];
            format!("127.0.0.1:{quorum}:{election}")
        })
        .to_vec();
    // The leader comes last.
    let leader = mixed.ensemble.leader();
    let others = (0..3).filter(|at| *at != leader);
    for at in others.chain([leader]) {
        let server = &mut mixed.ensemble.servers[at];
        server.stop();
        server.set("server.4", &lines[0]);
        server.set("server.5", &lines[1]);
        server.launch();
        mixed.ensemble.await_service();
        mixed.make(&format!("without-{at}"));
    }
    for at in 0..5 {
        let shown = mixed.ensemble.configuration(at);
        assert_eq!(shown.matches("server.").count(), 5, "server {}: {shown}", at + 1);
        let log = mixed.ensemble.servers[at].folder().join("data");
        assert!(holds(&log, b"/three-0"), "server {} has no data", at + 1);
    }
    // Three of five are a quorum, whichever they are; two are none.
    for gone in [[0, 1], [3, 4], [leader, 4]] {
        if gone[0] == gone[1] {
            continue;
        }
        for at in &gone {
            mixed.ensemble.servers[*at].kill();
        }
        mixed.ensemble.await_service();
        mixed.make(&format!("three-of-five-{}-{}", gone[0], gone[1]));
        for at in &gone {
            mixed.ensemble.servers[*at].launch();
        }
        mixed.ensemble.await_service();
    }
    mixed.ensemble.servers[..3].iter_mut().for_each(Server::kill);
    let two = &mixed.ensemble.servers[3..];
    mixed.ensemble.until(|| {
        let words = two.iter().map(|server| server.try_word("srvr").unwrap_or_default());
        words.into_iter().all(|text| text.contains("not currently serving"))
    });
    mixed.ensemble.servers[..3].iter_mut().for_each(Server::launch);
    mixed.ensemble.await_service();
    mixed.assert_same();
}

#[test]
fn ours_grow_by_restarts() {
    grows([Ours; 5]);
}

#[test]
fn both_grow_by_restarts() {
    grows([Stock, Ours, Ours, Ours, Stock]);
    grows([Ours, Stock, Stock, Stock, Ours]);
}
