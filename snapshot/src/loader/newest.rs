//! The newest snapshot that is whole.

use std::path::Path;

use disk::Disk;

use super::{Contents, Loader, Origin, Unit};
use crate::directory::{Candidate, list};
use crate::error::{Fault, LoadError, Part};

/// The builder of a tree from what is loaded.
pub trait ImageSink {
    /// A snapshot follows. What came from an earlier one is void: it turned out damaged.
    fn begin(&mut self, contents: &Contents);

    /// The next unit of it.
    fn push(&mut self, unit: Unit) -> Result<(), Refused>;
}

/// The tree refuses a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The chunk it is in.
    pub chunk: u32,
    /// Where it begins in the file.
    pub file_offset: u64,
}

impl Refused {
    /// The record that begins at `at` in a unit whose bytes come from there.
    pub fn at(origins: &[Origin], at: usize) -> Self {
        let row = origins.partition_point(|origin| origin.at <= at).saturating_sub(1);
        origins.get(row).map_or(Self { chunk: 0, file_offset: 0 }, |origin| Self {
            chunk: origin.chunk,
            file_offset: origin.file_offset + at.saturating_sub(origin.at) as u64,
        })
    }
}

/// What there was to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Newest {
    /// No snapshot at all.
    None,
    /// The newest one.
    Loaded(Contents),
    /// An older one, because those after it are damaged. It is right only together with a log that
    /// reaches back to it: the caller must check that there is one before it continues.
    Older {
        /// The one that was loaded.
        contents: Contents,
        /// What is wrong with those after it, newest first.
        damaged: Vec<LoadError>,
    },
    /// There are some, and all are damaged: not the same as none.
    Damaged(Vec<LoadError>),
}

/// Loads the newest snapshot of `directory` that is whole into `sink`.
///
/// # Errors
/// If the directory cannot be read, memory is short, or the newest undamaged one is of a later
/// version: then an older one is no substitute.
pub async fn load_newest<D: Disk>(
    disk: &D,
    directory: &Path,
    sink: &mut impl ImageSink,
) -> Result<Newest, LoadError> {
    let candidates = list(disk, directory).await?;
    load_newest_of(disk, &candidates, sink).await
}

/// Loads the first of these snapshots, newest first, that is whole into `sink`.
///
/// # Errors
/// As [`load_newest`].
pub async fn load_newest_of<D: Disk>(
    disk: &D,
    candidates: &[Candidate],
    sink: &mut impl ImageSink,
) -> Result<Newest, LoadError> {
    let mut damaged = Vec::new();
    for candidate in candidates {
        let loaded = match Loader::open_candidate(disk, candidate).await {
            Ok(loader) => load(loader, sink).await,
            Err(error) => Err(error),
        };
        match loaded {
            Ok(contents) if damaged.is_empty() => return Ok(Newest::Loaded(contents)),
            Ok(contents) => return Ok(Newest::Older { contents, damaged }),
            Err(error) if error.is_damage() => damaged.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(if damaged.is_empty() { Newest::None } else { Newest::Damaged(damaged) })
}

async fn load<D: Disk>(
    mut loader: Loader<'_, D>,
    sink: &mut impl ImageSink,
) -> Result<Contents, LoadError> {
    sink.begin(loader.contents());
    while let Some(unit) = loader.next_unit().await? {
        sink.push(unit).map_err(|refused| {
            let part = Part::Chunk(refused.chunk);
            loader.contents().corrupt(part, refused.file_offset, Fault::Refused)
        })?;
    }
    Ok(loader.contents)
}
