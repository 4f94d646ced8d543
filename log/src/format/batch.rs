//! A batch: its header, and the records in it.

use disk::limits::block_align_up;
use model::zxid::Zxid;

use super::{FormatVersion, SegmentHeader, SegmentNumber, Sequence};
use disk::layout::{Field, is_dense};

/// What every batch has behind its checksum.
pub const BATCH_MAGIC: u32 = u32::from_le_bytes(*b"RKBT");

const CRC: Field = Field::new("crc32c", 0, 4);
const MAGIC: Field = Field::new("magic", 4, 4);
const SEGMENT: Field = Field::new("segment_number", 8, 8);
const SEQUENCE: Field = Field::new("sequence", 16, 8);
const PAYLOAD_BYTES: Field = Field::new("payload_bytes", 24, 4);
const RECORD_COUNT: Field = Field::new("record_count", 28, 4);
const PREDECESSOR_CRC: Field = Field::new("predecessor_crc32c", 32, 4);
const FLAGS: Field = Field::new("flags", 36, 4);
const DURABLE_SEQUENCE: Field = Field::new("durable_sequence", 40, 8);
const DURABLE_THROUGH: Field = Field::new("durable_through", 48, 8);
const PRIOR: Field = Field::new("prior_zxid", 56, 8);
const FIRST: Field = Field::new("first_zxid", 64, 8);
const LAST: Field = Field::new("last_zxid", 72, 8);
const COMMITTED_THROUGH: Field = Field::new("committed_through", 80, 8);

/// The layout of a batch's header. Version 1 ends before the last field.
pub const BATCH_HEADER: [Field; 14] = [
    CRC,
    MAGIC,
    SEGMENT,
    SEQUENCE,
    PAYLOAD_BYTES,
    RECORD_COUNT,
    PREDECESSOR_CRC,
    FLAGS,
    DURABLE_SEQUENCE,
    DURABLE_THROUGH,
    PRIOR,
    FIRST,
    LAST,
    COMMITTED_THROUGH,
];

/// Set in the last batch of a run that ended cleanly: nothing was written behind it.
const FLAG_END: u64 = 1;

/// The length of a batch's header.
pub const BATCH_HEADER_BYTES: usize = 88;
const _: () = assert!(is_dense(&BATCH_HEADER, BATCH_HEADER_BYTES));

const RECORD_ZXID: Field = Field::new("zxid", 0, 8);
const RECORD_BYTES: Field = Field::new("txn_bytes", 8, 4);

/// The layout of a record's header, which precedes each txn.
pub const RECORD_HEADER: [Field; 2] = [RECORD_ZXID, RECORD_BYTES];

/// The length of a record's header.
pub const RECORD_HEADER_BYTES: usize = 12;
const _: () = assert!(is_dense(&RECORD_HEADER, RECORD_HEADER_BYTES));

/// What a batch states about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// How it is laid out: as its segment.
    pub version: FormatVersion,
    /// The checksum over seed, header and payload.
    pub crc: u32,
    /// The segment it was written into.
    pub segment: SegmentNumber,
    /// Its number in the run.
    pub sequence: Sequence,
    /// The length of its records.
    pub payload_bytes: u32,
    /// How many records there are; none in a batch that only states what is durable.
    pub record_count: u32,
    /// The checksum of the batch before it in the run; 0 for the first.
    pub predecessor_crc: u32,
    /// Whether the run ended cleanly with it: nothing was written behind it.
    pub is_end: bool,
    /// The last batch of the run known to be durable, with all before it, when this one left.
    pub durable_sequence: Sequence,
    /// The same as a zxid.
    pub durable_through: Zxid,
    /// The zxid of the last record before this batch.
    pub prior: Zxid,
    /// The zxid of its first record; `prior` without one.
    pub first: Zxid,
    /// The zxid of its last record; `prior` without one.
    pub last: Zxid,
    /// How far the history was known to be committed when this one left, at most `last`; that
    /// itself in version 1, where whatever is found durable counts as committed.
    pub committed_through: Zxid,
}

