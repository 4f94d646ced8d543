//! What is there, and what is wrong with it.

use std::path::PathBuf;

use disk::Disk;
use model::zxid::Zxid;
use txlog::repair::{Examination, examine};
use txlog::{LogRun, RecoverFrom};

use super::RepairError;
use crate::data_set::{
    DataMark, ForeignLog, Found, HistoryError, Lineage, LogPlace, check_beside, stock_zxid,
};
use crate::directories::Directories;
use crate::persist::counted_snapshots;

/// A snapshot, and what is wrong with it.
pub(super) struct Looked {
    pub(super) file: PathBuf,
    pub(super) zxid: Zxid,
    pub(super) fault: Option<String>,
}

/// What was found.
pub(super) struct Look {
    pub(super) snapshots: Vec<Looked>,
    /// The newest one that is whole, no later than the cut, and of the log's history.
    pub(super) base: Option<Zxid>,
    pub(super) log: Examination,
    /// The log is another one than the snapshots were served with.
    pub(super) foreign: Option<ForeignLog>,
    /// What is known of the log from now on, if it is used.
    pub(super) lineage: Lineage,
}

impl Look {
    /// Whether a server would start with these data.
    pub(super) fn is_usable(&self) -> bool {
        let is_whole = self.log.complaint.is_none() && self.foreign.is_none();
        is_whole && (self.base.is_some() || self.snapshots.is_empty())
    }

    /// Whether there is anything to begin with: a snapshot, or the log's own beginning.
    pub(super) fn has_beginning(&self) -> bool {
        let is_log_whole = self.log.complaint.is_none() && self.log.segments.is_some();
        self.base.is_some() || self.log.reached > Zxid::ZERO || is_log_whole
    }

    /// Up to where snapshots are of the log's history.
    pub(super) fn common(&self) -> Zxid {
        self.foreign.map_or(Zxid(i64::MAX), |foreign| foreign.common)
    }

    /// Why nothing can be kept.
    pub(super) fn nothing(&self) -> RepairError {
        self.foreign.map_or(RepairError::Nothing, |it| RepairError::NothingCommon(it.common))
    }
}

pub(super) async fn look_at<D: Disk>(
    disk: &D,
    directories: &Directories,
    limit: Option<Zxid>,
) -> Result<Look, RepairError> {
    let mut snapshots = Vec::new();
    // A log that cannot be read is reported by its own check: no snapshot is ruled out then.
    let base = txlog::base(disk, &directories.log).await.unwrap_or(None);
    for candidate in counted_snapshots(disk, directories, base).await? {
        let fault = match snapshot::inspect_candidate(disk, &candidate, true).await {
            Ok(report) if report.is_whole() => None,
            Ok(report) => Some(describe(&report)),
            Err(error) if error.is_damage() => Some(error.to_string()),
            Err(error) => return Err(RepairError::Newer(error)),
        };
        snapshots.push(Looked { file: candidate.path, zxid: candidate.zxid, fault });
    }
    let data_dir = directories.data_dir();
    let mark = DataMark::read(data_dir)?.unwrap_or_default();
    // Unreadable headers are reported by the log's own check: here its runs are then unknown.
    let runs = txlog::runs(disk, &directories.log).await.ok();
    let all = snapshots.first().map_or(Zxid::ZERO, |newest| newest.zxid);
    let mut compared = compare(&mark.lineage, runs.as_deref(), all, Zxid(i64::MAX));
    let common = compared.as_ref().err().map_or(Zxid(i64::MAX), |foreign| foreign.common);
    // A snapshot that is named as the end of the log is used alone: nothing of the log is added to
    // it.
    let is_of_log = |it: &&Looked| it.zxid <= common || Some(it.zxid) == limit;
    let is_base = |it: &&Looked| it.fault.is_none() && limit.is_none_or(|max| it.zxid <= max);
    let base = snapshots.iter().filter(is_of_log).find(is_base).map(|it| it.zxid);
    let after = base.unwrap_or(Zxid::ZERO);
    let newest = snapshots.iter().find(is_of_log).map_or(after, |newest| newest.zxid);
    let durable = if limit.is_none() { newest } else { after };
    let log =
        examine(disk, &directories.log, RecoverFrom { after, durable, committed: after }).await?;
    if compared.is_ok() && log.complaint.is_none() && limit.is_none() {
        compared = compare(&mark.lineage, runs.as_deref(), all, log.reached);
    }
    let (foreign, lineage) = match compared {
        Ok(lineage) => (None, lineage),
        Err(foreign) => {
            let last = foreign.last.min(log.reached);
            (Some(ForeignLog { last, ..foreign }), Lineage::of(&runs.unwrap_or_default()))
        }
    };
    Ok(Look { snapshots, base, log, foreign, lineage })
}

/// Compares the log with the one that the snapshots were last served with.
fn compare(
    lineage: &Lineage,
    runs: Option<&[LogRun]>,
    snapshot: Zxid,
    last: Zxid,
) -> Result<Lineage, ForeignLog> {
    let Some(runs) = runs else { return Ok(lineage.clone()) };
    lineage.compare(Found { runs, last, snapshot })
}

fn describe(report: &snapshot::Report) -> String {
    let damaged = report.health.iter().flat_map(|health| &health.damaged).next();
    damaged.map_or_else(
        || "the digest of its nodes is not the one it states".to_owned(),
        |(chunk, offset, fault)| format!("chunk {chunk} at offset {offset} of it: {fault}"),
    )
}

/// Doubts about files that are undamaged.
pub(super) struct Doubts {
    /// There are snapshots that a server has written, and no log.
    pub(super) is_log_missing: bool,
    /// Why a server could not decide which history counts.
    pub(super) histories: Option<HistoryError>,
}

impl Doubts {
    pub(super) fn of(look: &Look, directories: &Directories) -> Result<Self, RepairError> {
        let (data_dir, log_dir) = (directories.data_dir(), directories.log_dir());
        let mark = DataMark::read(data_dir)?.unwrap_or_default();
        let is_log_missing = look.log.segments.is_none() && mark.log != LogPlace::NotYet;
        let reached = look.log.reached;
        let found = stock_zxid(data_dir, log_dir);
        let checked =
            found.and_then(|found| check_beside(data_dir, found, mark.known, || Ok(reached)));
        // Unreadable data do not stop a server, which only warns.
        let is_obstacle = |error: &HistoryError| matches!(error, HistoryError::Newer { .. });
        Ok(Self { is_log_missing, histories: checked.err().filter(is_obstacle) })
    }
}
