//! `ringkeeper repair`: what can be kept of damaged data, and the explicit choice to keep only it.
//!
//! Without `--cut-log-at` it changes nothing. With it the log is cut at that zxid and later
//! snapshots are set aside; no file is removed, those that would be in the way are renamed.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;
use disk::lock::{DirectoryLock, LockError};
use disk::{Background, BackgroundConfig, BackgroundError, Direct, Disk, DiskError, Queue};
use model::zxid::Zxid;
use snapshot::LoadError;
use thiserror::Error;
use txlog::repair::{Examination, cut, examine};
use txlog::{LogRun, RecoverFrom};

use crate::advice;
use crate::data_set::{
    self, DataMark, ForeignLog, Found, HalvesError, HistoryError, Lineage, LineageRun, LogPlace,
    MarkError, check_beside, stock_zxid,
};
use crate::directories::Directories;
use crate::random;
use crate::survey::{SurveyError, find_data, survey};

/// What to repair.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Without --cut-log-at nothing is changed: the command says whether a \
    server would start with this data, what is damaged, how far it can be read without a gap, and \
    what is known to be lost after that.\n\n\
    With --cut-log-at the log ends at that zxid. Segments that hold something after it are kept \
    as cut-<number>, snapshots after it, or of another history than the log, become \
    damaged.snapshot.<zxid>; no file is removed. Make a copy of dataDir and dataLogDir first.")]
pub struct RepairArgs {
    /// The dataDir of a server that is not running.
    #[arg(value_name = "DATADIR")]
    pub data_dir: PathBuf,

    /// Its dataLogDir, if it has moved since the server last used it.
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,

    /// Cut the log at this zxid, no later than the last one that can be read. What was written
    /// after it is lost, acknowledged or not.
    #[arg(long, value_name = "ZXID", value_parser = parse_zxid)]
    pub cut_log_at: Option<Zxid>,
}

fn parse_zxid(text: &str) -> Result<Zxid, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map(Zxid).map_err(|_| "a zxid is a number such as 0x1a or 26".to_owned())
}

