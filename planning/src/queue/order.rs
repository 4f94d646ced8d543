//! Order statistics: the time until the k-th of n independent answers.
//!
//! Sources: David and Nagaraja, *Order Statistics*, third edition, Wiley 2003, sections 2.1
//! (distributions) and 3.2 (exponential times).

use crate::distribution::Gamma;
use crate::numeric::special::bisect;

/// A time that one of the servers takes to answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Exponential.
    Exponential {
        /// The mean.
        mean_s: f64,
    },
    /// One of two exponential times: mostly fast, sometimes slow.
    HyperExponential {
        /// The probability of the slow one.
        slow: f64,
        /// The mean of the fast one.
        fast_s: f64,
        /// The mean of the slow one.
        slow_s: f64,
    },
    /// By two moments.
    Gamma(Gamma),
    /// Measured, sorted, not empty; each is equally probable.
    Empirical(Vec<f64>),
}

impl Answer {
    /// The probability of an answer within `t_s`.
    pub fn cdf(&self, t_s: f64) -> f64 {
        let exponential = |mean_s: f64| -(-t_s.max(0.0) / mean_s).exp_m1();
        match self {
            Self::Exponential { mean_s } => exponential(*mean_s),
            Self::HyperExponential { slow, fast_s, slow_s } => {
                slow * exponential(*slow_s) + (1.0 - slow) * exponential(*fast_s)
            }
            Self::Gamma(gamma) => gamma.cdf(t_s),
            Self::Empirical(sorted) => {
                sorted.partition_point(|&it| it <= t_s) as f64 / sorted.len() as f64
            }
        }
    }

    /// A time that practically all answers are within.
    fn end_s(&self) -> f64 {
        match self {
            Self::Exponential { mean_s } => 60.0 * mean_s,
            Self::HyperExponential { fast_s, slow_s, .. } => 60.0 * fast_s.max(*slow_s),
            Self::Gamma(gamma) => gamma.quantile_s(1.0 - 1e-12) + gamma.mean_s,
            Self::Empirical(sorted) => sorted.last().copied().unwrap_or_default(),
        }
    }
}

/// The probability that at least `k` of `n` have answered, each with the given probability.
pub fn at_least(k: usize, n: usize, each: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    // The probabilities of each count, one server after the other; counts of k and more together.
    let mut counts = vec![0.0; k + 1];
    counts[0] = 1.0;
    for _ in 0..n {
        counts[k] += counts[k - 1] * each;
        for count in (1..k).rev() {
            counts[count] = counts[count] * (1.0 - each) + counts[count - 1] * each;
        }
        counts[0] *= 1.0 - each;
    }
    counts[k].min(1.0)
}

/// The mean time until `k` of `n` exponential answers: the sum of `mean / i` for the `k` largest
/// `i` up to `n`. Exact; `1 <= k <= n`.
pub fn exponential_mean_s(k: usize, n: usize, mean_s: f64) -> f64 {
    (n - k + 1..=n).map(|i| mean_s / i as f64).sum()
}

/// What `k` of `n` answers exceed with probability `1 - p`; `1 <= k <= n`.
pub fn quantile_s(k: usize, n: usize, answer: &Answer, p: f64) -> f64 {
    bisect(0.0, answer.end_s(), |t_s| at_least(k, n, answer.cdf(t_s)) < p)
}

const STEPS: usize = 20_000;

/// The mean time until `k` of `n` answers, by integration in 20,000 steps, or exactly for
/// measured ones; `1 <= k <= n`.
pub fn mean_s(k: usize, n: usize, answer: &Answer) -> f64 {
    if let Answer::Empirical(sorted) = answer {
        let through = |i: usize| at_least(k, n, i as f64 / sorted.len() as f64);
        let weight = |i: usize| through(i + 1) - through(i);
        return sorted.iter().enumerate().map(|(i, value)| value * weight(i)).sum();
    }
    let width = answer.end_s() / STEPS as f64;
    let open = |i: usize| 1.0 - at_least(k, n, answer.cdf((i as f64 + 0.5) * width));
    (0..STEPS).map(open).sum::<f64>() * width
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::{assert_near, cases};

    #[test]
    fn exponential_answers() {
        let answer = Answer::Exponential { mean_s: 2.0 };
        assert_near(exponential_mean_s(2, 3, 2.0), 2.0 * (1.0 / 3.0 + 1.0 / 2.0), 1e-12);
        for (k, n) in [(1, 1), (1, 3), (2, 3), (3, 3), (3, 5), (2, 4)] {
            assert_near(mean_s(k, n, &answer), exponential_mean_s(k, n, 2.0), 1e-4);
        }
        // The slowest of three: (1 - exp(-t / 2))^3.
        let expected = -2.0 * (1.0 - 0.99_f64.cbrt()).ln();
        assert_near(quantile_s(3, 3, &answer, 0.99), expected, 1e-9);
    }

    #[test]
    fn other_answers() {
        let mixed = Answer::HyperExponential { slow: 0.1, fast_s: 1.0, slow_s: 10.0 };
        assert_near(mean_s(1, 1, &mixed), 1.9, 1e-3);
        let gamma = Answer::Gamma(Gamma { mean_s: 2.0, scv: 1.0 });
        assert_near(mean_s(2, 3, &gamma), exponential_mean_s(2, 3, 2.0), 1e-3);
        let dice = Answer::Empirical(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_near(mean_s(2, 2, &dice), 161.0 / 36.0, 1e-12);
        assert_near(mean_s(1, 1, &dice), 3.5, 1e-12);
        assert_near(quantile_s(2, 2, &dice, 0.5), 5.0, 1e-9);
    }

    proptest! {
        #![proptest_config(cases(3, 64))]

        #[test]
        fn counts_are_those_of_the_binomial(n in 1_usize..9, each in 0.0..1.0_f64) {
            let choose = |k: usize| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
            for k in 0..=n {
                let power = |base: f64, i: usize| base.powi(i as i32);
                let tail = |i| choose(i) * power(each, i) * power(1.0 - each, n - i);
                let expected: f64 = (k..=n).map(tail).sum();
                prop_assert!((at_least(k, n, each) - expected).abs() < 1e-12);
            }
        }

        #[test]
        fn more_of_them_take_longer(n in 2_usize..8, k in 1_usize..7, p in 0.1..0.999_f64) {
            prop_assume!(k < n);
            let answer = Answer::HyperExponential { slow: 0.05, fast_s: 1.0, slow_s: 20.0 };
            prop_assert!(quantile_s(k, n, &answer, p) <= quantile_s(k + 1, n, &answer, p));
            prop_assert!(quantile_s(k, n + 1, &answer, p) <= quantile_s(k, n, &answer, p));
        }
    }
}
