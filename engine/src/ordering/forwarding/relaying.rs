//! What observers say of their clients goes on to the leader, over the one link that this server
//! has, and the leader's answers go back to whoever asked.
//!
//! The leader sees one learner with many clients: an observer's requests count as this server's
//! own, in the order in which they went on. So what comes back is told apart by order: a txn is of
//! the oldest request of its session, SYNC and REVALIDATE are answered first in, first out. An
//! observer gets every txn anyway, by INFORM; only the place of its request is kept here.
//!
//! For the leader all sessions behind this server have one owner, its link. So which of its
//! observers a session is at, or whether it is here, is watched over here: what comes from where
//! the session was before goes on as a request that fails. (Stock carries it out.)
//!
//! Source: ZooKeeper 3.9.5, `ObserverMaster`, `FollowerRequestProcessor`. Lives in: `Forwarding`.

use super::known::{Asked, Asker, Known, Place};
use super::{Forwarding, put_request};
use crate::batch::ConnectionId;
use crate::hash::IdMap;
use crate::limits::{RELAYED_BYTES_MAX, RELAYED_SESSIONS_MAX, TOUCHED_PER_PING_MAX};
use crate::message::ToShard;
use crate::ordering::Ordering;
use crate::ordering::learners::TooMuch;
use crate::ordering::service::Service;
use crate::zab::LinkId;
use model::jute::JuteReader;
use model::op::Op;
use model::peer::packet::{FromLeader, FromLearner, TouchedList};
use model::request::Request;
use model::session::SessionId;
use model::txn::TxnHeader;
use model::zxid::Zxid;
use std::collections::BTreeMap;

/// What has gone on for observers.
#[derive(Debug, Default)]
pub(super) struct Relay {
    /// Bytes of what has gone on and not come back.
    byte_count: usize,
    /// Sessions that were active at observers since the leader's last pings, and their timeouts.
    touched: BTreeMap<SessionId, i32>,
    /// Where sessions are that have been at an observer.
    holders: IdMap<SessionId, Holder>,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// At this server, or it was last.
    Here,
    /// At an observer.
    Observer(LinkId),
}

/// Who waits for the answer to a question whether a session exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// A client of this server.
    Here(SessionId),
    /// An observer, whose client has this timeout.
    Relayed { session: SessionId, link: LinkId, timeout_ms: i32 },
}

impl Question {
    fn session(self) -> SessionId {
        match self {
            Self::Here(session) | Self::Relayed { session, .. } => session,
        }
    }
}

/// What a question or a sync holds until it is answered, about.
const SHORT_BYTES: usize = size_of::<Question>();

impl Relay {
    /// Whether more can go on.
    pub(super) fn has_room(&self) -> bool {
        self.byte_count < RELAYED_BYTES_MAX
    }

    /// Something that has gone on has come back.
    pub(super) fn came_back(&mut self, bytes: usize) {
        self.byte_count -= bytes;
    }

    /// A session comes to an observer.
    fn hold(&mut self, session: SessionId, link: LinkId) {
        if self.holders.len() >= RELAYED_SESSIONS_MAX {
            // Some may be local to their servers, so that their end is not known here.
            self.holders.clear();
        }
        self.holders.insert(session, Holder::Observer(link));
    }

    /// A session comes to this server.
    pub(super) fn hold_here(&mut self, session: SessionId) {
        if let Some(holder) = self.holders.get_mut(&session) {
            *holder = Holder::Here;
        }
    }

    /// A session has ended.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.holders.remove(&session);
    }

    /// Adds sessions that were active at observers, as many as a packet should hold.
    pub(super) fn put_touched(&mut self, list: &mut TouchedList) {
        for _ in 0..TOUCHED_PER_PING_MAX {
            let Some((session, timeout_ms)) = self.touched.pop_first() else { return };
            list.push(session, timeout_ms);
        }
    }
}

impl Forwarding {
    /// Whether a session is at this observer. The first one that uses it has it.
    fn is_at(&mut self, session: SessionId, link: LinkId) -> bool {
        if let Some(holder) = self.relay.holders.get(&session) {
            return *holder == Holder::Observer(link);
        }
        let is_here = |it: &Known| !matches!(it.place, Place::Detached);
        let is_elsewhere = self.sessions.get(&session).is_some_and(is_here);
        if !is_elsewhere {
            self.relay.hold(session, link);
        }
        !is_elsewhere
    }

    /// The oldest request of this txn's session, if an observer has made it and the txn answers it.
    pub(super) fn relayed_answered(&mut self, header: &TxnHeader) -> bool {
        let Some(known) = self.sessions.get_mut(&header.session) else { return false };
        let Some(&Asked { to: Asker::Observer { bytes }, xid, .. }) = known.asked.front() else {
            return false;
        };
        if xid != header.cxid {
            return false;
        }
        known.asked.pop_front();
        self.relay.came_back(bytes);
        self.forget_if_gone(header.session);
        true
    }