/// Why nothing was repaired.
#[derive(Debug, Error)]
pub enum RepairError {
    /// A server is running, or the directory cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directories do not hold the expected files.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// Its halves do not belong together.
    #[error(transparent)]
    Halves(#[from] HalvesError),
    /// What the directory records about itself cannot be read.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// Files created by this user could not be used by the server.
    #[error(
        "{} belongs to the user with number {owner}, and this is {user}: run the command as that \
         user (sudo -u '#{owner}' ...), or the server could not use the files created here",
        directory.display()
    )]
    OtherUser {
        /// A directory.
        directory: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user of this process.
        user: u32,
    },
    /// The background thread does not start.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// The disk returned an error.
    #[error("{0}{way_out}", way_out = advice::disk(.0))]
    Disk(#[from] DiskError),
    /// A snapshot of a later version.
    #[error("{0}; use the version that wrote it")]
    Newer(LoadError),
    /// The zxid is after what can be read.
    #[error("the log cannot be cut at {at}: it can be read without a gap through {reached} only")]
    Beyond {
        /// The zxid that was requested.
        at: Zxid,
        /// What can be read.
        reached: Zxid,
    },
    /// Nothing can be kept.
    #[error(
        "no snapshot is whole and the log does not reach back to the beginning: restore a backup"
    )]
    Nothing,
    /// No snapshot belongs to the log.
    #[error(
        "no whole snapshot up to {0}, where this log and the one of the snapshots diverge, and the \
         log does not reach back to the beginning: restore a backup"
    )]
    NothingCommon(Zxid),
    /// No random numbers.
    #[error("/dev/urandom cannot be read: {0}")]
    Random(#[source] io::Error),
    /// The report cannot be written.
    #[error("the report cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// A snapshot, and what is wrong with it.
struct Looked {
    file: PathBuf,
    zxid: Zxid,
    fault: Option<String>,
}

/// What was found.
struct Look {
    snapshots: Vec<Looked>,
    /// The newest one that is whole, no later than the cut, and of the log's history.
    base: Option<Zxid>,
    log: Examination,
    /// The log is not the one that the snapshots were served with.
    foreign: Option<ForeignLog>,
    /// What to record about the log, if it is used.
    lineage: Lineage,
}

impl Look {
    /// Whether a server would start with these data.
    fn is_usable(&self) -> bool {
        let is_whole = self.log.complaint.is_none() && self.foreign.is_none();
        is_whole && (self.base.is_some() || self.snapshots.is_empty())
    }

    /// Whether there is anything to begin with: a snapshot, or the log's own beginning.
    fn has_beginning(&self) -> bool {
        let is_log_whole = self.log.complaint.is_none() && self.log.segments.is_some();
        self.base.is_some() || self.log.reached > Zxid::ZERO || is_log_whole
    }

    /// Up to where snapshots are of the log's history.
    fn common(&self) -> Zxid {
        self.foreign.map_or(Zxid(i64::MAX), |foreign| foreign.common)
    }

    /// Why nothing can be kept.
    fn nothing(&self) -> RepairError {
        self.foreign.map_or(RepairError::Nothing, |it| RepairError::NothingCommon(it.common))
    }
}

/// What was done.
struct Done {
    /// The names of the files that were set aside.
    aside: Vec<PathBuf>,
    /// Whether the log was cut.
    is_cut: bool,
}

/// Examines, reports, and cuts the log if requested.
pub fn run(args: &RepairArgs, out: &mut impl Write) -> Result<(), RepairError> {
    find_data(&args.data_dir)?;
    let log_dir = data_set::find_log(&args.data_dir, args.log_dir.as_deref())?;
    check_user(&args.data_dir)?;
    check_user(&log_dir)?;
    let mut locks = vec![DirectoryLock::take(&args.data_dir)?];
    if !data_set::is_same(&log_dir, &args.data_dir) {
        locks.push(DirectoryLock::take(&log_dir)?);
    }
    let there = survey(&args.data_dir, &log_dir)?;
    if there.snapshots == 0 && there.segments == 0 {
        return Err(SurveyError::NoData(args.data_dir.clone()).into());
    }
    let directories = Directories {
        log: log_dir.join(txlog::segments::DIRECTORY),
        snapshots: args.data_dir.join(snapshot::directory::DIRECTORY),
        segment_bytes: 0,
    };
    let background = Background::start(BackgroundConfig::new(log_dir))?;
    let look = on_disk(&background, &directories, async |disk, directories| {
        look_at(&*disk, &directories, None).await
    })?;
    report(&look, &Doubts::of(&look, &directories)?, &directories, args.cut_log_at, out)?;
    if let Some(at) = args.cut_log_at {
        let done = on_disk(&background, &directories, async move |disk, directories| {
            cut_at(&*disk, &directories, at).await
        })?;
        for file in done.aside {
            writeln!(out, "set aside: {}", file.display())?;
        }
        let what = if done.is_cut { "is cut at" } else { "is whole and ends at" };
        writeln!(out, "the log {what} {at}; now:\n")?;
        let look = on_disk(&background, &directories, async |disk, directories| {
            look_at(&*disk, &directories, None).await
        })?;
        report(&look, &Doubts::of(&look, &directories)?, &directories, None, out)?;
    }
    background.stop();
    drop(locks);
    Ok(())
}

fn check_user(directory: &Path) -> Result<(), RepairError> {
    // If the directory cannot be examined, taking the lock reports it.
    let Ok(metadata) = std::fs::metadata(directory) else { return Ok(()) };
    let (owner, user) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    if owner == user {
        return Ok(());
    }
    Err(RepairError::OtherUser { directory: directory.to_owned(), owner, user })
}

fn on_disk<T: Send + 'static>(
    background: &Background,
    directories: &Directories,
    work: impl AsyncFnOnce(Rc<Direct>, Directories) -> Result<T, RepairError> + Send + 'static,
) -> Result<T, RepairError> {
    let directories = directories.clone();
    let done = background.run(Queue::Segments, move |disk| work(disk, directories))?;
    done.recv().map_err(|_| BackgroundError::Stopped)?
}

