//! Units: parts of a snapshot's file, where they were read to.

use std::ops::Range;

use disk::AlignedBuf;

use crate::format::ChunkEntry;

/// A part of the image: memory whose records a tree may use in place.
///
/// All records are checked: each can be parsed where it begins, and the next one begins where it
/// ends.
#[derive(Debug)]
pub struct Unit {
    /// The bytes: whole chunks, as they follow each other in the file.
    pub memory: AlignedBuf,
    /// Where in them consecutive records lie, in the trie's order: one run per chunk.
    pub runs: Vec<Range<usize>>,
    /// Which chunk each part of the bytes comes from, in ascending order.
    pub origins: Vec<Origin>,
}

/// Where bytes of a unit come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where they begin in the unit.
    pub at: usize,
    /// The chunk's number.
    pub chunk: u32,
    /// Where they begin in the file.
    pub file_offset: u64,
}

impl Unit {
    /// A unit over `memory` without any chunk yet.
    pub(super) const fn new(memory: AlignedBuf) -> Self {
        Self { memory, runs: Vec::new(), origins: Vec::new() }
    }

    /// The next chunk has been checked.
    pub(super) fn add(&mut self, number: u32, entry: &ChunkEntry, at: usize) {
        self.runs.push(at..at + entry.record_bytes as usize);
        self.origins.push(Origin { at, chunk: number, file_offset: entry.offset });
    }
}
