//! Chunks: records, the offset table behind them, zeros up to a whole block.
//!
//! A chunk ends where its content decides so, or before it would exceed [`CHUNK_BYTES_MAX`]. The
//! content decides by the paths alone, so that servers cut alike, and after an added or removed
//! node the cuts soon coincide again.

use disk::AlignedBuf;
use disk::limits::block_align_up;
use model::record::NodeRecord;

use crate::error::Fault;
use crate::format::ChunkEntry;
use crate::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CUT_BYTES_MEAN, OFFSET_BYTES};

/// A chunk that is being filled.
///
/// Lives in: the writer. Invariant: `record_bytes` and table fit `CHUNK_BYTES_MAX`, or there is
/// one record.
pub(crate) struct ChunkBuilder {
    buffer: AlignedBuf,
    offsets: Vec<u32>,
}

impl ChunkBuilder {
    pub(crate) fn new() -> Self {
        Self { buffer: AlignedBuf::with_capacity(CHUNK_BYTES_MAX), offsets: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Whether a record of this many bytes still fits.
    pub(crate) fn fits(&self, archive_bytes: usize) -> bool {
        self.is_empty() || self.bytes_with(archive_bytes) <= CHUNK_BYTES_MAX
    }

    fn bytes_with(&self, archive_bytes: usize) -> usize {
        block_align_up(self.buffer.len() + archive_bytes + (self.offsets.len() + 1) * OFFSET_BYTES)
    }

    /// Adds an archive; returns whether the content ends the chunk behind it.
    ///
    /// # Panics
    /// If it does not fit.
    pub(crate) fn push(&mut self, path_crc: u32, archive: &[u8]) -> bool {
        assert!(self.fits(archive.len()), "{} bytes do not fit the chunk", archive.len());
        if self.is_empty() {
            let bytes = self.bytes_with(archive.len());
            self.buffer =
                std::mem::replace(&mut self.buffer, AlignedBuf::with_capacity(1)).grown(bytes);
        }
        self.offsets.push(self.buffer.len() as u32);
        self.buffer.extend_from_slice(archive);
        self.buffer.len() >= CHUNK_BYTES_MIN && is_cut(path_crc, archive.len())
    }

    /// The finished chunk, which will lie at `offset`, and an empty builder over `spare`.
    pub(crate) fn finish(&mut self, offset: u64, spare: AlignedBuf) -> (ChunkEntry, AlignedBuf) {
        let record_bytes = self.buffer.len() as u32;
        for start in &self.offsets {
            self.buffer.extend_from_slice(&start.to_be_bytes());
        }
        self.buffer.pad();
        let entry = ChunkEntry {
            offset,
            bytes: self.buffer.len() as u32,
            record_bytes,
            record_count: self.offsets.len() as u32,
            crc32c: crc32c::crc32c(&self.buffer),
        };
        self.offsets.clear();
        let full = std::mem::replace(&mut self.buffer, spare);
        self.buffer.clear();
        (entry, full)
    }
}

/// Whether a chunk may end behind this record: once in `CUT_BYTES_MEAN` on average, whatever the
/// size of records.
fn is_cut(path_crc: u32, archive_bytes: usize) -> bool {
    u64::from(path_crc) * CUT_BYTES_MEAN < (archive_bytes as u64) << 32
}

/// The bounds of a chunk's row that hold whatever its content.
pub(crate) fn check_entry(entry: &ChunkEntry) -> Result<(), Fault> {
    let table_bytes = u64::from(entry.record_count) * OFFSET_BYTES as u64;
    let expected = (u64::from(entry.record_bytes) + table_bytes).next_multiple_of(4096);
    if expected != u64::from(entry.bytes) || entry.record_count == 0 {
        return Err(Fault::Extent { expected, found: entry.bytes.into() });
    }
    Ok(())
}

/// Checks a chunk's bytes against its row: checksum, offset table, every record. Calls `each` with
/// the records; they follow each other from the chunk's beginning.
///
/// # Errors
/// What is wrong, and where in the chunk.
pub(crate) fn check<'a>(
    entry: &ChunkEntry,
    bytes: &'a [u8],
    acl_count: u32,
    mut each: impl FnMut(NodeRecord<'a>),
) -> Result<(), (usize, Fault)> {
    let found = crc32c::crc32c(bytes);
    if found != entry.crc32c {
        return Err((0, Fault::Crc { expected: entry.crc32c, found }));
    }
    let (records, rest) = bytes.split_at(entry.record_bytes as usize);
    let table = rest.chunks_exact(OFFSET_BYTES).take(entry.record_count as usize);
    let mut at = 0;
    for (row, start) in table.enumerate() {
        let found = u32::from_be_bytes(start.try_into().expect("four bytes"));
        if found as usize != at {
            let place = records.len() + row * OFFSET_BYTES;
            return Err((place, Fault::Offset { expected: at as u32, found }));
        }
        let record =
            NodeRecord::parse(&records[at..]).map_err(|error| (at, Fault::Record(error)))?;
        if record.acl() > acl_count {
            return Err((at, Fault::Acl { found: record.acl(), known: acl_count }));
        }
        at += record.archive_bytes();
        each(record);
    }
    if at != records.len() {
        let (expected, found) = (records.len() as u64, at as u64);
        return Err((at, Fault::Extent { expected, found }));
    }
    Ok(())
}
