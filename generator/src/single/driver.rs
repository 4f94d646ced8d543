//! The closed loop: connections on one ring, each with a fixed number of requests in flight.
//!
//! A reply is followed at once by the next request on the same connection; all requests of a turn
//! are submitted with one send per connection and one system call. The clock is read once a turn,
//! after the wait: a reply's latency counts from the turn that made the request to the turn that
//! saw the reply, so it includes the time spent in the generator itself.

use std::net::TcpStream;
use std::time::Instant;

use model::response::xid;
use ring::{Completion, Queue, Ring, RingConfig, Token, Wait};

use super::lane::{Expected, InFlight, Lane};
use crate::error::BenchError;
use crate::limits::{SILENCE_MAX, TURN_WAIT};
use crate::tally::{Class, Tally};
use crate::wire::{self, REPLY_BYTES_MIN};

/// Where the requests of the loop come from.
pub(super) trait Requests {
    /// Appends the next request of a connection; `None` if it has none for now.
    fn next(&mut self, lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Expected>;

    /// An event has arrived.
    fn event(&mut self) {}

    /// Whether only answers are still expected.
    fn is_done(&self) -> bool {
        true
    }
}

/// When the loop is left.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    /// At a time, with requests in flight: they are answered in the next run.
    Time(u64),
    /// When all is answered and there are no more requests.
    Done,
}

/// The connections and their ring. Lives in: the generator's thread.
pub(super) struct Driver {
    // Before the lanes: the kernel's side ends first.
    ring: Ring,
    lanes: Vec<Lane>,
    sending: Vec<usize>,
    pipeline: usize,
    in_flight: usize,
    epoch: Instant,
    answered_ns: u64,
}

impl Driver {
    /// `reply_bytes`: the approximate length of a reply, for the size of receive buffers.
    pub(super) fn new(
        streams: Vec<TcpStream>,
        pipeline: usize,
        reply_bytes: usize,
    ) -> Result<Self, BenchError> {
        let buffers = (2 * streams.len()).next_power_of_two().clamp(64, 4_096);
        let buffer_bytes = (pipeline * reply_bytes).next_power_of_two().clamp(4_096, 65_536);
        let mut ring = Ring::new(&RingConfig {
            receive_buffers: buffers as u16,
            receive_buffer_bytes: buffer_bytes as u32,
            ..RingConfig::default()
        })?;
        let lanes: Vec<_> =
            streams.into_iter().map(|stream| Lane::new(stream, pipeline.max(2))).collect();
        for (index, lane) in lanes.iter().enumerate() {
            ring.queue().recv_multishot(&lane.stream, Token(index as u64));
        }
        let sending = Vec::with_capacity(lanes.len());
        let epoch = Instant::now();
        Ok(Self { ring, lanes, sending, pipeline, in_flight: 0, epoch, answered_ns: 0 })
    }

    /// Nanoseconds since this driver was created.
    pub(super) fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Runs `requests` and counts its answers. Returns the time of the last turn.
    pub(super) fn run<W: Requests>(
        &mut self,
        requests: &mut W,
        tally: &mut Tally,
        until: Until,
    ) -> Result<u64, BenchError> {
        let mut now_ns = self.now_ns();
        self.answered_ns = now_ns;
        for index in 0..self.lanes.len() {
            self.fill(index, requests, now_ns);
        }
        loop {
            self.send_listed();
            match until {
                Until::Time(end_ns) if now_ns >= end_ns => return Ok(now_ns),
                Until::Done if self.in_flight == 0 && requests.is_done() => return Ok(now_ns),
                _ => {}
            }
            self.ring.turn(Wait::Until(TURN_WAIT))?;
            now_ns = self.now_ns();
            self.reap(requests, tally, now_ns)?;
            tally.tick(now_ns);
            self.check_silence(now_ns)?;
        }
    }

    /// Ends all sessions, waiting for what is in flight and for the server's answers.
    pub(super) fn close(mut self) -> Result<(), BenchError> {
        let mut tally = Tally::aside(self.now_ns());
        self.run(&mut Nothing, &mut tally, Until::Done)?;
        for lane in &mut self.lanes {
            lane.is_closing = true;
        }
        let mut closing = Closing { is_requested: vec![false; self.lanes.len()] };
        self.run(&mut closing, &mut tally, Until::Done)?;
        Ok(())
    }

    fn fill<W: Requests>(&mut self, index: usize, requests: &mut W, now_ns: u64) {
        let lane = &mut self.lanes[index];
        while lane.in_flight() < self.pipeline {
            let (xid, out) = (lane.xid(), lane.outgoing.pending());
            let Some(expected) = requests.next(index, xid, out) else { break };
            lane.note(InFlight { at_ns: now_ns, expected });
            self.in_flight += 1;
        }
        if lane.outgoing.needs_listing() {
            self.sending.push(index);
        }
    }

