//! Local sessions: made and ended without a txn, on the server that their client has reached.
//!
//! No other server knows one, so a client that goes elsewhere with it is told that it has ended;
//! so is one that returns after its server has had another role. It expires here, whoever leads.
//! Its writes have their place in the history like all others, only an ephemeral node needs an
//! owner that every server knows: the session is upgraded first, by the txn that would have made
//! it, or the node is refused.
//!
//! Invariants: a session is local in the table or known to the leader, never both, and it becomes
//! global at most once (guard: `tests::ensemble::local`); on a learner the table holds exactly the
//! local sessions.
//!
//! Source: ZooKeeper 3.9.5, `UpgradeableSessionTracker` and its two kinds,
//! `QuorumZooKeeperServer.checkUpgradeSession`. Lives in: the ordering role. Not here: what a
//! learner has passed on for its local sessions (`forwarding`).

use super::Ordering;
use super::service::Service;
use crate::acl::identity::Identities;
use crate::batch::ConnectionId;
use crate::message::{Connect, Write};
use crate::session::SessionPlace;
use crate::settings::{LocalSessions, Now};
use model::error::ErrorCode;
use model::jute::JuteError;
use model::op::Op;
use model::request::{Create, CreateMode, Request, SubRequest};
use model::session::SessionId;

/// A client's request to close its local session.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalClose {
    /// Its connection.
    pub(super) connection: ConnectionId,
    /// Its number for the request.
    pub(super) xid: i32,
    /// When that was received, in ms of the monotonic clock.
    pub(super) received_ms: u64,
}

impl Ordering {
    /// Whether new sessions are local.
    pub fn makes_local(&self) -> bool {
        self.settings.local_sessions != LocalSessions::Off
    }

    /// Whether a learner answers this client's connect without its leader.
    pub(super) fn is_connect_here(&self, session: SessionId) -> bool {
        if session.0 == 0 { self.makes_local() } else { self.sessions.is_local(session) }
    }

    /// A client requests a new session, and sessions are local.
    pub(super) fn create_local(&mut self, now: Now, connect: &Connect) {
        let id = self.sessions.allocate();
        self.sessions.track_local(id, connect, now.mono_ms);
        if let Service::Following(it) = &mut self.service {
            it.begin_local(id, connect);
        }
        self.answer_connect(connect, Some(id));
    }

    /// The client of a session, which may be local, has these identities.
    pub(super) fn identify_local(&mut self, id: SessionId, identities: &Identities) {
        if let Service::Following(it) = &mut self.service {
            it.identify_local(id, identities);
        }
    }

    /// Makes a session of this leader's global if its request needs that. Returns how its ephemeral
    /// nodes are refused, if they are.
    pub(super) fn upgrade_here(
        &mut self,
        now: Now,
        session: SessionId,
        op: Op,
        request: &Result<Request<'_>, JuteError>,
    ) -> Option<ErrorCode> {
        if !self.sessions.is_local(session) {
            return None;
        }
        if !needs_global(op, request) {
            // Ephemeral by flags that nothing looks for before: as of a session that is not known.
            return Some(ErrorCode::SessionExpired);
        }
        if self.settings.local_sessions != LocalSessions::Upgraded {
            return Some(ErrorCode::EphemeralOnLocalSession);
        }
        let made_ms = self.sessions.upgrade(session)?;
        let mark = self.open.batch.mark();
        let zxid = self.propose_session(now, session, 0, made_ms);
        self.push_quiet(zxid, Op::CreateSession, mark);
        None
    }

    /// Asks the leader to make a local session of this learner's global if its request needs that.
    /// Returns what the client is answered if the leader refuses, where the leader cannot know it.
    pub(super) fn upgrade_elsewhere(&mut self, write: &Write, body: &[u8]) -> Option<ErrorCode> {
        if !matches!(write.op, Op::Create | Op::Create2 | Op::Multi)
            || !needs_global(write.op, &Request::decode(write.op, body))
        {
            return None;
        }
        if self.settings.local_sessions != LocalSessions::Upgraded {
            return Some(ErrorCode::EphemeralOnLocalSession);
        }
        let made_ms = self.sessions.upgrade(write.session)?;
        let entry = self.sessions.forget(write.session)?;
        let Service::Following(it) = &mut self.service else { return None };
        let packets = Self::packets_for(&mut self.to_peers, it.link());
        it.upgrade(write.session, entry, made_ms, packets);
        None
    }

    /// Whether a session that a leader does not track may be a local one of another server: if its
    /// own are, and the id is not of its own making.
    pub(super) fn may_be_local_elsewhere(&self, session: SessionId) -> bool {
        // Signed, as in stock: a leader with an id above 127 recognises none of its own.
        let maker = session.0 >> 56;
        self.makes_local() && maker != i64::from(self.settings.server_id)
    }

    /// Ends a learner's local session whose client has requested that, once everything before is
    /// answered.
    pub(super) fn maybe_close_local(&mut self, session: SessionId) {
        let Service::Following(it) = &mut self.service else { return };
        let asked = it.take_local_close(session);
        if asked.is_some() {
            self.end_local(session, asked);
        }
    }

    /// Ends a local session: at its client's request, or because its time has run out.
    pub(super) fn end_local(&mut self, session: SessionId, asked: Option<LocalClose>) {
        let Some(entry) = self.sessions.forget(session) else { return };
        if let Service::Following(it) = &mut self.service {
            it.end_local(session);
        }
        let to = match entry.place {
            SessionPlace::Attached(at) => Some(at),
            SessionPlace::Moving { from, to } => {
                self.answer_connect(&to, None);
                Some(from)
            }
            SessionPlace::Unused
            | SessionPlace::Detached
            | SessionPlace::Learner(_)
            | SessionPlace::Closing(_) => None,
        };
        // A connection that has not requested it is closed silently.
        let (xid, received_ms, error) = match asked.filter(|it| Some(it.connection) == to) {
            Some(it) => (it.xid, it.received_ms, ErrorCode::Ok),
            None => (0, 0, ErrorCode::SessionExpired),
        };
        let mark = self.open.batch.mark();
        self.push_end(self.seen(), to, (xid, received_ms, error), mark);
    }

    /// Ends a learner's local sessions whose time has run out.
    pub(super) fn expire_local(&mut self, now: Now) {
        for session in self.sessions.expired(now.mono_ms) {
            self.counts.expired += 1;
            self.end_local(session, None);
        }
    }
}

/// Whether a request creates a node that only a global session may own: what stock looks at before
/// it decides, which is not every operation that can carry such flags.
fn needs_global(op: Op, request: &Result<Request<'_>, JuteError>) -> bool {
    match request {
        Ok(Request::Create(create)) => is_ephemeral(op, create) == Some(true),
        Ok(Request::Multi(ops)) => {
            let creates = ops.iter().filter_map(|SubRequest { op, request }| match request {
                Request::Create(create) => Some(is_ephemeral(*op, create)),
                _ => None,
            });
            // At flags without a meaning stock stops looking: the multi fails on them.
            creates.map_while(|found| found).any(|found| found)
        }
        _ => false,
    }
}

/// `None` if the flags have no meaning.
fn is_ephemeral(op: Op, create: &Create<'_>) -> Option<bool> {
    let mode = CreateMode::of(create.flags);
    match op {
        Op::Create | Op::Create2 => mode.map(|mode| mode.is_ephemeral),
        _ => Some(false),
    }
}
