//! A snapshot's summary and health, for people.

use std::fmt;
use std::path::Path;

use disk::Disk;
use model::zxid::Zxid;

use crate::directory::Candidate;
use crate::error::{Fault, LoadError};
use crate::loader::{Contents, Loader};

/// The result of inspecting a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Everything in it but its records.
    pub contents: Contents,
    /// What the chunks hold, if they were read.
    pub health: Option<Health>,
}

/// The result of reading all chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Damaged chunks: number, where in the chunk, and what.
    pub damaged: Vec<(u32, usize, Fault)>,
    /// The digest over the records of all others.
    pub digest: u64,
}

impl Report {
    /// Whether everything was read and is as it should be.
    pub fn is_whole(&self) -> bool {
        let expected = self.contents.head.digest;
        self.health.as_ref().is_some_and(|it| it.damaged.is_empty() && it.digest == expected)
    }
}

/// Inspects the snapshot at `zxid`; with `read_chunks` every record too, continuing past damaged
/// chunks.
///
/// # Errors
/// If header, footer, index, sessions or ACLs are damaged: then nothing can be said about the rest.
pub async fn inspect<D: Disk>(
    disk: &D,
    directory: &Path,
    zxid: Zxid,
    read_chunks: bool,
) -> Result<Report, LoadError> {
    inspect_loader(Loader::open(disk, directory, zxid).await?, read_chunks).await
}

/// The same for one that was [listed](crate::list), or [found](crate::received::find).
///
/// # Errors
/// As [`inspect`].
pub async fn inspect_candidate<D: Disk>(
    disk: &D,
    candidate: &Candidate,
    read_chunks: bool,
) -> Result<Report, LoadError> {
    inspect_loader(Loader::open_candidate(disk, candidate).await?, read_chunks).await
}

async fn inspect_loader<D: Disk>(
    mut loader: Loader<'_, D>,
    read_chunks: bool,
) -> Result<Report, LoadError> {
    let health = if read_chunks {
        let (damaged, digest) = loader.verify().await?;
        Some(Health { damaged, digest })
    } else {
        None
    };
    Ok(Report { contents: loader.contents().clone(), health })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contents { file, file_bytes, created_by, head, sessions, acls, chunks } =
            &self.contents;
        writeln!(f, "file        {} ({file_bytes} bytes)", file.display())?;
        writeln!(f, "created by  {created_by}")?;
        writeln!(f, "zxid        {} in epoch {}", head.zxid, head.epoch.0)?;
        writeln!(f, "seed        {:016x} {:016x}", head.seed[0], head.seed[1])?;
        writeln!(f, "nodes       {} with {} bytes", head.node_count, head.data_bytes)?;
        writeln!(f, "digest      {:#x}", head.digest)?;
        writeln!(f, "sessions    {}", sessions.len())?;
        writeln!(f, "ACLs        {}", acls.len())?;
        writeln!(f, "chunks      {}", chunks.len())?;
        writeln!(
            f,
            "{:>8} {:>14} {:>9} {:>9} {:>10}",
            "chunk", "offset", "bytes", "records", "crc32c"
        )?;
        for (number, chunk) in chunks.iter().enumerate() {
            let (offset, bytes, count) = (chunk.offset, chunk.bytes, chunk.record_count);
            writeln!(f, "{number:>8} {offset:>14} {bytes:>9} {count:>9} {:#010x}", chunk.crc32c)?;
        }
        let Some(health) = &self.health else { return Ok(()) };
        for (number, at, fault) in &health.damaged {
            writeln!(f, "chunk {number} is damaged at {at}: {fault}")?;
        }
        if health.damaged.is_empty() && health.digest != head.digest {
            writeln!(f, "the records make the digest {:#x}", health.digest)?;
        }
        writeln!(f, "{}", if self.is_whole() { "whole" } else { "damaged" })
    }
}
