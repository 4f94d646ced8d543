//! Reading a snapshot into memory: reads run ahead of checksums, checksums ahead of the tree.
//!
//! Nothing in a file is trusted: the bounds that it states are compared with its length, every
//! archive is validated, every record is parsed before a tree sees it.
//!
//! Nothing is copied: a part of the file is read to where the tree will use it, checked there, and
//! handed out as a [`Unit`]. All parts lie in one region of memory, so that huge pages are filled.
//!
//! Lives in: the background, sequential over [`Disk`]. In flight: [`READ_AHEAD_BYTES`].

mod newest;
mod unit;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use disk::limits::block_align_up;
use disk::seam::read_bytes;
use disk::{AlignedBuf, Disk, DiskError, HugeBuf, OpenMode};
use model::zxid::{Epoch, Zxid};

use crate::chunk;
use crate::directory::{self, Candidate};
use crate::error::{Fault, LoadError, Part};
use crate::flights::Flights;
use crate::format::{
    AclSection, ChunkEntry, Extent, FORMAT_VERSION, Footer, Header, HeaderFault, Index,
    SessionSection,
};
use crate::limits::{FILE_BYTES_MIN, FOOTER_BYTES, HEADER_BYTES, READ_AHEAD_BYTES, UNIT_BYTES};
use crate::source::{AclEntry, Session, SnapshotHead};

pub use newest::{ImageSink, Newest, Refused, load_newest, load_newest_of};
pub use unit::{Origin, Unit};

/// Everything in a snapshot but its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Where it is.
    pub file: PathBuf,
    /// Its length.
    pub file_bytes: u64,
    /// The program that wrote it.
    pub created_by: String,
    /// What it states about its tree.
    pub head: SnapshotHead,
    /// All sessions, by ascending id.
    pub sessions: Vec<Session>,
    /// All ACLs that records use, numbered from 1 without a gap; each list can be decoded.
    pub acls: Vec<AclEntry>,
    /// The chunks.
    pub chunks: Vec<ChunkEntry>,
}

impl Contents {
    pub(crate) fn corrupt(&self, part: Part, offset: u64, fault: Fault) -> LoadError {
        LoadError::Corrupt { file: self.file.clone(), part, offset, fault }
    }
}

/// A snapshot that is being read.
pub struct Loader<'d, D: Disk> {
    disk: &'d D,
    file: Rc<D::File>,
    contents: Contents,
    flights: Flights<'d, Result<AlignedBuf, DiskError>>,
    started_count: usize,
    checked_count: usize,
    /// The part of the memory for all chunks that units have not taken yet; `None` until one is
    /// requested.
    image: Option<HugeBuf>,
    has_root: bool,
}

