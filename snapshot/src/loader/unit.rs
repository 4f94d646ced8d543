//! Units: memory filled with records, one behind another, chunk after chunk.

use std::collections::VecDeque;
use std::ops::Range;

use disk::{AlignedBuf, DiskError, HugeBuf};

use crate::chunk;
use crate::format::ChunkEntry;
use crate::limits::UNIT_BYTES;

/// A part of the image: memory that a tree may use records in, where they lie.
///
/// All records are checked: each can be parsed where it begins, and the next one begins where it
/// ends.
#[derive(Debug)]
pub struct Unit {
    /// The bytes, aligned to 2 MiB.
    pub memory: HugeBuf,
    /// Where in them records lie one behind another, in the trie's order.
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
    /// The chunk and the place in the file that a byte of the unit comes from.
    pub fn origin_of(&self, at: usize) -> (u32, u64) {
        let row = self.origins.partition_point(|origin| origin.at <= at).saturating_sub(1);
        let origin = self.origins.get(row);
        origin.map_or((0, 0), |origin| (origin.chunk, origin.file_offset + (at - origin.at) as u64))
    }
}

/// Packs checked chunks into units.
#[derive(Default)]
pub(super) struct Packer {
    open: Option<OpenUnit>,
    full: VecDeque<Unit>,
}

struct OpenUnit {
    memory: HugeBuf,
    used: usize,
    origins: Vec<Origin>,
}

impl Packer {
    /// Copies the records of a chunk that has been checked.
    pub(super) fn pack(
        &mut self,
        number: u32,
        entry: &ChunkEntry,
        bytes: &AlignedBuf,
    ) -> Result<(), DiskError> {
        let records_end = entry.record_bytes as usize;
        let mut start = 0;
        while start < records_end {
            let room = self.open.as_ref().map_or(0, |unit| unit.memory.len() - unit.used);
            let mut end = chunk::last_end(entry, bytes, start + room);
            if end <= start {
                self.close();
                end = chunk::last_end(entry, bytes, start + UNIT_BYTES);
                let mut unit_bytes = UNIT_BYTES;
                if end <= start {
                    // A record larger than a unit, which is alone in its chunk.
                    end = records_end;
                    unit_bytes = end - start;
                }
                let memory = HugeBuf::new(unit_bytes)?;
                self.open = Some(OpenUnit { memory, used: 0, origins: Vec::new() });
            }
            let unit = self.open.as_mut().expect("opened above if there was no room");
            let file_offset = entry.offset + start as u64;
            unit.origins.push(Origin { at: unit.used, chunk: number, file_offset });
            let after = unit.used + (end - start);
            unit.memory.as_mut_slice()[unit.used..after].copy_from_slice(&bytes[start..end]);
            unit.used = after;
            start = end;
        }
        Ok(())
    }

    /// Ends the open unit: it is handed out although there may be room.
    pub(super) fn close(&mut self) {
        if let Some(OpenUnit { memory, used, origins }) = self.open.take() {
            let runs = std::iter::once(0..used).collect();
            self.full.push_back(Unit { memory, runs, origins });
        }
    }

    pub(super) fn next(&mut self) -> Option<Unit> {
        self.full.pop_front()
    }
}
