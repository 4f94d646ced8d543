//! What is recorded about the log, and compared with the log that is found.

use super::RestoreError;
use crate::advice;
use crate::data_set::{
    self, DataMark, Found, HalvesError, HalvesFault, Known, Lineage, LineageRun, MarkError,
};
use crate::directories::Directories;
use disk::Disk;
use model::zxid::Zxid;
use std::path::Path;

/// Records that a run is about to be opened, so that a crash at any moment leaves a log that is
/// known.
pub(super) fn begin(
    directories: &Directories,
    known: Known,
    mut lineage: Lineage,
    next: LineageRun,
) -> Result<(), RestoreError> {
    let (data_dir, log_dir) = (directories.data_dir(), directories.log_dir());
    lineage.begin(next);
    let mark = DataMark::read(data_dir)?.unwrap_or_default();
    let settled = data_set::settle(data_dir, log_dir, DataMark { known, lineage, ..mark });
    settled.map_err(|error| RestoreError::Halves(error, advice::repair(directories)))
}

/// Changes what is recorded about the log.
pub(super) fn change_lineage(
    data_dir: &Path,
    change: impl FnOnce(&mut Lineage),
) -> Result<(), MarkError> {
    let Some(mut mark) = DataMark::read(data_dir)? else { return Ok(()) };
    change(&mut mark.lineage);
    mark.write(data_dir)
}

/// Records what the log held when it was closed cleanly: a log that ends before that is not this
/// one.
pub fn reached(data_dir: &Path, zxid: Zxid) -> Result<(), MarkError> {
    change_lineage(data_dir, |lineage| lineage.reach(zxid))
}

/// Compares the log with the one that the snapshots were last served with.
pub(super) async fn lineage<D: Disk>(
    disk: &D,
    directories: &Directories,
    last: Zxid,
    snapshot: Zxid,
) -> Result<Lineage, RestoreError> {
    let runs = txlog::runs(disk, &directories.log).await;
    let runs = runs.map_err(|error| RestoreError::of_log(error, directories))?;
    let (data_dir, log_dir) = (directories.data_dir(), directories.log_dir());
    let mark = DataMark::read(data_dir)?.unwrap_or_default();
    let compared = mark.lineage.compare(Found { runs: &runs, last, snapshot });
    compared.map_err(|foreign| {
        let error = HalvesError::apart(data_dir, log_dir, HalvesFault::OtherLog(foreign));
        RestoreError::Halves(error, advice::repair(directories))
    })
}
