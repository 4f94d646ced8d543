//! Writing a snapshot: chunk by chunk, a few writes ahead, under another name until it is whole.
//!
//! Lives in: the background, sequential over [`Disk`]. Memory: one chunk that is being filled,
//! [`WRITE_AHEAD_BYTES`] in flight, 24 bytes per chunk, and at the end sessions and ACLs. A record
//! larger than a chunk is held a second time.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use disk::limits::block_align_up;
use disk::{AlignedBuf, Disk, DiskError};
use model::record::{BIRTH_BYTES, NodeRecord};
use model::stat::STAT_BYTES;
use model::zxid::Epoch;

use crate::chunk::ChunkBuilder;
use crate::directory::{path_of, unfinished_path_of};
use crate::error::{Part, WriteError};
use crate::flights::Flights;
use crate::format::{
    AclSection, ChunkEntry, Extent, Footer, Header, Index, SessionSection, archive,
};
use crate::limits::{
    CHUNK_BYTES_MAX, FILE_BYTES_MIN, FOOTER_BYTES, HEADER_BYTES, RECORD_OVERHEAD_BYTES,
    WRITE_AHEAD_BYTES,
};
use crate::received;
use crate::source::{SnapshotHead, Source};

/// Where the number of its ACL is in a record.
const ACL_OFFSET: usize = BIRTH_BYTES + STAT_BYTES + 4;

/// A snapshot that is durable and has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Count of its chunks.
    pub chunk_count: u32,
}

/// Writes a snapshot of `source` into `directory` (which exists), replacing one of the same zxid.
///
/// `created_by` names the program, for inspection of the file. `pace` is called after every chunk
/// with its length; the next one is not begun before it returns, nor if it returns break.
///
/// # Errors
/// See [`WriteError`]. The unfinished file is removed.
pub async fn write<D: Disk, S: Source>(
    disk: &D,
    directory: &Path,
    head: &SnapshotHead,
    created_by: &str,
    source: &mut S,
    pace: impl AsyncFnMut(u64) -> ControlFlow<()>,
) -> Result<Written, WriteError> {
    let unfinished = unfinished_path_of(directory, head.zxid);
    let written = write_unfinished(disk, &unfinished, head, created_by, source, pace).await;
    finish(disk, &unfinished, path_of(directory, head.zxid), written).await
}

/// The same for one that was received from a leader: beside the snapshots of the history that it
/// would replace, under the name of [`received`].
///
/// # Errors
/// See [`WriteError`]. The unfinished file is removed.
pub async fn write_received<D: Disk, S: Source>(
    disk: &D,
    directory: &Path,
    head: &SnapshotHead,
    counts_from: Epoch,
    created_by: &str,
    source: &mut S,
    pace: impl AsyncFnMut(u64) -> ControlFlow<()>,
) -> Result<Written, WriteError> {
    let path = received::path_of(directory, head.zxid, counts_from);
    let unfinished = received::unfinished_path_of(directory, head.zxid, counts_from);
    let written = write_unfinished(disk, &unfinished, head, created_by, source, pace).await;
    finish(disk, &unfinished, path, written).await
}

/// Gives the file its name, or removes it.
async fn finish<D: Disk>(
    disk: &D,
    unfinished: &Path,
    path: PathBuf,
    written: Result<Footer, WriteError>,
) -> Result<Written, WriteError> {
    let named = match written {
        Ok(footer) => {
            let renamed = disk.rename_durable(unfinished, &path).await;
            renamed.map(|()| footer).map_err(WriteError::from)
        }
        Err(error) => Err(error),
    };
    match named {
        Ok(footer) => {
            Ok(Written { path, bytes: footer.file_bytes, chunk_count: footer.chunk_count })
        }
        Err(error) => {
            // The first error is the one to report; what is left is removed at the next start.
            let _ = disk.remove(unfinished).await;
            Err(error)
        }
    }
}

