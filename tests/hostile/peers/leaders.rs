//! What a follower must not take from its leader.

use super::{
    COMMIT, DIFF, Harmed, Leader, Link, NEW_LEADER, PROPOSAL, SNAP, TRUNC, create_txn, packet,
};
use crate::hostile::vitals::wait_for;
use harness::{Acl, Body, is_reference};
use std::net::Shutdown;

/// A snapshot as it is sent, without its end: some nodes that the server does not have.
fn snapshot() -> Body {
    let head = Body::new().int(1).long(7).int(30_000);
    let head = head.int(1).long(1).acls(&Acl::open());
    let stat = |body: Body| body.raw(&[0; 60]);
    let node = |body: Body, path: &str| stat(body.string(path).buffer(&b"of another"[..]).long(1));
    (0..500).fold(node(head, ""), |body, number| node(body, &format!("/sent-{number}")))
}

/// A leader sends these bytes behind SNAP and nothing more; the server says why it is not used.
fn snapshot_refused(harmed: &Harmed, leader: &mut Leader, bytes: &[u8], why: &str) {
    harmed.says_of(&leader.names(), &["a snapshot could not be received: ", why], || {
        let logged = harmed.server.log().len();
        let (mut link, _) = leader.elected();
        link.packet(SNAP, leader.zxid(0), None);
        harmed.await_line(logged, "a snapshot at ");
        link.send(bytes);
        link.0.shutdown(Shutdown::Write).ok();
        link.await_end();
    });
}

#[test]
fn snapshots_that_are_none() {
    if is_reference() {
        return;
    }
    let mut harmed = Harmed::prepare();
    let mut leader = Leader::over(&mut harmed);
    let whole = snapshot().string("/").0;
    let signed = |words: &str| Body(whole.clone()).string(words).0;
    for (bytes, why) in [
        (vec![], "end"),
        (whole[..whole.len() / 2].to_vec(), "end"),
        (whole[..whole.len() - 3].to_vec(), "end"),
        (whole.clone(), "end"),
        (signed("BenWasThere"), "its signature"),
        (signed("BenWasHer"), "end"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), ""),
        // Counts and lengths that nothing follows.
        (Body::new().int(i32::MAX).0, "end"),
        (Body::new().int(-7).0, ""),
        (Body::new().int(0).int(i32::MAX).0, "end"),
        (Body::new().int(0).int(1).long(1).int(i32::MAX).0, "2147483647"),
        (Body::new().int(0).int(0).int(i32::MAX).0, ""),
        (Body::new().int(0).int(0).int(-2).0, ""),
        (Body::new().int(0).int(0).string("").int(i32::MAX).0, ""),
        (Body::new().int(0).int(0).string("").int(i32::MIN).0, ""),
    ] {
        snapshot_refused(&harmed, &mut leader, &bytes, why);
    }
    // The epoch is accepted only behind NEWLEADER.
    let (mut link, _) = leader.elected();
    link.packet(SNAP, leader.zxid(0), None);
    link.send(&signed("BenWasHere"));
    link.packet(super::ACK_EPOCH, 0, None);
    link.await_end();
    harmed.assert_small();
    harmed.assert_unharmed();
}

/// What a leader sends, given the last txn of the server and the start of the epoch.
type Script = fn(&mut Link, i64, i64);

/// Before the server has accepted a history.
const SYNCHRONIZING: &[(Script, &str)] = &[
    (|link, _, start| link.packet(NEW_LEADER, start, None), "a packet that has no place here"),
    (|link, last, _| link.packet(COMMIT, last, None), "a packet that has no place here"),
    (|link, last, _| link.packet(TRUNC, last - 5, None), "which is committed"),
    (|link, _, _| link.packet(TRUNC, -1, None), "which is committed"),
    (
        |link, last, _| {
            link.packet(DIFF, last, None);
            link.packet(PROPOSAL, last + 2, Some(&create_txn(last + 2, "/gap")));
        },
        "behind 0x",
    ),
    (
        |link, last, _| {
            link.packet(DIFF, last, None);
            link.packet(PROPOSAL, last, Some(&create_txn(last, "/again")));
        },
        "behind 0x",
    ),
    (
        |link, last, start| {
            link.packet(DIFF, last, None);
            let zxid = start + (1 << 32) + 1;
            link.packet(PROPOSAL, zxid, Some(&create_txn(zxid, "/later-epoch")));
        },
        "which was not agreed on",
    ),
    (
        |link, last, start| {
            link.packet(DIFF, last, None);
            link.packet(NEW_LEADER, start + (1 << 32), None);
        },
        "which was not agreed on",
    ),
    (
        |link, last, _| {
            link.packet(DIFF, last, None);
            link.packet(COMMIT, last + 1, None);
        },
        "which was not proposed",
    ),
    (
        |link, last, _| {
            link.packet(DIFF, last, None);
            link.packet(PROPOSAL, last + 1, Some(b"no txn"));
        },
        "bytes that are no txn",
    ),
    (
        |link, last, _| {
            link.packet(DIFF, last, None);
            link.packet(PROPOSAL, last + 1, None);
        },
        "PROPOSAL: null data",
    ),
    (
        |link, last, _| {
            link.packet(DIFF, last, None);
            link.packet(PROPOSAL, last + 1, Some(&create_txn(last + 2, "/another-zxid")));
        },
        "bytes that are no txn",
    ),
    (
        |link, last, _| {
            link.packet(DIFF, last, None);
            // A length without what it announces.
            link.send(&packet(PROPOSAL, last + 1, None)[..12]);
            link.send(&i32::MAX.to_be_bytes());
        },
        "PROPOSAL: a length of 2147483647",
    ),
];

/// Once it serves.
const SERVING: &[(Script, &str)] = &[
    (|link, last, _| link.packet(COMMIT, last + 1, None), "which was not proposed"),
    (|link, _, start| link.packet(COMMIT, start + 1, None), "which was not proposed"),
    (
        |link, last, _| {
            link.packet(PROPOSAL, last + 2, Some(&create_txn(last + 2, "/gap")));
        },
        "behind 0x",
    ),
    (
        |link, last, _| {
            link.packet(PROPOSAL, last - 1, Some(&create_txn(last - 1, "/back")));
        },
        "behind 0x",
    ),
    (|link, _, start| link.packet(PROPOSAL, start + 1, Some(b"no txn")), "bytes that are no txn"),
    (|link, last, _| link.packet(DIFF, last, None), "a packet that has no place here"),
    (|link, _, start| link.packet(SNAP, start, None), "a packet that has no place here"),
    (|link, last, _| link.packet(TRUNC, last, None), "a packet that has no place here"),
];

#[test]
fn txns_out_of_order_and_packets_out_of_place() {
    if is_reference() {
        return;
    }
    let mut harmed = Harmed::prepare();
    let mut leader = Leader::over(&mut harmed);
    let names = leader.names();
    for (script, why) in SYNCHRONIZING {
        harmed.says_of(&names, &[why], || {
            let (mut link, last) = leader.elected();
            script(&mut link, last, leader.zxid(0));
            link.await_end();
        });
    }
    for (script, why) in SERVING {
        harmed.says_of(&names, &[why], || {
            let (mut link, last) = leader.accepted();
            wait_for("the server serves", || {
                harmed.server.try_word("srvr").is_some_and(|it| it.contains("Mode: follower"))
            });
            script(&mut link, last, leader.zxid(0));
            link.await_end();
        });
    }
    harmed.assert_unharmed();
}
