//! The first block of a segment.

use disk::BLOCK_BYTES;
use model::zxid::Zxid;

use super::SegmentNumber;
use crate::limits::SEGMENT_HEADER_BYTES;
use disk::layout::{Field, is_dense};

/// The first eight bytes of every segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"RKLOGSEG";

/// The only version there is.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: Field = Field::new("magic", 0, 8);
const VERSION: Field = Field::new("version", 8, 4);
const CRC: Field = Field::new("crc32c", 12, 4);
const NUMBER: Field = Field::new("segment_number", 16, 8);
const BYTES: Field = Field::new("segment_bytes", 24, 8);
const SEED: Field = Field::new("seed", 32, 8);
const START: Field = Field::new("start", 40, 8);
const CONTINUES_FROM: Field = Field::new("continues_from", 48, 8);
const ZEROS: Field = Field::new("zeros", 56, 4040);

/// The layout of a segment's first block.
pub const SEGMENT_HEADER: [Field; 9] =
    [MAGIC, VERSION, CRC, NUMBER, BYTES, SEED, START, CONTINUES_FROM, ZEROS];
const _: () = assert!(is_dense(&SEGMENT_HEADER, SEGMENT_HEADER_BYTES));
const _: () = assert!(SEGMENT_HEADER_BYTES == BLOCK_BYTES);

const START_FOLLOWS: u64 = 0;
const START_RESTART: u64 = 1;

/// How a segment continues what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Its first batch follows the last one of the segment before: same run.
    Follows,
    /// A new run begins: the log is everything before up to `continues_from`, then this segment.
    /// What earlier segments hold behind that zxid is cut.
    Restart {
        /// The zxid that the first record here comes after.
        continues_from: Zxid,
    },
}

/// What a segment states about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its number, which is in its file name too.
    pub number: SegmentNumber,
    /// Its length, this header included.
    pub segment_bytes: u64,
    /// What the checksums of its batches begin with; no two uses of a file share one.
    pub seed: u64,
    /// How it continues what came before.
    pub start: Start,
}

/// Why a first block is not a segment's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// It begins with something else.
    Magic {
        /// What was found.
        found: [u8; 8],
    },
    /// A later version of Ringkeeper wrote it.
    Version {
        /// What was found.
        found: u32,
    },
    /// Its checksum does not fit its bytes.
    Crc {
        /// What the bytes make.
        expected: u32,
        /// What is written.
        found: u32,
    },
    /// A value that version 1 does not have, although the checksum fits.
    Start {
        /// What was found.
        found: u64,
    },
}

impl SegmentHeader {
    /// Writes the header over `block`.
    ///
    /// # Panics
    /// If `block` is not of one block.
    pub fn encode(&self, block: &mut [u8]) {
        assert_eq!(block.len(), SEGMENT_HEADER_BYTES);
        block.fill(0);
        block[..MAGIC.end()].copy_from_slice(&SEGMENT_MAGIC);
        VERSION.put_le(block, FORMAT_VERSION as u64);
        NUMBER.put_le(block, self.number.0);
        BYTES.put_le(block, self.segment_bytes);
        SEED.put_le(block, self.seed);
        if let Start::Restart { continues_from } = self.start {
            START.put_le(block, START_RESTART);
            CONTINUES_FROM.put_le(block, continues_from.0 as u64);
        }
        CRC.put_le(block, crc_of(block) as u64);
    }

    /// Reads the header from a segment's first block.
    ///
    /// # Panics
    /// If `block` is not of one block.
    pub fn decode(block: &[u8]) -> Result<Self, HeaderFault> {
        assert_eq!(block.len(), SEGMENT_HEADER_BYTES);
        if block[..MAGIC.end()] != SEGMENT_MAGIC {
            let found = block[..MAGIC.end()].try_into().expect("eight bytes");
            return Err(HeaderFault::Magic { found });
        }
        let version = VERSION.take_le(block) as u32;
        if version != FORMAT_VERSION {
            return Err(HeaderFault::Version { found: version });
        }
        let (expected, found) = (crc_of(block), CRC.take_le(block) as u32);
        if expected != found {
            return Err(HeaderFault::Crc { expected, found });
        }
        let start = match START.take_le(block) {
            START_FOLLOWS => Start::Follows,
            START_RESTART => {
                Start::Restart { continues_from: Zxid(CONTINUES_FROM.take_le(block) as i64) }
            }
            found => return Err(HeaderFault::Start { found }),
        };
        Ok(Self {
            number: SegmentNumber(NUMBER.take_le(block)),
            segment_bytes: BYTES.take_le(block),
            seed: SEED.take_le(block),
            start,
        })
    }
}

fn crc_of(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[..CRC.offset]), &block[CRC.end()..])
}
