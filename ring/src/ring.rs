//! The turn: submit, wait, sleep; and the end of a ring.

use crate::buffers::ReceiveBuffers;
use crate::config::{Features, RingConfig};
use crate::limits::{DRAIN_WAIT, DRAIN_WAITS_MAX};
use crate::queue::{Core, DATA_SILENT, DATA_WAKE, Queue};
use crate::slots::{Op, OpId, Slots};
use crate::wake::Sleeper;
use crate::{RingError, Waker, setup};
use io_uring::types::Fd;
use io_uring::{cqueue, opcode};
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

/// How long a turn waits for a first completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// At most this long.
    Until(Duration),
    /// Without limit.
    Forever,
}

/// What a ring counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls of `io_uring_enter`.
    pub enters: u64,
    /// Writes to the eventfd: wake-ups that cost a system call.
    pub wakes: u64,
    /// Sends and writes that moved only a part and were continued.
    pub transfers_short: u64,
    /// Receives that found no buffer and were rearmed.
    pub buffers_exhausted: u64,
}

/// One `io_uring`. Lives in: the thread that made it (it cannot be sent to another one).
///
/// Its life: made, then `turn` or `sleep` and `completions` repeatedly, then dropped. Dropping
/// cancels what is in flight and waits for it; after 5 seconds its memory is leaked instead.
pub struct Ring {
    pub(crate) core: Core,
    pub(crate) sleeper: Sleeper,
    pub(crate) buffers: ReceiveBuffers,
    /// Completion entries of this turn; empty between, kept for its memory.
    pub(crate) batch: Vec<cqueue::Entry>,
    own_thread: PhantomData<*const ()>,
}

impl Ring {
    /// Makes a ring for the calling thread, with as many flags as the kernel supports.
    pub fn new(config: &RingConfig) -> Result<Self, RingError> {
        let (io, features) = setup::build(config)?;
        let mut buffers = ReceiveBuffers::new(config.receive_buffers, config.receive_buffer_bytes)?;
        buffers.register(&io.submitter())?;
        let sleeper = Sleeper::new().map_err(RingError::of_setup)?;
        Ok(Self {
            core: Core::new(io, features, config.receive_buffer_bytes),
            sleeper,
            buffers,
            batch: Vec::new(),
            own_thread: PhantomData,
        })
    }

    /// What the kernel granted.
    pub fn features(&self) -> Features {
        self.core.features
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        Counters {
            enters: self.core.enters,
            wakes: self.sleeper.wakes(),
            transfers_short: self.core.transfers_short,
            buffers_exhausted: self.core.buffers_exhausted,
        }
    }

    /// Wakes this ring out of `sleep`, from any thread.
    pub fn waker(&self) -> Waker {
        self.sleeper.waker()
    }

    /// Where operations are queued.
    #[inline]
    pub fn queue(&mut self) -> Queue<'_> {
        Queue::new(&mut self.core)
    }

    /// Whether there is something to reap, or work that the kernel defers until entered: what a
    /// spinning owner polls. Two loads.
    #[inline]
    pub fn has_completions(&mut self) -> bool {
        !self.core.io.completion().is_empty() || self.has_deferred_work()
    }

    fn has_deferred_work(&mut self) -> bool {
        let submission = self.core.io.submission();
        submission.taskrun() || submission.cq_overflow()
    }

    /// Submits what is queued and, if requested and there is nothing to reap, waits for a
    /// completion: one system call, or none for `Wait::No` with nothing to do. A signal ends the
    /// wait early. A [`Waker`] does not end it: see `sleep`.
    pub fn turn(&mut self, wait: Wait) -> Result<(), RingError> {
        self.buffers.publish();
        if self.core.has_backlog() {
            self.core.push_backlog();
        }
        // What could not be submitted must not be waited for.
        let may_wait = self.core.io.completion().is_empty() && !self.core.has_backlog();
        let wait = if may_wait { wait } else { Wait::No };
        let (want, timeout) = match wait {
            Wait::No if self.core.io.submission().is_empty() && !self.has_deferred_work() => {
                return Ok(());
            }
            Wait::No => (0, None),
            Wait::Until(timeout) => (1, Some(timeout)),
            Wait::Forever => (1, None),
        };
        self.core.enter(want, timeout).map_err(RingError::Enter)
    }

    /// A turn that a [`Waker`] ends too. `has_work` is called again after the announcement that
    /// this thread sleeps; what a producer published before its `wake` is either seen there, or
    /// ends the wait.
    pub fn sleep(&mut self, wait: Wait, has_work: impl FnOnce() -> bool) -> Result<(), RingError> {
        if wait == Wait::No {
            return self.turn(Wait::No);
        }
        self.arm_wake();
        self.sleeper.announce();
        let wait = if has_work() { Wait::No } else { wait };
        let turned = self.turn(wait);
        self.sleeper.rise();
        turned
    }

    fn arm_wake(&mut self) {
        if self.sleeper.armed {
            return;
        }
        self.sleeper.armed = true;
        let count = self.sleeper.count_ptr();
        let read = opcode::Read::new(Fd(self.sleeper.fd()), count, size_of::<u64>() as u32);
        self.core.push(read.build().user_data(DATA_WAKE));
    }

    /// Cancels everything and waits for the last completions; false if some did not come.
    fn drain(&mut self) -> bool {
        if self.core.slots.live() == 0 && !self.sleeper.armed {
            // Closes that are only queued still have to happen.
            return self.turn(Wait::No).is_ok();
        }
        self.core.cancel_everything();
        for _ in 0..DRAIN_WAITS_MAX {
            if self.turn(Wait::Until(DRAIN_WAIT)).is_err() {
                return false;
            }
            self.drain_completions();
            if self.core.slots.live() == 0 && !self.sleeper.armed {
                return true;
            }
        }
        false
    }

    fn drain_completions(&mut self) {
        let batch: Vec<cqueue::Entry> = self.core.io.completion().collect();
        for entry in batch {
            match entry.user_data() {
                DATA_SILENT => continue,
                DATA_WAKE => {
                    self.sleeper.armed = false;
                    continue;
                }
                _ => {}
            }
            let id = OpId(entry.user_data());
            let Some(slot) = self.core.slots.find(id) else { continue };
            if matches!(slot.op, Op::Accept) && entry.result() >= 0 {
                // SAFETY: the kernel made this descriptor for us and no one else knows it.
                drop(unsafe { OwnedFd::from_raw_fd(entry.result()) });
            }
            if !cqueue::more(entry.flags()) {
                self.core.slots.remove(id);
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if !self.drain() {
            std::mem::forget(std::mem::replace(&mut self.core.slots, Slots::new()));
            self.sleeper.leak();
            self.buffers.leak();
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("features", &self.core.features)
            .field("in_flight", &self.core.slots.live())
            .finish_non_exhaustive()
    }
}
