//! What the tests of several modules have in common.

use proptest::test_runner::{Config, RngSeed};

/// So many cases, the same in every run.
pub(crate) fn cases(seed: u64, count: u32) -> Config {
    let rng_seed = RngSeed::Fixed(seed);
    Config { cases: count, rng_seed, failure_persistence: None, ..Config::default() }
}

/// Whether a value is the expected one, within a relative error.
pub(crate) fn assert_near(found: f64, expected: f64, error: f64) {
    assert!((found / expected - 1.0).abs() < error, "{found}, expected {expected}");
}
