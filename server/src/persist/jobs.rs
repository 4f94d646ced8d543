//! Jobs of the background: segments, snapshots, purge.

use super::RestoreError;
use super::known::change_lineage;
use crate::directories::Directories;
use crate::random;
use disk::{
    Background, BackgroundError, Direct, Disk, DiskError, Durability, TaskQueue, append_file,
};
use engine::state::State;
use engine::tree::{Pin, PinnedWalk};
use model::record::NodeRecord;
use model::zxid::Zxid;
use snapshot::received;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tracing::{info, warn};
use txlog::limits::SPARES_MAX;
use txlog::{Base, FormatVersion, SegmentHeader, SegmentNumber, Start, segments};

/// The longest pause after a chunk of a snapshot.
const SNAPSHOT_PAUSE_MAX: Duration = Duration::from_millis(20);

/// What a purge keeps, and how often it happens.
#[derive(Clone, Copy, Debug)]
pub struct PurgePolicy {
    /// Snapshots kept.
    pub keep_count: usize,
    /// Between two purges, in ms.
    pub interval_ms: u64,
}

/// A segment to prepare.
#[derive(Debug)]
pub struct PrepareJob {
    /// Its number.
    pub number: SegmentNumber,
    /// Its length.
    pub segment_bytes: u64,
    /// Where.
    pub directory: PathBuf,
    /// How its writes will become durable.
    pub durability: Durability,
}

/// Has a segment prepared and opened for the ring; `notify` is called from the background.
pub fn prepare(
    background: &Background,
    job: PrepareJob,
    notify: impl FnOnce(Result<(SegmentHeader, File), DiskError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> disk::background::JobFuture {
        Box::pin(async move { notify(prepare_now(&disk, &job).await) })
    };
    background.submit(TaskQueue::Segments, Box::new(work))
}

async fn prepare_now(disk: &Direct, job: &PrepareJob) -> Result<(SegmentHeader, File), DiskError> {
    let path = segments::path(&job.directory, job.number);
    let seed = random::bits();
    let seed = seed.map_err(|e| DiskError::from_io(disk::Operation::Create, &path, &e))?;
    let (number, segment_bytes) = (job.number, job.segment_bytes);
    let (version, start) = (FormatVersion::CURRENT, Start::Follows);
    let header = SegmentHeader { version, number, segment_bytes, seed, start };
    segments::prepare(disk, &job.directory, header).await?;
    Ok((header, append_file::open(&path, job.durability)?))
}

/// A version of the tree to write.
pub struct SnapshotJob {
    /// The version.
    pub pin: Pin<State>,
    /// Where.
    pub directory: PathBuf,
    /// Set to abandon it.
    pub stop: Arc<AtomicBool>,
}

/// Has a snapshot written; `notify` is called from the background.
pub fn snapshot(
    background: &Background,
    job: SnapshotJob,
    notify: impl FnOnce(Result<Zxid, String>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> disk::background::JobFuture {
        Box::pin(async move {
            let written = write_snapshot(&*disk, job).await;
            notify(written.map_err(|error| error.to_string()));
        })
    };
    background.submit(TaskQueue::Snapshot, Box::new(work))
}

/// Writes a pinned version.
async fn write_snapshot<D: Disk>(disk: &D, job: SnapshotJob) -> Result<Zxid, snapshot::WriteError> {
    let SnapshotJob { pin, directory, stop } = job;
    let view = pin.view();
    let head = snapshot::SnapshotHead {
        zxid: view.meta().zxid,
        epoch: view.meta().zxid.epoch(),
        seed: view.seed().0,
        node_count: view.node_count(),
        digest: view.digest(),
        data_bytes: view.data_bytes(),
    };
    let mut source = PinnedSource { walk: pin.walk() };
    let created_by = concat!("ringkeeper ", env!("CARGO_PKG_VERSION"));
    // Half of the time is left to other users of the disk and the processor.
    let mut since = Instant::now();
    let pace = async |_| {
        glommio::timer::sleep(since.elapsed().min(SNAPSHOT_PAUSE_MAX)).await;
        since = Instant::now();
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    snapshot::write(disk, &directory, &head, created_by, &mut source, pace).await?;
    Ok(head.zxid)
}

/// A pinned version as the source of a snapshot.
pub(super) struct PinnedSource {
    pub(super) walk: PinnedWalk<State>,
}

impl snapshot::Source for PinnedSource {
    fn next_record(&mut self) -> Option<NodeRecord<'_>> {
        self.walk.next_record()
    }

    fn append_acl(&self, number: u32, out: &mut Vec<u8>) {
        self.walk.view().meta().acls.list(number).encode(out);
    }

    fn sessions(&self, each: &mut dyn FnMut(snapshot::Session)) {
        for (&id, session) in &self.walk.view().meta().sessions {
            each(snapshot::Session { id, timeout_ms: session.timeout_ms });
        }
    }
}

/// Removes the snapshots and the segments that the policy does not keep; `notify` is called from
/// the background when that has ended, or has failed.
pub fn purge(
    background: &Background,
    directories: &Directories,
    policy: PurgePolicy,
    before: SegmentNumber,
    notify: impl FnOnce() + Send + 'static,
) -> Result<(), BackgroundError> {
    let directories = directories.clone();
    let work = move |disk: Rc<Direct>| -> disk::background::JobFuture {
        Box::pin(async move {
            match purge_now(&*disk, &directories, policy, before).await {
                Ok(0) => (),
                Ok(count) => info!(count, "old snapshots and segments purged"),
                Err(error) => warn!("the purge was interrupted; it will continue later: {error}"),
            }
            notify();
        })
    };
    background.submit(TaskQueue::Purge, Box::new(work))
}

pub(super) async fn purge_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    policy: PurgePolicy,
    before: SegmentNumber,
) -> Result<usize, RestoreError> {
    let base = txlog::base(disk, &directories.log).await;
    let base = base.map_err(|error| RestoreError::of_log(error, directories))?;
    if let Some(Base { zxid, epoch }) = base
        && received::find(disk, &directories.snapshots, zxid, epoch).await?.is_some()
    {
        // The snapshots of the history that it replaces say nothing of the log that is needed, and
        // stay until it is adopted.
        return Ok(0);
    }
    let purged = snapshot::purge(disk, &directories.snapshots, policy.keep_count).await?;
    let Some(keep_after) = purged.oldest_kept else { return Ok(0) };
    let segment_bytes = directories.segment_bytes;
    let request = segments::Purge { keep_after, before, segment_bytes, spares_max: SPARES_MAX };
    if let Some(first) = segments::needed_from(disk, &directories.log, request).await? {
        let runs = txlog::runs(disk, &directories.log).await;
        let runs = runs.map_err(|error| RestoreError::of_log(error, directories))?;
        // Before they are removed: so what is left of a run is still recognised.
        change_lineage(directories.data_dir(), |lineage| lineage.keep_from(&runs, first))?;
    }
    let cleared = segments::purge(disk, &directories.log, request).await?;
    Ok(purged.removed.len() + cleared.recycled_count + cleared.removed_count)
}
