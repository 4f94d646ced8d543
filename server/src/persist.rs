//! What lies on disk and how it gets there: jobs of the background, and recovery at the start.

use crate::advice;
use crate::config::decided;
use crate::data_set::{self, DataMark, Found, HalvesError, Known, Lineage, MarkError, Run};
use disk::{Background, BackgroundError, Direct, Disk, DiskError, Durability, Queue, append_file};
use engine::batch::Batch;
use engine::ordering::{ReplayError, replay};
use engine::pipeline::{Census, Head};
use engine::settings::Settings;
use engine::state::{Session, State};
use engine::tree::{ImageUnit, Pin, PinnedWalk, Tree, TreeBuilder, TreeSeed};
use model::record::Record;
use model::zxid::Zxid;
use snapshot::{Contents, ImageSink, LoadError, Newest, Refused, Unit};
use std::fs::File;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use thiserror::Error;
use tracing::{info, warn};
use txlog::limits::SPARES_MAX;
use txlog::{RecoverError, RecoverFrom, Recovered, SegmentHeader, SegmentNumber, Start, segments};

/// Txns that are replayed into one version of the tree.
const REPLAY_BATCH: u64 = 1_000;

/// The longest pause after a chunk of a snapshot.
const SNAPSHOT_PAUSE_MAX: Duration = Duration::from_millis(20);

/// Where files are.
#[derive(Clone, Debug)]
pub struct Directories {
    /// Of the log.
    pub log: PathBuf,
    /// Of snapshots.
    pub snapshots: PathBuf,
    /// The length of a segment.
    pub segment_bytes: u64,
}

impl Directories {
    /// Inside the configured directories, beside whatever stock has there.
    pub fn of(storage: &decided::Storage, segment_bytes: u64) -> Self {
        Self {
            log: storage.data_log_dir.join(segments::DIRECTORY),
            snapshots: storage.data_dir.join(snapshot::directory::DIRECTORY),
            segment_bytes,
        }
    }

    /// Every directory that a server makes files in.
    pub fn all_of(storage: &decided::Storage) -> [PathBuf; 4] {
        let ours = Self::of(storage, 0);
        [storage.data_dir.clone(), storage.data_log_dir.clone(), ours.snapshots, ours.log]
    }

    /// The dataDir.
    pub fn data_dir(&self) -> &Path {
        self.snapshots.parent().unwrap_or(&self.snapshots)
    }

    /// The dataLogDir.
    pub fn log_dir(&self) -> &Path {
        self.log.parent().unwrap_or(&self.log)
    }
}

/// What a purge keeps, and how often it happens.
#[derive(Clone, Copy, Debug)]
pub struct PurgePolicy {
    /// Snapshots kept.
    pub keep_count: usize,
    /// Between two purges, in ms.
    pub interval_ms: u64,
}

/// A segment to prepare.
#[derive(Debug)]
pub struct PrepareJob {
    /// Its number.
    pub number: SegmentNumber,
    /// Its length.
    pub segment_bytes: u64,
    /// Where.
    pub directory: PathBuf,
    /// How its writes will become durable.
    pub durability: Durability,
}

/// Sixty-four random bits that nobody can guess.
pub fn random() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