async fn look_at<D: Disk>(
    disk: &D,
    directories: &Directories,
    limit: Option<Zxid>,
) -> Result<Look, RepairError> {
    let mut snapshots = Vec::new();
    for candidate in snapshot::list(disk, &directories.snapshots).await? {
        let fault =
            match snapshot::inspect(disk, &directories.snapshots, candidate.zxid, true).await {
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
    let log = examine(disk, &directories.log, RecoverFrom { after, durable }).await?;
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
struct Doubts {
    /// There are snapshots that a server has written, and no log.
    is_log_missing: bool,
    /// Why a server could not decide which history counts.
    histories: Option<HistoryError>,
}

impl Doubts {
    fn of(look: &Look, directories: &Directories) -> Result<Self, RepairError> {
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

fn report(
    look: &Look,
    doubts: &Doubts,
    directories: &Directories,
    cut: Option<Zxid>,
    out: &mut impl Write,
) -> io::Result<()> {
    for snapshot in &look.snapshots {
        let state = match &snapshot.fault {
            Some(fault) => format!("damaged: {fault}"),
            None if snapshot.zxid > look.common() => "whole, of another history".to_owned(),
            None => "whole".to_owned(),
        };
        writeln!(out, "snapshot {}, {state}", snapshot.file.display())?;
    }
    match look.log.segments {
        None => writeln!(out, "no log in {}", directories.log.display())?,
        Some((first, last)) => {
            writeln!(out, "log {}, segments {first} to {last}", directories.log.display())?;
        }
    }
    if let Some(complaint) = &look.log.complaint {
        writeln!(out, "{complaint}")?;
    }
    let reached = look.log.reached;
    if doubts.is_log_missing {
        writeln!(
            out,
            "what was written after the newest snapshot is in a log, and there is none here: if it \
             is in another directory, name that with --log-dir"
        )?;
    }
    if look.is_usable() {
        let nothing = if cut.is_none() { ": nothing is to repair" } else { "" };
        return match &doubts.histories {
            None => writeln!(out, "a server starts with this, at zxid {reached}{nothing}"),
            Some(newer) => {
                writeln!(out, "a server does not start with this, at zxid {reached}: {newer}")
            }
        };
    }
    if let Some(foreign) = look.foreign {
        let (data_dir, log_dir) = (directories.data_dir(), directories.log_dir());
        let (data_dir, log_dir) = (data_dir.to_owned(), log_dir.to_owned());
        writeln!(out, "{}", HalvesError::OtherLog { data_dir, log_dir, foreign })?;
    }
    if !look.has_beginning() {
        return writeln!(out, "{}", look.nothing());
    }
    writeln!(out, "a server does not start with this")?;
    if cut.is_some() {
        return Ok(());
    }
    writeln!(out, "what can be read without a gap ends with zxid {reached}")?;
    suggest(look, directories, out)
}

/// Prints the possible cuts, and what each would lose.
fn suggest(look: &Look, directories: &Directories, out: &mut impl Write) -> io::Result<()> {
    let reached = look.log.reached;
    let command = advice::repair_command(directories);
    if look.foreign.is_some() {
        writeln!(out, "to continue with this log: {command} --cut-log-at {reached}")?;
        let whole = look.snapshots.iter().find(|it| it.fault.is_none());
        return match whole.filter(|it| it.zxid > look.common()) {
            None => Ok(()),
            Some(Looked { zxid, .. }) => writeln!(
                out,
                "to continue with the snapshot at {zxid} and without a log: {command} --cut-log-at \
                 {zxid}"
            ),
        };
    }
    let newest = look.snapshots.first().map(|newest| newest.zxid);
    let known = look.log.complaint.as_ref().and_then(txlog::RecoverError::durable_through);
    if let Some(lost) = known.max(newest).filter(|lost| *lost > reached) {
        writeln!(out, "acknowledged and lost by a cut: what follows, at least through {lost}")?;
    }
    for number in look.log.aside() {
        writeln!(out, "a cut sets segment {number} aside")?;
    }
    writeln!(out, "to keep that and give up the rest: {command} --cut-log-at {reached}")
}

/// Cuts the log at `at` and sets everything after it aside.
async fn cut_at<D: Disk>(
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