impl<'d, D: Disk> Loader<'d, D>
where
    D::File: 'd,
{
    /// Opens the snapshot at `zxid` and reads everything but the records.
    pub async fn open(disk: &'d D, directory: &Path, zxid: Zxid) -> Result<Self, LoadError> {
        let path = directory::path_of(directory, zxid);
        let listed = disk.list(directory).await?;
        let name = directory::name_of(zxid);
        let bytes = listed.iter().find(|entry| entry.name == name).map_or(0, |entry| entry.bytes);
        Self::open_candidate(disk, &Candidate { zxid, path, bytes }).await
    }

    /// Opens a snapshot that was [listed](crate::list).
    pub async fn open_candidate(disk: &'d D, candidate: &Candidate) -> Result<Self, LoadError> {
        let file = Rc::new(disk.open(&candidate.path, OpenMode::Read).await?);
        let outside = Outside { disk, file: &file, path: &candidate.path };
        let contents = outside.contents(candidate.bytes).await?;
        if contents.head.zxid != candidate.zxid {
            let (expected, found) = (candidate.zxid.0 as u64, contents.head.zxid.0 as u64);
            let offset = contents.file_bytes - FOOTER_BYTES as u64;
            return Err(contents.corrupt(Part::Footer, offset, Fault::Count { expected, found }));
        }
        Ok(Self {
            disk,
            file,
            contents,
            flights: Flights::new(),
            started_count: 0,
            checked_count: 0,
            image: None,
            has_root: false,
        })
    }

    /// Everything in it but its records.
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The next unit, all of it checked; `None` when all records have been handed out.
    ///
    /// # Errors
    /// After an error the loader returns nothing more, and what it has handed out is not a tree.
    pub async fn next_unit(&mut self) -> Result<Option<Unit>, LoadError> {
        if self.image.is_none() {
            let bytes = self.contents.chunks.iter().map(|entry| entry.bytes as usize).sum();
            self.image = Some(HugeBuf::new(bytes)?);
        }
        let Some((chunks, bytes)) = self.next_chunks(UNIT_BYTES).await? else { return Ok(None) };
        let mut at = 0;
        let mut unit = Unit::new(bytes);
        for number in chunks {
            let entry = self.contents.chunks[number];
            let end = at + entry.bytes as usize;
            let chunk = unit.memory.get(at..end).or(unit.memory.get(at..)).unwrap_or_default();
            self.check(number as u32, &entry, chunk)?;
            unit.add(number as u32, &entry, at);
            at = end;
        }
        if self.checked_count == self.contents.chunks.len() && !self.has_root {
            let number = self.checked_count - 1;
            let (part, offset) = (Part::Chunk(number as u32), self.contents.chunks[number].offset);
            return Err(self.contents.corrupt(part, offset, Fault::NoRoot));
        }
        Ok(Some(unit))
    }

    /// The next chunks of together `bytes_min`, at least one, unchecked; starts the reads behind
    /// them. All calls on one loader must pass the same `bytes_min`.
    async fn next_chunks(
        &mut self,
        bytes_min: usize,
    ) -> Result<Option<(Range<usize>, AlignedBuf)>, LoadError> {
        while self.started_count < self.contents.chunks.len() {
            let (chunks, bytes) = self.chunks_from(self.started_count, bytes_min);
            if !self.flights.has_room(bytes, READ_AHEAD_BYTES) {
                break;
            }
            let offset = self.contents.chunks[chunks.start].offset;
            let buffer = match &mut self.image {
                Some(image) => AlignedBuf::over(image.split_front(bytes)),
                None => AlignedBuf::with_capacity(bytes),
            };
            let (disk, file) = (self.disk, Rc::clone(&self.file));
            let call = async move { disk.read_at(&file, offset, buffer).await };
            self.flights.start(bytes, call).await;
            self.started_count = chunks.end;
        }
        let Some(landed) = self.flights.next().await else { return Ok(None) };
        let (chunks, _) = self.chunks_from(self.checked_count, bytes_min);
        self.checked_count = chunks.end;
        Ok(Some((chunks, landed?)))
    }

    /// The chunks from number `start` on that add up to `bytes_min`, at least one, and their sum.
    fn chunks_from(&self, start: usize, bytes_min: usize) -> (Range<usize>, usize) {
        let (mut end, mut bytes) = (start, 0);
        for entry in &self.contents.chunks[start..] {
            bytes += entry.bytes as usize;
            end += 1;
            if bytes >= bytes_min {
                break;
            }
        }
        (start..end, bytes)
    }

    fn check(&mut self, number: u32, entry: &ChunkEntry, bytes: &[u8]) -> Result<(), LoadError> {
        let has_root = &mut self.has_root;
        let found = check_chunk(entry, bytes, self.contents.acls.len() as u32, |record| {
            *has_root |= record.path() == b"/";
        });
        let corrupt = |(at, fault)| {
            self.contents.corrupt(Part::Chunk(number), entry.offset + at as u64, fault)
        };
        found.map_err(corrupt)
    }

    /// Reads and checks every chunk without keeping any; the damaged ones, and the digest of the
    /// records in the others.
    pub async fn verify(&mut self) -> Result<(Vec<(u32, usize, Fault)>, u64), LoadError> {
        let mut damaged = Vec::new();
        let mut digest = 0_u64;
        while let Some((chunks, bytes)) = self.next_chunks(0).await? {
            let entry = self.contents.chunks[chunks.start];
            let mut chunk_digest = 0_u64;
            let add = |record: model::record::NodeRecord<'_>| {
                chunk_digest = chunk_digest.wrapping_add(record.digest());
            };
            match check_chunk(&entry, &bytes, self.contents.acls.len() as u32, add) {
                Ok(()) => digest = digest.wrapping_add(chunk_digest),
                Err((at, fault)) => damaged.push((chunks.start as u32, at, fault)),
            }
        }
        Ok((damaged, digest))
    }
}

