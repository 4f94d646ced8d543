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
//! Observers that learn from this server pass on what their clients ask for in the same way, and it
//! goes on from here (`relaying`).
//!
//! Source: ZooKeeper 3.9.5, `FollowerRequestProcessor`, `Learner.revalidate`, `CommitProcessor`.
//! Lives in: [`Service::Following`](super::service::Service).

mod answering;
mod known;
mod relaying;

use super::Ordering;
use super::local::LocalClose;
use super::service::Service;
use crate::acl::identity::Identities;
use crate::batch::ConnectionId;
use crate::hash::IdMap;
use crate::message::{Bundle, Connect, ToOrdering, ToShard, Write};
use crate::session::{SessionEntry, SessionPlace};
use crate::settings::Now;
use crate::zab::{LinkId, Plant};
use known::{Asked, Asker, Known, Place, list_of};
use model::error::ErrorCode;
use model::jute::{self, JuteReader};
use model::op::Op;
use model::peer::packet::{FromLeader, FromLearner, Identities as Identified, TouchedList};
use model::request::Request;
use model::session::{SessionId, password};
use model::txn::TxnHeader;
use model::zxid::Zxid;
use relaying::{Question, Relay};
use std::collections::VecDeque;

/// The learner's part of its clients' sessions.
#[derive(Debug)]
pub(crate) struct Forwarding {
    link: LinkId,
    sessions: IdMap<SessionId, Known>,
    /// The syncs that are not answered, in the link's order.
    syncs: VecDeque<Syncing>,
    /// The questions whether a session exists, in the link's order.
    questions: VecDeque<Question>,
    /// The sessions of syncs that the leader has answered, each with what it had committed by then:
    /// this server's tree must hold that first. Until then writes before the sync may be
    /// unanswered, because they are not durable here.
    synced: VecDeque<(Zxid, SessionId)>,
    /// The sessions that were active since the leader's last ping.
    touched: Vec<SessionId>,
    /// What goes on for observers.
    relay: Relay,
}

/// Whose sync it is.
#[derive(Clone, Copy, Debug)]
enum Syncing {
    /// This session's, of a client of this server.
    Here(SessionId),
    /// An observer's.
    Relayed(LinkId),
}

/// Passes a request on to the leader.
fn put_request(
    packets: &mut Vec<u8>,
    session: SessionId,
    cxid: i32,
    (op, body): (Op, &[u8]),
    identities: Identified<'_>,
) {
    FromLearner::Request { session, cxid, op: op.code(), body, identities }.encode(packets);
}

/// Asks the leader to make a session.
fn put_create(packets: &mut Vec<u8>, session: SessionId, timeout_ms: i32) {
    let mut body = Vec::new();
    jute::put_int(&mut body, timeout_ms);
    put_request(packets, session, 0, (Op::CreateSession, &body), Identified::NULL);
}

impl Forwarding {
    /// Without clients yet.
    pub(super) fn new(link: LinkId) -> Self {
        Self {
            link,
            sessions: IdMap::default(),
            syncs: VecDeque::new(),
            questions: VecDeque::new(),
            synced: VecDeque::new(),
            touched: Vec::new(),
            relay: Relay::default(),
        }
    }

    fn forget_if_gone(&mut self, id: SessionId) {
        if self.sessions.get(&id).is_some_and(Known::is_gone) {
            self.sessions.remove(&id);
        }
    }

    /// The request that this txn answers.
    fn answered(&mut self, header: &TxnHeader) -> Option<Asked> {
        let known = self.sessions.get_mut(&header.session)?;
        let is_first = |it: &&Asked| it.xid == header.cxid && it.op != Op::Sync;
        known.asked.front().filter(is_first)?;
        let asked = known.asked.pop_front();
        self.forget_if_gone(header.session);
        asked
    }

    /// A local session begins.
    pub(super) fn begin_local(&mut self, id: SessionId, connect: &Connect) {
        self.sessions.insert(id, Known::new(Place::Here, connect));
    }

    /// A local session has these identities.
    pub(super) fn identify_local(&mut self, id: SessionId, identities: &Identities) {
        if let Some(known) = self.sessions.get_mut(&id) {
            known.identities = list_of(identities);
        }
    }

    /// The request of a local session's client to close it, if nothing before that is unanswered.
    pub(super) fn take_local_close(&mut self, id: SessionId) -> Option<LocalClose> {
        let known = self.sessions.get_mut(&id).filter(|it| matches!(it.place, Place::Here))?;
        let is_close = |it: &&Asked| it.op == Op::CloseSession;
        let connection = known.asked.front().filter(is_close)?.to.connection()?;
        let Asked { xid, received_ms, .. } = known.asked.pop_front()?;
        Some(LocalClose { connection, xid, received_ms })
    }

    /// A local session has ended. What was passed on for it stays until it has come back.
    pub(super) fn end_local(&mut self, id: SessionId) {
        if let Some(known) = self.sessions.get_mut(&id) {
            known.place = Place::Detached;
            self.forget_if_gone(id);
        }
    }

