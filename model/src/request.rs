//! What a client requests.

use crate::acl::AclList;
use crate::jute::{JuteError, JuteReader, Strings};
use crate::op::Op;

/// The first packet of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// 0 today.
    pub protocol_version: i32,
    /// The newest zxid that the client has seen anywhere.
    pub last_zxid_seen: i64,
    /// As requested, in ms.
    pub timeout_ms: i32,
    /// 0 for a new session.
    pub session_id: i64,
    /// As issued with the session; null or another length never matches.
    pub password: &'a [u8],
    /// Whether a read-only server will do; `None` from clients before 3.4, which do not send it.
    pub read_only: Option<bool>,
}

impl<'a> ConnectRequest<'a> {
    /// Reads the packet.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, JuteError> {
        let mut r = JuteReader::new(bytes);
        Ok(Self {
            protocol_version: r.int()?,
            last_zxid_seen: r.long()?,
            timeout_ms: r.int()?,
            session_id: r.long()?,
            password: r.buffer()?.unwrap_or_default(),
            read_only: if r.rest().is_empty() { None } else { Some(r.bool()?) },
        })
    }
}

/// What precedes every request but the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The client's number for it, repeated in the reply.
    pub xid: i32,
    /// The operation's number, which need not be one that exists.
    pub op: i32,
}

impl RequestHeader {
    /// Reads it off the front of a packet.
    pub fn decode(reader: &mut JuteReader<'_>) -> Result<Self, JuteError> {
        Ok(Self { xid: reader.int()?, op: reader.int()? })
    }
}

/// A node to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create<'a> {
    /// Its path, or the beginning of it if it is sequential; stock looks at the flags before it
    /// fails on one that is null.
    pub path: Option<&'a [u8]>,
    /// Its data; null is kept as null.
    pub data: Option<&'a [u8]>,
    /// Its ACL, before `auth` is expanded.
    pub acl: AclList<'a>,
    /// See [`CreateMode`].
    pub flags: i32,
    /// In ms; -1 from every operation but createTTL.
    pub ttl: i64,
}

/// What the flags of a create say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateMode {
    /// Removed with its session.
    pub is_ephemeral: bool,
    /// The parent's counter is appended to its name.
    pub is_sequential: bool,
    /// Removed with its last child.
    pub is_container: bool,
    /// It has a time to live.
    pub is_ttl: bool,
}

impl CreateMode {
    /// The mode behind the flags, if there is one.
    pub const fn of(flags: i32) -> Option<Self> {
        let (is_ephemeral, is_sequential, is_container, is_ttl) = match flags {
            0 => (false, false, false, false),
            1 => (true, false, false, false),
            2 => (false, true, false, false),
            3 => (true, true, false, false),
            4 => (false, false, true, false),
            5 => (false, false, false, true),
            6 => (false, true, false, true),
            _ => return None,
        };
        Some(Self { is_ephemeral, is_sequential, is_container, is_ttl })
    }
}

/// The watches that a client had before it reconnected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetWatches<'a> {
    /// What the client has seen.
    pub relative_zxid: i64,
    /// Watches of data.
    pub data: Strings<'a>,
    /// Watches of nodes that did not exist.
    pub exist: Strings<'a>,
    /// Watches of children.
    pub child: Strings<'a>,
    /// Persistent watches.
    pub persistent: Strings<'a>,
    /// Persistent watches of whole subtrees.
    pub recursive: Strings<'a>,
}

impl<'a> SetWatches<'a> {
    fn read(r: &mut JuteReader<'a>, has_persistent: bool) -> Result<Self, JuteError> {
        let relative_zxid = r.long()?;
        let (data, exist, child) = (r.paths()?, r.paths()?, r.paths()?);
        let (persistent, recursive) =
            if has_persistent { (r.strings()?, r.strings()?) } else { Default::default() };
        Ok(Self { relative_zxid, data, exist, child, persistent, recursive })
    }
}

