//! The first block of a segment.

use disk::BLOCK_BYTES;
use model::zxid::{Epoch, Zxid};

use super::SegmentNumber;
use crate::limits::SEGMENT_HEADER_BYTES;
use disk::layout::{Field, is_dense};

/// The first eight bytes of every segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"RKLOGSEG";

/// The version of every segment that is made.
pub const FORMAT_VERSION: u32 = FormatVersion::CURRENT.number();

/// How the bytes of a segment are laid out: its header, and those of its batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FormatVersion {
    /// Nothing states what is committed: everything durable is. Read, and never written, except
    /// where [`trim`](fn@crate::trim) copies what is there.
    V1,
    /// Runs and batches state what is committed.
    V2,
}

impl FormatVersion {
    /// The one that is written.
    pub const CURRENT: Self = Self::V2;

    /// How a header states it.
    pub const fn number(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    const fn of(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            2 => Some(Self::V2),
            _ => None,
        }
    }
}

const MAGIC: Field = Field::new("magic", 0, 8);
const VERSION: Field = Field::new("version", 8, 4);
const CRC: Field = Field::new("crc32c", 12, 4);
const NUMBER: Field = Field::new("segment_number", 16, 8);
const BYTES: Field = Field::new("segment_bytes", 24, 8);
const SEED: Field = Field::new("seed", 32, 8);
const START: Field = Field::new("start", 40, 8);
const CONTINUES_FROM: Field = Field::new("continues_from", 48, 8);
const COMMITTED_THROUGH: Field = Field::new("committed_through", 56, 8);
const EPOCH: Field = Field::new("epoch", 64, 4);
const ZEROS: Field = Field::new("zeros", 68, 4028);

/// The layout of a segment's first block.
pub const SEGMENT_HEADER: [Field; 11] = [
    MAGIC,
    VERSION,
    CRC,
    NUMBER,
    BYTES,
    SEED,
    START,
    CONTINUES_FROM,
    COMMITTED_THROUGH,
    EPOCH,
    ZEROS,
];
const _: () = assert!(is_dense(&SEGMENT_HEADER, SEGMENT_HEADER_BYTES));
const _: () = assert!(SEGMENT_HEADER_BYTES == BLOCK_BYTES);

const START_FOLLOWS: u64 = 0;
const START_RESTART: u64 = 1;
const START_RECEIVED: u64 = 2;

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
        /// How far the history was known to be committed when the run began, at most
        /// `continues_from`; that itself in version 1.
        committed_through: Zxid,
        /// `None`: the run counts at once. Otherwise it begins with a snapshot that was received
        /// from a leader, at `continues_from`: while the server's current epoch is lower than this
        /// one, run and snapshot are ignored; from then on nothing of earlier runs counts, not even
        /// what comes before `continues_from`.
        counts_from: Option<Epoch>,
    },
}

/// What a segment states about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// How it is laid out.
    pub version: FormatVersion,
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
    /// A value that its version does not have, although the checksum fits.
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
        VERSION.put_le(block, self.version.number().into());
        NUMBER.put_le(block, self.number.0);
        BYTES.put_le(block, self.segment_bytes);
        SEED.put_le(block, self.seed);
        if let Start::Restart { continues_from, committed_through, counts_from } = self.start {
            START.put_le(block, START_RESTART);
            CONTINUES_FROM.put_le(block, continues_from.0 as u64);
            if self.version > FormatVersion::V1 {
                assert!(committed_through <= continues_from, "{committed_through} is committed");
                COMMITTED_THROUGH.put_le(block, committed_through.0 as u64);
                if let Some(epoch) = counts_from {
                    START.put_le(block, START_RECEIVED);
                    EPOCH.put_le(block, epoch.0.into());
                }
            }
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
        let version = FormatVersion::of(version).ok_or(HeaderFault::Version { found: version })?;
        let (expected, found) = (crc_of(block), CRC.take_le(block) as u32);
        if expected != found {
            return Err(HeaderFault::Crc { expected, found });
        }
        let start = match START.take_le(block) {
            START_FOLLOWS => Start::Follows,
            found @ (START_RESTART | START_RECEIVED) => {
                let continues_from = Zxid(CONTINUES_FROM.take_le(block) as i64);
                let committed_through = match version {
                    FormatVersion::V1 => continues_from,
                    FormatVersion::V2 => {
                        Zxid(COMMITTED_THROUGH.take_le(block) as i64).min(continues_from)
                    }
                };
                let counts_from = match (found, version) {
                    (START_RESTART, _) => None,
                    (_, FormatVersion::V2) => Some(Epoch(EPOCH.take_le(block) as u32)),
                    (_, FormatVersion::V1) => return Err(HeaderFault::Start { found }),
                };
                Start::Restart { continues_from, committed_through, counts_from }
            }
            found => return Err(HeaderFault::Start { found }),
        };
        Ok(Self {
            version,
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