/// Has a segment prepared and opened for the ring; `tell` is called from the background.
pub fn prepare(
    background: &Background,
    job: PrepareJob,
    tell: impl FnOnce(Result<(SegmentHeader, File), DiskError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> disk::background::JobFuture {
        Box::pin(async move { tell(prepare_now(&disk, &job).await) })
    };
    background.submit(Queue::Segments, Box::new(work))
}

async fn prepare_now(disk: &Direct, job: &PrepareJob) -> Result<(SegmentHeader, File), DiskError> {
    let path = segments::path(&job.directory, job.number);
    let seed = random();
    let seed = seed.map_err(|e| DiskError::from_io(disk::Operation::Create, &path, &e))?;
    let (number, segment_bytes) = (job.number, job.segment_bytes);
    let header = SegmentHeader { number, segment_bytes, seed, start: Start::Follows };
    segments::prepare(disk, &job.directory, header).await?;
    Ok((header, append_file::open(&path, job.durability)?))
}

/// A version of the tree to write down.
pub struct SnapshotJob {
    /// The version.
    pub pin: Pin<State>,
    /// Where.
    pub directory: PathBuf,
}

/// Has a snapshot written; `tell` is called from the background.
pub fn snapshot(
    background: &Background,
    job: SnapshotJob,
    tell: impl FnOnce(Result<Zxid, String>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> disk::background::JobFuture {
        Box::pin(async move {
            let SnapshotJob { pin, directory } = job;
            tell(write_snapshot(&*disk, &directory, pin).await.map_err(|error| error.to_string()));
        })
    };
    background.submit(Queue::Snapshot, Box::new(work))
}

/// Writes a pinned version.
async fn write_snapshot<D: Disk>(
    disk: &D,
    directory: &Path,
    pin: Pin<State>,
) -> Result<Zxid, snapshot::WriteError> {
    let view = pin.view();
    let head = snapshot::Head {
        zxid: view.meta().zxid,
        epoch: view.meta().zxid.epoch(),
        seed: view.seed().0,
        node_count: view.node_count(),
        digest: view.digest(),
        data_bytes: view.data_bytes(),
    };
    let mut source = PinnedSource { walk: pin.walk() };
    let created_by = concat!("ringkeeper ", env!("CARGO_PKG_VERSION"));
    // Half of the time is left to whoever uses the disk and the processor besides.
    let mut since = Instant::now();
    let pace = async |_| {
        glommio::timer::sleep(since.elapsed().min(SNAPSHOT_PAUSE_MAX)).await;
        since = Instant::now();
        ControlFlow::Continue(())
    };
    snapshot::write(disk, directory, &head, created_by, &mut source, pace).await?;
    Ok(head.zxid)
}

/// A pinned version as a snapshot wants it.
struct PinnedSource {
    walk: PinnedWalk<State>,
}

impl snapshot::Source for PinnedSource {
    fn next_record(&mut self) -> Option<Record<'_>> {
        self.walk.next_record()
    }

    fn append_acl(&self, number: u32, out: &mut Vec<u8>) {
        self.walk.view().meta().acls.list(number).encode(out);
    }

    fn sessions(&self, each: &mut dyn FnMut(snapshot::Session)) {
        for (&id, session) in &self.walk.view().meta().sessions {
            each(snapshot::Session { id, timeout_ms: session.timeout_ms });
        }
    }
}

/// Takes away the snapshots and the log that the policy does not keep.
pub fn purge(
    background: &Background,
    directories: &Directories,
    policy: PurgePolicy,
    before: SegmentNumber,
) -> Result<(), BackgroundError> {
    let directories = directories.clone();
    let work = move |disk: Rc<Direct>| -> disk::background::JobFuture {
        Box::pin(async move {
            match purge_now(&*disk, &directories, policy, before).await {
                Ok(0) => (),
                Ok(count) => info!(count, "old snapshots and segments purged"),
                Err(error) => warn!("the purge was interrupted; it goes on later: {error}"),
            }
        })
    };
    background.submit(Queue::Purge, Box::new(work))
}

async fn purge_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    policy: PurgePolicy,
    before: SegmentNumber,
) -> Result<usize, RestoreError> {
    let purged = snapshot::purge(disk, &directories.snapshots, policy.keep_count).await?;
    let Some(keep_after) = purged.oldest_kept else { return Ok(0) };
    let segment_bytes = directories.segment_bytes;
    let wish = segments::Purge { keep_after, before, segment_bytes, spares_max: SPARES_MAX };
    if let Some(first) = segments::needed_from(disk, &directories.log, wish).await? {
        let runs = txlog::runs(disk, &directories.log).await;
        let runs = runs.map_err(|error| log_error(error, directories))?;
        // Before they go: what is left of a run is known as well as the whole.
        change_lineage(directories.data_dir(), |lineage| lineage.keep_from(&runs, first))?;
    }
    let cleared = segments::purge(disk, &directories.log, wish).await?;
    Ok(purged.removed.len() + cleared.recycled_count + cleared.removed_count)
}