    fn send_listed(&mut self) {
        for index in self.sending.drain(..) {
            let lane = &mut self.lanes[index];
            lane.outgoing.unlisted();
            if let Some(buffer) = lane.outgoing.take() {
                self.ring.queue().send(&lane.stream, buffer, Token(index as u64));
            }
        }
    }

    fn reap<W: Requests>(
        &mut self,
        requests: &mut W,
        tally: &mut Tally,
        now_ns: u64,
    ) -> Result<(), BenchError> {
        let Self { ring, lanes, sending, in_flight, answered_ns, .. } = self;
        let mut turn = Turn { lanes, sending, in_flight, answered_ns, requests, tally, now_ns };
        let mut outcome = Ok(());
        ring.completions(|_: &mut Queue<'_>, completion| {
            if outcome.is_ok() {
                outcome = turn.handle(completion);
            }
        });
        outcome
    }

    fn check_silence(&self, now_ns: u64) -> Result<(), BenchError> {
        let silence_ns = now_ns - self.answered_ns;
        if silence_ns < SILENCE_MAX.as_nanos() as u64 {
            return Ok(());
        }
        Err(BenchError::Silent { seconds: SILENCE_MAX.as_secs(), in_flight: self.in_flight })
    }
}

/// One turn's reaping.
struct Turn<'a, W> {
    lanes: &'a mut Vec<Lane>,
    sending: &'a mut Vec<usize>,
    in_flight: &'a mut usize,
    answered_ns: &'a mut u64,
    requests: &'a mut W,
    tally: &'a mut Tally,
    now_ns: u64,
}

impl<W: Requests> Turn<'_, W> {
    fn handle(&mut self, completion: Completion<'_>) -> Result<(), BenchError> {
        match completion {
            Completion::Received { token, bytes } => self.received(token.0 as usize, bytes),
            Completion::Sent { token, buffer, result } => {
                let lane = &mut self.lanes[token.0 as usize];
                lane.outgoing.sent(buffer);
                if lane.outgoing.needs_listing() {
                    self.sending.push(token.0 as usize);
                }
                match result {
                    Err(errno) if !lane.is_closing => Err(BenchError::Broken(errno)),
                    _ => Ok(()),
                }
            }
            Completion::ReceiveClosed { token } => {
                let lane = &mut self.lanes[token.0 as usize];
                if !lane.is_closing {
                    return Err(BenchError::Closed { in_flight: lane.in_flight() });
                }
                *self.in_flight -= lane.forget();
                Ok(())
            }
            Completion::ReceiveFailed { token, errno } => {
                let lane = &mut self.lanes[token.0 as usize];
                if !lane.is_closing {
                    return Err(BenchError::Broken(errno));
                }
                *self.in_flight -= lane.forget();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn received(&mut self, index: usize, mut bytes: &[u8]) -> Result<(), BenchError> {
        *self.answered_ns = self.now_ns;
        let lane = &mut self.lanes[index];
        // Answers of one class to requests of one turn have one latency: recorded together.
        let mut same = Same { class: Class(0), at_ns: 0, count: 0 };
        while let Some(reply) = lane.replies.next(&mut bytes)? {
            if reply.xid == xid::EVENT {
                self.requests.event();
                continue;
            }
            let request = lane.answer(reply)?;
            if reply.error == 0 {
                if !same.takes(request) {
                    same.record(self.tally, self.now_ns);
                    same = Same { class: request.expected.class, at_ns: request.at_ns, count: 1 };
                }
            } else {
                self.tally.record_error(reply.error);
            }
            let (xid, out) = (lane.xid(), lane.outgoing.pending());
            match self.requests.next(index, xid, out) {
                Some(expected) => lane.note(InFlight { at_ns: self.now_ns, expected }),
                None => *self.in_flight -= 1,
            }
        }
        same.record(self.tally, self.now_ns);
        if lane.outgoing.needs_listing() {
            self.sending.push(index);
        }
        Ok(())
    }
}

/// Answers that are recorded together.
struct Same {
    class: Class,
    at_ns: u64,
    count: u64,
}

impl Same {
    #[inline]
    fn takes(&mut self, request: InFlight) -> bool {
        let is_same = self.class == request.expected.class && self.at_ns == request.at_ns;
        self.count += u64::from(is_same);
        is_same
    }

    #[inline]
    fn record(&self, tally: &mut Tally, now_ns: u64) {
        if self.count > 0 {
            tally.record(self.class, now_ns - self.at_ns, self.count);
        }
    }
}

/// No requests: only waits for what is in flight.
struct Nothing;

impl Requests for Nothing {
    fn next(&mut self, _lane: usize, _xid: i32, _out: &mut Vec<u8>) -> Option<Expected> {
        None
    }
}

/// The end of every session, once.
struct Closing {
    is_requested: Vec<bool>,
}

impl Requests for Closing {
    fn next(&mut self, lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Expected> {
        if std::mem::replace(&mut self.is_requested[lane], true) {
            return None;
        }
        wire::put_close(out, xid);
        Some(Expected { class: Class(0), reply_bytes_min: REPLY_BYTES_MIN })
    }
}
