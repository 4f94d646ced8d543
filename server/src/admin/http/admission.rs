//! Which connections a port admits, and which one is evicted for a newcomer.
//!
//! Invariant: a connection that sends nothing, or does not take its answer, keeps its permit only
//! until another connection needs it (guard: `tests`, `tests/hostile/probes.rs`).
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
enum PermitState {
    /// It has not sent a whole request.
    Idle,
    /// Its request is being answered since then.
    Answering(Instant),
    /// Its answer is being sent since then.
    Sending(Instant),
    /// It was asked to close.
    Evicted,
}

#[derive(Debug)]
struct Holder {
    state: PermitState,
    evict: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Holders {
    /// In order of arrival.
    holders: BTreeMap<u64, Holder>,
    next: u64,
}

/// The connections of a port.
#[derive(Debug)]
pub(super) struct Admission {
    holders: Mutex<Holders>,
    count_max: usize,
    freed: Notify,
}

/// The permit of one connection, returned when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    number: u64,
    evict: Arc<Notify>,
}

impl Admission {
    pub(super) fn new(count_max: usize) -> Arc<Self> {
        Arc::new(Self { holders: Mutex::default(), count_max, freed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit for a new connection. If none is free, the connection that has been silent longest
    /// is evicted, or else the one that has been slowest to take its answer.
    pub(super) async fn admit(self: &Arc<Self>) -> Permit {
        loop {
            if let Some(permit) = self.try_admit() {
                return permit;
            }
            self.lock().evict_one();
            // A connection that is taking its answer now may become slow enough to evict.
            timeout(STALL_WANTED_TIMEOUT, self.freed.notified()).await.ok();
        }
    }

    fn try_admit(self: &Arc<Self>) -> Option<Permit> {
        let mut holders = self.lock();
        if holders.holders.len() >= self.count_max {
            return None;
        }
        let (number, evict) = (holders.next, Arc::new(Notify::new()));
        holders.next += 1;
        let holder = Holder { state: PermitState::Idle, evict: evict.clone() };
        holders.holders.insert(number, holder);
        Some(Permit { admission: self.clone(), number, evict })
    }
}

impl Holders {
    fn evict_one(&mut self) {
        let is_slow = |holder: &Holder| match holder.state {
            PermitState::Sending(since) => since.elapsed() >= STALL_WANTED_TIMEOUT,
            PermitState::Idle | PermitState::Answering(_) | PermitState::Evicted => false,
        };
        let is_idle = |holder: &Holder| matches!(holder.state, PermitState::Idle);
        let oldest = |wanted: &dyn Fn(&Holder) -> bool| {
            let mut found = self.holders.iter().filter(|(_, holder)| wanted(holder));
            found.next().map(|(number, _)| *number)
        };
        let Some(number) = oldest(&is_idle).or_else(|| oldest(&is_slow)) else { return };
        if let Some(holder) = self.holders.get_mut(&number) {
            holder.state = PermitState::Evicted;
            holder.evict.notify_one();
        }
    }
}

impl Permit {
    fn set_state(&self, state: PermitState) {
        if let Some(holder) = self.admission.lock().holders.get_mut(&self.number)
            && !matches!(holder.state, PermitState::Evicted)
        {
            holder.state = state;
        }
    }

    /// A request has arrived.
    pub(super) fn request_received(&self) {
        self.set_state(PermitState::Answering(Instant::now()));
    }

    /// Its answer is ready to be sent.
    pub(super) fn answer_ready(&self) {
        self.set_state(PermitState::Sending(Instant::now()));
    }

    /// Completes when the connection is evicted.
    pub(super) async fn evicted(&self) {
        self.evict.notified().await;
    }

    /// Whether the connection has used up its time. `held` is the memory of its answer.
    pub(super) fn is_overdue(&self, held: &Held) -> bool {
        let holders = self.admission.lock();
        let Some(holder) = holders.holders.get(&self.number) else { return true };
        match holder.state {
            PermitState::Idle => false,
            PermitState::Answering(since) => since.elapsed() >= ANSWER_TIMEOUT,
            PermitState::Sending(since) => held.is_overdue(Duration::ZERO, since.elapsed()),
            PermitState::Evicted => true,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.lock().holders.remove(&self.number);
        self.admission.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, Permit};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    async fn is_evicted(permit: &Permit) -> bool {
        timeout(Duration::ZERO, permit.evicted()).await.is_ok()
    }

    #[test]
    fn the_longest_silent_connection_is_evicted_for_a_newcomer() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let admission = Admission::new(3);
            let asking = admission.admit().await;
            asking.request_received();
            let (first, second) = (admission.admit().await, admission.admit().await);
            let newcomer = tokio::spawn({
                let admission = Arc::clone(&admission);
                async move { admission.admit().await }
            });
            first.evicted().await;
            assert!(!is_evicted(&asking).await && !is_evicted(&second).await);
            assert!(!newcomer.is_finished(), "a permit is free once its connection is closed");
            drop(first);
            let _newcomer = newcomer.await.unwrap();
            assert!(!is_evicted(&second).await);
        });
    }

    #[test]
    fn a_connection_that_sent_a_request_is_answered() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let admission = Admission::new(1);
            let asking = admission.admit().await;
            asking.request_received();
            let newcomer = admission.admit();
            assert!(timeout(Duration::ZERO, newcomer).await.is_err());
            assert!(!is_evicted(&asking).await);
            drop(asking);
            admission.admit().await;
        });
    }
}
