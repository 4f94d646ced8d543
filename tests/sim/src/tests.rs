//! The simulator's own tests.

use crate::world::{Setup, run};
use engine::zab::Plant;

/// Seeds that are run with every build.
const SEEDS: u64 = 30;

/// Within so many seeds a planted fault is found.
const FOUND_WITHIN: u64 = 1_000;

/// Where each planted fault is looked for first: a seed that found it.
const FOUND_BY: [(Plant, u64); 15] = [
    (Plant::AckBeforeDurable, 3),
    (Plant::CommitWithoutQuorum, 1),
    (Plant::AckCountedOverLinks, 198),
    (Plant::ShownBeforeUpToDate, 42),
    (Plant::PromiseBeforeStored, 0),
    (Plant::EpochBeforeHistory, 612),
    (Plant::CutForgotten, 2),
    (Plant::VoteBeforeDurable, 1),
    (Plant::AheadIgnored, 1),
    (Plant::AckBeforeNewLeader, 617),
    (Plant::PromiseForgotten, 720),
    (Plant::InheritedShownEarly, 211),
    (Plant::InheritedBare, 300),
    (Plant::SnapBelowPeer, 154),
    (Plant::StockCut, 75),
];

#[test]
fn seeds_without_a_plant_have_no_violation() {
    for seed in 0..SEEDS {
        let run = run(Setup { seed, plant: None, is_logged: false });
        assert!(run.is_ok(), "seed {seed}: {run:?}");
    }
}

#[test]
fn a_seed_is_a_run() {
    let setup = Setup { seed: 7, plant: None, is_logged: false };
    assert_eq!(run(setup), run(setup));
}

#[test]
fn plants_are_found() {
    for (plant, first) in FOUND_BY {
        let is_found = |seed| run(Setup { seed, plant: Some(plant), is_logged: false }).is_err();
        let is_found = is_found(first) || (0..FOUND_WITHIN).any(is_found);
        assert!(is_found, "{plant:?} was not found in {FOUND_WITHIN} seeds");
    }
}

#[test]
fn every_plant_is_looked_for() {
    let is_listed = |plant: &Plant| FOUND_BY.iter().any(|(found, _)| found == plant);
    assert!(Plant::ALL.iter().all(is_listed));
}

#[test]
fn some_rules_exist_for_stock_learners_only() {
    for plant in [Plant::InheritedBare, Plant::SnapBelowPeer, Plant::StockCut] {
        // In these seeds all servers are ours.
        for seed in [1, 2, 3, 6, 7, 8, 11, 12, 13] {
            let run = run(Setup { seed, plant: Some(plant), is_logged: false });
            assert!(run.is_ok(), "{plant:?}, seed {seed}: {run:?}");
        }
    }
}

#[test]
fn epochs_end_when_they_are_full() {
    let report = run(Setup { seed: 7, plant: None, is_logged: false }).expect("no violation");
    assert!(report.full_epochs > 0, "{report}");
}
