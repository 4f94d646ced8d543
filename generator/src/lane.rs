//! One connection of the loop.

use std::mem;
use std::net::TcpStream;

use super::error::BenchError;
use super::tally::Class;
use super::wire::{Replies, Reply};

/// What a workload says of a request that it has just put into a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) class: Class,
    /// The length of the shortest frame that can be a good answer.
    pub(super) reply_bytes_min: u32,
}

/// A request without an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) at_ns: u64,
    pub(super) ask: Ask,
}

/// One connection. Lives in: the driver.
///
/// Invariant: `answered <= asked <= answered + capacity`; the requests between the two are those
/// in `waiting`, and their answers come in that order.
pub(super) struct Lane {
    pub(super) stream: TcpStream,
    pub(super) replies: Replies,
    waiting: Box<[Asked]>,
    asked: u64,
    answered: u64,
    /// Requests that wait for the send in flight.
    pub(super) pending: Vec<u8>,
    /// The buffer of the last send, to be used by the next but one.
    spare: Vec<u8>,
    is_sending: bool,
    pub(super) is_dirty: bool,
    /// The last request ends the session: the server may close.
    pub(super) is_closing: bool,
}

impl Lane {
    /// `capacity`: the most requests in flight.
    pub(super) fn new(stream: TcpStream, capacity: usize) -> Self {
        let never = Asked { at_ns: 0, ask: Ask { class: Class(0), reply_bytes_min: 0 } };
        Self {
            stream,
            replies: Replies::default(),
            waiting: vec![never; capacity.next_power_of_two()].into(),
            asked: 0,
            answered: 0,
            pending: Vec::new(),
            spare: Vec::new(),
            is_sending: false,
            is_dirty: false,
            is_closing: false,
        }
    }

    #[inline]
    pub(super) fn in_flight(&self) -> usize {
        (self.asked - self.answered) as usize
    }

    /// The xid of the next request: 1 and up, and 1 again after the greatest.
    #[inline]
    pub(super) fn xid(&self) -> i32 {
        xid_of(self.asked)
    }

    #[inline]
    pub(super) fn note(&mut self, asked: Asked) {
        assert!(self.in_flight() < self.waiting.len(), "more requests than the lane has room for");
        let mask = self.waiting.len() - 1;
        self.waiting[self.asked as usize & mask] = asked;
        self.asked += 1;
    }

    /// The oldest request, which `reply` must be the answer to.
    #[inline]
    pub(super) fn answer(&mut self, reply: Reply) -> Result<Asked, BenchError> {
        if self.asked == self.answered {
            return Err(BenchError::Unasked { xid: reply.xid });
        }
        let expected = xid_of(self.answered);
        if reply.xid != expected {
            return Err(BenchError::Xid { expected, found: reply.xid });
        }
        let mask = self.waiting.len() - 1;
        let asked = self.waiting[self.answered as usize & mask];
        self.answered += 1;
        if reply.error == 0 && reply.length < asked.ask.reply_bytes_min {
            let expected = asked.ask.reply_bytes_min;
            return Err(BenchError::Short { expected, found: reply.length });
        }
        Ok(asked)
    }

    /// Forgets what is in flight: no answers come any more. Says how many that were.
    pub(super) fn forget(&mut self) -> usize {
        let forgotten = self.in_flight();
        self.answered = self.asked;
        forgotten
    }

    /// What is to be sent now, if anything is and no send is in flight.
    pub(super) fn take_for_send(&mut self) -> Option<Vec<u8>> {
        if self.is_sending || self.pending.is_empty() {
            return None;
        }
        self.is_sending = true;
        Some(mem::replace(&mut self.pending, mem::take(&mut self.spare)))
    }

    /// A send has ended; gives its buffer back. Says whether more waits to be sent.
    pub(super) fn sent(&mut self, buffer: Vec<u8>) -> bool {
        self.is_sending = false;
        self.spare = buffer;
        !self.pending.is_empty()
    }
}

#[inline]
fn xid_of(number: u64) -> i32 {
    (number % i32::MAX as u64) as i32 + 1
}
