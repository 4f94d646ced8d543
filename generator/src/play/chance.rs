//! Random choices, the same in each run: keys, operations, arrivals.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp1, Zipf};

use crate::limits::SEED;
use crate::workload::{Draw, OpSpec, Workload};

/// Lives in: the player.
pub(super) struct Chance {
    rng: SmallRng,
    key_count: u64,
    zipf: Option<Zipf<f64>>,
    /// The weights, summed up from the first.
    sums: Vec<u64>,
}

impl Chance {
    pub(super) fn new(workload: &Workload) -> Self {
        let key_count = workload.keys.count.value();
        let skew = workload.keys.skew_percent.value() as f64 / 100.0;
        let zipf = (workload.keys.draw == Draw::Zipf)
            .then(|| Zipf::new(key_count as f64, skew).expect("both were checked to be positive"));
        let mut sum = 0;
        let add = |op: &toml::Spanned<OpSpec>| {
            sum += op.get_ref().weight.value();
            sum
        };
        let sums = workload.ops.iter().map(add).collect();
        Self { rng: SmallRng::seed_from_u64(SEED), key_count, zipf, sums }
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.rng.random_range(0..bound)
    }

    pub(super) fn key(&mut self) -> u64 {
        match &self.zipf {
            None => self.rng.random_range(0..self.key_count),
            // Ranks begin at 1.
            Some(zipf) => (zipf.sample(&mut self.rng) as u64).clamp(1, self.key_count) - 1,
        }
    }

    /// An operation by its weight; `None` if there is none.
    pub(super) fn op(&mut self) -> Option<usize> {
        let all = self.sums.last().copied().filter(|sum| *sum > 0)?;
        let drawn = self.rng.random_range(0..all);
        Some(self.sums.partition_point(|sum| *sum <= drawn))
    }

    /// The time between two arrivals of a Poisson process, at least 1 ns.
    pub(super) fn gap_ns(&mut self, rate: f64) -> f64 {
        let gap: f64 = Exp1.sample(&mut self.rng);
        (gap * 1e9 / rate).max(1.0)
    }
}
