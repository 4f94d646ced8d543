use proptest::prelude::*;

use super::*;
use crate::tests::cases;

fn observed(points: &[(f64, f64)]) -> Vec<Throughput> {
    points.iter().map(|&(n, per_s)| Throughput { n, per_s }).collect()
}

/// SPEC SDM 91 on a `SPARCcenter` 2000: virtual users, scripts per hour.
const SPARC_CENTER: [(f64, f64); 7] = [
    (1.0, 64.9),
    (18.0, 995.9),
    (36.0, 1652.4),
    (72.0, 1853.2),
    (108.0, 1828.9),
    (144.0, 1775.0),
    (216.0, 1702.2),
];

/// A ray tracer: processors, images per hour. Its best fit has no coherency.
const RAY_TRACER: [(f64, f64); 11] = [
    (1.0, 20.0),
    (4.0, 78.0),
    (8.0, 130.0),
    (12.0, 170.0),
    (16.0, 190.0),
    (20.0, 200.0),
    (24.0, 210.0),
    (28.0, 230.0),
    (32.0, 260.0),
    (48.0, 280.0),
    (64.0, 310.0),
];

fn assert_digits(found: f64, published: f64, unit: f64) {
    assert!((found - published).abs() <= 0.51 * unit, "{found}, published {published}");
}

/// Against what `usl` of R 3.6 prints for its own data, in all the digits that it prints.
#[test]
fn the_published_fit() {
    let law = fit(&observed(&SPARC_CENTER)).unwrap();
    assert_digits(law.contention.value, 0.027_728_5, 1e-6);
    assert_digits(law.contention.standard_error, 0.009_121_7, 1e-7);
    assert_digits(law.coherency.value, 0.000_104_4, 1e-7);
    assert_digits(law.coherency.standard_error, 0.000_019_9, 1e-7);
    assert_digits(law.one_per_s.value, 89.995, 1e-2);
    assert_digits(law.one_per_s.standard_error, 14.213, 1e-2);
    assert_digits(law.residual_standard_error, 82.8, 0.1);
    assert_digits(law.r_squared, 0.99, 0.01);
    let least = law.residuals.iter().copied().fold(f64::MAX, f64::min);
    let most = law.residuals.iter().copied().fold(f64::MIN, f64::max);
    assert_digits(least, -81.7, 0.1);
    assert_digits(most, 111.1, 0.1);
    assert_digits(law.peak().unwrap(), 96.5, 0.1);
}

/// The second set of the same package, whose coherency is at its bound.
#[test]
fn a_parameter_at_its_bound() {
    let law = fit(&observed(&RAY_TRACER)).unwrap();
    assert_digits(law.contention.value, 0.0578, 1e-4);
    assert_eq!(law.coherency.value.to_bits(), 0.0_f64.to_bits());
    assert_digits(law.one_per_s.value, 21.8488, 1e-4);
    // Its intervals, 0.033677 to 0.081864 and so on, are of Student's t at 0.95 with ten degrees.
    let published = |half_width: f64| half_width / 1.812_461;
    assert_digits(law.contention.standard_error, published(0.024_093_5), 1e-6);
    assert_digits(law.coherency.standard_error, published(0.000_214), 1e-6);
    assert_digits(law.one_per_s.standard_error, published(3.980_463), 1e-3);
    assert_eq!(law.peak(), None);
    assert_digits(law.limit_per_s().unwrap(), 21.8488 / 0.0578, 1.0);
}

#[test]
fn what_determines_nothing_is_refused() {
    let few = fit(&observed(&SPARC_CENTER[..3]));
    assert_eq!(few, Err(FitError::TooFew { observations: 3, parameters: 3 }));
    let same = fit(&observed(&[(4.0, 10.0), (4.0, 11.0), (4.0, 12.0), (4.0, 10.0)]));
    assert_eq!(same, Err(FitError::Undetermined));
    let negative = fit(&observed(&[(1.0, 1.0), (2.0, -2.0), (3.0, 3.0), (4.0, 4.0)]));
    assert_eq!(negative, Err(FitError::Observation { index: 1 }));
}

proptest! {
    #![proptest_config(cases(1, 64))]

    /// Observations that follow the law give its parameters back.
    #[test]
    fn exact_observations_are_recovered(
        one in 1.0..1e5_f64,
        contention in 0.0..0.3_f64,
        coherency in 0.0..0.01_f64,
    ) {
        let n = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        let points = n.map(|n| (n, throughput(one, contention, coherency, n)));
        let law = fit(&observed(&points)).unwrap();
        prop_assert!((law.one_per_s.value / one - 1.0).abs() < 1e-5);
        prop_assert!((law.contention.value - contention).abs() < 1e-5);
        prop_assert!((law.coherency.value - coherency).abs() < 1e-6);
        prop_assert!(law.r_squared > 0.999_99);
    }
}
