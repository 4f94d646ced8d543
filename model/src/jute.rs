//! The codec of the protocol: big-endian, no tags, lengths before variable parts.
//!
//! Source: ZooKeeper 3.9.5, `BinaryInputArchive` and `BinaryOutputArchive`. A length of -1 means
//! null. Strings are handed out as the bytes that were sent: most are paths, and whether they are
//! valid UTF-8 is a question for [`crate::path`].

use std::fmt;

/// Why bytes are not the record that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JuteError {
    /// The record ends before its last field.
    Short {
        /// Where the field begins.
        offset: usize,
        /// Bytes that the field needs.
        needed: usize,
        /// Bytes that are left.
        found: usize,
    },
    /// A length that no field can have.
    Length {
        /// Where the length is.
        offset: usize,
        /// What it is.
        found: i32,
    },
    /// A value outside its closed set (an operation in a multi, a create mode).
    Value {
        /// Where the value is.
        offset: usize,
        /// What it is.
        found: i32,
    },
    /// A read in a multi of writes, or a write in one of reads.
    MixedMulti,
    /// A path is null where stock accepts no null.
    NullPath {
        /// Where it is.
        offset: usize,
    },
    /// A create of a multi has no ACL, not even an empty one.
    NullAcl {
        /// Where the operation begins.
        offset: usize,
    },
}

impl fmt::Display for JuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { offset, needed, found } => {
                write!(f, "at byte {offset}: {needed} bytes needed, {found} left")
            }
            Self::Length { offset, found } => write!(f, "at byte {offset}: length {found}"),
            Self::Value { offset, found } => write!(f, "at byte {offset}: value {found}"),
            Self::MixedMulti => f.write_str("reads and writes in one multi"),
            Self::NullPath { offset } => write!(f, "at byte {offset}: a null path"),
            Self::NullAcl { offset } => write!(f, "at byte {offset}: a create without an ACL"),
        }
    }
}

impl std::error::Error for JuteError {}

/// Reads fields off the front of a record. Every slice is borrowed from the record.
#[derive(Clone, Copy, Debug)]
pub struct JuteReader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> JuteReader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Bytes read so far.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.offset..]
    }

    /// What was read since `start`.
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.offset]
    }

    /// The next `count` bytes as they are.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], JuteError> {
        let left = self.bytes.len() - self.offset;
        if count > left {
            let offset = self.offset;
            return Err(JuteError::Short { offset, needed: count, found: left });
        }
        let slice = &self.bytes[self.offset..self.offset + count];
        self.offset += count;
        Ok(slice)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], JuteError> {
        let slice = self.take(N)?;
        Ok(slice.try_into().expect("take returns as many bytes as requested"))
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, JuteError> {
        Ok(self.array::<1>()?[0])
    }

    /// A boolean: any byte but 0 is true.
    pub fn bool(&mut self) -> Result<bool, JuteError> {
        Ok(self.byte()? != 0)
    }

    /// Four bytes, signed.
    #[inline]
    pub fn int(&mut self) -> Result<i32, JuteError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn long(&mut self) -> Result<i64, JuteError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A buffer, `None` where it is null.
    #[inline]
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, JuteError> {
        let offset = self.offset;
        match self.int()? {
            -1 => Ok(None),
            found if found < 0 => Err(JuteError::Length { offset, found }),
            length => self.take(length as usize).map(Some),
        }
    }

    /// A string's bytes, `None` where it is null.
    #[inline]
    pub fn string(&mut self) -> Result<Option<&'a [u8]>, JuteError> {
        self.buffer()
    }

    /// A string's bytes; null is read as empty.
    #[inline]
    pub fn text(&mut self) -> Result<&'a [u8], JuteError> {
        Ok(self.string()?.unwrap_or_default())
    }

    /// A path's bytes; null is an error.
    pub fn path(&mut self) -> Result<&'a [u8], JuteError> {
        let offset = self.offset;
        self.string()?.ok_or(JuteError::NullPath { offset })
    }

    /// A vector's length; null and negative lengths have no elements.
    pub fn count(&mut self) -> Result<Option<u32>, JuteError> {
        match self.int()? {
            -1 => Ok(None),
            count => Ok(Some(count.max(0) as u32)),
        }
    }

    /// A vector of strings, read one by one without an allocation.
    pub fn strings(&mut self) -> Result<Strings<'a>, JuteError> {
        self.strings_by(|reader| reader.string().map(drop))
    }

    /// A vector of paths; a null one is an error.
    pub fn paths(&mut self) -> Result<Strings<'a>, JuteError> {
        self.strings_by(|reader| reader.path().map(drop))
    }

    fn strings_by(
        &mut self,
        pass: impl Fn(&mut Self) -> Result<(), JuteError>,
    ) -> Result<Strings<'a>, JuteError> {
        let count = self.count()?.unwrap_or(0);
        let start = self.offset;
        for _ in 0..count {
            pass(self)?;
        }
        Ok(Strings { count, bytes: self.since(start) })
    }
}

/// A vector of strings that was checked once and is read in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strings<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    /// Count of strings.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The strings in their order; null ones are empty.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = JuteReader::new(self.bytes);
        (0..self.count).map(move |_| reader.text().expect("checked when it was read"))
    }
}

/// Appends a boolean.
pub fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(u8::from(value));
}

/// Appends four bytes.
#[inline]
pub fn put_int(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends eight bytes.
#[inline]
pub fn put_long(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a length or a count. Nothing here is longer than 2 GiB.
#[inline]
pub fn put_length(out: &mut Vec<u8>, length: usize) {
    put_int(out, i32::try_from(length).expect("fields are shorter than 2 GiB"));
}

/// Appends a buffer or null.
#[inline]
pub fn put_buffer(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => put_int(out, -1),
        Some(bytes) => put_string(out, bytes),
    }
}

/// Appends a string.
#[inline]
pub fn put_string(out: &mut Vec<u8>, value: &[u8]) {
    put_length(out, value.len());
    out.extend_from_slice(value);
}

/// Overwrites four bytes: a count or length that was not known before.
pub fn patch_int(out: &mut [u8], offset: usize, value: i32) {
    out[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
}
