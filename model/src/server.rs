//! Servers of an ensemble, by their numbers.

use std::fmt;

/// The number of a server: what its `myid` says, and the `N` of its `server.N` line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub i64);

impl ServerId {
    /// What observers without a number of their own call themselves when they greet (source:
    /// ZooKeeper 3.9.5, `QuorumPeer.OBSERVER_ID`).
    pub const OBSERVER: Self = Self(i64::MAX);
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
