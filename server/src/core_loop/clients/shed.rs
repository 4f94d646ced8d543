//! Which connections are shed, and when: those that have been idle longest, at a bounded pace, and
//! none that is busy.
//!
//! Idle is a client to which nothing is under way, and from which nothing has come for
//! [`QUIET_MS`]: between two requests of a client that sends one behind the other there is a moment
//! without any, in which the next one is on its way. One that is busy is passed over, and looked at
//! again until the deadline.
//!
//! Invariants: never more than the order says is shed, at most a tenth of a second's worth at once
//! (guard: `tests::the_pace_is_kept`), and nothing that is busy (guard:
//! `tests::what_is_busy_is_passed_over`).
//!
//! Lives in: each shard's clients, while an order is being carried out. Not here: how a connection
//! is closed (`ends`).

use crate::admin::inquiry::{ShedCounts, ShedOrder};
use engine::batch::ConnectionId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How long a client must have been quiet.
const QUIET_MS: u64 = 100;
/// How long after it was found busy a connection is looked at again.
const RETRY_MS: u64 = 100;
/// Connections that are looked at in one turn.
const LOOKS_PER_TURN: u32 = 512;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is closed, or no longer of a client that can move.
    Gone,
    /// Something is under way.
    Busy,
    /// Nothing is, and nothing has come since then.
    Idle { since_ms: u64 },
}

/// Carries out an order.
#[derive(Debug)]
pub(super) struct Shed {
    count: u32,
    done: u32,
    pace: Pace,
    deadline_ms: u64,
    /// Where the search for candidates continues; `None` if it has ended.
    search: Option<u32>,
    /// Candidates, by when they were last heard from as far as is known.
    candidates: BinaryHeap<Reverse<(u64, ConnectionId)>>,
    /// Those that were found busy.
    busy: Vec<(u64, ConnectionId)>,
    /// When these are candidates again.
    retry_ms: u64,
    /// Candidates that may still be looked at in this turn.
    looks: u32,
}

impl Shed {
    /// Begins; `None` if nothing is to be shed.
    pub(super) fn new(order: ShedOrder, now_ms: u64) -> Option<Self> {
        let ShedOrder { count, of, per_second, patience_ms } = order;
        if count == 0 || per_second == 0 {
            return None;
        }
        let of = of.max(count);
        let paced_ms = u64::from(of) * 1_000 / u64::from(per_second);
        Some(Self {
            count,
            done: 0,
            pace: Pace::new(u64::from(count) * u64::from(per_second), of, now_ms),
            deadline_ms: now_ms + paced_ms + u64::from(patience_ms),
            search: Some(0),
            candidates: BinaryHeap::new(),
            busy: Vec::new(),
            retry_ms: now_ms + RETRY_MS,
            looks: 0,
        })
    }

    /// The slot from which on candidates are searched, if there may be more.
    pub(super) fn search(&self) -> Option<u32> {
        self.search
    }

    /// These were found, with when each was last heard from; the search continues at `next`.
    pub(super) fn found(
        &mut self,
        some: impl Iterator<Item = (u64, ConnectionId)>,
        next: Option<u32>,
    ) {
        self.candidates.extend(some.map(Reverse));
        self.search = next;
    }

    /// A turn begins.
    pub(super) fn begin_turn(&mut self, now_ms: u64) {
        self.looks = LOOKS_PER_TURN;
        if now_ms >= self.retry_ms {
            self.retry_ms = now_ms + RETRY_MS;
            self.candidates.extend(self.busy.drain(..).map(Reverse));
        }
    }

    /// The next connection to be closed now, if any.
    pub(super) fn next(
        &mut self,
        now_ms: u64,
        standing: impl Fn(ConnectionId) -> Standing,
    ) -> Option<ConnectionId> {
        if self.search.is_some() || self.is_over(now_ms) {
            return None;
        }
        while self.looks > 0 && self.pace.admits(now_ms) {
            let Reverse((known_ms, id)) = self.candidates.pop()?;
            self.looks -= 1;
            match standing(id) {
                Standing::Gone => (),
                Standing::Busy => self.busy.push((known_ms, id)),
                Standing::Idle { since_ms } if since_ms + QUIET_MS > now_ms => {
                    self.busy.push((since_ms, id));
                }
                // Others may have been idle for longer.
                Standing::Idle { since_ms } if since_ms > known_ms => {
                    self.candidates.push(Reverse((since_ms, id)));
                }
                Standing::Idle { .. } => {
                    self.pace.spend();
                    self.done += 1;
                    return Some(id);
                }
            }
        }
        None
    }

