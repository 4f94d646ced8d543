//! Reads a log: a header, then entries, each after its checksum, until zeros or the end.

use std::fs::File;
use std::io;
use std::path::Path;

use model::acl::AclList;
use model::jute::{JuteError, JuteReader};
use model::op::Op;
use model::txn::{CreateTxn, NodeKind, Txn, TxnDigest, TxnHeader};
use model::zxid::Zxid;
use simd_adler32::adler32;

use super::stream::{Stream, StreamError};
use super::{LOG_MAGIC, VERSION};
use crate::error::Fault;

/// What every entry ends with.
const ENTRY_END: u8 = b'B';
/// Bytes of the file before its entries: magic, version, `dbid`.
const HEADER_BYTES: usize = 16;
/// Bytes of an entry before its txn: checksum and length.
const ENTRY_HEAD_BYTES: usize = 12;
/// How far after the last entry to look for bytes that are not zero.
const PADDING_LOOK_BYTES: usize = 1 << 20;

/// Why there are no more entries in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// Nothing follows the last entry.
    File,
    /// Zeros follow: the file was extended in advance.
    Padding {
        /// Where the first byte is that is not zero, if there is one: it is never read.
        garbage: Option<u64>,
    },
    /// An entry was begun and not finished, as a crash leaves it.
    Torn,
}

/// An entry whose checksum matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockLogEntry<'a> {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its txn.
    pub bytes: &'a [u8],
}

impl StockLogEntry<'_> {
    /// Its zxid.
    pub fn zxid(&self) -> Result<Zxid, JuteError> {
        TxnHeader::decode(&mut JuteReader::new(self.bytes)).map(|header| header.zxid)
    }
}

/// A log that is read sequentially.
pub struct LogReader {
    stream: Stream<File>,
    end: Option<LogEnd>,
    /// `dbid` of the header, which is not used.
    pub database: i64,
}

impl LogReader {
    /// Opens the file and reads its header; `None` if the file ends before or in it, as a crash
    /// leaves one that was just created.
    pub fn open(path: &Path) -> Result<Option<Self>, StreamError> {
        let mut s = Stream::unsummed(File::open(path)?);
        let found = s.peek(HEADER_BYTES)?;
        let is_cut = found.len() < HEADER_BYTES;
        let found = &found[..found.len().min(LOG_MAGIC.len())];
        if is_cut && LOG_MAGIC.starts_with(found) {
            return Ok(None);
        }
        if found != LOG_MAGIC {
            let fault = Fault::Magic { expected: LOG_MAGIC, found: found.to_vec() };
            return Err(s.damage(fault));
        }
        s.int()?;
        let found = s.int()?;
        if found != VERSION {
            return Err(StreamError::Damage { offset: 4, fault: Fault::Version { found } });
        }
        let database = s.long()?;
        Ok(Some(Self { stream: s, end: None, database }))
    }

    /// Where the next entry begins.
    pub fn offset(&self) -> u64 {
        self.stream.offset()
    }

    /// Why there are no more entries; `None` while there may be some.
    pub fn end(&self) -> Option<LogEnd> {
        self.end
    }

