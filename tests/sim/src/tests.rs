//! The simulator's own tests.

use crate::world::{Kind, Setup, run};
use engine::zab::Plant;

/// Seeds that are run with every build.
const SEEDS: u64 = 30;

/// Within so many seeds a planted fault is found.
const FOUND_WITHIN: u64 = 1_000;

/// Where each planted fault is looked for first: a seed that found it, in such runs.
const FOUND_BY: [(Plant, Kind, u64); 25] = [
    (Plant::AckBeforeDurable, Kind::Histories, 2),
    (Plant::CommitWithoutQuorum, Kind::Histories, 0),
    (Plant::AckCountedOverLinks, Kind::Histories, 0),
    (Plant::ShownBeforeUpToDate, Kind::Histories, 7),
    (Plant::PromiseBeforeStored, Kind::Histories, 0),
    (Plant::EpochBeforeHistory, Kind::Histories, 224),
    (Plant::CutForgotten, Kind::Histories, 2),
    (Plant::VoteBeforeDurable, Kind::Histories, 13),
    (Plant::AheadIgnored, Kind::Histories, 0),
    (Plant::AckBeforeNewLeader, Kind::Histories, 273),
    (Plant::PromiseForgotten, Kind::Histories, 720),
    (Plant::InheritedShownEarly, Kind::Histories, 428),
    (Plant::InheritedBare, Kind::Histories, 4484),
    (Plant::SnapBelowPeer, Kind::Histories, 154),
    (Plant::StockCut, Kind::Histories, 5),
    (Plant::ConfirmedAlone, Kind::Histories, 131),
    (Plant::TailShown, Kind::Servers, 5),
    (Plant::SyncBeforeCommits, Kind::Servers, 2),
    (Plant::TouchesForgotten, Kind::Servers, 0),
    (Plant::SessionsWithoutTime, Kind::Servers, 0),
    (Plant::OwnerIgnored, Kind::Servers, 0),
    (Plant::HeadKept, Kind::Servers, 12),
    (Plant::NextQuorumIgnored, Kind::Histories, 26),
    (Plant::ProposedInForce, Kind::Histories, 38),
    (Plant::ProposedInformed, Kind::Histories, 13),
];

/// A run of this kind without faults of its own.
fn sound(kind: Kind, seed: u64) -> Setup {
    Setup { seed, kind, plant: None, is_logged: false }
}

#[test]
fn seeds_without_a_plant_have_no_violation() {
    for seed in 0..SEEDS {
        let run = run(sound(Kind::of_seed(seed), seed));
        assert!(run.is_ok(), "seed {seed}: {run:?}");
    }
}

#[test]
fn a_seed_is_a_run() {
    for kind in [Kind::Histories, Kind::Servers] {
        let setup = sound(kind, 7);
        assert_eq!(run(setup), run(setup));
    }
}

#[test]
fn plants_are_found() {
    for (plant, kind, first) in FOUND_BY {
        let is_found = |seed| run(Setup { plant: Some(plant), ..sound(kind, seed) }).is_err();
        let is_found = is_found(first) || (0..FOUND_WITHIN).any(is_found);
        assert!(is_found, "{plant:?} was not found in {FOUND_WITHIN} seeds");
    }
}

#[test]
fn every_plant_is_looked_for() {
    let is_listed = |plant: &Plant| FOUND_BY.iter().any(|(found, ..)| found == plant);
    assert!(Plant::ALL.iter().all(is_listed));
}

#[test]
fn some_rules_exist_for_stock_learners_only() {
    for plant in [Plant::InheritedBare, Plant::SnapBelowPeer, Plant::StockCut] {
        // In these seeds all servers are ours.
        for seed in [1, 2, 3, 6, 7, 8, 11, 12, 13] {
            let run = run(Setup { plant: Some(plant), ..sound(Kind::Histories, seed) });
            assert!(run.is_ok(), "{plant:?}, seed {seed}: {run:?}");
        }
    }
}

#[test]
fn epochs_end_when_they_are_full() {
    let report = run(sound(Kind::Histories, 7)).expect("no violation");
    assert!(report.full_epochs > 0, "{report}");
}
