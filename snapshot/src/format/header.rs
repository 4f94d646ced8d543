//! The first block of a file.

use super::crc_around;
use crate::limits::HEADER_BYTES;
use disk::layout::{Field, is_dense};

/// The first eight bytes of every snapshot.
pub const MAGIC: [u8; 8] = *b"RKSNPSHT";

/// The only version there is.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC_FIELD: Field = Field::new("magic", 0, 8);
const VERSION: Field = Field::new("version", 8, 4);
const CRC: Field = Field::new("crc32c", 12, 4);
const SEED_0: Field = Field::new("seed_0", 16, 8);
const SEED_1: Field = Field::new("seed_1", 24, 8);
const CREATED_BY: Field = Field::new("created_by", 32, 64);
const ZEROS: Field = Field::new("zeros", 96, 4000);

/// The layout of the first block. Magic, version and checksum stay where they are in every version.
pub const HEADER: [Field; 7] = [MAGIC_FIELD, VERSION, CRC, SEED_0, SEED_1, CREATED_BY, ZEROS];
const _: () = assert!(is_dense(&HEADER, HEADER_BYTES));

/// The content of the first block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The seed that decides the order of records.
    pub seed: [u64; 2],
    /// Which program wrote it: at most 64 bytes, cut there.
    pub created_by: String,
}

/// Why a first block is not a snapshot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// It begins with something else.
    Magic {
        /// What was found.
        found: [u8; 8],
    },
    /// Its checksum does not match its bytes.
    Crc {
        /// What is written.
        expected: u32,
        /// What the bytes make.
        found: u32,
    },
    /// A later version of Ringkeeper wrote it.
    Version {
        /// What was found, with a matching checksum.
        found: u32,
    },
}

impl Header {
    /// Writes the header over `block` and returns its checksum.
    ///
    /// # Panics
    /// If `block` is not of one block.
    pub fn encode(&self, block: &mut [u8]) -> u32 {
        assert_eq!(block.len(), HEADER_BYTES);
        block.fill(0);
        block[..MAGIC_FIELD.end()].copy_from_slice(&MAGIC);
        VERSION.put_be(block, FORMAT_VERSION.into());
        SEED_0.put_be(block, self.seed[0]);
        SEED_1.put_be(block, self.seed[1]);
        let name = self.created_by.as_bytes();
        let name = &name[..name.len().min(CREATED_BY.bytes)];
        block[CREATED_BY.offset..][..name.len()].copy_from_slice(name);
        let crc = crc_around(&CRC, block);
        CRC.put_be(block, crc.into());
        crc
    }

    /// Reads the header from a file's first block, and its checksum.
    ///
    /// # Panics
    /// If `block` is not of one block.
    pub fn decode(block: &[u8]) -> Result<(Self, u32), HeaderFault> {
        assert_eq!(block.len(), HEADER_BYTES);
        if block[..MAGIC_FIELD.end()] != MAGIC {
            let found = block[..MAGIC_FIELD.end()].try_into().expect("eight bytes");
            return Err(HeaderFault::Magic { found });
        }
        let (expected, found) = (CRC.take_be(block) as u32, crc_around(&CRC, block));
        if expected != found {
            return Err(HeaderFault::Crc { expected, found });
        }
        let version = VERSION.take_be(block) as u32;
        if version != FORMAT_VERSION {
            return Err(HeaderFault::Version { found: version });
        }
        let name = &block[CREATED_BY.offset..CREATED_BY.end()];
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let created_by = String::from_utf8_lossy(name).into_owned();
        Ok((Self { seed: [SEED_0.take_be(block), SEED_1.take_be(block)], created_by }, found))
    }
}
