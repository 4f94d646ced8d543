//! `ringkeeper import`, `export` and `inspect`: clock, threads and words around `convert`.

mod args;
mod progress;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use convert::error::ImportError;
use convert::import::{self, ImportOptions, ImportReport, Imported, Progress};
use disk::lock::{DirectoryLock, LockError};
use disk::{Background, BackgroundConfig, BackgroundError, Queue};
use model::session::ExtendedTypes;
use thiserror::Error;

use crate::persist;
pub use args::ImportArgs;
use progress::{ProgressLines, say};

/// Who wrote a file, as the file says it.
const CREATED_BY: &str = concat!("ringkeeper import ", env!("CARGO_PKG_VERSION"));

/// Why a command does not do what it was told.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The files.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A directory cannot be made.
    #[error("{0} cannot be made: {1}; make it, or name another with --to")]
    Directory(PathBuf, #[source] io::Error),
    /// A directory is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The background thread does not start.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// No random numbers.
    #[error("/dev/urandom cannot be read: {0}")]
    Random(#[source] io::Error),
    /// Nobody listens.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
}

/// `ringkeeper import`: reads, compares, writes, and says on `out` what it did.
pub fn import(args: &ImportArgs, out: &mut impl Write) -> Result<(), MigrateError> {
    let began = Instant::now();
    import::check_target(&args.to)?;
    let random = || persist::random().map_err(MigrateError::Random);
    let options = ImportOptions {
        data_dir: args.dir.clone(),
        log_dir: args.log_dir.clone(),
        stop_at_damage: args.stop_at_damage,
        accept_mismatch: args.accept_mismatch,
        trust_empty_snapshot: args.trust_empty_snapshot,
        types: ExtendedTypes { enabled: true, emulate_353: args.emulate_353_ttl_nodes },
        seed: [random()?, random()?],
    };
    let mut lines = ProgressLines::new();
    let imported = import::read(&options, &mut |progress| match progress {
        Progress::Nodes { count, bytes } => {
            lines.tell("nodes read", count, || format!(", {} MB", bytes >> 20));
        }
        Progress::Txns { count, zxid } => {
            lines.tell("txns replayed", count, || format!(", up to {zxid}"));
        }
        Progress::Written { .. } => (),
    })?;
    let _lock = own(&args.to)?;
    // Whoever had the lock may have written meanwhile.
    import::check_target(&args.to)?;
    let report = write(imported, &args.to)?;
    tell(&report, &args.to, began, out).map_err(MigrateError::Output)
}

/// Makes a directory and locks it.
fn own(directory: &Path) -> Result<DirectoryLock, MigrateError> {
    let made = std::fs::create_dir_all(directory);
    made.map_err(|error| MigrateError::Directory(directory.to_owned(), error))?;
    Ok(DirectoryLock::take(directory)?)
}

fn write(imported: Imported, to: &Path) -> Result<ImportReport, MigrateError> {
    let background = Background::start(BackgroundConfig::new(to.to_owned()))?;
    let to = to.to_owned();
    let written = background.run(Queue::Snapshot, move |disk| async move {
        let mut lines = ProgressLines::new();
        let mut bytes = 0;
        let pace = async |more| {
            bytes += more;
            lines.tell("MB written", bytes >> 20, String::new);
            glommio::yield_if_needed().await;
            ControlFlow::Continue(())
        };
        imported.write(&*disk, &to, CREATED_BY, pace).await
    })?;
    let report = written.recv().map_err(|_| BackgroundError::Stopped)??;
    background.stop();
    Ok(report)
}

fn tell(
    report: &ImportReport,
    to: &Path,
    began: Instant,
    out: &mut impl Write,
) -> io::Result<()> {
    for note in &report.notes {
        say(&format!("note: {note}"));
    }
    match &report.snapshot {
        Some(path) => {
            let nodes = report.snapshot_nodes;
            writeln!(out, "snapshot  {} with {nodes} nodes", path.display())?;
        }
        None => writeln!(out, "snapshot  none; the logs were replayed from the beginning")?,
    }
    let (txns, tolerated) = (report.txns, report.tolerated);
    writeln!(out, "logs      {txns} txns replayed, {tolerated} of them in the snapshot already")?;
    writeln!(out, "zxid      {}", report.zxid)?;
    writeln!(out, "tree      {} nodes, {} sessions", report.nodes, report.sessions)?;
    let compared = match report.compared {
        Some(last) if last.is_equal() && last.zxid == report.zxid => "as ZooKeeper wrote it",
        Some(last) if last.is_equal() => "as ZooKeeper wrote it, where it last did",
        Some(_) => "not the one that ZooKeeper wrote",
        None => "not compared",
    };
    writeln!(out, "digest    {:#x}, {compared}", report.digest)?;
    let seconds = began.elapsed().as_secs_f64();
    writeln!(out, "imported to {} in {seconds:.1} s", to.display())
}
