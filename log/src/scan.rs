//! The batches of one segment, for recovery and inspection.

use std::path::{Path, PathBuf};

use disk::limits::block_align_up;
use disk::{AlignedBuf, BLOCK_BYTES, Disk, DiskError, OpenMode};

use crate::format::{BatchFault, BatchHeader, Record, SegmentHeader, SegmentOffset, records};
use crate::limits::{SCAN_FIRST_BYTES, SCAN_WINDOW_BYTES, SEGMENT_HEADER_BYTES};

/// A segment being read. Trusts no length in it: nothing is read beyond the segment, and a batch is
/// trusted only after its checksum.
#[derive(Debug)]
pub struct SegmentScan<'d, D: Disk> {
    disk: &'d D,
    file: D::File,
    path: PathBuf,
    header: SegmentHeader,
    window: AlignedBuf,
    window_offset: u64,
    /// Where [`next`](Self::next) searches.
    offset: u64,
    found: Option<(u64, BatchHeader)>,
}

impl<'d, D: Disk> SegmentScan<'d, D> {
    /// Opens the segment at `path`, whose header has been read.
    pub async fn open(disk: &'d D, path: &Path, header: SegmentHeader) -> Result<Self, DiskError> {
        Ok(Self {
            disk,
            file: disk.open(path, OpenMode::Read).await?,
            path: path.to_owned(),
            header,
            window: AlignedBuf::with_capacity(BLOCK_BYTES),
            window_offset: 0,
            offset: SEGMENT_HEADER_BYTES as u64,
            found: None,
        })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The valid batch at `offset` (of a block), or why there is none. Its records are
    /// [`records`](Self::records) until the next call.
    pub async fn batch_at(
        &mut self,
        offset: SegmentOffset,
    ) -> Result<Result<BatchHeader, BatchFault>, DiskError> {
        self.found = None;
        // Often only the first batch is read.
        let ahead = if self.window.is_empty() { SCAN_FIRST_BYTES } else { SCAN_WINDOW_BYTES };
        let batch = match self.header_at(offset, ahead).await? {
            Ok(batch) => batch,
            Err(fault) => return Ok(Err(fault)),
        };
        let (bytes, seed) = (batch.bytes(), self.header.seed);
        let Some(content) = self.load(offset.0, bytes, SCAN_WINDOW_BYTES).await? else {
            return Ok(Err(BatchFault::SegmentEnd));
        };
        if let Err(fault) = batch.verify(content, seed) {
            return Ok(Err(fault));
        }
        self.found = Some((offset.0, batch));
        Ok(Ok(batch))
    }

    /// The header at `offset` (of a block), or why there is none. It is not verified, which would
    /// take the records. A read that this needs covers `ahead` bytes.
    pub(crate) async fn header_at(
        &mut self,
        offset: SegmentOffset,
        ahead: usize,
    ) -> Result<Result<BatchHeader, BatchFault>, DiskError> {
        assert!(offset.0.is_multiple_of(BLOCK_BYTES as u64));
        let room_bytes = self.header.segment_bytes.saturating_sub(offset.0);
        if room_bytes < BLOCK_BYTES as u64 {
            return Ok(Err(BatchFault::SegmentEnd));
        }
        let header = self.header;
        Ok(match self.load(offset.0, header.version.batch_header_bytes(), ahead).await? {
            Some(bytes) => BatchHeader::decode(bytes, &header, room_bytes),
            None => Err(BatchFault::SegmentEnd),
        })
    }

    /// Forgets what was read ahead: it may have been written since.
    pub(crate) fn forget(&mut self) {
        self.found = None;
        self.window.clear();
    }

    /// The next valid batch in the segment, skipping what is damaged or missing.
    ///
    /// Batches begin at blocks; after a valid one the search continues behind it, after anything
    /// else at the next block.
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot wait")]
    pub async fn next(&mut self) -> Result<Option<(SegmentOffset, BatchHeader)>, DiskError> {
        loop {
            let offset = SegmentOffset(self.offset);
            match self.batch_at(offset).await? {
                Ok(batch) => {
                    self.offset += batch.padded_bytes() as u64;
                    return Ok(Some((offset, batch)));
                }
                Err(BatchFault::SegmentEnd) => return Ok(None),
                Err(_) => self.offset += BLOCK_BYTES as u64,
            }
        }
    }

    /// Makes [`next`](Self::next) continue from `offset`.
    pub const fn seek(&mut self, offset: SegmentOffset) {
        self.offset = offset.0;
    }

    /// The records of the batch that was found last; none if there was none.
    pub fn records(&self) -> impl Iterator<Item = Result<Record<'_>, BatchFault>> {
        self.found.iter().flat_map(|(offset, batch)| {
            let start = (offset - self.window_offset) as usize;
            let payload = start + batch.version.batch_header_bytes()..start + batch.bytes();
            records(batch, &self.window[payload])
        })
    }

    /// `bytes` from `offset`, if the file has them; a read covers `ahead` bytes.
    async fn load(
        &mut self,
        offset: u64,
        bytes: usize,
        ahead: usize,
    ) -> Result<Option<&[u8]>, DiskError> {
        let end = offset + bytes as u64;
        let window_end = self.window_offset + self.window.len() as u64;
        if offset < self.window_offset || end > window_end {
            let left = (self.header.segment_bytes - offset) as usize;
            let wanted = block_align_up(bytes).max(ahead).min(left);
            // The buffer's capacity is the length to read.
            let window = std::mem::replace(&mut self.window, AlignedBuf::with_capacity(1));
            let into = if window.capacity() == wanted {
                window
            } else {
                drop(window);
                AlignedBuf::with_capacity(wanted)
            };
            self.window_offset = offset;
            self.window = match self.disk.read_at(&self.file, offset, into).await {
                Ok(window) => window,
                // A later sector cannot be read: the requested part may be readable.
                Err(_) if wanted > block_align_up(bytes) => {
                    let into = AlignedBuf::with_capacity(block_align_up(bytes));
                    self.disk.read_at(&self.file, offset, into).await?
                }
                Err(error) => return Err(error),
            };
        }
        let start = (offset - self.window_offset) as usize;
        Ok(self.window.get(start..start + bytes))
    }
}
