//! `ringkeeper export`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use convert::error::ExportError;
use convert::export::{self, ExportReport};
use convert::stock::directory;
use convert::stock::lengths::Lengths;
use disk::lock::DirectoryLock;
use disk::{Background, BackgroundConfig};
use engine::settings::Settings;
use model::session::ExtendedTypes;
use model::zxid::Epochs;

use super::args::ExportArgs;
use super::error::MigrateError;
use super::progress::ProgressLines;
use crate::data_set::{self, Copied, DataMark, Known, LogPlace, check_beside, is_same, stock_zxid};
use crate::directories::Directories;
use crate::output::say;
use crate::persist;
use crate::survey::{self, SurveyError};

/// `ringkeeper export`: reads, writes, and reports on `out` what it did.
pub fn export(args: &ExportArgs, out: &mut impl Write) -> Result<(), MigrateError> {
    let began = Instant::now();
    survey::find_data(&args.dir)?;
    export::check_target(&args.to)?;
    let log_dir = data_set::find_log(&args.dir, args.log_dir.as_deref())?;
    let is_apart = !is_same(&args.dir, &log_dir);
    if is_apart && args.log_dir.is_none() {
        let (log, mark) = (log_dir.display(), DataMark::path(&args.dir));
        say(&format!("note: the log is read from {log}, as {} says", mark.display()));
    }
    let is_in_place = is_same(&args.dir, &args.to);
    if is_in_place && is_apart {
        // ZooKeeper would replay what is there on top of the snapshot.
        export::check_target(&log_dir)?;
    }
    let _lock = DirectoryLock::take(&args.dir)?;
    let _log_lock = if is_apart { Some(DirectoryLock::take(&log_dir)?) } else { None };
    let there = survey::survey(&args.dir, &log_dir)?;
    let mut mark = DataMark::read(&args.dir)?.unwrap_or_default();
    if there.segments == 0 && mark.log != LogPlace::NotYet && !args.without_log {
        return Err(MigrateError::NoLog(log_dir));
    }
    let read = read(args, &log_dir)?;
    let found = stock_zxid(&args.dir, &log_dir)?;
    check_beside(&args.dir, found, mark.known, || Ok::<_, MigrateError>(read.recovered.last))?;
    let made = std::fs::create_dir_all(&args.to);
    made.map_err(|error| MigrateError::Directory(args.to.clone(), error))?;
    let mut lines = ProgressLines::new();
    let pin = read.head.tree.pin().expect("there is no other pin");
    let report = export::write(pin.view(), &args.to, &mut |count| {
        lines.report("nodes written", count, String::new);
    })?;
    if let Some(epochs) = read_epochs(&args.dir, &log_dir)?.or(mark.epochs) {
        let to = args.to.join(directory::DIRECTORY);
        directory::write_epochs(&to, epochs)
            .map_err(|error| ExportError::Io { path: to, error })?;
    }
    if is_in_place {
        mark.known = Known::UpTo(report.zxid);
    } else {
        let directory = args.to.canonicalize().unwrap_or_else(|_| args.to.clone());
        mark.copied = Some(Copied { directory, zxid: report.zxid });
    }
    mark.write(&args.dir)?;
    warn_of_lengths(&report.lengths);
    self::report(&report, began, out).map_err(MigrateError::Output)
}

fn read(args: &ExportArgs, log_dir: &Path) -> Result<persist::ReadBack, MigrateError> {
    let directories = Directories {
        log: log_dir.join(txlog::segments::DIRECTORY),
        snapshots: args.dir.join(snapshot::directory::DIRECTORY),
        segment_bytes: 0,
    };
    let background = Background::start(BackgroundConfig::new(args.dir.clone()))?;
    let extended_types = ExtendedTypes { enabled: true, emulate_353: false };
    let settings = Arc::new(Settings { extended_types, ..Settings::default() });
    let read = persist::read_back(&background, directories, settings)?;
    if read.snapshot.is_none() && read.recovered.record_count == 0 {
        return Err(SurveyError::NoData(args.dir.clone()).into());
    }
    Ok(read)
}

/// What the server has promised and accepted, if it is one of an ensemble.
fn read_epochs(dir: &Path, log_dir: &Path) -> Result<Option<Epochs>, MigrateError> {
    let background = Background::start(BackgroundConfig::new(dir.to_owned()))?;
    Ok(persist::kept_epochs(&background, log_dir.join(txlog::segments::DIRECTORY))?)
}

/// Warns of what `ZooKeeper` and its clients do not accept by default.
fn warn_of_lengths(lengths: &Lengths) {
    let Some((path, bytes)) = &lengths.longest else { return };
    let (packet, field) = (lengths.beyond_packet, lengths.beyond_field);
    let needed = lengths.packet_bytes_needed();
    let fails = if field > 0 {
        format!(
            "ZooKeeper DOES NOT START on {field} of them unless it is set (\"Unreasonable \
             length\")"
        )
    } else {
        "ZooKeeper starts, but clients that do not set it cannot read them".to_owned()
    };
    say(&format!(
        "note: {packet} nodes are longer than ZooKeeper's default of jute.maxbuffer allows, the \
         longest {path} with {bytes} bytes: {fails}; set -Djute.maxbuffer={needed} or more in its \
         conf/java.env, and in its clients"
    ));
}

fn report(report: &ExportReport, began: Instant, out: &mut impl Write) -> io::Result<()> {
    let ExportReport { path, bytes, zxid, nodes, sessions, digest, lengths: _ } = report;
    writeln!(out, "snapshot  {}, {bytes} bytes", path.display())?;
    writeln!(out, "zxid      {zxid}")?;
    writeln!(out, "tree      {nodes} nodes, {sessions} sessions")?;
    writeln!(out, "digest    {digest:#x}")?;
    writeln!(out, "exported in {:.1} s", began.elapsed().as_secs_f64())
}
