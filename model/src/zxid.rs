//! Positions in the history of writes.

use std::fmt;

/// The position of a txn: the epoch of its leader in the upper 32 bits, a counter below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub i64);

impl Zxid {
    /// Before every txn.
    pub const ZERO: Self = Self(0);

    /// The first position of an epoch, which no txn has.
    pub const fn of_epoch(epoch: Epoch) -> Self {
        Self((epoch.0 as i64) << 32)
    }

    /// The epoch of the leader that proposed the txn.
    pub const fn epoch(self) -> Epoch {
        Epoch((self.0 >> 32) as u32)
    }

    /// The position within its epoch.
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The next position. A standalone server's counter runs on into the epoch, as stock's does.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

/// One leader's term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);
