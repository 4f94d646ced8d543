//! What a learner knows of one session of its clients.

use crate::acl::identity::Identities;
use crate::batch::{ConnectionId, Outcome};
use crate::message::Connect;
use model::error::ErrorCode;
use model::op::Op;
use model::peer::packet::{Identity, IdentityList};
use model::zxid::Zxid;
use std::collections::VecDeque;

/// A session that is, or was, attached to a connection of this server.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) place: Place,
    pub(super) timeout_ms: i32,
    pub(super) identities: IdentityList,
    /// What was passed on and has not come back, in order.
    pub(super) asked: VecDeque<Asked>,
    /// Questions to the leader whether the session exists.
    pub(super) questions: u32,
    pub(super) is_touched: bool,
}

/// Where it is.
#[derive(Debug)]
pub(super) enum Place {
    /// Only this server knows it, and the session table where it is.
    Here,
    /// Nowhere here.
    Detached,
    /// The leader has yet to make it.
    Created(Box<Connect>),
    /// The leader has yet to say whether it exists.
    Asked(Box<Connect>),
    /// On this connection.
    Attached(ConnectionId),
    /// Leaving this connection for the one that requested it.
    Moving { from: ConnectionId, to: Box<Connect> },
}

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A client's of this server.
    Client(ConnectionId),
    /// An observer's; it holds so many bytes until it comes back, about.
    Observer {
        /// So many.
        bytes: usize,
    },
}

impl Asker {
    /// The client's connection, if it is one of this server's.
    pub(super) fn connection(self) -> Option<ConnectionId> {
        match self {
            Self::Client(connection) => Some(connection),
            Self::Observer { .. } => None,
        }
    }
}

/// A request that was passed on.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) to: Asker,
    pub(super) xid: i32,
    pub(super) op: Op,
    pub(super) received_ms: u64,
    pub(super) large_bytes: u64,
    /// The body of a sync, which its reply repeats.
    pub(super) body: Box<[u8]>,
    /// What its client is answered in place of the leader's error.
    pub(super) refused: Option<ErrorCode>,
}

impl Asked {
    /// An observer's: it knows itself whose it is.
    pub(super) fn by_observer(bytes: usize, xid: i32, op: Op) -> Self {
        let to = Asker::Observer { bytes };
        let (body, refused) = (Box::default(), None);
        Self { to, xid, op, received_ms: 0, large_bytes: 0, body, refused }
    }

    pub(super) fn outcome(&self, zxid: Zxid, error: ErrorCode) -> Outcome {
        // The session is another server's by now: its client must not go on here.
        let has_moved = error == ErrorCode::SessionMoved;
        let has_failed = error != ErrorCode::Ok && !has_moved;
        let error = self.refused.filter(|_| has_failed).unwrap_or(error);
        Outcome {
            zxid,
            op: if has_moved { Op::CloseSession } else { self.op },
            to: self.to.connection(),
            xid: self.xid,
            received_ms: self.received_ms,
            large_bytes: self.large_bytes,
            error,
            body: 0..0,
            events: 0..0,
        }
    }
}

impl Known {
    /// A session of whose clients none has been here.
    pub(super) fn elsewhere() -> Self {
        Self {
            place: Place::Detached,
            timeout_ms: 0,
            identities: IdentityList::default(),
            asked: VecDeque::new(),
            questions: 0,
            is_touched: false,
        }
    }

    pub(super) fn new(place: Place, connect: &Connect) -> Self {
        Self {
            place,
            timeout_ms: connect.timeout_ms,
            identities: list_of(&connect.identities),
            asked: VecDeque::new(),
            questions: 0,
            is_touched: false,
        }
    }

    /// Whether nothing of it is left here.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.place, Place::Detached) && self.asked.is_empty() && self.questions == 0
    }

    /// Whether it is local, and its end is requested: nothing comes after that.
    pub(super) fn is_ending_here(&self) -> bool {
        let is_end = |it: &Asked| it.op == Op::CloseSession;
        matches!(self.place, Place::Here) && self.asked.back().is_some_and(is_end)
    }

    /// Whether this connection may send its requests.
    pub(super) fn is_of(&self, connection: ConnectionId) -> bool {
        match self.place {
            Place::Attached(at) | Place::Moving { from: at, .. } => at == connection,
            Place::Here | Place::Detached | Place::Created(_) | Place::Asked(_) => false,
        }
    }
}

pub(super) fn list_of(identities: &Identities) -> IdentityList {
    let mut list = IdentityList::default();
    for id in identities.ids() {
        list.push(Identity { scheme: Some(&id.scheme), id: Some(&id.id) });
    }
    list
}
