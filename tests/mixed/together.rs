//! Every kind of write, through every server, whoever leads.

use super::{Make, Mixed};
use crate::ensemble::Seat;

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
