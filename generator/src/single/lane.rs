//! One connection of the loop.

use std::net::TcpStream;

use crate::error::BenchError;
use crate::outgoing::Outgoing;
use crate::tally::Class;
use crate::wire::{ReplyCutter, ReplyHead};

/// What is expected of the reply to a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) class: Class,
    /// The length of the shortest frame that can be a good answer.
    pub(super) reply_bytes_min: u32,
}

/// A request without a reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) at_ns: u64,
    pub(super) expected: Expected,
}

/// One connection. Lives in: the driver.
///
/// Invariant: `answered <= requested <= answered + capacity`; the requests between the two are
/// those in `waiting`, and their replies come in that order.
pub(super) struct Lane {
    pub(super) stream: TcpStream,
    pub(super) replies: ReplyCutter,
    waiting: Box<[InFlight]>,
    requested: u64,
    answered: u64,
    pub(super) outgoing: Outgoing,
    /// The last request ends the session: the server may close.
    pub(super) is_closing: bool,
}

impl Lane {
    /// `capacity`: the most requests in flight.
    pub(super) fn new(stream: TcpStream, capacity: usize) -> Self {
        let never =
            InFlight { at_ns: 0, expected: Expected { class: Class(0), reply_bytes_min: 0 } };
        Self {
            stream,
            replies: ReplyCutter::default(),
            waiting: vec![never; capacity.next_power_of_two()].into(),
            requested: 0,
            answered: 0,
            outgoing: Outgoing::default(),
            is_closing: false,
        }
    }

    #[inline]
    pub(super) fn in_flight(&self) -> usize {
        (self.requested - self.answered) as usize
    }

    /// The xid of the next request: from 1 up, and 1 again after the greatest.
    #[inline]
    pub(super) fn xid(&self) -> i32 {
        xid_of(self.requested)
    }

    #[inline]
    pub(super) fn note(&mut self, request: InFlight) {
        assert!(self.in_flight() < self.waiting.len(), "more requests than the lane has room for");
        let mask = self.waiting.len() - 1;
        self.waiting[self.requested as usize & mask] = request;
        self.requested += 1;
    }

    /// The oldest request, which `reply` must be the answer to.
    #[inline]
    pub(super) fn answer(&mut self, reply: ReplyHead) -> Result<InFlight, BenchError> {
        if self.requested == self.answered {
            return Err(BenchError::Unasked { xid: reply.xid });
        }
        let expected = xid_of(self.answered);
        if reply.xid != expected {
            return Err(BenchError::Xid { expected, found: reply.xid });
        }
        let mask = self.waiting.len() - 1;
        let request = self.waiting[self.answered as usize & mask];
        self.answered += 1;
        if reply.error == 0 && reply.length < request.expected.reply_bytes_min {
            let expected = request.expected.reply_bytes_min;
            return Err(BenchError::Short { expected, found: reply.length });
        }
        Ok(request)
    }

    /// Forgets what is in flight: no more answers will arrive. Returns how many requests that were.
    pub(super) fn forget(&mut self) -> usize {
        let forgotten = self.in_flight();
        self.answered = self.requested;
        forgotten
    }
}

#[inline]
fn xid_of(number: u64) -> i32 {
    (number % i32::MAX as u64) as i32 + 1
}
