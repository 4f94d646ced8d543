//! An epoch that has no zxids left, whose leader is `ZooKeeper`: it gives up, and the next epoch
//! begins (ZOOKEEPER-1277). A leader of ours does so one txn earlier
//! (`engine`'s `an_epoch_that_fills_up_while_nodes_are_reaped_ends`).

use super::{Make, Mixed};
use crate::ensemble::{Seat, moved};
use harness::{Body, Client, opcode};

/// Where `ZooKeeper` begins in each of its epochs: 1,023 txns are left then.
const BEGIN: u32 = 0xffff_fc00;

#[test]
fn zookeepers_epochs_end_and_clients_go_on() {
    let parts = [Make::Stock, Make::Ours, Make::Stock].map(|make| (make, Seat::Voter));
    let mut mixed = Mixed::prepare(&parts, |config| {
        config.property(&format!("zookeeper.testingonly.initialZxid={BEGIN}"))
    });
    mixed.launch(&[2, 1, 0]);
    let epoch = |zxid: i64| zxid >> 32;
    // Through a server of ours.
    let mut client = Client::connect(mixed.ensemble.address(1));
    client.make("/counted");
    let first = client.zxid();
    let (mut last, mut acknowledged, mut sent) = (first, 0, 0);
    while epoch(last) < epoch(first) + 3 {
        sent += 1;
        let data = i32::to_string(&sent);
        let body = Body::new().string("/counted").buffer(data.as_bytes()).int(-1);
        let xid = client.try_post(opcode::SET_DATA, &body);
        match xid.and_then(|xid| client.try_reply(xid)) {
            Some(reply) => {
                assert_eq!(reply.err, 0);
                assert!(reply.zxid > last, "{:#x} behind {last:#x}", reply.zxid);
                assert_ne!(reply.zxid & 0xffff_ffff, 0xffff_ffff);
                (last, acknowledged) = (reply.zxid, acknowledged + 1);
            }
            // The session goes on with the next leader.
            None => client = moved(&client, mixed.ensemble.address(1)),
        }
    }
    client.sync("/").unwrap();
    let (data, stat) = client.get("/counted", false).unwrap();
    assert_eq!(data.unwrap(), i32::to_string(&sent).as_bytes());
    assert!((acknowledged..=sent).contains(&stat.version), "{acknowledged} {sent} {stat:?}");
    assert!(acknowledged > 3_000, "{acknowledged}");
    // The last of these epochs may have ended, too.
    mixed.ensemble.await_service();
    mixed.assert_same();
}
