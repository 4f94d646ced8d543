//! The bytes of the log: segment header, batch header, record. All numbers are little-endian.
//!
//! The tables [`SEGMENT_HEADER`], [`BATCH_HEADER`] and [`RECORD_HEADER`] are what the encoders
//! use and what `docs/log_format.md` is compared with.

mod batch;
mod segment;
#[cfg(test)]
mod tests;

use std::fmt;

pub use batch::{
    BATCH_HEADER, BATCH_HEADER_BYTES, BATCH_MAGIC, BatchFault, BatchHeader, RECORD_HEADER,
    RECORD_HEADER_BYTES, Record, records, write_record_header,
};
pub use segment::{
    FORMAT_VERSION, FormatVersion, HeaderFault, SEGMENT_HEADER, SEGMENT_MAGIC, SegmentHeader, Start,
};

/// The number of a segment: 1 for the first of a directory, then counting up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(pub u64);

impl SegmentNumber {
    /// The first segment of a directory.
    pub const FIRST: Self = Self(1);

    /// The segment after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The segment before this one; none before the first.
    pub const fn before(self) -> Option<Self> {
        if self.0 > Self::FIRST.0 { Some(Self(self.0 - 1)) } else { None }
    }
}

impl fmt::Display for SegmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A place in a segment, in bytes from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentOffset(pub u64);

impl fmt::Display for SegmentOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of a batch within its run: 1 for the first after a `Restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before every batch.
    pub const ZERO: Self = Self(0);

    /// The batch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}
