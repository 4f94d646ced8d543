//! `ringkeeper import`, `export` and `inspect`: clock, threads and words around `convert`.

mod args;
mod error;
mod inspect;
mod progress;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use convert::export::{self, ExportReport};
use convert::import::{self, ImportOptions, ImportReport, Imported, Progress};
use disk::lock::DirectoryLock;
use disk::{Background, BackgroundConfig, BackgroundError, Queue};
use engine::settings::Settings;
use model::session::ExtendedTypes;

use crate::output::say;
use crate::persist::{self, Directories};
pub use args::{ExportArgs, ImportArgs, InspectArgs, Inspected};
pub use error::MigrateError;
pub use inspect::inspect;
use progress::ProgressLines;

/// Who wrote a file, as the file says it.
const CREATED_BY: &str = concat!("ringkeeper import ", env!("CARGO_PKG_VERSION"));

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

fn tell(report: &ImportReport, to: &Path, began: Instant, out: &mut impl Write) -> io::Result<()> {
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

/// `ringkeeper export`: reads, writes, and says on `out` what it did.
pub fn export(args: &ExportArgs, out: &mut impl Write) -> Result<(), MigrateError> {
    let began = Instant::now();
    export::check_target(&args.to)?;
    let log_dir = args.log_dir.as_ref().unwrap_or(&args.dir);
    let directories = Directories {
        log: log_dir.join(txlog::segments::DIRECTORY),
        snapshots: args.dir.join(snapshot::directory::DIRECTORY),
        segment_bytes: 0,
    };
    for directory in [&directories.log, &directories.snapshots] {
        if !directory.is_dir() {
            return Err(MigrateError::NoData(directory.clone()));
        }
    }
    let _lock = DirectoryLock::take(&args.dir)?;
    let is_apart = log_dir.canonicalize().ok() != args.dir.canonicalize().ok();
    let _log_lock = if is_apart { Some(DirectoryLock::take(log_dir)?) } else { None };
    let background = Background::start(BackgroundConfig::new(args.dir.clone()))?;
    let extended_types = ExtendedTypes { enabled: true, emulate_353: false };
    let settings = Arc::new(Settings { extended_types, ..Settings::default() });
    let read = persist::read_back(&background, directories, settings)?;
    if read.snapshot.is_none() && read.recovered.record_count == 0 {
        return Err(MigrateError::NoData(args.dir.clone()));
    }
    let made = std::fs::create_dir_all(&args.to);
    made.map_err(|error| MigrateError::Directory(args.to.clone(), error))?;
    let mut lines = ProgressLines::new();
    let pin = read.head.tree.pin().expect("nobody else pins");
    let report = export::write(pin.view(), &args.to, &mut |count| {
        lines.tell("nodes written", count, String::new);
    })?;
    tell_export(&report, began, out).map_err(MigrateError::Output)
}

fn tell_export(report: &ExportReport, began: Instant, out: &mut impl Write) -> io::Result<()> {
    let ExportReport { path, bytes, zxid, nodes, sessions, digest } = report;
    writeln!(out, "snapshot  {}, {bytes} bytes", path.display())?;
    writeln!(out, "zxid      {zxid}")?;
    writeln!(out, "tree      {nodes} nodes, {sessions} sessions")?;
    writeln!(out, "digest    {digest:#x}")?;
    writeln!(out, "exported in {:.1} s", began.elapsed().as_secs_f64())
}