async fn write_unfinished<D: Disk, S: Source>(
    disk: &D,
    path: &Path,
    head: &SnapshotHead,
    created_by: &str,
    source: &mut S,
    pace: impl AsyncFnMut(u64) -> ControlFlow<()>,
) -> Result<Footer, WriteError> {
    let reserved_bytes = bytes_min(head);
    let file = Rc::new(disk.create(path, reserved_bytes).await?);
    let mut output = Output { disk, file, flights: Flights::new(), spare: None, offset: 0 };

    let mut block = AlignedBuf::zeroed(HEADER_BYTES);
    let header = Header { seed: head.seed, created_by: created_by.to_owned() };
    let header_crc32c = header.encode(&mut block);
    output.start(block).await?;

    let (index, acls) = write_chunks(&mut output, head, source, pace).await?;
    let mut lists = Vec::with_capacity(acls.len());
    for number in acls {
        let mut list = Vec::new();
        source.append_acl(number, &mut list);
        lists.push(list);
    }
    let mut sessions = Vec::new();
    source.sessions(&mut |session| sessions.push(session));
    let mut footer = Footer {
        zxid: head.zxid.0,
        epoch: head.epoch.0,
        chunk_count: count(index.rows.len(), Part::Index)?,
        node_count: head.node_count,
        digest: head.digest,
        data_bytes: head.data_bytes,
        session_count: count(sessions.len(), Part::Sessions)?,
        acl_count: count(lists.len(), Part::Acls)?,
        header_crc32c,
        ..Footer::default()
    };
    let section =
        archive(&SessionSection::new(sessions)).ok_or(WriteError::TooLarge(Part::Sessions))?;
    footer.sessions = output.start_section(&section).await?;
    let section = archive(&AclSection::new(lists)).ok_or(WriteError::TooLarge(Part::Acls))?;
    footer.acls = output.start_section(&section).await?;
    let section = archive(&index).ok_or(WriteError::TooLarge(Part::Index))?;
    footer.index = output.start_section(&section).await?;

    // Last in time too: a footer with a matching checksum proves that the file was written.
    output.land().await?;
    footer.file_bytes = output.offset + FOOTER_BYTES as u64;
    let mut block = AlignedBuf::zeroed(FOOTER_BYTES);
    footer.encode(&mut block);
    output.start(block).await?;
    output.land().await?;
    if footer.file_bytes < reserved_bytes {
        disk.resize(&output.file, footer.file_bytes).await?;
    }
    disk.flush(&output.file).await?;
    Ok(footer)
}

/// The least that such a snapshot takes: reserved at once, so that a lack of room is found before
/// anything is written.
fn bytes_min(head: &SnapshotHead) -> u64 {
    let records = head.node_count.saturating_mul(RECORD_OVERHEAD_BYTES);
    let records = records.saturating_add(head.data_bytes).min(i64::MAX as u64 / 2);
    FILE_BYTES_MIN + records / 4096 * 4096
}

/// Writes all records; returns the index, and the tree's numbers of the ACLs in the file's order.
async fn write_chunks<D: Disk, S: Source>(
    output: &mut Output<'_, D>,
    head: &SnapshotHead,
    source: &mut S,
    mut pace: impl AsyncFnMut(u64) -> ControlFlow<()>,
) -> Result<(Index, Vec<u32>), WriteError> {
    let mut chunk = ChunkBuilder::new();
    let mut index = Index::default();
    let mut acls = AclNumbers::default();
    let (mut node_count, mut digest) = (0, 0_u64);
    let mut scratch = Vec::new();
    loop {
        let next = source.next_record();
        let fits = next.is_some_and(|record| chunk.fits(record.archive_bytes()));
        if !fits && !chunk.is_empty() {
            // `next` is borrowed from the source, which does not change meanwhile.
            finish_chunk(output, &mut chunk, &mut index, &mut pace).await?;
        }
        let Some(record) = next else { break };
        node_count += 1;
        digest = digest.wrapping_add(record.digest());
        archive_record(record, &mut acls, &mut scratch)?;
        if chunk.push(crc32c::crc32c(record.path()), &scratch) {
            finish_chunk(output, &mut chunk, &mut index, &mut pace).await?;
        }
    }
    if node_count != head.node_count {
        return Err(WriteError::NodeCount { expected: head.node_count, found: node_count });
    }
    if digest != head.digest {
        return Err(WriteError::Digest { expected: head.digest, found: digest });
    }
    Ok((index, acls.in_order))
}

