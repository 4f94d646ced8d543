//! A start: everything durable is restored, and a new run of the log begins.
//!
//! A server that runs alone applies everything. One of an ensemble applies what the log knows to be
//! committed: what follows may be cut by the next leader, and stays a tail.

use super::RestoreError;
use super::known::{begin, change_lineage};
use super::read_back::{Applied, ReadBack, read_back_now};
use super::received::adopt_now;
use crate::advice;
use crate::data_set::{Known, Lineage, LineageRun};
use crate::directories::Directories;
use crate::random;
use disk::{Background, BackgroundError, Disk, Durability, TaskQueue, append_file};
use engine::in_log::InLog;
use engine::pipeline::Head;
use engine::settings::Settings;
use model::zxid::Zxid;
use snapshot::received;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use txlog::{Base, Recovered, SegmentHeader, segments};

/// What was restored.
pub struct Restored {
    /// The tree with every txn that is applied.
    pub head: Head,
    /// The durable txns that are not, in order; none with [`Applied::Durable`].
    pub tail: InLog,
    /// The last durable txn.
    pub zxid: Zxid,
    /// How far the history is known to be committed. A tree that a leader has sent may be ahead of
    /// it.
    pub committed: Zxid,
    /// The first segment of the new run of the log.
    pub first: SegmentHeader,
    /// How it is written.
    pub file: File,
    /// The received snapshot that the log begins with, if it was not adopted: then the history
    /// before it is still there beside it.
    pub unadopted: Option<Base>,
    /// Whether the tree is of imported data, and the txns behind them.
    pub is_imported: bool,
    /// For the log line at start.
    pub summary: Summary,
}

impl Restored {
    /// How far a server of an ensemble may take its history for committed. A snapshot of its own
    /// holds only what is; one that a leader has sent, and that was not adopted, may hold more, and
    /// so may imported data, which end with everything that ZooKeeper's log held.
    pub fn known_committed(&self) -> Zxid {
        let of_tree = self.head.tree.meta().zxid;
        let is_proven = self.unadopted.is_none() && !self.is_imported;
        let known = if is_proven { self.committed.max(of_tree) } else { self.committed };
        known.min(self.zxid)
    }
}

/// The result of a restore, for the log.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The snapshot's zxid, and when its file was written, in ms since 1970.
    pub snapshot: Option<(Zxid, i64)>,
    /// How long it took to read the snapshot.
    pub load_time: Duration,
    /// How long it took to replay the log.
    pub replay_time: Duration,
    /// Txns replayed.
    pub replayed: u64,
    /// Their bytes.
    pub replayed_bytes: u64,
    /// Whether the log had a torn tail, which was cut.
    pub is_torn: bool,
}

/// How a server uses what is restored.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// How its log is written.
    pub durability: Durability,
    /// How the tree advises the kernel about its memory.
    pub advise: Option<engine::tree::Advise>,
    /// What of it is applied.
    pub applied: Applied,
    /// Up to where the data of `ZooKeeper` beside it are known.
    pub known: Known,
}

/// Restores everything durable, on the background thread: the newest whole snapshot, then the log
/// after it; then begins a new run of the log. What is known about the data is recorded before
/// that, once snapshots and log are known to belong together.
pub fn restore(
    background: &Background,
    directories: Directories,
    settings: Arc<Settings>,
    how: Use,
) -> Result<Restored, RestoreError> {
    let done = background.run(TaskQueue::Segments, move |disk| async move {
        restore_now(&*disk, &directories, &settings, how).await
    })?;
    done.recv().map_err(|_| BackgroundError::Stopped)?
}

async fn restore_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    settings: &Arc<Settings>,
    how: Use,
) -> Result<Restored, RestoreError> {
    disk.create_directory(&directories.snapshots).await?;
    disk.create_directory(&directories.log).await?;
    snapshot::remove_unfinished(disk, &directories.snapshots).await?;
    if how.applied == Applied::Committed {
        // Which history counts must not change with the next damage or power loss.
        let healed = txlog::epochs::read(disk, &directories.log).await;
        healed.map_err(|error| RestoreError::of_log(error.into(), directories))?;
    }
    let read = read_back_now(disk, directories, settings, how.advise, how.applied).await?;
    let ReadBack { head, tail, snapshot, is_imported, passed_over, .. } = read;
    let ReadBack { recovered, lineage, load_time, replay_time, .. } = read;
    let Recovered { used_last, last: continues_from, .. } = recovered;
    let committed_through = match how.applied {
        // A server that runs alone has committed what it holds durably.
        Applied::Durable => continues_from,
        Applied::Committed => recovered.committed_through,
    };
    let run =
        segments::RunStart { used_last, continues_from, committed_through, counts_from: None };
    let seed = random::bits().map_err(RestoreError::Random)?;
    let next = LineageRun { seed, from: recovered.last };
    begin(directories, how.known, lineage, next)?;
    let first = segments::open_run(disk, &directories.log, run, directories.segment_bytes, seed)
        .await
        .map_err(|error| RestoreError::of_segment(error, directories.segment_bytes))?;
    change_lineage(directories.data_dir(), Lineage::begun)?;
    let unadopted = settle_received(disk, directories, how.applied).await?;
    trim(disk, directories).await;
    let file = append_file::open(&segments::path(&directories.log, first.number), how.durability)?;
    // Only now: until the log was read, their names said what had been durable. If they kept their
    // names, a purge would count them among those to keep.
    for damaged in passed_over {
        match advice::set_aside(disk, &damaged).await {
            Ok(aside) => warn!("the damaged snapshot is kept as {}", aside.display()),
            Err(error) => warn!("the damaged snapshot could not be renamed: {error}"),
        }
    }
    let summary = Summary {
        snapshot,
        load_time,
        replay_time,
        replayed: recovered.record_count,
        replayed_bytes: recovered.record_bytes,
        is_torn: recovered.torn.is_some(),
    };
    let (zxid, committed) = (recovered.last, committed_through);
    Ok(Restored { head, tail, zxid, committed, first, file, unadopted, is_imported, summary })
}

/// Removes received snapshots that do not count; the runs are gone that may have begun with one.
/// Returns the one that counts and is not adopted yet.
async fn settle_received<D: Disk>(
    disk: &D,
    directories: &Directories,
    applied: Applied,
) -> Result<Option<Base>, RestoreError> {
    let base = txlog::base(disk, &directories.log).await;
    let base = base.map_err(|error| RestoreError::of_log(error, directories))?;
    let counts = base.map(|base| (base.zxid, base.epoch));
    received::remove_others(disk, &directories.snapshots, counts).await?;
    let Some(at) = base else { return Ok(None) };
    if received::find(disk, &directories.snapshots, at.zxid, at.epoch).await?.is_none() {
        return Ok(None);
    }
    if applied == Applied::Durable {
        // A server that runs alone has no leader to wait for.
        adopt_now(disk, directories, at).await?;
        return Ok(None);
    }
    Ok(Some(at))
}

/// Releases the room that ended runs of the log do not use. Before the first record of the new one,
/// so that no run can be added while an earlier one was never checked.
async fn trim<D: Disk>(disk: &D, directories: &Directories) {
    match txlog::trim(disk, &directories.log).await {
        Ok(txlog::Trimmed { segment_count: 0, .. }) => {}
        Ok(txlog::Trimmed { segment_count, freed_bytes }) => {
            info!(segment_count, freed_bytes, "unused room of ended segments released");
        }
        Err(error) => warn!(
            "the unused room of ended segments is not released before the next start: {error}"
        ),
    }
}
