//! Packets that wait to be sent over a learner link.
//!
//! A txn is copied once on its way: into the buffer that the ring sends.

use super::limits::{CHUNK_BYTES, KEPT_BYTES_MAX};
use std::collections::VecDeque;

/// What waits to be sent, in buffers that are one send each.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// None is empty.
    chunks: VecDeque<Vec<u8>>,
    byte_count: usize,
    /// The buffer that was sent last, while nothing waits.
    spare: Vec<u8>,
}

impl Outbox {
    /// Appends what `encode` writes, which has `byte_count` bytes.
    ///
    /// # Panics
    /// If it has more or fewer.
    pub(super) fn push(&mut self, byte_count: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let has_place = self.chunks.back().is_some_and(|chunk| chunk.len() < CHUNK_BYTES);
        let last = if has_place { self.chunks.pop_back() } else { None };
        let mut chunk = last.unwrap_or_else(|| std::mem::take(&mut self.spare));
        let before = chunk.len();
        chunk.reserve(byte_count);
        encode(&mut chunk);
        assert_eq!(chunk.len() - before, byte_count, "a message has another length than announced");
        self.byte_count += byte_count;
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// Takes what one send carries.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let chunk = self.chunks.pop_front()?;
        self.byte_count -= chunk.len();
        Some(chunk)
    }

    /// A send has given its buffer back.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= KEPT_BYTES_MAX {
            self.spare = buffer;
        }
    }

    /// Bytes that wait.
    pub(super) fn byte_count(&self) -> usize {
        self.byte_count
    }
}
