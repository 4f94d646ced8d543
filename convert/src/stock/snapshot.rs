//! Reads a snapshot: header, sessions, ACLs, nodes with parents before children, checksum, and what
//! newer versions append.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use model::peer::packet::SNAPSHOT_SIGNATURE;
use model::session::SessionId;
use model::stat::Stat;
use model::txn::DIGEST_VERSION;
use model::zxid::Zxid;

use super::compression::{Compression, Unpacked};
use super::stream::{Stream, StreamError};
use super::{END, SNAPSHOT_MAGIC, STAT_BYTES, VERSION};
use crate::error::Fault;

/// What precedes the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preamble {
    /// `dbid` of the header, which is not used.
    pub database: i64,
    /// Sessions with their timeouts in ms, in the file's order.
    pub sessions: Vec<(SessionId, i32)>,
    /// ACLs by the numbers that nodes have, each in jute's form, with its count first.
    pub acls: Vec<(i64, Vec<u8>)>,
}

/// A node as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockNode<'a> {
    /// The whole path; the root's is empty.
    pub path: &'a [u8],
    /// The data.
    pub data: Option<&'a [u8]>,
    /// The number of its ACL.
    pub acl: i64,
    /// Its Stat; `cversion` is the stored counter, and `ephemeral_owner` the raw owner.
    pub stat: Stat,
}

/// Nodes below this path do not count in the digest.
const DIGEST_EXEMPT: &[u8] = b"/zookeeper/";

impl StockNode<'_> {
    /// What the node adds to the tree's digest (source: `DigestCalculator`).
    pub fn digest(&self) -> u64 {
        if self.path.starts_with(DIGEST_EXEMPT) {
            return 0;
        }
        let Stat { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, .. } = self.stat;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(self.path);
        hasher.update(self.data.unwrap_or_default());
        for long in [czxid, mzxid, pzxid, ctime, mtime] {
            hasher.update(&long.to_be_bytes());
        }
        for int in [version, cversion, aversion] {
            hasher.update(&int.to_be_bytes());
        }
        hasher.update(&self.stat.ephemeral_owner.to_be_bytes());
        hasher.finalize().into()
    }
}

/// The digest after the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotDigest {
    /// The last txn that the tree had when the snapshot was complete.
    pub zxid: Zxid,
    /// How it was calculated.
    pub version: i32,
    /// Of the whole tree at that txn.
    pub digest: u64,
}

/// What follows the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trailer {
    /// Since version 3.6, if digests are enabled.
    pub digest: Option<SnapshotDigest>,
    /// Since version 3.9, if `serializeLastProcessedZxid.enabled`.
    pub last_zxid: Option<Zxid>,
}

/// Bytes of the last zxid with its checksum: the length distinguishes it from a digest.
const LAST_ZXID_BYTES: usize = 8 + 13;
/// The first version of digests that are numbers.
const DIGEST_VERSION_NUMERIC: i32 = DIGEST_VERSION;
/// An ACL list of more entries than this is damage, not a list.
const ACL_ENTRIES_MAX: i32 = 1 << 20;

/// A snapshot that is read sequentially: a file, or what comes over a learner's link.
pub struct SnapshotReader<R = Unpacked> {
    stream: Stream<R>,
}

impl SnapshotReader {
    /// Opens the file, packed as its name says.
    pub fn open(path: &Path) -> Result<Self, StreamError> {
        Self::open_as(path, Compression::of_name(path))
    }

    /// Opens the file, packed in this way.
    pub fn open_as(path: &Path, compression: Compression) -> Result<Self, StreamError> {
        let file = File::open(path)?;
        Ok(Self { stream: Stream::new(Unpacked::new(file, compression)) })
    }
}

impl<R: Read> SnapshotReader<R> {
    /// Reads the form that leaders send: sessions, ACLs and nodes of a file, and nothing else.
    pub fn sent(source: R) -> Self {
        Self { stream: Stream::unsummed(source) }
    }

    /// How many unpacked bytes were read.
    pub fn offset(&self) -> u64 {
        self.stream.offset()
    }

    /// Reads everything before the nodes.
    pub fn preamble(&mut self) -> Result<Preamble, StreamError> {
        let s = &mut self.stream;
        let found = s.peek(SNAPSHOT_MAGIC.len())?;
        if found != SNAPSHOT_MAGIC {
            let fault = Fault::Magic { expected: SNAPSHOT_MAGIC, found: found.to_vec() };
            return Err(s.damage(fault));
        }
        s.int()?;
        let version = s.int()?;
        if version != VERSION {
            return Err(StreamError::Damage {
                offset: 4,
                fault: Fault::Version { found: version },
            });
        }
        let database = s.long()?;
        Ok(Preamble { database, ..self.sent_preamble()? })
    }

