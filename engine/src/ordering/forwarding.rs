//! A learner's clients: their writes are passed on to the leader, and answered when they come back
//! as txns.
//!
//! A REQUEST comes back as exactly one txn, an error txn if it failed, or as one SYNC, in the
//! link's order. So each session has one queue of what was passed on for it, and a txn that names
//! the session and the first entry's number is that entry's. Txns of the leader's own (expiry, a
//! new session) carry the number 0 and match nothing. An entry of a connection that has gone stays
//! until its txn has consumed it: a client's next connection counts anew.
//!
//! A session that resumes here is asked for (REVALIDATE); while an older question of the same
//! session is open, only the last answer counts.
//!
//! Source: ZooKeeper 3.9.5, `FollowerRequestProcessor`, `Learner.revalidate`, `CommitProcessor`.
//! Lives in: [`Service::Following`](super::service::Service).

use super::Ordering;
use super::service::Service;
use crate::acl::identity::Identities;
use crate::batch::{ConnectionId, Mark, Outcome};
use crate::hash::IdMap;
use crate::message::{Bundle, Connect, ToOrdering, ToShard, Write};
use crate::zab::{LinkId, Plant};
use model::error::ErrorCode;
use model::jute::{self, JuteReader};
use model::op::Op;
use model::peer::packet::{FromLeader, FromLearner, Identity, IdentityList, TouchedList};
use model::session::{SessionId, password};
use model::txn::TxnHeader;
use model::zxid::Zxid;
use std::collections::VecDeque;

/// The learner's part of its clients' sessions.
#[derive(Debug)]
pub(crate) struct Forwarding {
    link: LinkId,
    sessions: IdMap<SessionId, Known>,
    /// The sessions of syncs that are not answered, in the link's order.
    syncs: VecDeque<SessionId>,
    /// The sessions of syncs that the leader has answered, each with what it had committed by then:
    /// this server's tree must hold that first. Until then writes before the sync may be
    /// unanswered, because they are not durable here.
    synced: VecDeque<(Zxid, SessionId)>,
    /// The sessions that were active since the leader's last ping.
    touched: Vec<SessionId>,
}

/// A session that is, or was, attached to a connection of this server.
#[derive(Debug)]
struct Known {
    place: Place,
    timeout_ms: i32,
    identities: IdentityList,
    /// What was passed on and has not come back, in order.
    asked: VecDeque<Asked>,
    /// Questions to the leader whether the session exists.
    questions: u32,
    is_touched: bool,
}