    /// A local session becomes the ensemble's, where it is: the leader is asked to make it, with
    /// the timeout that it was made with here.
    pub(super) fn upgrade(
        &mut self,
        id: SessionId,
        entry: SessionEntry,
        made_ms: i32,
        packets: &mut Vec<u8>,
    ) {
        let Some(known) = self.sessions.get_mut(&id) else { return };
        known.timeout_ms = entry.timeout_ms as i32;
        known.place = match entry.place {
            SessionPlace::Attached(at) => Place::Attached(at),
            SessionPlace::Moving { from, to } => Place::Moving { from, to },
            SessionPlace::Unused
            | SessionPlace::Detached
            | SessionPlace::Learner(_)
            | SessionPlace::Closing(_) => Place::Detached,
        };
        put_create(packets, id, made_ms);
    }

    /// The link to the leader.
    pub(super) fn link(&self) -> LinkId {
        self.link
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
        self.relay.put_touched(&mut list);
        list
    }
}

impl Ordering {
    /// Handles a message of a shard of a learner.
    pub(super) fn handle_forwarded(&mut self, now: Now, message: ToOrdering) {
        match message {
            ToOrdering::Writes(bundle) => self.forward_writes(bundle),
            ToOrdering::Connect(connect) if self.is_connect_here(connect.session) => {
                self.handle_connect(now, connect);
            }
            ToOrdering::Connect(connect) if connect.session.0 == 0 => self.ask_session(connect),
            ToOrdering::Connect(connect) => self.resume(connect),
            ToOrdering::Identified { connection, session, identities } => {
                let is_here = self.sessions.attached(session, connection).is_some();
                let Service::Following(it) = &mut self.service else { return };
                if let Some(known) = it.sessions.get_mut(&session)
                    && (is_here || known.is_of(connection))
                {
                    known.identities = list_of(&identities);
                }
            }
            ToOrdering::Detached { connection, session } if self.sessions.is_local(session) => {
                self.handle_detached(now, connection, session);
            }
            ToOrdering::Detached { connection, session } => self.detached_here(connection, session),
            ToOrdering::Touched { shard, sessions, until_ms } => {
                for (id, at_ms) in sessions {
                    self.touch_here(id, at_ms);
                }
                self.sessions.reported(shard, until_ms);
            }
        }
    }

    /// A session was active: its own server counts that if it is local, and the leader if not.
    fn touch_here(&mut self, id: SessionId, at_ms: u64) {
        self.sessions.touch(id, at_ms);
        let Service::Following(it) = &mut self.service else { return };
        let Some(known) = it.sessions.get_mut(&id) else { return };
        if !known.is_touched && !matches!(known.place, Place::Here) {
            known.is_touched = true;
            it.touched.push(id);
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
        let is_attached = self.sessions.attached(write.session, write.connection).is_some();
        let Service::Following(it) = &self.service else { return };
        if it.sessions.get(&write.session).is_some_and(Known::is_ending_here) {
            return;
        }
        let refused = if is_attached { self.upgrade_elsewhere(write, body) } else { None };
        let Service::Following(it) = &mut self.service else { return };
        let Forwarding { link, sessions, syncs, .. } = &mut **it;
        let Some(known) = sessions.get_mut(&write.session) else { return };
        let is_here = is_attached && matches!(known.place, Place::Here);
        if !is_here && !known.is_of(write.connection) {
            // A write of a connection that its session has left: no client waits for it.
            return;
        }
        let Write { session, xid, op, received_ms, large_bytes, .. } = *write;
        let kept = if op == Op::Sync { body } else { &[] };
        let (to, body_kept) = (Asker::Client(write.connection), kept.into());
        let asked = Asked { to, xid, op, received_ms, large_bytes, body: body_kept, refused };
        known.asked.push_back(asked);
        if is_here && op == Op::CloseSession {
            return self.maybe_close_local(session);
        }
        if op == Op::Sync {
            syncs.push_back(Syncing::Here(session));
        }
        let identities = known.identities.identities();
        // Stock's leader proposes what it cannot decode under the last zxid, and then commits
        // nothing any more. It fails on an empty multi in the same way, and gives it a zxid.
        let is_decodable = op == Op::Sync || Request::decode(op, body).is_ok();
        let (op, body) = if is_decodable { (op, body) } else { (Op::Multi, &[][..]) };
        let packets = Self::packets_for(&mut self.to_peers, *link);
        put_request(packets, session, xid, (op, body), identities);
    }

    /// A client requests a new session: the leader is asked to make it, under an id of this
    /// server's.
    fn ask_session(&mut self, connect: Connect) {
        let session = self.sessions.allocate();
        let Service::Following(it) = &mut self.service else { return };
        let packets = Self::packets_for(&mut self.to_peers, it.link);
        put_create(packets, session, connect.timeout_ms);
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
            Place::Here | Place::Detached => self.ask_whether_it_exists(connect),
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
        it.questions.push_back(Question::Here(session));
        it.relay.hold_here(session);
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
            FromLeader::Revalidate { session, is_valid } => match it.question_answered(*session) {
                Some(Question::Here(session)) => self.answer_question(session, *is_valid),
                Some(Question::Relayed { session, link, timeout_ms }) => {
                    self.answer_observer(link, (session, timeout_ms), *is_valid);
                }
                None => (),
            },
            FromLeader::Sync { .. } => {
                let is_early = self.planted.has(Plant::SyncBeforeCommits);
                let needed = if is_early { Zxid::ZERO } else { named };
                match it.syncs.pop_front() {
                    Some(Syncing::Here(session)) => it.synced.push_back((needed, session)),
                    Some(Syncing::Relayed(link)) => return self.answer_sync_of(link),
                    None => return,
                }
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
            self.maybe_close_local(session);
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
}
