//! What was measured in several rounds: the value that counts, and how far chance alone moves what
//! is computed of all rounds.

use crate::numeric::special::student_quantile;

/// The mean of the middle half (the interquartile mean); `None` of no values. It is as deaf to a
/// round that something else disturbed as the median, and made of more rounds.
pub fn middle(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    // Each value is an interval as long as 1: how much of it is in the middle half.
    let part = |at: usize| {
        let from = at as f64;
        ((from + 1.0).min(0.75 * count) - from.max(0.25 * count)).max(0.0)
    };
    let sum: f64 = values.iter().enumerate().map(|(at, value)| part(at) * value).sum();
    (count > 0.0).then(|| sum / (0.5 * count))
}

/// How far from what it would be of endless rounds something is that is computed of all rounds, by
/// what it is of all but the first, all but the second, and so on (the jackknife; Efron and
/// Tibshirani, *An Introduction to the Bootstrap*, Chapman & Hall 1993, chapter 11), as an interval
/// of 95 %: of a mean exactly, of a middle half in nine of ten cases. `None` of fewer than two.
///
/// Rounds are taken to be independent: that the whole hour is a bad one is not seen.
pub fn chance(without_each: &[f64]) -> Option<f64> {
    let count = without_each.len() as f64;
    if count < 2.0 {
        return None;
    }
    let mean = without_each.iter().sum::<f64>() / count;
    let squares: f64 = without_each.iter().map(|it| (it - mean).powi(2)).sum();
    Some(student_quantile(0.975, count - 1.0) * (squares * (count - 1.0) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::assert_near;

    #[test]
    fn the_middle_half_counts() {
        assert_eq!(middle(&[]), None);
        assert_eq!(middle(&[7.0]), Some(7.0));
        assert_eq!(middle(&[4.0, 1.0]), Some(2.5));
        // A quarter of the outer ones, and all of the one between.
        assert_eq!(middle(&[5.0, 1.0, 2.0]), Some((0.25 * 6.0 + 2.0) / 1.5));
        assert_eq!(middle(&[9e9, 3.0, 1.0, 2.0]), Some(2.5));
        assert_eq!(middle(&[9e9, 1.0, 2.0, 3.0, 4.0, 5.0, 9e9, -9e9]), Some(3.5));
    }

    /// Of a mean it is the interval that textbooks give.
    #[test]
    fn chance_of_a_mean_is_students() {
        let all = [1.0, 2.0, 3.0, 4.0, 5.0];
        let without = all.map(|it| (15.0 - it) / 4.0);
        assert_near(chance(&without).unwrap(), 2.776_445 * 2.5_f64.sqrt() / 5.0_f64.sqrt(), 1e-6);
        assert_eq!(chance(&[2.0, 2.0]), Some(0.0));
        assert_eq!([chance(&[]), chance(&[1.0])], [None, None]);
    }

    /// Rounds of which some are disturbed by far.
    #[test]
    fn the_truth_is_as_near_as_is_said() {
        const SAMPLES: u32 = 500;
        const ROUNDS: usize = 12;
        let mut source = fastrand::Rng::with_seed(1);
        let mut uniform = || source.f64();
        let mut round = || {
            let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            let disturbed = if uniform() < 0.1 { 8.0 * (uniform() - 0.5) } else { 0.0 };
            0.5 * normal + disturbed
        };
        let near = (0..SAMPLES).filter(|_| {
            let rounds: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
            let without = |at| {
                let mut others = rounds.clone();
                others.remove(at);
                middle(&others).unwrap()
            };
            let without: Vec<f64> = (0..ROUNDS).map(without).collect();
            middle(&rounds).unwrap().abs() <= chance(&without).unwrap()
        });
        let share = near.count() as f64 / f64::from(SAMPLES);
        assert!((0.89..0.97).contains(&share), "{share}");
    }
}
