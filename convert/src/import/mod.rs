//! Imports a data directory of `ZooKeeper` into one of ours.
//!
//! [`read`] finds the newest snapshot that is whole, replays the logs after it and compares
//! digests; [`Imported::write`] writes our snapshot. The source is never changed.

mod found;
mod note;
mod rebuilt;
mod replay;
mod verdict;

#[cfg(test)]
pub(crate) mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use disk::Disk;
use engine::tree::{PinnedWalk, TreeSeed};
use model::jute::JuteReader;
use model::record::NodeRecord;
use model::session::ExtendedTypes;
use model::txn::TxnHeader;
use model::zxid::{Epoch, Zxid};

use crate::error::{Fault, FileError, Hole, ImportError};
use crate::stock::directory::{self, StockFile};
use crate::stock::log::{LogEnd, LogReader, parse_txn};
use crate::stock::snapshot::SnapshotReader;
use crate::stock::stream::StreamError;

use found::Found;
pub use note::Note;
pub use rebuilt::Rebuilt;
pub use replay::Applied;
pub use verdict::{Comparison, Verdict};

/// Txns between two reports of progress.
const REPORT_TXNS: u64 = 1024;

/// What to import, and how strictly.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// `ZooKeeper`'s dataDir.
    pub data_dir: PathBuf,
    /// Its dataLogDir, if that is another directory.
    pub log_dir: Option<PathBuf>,
    /// Import what precedes a gap or a damaged entry of the logs, rather than nothing.
    pub stop_at_damage: bool,
    /// Import a tree even if its digest is not the one that was written.
    pub accept_mismatch: bool,
    /// Begin with an empty tree if there are logs and no snapshot.
    pub trust_empty_snapshot: bool,
    /// Import a snapshot even if there is no log at all.
    pub without_log: bool,
    /// Remove the servers of the ensemble from its configuration.
    pub clear_ensemble: bool,
    /// Which owners mean a TTL.
    pub types: ExtendedTypes,
    /// The random seed of our tree's order.
    pub seed: [u64; 2],
}

/// Progress of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The snapshot is being read.
    Nodes {
        /// Nodes so far.
        count: u64,
        /// Unpacked bytes so far.
        bytes: u64,
    },
    /// The logs are being replayed.
    Txns {
        /// Txns so far.
        count: u64,
        /// The last of them.
        zxid: Zxid,
    },
}

/// What was found, and the result.
#[derive(Debug, Default)]
pub struct ImportReport {
    /// The snapshot that was used; none if the logs began with an empty tree.
    pub snapshot: Option<PathBuf>,
    /// The zxid in its name.
    pub snapshot_zxid: Zxid,
    /// Nodes in the snapshot.
    pub snapshot_nodes: u64,
    /// Txns replayed.
    pub txns: u64,
    /// Of these, txns whose effect the snapshot already had.
    pub tolerated: u64,
    /// The last txn.
    pub zxid: Zxid,
    /// Nodes.
    pub nodes: u64,
    /// Sessions.
    pub sessions: u64,
    /// The tree's digest.
    pub digest: u64,
    /// The last digest that could be compared.
    pub compared: Option<Comparison>,
    /// Notes for the operator.
    pub notes: Vec<Note>,
}

/// A tree that was read, to be written.
pub struct Imported {
    /// The tree.
    pub rebuilt: Rebuilt,
    /// What was found.
    pub report: ImportReport,
}

/// Reads a data directory of `ZooKeeper`.
pub fn read(
    options: &ImportOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Imported, ImportError> {
    let found = Found::look(options)?;
    let mut import = Import { options, progress, report: ImportReport::default() };
    let (rebuilt, verdict) = if found.snapshots.is_empty() {
        (Rebuilt::empty(TreeSeed(options.seed), options.types), Verdict::default())
    } else {
        import.load_newest(&found.snapshots_in, &found.snapshots)?
    };
    if found.logs.is_empty() && options.without_log {
        import.report.notes.push(Note::WithoutLog(found.logs_in.clone()));
    }
    let imported = import.finish(rebuilt, verdict, found.logs.clone())?;
    found.check_unchanged()?;
    Ok(imported)
}

struct Import<'a> {
    options: &'a ImportOptions,
    progress: &'a mut dyn FnMut(Progress),
    report: ImportReport,
}

/// Whether the replay continues.
type Flow = ControlFlow<()>;

