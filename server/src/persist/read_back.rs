//! Builds the tree from snapshots and log.

use super::RestoreError;
use super::known::lineage;
use crate::advice;
use crate::data_set::Lineage;
use crate::directories::Directories;
use crate::random;
use disk::{Background, BackgroundError, Disk, DiskError, TaskQueue};
use engine::batch::Batch;
use engine::in_log::InLog;
use engine::ordering::replay;
use engine::pipeline::{Census, Head};
use engine::settings::Settings;
use engine::state::{Session, State};
use engine::tree::{ImageUnit, Tree, TreeBuilder, TreeSeed};
use model::zxid::Zxid;
use snapshot::{Candidate, Contents, ImageSink, Newest, Refused, Unit, received};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use tracing::warn;
use txlog::{Base, LogSink, RecoverFrom, Recovered};

/// How the name of the program begins that is recorded in a snapshot of imported data.
pub const IMPORTER: &str = "ringkeeper import";

/// Txns that are replayed into one version of the tree.
const REPLAY_BATCH: u64 = 1_000;

/// Builds the tree while its snapshot is read.
#[derive(Default)]
struct Builder {
    tree: Option<TreeBuilder>,
    census: Census,
    advise: Option<engine::tree::Advise>,
}

impl ImageSink for Builder {
    fn begin(&mut self, contents: &Contents) {
        self.tree = Some(TreeBuilder::new(TreeSeed(contents.head.seed), self.advise));
        self.census = Census::default();
    }

    fn push(&mut self, unit: Unit) -> Result<(), Refused> {
        let builder = self.tree.as_mut().expect("a snapshot has begun");
        let census = &mut self.census;
        let Unit { memory, runs, origins } = unit;
        let pushed =
            builder.push(ImageUnit { memory: Box::new(memory), runs }, |record| census.see(record));
        pushed.map_err(|error| Refused::at(&origins, error.offset))
    }
}

/// What is applied of what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Everything durable: a server that runs alone has committed it.
    Durable,
    /// What the log knows to be committed. What follows may still be cut: it stays unapplied.
    Committed,
}

/// Everything durable, read without changing any file.
pub struct ReadBack {
    /// The tree with every txn that is applied.
    pub head: Head,
    /// The durable txns that are not.
    pub tail: InLog,
    /// The snapshot's zxid, and when its file was written, in ms since 1970; 0 if that is unknown.
    pub snapshot: Option<(Zxid, i64)>,
    /// Whether that was made of imported data.
    pub is_imported: bool,
    /// The files of newer snapshots, which are damaged.
    pub passed_over: Vec<PathBuf>,
    /// What the log holds after it.
    pub recovered: Recovered,
    /// The runs of the log, which is the one that the snapshots were served with.
    pub lineage: Lineage,
    /// How long the snapshot took.
    pub load_time: Duration,
    /// How long the log took.
    pub replay_time: Duration,
}

/// Reads everything durable on the background thread, and changes no file.
pub fn read_back(
    background: &Background,
    directories: Directories,
    settings: Arc<Settings>,
) -> Result<ReadBack, RestoreError> {
    let done = background.run(TaskQueue::Segments, move |disk| async move {
        read_back_now(&*disk, &directories, &settings, None, Applied::Durable).await
    })?;
    done.recv().map_err(|_| BackgroundError::Stopped)?
}

pub(super) async fn read_back_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    settings: &Arc<Settings>,
    advise: Option<engine::tree::Advise>,
    applied: Applied,
) -> Result<ReadBack, RestoreError> {
    let mut builder = Builder { advise, ..Builder::default() };
    let began = Instant::now();
    let base = txlog::base(disk, &directories.log).await;
    let base = base.map_err(|error| RestoreError::of_log(error, directories))?;
    let candidates = counted_snapshots(disk, directories, base).await?;
    let newest = snapshot::load_newest_of(disk, &candidates, &mut builder).await?;
    let mut durable = Zxid::ZERO;
    let mut passed_over = Vec::new();
    let contents = match newest {
        Newest::None => None,
        Newest::Loaded(contents) => Some(contents),
        Newest::Older { contents, damaged } => {
            for error in &damaged {
                warn!("a snapshot is damaged, an older one and the log are used: {error}");
            }
            passed_over = damaged.iter().map(|error| error.file().to_owned()).collect();
            durable = candidates.first().map_or(Zxid::ZERO, |candidate| candidate.zxid);
            Some(contents)
        }
        Newest::Damaged(mut errors) => {
            let advice = advice::repair(directories);
            return Err(RestoreError::Damaged(errors.swap_remove(0), advice));
        }
    };
    let after = contents.as_ref().map_or(Zxid::ZERO, |contents| contents.head.zxid);
    let mut head = match &contents {
        Some(contents) => loaded(builder, contents, settings)?,
        None => empty(settings, advise)?,
    };
    let is_imported = contents.as_ref().is_some_and(is_imported);
    let snapshot = contents.map(|contents| contents.head.zxid);
    let snapshot = snapshot.map(|zxid| (zxid, written_ms(&directories.snapshots, zxid)));
    let load_time = began.elapsed();
    let committed = if is_imported { Zxid::ZERO } else { after };
    let from = RecoverFrom { after, durable: durable.max(after), committed };
    let (recovered, tail) = replay_log(disk, directories, from, &mut head, applied).await?;
    let replay_time = began.elapsed().saturating_sub(load_time);
    let lineage = lineage(disk, directories, recovered.last, durable.max(after)).await?;
    Ok(ReadBack {
        head,
        tail,
        snapshot,
        is_imported,
        passed_over,
        recovered,
        lineage,
        load_time,
        replay_time,
    })
}

