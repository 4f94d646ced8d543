//! Durable writes one after the other, on a ring with the flags and the buffers of the log.

use super::file::{ProbeError, buffer};
use disk::Durability;
use hdrhistogram::Histogram;
use ring::{Completion, Ring, StableBuf, Token, Wait};
use std::fs::File;
use std::time::{Duration, Instant};

/// A write that takes longer is counted as this long, in microseconds.
pub(super) const LATENCY_MAX_US: u64 = 60_000_000;

/// Writes of one kind.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) durability: Durability,
    pub(super) bytes: usize,
    pub(super) slots: usize,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        name(self.durability)
    }
}

/// What reports call a way to become durable.
pub(super) fn name(durability: Durability) -> &'static str {
    match durability {
        Durability::Dsync => "dsync",
        Durability::FlushAfter => "flush",
        Durability::BufferedFlush => "buffered",
    }
}

pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("the bounds are constants")
}

/// Writes one after the other through a file, so many in flight.
pub(super) struct Writer<'a> {
    kind: Kind,
    file: &'a File,
    file_bytes: u64,
    at: u64,
    buffers: Vec<Box<dyn StableBuf>>,
    pub(super) latencies: Histogram<u64>,
    pub(super) written: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(kind: Kind, file: &'a File, file_bytes: u64) -> Self {
        let buffers = (0..kind.slots).map(|_| Box::new(buffer(kind.bytes)) as Box<dyn StableBuf>);
        let buffers = buffers.collect();
        Self { kind, file, file_bytes, at: 0, buffers, latencies: histogram(), written: 0 }
    }

    /// Writes for so long; returns how long it took until the last one was durable.
    pub(super) fn run(&mut self, ring: &mut Ring, time: Duration) -> Result<Duration, ProbeError> {
        let start = Instant::now();
        let is_over = || start.elapsed() >= time;
        match self.kind.durability {
            Durability::Dsync => self.run_each(ring, is_over)?,
            Durability::FlushAfter | Durability::BufferedFlush => self.run_waves(ring, is_over)?,
        }
        Ok(start.elapsed())
    }

    fn next_offset(&mut self) -> u64 {
        let at = self.at;
        self.at += self.kind.bytes as u64;
        if self.at + self.kind.bytes as u64 > self.file_bytes {
            self.at = 0;
        }
        at
    }

    fn count(&mut self, since: Instant) {
        let us = since.elapsed().as_micros().min(u128::from(LATENCY_MAX_US)) as u64;
        self.latencies.saturating_record(us.max(1));
        self.written += 1;
    }

    /// Each write is durable by itself, and followed by the next at once.
    fn run_each(&mut self, ring: &mut Ring, is_over: impl Fn() -> bool) -> Result<(), ProbeError> {
        let mut since = vec![Instant::now(); self.kind.slots];
        let mut in_flight = 0;
        for (slot, buffer) in std::mem::take(&mut self.buffers).into_iter().enumerate() {
            let at = self.next_offset();
            since[slot] = Instant::now();
            ring.queue().write_at(self.file, buffer, at, Token(slot as u64));
            in_flight += 1;
        }
        while in_flight > 0 {
            let mut ended = Vec::with_capacity(self.kind.slots);
            reap(ring, |completion| ended.push(completion))?;
            for Ended { token, buffer } in ended {
                let buffer = buffer.expect("only writes were queued");
                self.count(since[token]);
                if is_over() {
                    in_flight -= 1;
                    self.buffers.push(buffer);
                } else {
                    let at = self.next_offset();
                    since[token] = Instant::now();
                    ring.queue().write_at(self.file, buffer, at, Token(token as u64));
                }
            }
        }
        Ok(())
    }

    /// As many writes as there are slots, then a flush that covers them.
    fn run_waves(&mut self, ring: &mut Ring, is_over: impl Fn() -> bool) -> Result<(), ProbeError> {
        while !is_over() {
            let since = Instant::now();
            let mut left = self.kind.slots;
            for buffer in std::mem::take(&mut self.buffers) {
                let at = self.next_offset();
                ring.queue().write_at(self.file, buffer, at, Token(0));
            }
            let mut is_durable = false;
            while !is_durable {
                let mut ended = Vec::with_capacity(self.kind.slots);
                reap(ring, |completion| ended.push(completion))?;
                for Ended { buffer, .. } in ended {
                    match buffer {
                        Some(buffer) => {
                            self.buffers.push(buffer);
                            left -= 1;
                            if left == 0 {
                                ring.queue().flush(self.file, Token(1));
                            }
                        }
                        None => is_durable = true,
                    }
                }
            }
            (0..self.kind.slots).for_each(|_| self.count(since));
        }
        Ok(())
    }
}

/// A write that has ended, with its buffer, or a flush.
struct Ended {
    token: usize,
    buffer: Option<Box<dyn StableBuf>>,
}

/// Waits for something to end.
fn reap(ring: &mut Ring, mut ended: impl FnMut(Ended)) -> Result<(), ProbeError> {
    ring.turn(Wait::Forever)?;
    let mut failure = None;
    ring.completions(|_, completion| match completion {
        Completion::Written { token, buffer, result } => {
            failure = failure.or(result.err());
            ended(Ended { token: token.0 as usize, buffer: Some(buffer) });
        }
        Completion::Flushed { token, result } => {
            failure = failure.or(result.err());
            ended(Ended { token: token.0 as usize, buffer: None });
        }
        _ => (),
    });
    match failure {
        Some(errno) => Err(ProbeError::Io(errno.into())),
        None => Ok(()),
    }
}
