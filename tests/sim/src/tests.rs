//! The simulator's own tests.

use crate::world::{Setup, run};
use engine::zab::Plant;

/// Seeds that are run with every build.
const SEEDS: u64 = 30;

/// Within so many seeds a planted fault is found.
const FOUND_WITHIN: u64 = 1_000;

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
    for plant in Plant::ALL {
        let is_found = |seed| run(Setup { seed, plant: Some(plant), is_logged: false }).is_err();
        assert!((0..FOUND_WITHIN).any(is_found), "{plant:?} was not found in {FOUND_WITHIN} seeds");
    }
}
