//! Memory for answers, shared by words and commands: an answer is started when there is room for
//! the longest one, and holds what it needs until its peer has read it.
//!
//! Short answers need no room, so they never wait for long ones; each kind of long answer has a
//! room of its own, so that many requests for one kind do not delay the others.
//!
//! The data of a large answer are gathered in pages, but formatting them may take a second. So that
//! is done on another thread ([`Held::make`]), one answer per room at a time.

use super::inquiry::Unanswered;
use super::limits::{
    ANSWER_BYTES_MAX, ANSWERS_WAITING_MAX, LARGE_ANSWERS_BYTES_MAX, METRICS_ANSWERS_BYTES_MAX,
    METRICS_BYTES_MAX, SEND_TIMEOUT, SEND_WANTED_TIMEOUT, STALL_TIMEOUT, STALL_WANTED_TIMEOUT,
    STAT_ANSWERS_BYTES_MAX,
};
use net::client::FourLetterWord;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

const KIB: usize = 1024;

/// What an answer grows with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// It does not grow.
    Short,
    /// With the parts of the tree.
    Metrics,
    /// With connections, a short line each.
    Stat,
    /// With connections, sessions, ephemeral nodes or watches.
    Large,
}

impl Size {
    /// The size of the answer to a word.
    pub(super) fn of_word(word: FourLetterWord, shard_count: usize) -> Self {
        match word {
            FourLetterWord::Stat => Self::Stat,
            FourLetterWord::Mntr => Self::Metrics,
            FourLetterWord::Cons
            | FourLetterWord::Dump
            | FourLetterWord::Wchc
            | FourLetterWord::Wchp => Self::Large,
            // Distinguishing the paths of several shards requires all of them.
            FourLetterWord::Wchs if shard_count > 1 => Self::Large,
            _ => Self::Short,
        }
    }
}

/// All rooms.
///
/// Lives in: the admin thread.
pub(super) struct Rooms {
    metrics: Arc<Room>,
    stat: Arc<Room>,
    large: Arc<Room>,
}

/// How many there are, and so how many answers are made at once.
pub(super) const ROOMS: usize = 3;

struct Room {
    kib: Arc<Semaphore>,
    /// Held while an answer is being made.
    turn: Arc<Semaphore>,
    answer_kib_max: u32,
    waiting: AtomicUsize,
}

/// Counts waiting requests, however the wait ends.
struct Waiting<'a>(&'a Room);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The memory that one answer holds of its room; released when it is dropped.
pub(super) struct Held(Option<(Arc<Room>, OwnedSemaphorePermit)>);

/// Too many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl Rooms {
    pub(super) fn new() -> Self {
        Self {
            metrics: Room::new(METRICS_ANSWERS_BYTES_MAX, METRICS_BYTES_MAX),
            stat: Room::new(STAT_ANSWERS_BYTES_MAX, ANSWER_BYTES_MAX),
            large: Room::new(LARGE_ANSWERS_BYTES_MAX, ANSWER_BYTES_MAX),
        }
    }

    /// Waits until there is room for the longest answer of this size.
    pub(super) async fn enter(&self, size: Size) -> Result<Held, Crowded> {
        let room = match size {
            Size::Short => return Ok(Held::none()),
            Size::Metrics => &self.metrics,
            Size::Stat => &self.stat,
            Size::Large => &self.large,
        };
        room.enter().await
    }

    /// How many requests wait for room for a large answer.
    pub(super) fn waiting_for_large(&self) -> usize {
        self.large.waiting.load(Ordering::Relaxed)
    }
}

impl Room {
    fn new(bytes_max: usize, answer_bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            kib: Arc::new(Semaphore::new(bytes_max / KIB)),
            turn: Arc::new(Semaphore::new(1)),
            answer_kib_max: (answer_bytes_max / KIB) as u32,
            waiting: AtomicUsize::new(0),
        })
    }

    async fn enter(self: &Arc<Self>) -> Result<Held, Crowded> {
        if self.waiting.load(Ordering::Relaxed) >= ANSWERS_WAITING_MAX {
            return Err(Crowded);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(self);
        let permit = Arc::clone(&self.kib).acquire_many_owned(self.answer_kib_max).await;
        drop(waiting);
        Ok(Held(permit.ok().map(|permit| (Arc::clone(self), permit))))
    }
}

