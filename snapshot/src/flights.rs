//! Calls in flight, taken in the order they started.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Several calls of a disk at once, on one task.
pub(crate) struct Flights<'a, T> {
    queue: VecDeque<Flight<'a, T>>,
    bytes: usize,
}

struct Flight<'a, T> {
    bytes: usize,
    state: CallState<'a, T>,
}

enum CallState<'a, T> {
    Running(Pin<Box<dyn Future<Output = T> + 'a>>),
    Ended(T),
}

impl<'a, T> Flights<'a, T> {
    pub(crate) const fn new() -> Self {
        Self { queue: VecDeque::new(), bytes: 0 }
    }

    /// Adds a call that moves this many bytes, and starts it.
    pub(crate) async fn start(&mut self, bytes: usize, call: impl Future<Output = T> + 'a) {
        self.queue.push_back(Flight { bytes, state: CallState::Running(Box::pin(call)) });
        self.bytes += bytes;
        poll_fn(|context| {
            self.poll_all(context);
            Poll::Ready(())
        })
        .await;
    }

    /// Whether a call of this many bytes may start without exceeding `bytes_max` in flight; one
    /// always may.
    pub(crate) fn has_room(&self, bytes: usize, bytes_max: usize) -> bool {
        self.queue.is_empty() || self.bytes + bytes <= bytes_max
    }

    /// Waits for the oldest call; `None` if there is none.
    pub(crate) async fn next(&mut self) -> Option<T> {
        poll_fn(|context| {
            self.poll_all(context);
            match self.queue.pop_front() {
                None => Poll::Ready(None),
                Some(Flight { bytes, state: CallState::Ended(value) }) => {
                    self.bytes -= bytes;
                    Poll::Ready(Some(value))
                }
                Some(flying) => {
                    self.queue.push_front(flying);
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn poll_all(&mut self, context: &mut Context<'_>) {
        for flight in &mut self.queue {
            if let CallState::Running(call) = &mut flight.state
                && let Poll::Ready(value) = call.as_mut().poll(context)
            {
                flight.state = CallState::Ended(value);
            }
        }
    }
}
