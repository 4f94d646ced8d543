//! What is in a file, ours or `ZooKeeper`'s: item by item, for people and for scripts.
//!
//! A file is recognised by its first bytes. An inspection ends whatever the file holds: damage is
//! an item too, with its place, what was expected and found, and what can be done.
//!
//! Map: [`item`] (what is shown), `stock` and `ours` (the readers).

pub mod item;
mod ours;
mod stock;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use item::{Damage, Item};
pub use ours::{our_log, our_snapshot};
pub use stock::{stock_log, stock_snapshot};

use crate::stock::compression::Compression;
use crate::stock::{LOG_MAGIC, SNAPSHOT_MAGIC};

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A log of `ZooKeeper`.
    StockLog,
    /// A snapshot of `ZooKeeper`, packed in this way.
    StockSnapshot(Compression),
    /// A segment of our log.
    OurLog,
    /// A snapshot of ours.
    OurSnapshot,
    /// None of them; these are its first bytes.
    Unknown(Vec<u8>),
}

/// How many bytes distinguish the formats.
const MAGIC_BYTES: u64 = 8;

/// What the file at `path` is, by its first bytes.
pub fn format_of(path: &Path) -> io::Result<Format> {
    let mut begin = Vec::new();
    File::open(path)?.take(MAGIC_BYTES).read_to_end(&mut begin)?;
    let compression = Compression::of_magic(&begin);
    Ok(if begin.starts_with(&LOG_MAGIC) {
        Format::StockLog
    } else if begin.starts_with(&SNAPSHOT_MAGIC) || compression != Compression::None {
        Format::StockSnapshot(compression)
    } else if begin.starts_with(&txlog::format::SEGMENT_MAGIC) {
        Format::OurLog
    } else if begin.starts_with(&::snapshot::format::MAGIC) {
        Format::OurSnapshot
    } else {
        Format::Unknown(begin)
    })
}

/// The newest log or snapshot in a directory or one level below it, for a user who named the
/// directory.
pub fn example_in(directory: &Path, is_log: bool) -> Option<PathBuf> {
    let inside = |directory: &Path| {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let entries = inside(directory);
    let below = entries.iter().filter(|path| path.is_dir()).flat_map(|path| inside(path));
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let beginnings: &[&str] = if is_log { &["log.", "log-0"] } else { &["snapshot."] };
        beginnings.iter().any(|beginning| name.starts_with(beginning))
    };
    // Hexadecimal without leading zeros: a longer name is later.
    let files = entries.iter().cloned().chain(below).filter(is_meant);
    files.max_by_key(|path| (path.as_os_str().len(), path.clone()))
}

/// Receives the items; an error ends the inspection.
pub type Show<'a> = &'a mut dyn FnMut(&Item) -> io::Result<()>;