/// A change of the ensemble: by its differences, or as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconfig<'a> {
    /// Servers to add or to change, `server.N=...`, with commas between them.
    pub joining: Option<&'a [u8]>,
    /// The numbers of servers to remove, with commas between them.
    pub leaving: Option<&'a [u8]>,
    /// All lines of the new configuration; then the other two do not count.
    pub members: Option<&'a [u8]>,
    /// The version that it is to follow; -1 for any.
    pub from: i64,
}

/// A decoded request; everything varying is borrowed from the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the protocol")]
pub enum Request<'a> {
    Create(Create<'a>),
    Delete { path: &'a [u8], version: i32 },
    DeleteContainer { path: &'a [u8] },
    Exists { path: &'a [u8], watch: bool },
    GetData { path: &'a [u8], watch: bool },
    SetData { path: &'a [u8], data: Option<&'a [u8]>, version: i32 },
    GetAcl { path: &'a [u8] },
    SetAcl { path: &'a [u8], acl: AclList<'a>, version: i32 },
    GetChildren { path: &'a [u8], watch: bool },
    GetChildren2 { path: &'a [u8], watch: bool },
    Sync { path: Option<&'a [u8]> },
    Ping,
    Check { path: &'a [u8], version: i32 },
    Multi(Vec<SubRequest<'a>>),
    MultiRead(Vec<SubRequest<'a>>),
    Reconfig(Reconfig<'a>),
    CheckWatches { path: &'a [u8], kind: i32 },
    RemoveWatches { path: &'a [u8], kind: i32 },
    Auth { scheme: Option<&'a [u8]>, auth: Option<&'a [u8]> },
    SetWatches(SetWatches<'a>),
    Sasl { token: Option<&'a [u8]> },
    GetEphemerals { prefix: &'a [u8] },
    GetAllChildrenNumber { path: &'a [u8] },
    AddWatch { path: &'a [u8], mode: i32 },
    WhoAmI,
    CloseSession,
}

/// One operation of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubRequest<'a> {
    /// Which one.
    pub op: Op,
    /// What it requests.
    pub request: Request<'a>,
}

impl<'a> Request<'a> {
    /// Reads the body of a request. Bytes behind the record are ignored, as stock does.
    pub fn decode(op: Op, body: &'a [u8]) -> Result<Self, JuteError> {
        Self::read(op, &mut JuteReader::new(body))
    }

    fn read(op: Op, r: &mut JuteReader<'a>) -> Result<Self, JuteError> {
        Ok(match op {
            Op::Create | Op::Create2 | Op::CreateContainer => Self::Create(Create {
                path: r.string()?,
                data: r.buffer()?,
                acl: AclList::decode(r)?,
                flags: r.int()?,
                ttl: -1,
            }),
            Op::CreateTtl => Self::Create(Create {
                path: r.string()?,
                data: r.buffer()?,
                acl: AclList::decode(r)?,
                flags: r.int()?,
                ttl: r.long()?,
            }),
            Op::Delete => Self::Delete { path: r.path()?, version: r.int()? },
            Op::DeleteContainer => Self::DeleteContainer { path: r.path()? },
            Op::Exists => Self::Exists { path: r.path()?, watch: r.bool()? },
            Op::GetData => Self::GetData { path: r.path()?, watch: r.bool()? },
            Op::SetData => Self::SetData { path: r.text()?, data: r.buffer()?, version: r.int()? },
            Op::GetAcl => Self::GetAcl { path: r.path()? },
            Op::SetAcl => {
                Self::SetAcl { path: r.text()?, acl: AclList::decode(r)?, version: r.int()? }
            }
            Op::GetChildren => Self::GetChildren { path: r.path()?, watch: r.bool()? },
            Op::GetChildren2 => Self::GetChildren2 { path: r.path()?, watch: r.bool()? },
            Op::Sync => Self::Sync { path: r.string()? },
            Op::Ping => Self::Ping,
            Op::Check => Self::Check { path: r.text()?, version: r.int()? },
            Op::Multi => Self::Multi(multi(r, false)?),
            Op::MultiRead => Self::MultiRead(multi(r, true)?),
            Op::Reconfig => {
                let [joining, leaving, members] = [r.string()?, r.string()?, r.string()?];
                Self::Reconfig(Reconfig { joining, leaving, members, from: r.long()? })
            }
            Op::CheckWatches => Self::CheckWatches { path: r.text()?, kind: r.int()? },
            Op::RemoveWatches => Self::RemoveWatches { path: r.text()?, kind: r.int()? },
            Op::Auth => {
                r.int()?;
                Self::Auth { scheme: r.string()?, auth: r.buffer()? }
            }
            Op::SetWatches => Self::SetWatches(SetWatches::read(r, false)?),
            Op::SetWatches2 => Self::SetWatches(SetWatches::read(r, true)?),
            Op::Sasl => Self::Sasl { token: r.buffer()? },
            Op::GetEphemerals => Self::GetEphemerals { prefix: r.text()? },
            Op::GetAllChildrenNumber => Self::GetAllChildrenNumber { path: r.path()? },
            Op::AddWatch => Self::AddWatch { path: r.text()?, mode: r.int()? },
            Op::WhoAmI => Self::WhoAmI,
            Op::CloseSession => Self::CloseSession,
            Op::Error | Op::CreateSession => {
                return Err(JuteError::Value { offset: r.offset(), found: op.code() });
            }
        })
    }
}

/// The operations of a multi, in order: all of them writes, or in a multiRead all of them reads.
fn multi<'a>(r: &mut JuteReader<'a>, is_reading: bool) -> Result<Vec<SubRequest<'a>>, JuteError> {
    let mut ops = Vec::new();
    loop {
        let offset = r.offset();
        let (found, done) = (r.int()?, r.bool()?);
        r.int()?;
        if done {
            return Ok(ops);
        }
        let (start, bad) = (r.offset(), JuteError::Value { offset, found });
        let op = Op::of(found).ok_or(bad)?;
        let reads = match op {
            Op::Create
            | Op::Create2
            | Op::CreateContainer
            | Op::CreateTtl
            | Op::Delete
            | Op::SetData
            | Op::Check => false,
            Op::GetChildren | Op::GetData => true,
            _ => return Err(bad),
        };
        let mut request = Request::read(op, r)?;
        if matches!(JuteReader::new(r.since(start)).string(), Ok(None)) {
            return Err(JuteError::NullPath { offset: start });
        }
        let op = match &mut request {
            Request::Create(create) => create_of_multi(op, create, offset)?,
            _ => op,
        };
        if is_reading != reads {
            return Err(JuteError::MixedMulti);
        }
        ops.push(SubRequest { op, request });
    }
}

/// What a create of a multi is, which its flags decide more than its number. Stock checks them
/// while it decodes, so invalid ones end the whole multi.
fn create_of_multi(op: Op, create: &mut Create<'_>, offset: usize) -> Result<Op, JuteError> {
    let mode = CreateMode::of(create.flags);
    if op == Op::CreateTtl {
        return Ok(match mode {
            Some(CreateMode { is_ttl: true, .. }) => Op::CreateTtl,
            // Then it is a create like any other, and its time to live is not looked at.
            Some(CreateMode { is_container: true, .. }) => {
                create.ttl = -1;
                Op::CreateContainer
            }
            _ => {
                create.ttl = -1;
                Op::Create
            }
        });
    }
    let bad = JuteError::Value { offset, found: create.flags };
    let mode = mode.ok_or(bad)?;
    if create.acl.is_null() {
        return Err(JuteError::NullAcl { offset });
    }
    if mode.is_ttl {
        return Err(bad);
    }
    Ok(if mode.is_container { Op::CreateContainer } else { op })
}
