//! The batch that fills.

use disk::AlignedBuf;
use disk::limits::block_align_up;
use model::zxid::Zxid;

use crate::format::{
    BATCH_HEADER_BYTES, BatchHeader, RECORD_HEADER_BYTES, SegmentHeader, write_record_header,
};

/// A batch with its place in a segment. Its buffer begins with room for the header.
#[derive(Debug)]
pub(super) struct OpenBatch {
    pub(super) segment: SegmentHeader,
    pub(super) offset: u64,
    pub(super) record_count: u32,
    pub(super) prior: Zxid,
    pub(super) first: Zxid,
    pub(super) last: Zxid,
    bytes_max: usize,
    buffer: Box<AlignedBuf>,
}

impl OpenBatch {
    /// An empty batch of at most `bytes_max` (header and padding included), after `prior`.
    pub(super) fn new(
        segment: SegmentHeader,
        offset: u64,
        bytes_max: usize,
        mut buffer: Box<AlignedBuf>,
        prior: Zxid,
    ) -> Self {
        assert!(bytes_max <= buffer.capacity());
        buffer.clear();
        buffer.extend_by(BATCH_HEADER_BYTES).fill(0);
        Self {
            segment,
            offset,
            record_count: 0,
            prior,
            first: prior,
            last: prior,
            bytes_max,
            buffer,
        }
    }

    pub(super) fn has_room(&self, txn_bytes: usize) -> bool {
        self.buffer.len() + RECORD_HEADER_BYTES + txn_bytes <= self.bytes_max
    }

    pub(super) fn push(&mut self, zxid: Zxid, txn_bytes: usize, encode: impl FnOnce(&mut [u8])) {
        assert!(self.has_room(txn_bytes));
        let (header, txn) = self
            .buffer
            .extend_by(RECORD_HEADER_BYTES + txn_bytes)
            .split_at_mut(RECORD_HEADER_BYTES);
        write_record_header(header, zxid, txn_bytes);
        encode(txn);
        if self.record_count == 0 {
            self.first = zxid;
        }
        self.record_count += 1;
        self.last = zxid;
    }

    /// Its current size on disk.
    pub(super) fn padded_bytes(&self) -> usize {
        block_align_up(self.buffer.len())
    }

    /// Writes the header and the padding, and gives the buffer away.
    #[allow(clippy::unnecessary_box_returns, reason = "the box travels to the ring and comes back")]
    pub(super) fn seal(mut self, header: &mut BatchHeader, seed: u64) -> Box<AlignedBuf> {
        header.seal(&mut self.buffer, seed);
        self.buffer.pad();
        self.buffer
    }
}