    /// Reads everything before the nodes of the form that leaders send.
    pub fn sent_preamble(&mut self) -> Result<Preamble, StreamError> {
        let s = &mut self.stream;
        let mut preamble = Preamble::default();
        for _ in 0..s.count()? {
            preamble.sessions.push((SessionId(s.long()?), s.int()?));
        }
        for _ in 0..s.count()? {
            let number = s.long()?;
            preamble.acls.push((number, acl_list(s)?));
        }
        Ok(preamble)
    }

    /// The next node; `None` after the last.
    pub fn next_node(&mut self) -> Result<Option<StockNode<'_>>, StreamError> {
        let s = &mut self.stream;
        let path_bytes = s.length()?.unwrap_or(0);
        if s.hold(path_bytes)? == END {
            s.take(path_bytes)?;
            return Ok(None);
        }
        let head = s.hold(path_bytes + 4)?;
        let announced = i32::from_be_bytes(head[path_bytes..].try_into().expect("four bytes"));
        if announced < -1 {
            let offset = s.offset() + path_bytes as u64;
            return Err(StreamError::Damage { offset, fault: Fault::Length(announced.into()) });
        }
        let data_bytes = announced.max(0) as usize;
        let bytes = s.take(path_bytes + 4 + data_bytes + 8 + STAT_BYTES)?;
        let (path, bytes) = bytes.split_at(path_bytes);
        let (data, bytes) = bytes[4..].split_at(data_bytes);
        let data = (announced >= 0).then_some(data);
        let acl = i64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"));
        Ok(Some(StockNode { path, data, acl, stat: stat_of(&bytes[8..]) }))
    }

    /// Reads what a leader sends behind the nodes; returns what was read from the source beyond
    /// that.
    pub fn end_of_sent(mut self) -> Result<Vec<u8>, StreamError> {
        // As long as it should be: what a wrong length announces is not waited for.
        let length = self.stream.length()?.unwrap_or(0).min(SNAPSHOT_SIGNATURE.len());
        let signature = self.stream.take(length)?;
        if signature != SNAPSHOT_SIGNATURE {
            let found = Fault::shown(signature);
            return Err(self.stream.damage(Fault::Signature(found)));
        }
        Ok(self.stream.into_rest())
    }

    /// Reads everything after the nodes, and compares the checksums.
    pub fn trailer(&mut self) -> Result<Trailer, StreamError> {
        let s = &mut self.stream;
        s.seal()?;
        let mut trailer = Trailer::default();
        let left = s.peek(LAST_ZXID_BYTES + 1)?.len();
        if left == 0 {
            return Ok(trailer);
        }
        if left != LAST_ZXID_BYTES {
            let (zxid, version) = (Zxid(s.long()?), s.int()?);
            let digest = if version < DIGEST_VERSION_NUMERIC {
                let text = s.text()?;
                str::from_utf8(text).ok().and_then(|t| u64::from_str_radix(t, 16).ok()).unwrap_or(0)
            } else {
                s.long()? as u64
            };
            s.seal()?;
            trailer.digest = Some(SnapshotDigest { zxid, version, digest });
        }
        if !s.peek(1)?.is_empty() {
            trailer.last_zxid = Some(Zxid(s.long()?));
            s.seal()?;
        }
        Ok(trailer)
    }
}

fn acl_list<R: Read>(s: &mut Stream<R>) -> Result<Vec<u8>, StreamError> {
    let count = s.int()?;
    if !(0..=ACL_ENTRIES_MAX).contains(&count) {
        let offset = s.offset() - 4;
        return Err(StreamError::Damage { offset, fault: Fault::Length(count.into()) });
    }
    let mut list = count.to_be_bytes().to_vec();
    for _ in 0..count {
        list.extend_from_slice(s.take(4)?);
        for _ in 0..2 {
            // Scheme and id.
            let length = s.length()?;
            list.extend_from_slice(&length.map_or(-1, |bytes| bytes as i32).to_be_bytes());
            list.extend_from_slice(s.take(length.unwrap_or(0))?);
        }
    }
    Ok(list)
}

fn stat_of(bytes: &[u8]) -> Stat {
    let long = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let int = |at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    Stat {
        czxid: long(0),
        mzxid: long(8),
        ctime: long(16),
        mtime: long(24),
        version: int(32),
        cversion: int(36),
        aversion: int(40),
        ephemeral_owner: long(44),
        pzxid: long(52),
        ..Stat::default()
    }
}