impl FormatVersion {
    /// The length of a batch's header.
    pub const fn batch_header_bytes(self) -> usize {
        match self {
            Self::V1 => COMMITTED_THROUGH.offset,
            Self::V2 => BATCH_HEADER_BYTES,
        }
    }
}

/// Why there is no valid batch at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    /// The segment ends before another header.
    #[error("the segment ends")]
    SegmentEnd,
    /// No batch of this segment was ever begun here: zeros, or the old content of a recycled file.
    #[error("nothing of this segment is written there (magic 0x{found:08x})")]
    Unwritten {
        /// What is found in place of the magic.
        found: u32,
    },
    /// It would reach beyond the segment, or has more records than bytes.
    #[error("a length of {found} bytes where at most {max} are possible")]
    Length {
        /// What the header states.
        found: u64,
        /// What there is room for.
        max: u64,
    },
    /// The checksum does not fit the bytes.
    #[error("checksum 0x{found:08x} where the bytes make 0x{expected:08x}")]
    Crc {
        /// What the bytes make.
        expected: u32,
        /// What is written.
        found: u32,
    },
    /// A valid batch, but not the next one.
    #[error("batch {found} where {expected} was expected")]
    Sequence {
        /// The next one.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// The next batch by number, but it follows another one than was read.
    #[error("predecessor 0x{found:08x} where 0x{expected:08x} was read")]
    Predecessor {
        /// The checksum of the batch that was read before.
        expected: u32,
        /// What the batch states.
        found: u32,
    },
    /// Its records do not add up although the checksum fits: not written in this format.
    #[error("record {index} of {count} does not fit")]
    Records {
        /// Which record.
        index: u32,
        /// How many the header states.
        count: u32,
    },
}

impl BatchHeader {
    /// Its size on disk, padding included.
    pub const fn padded_bytes(&self) -> usize {
        block_align_up(self.bytes())
    }

    /// Its size without padding.
    pub const fn bytes(&self) -> usize {
        self.version.batch_header_bytes() + self.payload_bytes as usize
    }

    /// Writes the header over the first bytes of `batch`, which holds the payload behind them and
    /// nothing else, and computes the checksum. `self.crc` and the two lengths need not be set.
    ///
    /// # Panics
    /// If it is of an older version.
    pub fn seal(&mut self, batch: &mut [u8], seed: u64) {
        assert_eq!(self.version, FormatVersion::CURRENT, "an older format is never written");
        self.payload_bytes = (batch.len() - BATCH_HEADER_BYTES) as u32;
        MAGIC.put_le(batch, BATCH_MAGIC as u64);
        SEGMENT.put_le(batch, self.segment.0);
        SEQUENCE.put_le(batch, self.sequence.0);
        PAYLOAD_BYTES.put_le(batch, self.payload_bytes as u64);
        RECORD_COUNT.put_le(batch, self.record_count as u64);
        PREDECESSOR_CRC.put_le(batch, self.predecessor_crc as u64);
        FLAGS.put_le(batch, if self.is_end { FLAG_END } else { 0 });
        DURABLE_SEQUENCE.put_le(batch, self.durable_sequence.0);
        DURABLE_THROUGH.put_le(batch, self.durable_through.0 as u64);
        PRIOR.put_le(batch, self.prior.0 as u64);
        FIRST.put_le(batch, self.first.0 as u64);
        LAST.put_le(batch, self.last.0 as u64);
        COMMITTED_THROUGH.put_le(batch, self.committed_through.0 as u64);
        self.crc = crc_of(batch, seed);
        CRC.put_le(batch, self.crc as u64);
    }

