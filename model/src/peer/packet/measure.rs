//! Where a packet ends.

use crate::limits::{JUTE_EXTRA_MIN, JUTE_MAX_BUFFER};

use super::PacketError;

/// How long the fields of a packet may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketLimits {
    field_bytes_max: usize,
}

/// What is known of a packet's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The packet has so many bytes, and they are all there.
    Whole(usize),
    /// The packet has at least so many bytes, more than there are.
    Needs(usize),
}

/// Finds the end of one packet while its bytes come in.
///
/// Nothing that was looked at is looked at again, so the work for a packet grows with its length,
/// in however many pieces it comes. One value measures one packet.
#[derive(Clone, Debug)]
pub struct Measure {
    limits: PacketLimits,
    /// Where the next field begins, perhaps behind what has come. All before it has been checked.
    offset: usize,
    next: Field,
}

/// The field that is read next.
#[derive(Clone, Copy, Debug)]
enum Field {
    /// The length of the data.
    Data,
    /// The count of identities.
    Count,
    /// A string of the identities, which are `count` and begin at `begin`; so many are left, this
    /// one included.
    String { left: u64, count: i32, begin: usize },
    /// None.
    End,
}

const INT: usize = size_of::<i32>();
/// Bytes of type and zxid.
const HEAD_BYTES: usize = 12;

impl PacketLimits {
    /// Those of `jute.maxbuffer` and `jute.maxbuffer.extrasize`, by which one field is bounded.
    /// ZooKeeper bounds the identities of a packet one by one, and their count not at all; here
    /// all of them together must fit what one field may have.
    pub const fn new(maxbuffer: usize, extra: usize) -> Self {
        let extra = if extra < JUTE_EXTRA_MIN { JUTE_EXTRA_MIN } else { extra };
        let sum = maxbuffer.saturating_add(extra);
        let field_bytes_max = if sum > i32::MAX as usize { i32::MAX as usize } else { sum };
        Self { field_bytes_max }
    }

    /// Bytes that one field may have.
    pub const fn field_bytes_max(self) -> usize {
        self.field_bytes_max
    }

    /// Bytes that a packet may have: type, zxid, data, identities.
    pub const fn packet_bytes_max(self) -> usize {
        HEAD_BYTES + 2 * (INT + self.field_bytes_max)
    }
}

impl Default for PacketLimits {
    /// ZooKeeper's, where the extra size is as large as `jute.maxbuffer` itself.
    fn default() -> Self {
        Self::new(JUTE_MAX_BUFFER, JUTE_MAX_BUFFER)
    }
}

impl Measure {
    /// Starts in front of a packet.
    pub const fn new(limits: PacketLimits) -> Self {
        Self { limits, offset: HEAD_BYTES, next: Field::Data }
    }

    /// Looks at what has come since the last call. `bytes` begins where the packet begins and has
    /// all that it had before.
    ///
    /// # Errors
    /// A length beyond the limits, as soon as it is there.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Progress, PacketError> {
        while !matches!(self.next, Field::End) {
            let Some(field) = int(bytes, self.offset) else {
                return Ok(Progress::Needs(self.least()));
            };
            let kind = int(bytes, 0).expect("the type comes before every field");
            self.read(kind, field)?;
        }
        let is_whole = bytes.len() >= self.offset;
        Ok(if is_whole { Progress::Whole(self.offset) } else { Progress::Needs(self.offset) })
    }

    /// Bytes that the packet has at least: every field that is left has a length.
    fn least(&self) -> usize {
        let fields_left = match self.next {
            Field::Data => 2,
            Field::Count => 1,
            Field::String { left, .. } => left as usize,
            Field::End => 0,
        };
        self.offset + INT * fields_left
    }

    /// Takes the field that says `found`.
    fn read(&mut self, kind: i32, found: i32) -> Result<(), PacketError> {
        self.next = match self.next {
            Field::Data => {
                self.pass(kind, found)?;
                Field::Count
            }
            Field::Count => {
                self.offset += INT;
                let left = 2 * u64::from(found.max(0).unsigned_abs());
                self.strings(kind, Field::String { left, count: found, begin: self.offset })?
            }
            Field::String { left, count, begin } => {
                self.pass(kind, found)?;
                self.strings(kind, Field::String { left: left - 1, count, begin })?
            }
            Field::End => unreachable!("nothing is read behind the end"),
        };
        Ok(())
    }

    /// What comes next where so many strings are left.
    fn strings(&self, kind: i32, next: Field) -> Result<Field, PacketError> {
        let Field::String { left, count, begin } = next else { return Ok(next) };
        let bytes_max = self.limits.field_bytes_max;
        if self.offset - begin + INT * left as usize > bytes_max {
            return Err(PacketError::Identities { kind, count, bytes_max });
        }
        Ok(if left == 0 { Field::End } else { next })
    }

    /// Passes over a field and its length; null has none.
    fn pass(&mut self, kind: i32, found: i32) -> Result<(), PacketError> {
        let bytes_max = self.limits.field_bytes_max;
        let length = match found {
            -1 => 0,
            _ => usize::try_from(found)
                .ok()
                .filter(|&length| length <= bytes_max)
                .ok_or(PacketError::Length { kind, found, bytes_max })?,
        };
        self.offset += INT + length;
        Ok(())
    }
}

/// The number at an offset, if it is there.
fn int(bytes: &[u8], offset: usize) -> Option<i32> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(i32::from_be_bytes(*field))
}
