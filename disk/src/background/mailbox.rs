//! How jobs of other threads reach the executor.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::BackgroundError;

/// A bounded queue: many threads push, one task takes.
pub(super) struct Mailbox<T> {
    bound: usize,
    state: Mutex<MailboxState<T>>,
}

struct MailboxState<T> {
    waiting: VecDeque<T>,
    is_closed: bool,
    taker: Option<Waker>,
}

impl<T> Mailbox<T> {
    pub(super) const fn new(bound: usize) -> Self {
        let state = MailboxState { waiting: VecDeque::new(), is_closed: false, taker: None };
        Self { bound, state: Mutex::new(state) }
    }

    pub(super) fn push(&self, item: T) -> Result<(), BackgroundError> {
        let mut state = self.state();
        if state.is_closed {
            return Err(BackgroundError::Stopped);
        }
        if state.waiting.len() == self.bound {
            return Err(BackgroundError::Overloaded);
        }
        state.waiting.push_back(item);
        Self::wake(state);
        Ok(())
    }

    /// Accepts no more items; those that wait are still handed out.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        Self::wake(state);
    }

    /// The next item; `None` once closed and empty.
    pub(super) async fn next(&self) -> Option<T> {
        poll_fn(|context| {
            let mut state = self.state();
            if let Some(item) = state.waiting.pop_front() {
                return Poll::Ready(Some(item));
            }
            if state.is_closed {
                return Poll::Ready(None);
            }
            state.taker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, MailboxState<T>> {
        // No panic can leave the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes after the lock is released, so that the taker does not wait for it.
    fn wake(mut state: MutexGuard<'_, MailboxState<T>>) {
        let taker = state.taker.take();
        drop(state);
        if let Some(taker) = taker {
            taker.wake();
        }
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("bound", &self.bound).finish_non_exhaustive()
    }
}