impl Import<'_> {
    fn load_newest(
        &mut self,
        directory: &Path,
        snapshots: &[StockFile],
    ) -> Result<(Rebuilt, Verdict), ImportError> {
        let mut damaged = Vec::new();
        for file in snapshots {
            let mut rebuilt = Rebuilt::new(TreeSeed(self.options.seed), self.options.types);
            let loaded = SnapshotReader::open(&file.path)
                .and_then(|mut reader| rebuilt.load(&mut reader, self.progress));
            match loaded {
                Ok(trailer) => {
                    let mut verdict = Verdict::new(file.zxid, trailer.digest);
                    verdict.reached(file.zxid, rebuilt.tree.digest(), None);
                    self.report.snapshot = Some(file.path.clone());
                    self.report.snapshot_zxid = file.zxid;
                    self.report.snapshot_nodes = rebuilt.tree.node_count();
                    self.report.notes.extend(damaged.into_iter().map(Note::DamagedSnapshot));
                    return Ok((rebuilt, verdict));
                }
                Err(error) => damaged.push(FileError::new(&file.path, error)),
            }
        }
        let error = damaged.swap_remove(0);
        Err(ImportError::AllDamaged { directory: directory.to_owned(), error })
    }

    fn finish(
        mut self,
        mut rebuilt: Rebuilt,
        mut verdict: Verdict,
        logs: Vec<StockFile>,
    ) -> Result<Imported, ImportError> {
        self.report.zxid = self.report.snapshot_zxid;
        let mut repeated = 0;
        for log in directory::logs_behind(logs, self.report.snapshot_zxid) {
            let flow = self.replay(&log.path, &mut rebuilt, &mut verdict, &mut repeated)?;
            if flow.is_break() {
                break;
            }
        }
        if repeated > 0 {
            self.report.notes.push(Note::Repeated(repeated));
        }
        self.judge(&verdict)?;
        let orphans = rebuilt.remove_orphans(self.report.zxid);
        if orphans > 0 {
            self.report.notes.push(Note::Orphans(orphans));
        }
        rebuilt.count_quotas();
        self.look_through(&mut rebuilt);
        self.report.nodes = rebuilt.tree.node_count();
        self.report.sessions = rebuilt.sessions.len() as u64;
        self.report.digest = rebuilt.tree.digest();
        Ok(Imported { rebuilt, report: self.report })
    }

    /// Notes what an operator should know about the tree.
    fn look_through(&mut self, rebuilt: &mut Rebuilt) {
        let notes = &mut self.report.notes;
        let ttl_nodes = rebuilt.ttl_count();
        if ttl_nodes > 0 {
            notes.push(Note::TtlNodes(ttl_nodes));
        }
        let closed = rebuilt.close_unknown_acls();
        if !closed.is_empty() {
            notes.push(Note::ClosedNodes(closed));
        }
        let lengths = rebuilt.lengths();
        if lengths.beyond_packet > 0 {
            notes.push(Note::LongNodes(lengths));
        }
        let servers = rebuilt.ensemble();
        if !servers.is_empty() && self.options.clear_ensemble {
            rebuilt.clear_ensemble();
            notes.push(Note::ClearedEnsemble(servers));
        } else if !servers.is_empty() {
            notes.push(Note::Ensemble(servers));
        }
    }

    /// Refuses a tree that is not the one that was written, unless requested otherwise.
    fn judge(&mut self, verdict: &Verdict) -> Result<(), ImportError> {
        let (accept, reached) = (self.options.accept_mismatch, self.report.zxid);
        self.report.compared = verdict.last();
        match (verdict.needed(), verdict.last()) {
            (Some(needed), _) if accept => self.report.notes.push(Note::NotCovered(needed)),
            (Some(needed), _) => return Err(ImportError::NotCovered { needed, reached }),
            (None, Some(last)) if last.is_equal() => (),
            (None, Some(last)) if accept => self.report.notes.push(Note::Mismatch(last)),
            (None, Some(Comparison { zxid, expected, found })) => {
                return Err(ImportError::Digest { zxid, expected, found });
            }
            (None, None) => self.report.notes.push(Note::NotCompared),
        }
        Ok(())
    }

    /// Replays one log.
    fn replay(
        &mut self,
        path: &Path,
        rebuilt: &mut Rebuilt,
        verdict: &mut Verdict,
        repeated: &mut u64,
    ) -> Result<Flow, ImportError> {
        let mut reader = match LogReader::open(path) {
            Ok(Some(reader)) => reader,
            Ok(None) => {
                self.report.notes.push(Note::EmptyLog(path.to_owned()));
                return Ok(Flow::Continue(()));
            }
            Err(error) => return self.damaged(path, error),
        };
        loop {
            let entry = match reader.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(error) => return self.damaged(path, error),
            };
            let offset = entry.offset;
            let unfit = |fault| StreamError::Damage { offset, fault };
            let header = TxnHeader::decode(&mut JuteReader::new(entry.bytes));
            let zxid = match header {
                Ok(header) => header.zxid,
                Err(error) => return self.damaged(path, unfit(Fault::Txn(error))),
            };
            if zxid <= self.report.zxid {
                *repeated += u64::from(zxid > self.report.snapshot_zxid);
                continue;
            }
            if !follows(self.report.zxid, zxid) {
                let (last, path) = (self.report.zxid, path.to_owned());
                return self.hole(Hole { last, next: zxid, path, offset });
            }
            let applied = match parse_txn(entry.bytes) {
                Ok((header, txn, digest)) => rebuilt.apply(&header, &txn).map(|it| (it, digest)),
                Err(error) => Err(Fault::Txn(error)),
            };
            let (applied, digest) = match applied {
                Ok(applied) => applied,
                Err(fault) => return self.damaged(path, unfit(fault)),
            };
            verdict.reached(zxid, rebuilt.tree.digest(), digest);
            self.report.zxid = zxid;
            self.report.txns += 1;
            self.report.tolerated += u64::from(applied == Applied::Tolerated);
            if self.report.txns.is_multiple_of(REPORT_TXNS) {
                (self.progress)(Progress::Txns { count: self.report.txns, zxid });
            }
        }
        let (path, offset) = (path.to_owned(), reader.offset());
        match reader.end() {
            Some(LogEnd::Torn) => self.report.notes.push(Note::Torn { path, offset }),
            Some(LogEnd::Padding { garbage: Some(offset) }) => {
                self.report.notes.push(Note::Garbage { path, offset });
            }
            Some(LogEnd::File | LogEnd::Padding { garbage: None }) | None => (),
        }
        Ok(Flow::Continue(()))
    }

    fn damaged(&mut self, path: &Path, error: StreamError) -> Result<Flow, ImportError> {
        let error = FileError::new(path, error);
        if !self.options.stop_at_damage {
            return Err(ImportError::Log(error, self.report.zxid));
        }
        self.report.notes.push(Note::StoppedAtDamage(error));
        Ok(Flow::Break(()))
    }

    fn hole(&mut self, hole: Hole) -> Result<Flow, ImportError> {
        if !self.options.stop_at_damage {
            return Err(ImportError::Hole(hole));
        }
        self.report.notes.push(Note::StoppedAtHole(hole));
        Ok(Flow::Break(()))
    }
}