    /// Whether the order is carried out as far as it can be.
    pub(super) fn is_over(&self, now_ms: u64) -> bool {
        let is_empty = self.search.is_none() && self.candidates.is_empty() && self.busy.is_empty();
        self.done == self.count || is_empty || now_ms >= self.deadline_ms
    }

    /// Whether it has something to do in the next turn, whenever that is.
    pub(super) fn is_hurried(&self, now_ms: u64) -> bool {
        self.search.is_some() || self.looks == 0 && self.pace.wait_ms(now_ms) == 0
    }

    /// When it has something to do, in ms of the monotonic clock.
    pub(super) fn wake_ms(&self, now_ms: u64) -> u64 {
        let next_ms = match self.pace.wait_ms(now_ms) {
            _ if self.candidates.is_empty() => self.retry_ms,
            wait_ms => now_ms + wait_ms.max(1),
        };
        next_ms.min(self.deadline_ms)
    }

    /// How far it is.
    pub(super) fn counts(&self, now_ms: u64) -> ShedCounts {
        let left = self.count - self.done;
        let waiting = (self.candidates.len() + self.busy.len()) as u32;
        if self.is_over(now_ms) {
            ShedCounts { being_shed: 0, shed: self.done, left_busy: left.min(waiting) }
        } else {
            ShedCounts { being_shed: left, shed: self.done, left_busy: 0 }
        }
    }
}

/// How fast connections are shed: credit that grows with time, and is spent by the connection.
#[derive(Debug)]
struct Pace {
    /// In one ms.
    growth: u64,
    /// Of one connection.
    cost: u64,
    credit: u64,
    credit_max: u64,
    since_ms: u64,
}

impl Pace {
    /// This shard's share of all that are to be shed, times the pace of all shards.
    fn new(share_of_pace: u64, of: u32, now_ms: u64) -> Self {
        let (growth, cost) = (share_of_pace, u64::from(of) * 1_000);
        let credit_max = cost.max(growth * 100);
        Self { growth, cost, credit: 0, credit_max, since_ms: now_ms }
    }

    fn credit(&self, now_ms: u64) -> u64 {
        let grown = now_ms.saturating_sub(self.since_ms).saturating_mul(self.growth);
        self.credit.saturating_add(grown).min(self.credit_max)
    }

    fn admits(&mut self, now_ms: u64) -> bool {
        (self.credit, self.since_ms) = (self.credit(now_ms), now_ms);
        self.credit >= self.cost
    }

    fn spend(&mut self) {
        self.credit -= self.cost;
    }

    fn wait_ms(&self, now_ms: u64) -> u64 {
        self.cost.saturating_sub(self.credit(now_ms)).div_ceil(self.growth)
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOKS_PER_TURN, QUIET_MS, RETRY_MS, Shed, Standing};
    use crate::admin::inquiry::{ShedCounts, ShedOrder};
    use engine::batch::ConnectionId;
    use std::collections::BTreeMap;

    const ORDER: ShedOrder = ShedOrder { count: 10, of: 10, per_second: 1_000, patience_ms: 500 };

    fn id(slot: u32) -> ConnectionId {
        ConnectionId { shard: 0, slot, serial: 7 }
    }

    /// Connections by their slots.
    struct Bench {
        shed: Shed,
        standings: BTreeMap<u32, Standing>,
        now_ms: u64,
    }

    impl Bench {
        fn new(order: ShedOrder, idle_since_ms: impl Iterator<Item = u64>, now_ms: u64) -> Self {
            let mut shed = Shed::new(order, now_ms).unwrap();
            let slots = (0..).zip(idle_since_ms);
            let standings: BTreeMap<_, _> =
                slots.map(|(slot, since_ms)| (slot, Standing::Idle { since_ms })).collect();
            assert_eq!(shed.search(), Some(0));
            let since = |standing: &Standing| match standing {
                Standing::Idle { since_ms } => *since_ms,
                _ => 0,
            };
            shed.found(standings.iter().map(|(slot, it)| (since(it), id(*slot))), None);
            Self { shed, standings, now_ms }
        }

        /// What is closed in one turn.
        fn turn(&mut self, later_ms: u64) -> Vec<u32> {
            self.now_ms += later_ms;
            self.shed.begin_turn(self.now_ms);
            let mut closed = Vec::new();
            loop {
                let standing = |id: ConnectionId| {
                    self.standings.get(&id.slot).copied().unwrap_or(Standing::Gone)
                };
                let Some(next) = self.shed.next(self.now_ms, standing) else { return closed };
                self.standings.remove(&next.slot);
                closed.push(next.slot);
            }
        }

