//! Least squares with lower bounds: Levenberg's method with Marquardt's scaling.
//!
//! Source: Nocedal and Wright, *Numerical Optimization*, second edition, section 10.3. A parameter
//! at its bound whose residuals pull it beyond stays there for the step (an active set); the
//! Jacobian is numeric, of central differences.

use super::Estimate;
use super::special::student_quantile;
use crate::error::FitError;

const STEPS_MAX: usize = 400;
/// The step of a difference, relative to the parameter or its typical size.
const DIFFERENCE: f64 = 1e-5;
/// A relative improvement below this ends the search.
const PROGRESS_MIN: f64 = 1e-8;
/// A diagonal element this much smaller than it was is zero: the matrix has no inverse.
const SINGULAR: f64 = 1e-12;

/// A parameter: where the search begins, its least value, and the size that a change of it has.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Where the search begins; not below the bound.
    pub start: f64,
    /// The least value.
    pub bound: f64,
    /// A value of usual size, positive: differences are of a small part of it.
    pub typical: f64,
}

/// The parameters that leave the least squares.
#[derive(Clone, Debug)]
pub struct Solution {
    /// In the order they were given. The intervals are those of the linearised problem with
    /// Student's t, as if no parameter had a bound, and cut at the bounds.
    pub estimates: Vec<Estimate>,
    /// At the solution.
    pub residuals: Vec<f64>,
    /// Of their squares.
    pub sum: f64,
    /// Observations without parameters.
    pub freedom: usize,
}

/// Minimises the sum of squared residuals.
///
/// # Errors
/// There are not more residuals than parameters, or some parameter does not matter to any.
pub fn minimise(
    parameters: &[Parameter],
    mut residuals: impl FnMut(&[f64]) -> Vec<f64>,
) -> Result<Solution, FitError> {
    let mut at: Vec<f64> = parameters.iter().map(|parameter| parameter.start).collect();
    let mut left = residuals(&at);
    if left.len() <= at.len() {
        return Err(FitError::TooFew { observations: left.len(), parameters: at.len() });
    }
    let mut sum = squared(&left);
    let mut damping = 1e-3;
    for _ in 0..STEPS_MAX {
        let slopes = jacobian(parameters, &at, &mut residuals);
        let mut is_better = false;
        let mut progress = 0.0;
        while !is_better && damping < 1e12 {
            let next = step(parameters, &at, &slopes, &left, damping);
            let next_left = residuals(&next);
            let next_sum = squared(&next_left);
            is_better = next_sum <= sum && next_sum.is_finite();
            if is_better {
                progress = (sum - next_sum) / sum.max(f64::MIN_POSITIVE);
                (at, left, sum) = (next, next_left, next_sum);
                damping = (damping * 0.2).max(1e-12);
            } else {
                damping *= 4.0;
            }
        }
        if !is_better || progress < PROGRESS_MIN {
            break;
        }
    }
    let slopes = jacobian(parameters, &at, &mut residuals);
    let freedom = left.len() - at.len();
    let estimates = estimates(parameters, &at, &slopes, sum, freedom)?;
    Ok(Solution { estimates, residuals: left, sum, freedom })
}

fn squared(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// For each parameter, how each residual changes with it.
fn jacobian(
    parameters: &[Parameter],
    at: &[f64],
    residuals: &mut impl FnMut(&[f64]) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let mut slopes = Vec::with_capacity(at.len());
    for (index, parameter) in parameters.iter().enumerate() {
        let size = DIFFERENCE * at[index].abs().max(parameter.typical);
        let (mut low, mut high) = (at.to_vec(), at.to_vec());
        low[index] = (at[index] - size).max(parameter.bound);
        high[index] += size;
        let width = high[index] - low[index];
        let (below, above) = (residuals(&low), residuals(&high));
        slopes.push(below.iter().zip(&above).map(|(low, high)| (high - low) / width).collect());
    }
    slopes
}

/// The damped step from here, cut at the bounds.
fn step(
    parameters: &[Parameter],
    at: &[f64],
    slopes: &[Vec<f64>],
    left: &[f64],
    damping: f64,
) -> Vec<f64> {
    let pull: Vec<f64> = slopes.iter().map(|slope| -product(slope, left)).collect();
    let is_free = |index: usize| at[index] > parameters[index].bound || pull[index] > 0.0;
    let free: Vec<usize> = (0..at.len()).filter(|&index| is_free(index)).collect();
    let mut matrix = normal_matrix(&free.iter().map(|&i| &slopes[i][..]).collect::<Vec<_>>());
    for (index, row) in matrix.iter_mut().enumerate() {
        row[index] *= 1.0 + damping;
    }
    let right: Vec<f64> = free.iter().map(|&index| pull[index]).collect();
    let mut next = at.to_vec();
    if let Some(change) = solve(matrix, right) {
        for (&index, change) in free.iter().zip(change) {
            next[index] = (at[index] + change).max(parameters[index].bound);
        }
    }
    next
}

fn product(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

fn normal_matrix(slopes: &[&[f64]]) -> Vec<Vec<f64>> {
    slopes.iter().map(|row| slopes.iter().map(|column| product(row, column)).collect()).collect()
}

/// Solves a symmetric system, by elimination; `None` if it has no single solution.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    let diagonal: Vec<f64> = (0..size).map(|i| matrix[i][i]).collect();
    for pivot in 0..size {
        let least = SINGULAR * diagonal[pivot];
        if matrix[pivot][pivot].is_nan() || matrix[pivot][pivot] <= least {
            return None;
        }
        for row in pivot + 1..size {
            let factor = matrix[row][pivot] / matrix[pivot][pivot];
            let (upper, lower) = matrix.split_at_mut(row);
            for (below, above) in lower[0].iter_mut().zip(&upper[pivot]).skip(pivot) {
                *below -= factor * above;
            }
            right[row] -= factor * right[pivot];
        }
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}

fn estimates(
    parameters: &[Parameter],
    at: &[f64],
    slopes: &[Vec<f64>],
    sum: f64,
    freedom: usize,
) -> Result<Vec<Estimate>, FitError> {
    let matrix = normal_matrix(&slopes.iter().map(|slope| &slope[..]).collect::<Vec<_>>());
    let width = student_quantile(0.975, freedom as f64);
    let mut found = Vec::with_capacity(at.len());
    for (index, parameter) in parameters.iter().enumerate() {
        let mut unit = vec![0.0; at.len()];
        unit[index] = 1.0;
        let column = solve(matrix.clone(), unit).ok_or(FitError::Undetermined)?;
        let standard_error = (column[index] * sum / freedom as f64).sqrt();
        let value = at[index];
        let low = (value - width * standard_error).max(parameter.bound);
        let high = value + width * standard_error;
        found.push(Estimate { value, standard_error, low, high });
    }
    Ok(found)
}

/// The solution of a linear problem: for each observation the regressors, and the observed value.
pub fn linear(rows: &[(Vec<f64>, f64)]) -> Option<Vec<f64>> {
    let size = rows.first()?.0.len();
    let columns: Vec<Vec<f64>> =
        (0..size).map(|i| rows.iter().map(|(row, _)| row[i]).collect()).collect();
    let values: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
    let matrix = normal_matrix(&columns.iter().map(|column| &column[..]).collect::<Vec<_>>());
    let right = columns.iter().map(|column| product(column, &values)).collect();
    solve(matrix, right)
}
