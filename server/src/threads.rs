//! Which processors the threads run on: a core loop on its own one, all others beside the loops.
//!
//! A thread inherits where it may run from the one that starts it, so whatever a pinned core loop
//! starts would stay on its processor and be in its way: threads are started by [`spawn`]
//! (guard: `tests/tidy.rs`).

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::sync::OnceLock;
use std::thread::{Builder, JoinHandle};

/// Where all threads but the core loops run; unset while these may run anywhere, too.
static BESIDE: OnceLock<CpuSet> = OnceLock::new();

/// Starts a thread that runs beside the core loops.
///
/// # Errors
/// There can be no more threads.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let work = move || {
        if let Some(cpus) = BESIDE.get() {
            // Where it is not possible it runs where it was started: slower, and no worse.
            let _ = sched_setaffinity(Pid::from_raw(0), cpus);
        }
        work()
    };
    Builder::new().name(name.to_owned()).spawn(work)
}

/// Moves the threads that there are to these processors, and those that [`spawn`] starts later. To
/// be called before a core loop is pinned, and once in the life of a process.
pub(crate) fn keep_beside(cpus: &[u32]) -> Result<(), Errno> {
    let set = set_of(cpus)?;
    // This one first: what it refuses is not tried with the others.
    sched_setaffinity(Pid::from_raw(0), &set)?;
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for thread in tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()) {
        // One that has ended meanwhile, or a thread of the kernel for io_uring, which has its own.
        let _ = sched_setaffinity(Pid::from_raw(thread), &set);
    }
    let _ = BESIDE.set(set);
    Ok(())
}

/// Pins the calling thread.
pub(crate) fn pin(cpu: u32) -> Result<(), Errno> {
    sched_setaffinity(Pid::from_raw(0), &set_of(&[cpu])?)
}

fn set_of(cpus: &[u32]) -> Result<CpuSet, Errno> {
    let mut set = CpuSet::new();
    cpus.iter().try_for_each(|cpu| set.set(*cpu as usize))?;
    Ok(set)
}
