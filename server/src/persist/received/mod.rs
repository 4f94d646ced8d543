//! A tree that a leader has sent: stored beside the history, put into its place, or forgotten.
//!
//! In this order: the tree is stored as a received snapshot ([`store_received`]); a run of the log
//! begins behind it ([`begin_received`]); the tree is loaded ([`load_received`]); the epoch is
//! stored, from which on both count ([`store_epochs`]); once clients are served the snapshot is
//! adopted ([`adopt`]). Until the epoch is stored, [`forget_received`] makes all of it void. A
//! power loss at any step leaves one history or the other (guard: `received::tests`).
//!
//! One of these at a time works on the directories; the caller ensures that.

#[cfg(test)]
mod tests;

use super::known::change_lineage;
use super::read_back::{empty, load_received_now};
use super::{CutJob, RestoreError};
use crate::data_set::{Lineage, LineageRun};
use crate::directories::Directories;
use crate::random;
use convert::import::Rebuilt;
use disk::background::JobFuture;
use disk::{Background, BackgroundError, Direct, Disk, Durability, TaskQueue, append_file};
use engine::pipeline::Head;
use engine::settings::Settings;
use engine::tree::Advise;
use model::zxid::{Epoch, Epochs, Zxid};
use snapshot::{SnapshotHead, received};
use std::fs::File;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use txlog::segments::{self, RunStart};
use txlog::{Base, SegmentHeader, epochs};

const CREATED_BY: &str = concat!("ringkeeper ", env!("CARGO_PKG_VERSION"));

/// A tree to store.
pub struct StoreJob {
    /// The tree.
    pub rebuilt: Box<Rebuilt>,
    /// The txns that it holds, and the epoch from which on it counts.
    pub at: Base,
    /// Where.
    pub directories: Directories,
    /// Set to abandon it.
    pub stop: Arc<AtomicBool>,
}