        fn counts(&self) -> ShedCounts {
            self.shed.counts(self.now_ms)
        }
    }

    #[test]
    fn those_idle_for_longest_go_first() {
        let order = ShedOrder { count: 3, of: 3, ..ORDER };
        let mut bench = Bench::new(order, [50, 10, 40, 20, 30].into_iter(), 1_000);
        // It was heard from since it was found.
        bench.standings.insert(1, Standing::Idle { since_ms: 45 });
        assert_eq!(bench.turn(3), [3, 4, 2], "and no more than were ordered");
        assert!(bench.shed.is_over(bench.now_ms));
        assert_eq!(bench.counts(), ShedCounts { being_shed: 0, shed: 3, left_busy: 0 });
    }

    #[test]
    fn the_pace_is_kept() {
        for (count, of, per_second) in [(1_000, 1_000, 200), (300, 1_000, 1_000), (500, 500, 7)] {
            let order = ShedOrder { count, of, per_second, patience_ms: 1_000 };
            let mut bench = Bench::new(order, (0..).take(count as usize), 10_000);
            let mut closed = vec![0; 5_000];
            for (ms, closed) in closed.iter_mut().enumerate() {
                // Some turns are late, and bring what has accumulated.
                if ms % 10 != 3 && !(2_000..2_500).contains(&ms) {
                    let later_ms = (10_000 + ms as u64) - bench.now_ms;
                    *closed = bench.turn(later_ms).len();
                }
            }
            let share = f64::from(per_second) * f64::from(count) / f64::from(of);
            let at_once = (share / 10.0).max(1.0);
            for second in closed.windows(1_000) {
                let closed = second.iter().sum::<usize>() as f64;
                assert!(closed <= share + at_once, "{closed} in a second, of {share}");
            }
            let all = closed.iter().sum::<usize>() as f64;
            assert!(all >= (share * 4.5).min(f64::from(count)) - 1.0, "{all} of {share}");
        }
    }

    #[test]
    fn what_is_busy_is_passed_over() {
        let mut bench = Bench::new(ORDER, 0..10, 1_000);
        bench.standings.insert(0, Standing::Busy);
        bench.standings.insert(1, Standing::Busy);
        bench.standings.insert(2, Standing::Idle { since_ms: 1_000 });
        assert_eq!(bench.turn(20), [3, 4, 5, 6, 7, 8, 9], "one has just sent something");
        assert!(!bench.shed.is_over(bench.now_ms));
        assert_eq!(bench.counts(), ShedCounts { being_shed: 3, shed: 7, left_busy: 0 });
        bench.standings.insert(1, Standing::Idle { since_ms: 1_050 });
        bench.standings.insert(2, Standing::Idle { since_ms: 1_040 });
        assert!(bench.turn(RETRY_MS).is_empty(), "both have sent something too recently");
        assert_eq!(bench.turn(QUIET_MS), [2, 1]);
        assert!(bench.turn(200).is_empty());
        assert_eq!(bench.counts().being_shed, 1);
        bench.turn(100);
        assert!(bench.shed.is_over(bench.now_ms), "its patience has an end");
        assert_eq!(bench.counts(), ShedCounts { being_shed: 0, shed: 9, left_busy: 1 });
        bench.standings.insert(0, Standing::Idle { since_ms: 0 });
        assert!(bench.turn(RETRY_MS).is_empty(), "it is left");
    }

    #[test]
    fn connections_that_end_by_themselves_are_not_waited_for() {
        let mut bench = Bench::new(ORDER, 0..4, 1_000);
        bench.standings.clear();
        assert!(bench.turn(5).is_empty() && bench.shed.is_over(bench.now_ms));
        assert_eq!(bench.counts(), ShedCounts::default());
        assert!(Shed::new(ShedOrder { count: 0, ..ORDER }, 0).is_none());
    }

    #[test]
    fn a_turn_looks_at_some() {
        let count = 3 * LOOKS_PER_TURN;
        let order = ShedOrder { count, of: count, per_second: 1_000_000, patience_ms: 100 };
        let mut bench = Bench::new(order, (0..).take(count as usize), 10_000);
        assert_eq!(bench.turn(10).len(), LOOKS_PER_TURN as usize);
        assert!(bench.shed.is_hurried(bench.now_ms));
        let wake_ms = bench.shed.wake_ms(bench.now_ms);
        assert_eq!(wake_ms, bench.now_ms + 1, "the rest is not left lying");
    }
}
