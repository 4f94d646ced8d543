//! `ringkeeper repair`: what can be kept of damaged data, and the explicit choice to keep only it.
//!
//! Without `--cut-log-at` it changes nothing. With it the log is cut at that zxid and later
//! snapshots are set aside; no file is removed, those that would be in the way are renamed.

mod cut;
mod error;
mod look;
mod report;

pub use error::RepairError;

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;
use disk::lock::DirectoryLock;
use disk::{Background, BackgroundConfig, BackgroundError, Direct, TaskQueue};
use model::zxid::Zxid;

use crate::data_set;
use crate::directories::Directories;
use crate::survey::{SurveyError, find_data, survey};
use cut::cut_at;
use look::{Doubts, look_at};
use report::report;

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
    let done = background.run(TaskQueue::Segments, move |disk| work(disk, directories))?;
    done.recv().map_err(|_| BackgroundError::Stopped)?
}
