//! The bytes of a snapshot. All numbers are big-endian, everything begins on a 4 KiB block.
//!
//! The header is a fixed layout, so that every version of Ringkeeper can recognise that of another;
//! what follows the chunks are rkyv archives of alignment 1, validated before they are used. The
//! tables [`HEADER`], [`FOOTER`] and [`layouts`] are what `docs/snapshot_format.md` is compared
//! with.

mod footer;
mod header;
mod sections;
#[cfg(test)]
mod tests;

use rkyv::api::high::{HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Portable, Serialize};

use crate::error::Fault;
use disk::layout::Field;

pub use footer::{Extent, FOOTER, FOOTER_MAGIC, Footer};
pub use header::{FORMAT_VERSION, HEADER, Header, HeaderFault, MAGIC};
pub use sections::{AclSection, ChunkEntry, Index, SessionSection};

/// The layouts of the archives, by their names in the document.
pub fn layouts() -> Vec<(&'static str, Vec<Field>)> {
    let mut all = footer::layouts();
    all.extend(sections::layouts());
    all
}

/// The crc32c of a block without the four bytes of the checksum's own field.
fn crc_around(field: &Field, block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[..field.offset]), &block[field.end()..])
}

/// The archive of `value`; `None` if it is larger than an archive can be.
pub(crate) fn archive(
    value: &impl for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, rancor::Failure>>,
) -> Option<AlignedVec> {
    rkyv::to_bytes::<rancor::Failure>(value).ok()
}

/// `bytes` as the validated archive of a `T`.
pub(crate) fn access<T>(bytes: &[u8]) -> Result<&T::Archived, Fault>
where
    T: Archive,
    T::Archived: Portable + for<'a> CheckBytes<HighValidator<'a, rancor::Failure>>,
{
    rkyv::access::<T::Archived, rancor::Failure>(bytes).map_err(|_| Fault::Archive)
}