/// Where it is.
#[derive(Debug)]
enum Place {
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

/// A request that was passed on.
#[derive(Clone, Debug)]
struct Asked {
    to: ConnectionId,
    xid: i32,
    op: Op,
    received_ms: u64,
    large_bytes: u64,
    /// The body of a sync, which its reply repeats.
    body: Box<[u8]>,
}

impl Asked {
    fn outcome(&self, zxid: Zxid, error: ErrorCode) -> Outcome {
        // The session is another server's by now: its client must not go on here.
        let has_moved = error == ErrorCode::SessionMoved;
        Outcome {
            zxid,
            op: if has_moved { Op::CloseSession } else { self.op },
            to: Some(self.to),
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
    fn new(place: Place, connect: &Connect) -> Self {
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
    fn is_gone(&self) -> bool {
        matches!(self.place, Place::Detached) && self.asked.is_empty() && self.questions == 0
    }

    /// Whether this connection may send its requests.
    fn is_of(&self, connection: ConnectionId) -> bool {
        match self.place {
            Place::Attached(at) | Place::Moving { from: at, .. } => at == connection,
            Place::Detached | Place::Created(_) | Place::Asked(_) => false,
        }
    }
}

fn list_of(identities: &Identities) -> IdentityList {
    let mut list = IdentityList::default();
    for id in identities.ids() {
        list.push(Identity { scheme: Some(&id.scheme), id: Some(&id.id) });
    }
    list
}

impl Forwarding {
    /// Without clients yet.
    pub(super) fn new(link: LinkId) -> Self {
        let (syncs, synced, touched) = (VecDeque::new(), VecDeque::new(), Vec::new());
        Self { link, sessions: IdMap::default(), syncs, synced, touched }
    }

    fn forget_if_gone(&mut self, id: SessionId) {
        if self.sessions.get(&id).is_some_and(Known::is_gone) {
            self.sessions.remove(&id);
        }
    }

    /// The request that this txn answers.
    fn answered(&mut self, header: &TxnHeader) -> Option<Asked> {
        let known = self.sessions.get_mut(&header.session)?;
        let is_first = |asked: &&Asked| asked.xid == header.cxid && asked.op != Op::Sync;
        known.asked.front().filter(is_first)?;
        let asked = known.asked.pop_front();
        self.forget_if_gone(header.session);
        asked
    }

    /// The oldest sync of a session is answered.
    fn synced(&mut self, session: SessionId) -> Option<Asked> {
        let known = self.sessions.get_mut(&session)?;
        known.asked.front().filter(|asked| asked.op == Op::Sync)?;
        let asked = known.asked.pop_front();
        self.forget_if_gone(session);
        asked
    }

    /// The sessions that were active since the last ping, for its answer.
    fn take_touched(&mut self) -> TouchedList {
        let mut list = TouchedList::default();
        for id in self.touched.drain(..) {
            if let Some(known) = self.sessions.get_mut(&id) {
                known.is_touched = false;
                list.push(id, known.timeout_ms);
            }
        }
        list
    }
}

impl Ordering {
    /// Handles a message of a shard of a learner.
    pub(super) fn handle_forwarded(&mut self, message: ToOrdering) {
        match message {
            ToOrdering::Writes(bundle) => self.forward_writes(bundle),
            ToOrdering::Connect(connect) if connect.session.0 == 0 => self.ask_session(connect),
            ToOrdering::Connect(connect) => self.resume(connect),
            ToOrdering::Identified { connection, session, identities } => {
                let Service::Following(it) = &mut self.service else { return };
                let known = it.sessions.get_mut(&session).filter(|known| known.is_of(connection));
                if let Some(known) = known {
                    known.identities = list_of(&identities);
                }
            }
            ToOrdering::Detached { connection, session } => self.detached_here(connection, session),
            ToOrdering::Touched { shard, sessions, until_ms } => {
                self.sessions.reported(shard, until_ms);
                let Service::Following(it) = &mut self.service else { return };
                for (id, _) in sessions {
                    if let Some(known) = it.sessions.get_mut(&id).filter(|it| !it.is_touched) {
                        known.is_touched = true;
                        it.touched.push(id);
                    }
                }
            }
        }
    }

    fn forward_writes(&mut self, bundle: Bundle) {
        for write in &bundle.writes {
            let body = &bundle.bytes[write.body.start as usize..write.body.end as usize];
            self.forward(write, body);
        }
        self.return_bundle(bundle);
    }

    fn forward(&mut self, write: &Write, body: &[u8]) {
        let Service::Following(it) = &mut self.service else { return };
        let Forwarding { link, sessions, syncs, .. } = &mut **it;
        // A write of a connection that its session has left: no client waits for it.
        let known = sessions.get_mut(&write.session).filter(|it| it.is_of(write.connection));
        let Some(known) = known else { return };
        let Write { session, xid, op, received_ms, large_bytes, .. } = *write;
        let kept = if op == Op::Sync { body } else { &[] };
        let (to, kept) = (write.connection, kept.into());
        known.asked.push_back(Asked { to, xid, op, received_ms, large_bytes, body: kept });
        if op == Op::Sync {
            syncs.push_back(session);
        }
        let identities = known.identities.identities();
        let (cxid, op) = (xid, op.code());
        FromLearner::Request { session, cxid, op, body, identities }
            .encode(Self::packets_for(&mut self.to_peers, *link));
    }

    /// A client requests a new session: the leader is asked to make it, under an id of this
    /// server's.
    fn ask_session(&mut self, connect: Connect) {
        let session = self.sessions.allocate();
        let Service::Following(it) = &mut self.service else { return };
        let mut body = Vec::new();
        jute::put_int(&mut body, connect.timeout_ms);
        let (cxid, op) = (0, Op::CreateSession.code());
        let identities = model::peer::packet::Identities::NULL;
        FromLearner::Request { session, cxid, op, body: &body, identities }
            .encode(Self::packets_for(&mut self.to_peers, it.link));
        let place = Place::Created(Box::new(connect));
        let Place::Created(connect) = &place else { return };
        let known = Known::new(Place::Detached, connect);
        it.sessions.insert(session, Known { place, ..known });
    }

    /// A client requests its own session.
    fn resume(&mut self, connect: Connect) {
        let id = connect.session;
        // Before anything else, so that a session's owner cannot be displaced by the id alone.
        if connect.password != Some(password(id)) {
            return self.answer_connect(&connect, None);
        }
        let Service::Following(it) = &mut self.service else { return };
        let fresh = || Known::new(Place::Detached, &connect);
        let known = it.sessions.entry(id).or_insert_with(fresh);
        let detach = |connection: ConnectionId| {
            (connection.shard, ToShard::Detach { connection, session: id })
        };
        match &mut known.place {
            Place::Attached(from) => {
                let from = *from;
                known.place = Place::Moving { from, to: Box::new(connect) };
                self.to_shards.push(detach(from));
            }
            // The newest request wins; the one before only gets its connection closed.
            Place::Moving { to, .. } => {
                let before = std::mem::replace(&mut **to, connect).connection;
                self.to_shards.push(detach(before));
            }
            Place::Asked(before) | Place::Created(before) => {
                let before = before.connection;
                self.to_shards.push(detach(before));
                self.ask_whether_it_exists(connect);
            }
            Place::Detached => self.ask_whether_it_exists(connect),
        }
    }

    fn ask_whether_it_exists(&mut self, connect: Connect) {
        let Service::Following(it) = &mut self.service else { return };
        let (session, timeout_ms) = (connect.session, connect.timeout_ms);
        let Some(known) = it.sessions.get_mut(&session) else { return };
        known.timeout_ms = timeout_ms;
        known.identities = list_of(&connect.identities);
        known.questions += 1;
        known.place = Place::Asked(Box::new(connect));
        FromLearner::Revalidate { session, timeout_ms }
            .encode(Self::packets_for(&mut self.to_peers, it.link));
    }

    fn detached_here(&mut self, connection: ConnectionId, session: SessionId) {
        let Service::Following(it) = &mut self.service else { return };
        let Some(known) = it.sessions.get_mut(&session) else { return };
        match &mut known.place {
            Place::Moving { from, .. } if *from == connection => {
                let place = std::mem::replace(&mut known.place, Place::Detached);
                if let Place::Moving { to, .. } = place {
                    self.ask_whether_it_exists(*to);
                }
                return;
            }
            Place::Moving { from, to } if to.connection == connection => {
                known.place = Place::Attached(*from);
            }
            Place::Attached(at) if *at == connection => known.place = Place::Detached,
            Place::Asked(connect) | Place::Created(connect) if connect.connection == connection => {
                known.place = Place::Detached;
            }
            _ => (),
        }
        it.forget_if_gone(session);
    }

    /// Handles what the leader says of clients, behind everything that it said before: by then it
    /// had named the history through `named` committed.
    pub(crate) fn heard_of_clients(&mut self, packet: &FromLeader<'_>, named: Zxid) {
        let Service::Following(it) = &mut self.service else { return };
        match packet {
            FromLeader::Revalidate { session, is_valid } => {
                self.answer_question(*session, *is_valid);
            }
            FromLeader::Sync { .. } => {
                let Some(session) = it.syncs.pop_front() else { return };
                let is_early = self.planted.has(Plant::SyncBeforeCommits);
                it.synced.push_back((if is_early { Zxid::ZERO } else { named }, session));
                self.answer_synced();
            }
            _ => (),
        }
    }

    /// Answers the syncs for which this server's tree holds enough.
    pub(crate) fn answer_synced(&mut self) {
        let here = self.proposed;
        while let Service::Following(it) = &mut self.service
            && it.synced.front().is_some_and(|(needed, _)| *needed <= here)
            && let Some((_, session)) = it.synced.pop_front()
        {
            let Some(asked) = it.synced(session) else { continue };
            let mark = self.open.batch.mark();
            let path = JuteReader::new(&asked.body).string();
            let error = path.map_or(ErrorCode::MarshallingError, |_| ErrorCode::Ok);
            jute::put_buffer(&mut self.open.batch.bodies, path.unwrap_or_default());
            self.push_outcome(asked.outcome(self.seen(), error), mark);
        }
    }

    fn answer_question(&mut self, session: SessionId, is_valid: bool) {
        let Service::Following(it) = &mut self.service else { return };
        let Some(known) = it.sessions.get_mut(&session) else { return };
        known.questions = known.questions.saturating_sub(1);
        if known.questions > 0 || !matches!(known.place, Place::Asked(_)) {
            return it.forget_if_gone(session);
        }
        let place = std::mem::replace(&mut known.place, Place::Detached);
        let Place::Asked(connect) = place else { return };
        if is_valid {
            known.place = Place::Attached(connect.connection);
        } else {
            it.forget_if_gone(session);
        }
        self.answer_connect(&connect, is_valid.then_some(session));
    }

    /// A ping of the leader is answered by the sessions that were active.
    pub(crate) fn put_pong(&mut self, zxid: Zxid) -> Option<Vec<u8>> {
        let Service::Following(it) = &mut self.service else { return None };
        let touched = it.take_touched();
        let mut packet = Vec::new();
        FromLearner::Ping { zxid, touched: touched.touched() }.encode(&mut packet);
        Some(packet)
    }

    /// The outcome of a txn that was applied: of a request of this server's client, if it was one.
    pub(super) fn push_learned(&mut self, header: &TxnHeader, error: ErrorCode, mark: Mark) {
        let Service::Following(it) = &mut self.service else {
            return self.push_quiet(header.zxid, header.op, mark);
        };
        match header.op {
            Op::CreateSession => match it.created(header.session) {
                Some(connect) => self.answer_connect(&connect, Some(header.session)),
                None => self.push_quiet(header.zxid, header.op, mark),
            },
            Op::CloseSession => {
                let (outcome, waiting) = it.closed(header);
                self.push_outcome(outcome, mark);
                if let Some(connect) = waiting {
                    self.answer_connect(&connect, None);
                }
            }
            _ => match it.answered(header) {
                Some(asked) => self.push_outcome(asked.outcome(header.zxid, error), mark),
                None => self.push_quiet(header.zxid, header.op, mark),
            },
        }
    }
}

impl Forwarding {
    /// A session was made: who waits for it?
    fn created(&mut self, session: SessionId) -> Option<Box<Connect>> {
        let known = self.sessions.get_mut(&session)?;
        if !matches!(known.place, Place::Created(_)) {
            return None;
        }
        let Place::Created(connect) = std::mem::replace(&mut known.place, Place::Detached) else {
            return None;
        };
        known.place = Place::Attached(connect.connection);
        Some(connect)
    }

    /// A session has ended: its client is answered if it asked for that, and cut off silently if
    /// not. Returns the request of a connection that waited for the session as well.
    fn closed(&mut self, header: &TxnHeader) -> (Outcome, Option<Box<Connect>>) {
        let mut end = Outcome {
            zxid: header.zxid,
            op: Op::CloseSession,
            to: None,
            xid: 0,
            received_ms: 0,
            large_bytes: 0,
            error: ErrorCode::SessionExpired,
            body: 0..0,
            events: 0..0,
        };
        let Some(mut known) = self.sessions.remove(&header.session) else { return (end, None) };
        let is_request = |it: &&Asked| it.op == Op::CloseSession && it.xid == header.cxid;
        if let Some(asked) = known.asked.iter().find(is_request) {
            end = asked.outcome(header.zxid, ErrorCode::Ok);
        }
        known.asked.clear();
        match known.place {
            Place::Attached(at) => (Outcome { to: Some(at), ..end }, None),
            Place::Moving { from, to } => (Outcome { to: Some(from), ..end }, Some(to)),
            Place::Created(connect) => (Outcome { to: None, ..end }, Some(connect)),
            // The leader's answer is on its way.
            Place::Asked(_) => {
                self.sessions.insert(header.session, known);
                (Outcome { to: None, ..end }, None)
            }
            Place::Detached => (Outcome { to: None, ..end }, None),
        }
    }
}