fn check_chunk<'a>(
    entry: &ChunkEntry,
    bytes: &'a [u8],
    acl_count: u32,
    each: impl FnMut(model::record::NodeRecord<'a>),
) -> Result<(), (usize, Fault)> {
    if bytes.len() != entry.bytes as usize {
        let (expected, found) = (entry.bytes.into(), bytes.len() as u64);
        return Err((bytes.len(), Fault::Extent { expected, found }));
    }
    chunk::check(entry, bytes, acl_count, each)
}

/// Everything in a file around its chunks.
struct Outside<'a, D: Disk> {
    disk: &'a D,
    file: &'a D::File,
    path: &'a Path,
}

impl<D: Disk> Outside<'_, D> {
    fn corrupt(&self, part: Part, offset: u64, fault: Fault) -> LoadError {
        LoadError::Corrupt { file: self.path.to_owned(), part, offset, fault }
    }

    async fn contents(&self, file_bytes: u64) -> Result<Contents, LoadError> {
        let (header, header_crc32c) = self.header().await?;
        let footer = self.footer(file_bytes, header_crc32c).await?;
        let bytes = self.section(Part::Index, &footer.index).await?;
        let at = footer.index.offset;
        let wrong = |fault| self.corrupt(Part::Index, at, fault);
        let chunks = Index::decode(&bytes[..footer.index.bytes as usize]).map_err(wrong)?;
        check_index(&footer, &chunks).map_err(wrong)?;

        let bytes = self.section(Part::Sessions, &footer.sessions).await?;
        let wrong = |fault| self.corrupt(Part::Sessions, footer.sessions.offset, fault);
        let section = &bytes[..footer.sessions.bytes as usize];
        let sessions = SessionSection::decode(section).map_err(wrong)?;
        check_count(footer.session_count, sessions.len()).map_err(wrong)?;

        let bytes = self.section(Part::Acls, &footer.acls).await?;
        let wrong = |fault| self.corrupt(Part::Acls, footer.acls.offset, fault);
        let acls = AclSection::decode(&bytes[..footer.acls.bytes as usize]).map_err(wrong)?;
        check_count(footer.acl_count, acls.len()).map_err(wrong)?;

        let head = SnapshotHead {
            zxid: Zxid(footer.zxid),
            epoch: Epoch(footer.epoch),
            seed: header.seed,
            node_count: footer.node_count,
            digest: footer.digest,
            data_bytes: footer.data_bytes,
        };
        let (file, created_by) = (self.path.to_owned(), header.created_by);
        Ok(Contents { file, file_bytes, created_by, head, sessions, acls, chunks })
    }

    async fn header(&self) -> Result<(Header, u32), LoadError> {
        let block = AlignedBuf::with_capacity(HEADER_BYTES);
        let block = self.disk.read_at(self.file, 0, block).await?;
        if block.len() < HEADER_BYTES {
            let fault = Fault::Extent { expected: FILE_BYTES_MIN, found: block.len() as u64 };
            return Err(self.corrupt(Part::Header, block.len() as u64, fault));
        }
        let file = || self.path.to_owned();
        Header::decode(&block[..HEADER_BYTES]).map_err(|fault| match fault {
            HeaderFault::Magic { found } => LoadError::NotASnapshot { file: file(), found },
            HeaderFault::Version { found } => {
                LoadError::NewerFormat { file: file(), found, known: FORMAT_VERSION }
            }
            HeaderFault::Crc { expected, found } => {
                self.corrupt(Part::Header, 0, Fault::Crc { expected, found })
            }
        })
    }

    async fn footer(&self, file_bytes: u64, header_crc32c: u32) -> Result<Footer, LoadError> {
        let whole = file_bytes / FOOTER_BYTES as u64 * FOOTER_BYTES as u64;
        if file_bytes < FILE_BYTES_MIN || whole != file_bytes {
            let fault = Fault::Extent { expected: whole.max(FILE_BYTES_MIN), found: file_bytes };
            return Err(self.corrupt(Part::Footer, file_bytes, fault));
        }
        let offset = file_bytes - FOOTER_BYTES as u64;
        let wrong = |fault| self.corrupt(Part::Footer, offset, fault);
        let block = read_bytes(self.disk, self.file, self.path, offset, FOOTER_BYTES).await?;
        let footer = Footer::decode(&block).map_err(wrong)?;
        if footer.file_bytes != file_bytes {
            let (expected, found) = (footer.file_bytes, file_bytes);
            return Err(wrong(Fault::Extent { expected, found }));
        }
        if footer.header_crc32c != header_crc32c {
            let (expected, found) = (footer.header_crc32c, header_crc32c);
            return Err(self.corrupt(Part::Header, 0, Fault::Crc { expected, found }));
        }
        check_extents(&footer).map_err(wrong)?;
        Ok(footer)
    }

    /// A section's whole blocks, after comparing their checksum.
    async fn section(&self, part: Part, extent: &Extent) -> Result<AlignedBuf, LoadError> {
        let bytes = block_align_up(extent.bytes as usize);
        let section = read_bytes(self.disk, self.file, self.path, extent.offset, bytes).await?;
        let (expected, found) = (extent.crc32c, crc32c::crc32c(&section));
        if expected != found {
            return Err(self.corrupt(part, extent.offset, Fault::Crc { expected, found }));
        }
        Ok(section)
    }
}

