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

impl Epoch {
    /// The last epoch: zxids are signed, so one of a later epoch would come before all others.
    pub const LAST: Self = Self(i32::MAX as u32);

    /// The next epoch; `None` after the last one.
    pub const fn next(self) -> Option<Self> {
        if self.0 < Self::LAST.0 { Some(Self(self.0 + 1)) } else { None }
    }
}

/// The epochs that a server must never forget. `current <= promised`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    promised: Epoch,
    current: Epoch,
}

impl Epochs {
    /// Both epochs; `None` if the current one is above the promised one.
    pub fn new(promised: Epoch, current: Epoch) -> Option<Self> {
        (current <= promised).then_some(Self { promised, current })
    }

    /// The highest epoch promised to a leader: none below it is followed (stock's acceptedEpoch).
    pub const fn promised(self) -> Epoch {
        self.promised
    }

    /// The epoch whose history was accepted last (stock's currentEpoch).
    pub const fn current(self) -> Epoch {
        self.current
    }

    /// The same, with a later promise.
    ///
    /// # Panics
    /// If the promise would be broken by it.
    #[must_use]
    pub fn promise(self, epoch: Epoch) -> Self {
        assert!(epoch >= self.promised, "epoch {} after a promise of {}", epoch.0, self.promised.0);
        Self { promised: epoch, ..self }
    }

    /// The same, with the promised epoch as the current one.
    #[must_use]
    pub const fn accept(self) -> Self {
        Self { current: self.promised, ..self }
    }
}
