//! Distributions of times on a grid: added (convolved), mixed, and read at a quantile.
//!
//! The cell `i` holds the probability of a time within half a step of `i` steps, so that sums of
//! times stay on the grid and keep their mean. A quantile is interpolated within its cell: its
//! error is a part of a step. With 512 cells over a range of ten standard deviations a step is
//! about half a percent of a 99th percentile. What lies beyond the last cell is kept as one
//! probability, at the end of the grid.

use crate::numeric::special::{gamma_cdf, gamma_quantile};

/// Cells of every grid that the model uses.
pub const CELLS: usize = 512;
/// A probability that adds nothing to any sum here.
const NOTHING: f64 = 1e-13;
/// Below this, a variable does not vary.
const SCV_MIN: f64 = 1e-5;

/// Equal steps from zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Between two cells.
    pub step_s: f64,
}

impl Grid {
    /// A grid that ends at a time, which is positive.
    pub fn to(end_s: f64) -> Self {
        Self { step_s: end_s / CELLS as f64 }
    }
}

/// A positive variable by two moments, with the gamma distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gamma {
    /// Its mean; 0 is a constant 0.
    pub mean_s: f64,
    /// Its variance by its squared mean; 0 is a constant.
    pub scv: f64,
}

impl Gamma {
    /// The probability of at most `t_s`.
    pub fn cdf(&self, t_s: f64) -> f64 {
        if self.is_constant() {
            return if t_s >= self.mean_s { 1.0 } else { 0.0 };
        }
        gamma_cdf(1.0 / self.scv, t_s / (self.scv * self.mean_s))
    }

    /// The probability that at most `t_s` is left of it at a random moment of it: the equilibrium
    /// distribution, whose density is `(1 - cdf) / mean`.
    pub fn rest_cdf(&self, t_s: f64) -> f64 {
        let t_s = t_s.max(0.0);
        if self.is_constant() {
            return if t_s >= self.mean_s { 1.0 } else { t_s / self.mean_s };
        }
        let scaled = t_s / (self.scv * self.mean_s);
        let longer = 1.0 - gamma_cdf(1.0 / self.scv, scaled);
        (longer * t_s / self.mean_s + gamma_cdf(1.0 / self.scv + 1.0, scaled)).min(1.0)
    }

    /// What is exceeded with probability `1 - p`.
    pub fn quantile_s(&self, p: f64) -> f64 {
        if self.is_constant() {
            return self.mean_s;
        }
        gamma_quantile(1.0 / self.scv, p) * self.scv * self.mean_s
    }

    /// Whether it does not vary.
    pub fn is_constant(&self) -> bool {
        self.scv < SCV_MIN || self.mean_s <= 0.0
    }

    /// Its variance, in squared seconds.
    pub fn variance(&self) -> f64 {
        self.scv * self.mean_s * self.mean_s
    }
}

/// A distribution of times on a grid. Its parts add up to 1 unless it is built up in pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    grid: Grid,
    mass: Vec<f64>,
    beyond: f64,
}

impl Distribution {
    /// No probability yet: for pieces to be added to.
    pub fn empty(grid: Grid) -> Self {
        Self { grid, mass: vec![0.0; CELLS], beyond: 0.0 }
    }

    /// Always the same time; between two cells, both have their part of it.
    pub fn constant(grid: Grid, at_s: f64) -> Self {
        let mut all = Self::empty(grid);
        all.add_at(at_s, 1.0);
        all
    }

    /// From the probability of at most `t`.
    pub fn of_cdf(grid: Grid, cdf: impl Fn(f64) -> f64) -> Self {
        let mut mass = Vec::with_capacity(CELLS);
        let mut below = 0.0;
        for cell in 0..CELLS {
            let through = cdf((cell as f64 + 0.5) * grid.step_s);
            mass.push((through - below).max(0.0));
            below = through;
        }
        Self { grid, mass, beyond: (1.0 - below).max(0.0) }
    }

