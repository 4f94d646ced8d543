//! Replies to one send at a time.
//!
//! While one buffer is with the kernel the next one fills, so all that a turn answers on a
//! connection leaves in one send. Buffers are borrowed from the shard's spare ones and go back
//! when they are empty: an idle connection holds none, a busy one allocates none.

#[cfg(test)]
mod tests;

use crate::limits::{
    SEND_BUFFER_BYTES_MIN, SEND_BUFFER_KEPT_BYTES_MAX, SPARE_BUFFERS_MAX, SPARE_BYTES_MAX,
    UNSENT_BYTES_MAX,
};

/// The spare send buffers of a shard, last used first. Lives in: the shard.
///
/// Invariant: all are empty; each has at most `SEND_BUFFER_KEPT_BYTES_MAX` of capacity, all
/// together `spare_bytes`, at most `SPARE_BYTES_MAX`.
#[derive(Debug, Default)]
pub struct SendBuffers {
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
}

impl SendBuffers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty buffer, warm from its last use if there is one.
    pub fn take(&mut self) -> Vec<u8> {
        match self.spare.pop() {
            Some(buffer) => {
                self.spare_bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(SEND_BUFFER_BYTES_MIN),
        }
    }

    /// Keeps a buffer for reuse, or frees it if it is large or there are many.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        let fits = self.spare_bytes + bytes <= SPARE_BYTES_MAX;
        let is_many = self.spare.len() >= SPARE_BUFFERS_MAX;
        if bytes == 0 || bytes > SEND_BUFFER_KEPT_BYTES_MAX || !fits || is_many {
            return;
        }
        buffer.clear();
        self.spare.push(buffer);
        self.spare_bytes += bytes;
    }

    /// Capacity of all spare buffers.
    pub fn spare_bytes(&self) -> usize {
        self.spare_bytes
    }
}

/// The sending half of a connection. Lives in: its shard.
///
/// Invariant: `unsent_bytes` = bytes pending + bytes of the send in flight.
#[derive(Debug, Default)]
pub struct Outbox {
    pending: Vec<u8>,
    in_flight_bytes: usize,
    is_sending: bool,
}

impl Outbox {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the next reply is put; behind what is there.
    #[inline]
    pub fn pending(&mut self, buffers: &mut SendBuffers) -> &mut Vec<u8> {
        if self.pending.capacity() == 0 {
            self.pending = buffers.take();
        }
        &mut self.pending
    }

    /// All that is pending, to be sent now; nothing while a send is in flight, or if nothing is
    /// pending.
    pub fn take_for_send(&mut self) -> Option<Vec<u8>> {
        if self.is_sending || self.pending.is_empty() {
            return None;
        }
        self.is_sending = true;
        self.in_flight_bytes = self.pending.len();
        Some(std::mem::take(&mut self.pending))
    }

    /// The send has completed (well or not) and its buffer came back.
    ///
    /// # Panics
    /// If no send was in flight.
    pub fn sent_back(&mut self, buffer: Vec<u8>, buffers: &mut SendBuffers) {
        assert!(self.is_sending, "only a send in flight comes back");
        self.is_sending = false;
        self.in_flight_bytes = 0;
        buffers.give_back(buffer);
    }

    /// Gives the buffer of a closed connection back; what is pending is dropped.
    pub fn discard(&mut self, buffers: &mut SendBuffers) {
        buffers.give_back(std::mem::take(&mut self.pending));
    }

    /// Whether a send is in flight.
    pub fn is_sending(&self) -> bool {
        self.is_sending
    }

    /// Bytes put in that the kernel has not taken all of.
    pub fn unsent_bytes(&self) -> usize {
        self.pending.len() + self.in_flight_bytes
    }

    /// Whether so much is unsent that the connection should not be read.
    pub fn is_full(&self) -> bool {
        self.unsent_bytes() > UNSENT_BYTES_MAX
    }
}
