//! What holds a chain of batches together.

use crate::format::{BatchFault, BatchHeader, Sequence};

/// What the next batch of a chain must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link(Option<(Sequence, u32)>);

impl Link {
    /// The first batch of a run comes next.
    pub(crate) const START: Self = Self(Some((Sequence::ZERO, 0)));
    /// The run is entered in its middle: any batch of it may come next.
    pub(crate) const UNKNOWN: Self = Self(None);

    /// The batch behind this one comes next.
    pub(crate) const fn behind(batch: &BatchHeader) -> Self {
        Self(Some((batch.sequence, batch.crc)))
    }

    /// The number of the batch that comes next; 1 where it is unknown.
    pub(super) fn sequence_next(self) -> Sequence {
        self.0.map_or(Sequence::ZERO, |(sequence, _)| sequence).next()
    }

    /// Whether `batch` is the one that comes next.
    pub(crate) fn check(self, batch: &BatchHeader) -> Result<(), BatchFault> {
        let Some((sequence, crc)) = self.0 else { return Ok(()) };
        if batch.sequence != sequence.next() {
            let (expected, found) = (sequence.next().0, batch.sequence.0);
            return Err(BatchFault::Sequence { expected, found });
        }
        if batch.predecessor_crc != crc {
            let (expected, found) = (crc, batch.predecessor_crc);
            return Err(BatchFault::Predecessor { expected, found });
        }
        Ok(())
    }
}