/// Why the data cannot be brought back.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// A snapshot cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Every snapshot is damaged.
    #[error(
        "every snapshot is damaged, the newest at least so: {0}; restore one from a backup; {1}"
    )]
    Damaged(LoadError, String),
    /// The log cannot be read; and the way out.
    #[error("{0}; {1}")]
    Log(RecoverError, String),
    /// The log is not that of the snapshots; and the way out.
    #[error("{0}; {1}")]
    Halves(HalvesError, String),
    /// What is known of the data cannot be read or written.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// A record of the log does not follow from what is before it.
    #[error("the log's record {zxid} cannot be replayed: {error}")]
    Replay {
        /// Which record.
        zxid: Zxid,
        /// Why.
        error: ReplayError,
    },
    /// The disk refuses.
    #[error("{0}{way_out}", way_out = advice::disk(.0))]
    Disk(#[from] DiskError),
    /// There is no room for the segment that every start begins.
    #[error(
        "{error}: a start begins a segment of the log, which takes {segment_bytes} bytes; make \
         room for it first"
    )]
    NoRoom {
        /// What the disk says.
        error: DiskError,
        /// How long a segment is.
        segment_bytes: u64,
    },
    /// The image in a snapshot is no tree.
    #[error("the newest snapshot holds no tree: {0}")]
    Image(String),
    /// The background has gone.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// No random numbers.
    #[error("/dev/urandom cannot be read: {0}")]
    Random(#[source] std::io::Error),
}

impl RestoreError {
    fn of_segment(error: DiskError, segment_bytes: u64) -> Self {
        if advice::is_full(&error) { Self::NoRoom { error, segment_bytes } } else { error.into() }
    }

    /// Whether the directories hold something else than they should, rather than damaged files.
    pub const fn is_other_data(&self) -> bool {
        match self {
            Self::Halves(..) | Self::Mark(_) => true,
            Self::Log(error, _) => matches!(error, RecoverError::Older { .. }),
            _ => false,
        }
    }
}

/// What was brought back.
pub struct Restored {
    /// The tree with every durable txn.
    pub head: Head,
    /// The last of them.
    pub zxid: Zxid,
    /// The first segment of the new run of the log.
    pub first: SegmentHeader,
    /// How it is written.
    pub file: File,
    /// For the log line at start.
    pub summary: Summary,
}

/// What a restore found.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The snapshot's zxid, and when its file was written, in ms since 1970.
    pub snapshot: Option<(Zxid, i64)>,
    /// How long it took to read the snapshot.
    pub load_time: Duration,
    /// How long it took to replay the log.
    pub replay_time: Duration,
    /// Txns replayed.
    pub replayed: u64,
    /// Their bytes.
    pub replayed_bytes: u64,
    /// Whether the log had a torn tail, which was cut.
    pub is_torn: bool,
}

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
        let Unit { memory, runs, origins: places } = unit;
        let pushed =
            builder.push(ImageUnit { memory: Box::new(memory), runs }, |record| census.see(record));
        pushed.map_err(|error| {
            let place = places.iter().rev().find(|origin| origin.at <= error.offset);
            let place = place.or(places.first());
            place.map_or(Refused { chunk: 0, file_offset: 0 }, |origin| Refused {
                chunk: origin.chunk,
                file_offset: origin.file_offset + error.offset.saturating_sub(origin.at) as u64,
            })
        })
    }
}

/// How a server uses what is brought back.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// How its log is written.
    pub durability: Durability,
    /// What the tree tells the kernel of its memory.
    pub advise: Option<engine::tree::Advise>,
    /// Up to where the data of `ZooKeeper` beside it are known.
    pub known: Known,
}

/// Brings everything durable back, on the background thread: the newest whole snapshot, then the
/// log behind it; then begins a new run of the log. What is known of the data is written down
/// before that, once it is known that snapshots and log belong together.
pub fn restore(
    background: &Background,
    directories: Directories,
    settings: Arc<Settings>,
    how: Use,
) -> Result<Restored, RestoreError> {
    let done = background.run(Queue::Segments, move |disk| async move {
        restore_now(&*disk, &directories, &settings, how).await
    })?;
    done.recv().map_err(|_| BackgroundError::Stopped)?
}