/// Whether nothing is missing between two txns: one follows the other, or begins a later epoch.
pub(crate) fn follows(last: Zxid, next: Zxid) -> bool {
    next == last.next() || (next.epoch() > last.epoch() && next.counter() == 1)
}

/// Refuses a data directory of ours that has data.
pub fn check_target(directory: &Path) -> Result<(), ImportError> {
    if directory.exists() && !directory.is_dir() {
        return Err(ImportError::TargetNotADirectory(directory.to_owned()));
    }
    if found::has_ours(directory)? {
        return Err(ImportError::TargetInUse(directory.join(snapshot::directory::DIRECTORY)));
    }
    Ok(())
}

impl Imported {
    /// Writes the tree as a snapshot of ours into `directory`, a dataDir. `pace` receives the bytes
    /// written so far.
    pub async fn write<D: Disk>(
        self,
        disk: &D,
        directory: &Path,
        created_by: &str,
        pace: impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<ImportReport, ImportError> {
        let Self { rebuilt, report } = self;
        let ours = directory.join(snapshot::directory::DIRECTORY);
        disk.create_directory(&ours).await?;
        rebuilt.write(disk, &ours, report.zxid, created_by, pace).await?;
        Ok(report)
    }
}

impl Rebuilt {
    /// Writes the tree as a snapshot of ours at `zxid`, into a directory of snapshots. `pace`
    /// receives the bytes written so far.
    pub async fn write<D: Disk>(
        mut self,
        disk: &D,
        directory: &Path,
        zxid: Zxid,
        created_by: &str,
        pace: impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), snapshot::WriteError> {
        let (head, walk) = self.seal(zxid);
        let mut source = ImportSource { walk, rebuilt: &self };
        snapshot::write(disk, directory, &head, created_by, &mut source, pace).await?;
        Ok(())
    }

    /// The same for a tree that a leader has sent: it does not count before `counts_from` is the
    /// current epoch.
    pub async fn write_received<D: Disk>(
        mut self,
        disk: &D,
        directory: &Path,
        (zxid, counts_from): (Zxid, Epoch),
        created_by: &str,
        pace: impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<snapshot::Written, snapshot::WriteError> {
        let (head, walk) = self.seal(zxid);
        let mut source = ImportSource { walk, rebuilt: &self };
        let source = &mut source;
        snapshot::write_received(disk, directory, &head, counts_from, created_by, source, pace)
            .await
    }

    /// The tree as it is, to be written.
    fn seal(&mut self, zxid: Zxid) -> (snapshot::SnapshotHead, PinnedWalk<()>) {
        let version = self.tree.seal();
        self.tree.publish(version);
        let pin = self.tree.pin().expect("there is no other pin");
        let head = snapshot::SnapshotHead {
            zxid,
            epoch: zxid.epoch(),
            seed: self.tree.seed().0,
            node_count: self.tree.node_count(),
            digest: self.tree.digest(),
            data_bytes: self.tree.data_bytes(),
        };
        (head, pin.walk())
    }
}

/// The tree as the source of a snapshot of ours.
struct ImportSource<'a> {
    walk: PinnedWalk<()>,
    rebuilt: &'a Rebuilt,
}

impl snapshot::Source for ImportSource<'_> {
    fn next_record(&mut self) -> Option<NodeRecord<'_>> {
        self.walk.next_record()
    }

    fn append_acl(&self, number: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(self.rebuilt.acl_list(number));
    }

    fn sessions(&self, each: &mut dyn FnMut(snapshot::Session)) {
        for (&id, &timeout_ms) in &self.rebuilt.sessions {
            each(snapshot::Session { id, timeout_ms });
        }
    }
}
