//! The explicit end of a log.

use std::path::PathBuf;

use disk::Disk;
use model::zxid::Zxid;
use txlog::repair::cut;

use super::RepairError;
use super::look::{Looked, look_at};
use crate::advice;
use crate::data_set::{DataMark, LineageRun};
use crate::directories::Directories;
use crate::random;

/// What was done.
pub(super) struct Done {
    /// The names of the files that were set aside.
    pub(super) aside: Vec<PathBuf>,
    /// Whether the log was cut.
    pub(super) is_cut: bool,
}

/// Cuts the log at `at` and sets everything after it aside.
pub(super) async fn cut_at<D: Disk>(
    disk: &D,
    directories: &Directories,
    at: Zxid,
) -> Result<Done, RepairError> {
    let found = look_at(disk, directories, Some(at)).await?;
    if !found.has_beginning() {
        return Err(found.nothing());
    }
    let reached = found.log.reached;
    if at > reached {
        return Err(RepairError::Beyond { at, reached });
    }
    let mut aside = Vec::new();
    // Before the log is recorded as the right one: so no server adds it to a snapshot of another
    // history.
    let is_other = |it: &&Looked| it.zxid > found.common() && Some(it.zxid) != found.base;
    for snapshot in found.snapshots.iter().filter(is_other) {
        aside.push(advice::set_aside(disk, &snapshot.file).await?);
    }
    let seed = random::bits().map_err(RepairError::Random)?;
    let data_dir = directories.data_dir();
    let mut mark = DataMark::read(data_dir)?.unwrap_or_default();
    mark.lineage = found.lineage.clone();
    mark.lineage.begin(LineageRun { seed, from: at });
    aside.extend(mark.replace(data_dir)?);
    let is_cut = !found.log.ends_at(at);
    aside.extend(cut(disk, &directories.log, &found.log, at, seed).await?.aside);
    mark.lineage = found.lineage.clone();
    if is_cut {
        mark.lineage.begin(LineageRun { seed, from: at });
        mark.lineage.begun();
    }
    mark.lineage.reach(at);
    // After the log: until it is cut, their names say what was durable.
    let is_behind = |it: &&Looked| it.zxid > at || it.fault.is_some();
    for snapshot in found.snapshots.iter().filter(|it| !is_other(it)).filter(is_behind) {
        aside.push(advice::set_aside(disk, &snapshot.file).await?);
    }
    mark.write(data_dir)?;
    Ok(Done { aside, is_cut })
}
