//! `ringkeeper inspect`: what is in a file, one line per item.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use convert::inspect::{self, Format, Item};
use disk::{Background, BackgroundConfig, BackgroundError, TaskQueue};

use super::args::{InspectArgs, Inspected};
use super::error::MigrateError;

/// How many items the background may be ahead of the output.
const ITEMS_AHEAD: usize = 1024;

/// Shows the file on `out`.
///
/// # Errors
/// Also if the file is damaged, after all of it that can be read has been shown.
pub fn inspect(args: &InspectArgs, out: &mut impl Write) -> Result<(), MigrateError> {
    let (file, json, nodes) = match &args.what {
        Inspected::Log { file, json } => (file, *json, false),
        Inspected::Snapshot { file, json, nodes } => (file, *json, *nodes),
    };
    let is_log = matches!(args.what, Inspected::Log { .. });
    if file.is_dir() {
        return Err(MigrateError::IsDirectory(file.clone(), inspect::example_in(file, is_log)));
    }
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => MigrateError::Missing(file.clone()),
        _ => MigrateError::File(file.clone(), error),
    };
    let format = inspect::format_of(file).map_err(unreadable)?;
    let mut out = BufWriter::new(out);
    let mut show = |item: &Item| {
        if json { writeln!(out, "{}", item.json()) } else { writeln!(out, "{item}") }
    };
    let is_whole = match format {
        Format::StockLog if is_log => inspect::stock_log(file, &mut show),
        Format::StockSnapshot(compression) if !is_log => {
            inspect::stock_snapshot(file, compression, nodes, &mut show)
        }
        Format::OurLog if is_log => ours(file, true, false, &mut show)?,
        Format::OurSnapshot if !is_log => ours(file, false, nodes, &mut show)?,
        Format::Unknown(begin) if begin.is_empty() && is_log => inspect::stock_log(file, &mut show),
        Format::Unknown(begin) => return Err(MigrateError::Unknown(file.clone(), begin)),
        Format::StockLog | Format::OurLog => return Err(MigrateError::IsLog(file.clone())),
        Format::StockSnapshot(_) | Format::OurSnapshot => {
            return Err(MigrateError::IsSnapshot(file.clone()));
        }
    };
    let is_whole = is_whole.and_then(|is_whole| out.flush().map(|()| is_whole));
    match is_whole {
        // The reader of the output has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(MigrateError::Output(error)),
        Ok(true) => Ok(()),
        Ok(false) => Err(MigrateError::Damaged(file.clone())),
    }
}

/// Has the background read one of our files, and shows the items.
fn ours(
    file: &Path,
    is_log: bool,
    nodes: bool,
    show: &mut dyn FnMut(&Item) -> io::Result<()>,
) -> Result<io::Result<bool>, MigrateError> {
    let path = std::path::absolute(file).map_err(|e| MigrateError::File(file.to_owned(), e))?;
    let bytes = std::fs::metadata(&path).map_err(|e| MigrateError::File(path.clone(), e))?.len();
    let directory = path.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
    let background = Background::start(BackgroundConfig::new(directory))?;
    let (items, shown) = mpsc::sync_channel::<Item>(ITEMS_AHEAD);
    let done = background.run(TaskQueue::Snapshot, move |disk| async move {
        let mut send = |item: &Item| {
            items.send(item.clone()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
        };
        if is_log {
            inspect::our_log(&*disk, &path, &mut send).await
        } else {
            inspect::our_snapshot(&*disk, &path, bytes, nodes, &mut send).await
        }
    })?;
    for item in shown {
        if let Err(error) = show(&item) {
            return Ok(Err(error));
        }
    }
    Ok(done.recv().map_err(|_| BackgroundError::Stopped)?)
}
