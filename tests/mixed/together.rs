//! Every kind of write, through every server, whoever leads.

use super::{Make, Mixed};
use crate::ensemble::Seat;
use harness::{Body, Client, code, opcode};

const OURS: (Make, Seat) = (Make::Ours, Seat::Voter);
const STOCK: (Make, Seat) = (Make::Stock, Seat::Voter);

/// The last server leads: it votes, has the highest number, and is there first.
fn work_together(parts: &[(Make, Seat)], name: &str) {
    let mut mixed = Mixed::prepare(parts, |config| config);
    let from_last: Vec<_> = (0..parts.len()).rev().collect();
    mixed.launch(&from_last);
    assert_eq!(mixed.ensemble.leader(), parts.len() - 1);
    super::work::everything(&mixed.ensemble, name);
    mixed.assert_alike();
}

#[test]
fn ours_leads() {
    let observers = [(Make::Stock, Seat::Observer)];
    work_together(&[&observers[..], &[STOCK, STOCK, OURS]].concat(), "ours");
}

#[test]
fn zookeeper_leads() {
    let observers = [(Make::Ours, Seat::Observer)];
    work_together(&[&observers[..], &[OURS, OURS, STOCK]].concat(), "stock");
}

/// `ZooKeeper`'s leader proposes a write that it cannot decode under the zxid of the one before,
/// and then commits nothing any more. So a server of ours passes on none.
#[test]
fn a_write_that_no_server_can_decode_stops_no_ensemble() {
    let mut mixed = Mixed::prepare(&[OURS, OURS, STOCK], |config| config);
    mixed.launch(&[2, 1, 0]);
    assert_eq!(mixed.ensemble.leader(), 2);
    let mut client = Client::connect(mixed.ensemble.address(0));
    let cut = Body::new().string("/cut");
    let no_acl = Body::new().string("/no-acl").buffer(Some(&b""[..])).int(-1).int(0);
    let header = Body::new().int(opcode::CREATE).boolean(false).int(-1);
    let in_multi = header.raw(&no_acl.0).int(-1).boolean(true).int(-1);
    let undecodable = [
        (opcode::CREATE, cut.clone()),
        (opcode::DELETE, cut.clone()),
        (opcode::SET_DATA, cut.clone()),
        (opcode::SET_ACL, cut.clone()),
        (opcode::MULTI, in_multi),
        (opcode::MULTI, cut),
    ];
    for (number, (kind, body)) in undecodable.iter().enumerate() {
        let first = client.post(*kind, body);
        assert_eq!(client.reply(first).err, code::MARSHALLING_ERROR, "request {number}");
        // Others do not wait for it, whoever they are clients of.
        for at in [0, 2] {
            let mut other = Client::connect(mixed.ensemble.address(at));
            other.make(&format!("/after-{number}-{at}"));
            other.close();
        }
    }
    client.close();
    mixed.ensemble.assert_equal();
    mixed.ensemble.assert_digests();
}
