//! The universal scalability law, fitted to measured throughputs.
//!
//! `X(n) = l n / (1 + s (n - 1) + k n (n - 1))`: the throughput of `n` clients, cores or servers,
//! where `l` is the throughput of one, `s` the part of the work that is done one after the other
//! (contention) and `k` what each pair costs to agree (coherency). With `k > 0` throughput has a
//! peak; with `k = 0` it is Amdahl's law. Source: Gunther, *Guerrilla Capacity Planning*, Springer
//! 2007, chapters 4 to 6; a fit of all three parameters as in the package `usl` of R, version 2.

use crate::error::FitError;
use crate::numeric::Estimate;
use crate::numeric::least_squares::{Parameter, linear, minimise};

/// One measured throughput.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throughput {
    /// Clients, cores or servers; positive, and not less than 1 for a sound fit.
    pub n: f64,
    /// Requests per second; positive.
    pub per_s: f64,
}

/// The fitted law.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalability {
    /// The throughput of one.
    pub one_per_s: Estimate,
    /// Contention, at least 0.
    pub contention: Estimate,
    /// Coherency, at least 0.
    pub coherency: Estimate,
    /// Measured less fitted, requests per second, in the order of the observations.
    pub residuals: Vec<f64>,
    /// The part of the variance that the law explains. For a law that is not linear it may be
    /// below 0, and a high value alone does not make a fit good: look at the residuals too.
    pub r_squared: f64,
    /// Of the residuals, with the degrees of freedom that the fit leaves.
    pub residual_standard_error: f64,
}

impl Scalability {
    /// The throughput of `n`.
    pub fn at(&self, n: f64) -> f64 {
        let (one, contention) = (self.one_per_s.value, self.contention.value);
        throughput(one, contention, self.coherency.value, n)
    }

    /// The `n` of the highest throughput, `sqrt((1 - s) / k)`, at least 1. `None` if throughput
    /// grows for ever, without coherency.
    pub fn peak(&self) -> Option<f64> {
        let (contention, coherency) = (self.contention.value, self.coherency.value);
        let peak = ((1.0 - contention).max(0.0) / coherency).sqrt();
        peak.is_finite().then_some(peak.max(1.0))
    }

    /// What no `n` exceeds: the throughput at the peak, or that of Amdahl's law. `None` without
    /// contention and coherency.
    pub fn limit_per_s(&self) -> Option<f64> {
        let limit = match self.peak() {
            Some(peak) => self.at(peak),
            None => self.one_per_s.value / self.contention.value,
        };
        limit.is_finite().then_some(limit)
    }
}

fn throughput(one: f64, contention: f64, coherency: f64, n: f64) -> f64 {
    one * n / (1.0 + contention * (n - 1.0) + coherency * n * (n - 1.0))
}

/// Fits the law by least squares of the throughputs; no parameter is negative.
///
/// # Errors
/// Fewer than four observations, values that are not positive, or all at the same `n`.
pub fn fit(observations: &[Throughput]) -> Result<Scalability, FitError> {
    let is_sound = |value: f64| value.is_finite() && value > 0.0;
    let unsound = |it: &Throughput| !is_sound(it.n) || !is_sound(it.per_s);
    if let Some(index) = observations.iter().position(unsound) {
        return Err(FitError::Observation { index });
    }
    if observations.len() < 4 {
        return Err(FitError::TooFew { observations: observations.len(), parameters: 3 });
    }
    let [one, contention, coherency] = linearised(observations)?;
    let parameters = [
        Parameter { start: one, bound: 1e-9 * one, typical: one },
        Parameter { start: contention, bound: 0.0, typical: contention.max(1e-3) },
        Parameter { start: coherency, bound: 0.0, typical: coherency.max(1e-6) },
    ];
    let solution = minimise(&parameters, |at| {
        let fitted = |it: &Throughput| it.per_s - throughput(at[0], at[1], at[2], it.n);
        observations.iter().map(fitted).collect()
    })?;
    let mean = observations.iter().map(|it| it.per_s).sum::<f64>() / observations.len() as f64;
    let total: f64 = observations.iter().map(|it| (it.per_s - mean).powi(2)).sum();
    let estimates = solution.estimates;
    Ok(Scalability {
        one_per_s: estimates[0],
        contention: estimates[1],
        coherency: estimates[2],
        residuals: solution.residuals,
        r_squared: 1.0 - solution.sum / total.max(f64::MIN_POSITIVE),
        residual_standard_error: (solution.sum / solution.freedom as f64).sqrt(),
    })
}

/// Where the search begins: `n / X` is linear in `1 / l`, `s / l` and `k / l`.
fn linearised(observations: &[Throughput]) -> Result<[f64; 3], FitError> {
    let row = |it: &Throughput| (vec![1.0, it.n - 1.0, it.n * (it.n - 1.0)], it.n / it.per_s);
    let rows: Vec<_> = observations.iter().map(row).collect();
    let found = linear(&rows).ok_or(FitError::Undetermined)?;
    let most = observations.iter().map(|it| it.per_s / it.n).fold(0.0, f64::max);
    let one = if found[0] > 0.0 { 1.0 / found[0] } else { most };
    Ok([one, (found[1] * one).max(0.0), (found[2] * one).max(0.0)])
}

#[cfg(test)]
mod tests;