/// Has a tree stored as a received snapshot, and freed; what was left of others is removed.
/// `notify` is called from the background with the length of the file.
pub fn store_received(
    background: &Background,
    job: StoreJob,
    notify: impl FnOnce(Result<u64, RestoreError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> JobFuture {
        Box::pin(async move { notify(store_now(&*disk, job).await) })
    };
    background.submit(TaskQueue::Snapshot, Box::new(work))
}

async fn store_now<D: Disk>(disk: &D, job: StoreJob) -> Result<u64, RestoreError> {
    let StoreJob { rebuilt, at, directories, stop } = job;
    remove_void(disk, &directories).await?;
    // Clients are not served meanwhile: nothing has to be spared.
    let pace = async |_| {
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let (directory, at) = (&directories.snapshots, (at.zxid, at.epoch));
    Ok(rebuilt.write_received(disk, directory, at, CREATED_BY, pace).await?.bytes)
}

/// Removes received snapshots, but the one that counts.
async fn remove_void<D: Disk>(disk: &D, directories: &Directories) -> Result<(), RestoreError> {
    let base = txlog::base(disk, &directories.log).await;
    let base = base.map_err(|error| RestoreError::of_log(error, directories))?;
    let counts = base.map(|base| (base.zxid, base.epoch));
    received::remove_others(disk, &directories.snapshots, counts).await?;
    Ok(())
}

/// Has what was stored and is void removed; `notify` is called from the background.
pub fn remove_received(
    background: &Background,
    directories: Directories,
    notify: impl FnOnce(Result<(), RestoreError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> JobFuture {
        Box::pin(async move { notify(remove_void(&*disk, &directories).await) })
    };
    background.submit(TaskQueue::Purge, Box::new(work))
}

/// A run that begins with a received snapshot.
#[derive(Debug)]
pub struct ReceivedRunJob {
    /// The run.
    pub run: RunStart,
    /// `None` if the snapshot is stored already. Otherwise it is that of an empty tree, which is
    /// made for a server of these settings.
    pub empty: Option<Arc<Settings>>,
    /// Where files are.
    pub directories: Directories,
    /// How writes of the run will become durable.
    pub durability: Durability,
}

/// Has a run begun with a received snapshot, and its first segment opened for the ring; `notify` is
/// called from the background.
///
/// The caller ensures that the log's appender is idle, that no segment is being prepared, no
/// snapshot written and no purge under way. After an error the same job can be repeated.
pub fn begin_received(
    background: &Background,
    job: ReceivedRunJob,
    notify: impl FnOnce(Result<(SegmentHeader, File), RestoreError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> JobFuture {
        Box::pin(async move {
            let first = begin_now(&*disk, &job).await;
            notify(first.and_then(|header| opened(&job.directories, header, job.durability)));
        })
    };
    background.submit(TaskQueue::Segments, Box::new(work))
}

async fn begin_now<D: Disk>(disk: &D, job: &ReceivedRunJob) -> Result<SegmentHeader, RestoreError> {
    let ReceivedRunJob { run, empty, directories, .. } = job;
    let epoch = run.counts_from.expect("a run with a received snapshot counts from an epoch on");
    let at = Base { zxid: run.continues_from, epoch };
    if let Some(settings) = empty {
        assert_eq!(at.zxid, Zxid::ZERO, "an empty tree holds no txn");
        remove_void(disk, directories).await?;
        store_empty(disk, directories, epoch, settings).await?;
    }
    let first = open_run(disk, directories, *run).await?;
    let base = txlog::base(disk, &directories.log).await;
    if base.map_err(|error| RestoreError::of_log(error, directories))? == Some(at) {
        // The epoch is current already: the history before does not count any more.
        change_lineage(directories.data_dir(), Lineage::begun)?;
    }
    Ok(first)
}

async fn store_empty<D: Disk>(
    disk: &D,
    directories: &Directories,
    epoch: Epoch,
    settings: &Arc<Settings>,
) -> Result<(), RestoreError> {
    let head = empty(settings, None)?;
    let pin = head.tree.pin().expect("there is no other pin");
    let view = pin.view();
    let head = SnapshotHead {
        zxid: Zxid::ZERO,
        epoch: Zxid::ZERO.epoch(),
        seed: view.seed().0,
        node_count: view.node_count(),
        digest: view.digest(),
        data_bytes: view.data_bytes(),
    };
    let mut source = super::jobs::PinnedSource { walk: pin.walk() };
    let pace = async |_| ControlFlow::Continue(());
    let (directory, source) = (&directories.snapshots, &mut source);
    snapshot::write_received(disk, directory, &head, epoch, CREATED_BY, source, pace).await?;
    Ok(())
}

/// Opens a run that is recorded before, as one that may be there.
async fn open_run<D: Disk>(
    disk: &D,
    directories: &Directories,
    run: RunStart,
) -> Result<SegmentHeader, RestoreError> {
    let seed = random::bits().map_err(RestoreError::Random)?;
    let next = LineageRun { seed, from: run.continues_from };
    change_lineage(directories.data_dir(), |lineage| lineage.begin(next))?;
    let bytes = directories.segment_bytes;
    let first = segments::open_run(disk, &directories.log, run, bytes, seed).await;
    first.map_err(|error| RestoreError::of_segment(error, bytes))
}

fn opened(
    directories: &Directories,
    header: SegmentHeader,
    durability: Durability,
) -> Result<(SegmentHeader, File), RestoreError> {
    let path = segments::path(&directories.log, header.number);
    Ok((header, append_file::open(&path, durability)?))
}

/// Has a received history made void that does not count yet: the log continues behind the one
/// before, with `job.run`, and the received snapshot is removed. Otherwise as [`begin_received`].
pub fn forget_received(
    background: &Background,
    job: CutJob,
    notify: impl FnOnce(Result<(SegmentHeader, File), RestoreError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> JobFuture {
        Box::pin(async move {
            let first = forget_now(&*disk, &job).await;
            notify(first.and_then(|header| opened(&job.directories, header, job.durability)));
        })
    };
    background.submit(TaskQueue::Segments, Box::new(work))
}

async fn forget_now<D: Disk>(disk: &D, job: &CutJob) -> Result<SegmentHeader, RestoreError> {
    let CutJob { run, directories, .. } = job;
    let first = open_run(disk, directories, *run).await?;
    change_lineage(directories.data_dir(), Lineage::begun)?;
    // Behind the run that begins with it.
    remove_void(disk, directories).await?;
    Ok(first)
}

/// Has a received snapshot loaded; `notify` is called from the background with the tree, sealed and
/// published.
pub fn load_received(
    background: &Background,
    directories: Directories,
    at: Base,
    settings: Arc<Settings>,
    advise: Option<Advise>,
    notify: impl FnOnce(Result<Box<Head>, RestoreError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> JobFuture {
        Box::pin(async move {
            let head = load_received_now(&*disk, &directories, at, &settings, advise).await;
            notify(head.map(Box::new));
        })
    };
    background.submit(TaskQueue::Snapshot, Box::new(work))
}

/// Has epochs stored; `notify` is called from the background. A received history counts from then
/// on whose epoch is reached.
pub fn store_epochs(
    background: &Background,
    directories: Directories,
    epochs: Epochs,
    notify: impl FnOnce(Result<(), RestoreError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> JobFuture {
        Box::pin(async move { notify(store_epochs_now(&*disk, &directories, epochs).await) })
    };
    background.submit(TaskQueue::Segments, Box::new(work))
}

async fn store_epochs_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    epochs: Epochs,
) -> Result<(), RestoreError> {
    let before = epochs::current(disk, &directories.log).await?;
    epochs::store(disk, &directories.log, epochs).await?;
    if epochs.current() > before {
        // No sooner: until then the log that must be there is the one before.
        change_lineage(directories.data_dir(), Lineage::begun)?;
    }
    Ok(())
}

/// Has the received snapshot that counts made the only one; `notify` is called from the background.
/// After an error the same job can be repeated.
pub fn adopt(
    background: &Background,
    directories: Directories,
    at: Base,
    notify: impl FnOnce(Result<(), RestoreError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> JobFuture {
        Box::pin(async move { notify(adopt_now(&*disk, &directories, at).await) })
    };
    background.submit(TaskQueue::Purge, Box::new(work))
}

pub(super) async fn adopt_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    at: Base,
) -> Result<(), RestoreError> {
    received::adopt(disk, &directories.snapshots, at.zxid, at.epoch).await?;
    received::remove_others(disk, &directories.snapshots, None).await?;
    Ok(())
}