    /// Reads a header; rejects whatever would lead beyond `room_bytes`, which is how much of the
    /// segment is left from here. The checksum is checked by [`verify`](Self::verify).
    pub fn decode(
        bytes: &[u8],
        segment: &SegmentHeader,
        room_bytes: u64,
    ) -> Result<Self, BatchFault> {
        let magic = MAGIC.take_le(bytes) as u32;
        if magic != BATCH_MAGIC || SEGMENT.take_le(bytes) != segment.number.0 {
            return Err(BatchFault::Unwritten { found: magic });
        }
        let payload_bytes = PAYLOAD_BYTES.take_le(bytes);
        let version = segment.version;
        let max = room_bytes.saturating_sub(version.batch_header_bytes() as u64);
        if payload_bytes > max {
            return Err(BatchFault::Length { found: payload_bytes, max });
        }
        let last = Zxid(LAST.take_le(bytes) as i64);
        Ok(Self {
            version,
            crc: CRC.take_le(bytes) as u32,
            segment: segment.number,
            sequence: Sequence(SEQUENCE.take_le(bytes)),
            payload_bytes: payload_bytes as u32,
            record_count: RECORD_COUNT.take_le(bytes) as u32,
            predecessor_crc: PREDECESSOR_CRC.take_le(bytes) as u32,
            is_end: FLAGS.take_le(bytes) & FLAG_END != 0,
            durable_sequence: Sequence(DURABLE_SEQUENCE.take_le(bytes)),
            durable_through: Zxid(DURABLE_THROUGH.take_le(bytes) as i64),
            prior: Zxid(PRIOR.take_le(bytes) as i64),
            first: Zxid(FIRST.take_le(bytes) as i64),
            last,
            committed_through: match version {
                FormatVersion::V1 => last,
                FormatVersion::V2 => Zxid(COMMITTED_THROUGH.take_le(bytes) as i64).min(last),
            },
        })
    }

    /// Checks the whole batch, header and payload without padding, against its checksum.
    pub fn verify(&self, batch: &[u8], seed: u64) -> Result<(), BatchFault> {
        let expected = crc_of(batch, seed);
        if expected == self.crc {
            return Ok(());
        }
        Err(BatchFault::Crc { expected, found: self.crc })
    }
}

/// The seed comes first, so that the same bytes have another checksum in another segment.
fn crc_of(batch: &[u8], seed: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&seed.to_le_bytes()), &batch[CRC.end()..])
}

/// One txn as the log keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// Its position.
    pub zxid: Zxid,
    /// Its bytes, opaque here.
    pub txn: &'b [u8],
}

/// Writes the header of a record with a txn of `txn_bytes`.
pub fn write_record_header(into: &mut [u8], zxid: Zxid, txn_bytes: usize) {
    RECORD_ZXID.put_le(into, zxid.0 as u64);
    RECORD_BYTES.put_le(into, txn_bytes as u64);
}

/// The records of a verified batch's payload. They ascend from `prior` to `last`, and are as many
/// as the header states; the first that violates this is a fault, and the last item.
pub fn records<'b>(
    header: &BatchHeader,
    payload: &'b [u8],
) -> impl Iterator<Item = Result<Record<'b>, BatchFault>> {
    let (mut rest, count, last) = (payload, header.record_count, header.last);
    let (mut index, mut zxid, mut is_over) = (0, header.prior, false);
    std::iter::from_fn(move || {
        if is_over || (index == count && rest.is_empty() && zxid == last) {
            return None;
        }
        let record = split_record(rest).filter(|(record, _)| index < count && record.zxid > zxid);
        let Some((record, behind)) = record else {
            is_over = true;
            return Some(Err(BatchFault::Records { index, count }));
        };
        (rest, index, zxid) = (behind, index + 1, record.zxid);
        Some(Ok(record))
    })
}

fn split_record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (header, behind) = bytes.split_at_checked(RECORD_HEADER_BYTES)?;
    let (txn, behind) = behind.split_at_checked(RECORD_BYTES.take_le(header) as usize)?;
    Some((Record { zxid: Zxid(RECORD_ZXID.take_le(header) as i64), txn }, behind))
}
