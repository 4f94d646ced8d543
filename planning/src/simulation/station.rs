//! What serves: a core or an interface, one job at a time; a log, a batch in each slot.

use std::collections::VecDeque;

/// One at a time, in their order.
pub(super) struct Station<J> {
    waiting: VecDeque<(J, f64)>,
    serving: Option<J>,
    pub(super) busy_s: f64,
}

impl<J> Station<J> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), serving: None, busy_s: 0.0 }
    }

    /// A job of so long; if it begins at once, how long it takes.
    pub(super) fn arrive(&mut self, job: J, service_s: f64) -> Option<f64> {
        if self.serving.is_some() {
            self.waiting.push_back((job, service_s));
            return None;
        }
        self.serving = Some(job);
        self.busy_s += service_s;
        Some(service_s)
    }

    /// The job that ends, and how long the one takes that begins.
    ///
    /// # Panics
    /// None was served.
    pub(super) fn end(&mut self) -> (J, Option<f64>) {
        let ended = self.serving.take().expect("a job ends that began");
        let begun = self.waiting.pop_front().map(|(job, service_s)| {
            self.serving = Some(job);
            self.busy_s += service_s;
            service_s
        });
        (ended, begun)
    }
}

/// A batch on its way to the device.
struct Batch {
    writes: Vec<usize>,
    is_done: bool,
    number: u64,
}

/// The log of a server.
pub(super) struct Log {
    waiting: VecDeque<usize>,
    in_flight: VecDeque<Batch>,
    /// Batches on the device: fewer than in flight while one waits for those before it.
    on_device: usize,
    departed: u64,
    pub(super) slots: usize,
    pub(super) batch_max: usize,
    pub(super) busy_s: f64,
    pub(super) batches: u64,
    pub(super) writes: u64,
}

impl Log {
    pub(super) fn new(slots: usize, batch_max: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            on_device: 0,
            departed: 0,
            slots,
            batch_max,
            busy_s: 0.0,
            batches: 0,
            writes: 0,
        }
    }

    pub(super) fn append(&mut self, write: usize) {
        self.waiting.push_back(write);
    }

    /// The number and the size of a batch that departs, if a slot is free and something waits.
    pub(super) fn depart(&mut self) -> Option<(u64, usize)> {
        if self.on_device == self.slots || self.waiting.is_empty() {
            return None;
        }
        let size = self.waiting.len().min(self.batch_max);
        let writes: Vec<usize> = self.waiting.drain(..size).collect();
        let number = self.departed;
        self.departed += 1;
        self.on_device += 1;
        self.batches += 1;
        self.writes += size as u64;
        self.in_flight.push_back(Batch { writes, is_done: false, number });
        Some((number, size))
    }

    /// A batch is done: the writes that are durable now, with all before them.
    pub(super) fn done(&mut self, number: u64) -> Vec<usize> {
        self.on_device -= 1;
        for batch in &mut self.in_flight {
            batch.is_done |= batch.number == number;
        }
        let mut durable = Vec::new();
        while self.in_flight.front().is_some_and(|batch| batch.is_done) {
            durable.extend(self.in_flight.pop_front().into_iter().flat_map(|batch| batch.writes));
        }
        durable
    }
}
