//! Times drawn from a seed.

use fastrand::Rng;

/// A source of times.
pub(super) struct Random {
    source: Rng,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { source: Rng::with_seed(seed) }
    }

    /// A number below a bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.source.usize(..bound)
    }

    /// From 0 to 1.
    pub(super) fn part(&mut self) -> f64 {
        self.source.f64()
    }

    /// An exponential time.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.source.f64()).ln()
    }

    fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential(1.0)).sqrt();
        radius * (std::f64::consts::TAU * self.source.f64()).cos()
    }

    /// A positive time with this mean and squared coefficient of variation, gamma-distributed
    /// (Marsaglia and Tsang, ACM TOMS 26, 2000).
    #[expect(clippy::many_single_char_names, reason = "the letters of the source")]
    pub(super) fn time(&mut self, mean: f64, scv: f64) -> f64 {
        if scv < 1e-5 || mean <= 0.0 {
            return mean;
        }
        let shape = 1.0 / scv;
        let raised = if shape < 1.0 { shape + 1.0 } else { shape };
        let d = raised - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        let drawn = loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.source.f64();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                break d * v;
            }
        };
        let lowered = if shape < 1.0 { (1.0 - self.source.f64()).powf(1.0 / shape) } else { 1.0 };
        drawn * lowered * mean * scv
    }
}