async fn restore_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    settings: &Arc<Settings>,
    how: Use,
) -> Result<Restored, RestoreError> {
    disk.create_directory(&directories.snapshots).await?;
    disk.create_directory(&directories.log).await?;
    snapshot::remove_unfinished(disk, &directories.snapshots).await?;
    let read = read_back_now(disk, directories, settings, how.advise).await?;
    let ReadBack { head, snapshot, passed_over, recovered, lineage, load_time, replay_time } = read;
    let run = segments::Run { used_last: recovered.used_last, continues_from: recovered.last };
    let seed = random().map_err(RestoreError::Random)?;
    let next = Run { seed, from: recovered.last };
    begin(directories, how.known, lineage, next)?;
    let first = segments::open_run(disk, &directories.log, run, directories.segment_bytes, seed)
        .await
        .map_err(|error| RestoreError::of_segment(error, directories.segment_bytes))?;
    change_lineage(directories.data_dir(), Lineage::begun)?;
    trim(disk, directories).await;
    let file = append_file::open(&segments::path(&directories.log, first.number), how.durability)?;
    // Only now: until the log was read their names said what had been durable. Left in their
    // places they would be counted among those that a purge keeps.
    for damaged in passed_over {
        match advice::set_aside(disk, &damaged).await {
            Ok(aside) => warn!("the damaged snapshot is kept as {}", aside.display()),
            Err(error) => warn!("the damaged snapshot stays in its place: {error}"),
        }
    }
    let summary = Summary {
        snapshot,
        load_time,
        replay_time,
        replayed: recovered.record_count,
        replayed_bytes: recovered.record_bytes,
        is_torn: recovered.torn.is_some(),
    };
    Ok(Restored { head, zxid: recovered.last, first, file, summary })
}

/// Writes down that a run is about to be opened, so that a crash at any moment leaves a log that is
/// known.
fn begin(
    directories: &Directories,
    known: Known,
    mut lineage: Lineage,
    next: Run,
) -> Result<(), RestoreError> {
    let (data_dir, log_dir) = (directories.data_dir(), directories.log_dir());
    lineage.begin(next);
    let mark = DataMark::read(data_dir)?.unwrap_or_default();
    let settled = data_set::settle(data_dir, log_dir, DataMark { known, lineage, ..mark });
    settled.map_err(|error| RestoreError::Halves(error, advice::repair(directories)))
}

/// Changes what is written down of the log.
fn change_lineage(data_dir: &Path, change: impl FnOnce(&mut Lineage)) -> Result<(), MarkError> {
    let Some(mut mark) = DataMark::read(data_dir)? else { return Ok(()) };
    change(&mut mark.lineage);
    mark.write(data_dir)
}

/// Writes down what the log held when it was ended in order: no log that ends before is this one.
pub fn reached(data_dir: &Path, zxid: Zxid) -> Result<(), MarkError> {
    change_lineage(data_dir, |lineage| lineage.reach(zxid))
}

/// Gives back the room that ended runs of the log do not use. Before the first record of the new
/// one, so that no run can be added while an earlier one was never looked at.
async fn trim<D: Disk>(disk: &D, directories: &Directories) {
    match txlog::trim(disk, &directories.log).await {
        Ok(txlog::Trimmed { segment_count: 0, .. }) => {}
        Ok(txlog::Trimmed { segment_count, freed_bytes }) => {
            info!(segment_count, freed_bytes, "unused room of ended segments given back");
        }
        Err(error) => warn!("ended segments keep their unused room until the next start: {error}"),
    }
}

/// Everything durable, read and left as it is.
pub struct ReadBack {
    /// The tree with every durable txn.
    pub head: Head,
    /// The snapshot's zxid, and when its file was written, in ms since 1970; 0 if nobody knows.
    pub snapshot: Option<(Zxid, i64)>,
    /// The files of newer snapshots, which are damaged.
    pub passed_over: Vec<PathBuf>,
    /// What the log holds behind it.
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
    let done = background.run(Queue::Segments, move |disk| async move {
        read_back_now(&*disk, &directories, &settings, None).await
    })?;
    done.recv().map_err(|_| BackgroundError::Stopped)?
}

