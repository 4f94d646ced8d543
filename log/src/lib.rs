//! The log on disk: every txn, in order, durable before it is acknowledged.
//!
//! Segments of a fixed size are prepared ahead by the background; the ordering role's [`Appender`]
//! fills them with batches, one write each, a few in flight. It is sans-io: it says what to write
//! and is notified of the result. `docs/log_format.md` describes the bytes.
//!
//! Map, in reading order:
//!
//! - [`mod@format`]: segment header, batch header, record, to the byte;
//! - [`appender`]: group commit, slots, the switch of segments, the latch;
//! - [`segments`]: files and names: preparing, opening a run, recycling, purging;
//! - [`scan`]: the batches of one segment, for recovery and inspection;
//! - [`mod@recover`]: what the log holds after a restart; torn tail or corruption;
//! - [`mod@trim`]: cutting the segments of ended runs to size;
//! - [`reader`]: a part of a live log in pieces, while the appender writes behind it;
//! - [`epochs`]: what the server has promised and accepted, in two copies;
//! - [`repair`]: how far a damaged log can be read, and cutting it there;
//! - [`limits`]: every bound, with its arithmetic.
//!
//! **Invariants**
//!
//! - `durable <= departed <= appended`; all three only grow (guard: assertions in `appender`).
//! - A power loss at any point leaves a log that recovers to a prefix of what was appended, with
//!   everything acknowledged in it (guard: `tests::crash`).
//! - What a later batch states as durable is never cut silently (guard: `tests::damage`).
//! - A reader of a live log returns what was appended and durable, or names the damage (guard:
//!   `tests::reader`).
//! - Stored epochs are read back after any power loss, and after damage to one of their copies
//!   (guard: `tests::epochs`).
//! - A run that begins with a received snapshot counts, and replaces what came before, exactly when
//!   the current epoch has reached the run's (guard: `tests::received`).
//! - A recycled segment's old batches never validate (guard: `tests::damage`).
//! - However often a log is opened, it takes the segments in use, at most twice what was written,
//!   and a block for each run (guard: `tests::restarts`).
//!
//! **What is deliberately not here**: what a txn means (`engine`), the ring (`ring`), when to purge
//! (`server`), retry after an error (there is none; see `disk::latch`).
//!
//! ```
//! use disk::{Durability, Simulated, block_on};
//! use txlog::{Appender, AppenderConfig, Departure, model::zxid::Zxid, segments};
//! let disk = Simulated::new(1);
//! let config = AppenderConfig::new(Durability::Dsync);
//! let run = segments::RunStart::FIRST;
//! let first = block_on(segments::open_run(&disk, "/log".as_ref(), run, config.segment_bytes, 7));
//! let mut appender = Appender::new(config, first.expect("there is room"));
//! appender.append(Zxid(1), b"a txn").expect("the segment is empty");
//! let Some(Departure::Write(write)) = appender.depart() else { panic!("a slot is free") };
//! assert_eq!(appender.durable_through(), Zxid::ZERO);
//! appender.written(write.slot, Ok(()), write.buffer);
//! assert_eq!(appender.durable_through(), Zxid(1));
//! appender.commit(Zxid(1));
//! ```

pub mod appender;
pub mod epochs;
pub mod format;
pub mod limits;
pub mod reader;
pub mod recover;
pub mod repair;
pub mod scan;
pub mod segments;
pub mod trim;

#[cfg(test)]
mod tests;

pub use appender::{
    AppendError, AppendFailure, Appender, AppenderConfig, Departure, Flush, Room, Slot, Write,
};
pub use epochs::{EpochsError, Stored};
pub use format::{
    BatchFault, BatchHeader, FormatVersion, SegmentHeader, SegmentNumber, SegmentOffset, Sequence,
    Start,
};
pub use model;
pub use reader::{BeginsAfter, LogReader, Piece};
pub use recover::{
    Base, LogRun, LogSink, RecoverError, RecoverFrom, Recovered, TornTail, Witness, base, recover,
    recover_into, runs,
};
pub use scan::SegmentScan;
pub use trim::{Trimmed, trim};
