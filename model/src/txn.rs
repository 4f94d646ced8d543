//! What was decided, in ZooKeeper's own bytes: the same in our log, on the way to a learner, and
//! in a stock server's log (source: ZooKeeper 3.9.5, `zookeeper.jute`, module txn).

use crate::acl::AclList;
use crate::error::ErrorCode;
use crate::jute::{self, JuteError, JuteReader, Strings};
use crate::op::Op;
use crate::session::SessionId;
use crate::zxid::Zxid;

/// What precedes every txn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnHeader {
    /// Whose request it was.
    pub session: SessionId,
    /// The client's number for it.
    pub cxid: i32,
    /// Its position.
    pub zxid: Zxid,
    /// The leader's wall clock, in ms.
    pub time_ms: i64,
    /// What kind of txn follows.
    pub op: Op,
}

/// A new node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateTxn<'a> {
    /// The whole path.
    pub path: &'a [u8],
    /// The data.
    pub data: Option<&'a [u8]>,
    /// The ACL, with `auth` expanded.
    pub acl: AclList<'a>,
    /// What it is.
    pub kind: NodeKind,
    /// The parent's counter of created children after it; -1 in logs of old servers.
    pub parent_cversion: i32,
}

/// What a created node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Persistent.
    Persistent,
    /// Removed with the header's session.
    Ephemeral,
    /// Removed with its last child.
    Container,
    /// Removed after this many ms without a write or child.
    Ttl(i64),
}

/// A decided change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the protocol")]
pub enum Txn<'a> {
    Create(CreateTxn<'a>),
    Delete { path: &'a [u8] },
    SetData { path: &'a [u8], data: Option<&'a [u8]>, version: i32 },
    SetAcl { path: &'a [u8], acl: AclList<'a>, version: i32 },
    Check { path: &'a [u8], version: i32 },
    CreateSession { timeout_ms: i32 },
    CloseSession { paths: Option<Strings<'a>> },
    Error(i32),
    Multi(MultiTxn<'a>),
}

/// The digest that follows a txn where digests are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnDigest {
    /// How it is calculated: 2 today.
    pub version: i32,
    /// Of the whole tree after the txn.
    pub tree: i64,
}

/// How digests are calculated today.
pub const DIGEST_VERSION: i32 = 2;

impl TxnHeader {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        jute::put_long(out, self.session.0);
        jute::put_int(out, self.cxid);
        jute::put_long(out, self.zxid.0);
        jute::put_long(out, self.time_ms);
        jute::put_int(out, self.op.code());
    }

    /// Reads it off the front of a txn.
    pub fn decode(r: &mut JuteReader<'_>) -> Result<Self, JuteError> {
        let (session, cxid) = (SessionId(r.long()?), r.int()?);
        let (zxid, time_ms) = (Zxid(r.long()?), r.long()?);
        let offset = r.offset();
        let found = r.int()?;
        let op = Op::of(found).ok_or(JuteError::Value { offset, found })?;
        Ok(Self { session, cxid, zxid, time_ms, op })
    }
}

/// Whether an encoded txn changes the ensemble's configuration, by the one field that says so.
#[inline]
pub fn is_reconfig(txn: &[u8]) -> bool {
    const OP: std::ops::Range<usize> = 28..32;
    txn.get(OP) == Some(&Op::Reconfig.code().to_be_bytes())
}

/// The text of the configuration that an encoded txn proposes; `None` if it is another kind of txn.
pub fn proposed_configuration(txn: &[u8]) -> Option<&[u8]> {
    if !is_reconfig(txn) {
        return None;
    }
    let mut reader = JuteReader::new(txn);
    let header = TxnHeader::decode(&mut reader).ok()?;
    match Txn::decode(header.op, &mut reader) {
        Ok(Txn::SetData { data, .. }) => data,
        _ => None,
    }
}

impl TxnDigest {
    /// Bytes of its encoding.
    pub const BYTES: usize = 12;

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        jute::put_int(out, self.version);
        jute::put_long(out, self.tree);
    }

    /// Reads it, if present.
    pub fn decode(r: &mut JuteReader<'_>) -> Result<Option<Self>, JuteError> {
        if r.rest().is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { version: r.int()?, tree: r.long()? }))
    }
}

impl<'a> Txn<'a> {
    /// Appends the record that follows the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create(create) => create.encode(out),
            Self::Delete { path } => jute::put_string(out, path),
            Self::SetData { path, data, version } => {
                jute::put_string(out, path);
                jute::put_buffer(out, *data);
                jute::put_int(out, *version);
            }
            Self::SetAcl { path, acl, version } => {
                jute::put_string(out, path);
                acl.encode(out);
                jute::put_int(out, *version);
            }
            Self::Check { path, version } => {
                jute::put_string(out, path);
                jute::put_int(out, *version);
            }
            Self::CreateSession { timeout_ms } => jute::put_int(out, *timeout_ms),
            Self::CloseSession { paths } => {
                let Some(paths) = paths else { return };
                jute::put_length(out, paths.len());
                for path in paths.iter() {
                    jute::put_string(out, path);
                }
            }
            Self::Error(code) => jute::put_int(out, *code),
            Self::Multi(multi) => multi.encode(out),
        }
    }

    /// Reads a record of the kind that the header names.
    pub fn decode(op: Op, r: &mut JuteReader<'a>) -> Result<Self, JuteError> {
        let offset = r.offset();
        Ok(match op {
            Op::Create | Op::Create2 | Op::CreateContainer | Op::CreateTtl => {
                Self::Create(CreateTxn::decode(op, r)?)
            }
            Op::Delete | Op::DeleteContainer => Self::Delete { path: r.text()? },
            Op::SetData | Op::Reconfig => {
                Self::SetData { path: r.text()?, data: r.buffer()?, version: r.int()? }
            }
            Op::SetAcl => {
                Self::SetAcl { path: r.text()?, acl: AclList::decode(r)?, version: r.int()? }
            }
            Op::Check => Self::Check { path: r.text()?, version: r.int()? },
            Op::CreateSession => Self::CreateSession { timeout_ms: r.int()? },
            Op::CloseSession => Self::CloseSession { paths: closed_paths(r)? },
            Op::Error => Self::Error(r.int()?),
            Op::Multi => Self::Multi(MultiTxn::decode(r)?),
            _ => return Err(JuteError::Value { offset, found: op.code() }),
        })
    }
}