async fn read_back_now<D: Disk>(
    disk: &D,
    directories: &Directories,
    settings: &Arc<Settings>,
    advise: Option<engine::tree::Advise>,
) -> Result<ReadBack, RestoreError> {
    let mut builder = Builder { advise, ..Builder::default() };
    let began = Instant::now();
    let newest = snapshot::load_newest(disk, &directories.snapshots, &mut builder).await?;
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
            let candidates = snapshot::list(disk, &directories.snapshots).await?;
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
    let snapshot = contents.map(|contents| contents.head.zxid);
    let snapshot = snapshot.map(|zxid| (zxid, written_ms(&directories.snapshots, zxid)));
    let load_time = began.elapsed();
    let from = RecoverFrom { after, durable: durable.max(after) };
    let recovered = replay_log(disk, directories, from, &mut head).await?;
    let replay_time = began.elapsed().saturating_sub(load_time);
    let lineage = lineage(disk, directories, recovered.last, durable.max(after)).await?;
    Ok(ReadBack { head, snapshot, passed_over, recovered, lineage, load_time, replay_time })
}

/// Compares the log with the one that the snapshots were last served with.
async fn lineage<D: Disk>(
    disk: &D,
    directories: &Directories,
    last: Zxid,
    snapshot: Zxid,
) -> Result<Lineage, RestoreError> {
    let runs = txlog::runs(disk, &directories.log).await;
    let runs = runs.map_err(|error| log_error(error, directories))?;
    let (data_dir, log_dir) = (directories.data_dir(), directories.log_dir());
    let mark = DataMark::read(data_dir)?.unwrap_or_default();
    let compared = mark.lineage.compare(Found { runs: &runs, last, snapshot });
    compared.map_err(|stranger| {
        let (data_dir, log_dir) = (data_dir.to_owned(), log_dir.to_owned());
        let error = HalvesError::OtherLog { data_dir, log_dir, stranger };
        RestoreError::Halves(error, advice::repair(directories))
    })
}

fn log_error(error: RecoverError, directories: &Directories) -> RestoreError {
    let advice = advice::log(&error, directories);
    RestoreError::Log(error, advice)
}

/// When a snapshot's file was written, in ms since 1970; 0 if nobody knows.
fn written_ms(directory: &Path, zxid: Zxid) -> i64 {
    let modified = std::fs::metadata(directory.join(snapshot::directory::name_of(zxid)))
        .and_then(|m| m.modified());
    let since = modified.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as i64)
}

fn empty(
    settings: &Arc<Settings>,
    advise: Option<engine::tree::Advise>,
) -> Result<Head, RestoreError> {
    let seed = [random().map_err(RestoreError::Random)?, random().map_err(RestoreError::Random)?];
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
        .finish(contents.head.zxid, Some(contents.head.digest), state)
        .map_err(|error| RestoreError::Image(error.to_string()))?;
    let lists = contents.acls.iter().map(|acl| (acl.number, acl.list.clone()));
    let mut head = Head::load(tree, settings.clone(), lists, builder.census);
    let version = head.seal();
    head.tree.publish(version);
    Ok(head)
}

async fn replay_log<D: Disk>(
    disk: &D,
    directories: &Directories,
    from: RecoverFrom,
    head: &mut Head,
) -> Result<Recovered, RestoreError> {
    let mut batch = Batch::default();
    let mut failed = None;
    let mut count = 0;
    let recovered = txlog::recover(disk, &directories.log, from, |zxid, bytes| {
        if failed.is_some() {
            return;
        }
        if let Err(error) = replay(head, bytes, &mut batch) {
            failed = Some(RestoreError::Replay { zxid, error });
            return;
        }
        count += 1;
        if count % REPLAY_BATCH == 0 {
            let version = head.seal();
            head.tree.publish(version);
            head.tree.reclaim(usize::MAX);
        }
    })
    .await;
    let recovered = recovered.map_err(|error| log_error(error, directories))?;
    if let Some(error) = failed {
        return Err(error);
    }
    let version = head.seal();
    head.tree.publish(version);
    head.tree.reclaim(usize::MAX);
    Ok(recovered)
}
