//! Two servers, one of `ZooKeeper`'s and one of ours, and an oracle for each.

use super::{Make, is_release};
use crate::ensemble::Ensemble;
use crate::ensemble::oracle::each_goes_on_alone;

fn play(makes: [Make; 2]) {
    if is_release(&["3.6.", "3.7."]) {
        return eprintln!("ZooKeeper asks oracles from 3.8 on");
    }
    let configure = |at: usize, config: harness::Config| config.command(makes[at].command());
    let mut ensemble = Ensemble::with_oracles(configure);
    let says_no = (makes[0] == Make::Ours).then_some("does not let this server decide");
    each_goes_on_alone(&mut ensemble, says_no);
}

#[test]
fn ours_goes_on_without_zookeeper_first() {
    play([Make::Stock, Make::Ours]);
}

#[test]
fn zookeeper_goes_on_without_ours_first() {
    play([Make::Ours, Make::Stock]);
}
