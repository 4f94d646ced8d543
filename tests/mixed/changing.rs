//! An ensemble of both makes is changed while its servers run: whoever leads, servers come, change
//! their roles, go and return; all write the same files.

use super::Make::{Ours, Stock};
use super::{Make, Mixed};
use crate::ensemble::changing::{Change, changeable};
use crate::ensemble::command::reconfig;
use crate::ensemble::{Ensemble, Seat};
use harness::{Acl, Client};

impl Mixed {
    /// Servers of which all list the first three, and which run.
    fn changing(makes: &[Make]) -> Self {
        let seats = vec![Seat::Voter; makes.len()];
        let ensemble = Ensemble::prepare_some(&seats, 3, |at, config| {
            changeable(config.command(makes[at].command()))
        });
        let mut mixed = Self { ensemble, makes: makes.to_vec() };
        mixed.launch(&[2, 1, 0]);
        mixed.ensemble.assert_configured(3);
        mixed
    }

    fn write(&self) {
        for at in (0..self.makes.len()).filter(|at| self.ensemble.servers[*at].is_running()) {
            let mut client = Client::connect(self.ensemble.address(at));
            for _ in 0..3 {
                // A server of ZooKeeper that has just got its role closes clients once more.
                if client.create2("/n-", b"x", &Acl::open(), 2).is_err() {
                    break;
                }
            }
            client.close();
        }
    }

    /// Does something to a server's part in the ensemble, through another server.
    fn change(&mut self, change: &Change, count: usize) {
        // Through one that keeps its role.
        let through = (0..2).find(|at| self.ensemble.leader() != *at).expect("one of two");
        self.ensemble.change(through, change);
        self.ensemble.assert_configured(count);
    }
}

fn changes(makes: [Make; 4]) {
    let mut mixed = Mixed::changing(&makes);
    mixed.ensemble.servers[3].launch();
    mixed.ensemble.servers[3].await_service();
    mixed.change(&Change::adding(mixed.ensemble.line(3, Seat::Voter)), 4);
    mixed.write();
    mixed.change(&Change::adding(mixed.ensemble.line(3, Seat::Observer)), 4);
    mixed.change(&Change::adding(mixed.ensemble.line(3, Seat::Voter)), 4);
    mixed.write();
    for _ in 0..2 {
        let leader = mixed.ensemble.leader();
        let through = (leader + 1) % 4;
        mixed.ensemble.change(through, &Change::removing(&(leader + 1).to_string()));
        mixed.ensemble.assert_configured(3);
        mixed.write();
        let line = mixed.ensemble.line(leader, Seat::Voter);
        mixed.ensemble.change(through, &Change::adding(line));
        mixed.ensemble.assert_configured(4);
    }
    // They start from what they have written.
    let leader = mixed.ensemble.leader();
    mixed.ensemble.servers[leader].restart();
    mixed.ensemble.assert_configured(4);
    mixed.ensemble.servers.iter_mut().for_each(harness::Server::kill);
    for at in 0..4 {
        mixed.ensemble.servers[at].launch();
    }
    mixed.ensemble.await_service();
    mixed.ensemble.assert_configured(4);
    mixed.write();
    mixed.assert_same();
}

#[test]
fn ours_leads_and_changes_an_ensemble() {
    changes([Stock, Ours, Ours, Stock]);
}

#[test]
fn zookeeper_leads_and_changes_an_ensemble() {
    changes([Ours, Ours, Stock, Ours]);
}

#[test]
fn an_ensemble_of_zookeeper_is_changed_by_our_command() {
    let mut mixed = Mixed::changing(&[Stock; 4]);
    let line = mixed.ensemble.line(3, Seat::Voter);
    let (text, status) = reconfig(&mixed.ensemble, &[0, 1, 2], &["--add", &line, "--dry-run"]);
    assert!(status == 0 && text.contains("Nothing is in the way"), "{text}");
    mixed.ensemble.assert_configured(3);
    mixed.ensemble.servers[3].launch();
    mixed.ensemble.servers[3].await_service();
    let (text, status) = reconfig(&mixed.ensemble, &[1, 2, 0], &["--add", &line]);
    assert!(status == 0 && text.contains("The configuration is now:"), "{text}");
    mixed.ensemble.assert_configured(4);
    let (text, status) = reconfig(&mixed.ensemble, &[1, 2, 0], &["--remove", "1,2,3,4"]);
    assert!(status == 1 && text.contains("nobody would vote"), "{text}");
}
