//! The background executor: bulk work on its own thread, with shares of the disk and the CPU.
//!
//! Snapshots, segments and purges are each a task queue of glommio with shares of their own, so
//! that a long snapshot never keeps a segment from being prepared. Other threads submit jobs; a job
//! creates its future on the executor's thread, so it need not be `Send`.

mod mailbox;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use glommio::sync::Gate;
use glommio::{
    GlommioError, Latency, LocalExecutorBuilder, Placement, PoolPlacement, Shares, TaskQueueHandle,
};
use nix::errno::Errno;
use nix::libc::{PRIO_PROCESS, setpriority};
use nix::sys::resource::{Resource, getrlimit};

use crate::direct::{Direct, DiskMode};
use crate::error::DiskError;
use crate::limits::{HANDS, JOBS_MAX, MEMLOCK_BYTES_MIN, NICENESS, PIECE_BYTES_DEFAULT};
use mailbox::Mailbox;

/// Which share a job belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskQueue {
    /// Writing and reading snapshots, streaming bulk to learners.
    Snapshot,
    /// Preparing segments, recovery: another thread waits for these.
    Segments,
    /// Removing and recycling what is no longer needed.
    Purge,
}

/// Where the background runs, and how it divides its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackgroundConfig {
    /// An existing directory on the file system that the jobs work on.
    pub directory: PathBuf,
    /// The CPU it is pinned to; `None` leaves it to the scheduler.
    pub cpu: Option<usize>,
    /// Shares of [`TaskQueue::Snapshot`], 1 to 1,000.
    pub snapshot_shares: usize,
    /// Shares of [`TaskQueue::Segments`].
    pub segments_shares: usize,
    /// Shares of [`TaskQueue::Purge`].
    pub purge_shares: usize,
    /// What is written before it is flushed: whole blocks, at most
    /// [`BULK_BYTES`](crate::limits::BULK_BYTES).
    pub piece_bytes: usize,
}

impl BackgroundConfig {
    /// Unpinned, segments before snapshots before purges.
    pub const fn new(directory: PathBuf) -> Self {
        let (snapshot_shares, segments_shares, purge_shares) = (300, 1000, 100);
        let piece_bytes = PIECE_BYTES_DEFAULT;
        Self { directory, cpu: None, snapshot_shares, segments_shares, purge_shares, piece_bytes }
    }
}

/// Why the background did not start, or accepts no job.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundError {
    /// The limit on locked memory is below what the executor requires.
    #[error(
        "the limit on locked memory is {found_bytes} bytes, {needed_bytes} are needed: raise it \
         (LimitMEMLOCK= in a systemd unit, `ulimit -l` in kilobytes in a shell, --ulimit memlock \
         for a container)"
    )]
    MemlockTooLow {
        /// The soft limit found.
        found_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
    },
    /// The kernel grants no `io_uring`.
    #[error(
        "the kernel refused io_uring (errno {errno}): it needs Linux 5.19, \
         kernel.io_uring_disabled = 0, and a container runtime that allows it"
    )]
    RingRefused {
        /// The kernel's answer.
        errno: i32,
    },
    /// The requested CPU cannot be used.
    #[error("the background thread cannot be pinned to CPU {cpu}")]
    Placement {
        /// The requested CPU.
        cpu: usize,
    },
    /// The thread could not be started.
    #[error("the background thread could not be started: {0}")]
    Thread(#[source] io::Error),
    /// The directory cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Too many jobs wait.
    #[error("{JOBS_MAX} jobs wait for the background thread already")]
    Overloaded,
    /// The thread has ended.
    #[error("the background thread has ended")]
    Stopped,
}

/// What a job makes: a future for the executor's own thread.
pub type JobFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A job: called on the background thread with its disk.
pub type Job = Box<dyn FnOnce(Rc<Direct>) -> JobFuture + Send>;

/// The handle to the background thread. Dropping it ends the thread after the jobs it has.
#[derive(Debug)]
pub struct Background {
    mailbox: Arc<Mailbox<(TaskQueue, Job)>>,
    thread: Option<JoinHandle<()>>,
    mode: DiskMode,
}

impl Background {
    /// Starts the thread `rk-background` and its executor; returns once it accepts jobs.
    pub fn start(config: BackgroundConfig) -> Result<Self, BackgroundError> {
        check_memlock()?;
        let mailbox = Arc::new(Mailbox::new(JOBS_MAX));
        let inbox = Arc::clone(&mailbox);
        let (started, outcome) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("rk-background".to_owned())
            .spawn(move || host(&config, &inbox, &started))
            .map_err(BackgroundError::Thread)?;
        match outcome.recv() {
            Ok(Ok(mode)) => Ok(Self { mailbox, thread: Some(thread), mode }),
            Ok(Err(error)) => Err(error),
            Err(mpsc::RecvError) => Err(BackgroundError::Stopped),
        }
    }

