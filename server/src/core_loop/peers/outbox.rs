//! Packets that wait to be sent over a learner link.
//!
//! A txn is copied once on its way: into the buffer that the ring sends.

use super::limits::{CHUNK_BYTES, KEPT_BYTES_MAX};
use std::collections::VecDeque;

/// What waits to be sent, in buffers that are one send each.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// None is empty.
    chunks: VecDeque<Chunk>,
    byte_count: usize,
    packet_count: u64,
    /// The buffer that was sent last, while nothing waits.
    spare: Vec<u8>,
}

/// What one send carries.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The packets.
    pub(super) bytes: Vec<u8>,
    /// How many they are.
    packet_count: u64,
    /// Since when the first one has waited, in ms of the monotonic clock.
    pub(super) since_ms: u64,
}

/// What a message adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Its packets.
    pub(super) packets: u64,
    /// Their bytes.
    pub(super) bytes: usize,
}

impl Outbox {
    /// Appends what `encode` writes, which is as much as `load` says.
    ///
    /// # Panics
    /// If it has more or fewer bytes.
    pub(super) fn push(&mut self, load: Load, now_ms: u64, encode: impl FnOnce(&mut Vec<u8>)) {
        let has_place = self.chunks.back().is_some_and(|chunk| chunk.bytes.len() < CHUNK_BYTES);
        let last = if has_place { self.chunks.pop_back() } else { None };
        let mut chunk = last.unwrap_or_else(|| {
            let bytes = std::mem::take(&mut self.spare);
            Chunk { bytes, packet_count: 0, since_ms: now_ms }
        });
        let before = chunk.bytes.len();
        chunk.bytes.reserve(load.bytes);
        encode(&mut chunk.bytes);
        let encoded = chunk.bytes.len() - before;
        assert_eq!(encoded, load.bytes, "a message has another length than announced");
        self.byte_count += load.bytes;
        if !chunk.bytes.is_empty() {
            chunk.packet_count += load.packets;
            self.packet_count += load.packets;
            self.chunks.push_back(chunk);
        }
    }

    /// Takes what one send carries.
    pub(super) fn take(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.byte_count -= chunk.bytes.len();
        self.packet_count -= chunk.packet_count;
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

    /// Packets that wait.
    pub(super) fn packet_count(&self) -> u64 {
        self.packet_count
    }
}
