//! What simulated clients ask for, as packets.

use model::acl::AclList;
use model::jute;
use model::op::Op;
use model::response;
use model::session::{Password, SessionId};
use model::zxid::Zxid;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A node.
    Create {
        /// Its path, or the beginning of it.
        path: String,
        /// As the protocol has them: 1 is ephemeral, 2 sequential.
        flags: i32,
    },
    /// New data.
    Set(String, u64),
    /// A node's end.
    Delete(String),
    /// Writes, all or none.
    Multi(Vec<Ask>),
    /// Data and Stat, perhaps with a watch.
    Get(String, bool),
    /// The Stat, perhaps with a watch.
    Exists(String, bool),
    /// Names of children.
    Children(String),
    /// What any client has been answered before can be read after this.
    Sync,
    /// A heartbeat.
    Ping,
    /// The session's end.
    Close,
    /// The watches of an earlier connection: what was seen, paths of nodes that existed and of
    /// nodes that did not.
    SetWatches(Zxid, Vec<String>, Vec<String>),
}

/// The number of a ping, and of a request for watches of an earlier connection.
pub const PING_XID: i32 = -2;
/// See [`PING_XID`].
pub const WATCHES_XID: i32 = -8;

impl Ask {
    /// Whether it becomes a txn.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Create { .. } | Self::Set(..) | Self::Delete(_) | Self::Multi(_) | Self::Close
        )
    }

    fn op(&self) -> Op {
        match self {
            Self::Create { .. } => Op::Create,
            Self::Set(..) => Op::SetData,
            Self::Delete(_) => Op::Delete,
            Self::Multi(_) => Op::Multi,
            Self::Get(..) => Op::GetData,
            Self::Exists(..) => Op::Exists,
            Self::Children(_) => Op::GetChildren,
            Self::Sync => Op::Sync,
            Self::Ping => Op::Ping,
            Self::Close => Op::CloseSession,
            Self::SetWatches(..) => Op::SetWatches,
        }
    }

    fn put_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create { path, flags } => {
                jute::put_string(out, path.as_bytes());
                jute::put_string(out, b"new");
                AclList::OPEN.encode(out);
                jute::put_int(out, *flags);
            }
            Self::Set(path, data) => {
                jute::put_string(out, path.as_bytes());
                jute::put_string(out, &data.to_le_bytes());
                jute::put_int(out, -1);
            }
            Self::Delete(path) => {
                jute::put_string(out, path.as_bytes());
                jute::put_int(out, -1);
            }
            Self::Multi(asks) => {
                for ask in asks {
                    response::put_multi_header(out, ask.op().code(), false, -1);
                    ask.put_body(out);
                }
                response::put_multi_end(out);
            }
            Self::Get(path, watches) | Self::Exists(path, watches) => {
                jute::put_string(out, path.as_bytes());
                jute::put_bool(out, *watches);
            }
            Self::Children(path) => {
                jute::put_string(out, path.as_bytes());
                jute::put_bool(out, false);
            }
            Self::Sync => jute::put_string(out, b"/"),
            Self::Ping | Self::Close => (),
            Self::SetWatches(seen, data, exist) => {
                jute::put_long(out, seen.0);
                for paths in [data, exist, &Vec::new()] {
                    jute::put_length(out, paths.len());
                    for path in paths {
                        jute::put_string(out, path.as_bytes());
                    }
                }
            }
        }
    }

    /// The packet.
    pub fn packet(&self, xid: i32) -> Vec<u8> {
        let mut out = Vec::new();
        jute::put_int(&mut out, xid);
        jute::put_int(&mut out, self.op().code());
        self.put_body(&mut out);
        out
    }
}

/// The first packet of a connection; it says whether a read-only server will do.
pub fn connect(
    seen: Zxid,
    timeout_ms: i32,
    session: SessionId,
    password: &Password,
    is_content: bool,
) -> Vec<u8> {
    let mut out = Vec::new();
    jute::put_int(&mut out, 0);
    jute::put_long(&mut out, seen.0);
    jute::put_int(&mut out, timeout_ms);
    jute::put_long(&mut out, session.0);
    jute::put_string(&mut out, password);
    jute::put_bool(&mut out, is_content);
    out
}