    /// The next entry; `None` when there are no more.
    pub fn next_entry(&mut self) -> Result<Option<StockLogEntry<'_>>, StreamError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let offset = self.stream.offset();
        let head = self.stream.peek(ENTRY_HEAD_BYTES)?;
        let Some((sum, length)) = head_of(head) else {
            self.end = Some(if head.is_empty() { LogEnd::File } else { LogEnd::Torn });
            return Ok(None);
        };
        if length == 0 {
            let garbage = first_nonzero(&mut self.stream)?;
            self.end = Some(LogEnd::Padding { garbage });
            return Ok(None);
        }
        if length < 0 {
            let fault = Fault::Length(length.into());
            return Err(StreamError::Damage { offset: offset + 8, fault });
        }
        let length = length as usize;
        let entry = match self.stream.hold(ENTRY_HEAD_BYTES + length + 1) {
            Ok(entry) => entry,
            Err(StreamError::Damage { fault: Fault::Short { .. }, .. }) => {
                self.end = Some(LogEnd::Torn);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let expected = u64::from(adler32(&&entry[ENTRY_HEAD_BYTES..ENTRY_HEAD_BYTES + length]));
        let mark = entry[ENTRY_HEAD_BYTES + length];
        if mark != ENTRY_END {
            let is_whole = expected == sum && mark != 0;
            if is_whole || self.is_followed(ENTRY_HEAD_BYTES + length + 1)? {
                let offset = offset + (ENTRY_HEAD_BYTES + length) as u64;
                return Err(StreamError::Damage { offset, fault: Fault::EntryEnd { found: mark } });
            }
            self.end = Some(LogEnd::Torn);
            return Ok(None);
        }
        if sum != expected {
            let fault = Fault::Checksum { expected, found: sum };
            return Err(StreamError::Damage { offset, fault });
        }
        let bytes = self.stream.take(ENTRY_HEAD_BYTES + length + 1)?;
        let bytes = &bytes[ENTRY_HEAD_BYTES..ENTRY_HEAD_BYTES + length];
        Ok(Some(StockLogEntry { offset, bytes }))
    }

    /// Whether there is a whole entry `behind` bytes from here: then this one is damaged, not torn.
    fn is_followed(&mut self, behind: usize) -> io::Result<bool> {
        let mut held = |count: usize| match self.stream.hold(behind + count) {
            Ok(bytes) => Ok(Some(bytes[behind..].to_vec())),
            Err(StreamError::Io(error)) => Err(error),
            Err(StreamError::Damage { .. }) => Ok(None),
        };
        let Some((sum, length)) = held(ENTRY_HEAD_BYTES)?.as_deref().and_then(head_of) else {
            return Ok(false);
        };
        if length <= 0 {
            return Ok(false);
        }
        let Some(next) = held(ENTRY_HEAD_BYTES + length as usize + 1)? else { return Ok(false) };
        let (txn, mark) = next[ENTRY_HEAD_BYTES..].split_at(length as usize);
        Ok(mark == [ENTRY_END] && u64::from(adler32(&txn)) == sum)
    }
}

fn head_of(head: &[u8]) -> Option<(u64, i32)> {
    let (sum, length) = head.split_first_chunk::<8>()?;
    let length = length.first_chunk::<4>()?;
    Some((u64::from_be_bytes(*sum), i32::from_be_bytes(*length)))
}

/// Examines what follows, as far as a torn write may reach, and returns where the first byte is
/// that is not zero.
fn first_nonzero(stream: &mut Stream<File>) -> Result<Option<u64>, StreamError> {
    let offset = stream.offset();
    let bytes = stream.peek(PADDING_LOOK_BYTES)?;
    // All at once first: nearly always there is none, and this is fast.
    if bytes.iter().fold(0, |all, byte| all | byte) == 0 {
        return Ok(None);
    }
    Ok(bytes.iter().position(|&byte| byte != 0).map(|at| offset + at as u64))
}

/// Reads an entry's bytes: header, txn, and the digest if there is one.
pub fn parse_txn(bytes: &[u8]) -> Result<(TxnHeader, Txn<'_>, Option<TxnDigest>), JuteError> {
    let mut reader = JuteReader::new(bytes);
    let header = TxnHeader::decode(&mut reader)?;
    let begin = reader;
    let txn = match Txn::decode(header.op, &mut reader) {
        Err(JuteError::Short { .. }) if header.op == Op::Create => {
            reader = begin;
            Txn::Create(create_of_old(&mut reader)?)
        }
        txn => txn?,
    };
    // What is too short for a digest is not one, as stock reads it.
    let digest = TxnDigest::decode(&mut reader).unwrap_or(None);
    Ok((header, txn, digest))
}

/// A create of version 3.3: it does not contain the parent's new counter.
fn create_of_old<'a>(reader: &mut JuteReader<'a>) -> Result<CreateTxn<'a>, JuteError> {
    let (path, data, acl) = (reader.text()?, reader.buffer()?, AclList::decode(reader)?);
    let kind = if reader.bool()? { NodeKind::Ephemeral } else { NodeKind::Persistent };
    Ok(CreateTxn { path, data, acl, kind, parent_cversion: -1 })
}
