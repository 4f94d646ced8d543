//! Reads fields sequentially from a file, with a running Adler32 over what was read.

use std::io::{self, Read};

use simd_adler32::Adler32;

use crate::error::Fault;

/// Why a field could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The medium, or the packing of the bytes.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes.
    #[error("at offset {offset}: {fault}")]
    Damage {
        /// Where, in bytes from the beginning of the unpacked file.
        offset: u64,
        /// What is wrong there.
        fault: Fault,
    },
}

/// How much is read at once, in bytes.
const READ_BYTES: usize = 1 << 20;

/// A file that is read sequentially through one window.
///
/// Memory: the window, which is as long as the longest field, and at least `READ_BYTES`; it grows
/// with what was read, whatever a length announces.
pub struct Stream<R> {
    source: R,
    window: Vec<u8>,
    /// The window holds unread bytes from here.
    start: usize,
    /// Bytes of the window before this one are in the checksum.
    summed: usize,
    checksum: Adler32,
    /// Whether the checksum is needed.
    is_summed: bool,
    /// Where the window begins in the file.
    base: u64,
}

impl<R: Read> Stream<R> {
    /// Reads `source` from its current position.
    pub fn new(source: R) -> Self {
        let (window, checksum) = (Vec::new(), Adler32::new());
        Self { source, window, start: 0, summed: 0, checksum, is_summed: true, base: 0 }
    }

    /// Reads `source` without a checksum.
    pub fn unsummed(source: R) -> Self {
        Self { is_summed: false, ..Self::new(source) }
    }

    /// The bytes that were read from the source and not taken.
    pub fn into_rest(mut self) -> Vec<u8> {
        self.window.split_off(self.start)
    }

    /// How many bytes were taken.
    pub fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The Adler32 of all bytes taken so far.
    fn checksum(&mut self) -> u32 {
        assert!(self.is_summed, "a stream with a checksum");
        self.checksum.write(&self.window[self.summed..self.start]);
        self.summed = self.start;
        self.checksum.finish()
    }

    /// Makes `count` bytes ready if the file has them; returns how many there are, `count` at most.
    fn ready(&mut self, count: usize) -> io::Result<usize> {
        while self.window.len() - self.start < count {
            if self.start > 0 {
                if self.is_summed {
                    self.checksum();
                }
                self.window.drain(..self.start);
                self.base += self.start as u64;
                (self.start, self.summed) = (0, 0);
            }
            let room = READ_BYTES.max(self.window.len());
            let filled = self.window.len();
            self.window.resize(filled + room, 0);
            let read = read_some(&mut self.source, &mut self.window[filled..]);
            self.window.truncate(filled + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                break;
            }
        }
        Ok(count.min(self.window.len() - self.start))
    }

    /// The error for a fault at the next position.
    pub fn damage(&self, fault: Fault) -> StreamError {
        StreamError::Damage { offset: self.offset(), fault }
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&[u8], StreamError> {
        if self.window.len() - self.start < count {
            let found = self.ready(count)? as u64;
            if found < count as u64 {
                return Err(self.damage(Fault::Short { needed: count as u64, found }));
            }
        }
        let at = self.start;
        self.start += count;
        Ok(&self.window[at..self.start])
    }

    /// The next `count` bytes without taking them.
    #[inline]
    pub fn hold(&mut self, count: usize) -> Result<&[u8], StreamError> {
        if self.window.len() - self.start < count {
            let found = self.ready(count)? as u64;
            if found < count as u64 {
                return Err(self.damage(Fault::Short { needed: count as u64, found }));
            }
        }
        Ok(&self.window[self.start..self.start + count])
    }

    /// The next bytes, `count` at most and none at the end, without taking them.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let count = self.ready(count)?;
        Ok(&self.window[self.start..self.start + count])
    }

    /// Four bytes, signed.
    #[inline]
    pub fn int(&mut self) -> Result<i32, StreamError> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().expect("four bytes")))
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn long(&mut self) -> Result<i64, StreamError> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }

    /// A length that may be null.
    #[inline]
    pub fn length(&mut self) -> Result<Option<usize>, StreamError> {
        match self.int()? {
            -1 => Ok(None),
            length if length < 0 => {
                let offset = self.offset() - 4;
                Err(StreamError::Damage { offset, fault: Fault::Length(length.into()) })
            }
            length => Ok(Some(length as usize)),
        }
    }

    /// A vector's count: null and negative ones have no elements.
    pub fn count(&mut self) -> Result<u32, StreamError> {
        Ok(self.int()?.max(0) as u32)
    }

    /// A string or buffer; null is empty.
    pub fn text(&mut self) -> Result<&[u8], StreamError> {
        let length = self.length()?.unwrap_or(0);
        self.take(length)
    }

    /// A checksum, and the path that follows it; the checksum covers everything before.
    pub fn seal(&mut self) -> Result<(), StreamError> {
        let offset = self.offset();
        let expected = u64::from(self.checksum());
        let found = self.long()? as u64;
        self.text()?;
        if found == expected {
            return Ok(());
        }
        Err(StreamError::Damage { offset, fault: Fault::Checksum { expected, found } })
    }
}

/// Reads some bytes, retrying after interruptions.
fn read_some(source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            read => return read,
        }
    }
}
