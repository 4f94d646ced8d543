//! Who is connected to a port, and who has to leave when one more comes.
//!
//! Invariant: a connection that says nothing, or does not take its answer, keeps its place only
//! while nobody else wants it (guard: `tests`, `tests/hostile/probes.rs`).
//!
//! Lives in: the admin thread, one for each port.

use crate::admin::limits::{ANSWER_TIMEOUT, STALL_WANTED_TIMEOUT};
use crate::admin::room::Held;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How far a connection has come.
#[derive(Debug)]
enum Standing {
    /// It has not sent a whole request.
    Silent,
    /// Its request is being answered since then.
    Asking(Instant),
    /// Its answer is being sent since then.
    Taking(Instant),
    /// It was told to leave.
    Leaving,
}

#[derive(Debug)]
struct Guest {
    standing: Standing,
    leave: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Guests {
    /// By the order in which they came.
    guests: BTreeMap<u64, Guest>,
    next: u64,
}

/// The connections of a port.
#[derive(Debug)]
pub(super) struct Crowd {
    guests: Mutex<Guests>,
    count_max: usize,
    freed: Notify,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    leave: Arc<Notify>,
}

impl Crowd {
    pub(super) fn new(count_max: usize) -> Arc<Self> {
        Arc::new(Self { guests: Mutex::default(), count_max, freed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more: where there is none, the connection that has been silent for longest
    /// has to leave, or else the one that has not taken its answer for longest.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_enter() {
                return place;
            }
            self.lock().send_one_away();
            // Whoever takes its answer now may be slow enough in a while.
            timeout(STALL_WANTED_TIMEOUT, self.freed.notified()).await.ok();
        }
    }

    fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let mut guests = self.lock();
        if guests.guests.len() >= self.count_max {
            return None;
        }
        let (number, leave) = (guests.next, Arc::new(Notify::new()));
        guests.next += 1;
        let guest = Guest { standing: Standing::Silent, leave: leave.clone() };
        guests.guests.insert(number, guest);
        Some(Place { crowd: self.clone(), number, leave })
    }
}

impl Guests {
    fn send_one_away(&mut self) {
        let is_slow = |guest: &Guest| match guest.standing {
            Standing::Taking(since) => since.elapsed() >= STALL_WANTED_TIMEOUT,
            Standing::Silent | Standing::Asking(_) | Standing::Leaving => false,
        };
        let is_silent = |guest: &Guest| matches!(guest.standing, Standing::Silent);
        let numbers = |wanted: &dyn Fn(&Guest) -> bool| {
            let mut found = self.guests.iter().filter(|(_, guest)| wanted(guest));
            found.next().map(|(number, _)| *number)
        };
        let Some(number) = numbers(&is_silent).or_else(|| numbers(&is_slow)) else { return };
        if let Some(guest) = self.guests.get_mut(&number) {
            guest.standing = Standing::Leaving;
            guest.leave.notify_one();
        }
    }
}

impl Place {
    fn stands(&self, standing: Standing) {
        if let Some(guest) = self.crowd.lock().guests.get_mut(&self.number)
            && !matches!(guest.standing, Standing::Leaving)
        {
            guest.standing = standing;
        }
    }

    /// A request has come.
    pub(super) fn asks(&self) {
        self.stands(Standing::Asking(Instant::now()));
    }

    /// Its answer is there.
    pub(super) fn takes(&self) {
        self.stands(Standing::Taking(Instant::now()));
    }

    /// Ends when the connection has to leave.
    pub(super) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Whether the connection has had its time: `held` is what its answer holds.
    pub(super) fn is_overdue(&self, held: &Held) -> bool {
        let guests = self.crowd.lock();
        let Some(guest) = guests.guests.get(&self.number) else { return true };
        match guest.standing {
            Standing::Silent => false,
            Standing::Asking(since) => since.elapsed() >= ANSWER_TIMEOUT,
            Standing::Taking(since) => held.is_overdue(Duration::ZERO, since.elapsed()),
            Standing::Leaving => true,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.lock().guests.remove(&self.number);
        self.crowd.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::{Crowd, Place};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    async fn is_to_leave(place: &Place) -> bool {
        timeout(Duration::ZERO, place.told_to_leave()).await.is_ok()
    }

    #[test]
    fn the_longest_silent_one_leaves_for_one_more() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let crowd = Crowd::new(3);
            let asking = crowd.enter().await;
            asking.asks();
            let (first, second) = (crowd.enter().await, crowd.enter().await);
            let newcomer = tokio::spawn({
                let crowd = Arc::clone(&crowd);
                async move { crowd.enter().await }
            });
            first.told_to_leave().await;
            assert!(!is_to_leave(&asking).await && !is_to_leave(&second).await);
            assert!(!newcomer.is_finished(), "a place is free when its connection is gone");
            drop(first);
            let _newcomer = newcomer.await.unwrap();
            assert!(!is_to_leave(&second).await);
        });
    }

    #[test]
    fn one_that_asked_is_answered() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let crowd = Crowd::new(1);
            let asking = crowd.enter().await;
            asking.asks();
            let newcomer = crowd.enter();
            assert!(timeout(Duration::ZERO, newcomer).await.is_err());
            assert!(!is_to_leave(&asking).await);
            drop(asking);
            crowd.enter().await;
        });
    }
}
