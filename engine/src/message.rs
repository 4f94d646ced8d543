//! What the roles send each other; the same whether they share a core loop or not.

use crate::acl::identity::Identities;
use crate::batch::{ConnectionId, Cursor};
use crate::state::State;
use crate::tree::TreeReader;
use model::op::Op;
use model::session::{Password, SessionId};
use std::ops::Range;
use std::sync::Arc;

/// From a shard to the ordering role, in the order in which it happened there.
#[derive(Debug)]
pub enum ToOrdering {
    /// A client requests a session, a new one or its own.
    Connect(Connect),
    /// The writes of one turn.
    Writes(Bundle),
    /// A connection has authenticated.
    Identified {
        /// Which one.
        connection: ConnectionId,
        /// Its session.
        session: SessionId,
        /// All its identities now.
        identities: Arc<Identities>,
    },
    /// A connection was closed; nothing of it follows.
    Detached {
        /// Which one.
        connection: ConnectionId,
        /// Its session.
        session: SessionId,
    },
    /// The sessions that were active, and until when the shard has read everything.
    Touched {
        /// Which shard looked.
        shard: u16,
        /// Each with the time of its last request, in ms of the monotonic clock.
        sessions: Vec<(SessionId, u64)>,
        /// Everything that reached the server before this was read, and sent to this role before
        /// this message.
        until_ms: u64,
    },
}

/// A client's request for a session.
#[derive(Debug)]
pub struct Connect {
    /// The connection to answer.
    pub connection: ConnectionId,
    /// Its identities so far.
    pub identities: Arc<Identities>,
    /// When it was received, in ms of the monotonic clock.
    pub received_ms: u64,
    /// 0 for a new one.
    pub session: SessionId,
    /// As issued with the session; of another length it never matches.
    pub password: Option<Password>,
    /// As granted, in ms.
    pub timeout_ms: i32,
    /// Whether a read-only server will do; `None` if the client has not sent this byte, and expects
    /// none in the reply.
    pub read_only: Option<bool>,
}

/// Writes handed over together: one buffer with the raw requests, and what is known about each.
#[derive(Debug, Default)]
pub struct Bundle {
    /// The raw requests, headers left out.
    pub bytes: Vec<u8>,
    /// Each of them, in order.
    pub writes: Vec<Write>,
}

/// One write of a bundle.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its connection.
    pub connection: ConnectionId,
    /// Its session.
    pub session: SessionId,
    /// The client's number for it.
    pub xid: i32,
    /// What it requests.
    pub op: Op,
    /// When it was received, in ms of the monotonic clock.
    pub received_ms: u64,
    /// Bytes of the whole packet if it counts as a large request, else 0.
    pub large_bytes: u64,
    /// The raw request in the bundle's bytes.
    pub body: Range<u32>,
}

/// From the ordering role to a shard, besides the published batches.
#[derive(Debug)]
pub enum ToShard {
    /// The session of this connection is attached elsewhere: hand over what was received from it,
    /// close it, then send Detached.
    Detach {
        /// Which one.
        connection: ConnectionId,
        /// The session that leaves it.
        session: SessionId,
    },
    /// A bundle whose memory can be reused.
    Returned(Bundle),
    /// These clients are served from now on.
    Serve(Served),
    /// The server holds another tree from now on, and has no clients.
    Replaced(Box<NewTree>),
}

/// Which clients a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Any client.
    All,
    /// Those for which a read-only server will do.
    ReadOnly,
    /// None: their connections are closed.
    Nobody,
    /// The same, and what was published before is answered: it stays, whoever leads next, and its
    /// clients would repeat it.
    NobodyMore,
}

/// What a shard reads from.
pub struct NewTree {
    /// The published versions.
    pub reader: TreeReader<State>,
    /// The batches after them.
    pub cursor: Cursor,
}

impl std::fmt::Debug for NewTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewTree")
    }
}
