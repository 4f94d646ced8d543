//! Exports a version of our tree to a data directory of `ZooKeeper`: one snapshot, no log. Stock
//! starts on that: it needs a log only if there is no snapshot.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use engine::state::State;
use engine::tree::View;
use model::record::NodeRecord;
use model::stat::Stat;
use model::zxid::Zxid;

use crate::error::ExportError;
use crate::stock::directory::DIRECTORY;
use crate::stock::lengths::Lengths;
use crate::stock::snapshot::Preamble;
use crate::stock::writer::SnapshotWriter;
use crate::stock::{ACL_OPEN, EXPORT_DATABASE, directory};

/// The name of the snapshot while it is written; stock ignores it.
const UNFINISHED: &str = "unfinished-export";
/// Nodes between two reports of progress.
const REPORT_NODES: u64 = 4096;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// The snapshot.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The last txn in it.
    pub zxid: Zxid,
    /// Nodes.
    pub nodes: u64,
    /// Sessions.
    pub sessions: u64,
    /// The tree's digest.
    pub digest: u64,
    /// What is longer than `ZooKeeper` accepts by default.
    pub lengths: Lengths,
}

/// Refuses a directory where `ZooKeeper` has data.
pub fn check_target(to: &Path) -> Result<(), ExportError> {
    for directory in [to, &to.join(DIRECTORY)] {
        match fs::metadata(directory) {
            Ok(found) if !found.is_dir() => {
                return Err(ExportError::NotADirectory(directory.to_owned()));
            }
            Ok(_) => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ExportError::Io { path: directory.to_owned(), error }),
        }
    }
    let inside = to.join(DIRECTORY);
    let failed = |error| ExportError::Io { path: inside.clone(), error };
    let snapshots = directory::snapshots(&inside).map_err(failed)?;
    let logs = directory::logs(&inside).map_err(failed)?;
    let is_empty = snapshots.is_empty() && logs.is_empty();
    if is_empty { Ok(()) } else { Err(ExportError::TargetInUse(inside)) }
}

/// Writes the tree below `to`, a dataDir; `progress` receives the number of nodes so far. The file
/// gets its name when it is complete and durable.
pub fn write(
    view: View<'_, State>,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<ExportReport, ExportError> {
    check_target(to)?;
    let inside = to.join(DIRECTORY);
    let zxid = view.meta().zxid;
    let (unfinished, path) =
        (inside.join(UNFINISHED), inside.join(format!("snapshot.{:x}", zxid.0)));
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| ExportError::Io { path, error }
    };
    fs::create_dir_all(&inside).map_err(at(&inside))?;
    let written = write_unfinished(view, &unfinished, progress);
    let (bytes, lengths) = match written {
        Ok(written) => written,
        Err(error) => {
            // The first error is the one to report.
            let _ = fs::remove_file(&unfinished);
            return Err(at(&unfinished)(error));
        }
    };
    fs::rename(&unfinished, &path).map_err(at(&path))?;
    for directory in [&inside, to] {
        File::open(directory).and_then(|it| it.sync_all()).map_err(at(directory))?;
    }
    Ok(ExportReport {
        path,
        bytes,
        zxid,
        nodes: view.node_count(),
        sessions: view.meta().sessions.len() as u64,
        digest: view.digest(),
        lengths,
    })
}

fn write_unfinished(
    view: View<'_, State>,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> io::Result<(u64, Lengths)> {
    let preamble = Preamble { database: EXPORT_DATABASE, ..preamble_of(view) };
    let mut writer = SnapshotWriter::begin(File::create(path)?, &preamble)?;
    let lengths = write_nodes(view, &mut writer, progress)?;
    let (bytes, file) = writer.finish(view.meta().zxid, view.digest())?;
    file.sync_all()?;
    Ok((bytes, lengths))
}

/// Writes a version as leaders send it to learners; returns its length.
///
/// # Errors
/// Those of `to`.
pub fn send(view: View<'_, State>, to: impl Write) -> io::Result<u64> {
    let mut writer = SnapshotWriter::begin_sent(to, &preamble_of(view))?;
    write_nodes(view, &mut writer, &mut |_| ())?;
    writer.finish_sent()
}

fn preamble_of(view: View<'_, State>) -> Preamble {
    let state = view.meta();
    let mut preamble = Preamble::default();
    preamble.sessions.extend(state.sessions.iter().map(|(id, it)| (*id, it.timeout_ms)));
    for (number, _) in state.acls.iter() {
        let mut list = Vec::new();
        state.acls.list(number).encode(&mut list);
        preamble.acls.push((number.into(), list));
    }
    preamble
}

fn write_nodes<W: Write>(
    view: View<'_, State>,
    writer: &mut SnapshotWriter<W>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Lengths> {
    let mut todo = Vec::from_iter(view.lookup(b"/"));
    let (mut count, mut lengths) = (0, Lengths::default());
    while let Some(record) = todo.pop() {
        write_node(writer, record)?;
        lengths.see(record.path(), record.data());
        if record.stat().num_children.to_native() > 0 {
            view.child_records(record.path(), |_, child| todo.push(child));
        }
        count += 1;
        if count % REPORT_NODES == 0 {
            progress(count);
        }
    }
    // A node that is in no listing would be lost here silently.
    if count != view.node_count() {
        let found = format!("{count} of {} nodes can be reached", view.node_count());
        return Err(io::Error::other(found));
    }
    Ok(lengths)
}

fn write_node<W: Write>(writer: &mut SnapshotWriter<W>, record: NodeRecord<'_>) -> io::Result<()> {
    let path = if record.path() == b"/" { b"" } else { record.path() };
    let acl = if record.acl() == 0 { ACL_OPEN } else { record.acl().into() };
    let stat = Stat {
        cversion: record.stored_cversion(),
        ephemeral_owner: record.owner_raw(),
        ..record.stat_native()
    };
    writer.node(path, record.data(), acl, &stat)
}
