//! What only a server of an ensemble asks of its disk: epochs, and parts of its log for learners.

use super::RestoreError;
use crate::directories::Directories;
use disk::{Background, BackgroundError, Direct, Disk, TaskQueue};
use engine::in_log::InLog;
use engine::limits::RECENT_BYTES_MAX;
use engine::zab::LogRead;
use model::zxid::{Epoch, Epochs, Zxid};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use tracing::{info, warn};
use txlog::{EpochsError, LogReader, RecoverError, epochs};

/// Bytes of one part of the log: a learner's link sends it before the next is read.
const PIECE_BYTES: usize = 1 << 20;

/// So much of the log is never compared with a snapshot: it is what memory keeps for learners.
const ALWAYS_BYTES: u64 = RECENT_BYTES_MAX as u64;

/// The epochs that a server has stored. Without any, what it holds tells: a server that was alone
/// until now has accepted the epoch of its last txn, as with ZooKeeper; one whose data were
/// imported has promised and accepted what they say.
pub fn stored_epochs(
    background: &Background,
    directories: &Directories,
    last: Zxid,
    imported: Option<Epochs>,
) -> Result<Epochs, RestoreError> {
    let directory = directories.log.clone();
    let done = background.run(TaskQueue::Segments, move |disk| async move {
        read_epochs(&*disk, &directory, last.epoch(), imported).await
    })?;
    Ok(done.recv().map_err(|_| BackgroundError::Stopped)??)
}

/// The same for a directory that is only read: `None` if no server of an ensemble has used it.
pub fn kept_epochs(
    background: &Background,
    directory: PathBuf,
) -> Result<Option<Epochs>, RestoreError> {
    let done = background.run(TaskQueue::Segments, move |disk| async move {
        epochs::read(&*disk, &directory).await
    })?;
    let stored = done.recv().map_err(|_| BackgroundError::Stopped)??;
    Ok(stored.map(|stored| stored.epochs))
}

async fn read_epochs<D: Disk>(
    disk: &D,
    directory: &Path,
    last: Epoch,
    imported: Option<Epochs>,
) -> Result<Epochs, EpochsError> {
    if let Some(stored) = epochs::read(disk, directory).await? {
        if stored.is_healed {
            warn!("the two copies of the epochs differed; the newer one counts");
        }
        return Ok(stored.epochs);
    }
    let known = imported.unwrap_or_default();
    let current = known.current().max(last);
    let begun = Epochs::new(known.promised().max(current), current).expect("promised or raised");
    epochs::create(disk, directory, begun).await?;
    if imported.is_some() {
        let (promised, current) = (begun.promised().0, begun.current().0);
        info!(promised, current, "the first epochs are those of the imported data");
    } else {
        info!(epoch = last.0, "the first epochs are those of the last txn");
    }
    Ok(begun)
}

/// A part of the log to read.
#[derive(Clone, Debug)]
pub struct ReadJob {
    /// The log.
    pub directory: PathBuf,
    /// What comes behind this.
    pub after: Zxid,
    /// What is durable.
    pub through: Zxid,
    /// For a learner's first part: the snapshot that it gets instead if that is cheaper.
    pub beside: Option<SnapshotBeside>,
}

/// A snapshot that could be sent rather than the log.
#[derive(Clone, Debug)]
pub struct SnapshotBeside {
    /// The newest one here is about as large.
    pub directory: PathBuf,
    /// How much log is cheaper, in millionths of the snapshot; unset if none is.
    pub log_millionths: Option<u64>,
}

impl SnapshotBeside {
    /// Whether it is cheaper than so many bytes of log.
    async fn is_cheaper<D: Disk>(&self, disk: &D, log_bytes: u64) -> Result<bool, RecoverError> {
        let Some(millionths) = self.log_millionths else { return Ok(true) };
        if log_bytes <= ALWAYS_BYTES {
            return Ok(false);
        }
        let newest = snapshot::list(disk, &self.directory).await?.into_iter().next();
        let bytes_max = newest.map_or(0, |newest| newest.bytes).saturating_mul(millionths);
        Ok(log_bytes > bytes_max / 1_000_000)
    }
}

/// Has a part of the log read; `notify` is called from the background.
pub fn read_log(
    background: &Background,
    job: ReadJob,
    notify: impl FnOnce(Result<LogRead, RecoverError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> disk::background::JobFuture {
        Box::pin(async move { notify(read_now(&*disk, &job).await) })
    };
    background.submit(TaskQueue::Segments, Box::new(work))
}

async fn read_now<D: Disk>(disk: &D, job: &ReadJob) -> Result<LogRead, RecoverError> {
    let ReadJob { directory, after, through, beside } = job;
    let opened = LogReader::open(disk, directory, *after, *through).await?;
    let Ok(mut reader) = opened else { return Ok(LogRead::Unavailable) };
    let after = reader.position();
    if let Some(beside) = beside {
        let log_bytes = reader.bytes_behind(*through).await?;
        if beside.is_cheaper(disk, log_bytes).await? {
            info!(log_bytes, "a learner at {after} gets a snapshot: it lacks too much of the log");
            return Ok(LogRead::Unavailable);
        }
    }
    let piece = reader.next(*through, PIECE_BYTES).await?;
    let mut txns = InLog::default();
    for record in piece.records() {
        txns.push(record.zxid, record.txn);
    }
    Ok(LogRead::Range { after, txns: Arc::new(txns) })
}
