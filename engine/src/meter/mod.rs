//! What a role has counted and measured, for reports: sums and extremes, quantiles, and the traffic
//! of each part of the tree.
//!
//! Plain values with one writer. Nothing here affects decisions; a report takes a copy.

#[cfg(test)]
mod tests;
mod traffic;

pub use traffic::{OpenTraffic, PART_BYTES_MAX, PARTS_MAX, Traffic, part_of};

/// A count of numbers, with their sum, least and greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// Together.
    pub sum: u64,
    /// The least; anything while there are none.
    pub min: u64,
    /// The greatest; anything while there are none.
    pub max: u64,
}

impl Spread {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: u64) {
        self.min = if self.count == 0 { number } else { self.min.min(number) };
        self.max = self.max.max(number);
        self.count += 1;
        self.sum += number;
    }

    /// Adds the numbers of another.
    pub fn merge(&mut self, other: Self) {
        match (self.count, other.count) {
            (_, 0) => {}
            (0, _) => *self = other,
            _ => {
                self.count += other.count;
                self.sum += other.sum;
                self.min = self.min.min(other.min);
                self.max = self.max.max(other.max);
            }
        }
    }
}

/// Numbers below this are kept exactly.
const EXACT: u64 = 256;

/// Buckets between a power of two and the next one: a number is known to 1 part in 128.
const BUCKETS_PER_OCTAVE: u64 = 128;

/// Larger numbers count as this.
const NUMBER_MAX: u64 = (1 << 32) - 1;

/// Numbers whose quantiles are reported. Grows with the greatest number: to 2 KiB while all are
/// below 256, to at most 26 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    spread: Spread,
    buckets: Vec<u64>,
}

impl Tally {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: u64) {
        self.spread.add(number);
        let at = bucket_of(number);
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, 0);
        }
        self.buckets[at] += 1;
    }

    /// In short.
    pub fn spread(&self) -> Spread {
        self.spread
    }

    /// Adds the numbers of another.
    pub fn merge(&mut self, other: &Self) {
        self.spread.merge(other.spread);
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
    }

    /// The number below which a share of `per_mille` lies, interpolated between two numbers as in a
    /// sorted list of all. 0 if there are none.
    pub fn quantile(&self, per_mille: u64) -> u64 {
        let count = self.spread.count;
        // The position in a sorted list, in thousandths, counted from 1.
        let place = per_mille * (count + 1);
        let (rank, part) = (place / 1000, place % 1000);
        if rank < 1 {
            return self.ranked(1);
        }
        if rank >= count {
            return self.ranked(count);
        }
        let (lower, upper) = (self.ranked(rank), self.ranked(rank + 1));
        lower + ((upper - lower) * part + 500) / 1000
    }

    /// The number with this rank, 1 being the least.
    fn ranked(&self, rank: u64) -> u64 {
        let mut below = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            below += count;
            if *count > 0 && below >= rank {
                return number_of(at).clamp(self.spread.min, self.spread.max);
            }
        }
        0
    }
}

fn bucket_of(number: u64) -> usize {
    let number = number.min(NUMBER_MAX);
    if number < EXACT {
        return number as usize;
    }
    let shift = u64::from(number.ilog2()) - 7;
    (EXACT + (shift - 1) * BUCKETS_PER_OCTAVE + (number >> shift) - BUCKETS_PER_OCTAVE) as usize
}

/// The least number of a bucket.
fn number_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let (octave, at) =
        ((bucket - EXACT) / BUCKETS_PER_OCTAVE, (bucket - EXACT) % BUCKETS_PER_OCTAVE);
    (BUCKETS_PER_OCTAVE + at) << (octave + 1)
}
