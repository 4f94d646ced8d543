//! One request of a stream: its content, and its bytes.

use harness::{Acl, Body, opcode};

/// A path as a stream names it. Names chosen by a server are unknown before the stream runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    Fixed(String),
    /// The n-th newest sequential node, and a suffix for its path.
    Sequential(usize, &'static str),
}

/// The sequential nodes that were created so far, oldest first.
pub(super) type Sequentials = Vec<String>;

impl Path {
    fn resolve(&self, known: &Sequentials) -> String {
        match self {
            Self::Fixed(path) => path.clone(),
            Self::Sequential(back, rest) => match known.iter().rev().nth(*back) {
                Some(path) => format!("{path}{rest}"),
                None => "/none".to_owned(),
            },
        }
    }
}

/// Bytes of a node: null differs from empty.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Data(pub(super) Option<Vec<u8>>);

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            None => f.write_str("null"),
            Some(bytes) if bytes.len() > 40 => write!(f, "{} bytes", bytes.len()),
            Some(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
        }
    }
}

/// The request. Names and order of fields are the protocol's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Create {
        kind: i32,
        path: Path,
        data: Data,
        acl: Option<Vec<Acl>>,
        flags: i32,
        ttl: i64,
    },
    Delete {
        path: Path,
        version: i32,
    },
    Set {
        path: Path,
        data: Data,
        version: i32,
    },
    Check {
        path: Path,
        version: i32,
    },
    SetAcl {
        path: Path,
        acl: Option<Vec<Acl>>,
        version: i32,
    },
    /// exists, getData, getChildren, getChildren2
    Read {
        kind: i32,
        path: Path,
        watch: bool,
    },
    /// getACL, sync, getAllChildrenNumber, getEphemerals
    Named {
        kind: i32,
        path: Path,
    },
    /// multi, multiRead
    Multi {
        kind: i32,
        calls: Vec<Call>,
    },
    AddWatch {
        path: Path,
        mode: i32,
    },
    /// checkWatches, removeWatches
    Watchers {
        kind: i32,
        path: Path,
        watcher: i32,
    },
    SetWatches {
        two: bool,
        back: i64,
        lists: [Vec<Path>; 5],
    },
    Auth {
        scheme: String,
        credentials: Vec<u8>,
    },
    /// ping, whoAmI, closeSession, and what has no body
    Bare {
        kind: i32,
    },
    Reconfig {
        joining: Option<String>,
    },
    /// The bytes of another call, its body cut to this length.
    Cut {
        call: Box<Call>,
        length: usize,
    },
}

impl Call {
    pub(super) fn kind(&self) -> i32 {
        match self {
            Self::Create { kind, .. }
            | Self::Read { kind, .. }
            | Self::Named { kind, .. }
            | Self::Multi { kind, .. }
            | Self::Watchers { kind, .. }
            | Self::Bare { kind } => *kind,
            Self::Delete { .. } => opcode::DELETE,
            Self::Set { .. } => opcode::SET_DATA,
            Self::Check { .. } => opcode::CHECK,
            Self::SetAcl { .. } => opcode::SET_ACL,
            Self::AddWatch { .. } => opcode::ADD_WATCH,
            Self::SetWatches { two: false, .. } => opcode::SET_WATCHES,
            Self::SetWatches { two: true, .. } => opcode::SET_WATCHES2,
            Self::Auth { .. } => opcode::AUTH,
            Self::Reconfig { .. } => opcode::RECONFIG,
            Self::Cut { call, .. } => call.kind(),
        }
    }

    /// The xid that clients send this with, `next` where it is any.
    pub(super) fn xid(&self, next: i32) -> i32 {
        match self.kind() {
            opcode::PING => -2,
            opcode::AUTH => -4,
            opcode::SET_WATCHES | opcode::SET_WATCHES2 => -8,
            _ => next,
        }
    }

    /// Whether it can change or end something, so that other clients must be checked.
    pub(super) fn is_write(&self) -> bool {
        !matches!(self, Self::Read { .. } | Self::Named { .. } | Self::Watchers { .. })
            && self.kind() != opcode::PING
            && self.kind() != opcode::WHO_AM_I
            && self.kind() != opcode::MULTI_READ
    }

    /// The body's bytes. `seen` is the newest zxid that the session has received.
    pub(super) fn encode(&self, known: &Sequentials, seen: i64) -> Body {
        let named = |path: &Path| Body::new().string(&path.resolve(known));
        match self {
            Self::Create { kind, path, data, acl, flags, ttl } => {
                let body = acls(named(path).buffer(data.0.as_deref()), acl.as_deref()).int(*flags);
                if *kind == opcode::CREATE_TTL { body.long(*ttl) } else { body }
            }
            Self::Delete { path, version } | Self::Check { path, version } => {
                named(path).int(*version)
            }
            Self::Set { path, data, version } => {
                named(path).buffer(data.0.as_deref()).int(*version)
            }
            Self::SetAcl { path, acl, version } => acls(named(path), acl.as_deref()).int(*version),
            Self::Read { path, watch, .. } => named(path).boolean(*watch),
            Self::Named { path, .. } => named(path),
            Self::Multi { calls, .. } => {
                let front = calls.iter().fold(Body::new(), |body, call| {
                    let header = body.int(call.kind()).boolean(false).int(-1);
                    header.raw(&call.encode(known, seen).0)
                });
                front.int(-1).boolean(true).int(-1)
            }
            Self::AddWatch { path, mode: value } | Self::Watchers { path, watcher: value, .. } => {
                named(path).int(*value)
            }
            Self::SetWatches { two, back, lists } => {
                let lists = if *two { &lists[..] } else { &lists[..3] };
                lists.iter().fold(Body::new().long(seen - back), |body, list| {
                    let paths: Vec<_> = list.iter().map(|path| path.resolve(known)).collect();
                    body.strings(&paths.iter().map(String::as_str).collect::<Vec<_>>())
                })
            }
            Self::Auth { scheme, credentials } => {
                Body::new().int(0).string(scheme).buffer(credentials.as_slice())
            }
            Self::Bare { .. } => Body::new(),
            Self::Reconfig { joining } => {
                Body::new().buffer(joining.as_deref().map(str::as_bytes)).int(-1).int(-1).long(-1)
            }
            Self::Cut { call, length } => {
                let mut body = call.encode(known, seen);
                body.0.truncate(*length);
                body
            }
        }
    }
}

fn acls(body: Body, acl: Option<&[Acl]>) -> Body {
    match acl {
        None => body.int(-1),
        Some(entries) => body.acls(entries),
    }
}
