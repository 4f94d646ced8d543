//! The queues between a shard and an ordering role on another core loop.
//!
//! Single producer, single consumer. A full queue blocks no thread: what does not fit waits on the
//! producer's side, bounded by what the shard has admitted.

use super::inbox::LoopInbox;
use engine::message::{ToOrdering, ToShard};
use rtrb::{Consumer, Producer, RingBuffer};
use std::collections::VecDeque;
use std::sync::Arc;

/// Capacity of a queue, in messages.
const QUEUE_LENGTH: usize = 1_024;

/// A producer with a buffer for what does not fit in the queue.
struct Sender<T> {
    queue: Producer<T>,
    waiting: VecDeque<T>,
    to: Arc<LoopInbox>,
}

impl<T> Sender<T> {
    fn send(&mut self, message: T) {
        if !self.waiting.is_empty() {
            return self.waiting.push_back(message);
        }
        if let Err(rtrb::PushError::Full(message)) = self.queue.push(message) {
            self.waiting.push_back(message);
        }
    }

    fn retry(&mut self) {
        while let Some(message) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(message)) = self.queue.push(message) {
                return self.waiting.push_front(message);
            }
        }
    }
}

/// A shard's end.
pub struct ShardLink {
    out: Sender<ToOrdering>,
    pub(super) from_ordering: Consumer<ToShard>,
}

/// The ordering role's end, one for each shard on another loop.
pub struct OrderingLink {
    /// Which shard.
    pub(super) shard: u16,
    out: Sender<ToShard>,
    pub(super) from_shard: Consumer<ToOrdering>,
}

/// Both ends of a link between shard number `shard`, on the loop of `shard_loop`, and the ordering
/// role on that of `ordering_loop`.
pub fn link(
    shard: u16,
    shard_loop: &Arc<LoopInbox>,
    ordering_loop: &Arc<LoopInbox>,
) -> (ShardLink, OrderingLink) {
    let (to_ordering, from_shard) = RingBuffer::new(QUEUE_LENGTH);
    let (to_shard, from_ordering) = RingBuffer::new(QUEUE_LENGTH);
    let waiting = VecDeque::new;
    let out = Sender { queue: to_ordering, waiting: waiting(), to: ordering_loop.clone() };
    let shard_end = ShardLink { out, from_ordering };
    let out = Sender { queue: to_shard, waiting: VecDeque::new(), to: shard_loop.clone() };
    (shard_end, OrderingLink { shard, out, from_shard })
}

impl ShardLink {
    /// Sends messages to the ordering role, with one wake-up for all of them.
    pub(super) fn send(&mut self, messages: impl Iterator<Item = ToOrdering>) {
        self.out.retry();
        let mut is_any = false;
        for message in messages {
            self.out.send(message);
            is_any = true;
        }
        if is_any {
            self.out.to.wake();
        }
    }

    /// Whether the queue is full: the shard must retry.
    pub(super) fn is_waiting(&self) -> bool {
        !self.out.waiting.is_empty()
    }
}

impl OrderingLink {
    /// Sends the shard a message; [`Self::wake`] wakes it.
    pub(super) fn send(&mut self, message: ToShard) {
        self.out.send(message);
    }

    /// Wakes the shard to handle messages or published batches.
    pub(super) fn wake(&mut self) {
        self.out.retry();
        self.out.to.wake();
    }

    /// Whether the queue is full: the ordering role must retry.
    pub(super) fn is_waiting(&self) -> bool {
        !self.out.waiting.is_empty()
    }
}
