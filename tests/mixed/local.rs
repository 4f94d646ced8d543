//! Sessions that only one server knows, whoever leads.

use super::{Make, Mixed};
use crate::ensemble::Seat;
use crate::ensemble::local::{refused_everywhere, upgraded_everywhere, with_local_sessions};

const OURS: (Make, Seat) = (Make::Ours, Seat::Voter);
const STOCK: (Make, Seat) = (Make::Stock, Seat::Voter);

/// The last one leads.
fn servers(parts: &[(Make, Seat)], upgrades: bool) -> Mixed {
    let mut mixed = Mixed::prepare(parts, |config| with_local_sessions(config, upgrades));
    let from_last: Vec<_> = (0..parts.len()).rev().collect();
    mixed.launch(&from_last);
    assert_eq!(mixed.ensemble.leader(), parts.len() - 1);
    mixed
}

#[test]
fn ours_leads_local_sessions() {
    let parts = [(Make::Stock, Seat::Observer), STOCK, OURS, OURS];
    let mixed = servers(&parts, true);
    upgraded_everywhere(&mixed.ensemble, "ours");
    mixed.assert_alike();
}

#[test]
fn zookeeper_leads_local_sessions() {
    let parts = [(Make::Ours, Seat::Observer), OURS, STOCK, STOCK];
    let mixed = servers(&parts, true);
    upgraded_everywhere(&mixed.ensemble, "stock");
    mixed.assert_alike();
}

#[test]
fn ours_leads_local_sessions_that_own_nothing() {
    let mixed = servers(&[STOCK, OURS, OURS], false);
    refused_everywhere(&mixed.ensemble, "ours");
    mixed.assert_same();
}

#[test]
fn zookeeper_leads_local_sessions_that_own_nothing() {
    let mixed = servers(&[OURS, STOCK, STOCK], false);
    refused_everywhere(&mixed.ensemble, "stock");
    mixed.assert_same();
}
