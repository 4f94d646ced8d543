//! An epoch that has no zxids left, whose leader is `ZooKeeper`: it gives up, and the next epoch
//! begins (ZOOKEEPER-1277). A leader of ours does so one txn earlier
//! (`engine`'s `an_epoch_that_fills_up_while_nodes_are_reaped_ends`).

use super::replacing::Load;
use super::{Make, Mixed};
use crate::ensemble::Seat;
use harness::Server;

/// Where `ZooKeeper` begins in each of its epochs: 1,023 txns are left then.
const BEGIN: u32 = 0xffff_fc00;

/// The epoch of a server's last txn, if it serves.
fn epoch(server: &Server) -> Option<i64> {
    let text = server.try_word("srvr")?;
    let zxid = text.lines().find_map(|line| line.strip_prefix("Zxid: 0x"))?;
    i64::from_str_radix(zxid, 16).ok().map(|zxid| zxid >> 32)
}

#[test]
fn zookeepers_epochs_end_and_clients_go_on() {
    let parts = [Make::Stock, Make::Ours, Make::Stock].map(|make| (make, Seat::Voter));
    let mut mixed = Mixed::prepare(&parts, |config| {
        config.property(&format!("zookeeper.testingonly.initialZxid={BEGIN}"))
    });
    mixed.launch(&[2, 1, 0]);
    let first = epoch(&mixed.ensemble.servers[0]).unwrap();
    let load = Load::begin(&mixed, 0);
    mixed
        .ensemble
        .until(|| epoch(&mixed.ensemble.servers[0]).is_some_and(|epoch| epoch >= first + 3));
    load.end(&mixed);
}
