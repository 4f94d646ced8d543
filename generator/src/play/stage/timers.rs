//! What is due at a later time.

use std::collections::BTreeMap;

use crate::play::flow::Task;

/// What to do when it is due.
#[derive(Debug)]
pub(super) enum Timed {
    /// The client attaches.
    Attach,
    /// The client releases a lock.
    Release(Task),
}

/// A timer for a connection of a client; it is void once that connection was cut.
#[derive(Debug)]
pub(super) struct Timer {
    pub(super) client: usize,
    pub(super) generation: u32,
    pub(super) timed: Timed,
}

/// All timers, in the order of their times. Lives in: the stage.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// By time, and by number if the time is the same.
    waiting: BTreeMap<(u64, u64), Timer>,
    set_count: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at_ns: u64, timer: Timer) {
        self.set_count += 1;
        self.waiting.insert((at_ns, self.set_count), timer);
    }

    /// The next time at which a timer is due.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|((at_ns, _), _)| *at_ns)
    }

    /// Takes the first timer that is due.
    pub(super) fn take_due(&mut self, now_ns: u64) -> Option<Timer> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now_ns).then(|| first.remove())
    }

    /// Drops the timers of a client's earlier connections; returns their tasks.
    pub(super) fn cut(&mut self, client: usize, generation: u32) -> Vec<Task> {
        let is_void = |timer: &Timer| timer.client == client && timer.generation != generation;
        let void = self.waiting.iter().filter(|(_, timer)| is_void(timer));
        let places: Vec<_> = void.map(|(place, _)| *place).collect();
        let task = |place| match self.waiting.remove(&place)?.timed {
            Timed::Release(task) => Some(task),
            Timed::Attach => None,
        };
        places.into_iter().filter_map(task).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Timed, Timer, Timers};
    use crate::play::flow::{Step, Task};

    #[test]
    fn timers_come_in_order_and_end_with_their_connection() {
        let release = |key| Timed::Release(Task::new(None, Step::Only, 0, key));
        let mut timers = Timers::default();
        let times = [(30, 1, 0), (10, 2, 0), (20, 1, 1)];
        for (key, (at_ns, client, generation)) in times.into_iter().enumerate() {
            timers.set(at_ns, Timer { client, generation, timed: release(key as u64) });
        }
        timers.set(10, Timer { client: 1, generation: 0, timed: Timed::Attach });
        assert_eq!(timers.next_ns(), Some(10));
        let cut: Vec<_> = timers.cut(1, 1).into_iter().map(|task| task.key).collect();
        assert_eq!(cut, [0]);
        assert!(timers.take_due(9).is_none());
        assert_eq!(timers.take_due(20).unwrap().client, 2);
        assert_eq!(timers.take_due(20).unwrap().generation, 1);
        assert!(timers.take_due(u64::MAX).is_none() && timers.next_ns().is_none());
    }
}
