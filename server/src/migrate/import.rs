//! `ringkeeper import`.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use convert::import::{self, ImportOptions, ImportReport, Imported, Progress};
use convert::stock::directory;
use disk::lock::{DirectoryLock, LOCK_FILE};
use disk::{Background, BackgroundConfig, BackgroundError, TaskQueue};
use model::session::ExtendedTypes;
use model::zxid::Zxid;

use super::args::ImportArgs;
use super::error::MigrateError;
use super::progress::ProgressLines;
use super::running;
use crate::data_set::{Copied, DataMark, HistoryError, Known, LogPlace, is_same, stock_zxid};
use crate::output::say;
use crate::persist::IMPORTER;
use crate::random;

/// Where `ZooKeeper`'s files are.
struct Source {
    /// The `version-2` of the dataDir, and that of the dataLogDir.
    directories: Vec<PathBuf>,
    /// The dataDir.
    data_dir: PathBuf,
    /// Whether the target is the same directory.
    is_in_place: bool,
}

impl Source {
    fn of(args: &ImportArgs) -> Self {
        let inside = directory::version_directory(&args.dir);
        let is_in_place = is_same(&inside, &args.to.join(directory::DIRECTORY));
        let above = inside.parent().map_or_else(|| args.dir.clone(), Path::to_owned);
        let logs = args.log_dir.as_deref().map(directory::version_directory);
        let directories = [inside].into_iter().chain(logs).collect();
        Self { directories, data_dir: above, is_in_place }
    }

    /// The last txn.
    fn newest(&self) -> Result<Option<Zxid>, HistoryError> {
        directory::newest_zxid(&self.directories)
            .map_err(|error| HistoryError::Unreadable { path: self.directories[0].clone(), error })
    }
}

/// `ringkeeper import`: reads, compares, writes, and reports on `out` what it did.
pub fn import(args: &ImportArgs, out: &mut impl Write) -> Result<(), MigrateError> {
    let began = Instant::now();
    // A server of ours that runs there is reported before the data that it has there.
    let early = if args.to.join(LOCK_FILE).is_file() { Some(own(&args.to)?) } else { None };
    import::check_target(&args.to)?;
    let source = Source::of(args);
    if let Some(log_dir) = args.log_dir.as_ref().filter(|_| source.is_in_place) {
        import::check_target(log_dir)?;
    }
    if let Some(writer) = running::writer_in(&source.directories) {
        return Err(MigrateError::Running { pid: writer.pid, file: writer.file });
    }
    let imported = read(args)?;
    let mark = mark(&source, &args.to)?;
    let _lock = early.map_or_else(|| own(&args.to), Ok)?;
    // The previous holder of the lock may have written meanwhile.
    import::check_target(&args.to)?;
    for note in &imported.report.notes {
        say(&format!("note: {note}"));
    }
    // Before the data: they are never there without being recorded.
    mark.write(&args.to)?;
    let report = write(imported, &args.to)?;
    self::report(&report, &args.to, began, out).map_err(MigrateError::Output)
}

fn read(args: &ImportArgs) -> Result<Imported, MigrateError> {
    let random = || random::bits().map_err(MigrateError::Random);
    let options = ImportOptions {
        data_dir: args.dir.clone(),
        log_dir: args.log_dir.clone(),
        stop_at_damage: args.stop_at_damage,
        accept_mismatch: args.accept_mismatch,
        trust_empty_snapshot: args.trust_empty_snapshot,
        without_log: args.without_log,
        clear_ensemble: args.clear_ensemble,
        types: ExtendedTypes { enabled: true, emulate_353: args.emulate_353_ttl_nodes },
        seed: [random()?, random()?],
    };
    let mut lines = ProgressLines::new();
    let imported = import::read(&options, &mut |progress| match progress {
        Progress::Nodes { count, bytes } => {
            lines.report("nodes read", count, || format!(", {} MB", bytes >> 20));
        }
        Progress::Txns { count, zxid } => {
            lines.report("txns replayed", count, || format!(", up to {zxid}"));
        }
    })?;
    Ok(imported)
}

/// What to record in the target: ZooKeeper's data up to here have been imported, and from where.
fn mark(source: &Source, to: &Path) -> Result<DataMark, HistoryError> {
    let imported = source.newest()?.unwrap_or(Zxid::ZERO);
    let known = Known::UpTo(imported);
    let of_snapshots = &source.directories[0];
    let epochs = directory::epochs(of_snapshots).map_err(|error| HistoryError::Epochs { error })?;
    let mut mark = DataMark { log: LogPlace::NotYet, known, epochs, ..DataMark::default() };
    if source.is_in_place {
        return Ok(mark);
    }
    if let Some(found) = stock_zxid(to, to)?.filter(|found| *found > imported) {
        return Err(HistoryError::NewerInTarget { to: to.to_owned(), found, imported });
    }
    let directory = source.data_dir.canonicalize().unwrap_or_else(|_| source.data_dir.clone());
    mark.copied = Some(Copied { directory, zxid: imported });
    Ok(mark)
}

/// Creates a directory and locks it.
fn own(directory: &Path) -> Result<DirectoryLock, MigrateError> {
    let made = std::fs::create_dir_all(directory);
    made.map_err(|error| MigrateError::Directory(directory.to_owned(), error))?;
    Ok(DirectoryLock::take(directory)?)
}

fn write(imported: Imported, to: &Path) -> Result<ImportReport, MigrateError> {
    let background = Background::start(BackgroundConfig::new(to.to_owned()))?;
    let to = to.to_owned();
    let created_by = format!("{IMPORTER} {}", env!("CARGO_PKG_VERSION"));
    let written = background.run(TaskQueue::Snapshot, move |disk| async move {
        let mut lines = ProgressLines::new();
        let mut bytes = 0;
        let pace = async |more| {
            bytes += more;
            lines.report("MB written", bytes >> 20, String::new);
            glommio::yield_if_needed().await;
            ControlFlow::Continue(())
        };
        imported.write(&*disk, &to, &created_by, pace).await
    })?;
    let report = written.recv().map_err(|_| BackgroundError::Stopped)??;
    background.stop();
    Ok(report)
}

fn report(
    report: &ImportReport,
    to: &Path,
    began: Instant,
    out: &mut impl Write,
) -> io::Result<()> {
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