    /// How the background reads and writes files.
    pub const fn mode(&self) -> &DiskMode {
        &self.mode
    }

    /// Submits a job, which reports its own result (a channel, a callback it owns).
    pub fn submit(&self, queue: TaskQueue, job: Job) -> Result<(), BackgroundError> {
        self.mailbox.push((queue, job))
    }

    /// Submits `work` and returns the channel for its result; the channel is closed without one if
    /// the thread ends first.
    pub fn run<T, W, F>(
        &self,
        queue: TaskQueue,
        work: W,
    ) -> Result<mpsc::Receiver<T>, BackgroundError>
    where
        T: Send + 'static,
        W: FnOnce(Rc<Direct>) -> F + Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (sender, receiver) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |disk| {
            let future = work(disk);
            Box::pin(async move {
                // No one waits for the result any more.
                let _ = sender.send(future.await);
            })
        });
        self.submit(queue, job)?;
        Ok(receiver)
    }

    /// Accepts no more jobs, waits for those it has, and ends the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread ends the process in release; in tests the test sees it.
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end();
    }
}

fn check_memlock() -> Result<(), BackgroundError> {
    let (found_bytes, _) = getrlimit(Resource::RLIMIT_MEMLOCK)
        .map_err(|errno| BackgroundError::Thread(errno.into()))?;
    memlock_suffices(found_bytes)
}

const fn memlock_suffices(found_bytes: u64) -> Result<(), BackgroundError> {
    if found_bytes < MEMLOCK_BYTES_MIN {
        return Err(BackgroundError::MemlockTooLow {
            found_bytes,
            needed_bytes: MEMLOCK_BYTES_MIN,
        });
    }
    Ok(())
}

/// The thread's body: makes the executor, says how that went, serves until the mailbox closes.
fn host(
    config: &BackgroundConfig,
    inbox: &Arc<Mailbox<(TaskQueue, Job)>>,
    started: &mpsc::SyncSender<Result<DiskMode, BackgroundError>>,
) {
    give_way();
    let disk = match Direct::new(&config.directory, config.piece_bytes) {
        Ok(disk) => Rc::new(disk),
        Err(error) => {
            let _ = started.send(Err(error.into()));
            return;
        }
    };
    let placement = config.cpu.map_or(Placement::Unbound, Placement::Fixed);
    // Transfers are larger than the registered buffers would be, so these are kept minimal.
    let executor = LocalExecutorBuilder::new(placement)
        .io_memory(64 << 10)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(HANDS))
        .make();
    match executor {
        Ok(executor) => {
            let _ = started.send(Ok(disk.mode().clone()));
            executor.run(serve(config, disk, inbox));
        }
        Err(error) => {
            let _ = started.send(Err(not_started(config, &error)));
        }
    }
}

/// Lets latency-critical threads go first on a processor that they share with the calling one.
/// Threads that it starts inherit this, as those for the background's blocking work do.
pub fn give_way() {
    // SAFETY: the call takes three numbers; 0 is the calling thread.
    let result = unsafe { setpriority(PRIO_PROCESS, 0, NICENESS) };
    // Raising the nice value is always allowed; if it were not, only a little time would be lost.
    debug_assert_eq!(result, 0, "raising the nice value was refused");
}

fn not_started(config: &BackgroundConfig, error: &GlommioError<()>) -> BackgroundError {
    match (error, config.cpu) {
        (GlommioError::BuilderError(_), Some(cpu)) => BackgroundError::Placement { cpu },
        _ => BackgroundError::RingRefused {
            errno: error.raw_os_error().unwrap_or(Errno::EIO as i32),
        },
    }
}

async fn serve(
    config: &BackgroundConfig,
    disk: Rc<Direct>,
    inbox: &Arc<Mailbox<(TaskQueue, Job)>>,
) {
    let make = |shares: usize, name: &str| {
        let shares = Shares::Static(shares.clamp(1, 1000));
        glommio::executor().create_task_queue(shares, Latency::NotImportant, name)
    };
    let snapshot = make(config.snapshot_shares, "snapshot");
    let segments = make(config.segments_shares, "segments");
    let purge = make(config.purge_shares, "purge");
    let gate = Gate::new();
    while let Some((queue, job)) = inbox.next().await {
        let into: TaskQueueHandle = match queue {
            TaskQueue::Snapshot => snapshot,
            TaskQueue::Segments => segments,
            TaskQueue::Purge => purge,
        };
        let pass = gate.enter().expect("the gate is only closed below");
        let future = job(Rc::clone(&disk));
        let held = async move {
            future.await;
            drop(pass);
        };
        glommio::spawn_local_into(held, into).expect("the queue was made above").detach();
    }
    gate.close().await.expect("closed once");
}