    /// The oldest question about a session is answered. `None` if nobody has asked.
    pub(super) fn question_answered(&mut self, session: SessionId) -> Option<Question> {
        let at = self.questions.iter().position(|it| it.session() == session)?;
        let question = self.questions.remove(at)?;
        if let Question::Relayed { .. } = question {
            self.relay.came_back(SHORT_BYTES);
        }
        Some(question)
    }
}

impl Ordering {
    /// Handles what an observer says of its clients.
    ///
    /// # Errors
    /// More of it waits than may: the link must be closed.
    pub(in crate::ordering) fn relay(
        &mut self,
        link: LinkId,
        packet: &FromLearner<'_>,
    ) -> Result<(), TooMuch> {
        let Service::Following(it) = &mut self.service else { return Ok(()) };
        match packet {
            FromLearner::Ping { touched, .. } => {
                it.relay.touched.extend(touched.iter());
                if it.relay.touched.len() > RELAYED_SESSIONS_MAX {
                    return Err(TooMuch);
                }
            }
            FromLearner::Revalidate { session, timeout_ms } => {
                let (session, timeout_ms) = (*session, *timeout_ms);
                it.questions.push_back(Question::Relayed { session, link, timeout_ms });
                it.relay.byte_count += SHORT_BYTES;
                it.relay.hold(session, link);
                FromLearner::Revalidate { session, timeout_ms }
                    .encode(Self::packets_for(&mut self.to_peers, it.link));
                self.leave_for_observer(session);
            }
            FromLearner::Request { session, cxid, op, body, identities } => {
                // What a leader gives no txn would never come back: it goes on as what surely
                // fails, with a txn.
                let op = Op::of(*op).filter(|op| is_passed_on(*op, body));
                let op = op.filter(|op| *op == Op::Sync || it.is_at(*session, link));
                let (op, body) = op.map_or((Op::Multi, &[][..]), |op| (op, *body));
                let packets = Self::packets_for(&mut self.to_peers, it.link);
                put_request(packets, *session, *cxid, (op, body), *identities);
                if op == Op::Sync {
                    it.syncs.push_back(super::Syncing::Relayed(link));
                    it.relay.byte_count += SHORT_BYTES;
                } else {
                    let bytes = size_of::<Asked>() + body.len();
                    it.relay.byte_count += bytes;
                    let known = it.sessions.entry(*session).or_insert_with(Known::elsewhere);
                    known.asked.push_back(Asked::by_observer(bytes, *cxid, op));
                }
            }
            _ => (),
        }
        Ok(())
    }

    /// Whether what observers say can go on.
    pub(crate) fn is_relaying(&self) -> bool {
        match &self.service {
            Service::Following(it) => it.relay.has_room(),
            Service::Leading { .. } | Service::ReadOnly(_) | Service::Nobody => true,
        }
    }

    /// The leader has answered an observer's question whether a session exists.
    pub(super) fn answer_observer(
        &mut self,
        link: LinkId,
        (session, timeout_ms): (SessionId, i32),
        is_valid: bool,
    ) {
        FromLeader::Revalidate { session, is_valid }
            .encode(Self::packets_for(&mut self.to_peers, link));
        let Service::Following(it) = &mut self.service else { return };
        if is_valid {
            it.relay.touched.insert(session, timeout_ms);
        } else if it.relay.holders.get(&session) == Some(&Holder::Observer(link)) {
            it.relay.forget(session);
        }
    }

    /// A session's client has come to an observer: its connection here has it no more.
    fn leave_for_observer(&mut self, session: SessionId) {
        let Service::Following(it) = &mut self.service else { return };
        let Some(known) = it.sessions.get_mut(&session) else { return };
        let mut detach = |connection: ConnectionId| {
            self.to_shards.push((connection.shard, ToShard::Detach { connection, session }));
        };
        match &known.place {
            Place::Attached(at) => detach(*at),
            Place::Moving { from, to } => {
                detach(*from);
                detach(to.connection);
            }
            Place::Here | Place::Detached | Place::Created(_) | Place::Asked(_) => return,
        }
        known.place = Place::Detached;
        it.forget_if_gone(session);
    }

    /// The leader has answered an observer's sync. The observer is informed of all before.
    pub(super) fn answer_sync_of(&mut self, link: LinkId) {
        if let Service::Following(it) = &mut self.service {
            it.relay.came_back(SHORT_BYTES);
        }
        FromLeader::Sync { zxid: Zxid::ZERO }.encode(Self::packets_for(&mut self.to_peers, link));
    }

    /// An observer's link has ended. What has gone on for it still comes back.
    pub(in crate::ordering) fn observer_left(&mut self, link: LinkId) {
        let Service::Following(it) = &mut self.service else { return };
        it.relay.holders.retain(|_, holder| *holder != Holder::Observer(link));
    }
}

/// Whether a leader answers a request with a txn, or a SYNC.
fn is_passed_on(op: Op, body: &[u8]) -> bool {
    match op {
        Op::Sync => true,
        Op::CreateSession => JuteReader::new(body).int().is_ok(),
        Op::Check => Request::decode(op, body).is_ok(),
        _ => {
            super::super::learners::is_ordered_for_learners(op) && Request::decode(op, body).is_ok()
        }
    }
}
