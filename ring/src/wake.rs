//! Asleep and awake.
//!
//! The sleeper sets `asleep`, fences, checks again for work, and waits. A producer publishes its
//! work, fences, and writes the eventfd only if it is the one that clears `asleep`. One of the two
//! fences comes first in their single total order: either the sleeper sees the work, or the
//! producer sees `asleep`.

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::fmt;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// On its own cache lines: producers look at `asleep` after every batch.
#[repr(align(128))]
struct Shared {
    asleep: AtomicBool,
    wakes: AtomicU64,
    /// Where the kernel puts the eventfd's count.
    count: AtomicU64,
    eventfd: EventFd,
}

/// Wakes the thread of one ring, from any thread.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    /// Wakes the ring's thread if it sleeps (or is about to); costs a fence and a load if not. Call
    /// it after publishing work, once per batch. Says whether a system call was made.
    #[inline]
    pub fn wake(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.asleep.load(Ordering::Relaxed) && self.wake_sleeper()
    }

    #[cold]
    fn wake_sleeper(&self) -> bool {
        if !self.0.asleep.swap(false, Ordering::AcqRel) {
            return false;
        }
        self.0.wakes.fetch_add(1, Ordering::Relaxed);
        loop {
            match self.0.eventfd.write(1) {
                Ok(_) => return true,
                Err(Errno::EINTR) => {}
                Err(errno) => panic!("an open eventfd takes a one, but: {errno}"),
            }
        }
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

/// The sleeper's side. Lives in: the ring.
pub(crate) struct Sleeper {
    shared: Arc<Shared>,
    /// Whether a read of the eventfd is in flight.
    pub(crate) armed: bool,
}

impl Sleeper {
    pub(crate) fn new() -> Result<Self, Errno> {
        // Blocking, because io_uring answers EAGAIN instead of waiting on a non-blocking one.
        let eventfd = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC)?;
        let (asleep, wakes, count) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let shared = Arc::new(Shared { asleep, wakes, count, eventfd });
        Ok(Self { shared, armed: false })
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.shared))
    }

    pub(crate) fn wakes(&self) -> u64 {
        self.shared.wakes.load(Ordering::Relaxed)
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.shared.eventfd.as_raw_fd()
    }

    pub(crate) fn count_ptr(&self) -> *mut u8 {
        self.shared.count.as_ptr().cast()
    }

    /// From here on a producer writes the eventfd. What was published before is visible after.
    pub(crate) fn announce(&self) {
        self.shared.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Awake again, whatever woke it.
    pub(crate) fn rise(&self) {
        // A swap would show whether a producer was faster; its count is then read in a later turn.
        self.shared.asleep.store(false, Ordering::Relaxed);
    }

    /// Leaks the count's memory: the kernel may still write to it.
    pub(crate) fn leak(&self) {
        std::mem::forget(Arc::clone(&self.shared));
    }
}
