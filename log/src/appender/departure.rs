//! What leaves an appender for the disk, and why nothing leaves any more.

use disk::AlignedBuf;

use crate::format::{SegmentNumber, SegmentOffset};

/// A place for one write in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u8);

/// What the owner has to do for the appender.
#[derive(Debug)]
pub enum Departure {
    /// Write this.
    Write(Write),
    /// Make finished writes durable.
    Flush(Flush),
}

/// A write of whole blocks; [`Appender::written`](super::Appender::written) takes slot and buffer
/// back.
#[derive(Debug)]
pub struct Write {
    /// Which slot it takes.
    pub slot: Slot,
    /// The segment to write into.
    pub segment: SegmentNumber,
    /// Where in it.
    pub offset: SegmentOffset,
    /// What to write. Boxed because the ring takes a box, and this one is reused.
    pub buffer: Box<AlignedBuf>,
}

/// An fdatasync of one segment, one at a time; [`Appender::flushed`](super::Appender::flushed)
/// reports its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// The segment to flush.
    pub segment: SegmentNumber,
}

/// Whether a record of any size can be appended now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Yes.
    Open,
    /// Not before the device has caught up: stop admitting.
    Backlogged,
    /// Not before a segment is prepared: the disk is full, or the background is late.
    NoSegment,
    /// The run has [ended](super::Appender::end).
    Ended,
    /// Never again.
    Failed(AppendFailure),
}

/// The first error of a write or flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "writing the log failed in segment {segment} at offset {offset}: {}",
    std::io::Error::from_raw_os_error(*errno)
)]
pub struct AppendFailure {
    /// The segment.
    pub segment: SegmentNumber,
    /// Where in it; 0 for a flush of the whole.
    pub offset: SegmentOffset,
    /// The kernel's answer.
    pub errno: i32,
}

/// Why a record was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// An earlier write failed.
    #[error(transparent)]
    Failed(#[from] AppendFailure),
    /// No prepared segment is left.
    #[error("the log is full: no segment is prepared")]
    NoSegment,
    /// Too much waits for the device.
    #[error("{found} bytes wait for the device, at most {max} may")]
    Backlogged {
        /// What is waiting.
        found: usize,
        /// What may wait.
        max: usize,
    },
    /// The txn is larger than configured.
    #[error("a txn of {found} bytes, at most {max} are possible")]
    TooLarge {
        /// The txn.
        found: usize,
        /// The bound.
        max: usize,
    },
}
