//! What a data directory knows of itself: where its log is, and how far the data of `ZooKeeper`
//! beside it are known.
//!
//! A data set has two halves, snapshots and log, which may be in two directories; and the same
//! directory may hold the data of `ZooKeeper`, which an import has read or an export has written.
//! A command that takes one half for the whole, or the older of two histories for the newer, loses
//! data silently. So there is a small text file beside the snapshots, and one beside a log that is
//! elsewhere (`mark`). `serve`, `import` and `export` write them, and every command compares them
//! with what it was told (`halves`) and with what it finds (`beside`).
//!
//! **Invariants**
//!
//! - A command reads both halves of a data set or says which one is missing (guard:
//!   `tests/operator/halves.rs`).
//! - What `ZooKeeper` has written since the last import or export is never passed over (guard:
//!   `tests/convert/histories.rs`).
//! - Directories without these files, as earlier versions left them, are used as before.

mod beside;
mod halves;
mod mark;

pub use beside::{HistoryError, check_beside, continued_elsewhere, seen, stock_zxid};
pub(crate) use halves::is_same;
pub use halves::{HalvesError, check_halves, find_log, settle};
pub use mark::{Copied, DataMark, Half, Known, LogMark, LogPlace, MarkError, SetId};
