//! What a data directory records about itself: where its log is, and how far ZooKeeper's data
//! beside it are known.
//!
//! A data set has two halves, snapshots and log, which may be in two directories; and the same
//! directory may hold the data of `ZooKeeper`, which an import has read or an export has written. A
//! command that takes one half for the whole, or the older of two histories for the newer, loses
//! data silently. So there is a small text file beside the snapshots, and one beside a log that is
//! elsewhere (`mark`, and `text` for its lines). `serve`, `import`, `export` and `repair` write
//! them, and every command compares them with its arguments (`halves`, `error`), with the runs of
//! the log (`lineage`) and with ZooKeeper's data that it finds (`beside`).
//!
//! **Invariants**
//!
//! - A command reads both halves of a data set or says which one is missing (guard:
//!   `tests/operator/halves.rs`).
//! - The log of one data directory is never used with another one that merely names it (guard:
//!   `tests/operator/copies.rs`).
//! - Snapshots are used with the log that they were last served with, or with one that continues
//!   from it; a crash at any moment leaves such a log (guard: `tests/operator/lineage.rs`).
//! - What `ZooKeeper` has written since the last import or export is never ignored (guard:
//!   `tests/convert/histories.rs`).
//! - Directories without these files, as earlier versions left them, are used as before.

mod base;
mod beside;
mod error;
mod halves;
mod lineage;
mod mark;
mod text;

pub use base::{go_on_from, goes_on_from};
pub use beside::{HistoryError, check_beside, continued_elsewhere, seen, stock_zxid};
pub use error::{DataSetError, HalvesError, HalvesFault};
pub(crate) use halves::is_same;
pub use halves::{check_halves, find_log, settle};
pub use lineage::{ForeignLog, Found, Lineage, LineageRun};
pub use mark::{Copied, DataMark, Half, Known, LogMark, LogPlace, SetId};
pub use text::MarkError;
