//! Special functions, to about twelve digits where not said otherwise.
//!
//! Sources: Press et al., *Numerical Recipes*, third edition, sections 6.1, 6.2, 6.4; the series
//! of the gamma function's logarithm is that of Lanczos with g = 7.

use std::f64::consts::PI;

const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// Iterations after which a series has converged for every argument of use here.
const ITERATIONS_MAX: usize = 100_000;
const PRECISION: f64 = 1e-14;
const TINY: f64 = 1e-300;

/// The logarithm of the gamma function of a positive number.
pub fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let terms = LANCZOS.iter().enumerate().skip(1);
    let sum = terms.fold(LANCZOS[0], |sum, (i, term)| sum + term / (x + i as f64));
    let t = x + 7.5;
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The probability that a gamma variable of this shape and of scale 1 is at most `x`: the
/// regularised lower incomplete gamma function. 0 for `x <= 0`.
#[expect(clippy::many_single_char_names, reason = "the letters of the source")]
pub fn gamma_cdf(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x.is_infinite() {
        return 1.0;
    }
    let front = (shape * x.ln() - x - ln_gamma(shape)).exp();
    if x < shape + 1.0 {
        let (mut term, mut sum) = (1.0 / shape, 1.0 / shape);
        for n in 1..ITERATIONS_MAX {
            term *= x / (shape + n as f64);
            sum += term;
            if term < sum * PRECISION {
                break;
            }
        }
        return (front * sum).min(1.0);
    }
    let mut b = x + 1.0 - shape;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut fraction = d;
    for n in 1..ITERATIONS_MAX {
        let a = -(n as f64) * (n as f64 - shape);
        b += 2.0;
        d = 1.0 / not_zero(a * d + b);
        c = not_zero(b + a / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < PRECISION {
            break;
        }
    }
    (1.0 - front * fraction).clamp(0.0, 1.0)
}

/// The value that a gamma variable of this shape and of scale 1 exceeds with probability `1 - p`;
/// `0 <= p < 1`.
pub fn gamma_quantile(shape: f64, p: f64) -> f64 {
    let high = shape + 40.0 * shape.sqrt() + 40.0;
    bisect(0.0, high, |x| gamma_cdf(shape, x) < p)
}

/// The value that Student's t with so many degrees of freedom exceeds with probability `1 - p`;
/// `0.5 <= p < 1`. To eight digits.
pub fn student_quantile(p: f64, freedom: f64) -> f64 {
    let below = |t: f64| {
        let outside = beta_cdf(freedom / (freedom + t * t), 0.5 * freedom, 0.5);
        1.0 - 0.5 * outside < p
    };
    let mut high = 2.0;
    while below(high) && high < 1e9 {
        high *= 2.0;
    }
    bisect(0.0, high, below)
}

/// The regularised incomplete beta function.
#[expect(clippy::many_single_char_names, reason = "the letters of the source")]
fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_cdf(1.0 - x, b, a);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    let (mut c, mut d) = (1.0, 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for n in 1..ITERATIONS_MAX {
        let n = n as f64;
        let even = n * (b - n) * x / ((a + 2.0 * n - 1.0) * (a + 2.0 * n));
        let odd = -(a + n) * (a + b + n) * x / ((a + 2.0 * n) * (a + 2.0 * n + 1.0));
        let before = fraction;
        for step in [even, odd] {
            d = 1.0 / not_zero(1.0 + step * d);
            c = not_zero(1.0 + step / c);
            fraction *= d * c;
        }
        if (fraction / before - 1.0).abs() < PRECISION {
            break;
        }
    }
    front.exp() * fraction / a
}

fn not_zero(x: f64) -> f64 {
    if x.abs() < TINY { TINY } else { x }
}

/// Where a condition that holds at the low end stops to hold, to the last digit but a few.
pub fn bisect(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, expected: f64, error: f64) {
        assert!((found - expected).abs() <= error * expected.abs().max(1e-9), "{found} {expected}");
    }

    #[test]
    fn factorials_are_gammas() {
        let mut factorial = 1.0_f64;
        for n in 1..30 {
            factorial *= n as f64;
            assert!((ln_gamma(n as f64 + 1.0) - factorial.ln()).abs() < 1e-10);
        }
        assert_near(ln_gamma(0.25).exp(), 3.625_609_908_221_908, 1e-12);
    }

    #[test]
    fn whole_shapes_are_sums_of_exponentials() {
        for shape in [1_u32, 2, 5, 40] {
            for x in [0.1, 1.0, 4.0, 39.0, 70.0] {
                let mut term = 1.0;
                let mut sum = 1.0;
                for k in 1..shape {
                    term *= x / f64::from(k);
                    sum += term;
                }
                let expected = 1.0 - f64::exp(-x) * sum;
                assert!((gamma_cdf(f64::from(shape), x) - expected).abs() < 1e-11);
            }
        }
        // Half of the square of a normal variable has the shape 1/2: one in 20 is beyond 1.96.
        assert_near(gamma_cdf(0.5, 0.5 * 1.959_963_985 * 1.959_963_985), 0.95, 1e-8);
    }

    #[test]
    fn quantiles_invert() {
        for shape in [0.3, 1.0, 7.5, 900.0] {
            for p in [0.01, 0.5, 0.99, 0.9999] {
                assert_near(gamma_cdf(shape, gamma_quantile(shape, p)), p, 1e-9);
            }
        }
    }

    /// The table at the end of every book of statistics.
    #[test]
    fn students_table() {
        let table = [(1.0, 12.706_205), (2.0, 4.302_653), (4.0, 2.776_445), (30.0, 2.042_272)];
        for (freedom, expected) in table {
            assert_near(student_quantile(0.975, freedom), expected, 1e-6);
        }
        assert_near(student_quantile(0.975, 1e7), 1.959_964, 1e-5);
    }
}