    /// The distribution of a gamma variable.
    pub fn of_gamma(grid: Grid, gamma: &Gamma) -> Self {
        if gamma.is_constant() {
            return Self::constant(grid, gamma.mean_s);
        }
        Self::of_cdf(grid, |t_s| gamma.cdf(t_s))
    }

    /// Adds a probability at one time.
    pub fn add_at(&mut self, at_s: f64, probability: f64) {
        let steps = (at_s / self.grid.step_s).max(0.0);
        let cell = steps as usize;
        let above = steps - cell as f64;
        self.add_cell(cell, probability * (1.0 - above));
        self.add_cell(cell + 1, probability * above);
    }

    /// Adds a probability that is spread evenly between two times.
    pub fn add_between(&mut self, from_s: f64, to_s: f64, probability: f64) {
        let step = self.grid.step_s;
        if to_s - from_s < 0.25 * step {
            return self.add_at(0.5 * (from_s + to_s), probability);
        }
        let density = probability / (to_s - from_s);
        let (first, last) = ((from_s / step + 0.5) as usize, (to_s / step + 0.5) as usize);
        let mut given = 0.0;
        for cell in first..=last.min(CELLS - 1) {
            let begin = ((cell as f64 - 0.5) * step).max(from_s);
            let end = ((cell as f64 + 0.5) * step).min(to_s);
            let part = density * (end - begin).max(0.0);
            self.add_cell(cell, part);
            given += part;
        }
        self.beyond += (probability - given).max(0.0);
    }

    fn add_cell(&mut self, cell: usize, probability: f64) {
        match self.mass.get_mut(cell) {
            Some(mass) => *mass += probability,
            None => self.beyond += probability,
        }
    }

    /// Adds another one, weighted.
    pub fn add(&mut self, weight: f64, other: &Self) {
        for (mass, added) in self.mass.iter_mut().zip(&other.mass) {
            *mass += weight * added;
        }
        self.beyond += weight * other.beyond;
    }

    /// One of several, each with its probability.
    ///
    /// # Panics
    /// There are none.
    #[must_use]
    pub fn mixed(parts: &[(f64, &Self)]) -> Self {
        let mut all = Self::empty(parts[0].1.grid);
        for (weight, part) in parts {
            all.add(*weight, part);
        }
        all
    }