/// Sessions, ACLs, index and footer follow each other without a gap, within the file.
fn check_extents(footer: &Footer) -> Result<(), Fault> {
    let end = footer.file_bytes - FOOTER_BYTES as u64;
    let mut at = footer.sessions.offset;
    if at < HEADER_BYTES as u64 || at > end || !at.is_multiple_of(FOOTER_BYTES as u64) {
        return Err(Fault::Extent { expected: HEADER_BYTES as u64, found: at });
    }
    for extent in [&footer.sessions, &footer.acls, &footer.index] {
        if extent.offset != at || extent.bytes == 0 || extent.bytes > end - at {
            return Err(Fault::Extent { expected: at, found: extent.offset });
        }
        at += block_align_up(extent.bytes as usize) as u64;
    }
    if at != end {
        return Err(Fault::Extent { expected: end, found: at });
    }
    Ok(())
}

/// The chunks follow each other without a gap from the header to the sessions.
pub(crate) fn check_index(footer: &Footer, chunks: &[ChunkEntry]) -> Result<(), Fault> {
    check_count(footer.chunk_count, chunks.len())?;
    let mut at = HEADER_BYTES as u64;
    let mut node_count = 0;
    for entry in chunks {
        if entry.offset != at {
            return Err(Fault::Extent { expected: at, found: entry.offset });
        }
        chunk::check_entry(entry)?;
        at += u64::from(entry.bytes);
        node_count += u64::from(entry.record_count);
    }
    if at != footer.sessions.offset {
        return Err(Fault::Extent { expected: footer.sessions.offset, found: at });
    }
    if node_count != footer.node_count {
        return Err(Fault::Count { expected: footer.node_count, found: node_count });
    }
    if node_count == 0 {
        return Err(Fault::NoRoot);
    }
    Ok(())
}

fn check_count(expected: u32, found: usize) -> Result<(), Fault> {
    let (expected, found) = (expected.into(), found as u64);
    if expected == found { Ok(()) } else { Err(Fault::Count { expected, found }) }
}
