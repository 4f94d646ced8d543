//! The directories of an ensemble of `ZooKeeper`'s servers are imported: logs of several epochs,
//! with reconfigurations, of servers that led, followed and were away.

use super::Make::Stock;
use super::Mixed;
use crate::convert::golden::maybe_keep;
use crate::convert::tree::{config, dump, grow, lasting, plant};
use crate::convert::{Folder, import, run, word};
use crate::ensemble::changing::{Change, changeable};
use crate::ensemble::{Ensemble, Seat};
use harness::Client;
use std::fs;

/// Three servers, changed and restarted, and their tree.
fn ensemble_of_zookeeper() -> (Mixed, String) {
    let ensemble = Ensemble::prepare_some(&[Seat::Voter; 3], 3, |_, config| {
        changeable(lasting(config.command(Stock.command())))
    });
    let mut mixed = Mixed { ensemble, makes: vec![Stock; 3] };
    mixed.launch(&[2, 1, 0]);
    plant(&mixed.ensemble.servers[0]);
    let leader = mixed.ensemble.leader();
    let [changed, through] = [(leader + 1) % 3, (leader + 2) % 3];
    for change in [
        Change::adding(mixed.ensemble.line(changed, Seat::Observer)),
        Change::adding(mixed.ensemble.line(changed, Seat::Voter)),
    ] {
        mixed.ensemble.change(through, &change);
        mixed.ensemble.assert_configured(3);
    }
    for round in 0..2 {
        let leader = mixed.ensemble.leader();
        mixed.ensemble.servers[leader].kill();
        // A follower still serves for a moment after its leader's death: the next one comes first.
        mixed.ensemble.leader();
        mixed.ensemble.await_service();
        let other = &mixed.ensemble.servers[(leader + 1) % 3];
        if round == 0 {
            grow(other);
        }
        Client::connect(other.address()).make(&format!("/epoch-{round}"));
        mixed.ensemble.servers[leader].launch();
        mixed.ensemble.await_service();
    }
    let [tree, others @ ..] = [0, 1, 2].map(|at| dump(&mixed.ensemble.servers[at]));
    assert!(others.iter().all(|other| *other == tree));
    for server in &mut mixed.ensemble.servers {
        server.stop();
    }
    (mixed, tree)
}

#[test]
fn what_the_servers_of_an_ensemble_wrote_is_imported() {
    let (mixed, expected) = ensemble_of_zookeeper();
    let folder = Folder::new();
    for (at, server) in mixed.ensemble.servers.iter().enumerate() {
        let data = server.folder().join("data");
        if at == 0 {
            maybe_keep(&data, &expected, "ensemble");
        }
        let to = folder.join(&format!("server-{at}"));
        let said = import(&data, &to);
        assert!(said.out.contains("as ZooKeeper wrote it"), "{said:?}");
        assert!(said.err.contains("names the servers of the ensemble"), "{said:?}");
        assert_eq!(dump(&config().ours().data(&to).start()), expected, "server {at}");
        // What it has promised goes with its data, in both directions.
        let back = folder.join(&format!("back-{at}"));
        let said = run(&["export", word(&to), "--to", word(&back)]);
        assert!(said.is_success, "{said:?}");
        for name in ["acceptedEpoch", "currentEpoch"] {
            let [was, is] = [&data, &back]
                .map(|it| fs::read_to_string(it.join("version-2").join(name)).unwrap());
            assert_eq!(was.trim(), is.trim(), "{name} of server {at}");
        }
    }
}