    /// The sum of two independent times. Both are on the same grid.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = Self::empty(self.grid);
        let end = other.mass.iter().rposition(|&mass| mass > NOTHING).map_or(0, |last| last + 1);
        for (shift, &weight) in self.mass.iter().enumerate() {
            if weight > NOTHING {
                let room = end.min(CELLS - shift);
                let into = &mut sum.mass[shift..shift + room];
                into.iter_mut().zip(&other.mass).for_each(|(sum, mass)| *sum += weight * mass);
            }
        }
        let given: f64 = sum.mass.iter().sum();
        sum.beyond = (self.total() * other.total() - given).max(0.0);
        sum
    }

    /// The sum of a geometric number of independent times, one more with probability `more`, below
    /// 1 (Panjer's recursion).
    #[must_use]
    pub fn geometric_sum(&self, more: f64) -> Self {
        let mut sum = Self::empty(self.grid);
        let front = 1.0 / (1.0 - more * self.mass[0]);
        let end = self.mass.iter().rposition(|&mass| mass > NOTHING).map_or(0, |last| last + 1);
        let mut given = 0.0;
        for cell in 0..CELLS {
            let terms = self.mass[..end.min(cell + 1)].iter().enumerate().skip(1);
            let earlier: f64 = terms.map(|(n, mass)| mass * sum.mass[cell - n]).sum();
            let none = if cell == 0 { 1.0 - more } else { 0.0 };
            sum.mass[cell] = front * (none + more * earlier);
            given += sum.mass[cell];
        }
        sum.beyond = (1.0 - given).max(0.0);
        sum
    }

    /// Twice the time.
    #[must_use]
    pub fn doubled(&self) -> Self {
        let mut twice = Self::empty(self.grid);
        let step = self.grid.step_s;
        twice.add_at(0.0, self.mass[0]);
        for (cell, &mass) in self.mass.iter().enumerate().skip(1).filter(|(_, it)| **it > NOTHING) {
            let middle = 2.0 * cell as f64 * step;
            twice.add_between(middle - step, middle + step, mass);
        }
        twice.beyond += self.beyond;
        twice
    }

    /// All of its probability: 1, unless it is a piece.
    pub fn total(&self) -> f64 {
        self.mass.iter().sum::<f64>() + self.beyond
    }

    /// The mean; what is beyond the grid counts as its end.
    pub fn mean_s(&self) -> f64 {
        let inside: f64 = self.mass.iter().enumerate().map(|(i, mass)| i as f64 * mass).sum();
        (inside + CELLS as f64 * self.beyond) * self.grid.step_s
    }

    /// What is exceeded with probability `1 - p`; the end of the grid if that is beyond it.
    pub fn quantile_s(&self, p: f64) -> f64 {
        let mut below = 0.0;
        for (cell, &mass) in self.mass.iter().enumerate() {
            if below + mass >= p {
                let inside = (p - below) / mass;
                return (cell as f64 - 0.5 + inside).max(0.0) * self.grid.step_s;
            }
            below += mass;
        }
        CELLS as f64 * self.grid.step_s
    }

    /// The probability of at most each cell's time, for functions of several distributions.
    pub fn cumulative(&self) -> Vec<f64> {
        let mut below = 0.0;
        let mut through = |mass: &f64| {
            below += mass;
            below.min(1.0)
        };
        self.mass.iter().map(&mut through).collect()
    }

    /// The inverse of [`Self::cumulative`].
    pub fn of_cumulative(grid: Grid, cumulative: &[f64]) -> Self {
        let mut below = 0.0;
        let mut mass = Vec::with_capacity(CELLS);
        for &through in cumulative {
            mass.push((through - below).max(0.0));
            below = through.max(below);
        }
        Self { grid, mass, beyond: (1.0 - below).max(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::assert_near;

    const GRID: Grid = Grid { step_s: 0.02 };

    fn exponential() -> Distribution {
        Distribution::of_gamma(GRID, &Gamma { mean_s: 1.0, scv: 1.0 })
    }

    #[test]
    fn two_exponentials_are_a_gamma() {
        let sum = exponential().plus(&exponential());
        assert_near(sum.mean_s(), 2.0, 1e-3);
        let gamma = Gamma { mean_s: 2.0, scv: 0.5 };
        for p in [0.1, 0.5, 0.9, 0.99] {
            assert_near(sum.quantile_s(p), gamma.quantile_s(p), 2e-3);
        }
    }

    #[test]
    fn pieces_keep_their_mean_and_total() {
        let mut pieces = Distribution::empty(GRID);
        pieces.add_at(1.234_5, 0.25);
        pieces.add_between(0.333, 2.777, 0.5);
        pieces.add_between(1.0, 1.001, 0.25);
        assert_near(pieces.total(), 1.0, 1e-12);
        assert_near(pieces.mean_s(), 0.25 * 1.234_5 + 0.5 * 1.555 + 0.25 * 1.000_5, 1e-3);
        let again = Distribution::of_cumulative(GRID, &pieces.cumulative());
        assert_near(again.mean_s(), pieces.mean_s(), 1e-12);
    }

    #[test]
    fn what_is_beyond_the_grid_is_kept() {
        let mut late = Distribution::constant(GRID, 100.0);
        assert_near(late.beyond, 1.0, 1e-12);
        late = late.plus(&exponential());
        assert_near(late.total(), 1.0, 1e-9);
        assert_near(late.quantile_s(0.5), GRID.step_s * CELLS as f64, 1e-12);
        let mut wide = Distribution::empty(GRID);
        wide.add_between(5.0, 15.0, 1.0);
        assert_near(wide.total(), 1.0, 1e-12);
    }
}
