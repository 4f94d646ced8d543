//! What lies on disk and how it gets there.
//!
//! `jobs`: what the background does while the server runs (segments, snapshots, purge);
//! `read_back`: snapshots and log become a tree again; `restore`: the same at a start, which then
//! begins a new run of the log; `known`: what is written down of the log, so that another one is
//! not taken for it; `error`: why the data cannot be brought back.

mod error;
mod jobs;
mod known;
mod read_back;
mod restore;

pub use error::RestoreError;
pub use jobs::{PrepareJob, PurgePolicy, SnapshotJob, prepare, purge, snapshot};
pub use known::reached;
pub use read_back::{ReadBack, read_back};
pub use restore::{Restored, Summary, Use, restore};