impl Held {
    /// For an answer that needs no room.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Formats an answer, on a thread where that delays only answers of the same kind; a short one
    /// at once. If the peer disconnects meanwhile, the memory is held until the work is done.
    ///
    /// # Errors
    /// If the server stops.
    pub(super) async fn make<T: Send + 'static>(
        &mut self,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let Some((room, permit)) = self.0.take() else { return Ok(make()) };
        let turn = Arc::clone(&room.turn).acquire_owned().await.map_err(|_| Unanswered)?;
        let made = spawn_blocking(move || {
            let made = make();
            drop(turn);
            (made, permit)
        });
        let (made, permit) = made.await.map_err(|_| Unanswered)?;
        self.0 = Some((room, permit));
        Ok(made)
    }

    /// The answer was made: releases what it does not need.
    pub(super) fn shrink(&mut self, bytes: usize) {
        if let Some((_, permit)) = &mut self.0 {
            let spare = permit.num_permits().saturating_sub(bytes.div_ceil(KIB));
            drop(permit.split(spare));
        }
    }

    /// Whether other requests wait for this memory.
    fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|(room, _)| room.waiting.load(Ordering::Relaxed) > 0)
    }

    /// Whether to disconnect a peer that has read nothing for `stalled`, and began to read `since`
    /// ago.
    pub(super) fn is_overdue(&self, stalled: Duration, since: Duration) -> bool {
        if self.is_wanted() {
            stalled >= STALL_WANTED_TIMEOUT || since >= SEND_WANTED_TIMEOUT
        } else {
            stalled >= STALL_TIMEOUT || since >= SEND_TIMEOUT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Crowded, Rooms, Size};
    use crate::admin::limits::{
        ANSWER_BYTES_MAX, ANSWERS_WAITING_MAX, LARGE_ANSWERS_BYTES_MAX, STALL_WANTED_TIMEOUT,
    };
    use std::time::Duration;
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    /// The output if it is ready at once.
    async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
        timeout(Duration::ZERO, future).await.ok()
    }

    #[test]
    fn answers_that_were_not_taken_hold_what_they_need() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rooms = Rooms::new();
            let mut held = Vec::new();
            while let Some(entered) = at_once(rooms.enter(Size::Large)).await {
                held.push(entered.unwrap_or_else(|Crowded| panic!("no request waits")));
            }
            assert_eq!(held.len(), LARGE_ANSWERS_BYTES_MAX / ANSWER_BYTES_MAX);
            for size in [Size::Short, Size::Stat, Size::Metrics] {
                let entered = at_once(rooms.enter(size)).await;
                assert!(entered.is_some(), "{size:?} waits behind large answers");
            }
            held[0].shrink(5_000);
            held[1].shrink(ANSWER_BYTES_MAX - 4_096);
            assert!(at_once(rooms.enter(Size::Large)).await.is_none(), "5 KiB are missing");
            held[1].shrink(1_000);
            assert!(
                at_once(rooms.enter(Size::Large)).await.is_some(),
                "two answers released their room"
            );
        });
    }

    #[test]
    fn a_peer_has_less_time_while_others_wait() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rooms = Rooms::new();
            let mut held = Vec::new();
            while let Some(Ok(entered)) = at_once(rooms.enter(Size::Stat)).await {
                held.push(entered);
            }
            let since = STALL_WANTED_TIMEOUT;
            assert!(!held[0].is_overdue(since, since));
            let mut waits = Box::pin(rooms.enter(Size::Stat));
            assert!(at_once(&mut waits).await.is_none());
            assert!(held[0].is_overdue(since, since));
            let many: Vec<_> =
                (1..ANSWERS_WAITING_MAX).map(|_| Box::pin(rooms.enter(Size::Stat))).collect();
            let mut polled = Vec::new();
            for mut one in many {
                assert!(at_once(&mut one).await.is_none());
                polled.push(one);
            }
            assert!(matches!(rooms.enter(Size::Stat).await, Err(Crowded)));
            drop((waits, polled));
            assert!(!held[0].is_overdue(since, since), "no request waits any more");
        });
    }
}
