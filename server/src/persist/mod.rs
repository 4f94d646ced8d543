//! What is on disk and how it gets there.
//!
//! `jobs`: what the background does while the server runs (segments, snapshots, purge); `cut`: a
//! cut of the log meanwhile;
//! `read_back`: builds the tree from snapshots and log; `restore`: the same at a start, which then
//! begins a new run of the log; `received`: a tree that a leader has sent, in the place of the
//! history; `known`: what is recorded about the log, so that another one is not mistaken for it;
//! `ensemble`: epochs, and parts of the log for learners; `error`: why the data cannot be restored.

mod cut;
mod ensemble;
mod error;
mod jobs;
mod known;
mod read_back;
mod received;
mod restore;
#[cfg(test)]
mod tests;

pub use cut::{CutJob, cut};
pub use ensemble::{ReadJob, SnapshotBeside, kept_epochs, read_log, stored_epochs};
pub use error::RestoreError;
pub use jobs::{PrepareJob, PurgePolicy, SnapshotJob, prepare, purge, snapshot};
pub use known::reached;
pub(crate) use read_back::counted_snapshots;
pub use read_back::{Applied, IMPORTER, ReadBack, read_back};
pub use received::{
    ReceivedRunJob, StoreJob, adopt, begin_received, forget_received, load_received,
    remove_received, store_epochs, store_received,
};
pub use restore::{Restored, Summary, Use, restore};