fn is_imported(contents: &Contents) -> bool {
    contents.created_by.starts_with(IMPORTER)
}

/// The snapshots of the history that counts, newest first; `base` is what the log begins with.
pub(crate) async fn counted_snapshots<D: Disk>(
    disk: &D,
    directories: &Directories,
    base: Option<Base>,
) -> Result<Vec<Candidate>, DiskError> {
    if let Some(Base { zxid, epoch }) = base
        && let Some(received) = received::find(disk, &directories.snapshots, zxid, epoch).await?
    {
        // The others are those of the history that it has replaced.
        return Ok(vec![received]);
    }
    snapshot::list(disk, &directories.snapshots).await
}

/// Loads the received snapshot at `at`, whether it counts yet or not.
pub(super) async fn load_received_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    at: Base,
    settings: &Arc<Settings>,
    advise: Option<engine::tree::Advise>,
) -> Result<Head, RestoreError> {
    let mut builder = Builder { advise, ..Builder::default() };
    let found = received::find(disk, &directories.snapshots, at.zxid, at.epoch).await?;
    let candidates = Vec::from_iter(found);
    match snapshot::load_newest_of(disk, &candidates, &mut builder).await? {
        Newest::Loaded(contents) => loaded(builder, &contents, settings),
        Newest::Older { .. } | Newest::None => Err(RestoreError::NotReceived(at)),
        Newest::Damaged(mut errors) => Err(errors.swap_remove(0).into()),
    }
}

/// When a snapshot's file was written, in ms since 1970; 0 if that is unknown.
fn written_ms(directory: &Path, zxid: Zxid) -> i64 {
    let modified = std::fs::metadata(directory.join(snapshot::directory::name_of(zxid)))
        .and_then(|m| m.modified());
    let since = modified.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as i64)
}

pub(super) fn empty(
    settings: &Arc<Settings>,
    advise: Option<engine::tree::Advise>,
) -> Result<Head, RestoreError> {
    let seed = [
        random::bits().map_err(RestoreError::Random)?,
        random::bits().map_err(RestoreError::Random)?,
    ];
    let mut head = Head::with_advise(settings.clone(), TreeSeed(seed), advise);
    let version = head.seal();
    head.tree.publish(version);
    Ok(head)
}

fn loaded(
    builder: Builder,
    contents: &Contents,
    settings: &Arc<Settings>,
) -> Result<Head, RestoreError> {
    let mut state = State { zxid: contents.head.zxid, ..State::default() };
    for session in &contents.sessions {
        let entry = Session { timeout_ms: session.timeout_ms, ..Session::default() };
        state.sessions.insert(session.id, entry);
    }
    let tree: Tree<State> = builder
        .tree
        .expect("a snapshot was loaded")
        .finish(Some(contents.head.digest), state)
        .map_err(|error| RestoreError::Image(error.to_string()))?;
    let lists = contents.acls.iter().map(|acl| (acl.number, acl.list.clone()));
    let mut head = Head::load(tree, settings.clone(), lists, builder.census);
    let version = head.seal();
    head.tree.publish(version);
    Ok(head)
}

/// Applies txns while the log is read, as far as they are to be.
struct Replay<'h> {
    head: &'h mut Head,
    applied: Applied,
    /// Read, and not known to be committed yet.
    tail: InLog,
    batch: Batch,
    count: u64,
    failed: Option<RestoreError>,
}

impl Replay<'_> {
    fn apply(&mut self, zxid: Zxid, txn: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = replay(self.head, txn, &mut self.batch) {
            self.failed = Some(RestoreError::Replay { zxid, error });
            return;
        }
        self.count += 1;
        if self.count.is_multiple_of(REPLAY_BATCH) {
            self.publish();
        }
    }

    fn publish(&mut self) {
        let version = self.head.seal();
        self.head.tree.publish(version);
        self.head.tree.reclaim(usize::MAX);
    }
}

impl LogSink for Replay<'_> {
    fn record(&mut self, zxid: Zxid, txn: &[u8]) {
        match self.applied {
            Applied::Durable => self.apply(zxid, txn),
            Applied::Committed => self.tail.push(zxid, txn),
        }
    }

    fn committed(&mut self, through: Zxid) {
        let tail = std::mem::take(&mut self.tail);
        for (zxid, txn) in tail.txns(0) {
            if zxid <= through {
                self.apply(zxid, txn);
            } else {
                self.tail.push(zxid, txn);
            }
        }
    }
}

async fn replay_log<D: Disk>(
    disk: &D,
    directories: &Directories,
    from: RecoverFrom,
    head: &mut Head,
    applied: Applied,
) -> Result<(Recovered, InLog), RestoreError> {
    let (tail, batch) = (InLog::default(), Batch::default());
    let mut replay = Replay { head, applied, tail, batch, count: 0, failed: None };
    let recovered = txlog::recover_into(disk, &directories.log, from, &mut replay).await;
    let recovered = recovered.map_err(|error| RestoreError::of_log(error, directories))?;
    if let Some(error) = replay.failed {
        return Err(error);
    }
    replay.publish();
    Ok((recovered, replay.tail))
}
