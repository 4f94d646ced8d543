//! Numbers that the models need: special functions, and least squares.

pub mod least_squares;
pub mod special;

/// A fitted number with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The best fit.
    pub value: f64,
    /// Its standard error, from the residuals and the Jacobian at the fit.
    pub standard_error: f64,
    /// The lower end of the interval, not below the parameter's bound.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}
