//! Servers of both makes with several addresses, of which some are dead.

use super::Make;
use crate::ensemble::Ensemble;
use crate::ensemble::addresses::{UNREACHABLE, work_at_living_addresses};

fn play(makes: [Make; 3]) {
    let configure = |at: usize, config: harness::Config| config.command(makes[at].command());
    let mut ensemble = Ensemble::at_two_addresses(UNREACHABLE, configure);
    work_at_living_addresses(&mut ensemble);
}

#[test]
fn ours_leads_where_addresses_are_dead() {
    play([Make::Stock, Make::Stock, Make::Ours]);
}

#[test]
fn zookeeper_leads_where_addresses_are_dead() {
    play([Make::Ours, Make::Ours, Make::Stock]);
}
