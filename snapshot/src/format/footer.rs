//! The last block of a file, written last.

use std::mem::offset_of;

use super::{access, archive, crc_around};
use crate::error::Fault;
use crate::limits::FOOTER_BYTES;
use disk::layout::{Field, is_dense};

/// The first eight bytes of the last block.
pub const FOOTER_MAGIC: [u8; 8] = *b"RKSNPEND";

const MAGIC: Field = Field::new("magic", 0, 8);
const CRC: Field = Field::new("crc32c", 8, 4);
const ZERO: Field = Field::new("zero", 12, 4);
const ARCHIVE: Field = Field::new("footer", 16, size_of::<ArchivedFooter>());
const ZEROS: Field = Field::new("zeros", ARCHIVE.end(), FOOTER_BYTES - ARCHIVE.end());

/// The layout of the last block.
pub const FOOTER: [Field; 5] = [MAGIC, CRC, ZERO, ARCHIVE, ZEROS];
const _: () = assert!(is_dense(&FOOTER, FOOTER_BYTES));

/// Where a section lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize)]
pub struct Extent {
    /// Where it begins in the file: a whole block.
    pub offset: u64,
    /// Length of the archive. It is padded with zeros to whole blocks.
    pub bytes: u64,
    /// Checksum of archive and padding.
    pub crc32c: u32,
}

/// The content of the last block. All of it has a fixed size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize)]
pub struct Footer {
    /// The last txn in it.
    pub zxid: i64,
    /// The epoch that the server was in.
    pub epoch: u32,
    /// Count of chunks.
    pub chunk_count: u32,
    /// Count of records.
    pub node_count: u64,
    /// The digest over all nodes.
    pub digest: u64,
    /// The sum of the lengths of paths and data.
    pub data_bytes: u64,
    /// Count of sessions.
    pub session_count: u32,
    /// Count of ACLs.
    pub acl_count: u32,
    /// The header's checksum, which ties both together.
    pub header_crc32c: u32,
    /// The sessions; they follow the last chunk.
    pub sessions: Extent,
    /// The ACLs; they follow the sessions.
    pub acls: Extent,
    /// The chunk index; it follows the ACLs, and the last block follows it.
    pub index: Extent,
    /// Length of the file.
    pub file_bytes: u64,
}

const _: () = assert!(align_of::<ArchivedFooter>() == 1 && size_of::<ArchivedFooter>() == 120);

impl Footer {
    /// Writes the footer over `block`.
    ///
    /// # Panics
    /// If `block` is not of one block.
    pub fn encode(&self, block: &mut [u8]) {
        assert_eq!(block.len(), FOOTER_BYTES);
        block.fill(0);
        block[..MAGIC.end()].copy_from_slice(&FOOTER_MAGIC);
        let bytes = archive(self).expect("a footer has a fixed size");
        block[ARCHIVE.offset..ARCHIVE.end()].copy_from_slice(&bytes);
        let crc = crc_around(&CRC, block);
        CRC.put_be(block, crc.into());
    }

    /// Reads the footer from a file's last block.
    ///
    /// # Panics
    /// If `block` is not of one block.
    pub fn decode(block: &[u8]) -> Result<Self, Fault> {
        assert_eq!(block.len(), FOOTER_BYTES);
        if block[..MAGIC.end()] != FOOTER_MAGIC {
            let found = block[..MAGIC.end()].try_into().expect("eight bytes");
            return Err(Fault::Magic { found });
        }
        let (expected, found) = (CRC.take_be(block) as u32, crc_around(&CRC, block));
        if expected != found {
            return Err(Fault::Crc { expected, found });
        }
        let archived = access::<Self>(&block[ARCHIVE.offset..ARCHIVE.end()])?;
        let extent = |extent: &ArchivedExtent| Extent {
            offset: extent.offset.to_native(),
            bytes: extent.bytes.to_native(),
            crc32c: extent.crc32c.to_native(),
        };
        Ok(Self {
            zxid: archived.zxid.to_native(),
            epoch: archived.epoch.to_native(),
            chunk_count: archived.chunk_count.to_native(),
            node_count: archived.node_count.to_native(),
            digest: archived.digest.to_native(),
            data_bytes: archived.data_bytes.to_native(),
            session_count: archived.session_count.to_native(),
            acl_count: archived.acl_count.to_native(),
            header_crc32c: archived.header_crc32c.to_native(),
            sessions: extent(&archived.sessions),
            acls: extent(&archived.acls),
            index: extent(&archived.index),
            file_bytes: archived.file_bytes.to_native(),
        })
    }
}

/// The fields of an archived struct, each reaching to the next one.
macro_rules! layout {
    ($type:ty: $($field:ident),+) => {{
        let starts = [$((stringify!($field), offset_of!($type, $field))),+];
        let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([size_of::<$type>()]);
        let fields = starts.iter().zip(ends);
        fields.map(|((name, start), end)| Field::new(name, *start, end - start)).collect()
    }};
}
pub(super) use layout;

pub(super) fn layouts() -> Vec<(&'static str, Vec<Field>)> {
    let footer = layout!(ArchivedFooter: zxid, epoch, chunk_count, node_count, digest, data_bytes,
        session_count, acl_count, header_crc32c, sessions, acls, index, file_bytes);
    vec![("footer", footer), ("extent", layout!(ArchivedExtent: offset, bytes, crc32c))]
}