/// The list of a closed session's nodes. It is absent where `closeSessionTxn.enabled` is off, and a
/// digest's twelve bytes may follow either way: a list of two paths in as many bytes would have
/// empty ones, and no node has an empty path.
fn closed_paths<'a>(r: &mut JuteReader<'a>) -> Result<Option<Strings<'a>>, JuteError> {
    let rest = r.rest();
    let is_digest =
        rest.len() == TxnDigest::BYTES && rest.starts_with(&DIGEST_VERSION.to_be_bytes());
    if rest.is_empty() || is_digest {
        return Ok(None);
    }
    let offset = r.offset();
    let paths = r.strings()?;
    if paths.iter().any(<[u8]>::is_empty) {
        return Err(JuteError::Length { offset, found: 0 });
    }
    Ok(Some(paths))
}

impl<'a> CreateTxn<'a> {
    fn encode(&self, out: &mut Vec<u8>) {
        jute::put_string(out, self.path);
        jute::put_buffer(out, self.data);
        self.acl.encode(out);
        match self.kind {
            NodeKind::Persistent => jute::put_bool(out, false),
            NodeKind::Ephemeral => jute::put_bool(out, true),
            NodeKind::Container | NodeKind::Ttl(_) => (),
        }
        jute::put_int(out, self.parent_cversion);
        if let NodeKind::Ttl(ttl_ms) = self.kind {
            jute::put_long(out, ttl_ms);
        }
    }

    fn decode(op: Op, r: &mut JuteReader<'a>) -> Result<Self, JuteError> {
        let (path, data, acl) = (r.text()?, r.buffer()?, AclList::decode(r)?);
        let mut kind = match op {
            Op::CreateContainer => NodeKind::Container,
            Op::CreateTtl => NodeKind::Ttl(0),
            _ if r.bool()? => NodeKind::Ephemeral,
            _ => NodeKind::Persistent,
        };
        let parent_cversion = r.int()?;
        if let NodeKind::Ttl(ttl_ms) = &mut kind {
            *ttl_ms = r.long()?;
        }
        Ok(Self { path, data, acl, kind, parent_cversion })
    }
}

/// The txns of a multi, checked once and read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiTxn<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> MultiTxn<'a> {
    /// The txns that [`put_sub_txn`] wrote, `count` of them.
    pub const fn of_encoded(count: u32, bytes: &'a [u8]) -> Self {
        Self { count, bytes }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        jute::put_length(out, self.count as usize);
        out.extend_from_slice(self.bytes);
    }

    fn decode(r: &mut JuteReader<'a>) -> Result<Self, JuteError> {
        let count = r.count()?.unwrap_or(0);
        let start = r.offset();
        for _ in 0..count {
            Self::sub_txn(r)?;
        }
        Ok(Self { count, bytes: r.since(start) })
    }

    fn sub_txn(r: &mut JuteReader<'a>) -> Result<(Op, Txn<'a>), JuteError> {
        let offset = r.offset();
        let found = r.int()?;
        let bytes = r.buffer()?.unwrap_or_default();
        let op = Op::of(found).filter(|&op| op != Op::Multi);
        let op = op.ok_or(JuteError::Value { offset, found })?;
        Ok((op, Txn::decode(op, &mut JuteReader::new(bytes))?))
    }

    /// Whether one of them failed, so that none was done. ZooKeeper leaves those before it as they
    /// were decided, and writes an error in the place of each of the others.
    pub fn has_failed(&self) -> bool {
        self.iter().any(|(_, txn)| matches!(txn, Txn::Error(_)))
    }

    /// The txns in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Op, Txn<'a>)> + use<'a> {
        let mut r = JuteReader::new(self.bytes);
        (0..self.count).map(move |_| Self::sub_txn(&mut r).expect("checked when it was read"))
    }
}

/// Appends one txn of a multi.
pub fn put_sub_txn(out: &mut Vec<u8>, op: Op, txn: &Txn<'_>) {
    jute::put_int(out, op.code());
    let start = out.len();
    jute::put_int(out, 0);
    txn.encode(out);
    let length = out.len() - start - 4;
    jute::patch_int(out, start, i32::try_from(length).expect("txns are shorter than 2 GiB"));
}

/// Appends the txn of a multi that failed at this operation or before it.
pub fn put_sub_error(out: &mut Vec<u8>, error: ErrorCode) {
    put_sub_txn(out, Op::Error, &Txn::Error(error.code()));
}