/// The record's archive with the file's number of its ACL.
fn archive_record(
    record: NodeRecord<'_>,
    acls: &mut AclNumbers,
    scratch: &mut Vec<u8>,
) -> Result<(), WriteError> {
    scratch.clear();
    record.append_archive(scratch);
    let number = acls.of(record.acl())?;
    scratch[ACL_OFFSET..ACL_OFFSET + 4].copy_from_slice(&number.to_be_bytes());
    Ok(())
}

async fn finish_chunk<D: Disk>(
    output: &mut Output<'_, D>,
    chunk: &mut ChunkBuilder,
    index: &mut Index,
    pace: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
) -> Result<(), WriteError> {
    let spare = output.take_spare();
    let (entry, buffer): (ChunkEntry, AlignedBuf) = chunk.finish(output.offset, spare);
    index.rows.push(entry);
    output.start(buffer).await?;
    match pace(entry.bytes.into()).await {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(WriteError::Stopped),
    }
}

fn count(count: usize, part: Part) -> Result<u32, WriteError> {
    u32::try_from(count).map_err(|_| WriteError::TooLarge(part))
}

/// The file's numbers of ACLs, by first use: two servers number the same lists alike, whatever
/// their own numbers for them.
#[derive(Default)]
struct AclNumbers {
    by_tree: HashMap<u32, u32>,
    in_order: Vec<u32>,
    /// Neighbouring records mostly share one.
    last: (u32, u32),
}

impl AclNumbers {
    fn of(&mut self, number: u32) -> Result<u32, WriteError> {
        if number == self.last.0 || number == 0 {
            return Ok(if number == 0 { 0 } else { self.last.1 });
        }
        let next = count(self.in_order.len() + 1, Part::Acls)?;
        let ours = *self.by_tree.entry(number).or_insert(next);
        if ours == next {
            self.in_order.push(number);
        }
        self.last = (number, ours);
        Ok(ours)
    }
}

/// The file, filled from the front with several writes in flight.
///
/// Invariant: everything before `offset` has been started, nothing behind it.
struct Output<'d, D: Disk> {
    disk: &'d D,
    file: Rc<D::File>,
    flights: Flights<'d, Result<AlignedBuf, DiskError>>,
    spare: Option<AlignedBuf>,
    offset: u64,
}

impl<'d, D: Disk> Output<'d, D>
where
    D::File: 'd,
{
    /// Starts writing `buffer` at the end, once enough of the writes in flight have completed.
    async fn start(&mut self, buffer: AlignedBuf) -> Result<(), WriteError> {
        let bytes = buffer.len();
        while !self.flights.has_room(bytes, WRITE_AHEAD_BYTES) {
            self.land_one().await?;
        }
        let (disk, file, offset) = (self.disk, Rc::clone(&self.file), self.offset);
        let call = async move { disk.write_at(&file, offset, buffer).await };
        self.flights.start(bytes, call).await;
        self.offset += bytes as u64;
        Ok(())
    }

    async fn start_section(&mut self, section: &[u8]) -> Result<Extent, WriteError> {
        let mut buffer = AlignedBuf::with_capacity(block_align_up(section.len()));
        buffer.extend_from_slice(section);
        buffer.pad();
        let crc32c = crc32c::crc32c(&buffer);
        let extent = Extent { offset: self.offset, bytes: section.len() as u64, crc32c };
        self.start(buffer).await?;
        Ok(extent)
    }

    /// Waits for the oldest write; false if there was none.
    async fn land_one(&mut self) -> Result<bool, WriteError> {
        let Some(landed) = self.flights.next().await else { return Ok(false) };
        let buffer = landed?;
        if buffer.capacity() == CHUNK_BYTES_MAX {
            self.spare = Some(buffer);
        }
        Ok(true)
    }

    async fn land(&mut self) -> Result<(), WriteError> {
        while self.land_one().await? {}
        Ok(())
    }

    fn take_spare(&mut self) -> AlignedBuf {
        self.spare.take().unwrap_or_else(|| AlignedBuf::with_capacity(CHUNK_BYTES_MAX))
    }
}
