//! The leader's part of other servers' clients: their requests become txns, their sessions are
//! owned by the link over which they were used last.
//!
//! Each REQUEST of a link yields exactly one txn, or one SYNC, in the link's order: a learner
//! matches what comes back by order. So nothing is dropped (a write of a session that has moved
//! gets an error txn), and behind a sync that is not answered, or a session's end that takes
//! several turns, the link's later requests wait.
//!
//! Source: ZooKeeper 3.9.5, `LearnerHandler`, `PrepRequestProcessor.checkSession`. Lives in:
//! [`Service::Leading`](super::service::Service).

use super::Ordering;
use super::closing::Ended;
use super::service::Service;
use crate::acl::identity::Identities;
use crate::batch::ConnectionId;
use crate::limits::LINK_REQUEST_BYTES_MAX;
use crate::message::ToShard;
use crate::pipeline::Caller;
use crate::session::SessionPlace;
use crate::settings::Now;
use crate::zab::{LinkId, Plant};
use model::error::ErrorCode;
use model::jute::JuteReader;
use model::op::Op;
use model::peer::packet::{FromLeader, FromLearner, Touched};
use model::request::Request;
use model::session::SessionId;
use model::zxid::Zxid;
use std::collections::{BTreeMap, VecDeque};

/// The links that have brought requests.
#[derive(Debug, Default)]
pub(crate) struct Learners {
    links: BTreeMap<LinkId, Link>,
}

/// What one of them waits for.
#[derive(Debug, Default)]
struct Link {
    /// What came behind a sync or an end, in order, and the bytes that it holds.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Syncs that are not answered, in order, with nothing else between them.
    syncs: VecDeque<Syncing>,
    /// A session of it is being closed.
    is_closing: bool,
}

/// A sync: answered once everything through a txn is published, and it is confirmed that this
/// server led.
#[derive(Clone, Copy, Debug)]
struct Syncing {
    through: Zxid,
    confirmation: u64,
}

/// What has to wait for its turn on a link.
#[derive(Debug)]
enum Waiting {
    /// A request.
    Request(Requested),
    /// The question whether a session exists, which gives it to the link: the requests before it
    /// may be of a connection that the session has left meanwhile.
    Revalidate { session: SessionId, timeout_ms: i32 },
}

/// A request of another server's client.
#[derive(Debug)]
struct Requested {
    session: SessionId,
    cxid: i32,
    op: Option<Op>,
    body: Box<[u8]>,
    identities: Identities,
}

/// A link has brought more than may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch;

impl Ordering {
    /// Handles what a learner says of its clients.
    ///
    /// # Errors
    /// More of it waits than may: the link must be closed.
    pub(crate) fn heard_of_learner(
        &mut self,
        now: Now,
        link: LinkId,
        packet: &FromLearner<'_>,
    ) -> Result<(), TooMuch> {
        if !self.is_leading() {
            return self.relay(link, packet);
        }
        match packet {
            FromLearner::Ping { touched, .. } => self.touched_elsewhere(now, link, touched),
            FromLearner::Revalidate { session, timeout_ms } => {
                let (session, timeout_ms) = (*session, *timeout_ms);
                return self.take(now, link, Waiting::Revalidate { session, timeout_ms });
            }
            FromLearner::Request { session, cxid, op, body, identities } => {
                let requested = Requested {
                    session: *session,
                    cxid: *cxid,
                    op: Op::of(*op),
                    body: (*body).into(),
                    identities: Identities::of_peer(identities),
                };
                return self.take(now, link, Waiting::Request(requested));
            }
            _ => (),
        }
        Ok(())
    }

    /// Sessions were active at a learner, which names the timeout that it has granted: an upgraded
    /// session was made with that of an earlier connection. A server that the session has left
    /// since has no say in that.
    fn touched_elsewhere(&mut self, now: Now, link: LinkId, touched: &Touched<'_>) {
        for (session, timeout_ms) in touched.iter() {
            let Some(entry) = self.sessions.entry_mut(session) else { continue };
            let is_there = match entry.place {
                SessionPlace::Learner(owner) => owner == link,
                SessionPlace::Unused => true,
                SessionPlace::Detached
                | SessionPlace::Attached(_)
                | SessionPlace::Moving { .. }
                | SessionPlace::Closing(_) => false,
            };
            if is_there {
                entry.timeout_ms = timeout_ms.max(0) as u64;
            }
            self.sessions.touch(session, now.mono_ms);
        }
    }

    /// A client has come to another server with its session: that server's it is from now on.
    fn revalidate(&mut self, now: Now, link: LinkId, session: SessionId, timeout_ms: i32) {
        let is_valid = self.own(session, link);
        if is_valid {
            self.sessions.retime(session, timeout_ms.max(0) as u64, now.mono_ms);
        }
        FromLeader::Revalidate { session, is_valid }
            .encode(Self::packets_for(&mut self.to_peers, link));
    }

    /// Gives a session to a link; false if there is none that is not being closed, or only this
    /// server knows it.
    fn own(&mut self, session: SessionId, link: LinkId) -> bool {
        if self.sessions.is_local(session) {
            return false;
        }
        let Some(entry) = self.sessions.entry_mut(session) else { return false };
        let mut detach = |connection: ConnectionId| {
            self.to_shards.push((connection.shard, ToShard::Detach { connection, session }));
        };
        match &entry.place {
            SessionPlace::Closing(_) => return false,
            SessionPlace::Attached(at) => detach(*at),
            SessionPlace::Moving { from, to } => {
                detach(*from);
                detach(to.connection);
            }
            SessionPlace::Unused | SessionPlace::Detached | SessionPlace::Learner(_) => (),
        }
        entry.place = SessionPlace::Learner(link);
        true
    }

    fn take(&mut self, now: Now, link: LinkId, next: Waiting) -> Result<(), TooMuch> {
        let must_wait = self.must_wait(link, &next);
        if !must_wait {
            self.go_on(now, link, &next);
        }
        let Service::Leading { learners, .. } = &mut self.service else { return Ok(()) };
        let held = learners.links.entry(link).or_default();
        if must_wait {
            held.waiting_bytes += next.bytes();
            held.waiting.push_back(next);
        }
        let held_bytes = held.waiting_bytes + held.syncs.len() * size_of::<Syncing>();
        if held_bytes > LINK_REQUEST_BYTES_MAX { Err(TooMuch) } else { Ok(()) }
    }

    fn go_on(&mut self, now: Now, link: LinkId, next: &Waiting) {
        match next {
            Waiting::Request(requested) => self.order(now, link, requested),
            Waiting::Revalidate { session, timeout_ms } => {
                self.revalidate(now, link, *session, *timeout_ms);
            }
        }
    }

    /// Whether what comes next over this link has to wait.
    fn must_wait(&self, link: LinkId, next: &Waiting) -> bool {
        let Service::Leading { learners, .. } = &self.service else { return false };
        let is_behind = |it: &Link| !it.waiting.is_empty() || it.blocks(next);
        learners.links.get(&link).is_some_and(is_behind) || !self.is_admitting()
    }

    /// Gives a request its place in the history.
    fn order(&mut self, now: Now, link: LinkId, requested: &Requested) {
        let Requested { session, cxid, op, body, identities } = requested;
        let (session, cxid) = (*session, *cxid);
        if *op == Some(Op::Sync) {
            return self.begin_sync(link);
        }
        let mark = self.open.batch.mark();
        let error = match op {
            Some(Op::CreateSession) => {
                return self.create_elsewhere(now, link, session, cxid, body);
            }
            Some(op) if is_ordered_for_learners(*op) => match self.check_owner(session, link) {
                Err(error) => error,
                Ok(no_ephemerals) if *op == Op::CloseSession => {
                    if let Some(error) = no_ephemerals {
                        // Of a session that is not there to be closed.
                        self.propose_error(now, session, cxid, error);
                        return self.push_quiet(self.proposed, Op::Error, mark);
                    }
                    let ended = Ended::Elsewhere { link, cxid };
                    if !self.begin_close(now, session, Some(ended)) {
                        self.set_closing(link, true);
                    }
                    return;
                }
                Ok(no_ephemerals) => {
                    let request = Request::decode(*op, body);
                    let caller = Caller { identities, no_ephemerals };
                    self.propose(now, session, cxid, *op, request, caller);
                    return self.push_quiet(self.proposed, *op, mark);
                }
            },
            _ => ErrorCode::Unimplemented,
        };
        self.propose_error(now, session, cxid, error);
        self.push_quiet(self.proposed, Op::Error, mark);
    }

    /// Who used a session last owns it, also when its client has left; the first to use it after a
    /// change of leader does. Returns how its ephemeral nodes are refused, if they are: a session
    /// that is not known here may be a local one of that server.
    fn check_owner(
        &mut self,
        session: SessionId,
        link: LinkId,
    ) -> Result<Option<ErrorCode>, ErrorCode> {
        let may_be_local = self.may_be_local_elsewhere(session);
        let Some(entry) = self.sessions.entry_mut(session) else {
            let error = ErrorCode::SessionExpired;
            return if may_be_local { Ok(Some(error)) } else { Err(error) };
        };
        match entry.place {
            SessionPlace::Learner(owner) if owner == link => Ok(None),
            SessionPlace::Unused => {
                entry.place = SessionPlace::Learner(link);
                Ok(None)
            }
            SessionPlace::Closing(_) => Err(ErrorCode::SessionExpired),
            _ if self.planted.has(Plant::OwnerIgnored) => Ok(None),
            SessionPlace::Detached
            | SessionPlace::Learner(_)
            | SessionPlace::Attached(_)
            | SessionPlace::Moving { .. } => Err(ErrorCode::SessionMoved),
        }
    }

    fn create_elsewhere(
        &mut self,
        now: Now,
        link: LinkId,
        session: SessionId,
        cxid: i32,
        body: &[u8],
    ) {
        let mark = self.open.batch.mark();
        let Ok(timeout_ms) = JuteReader::new(body).int() else {
            self.propose_error(now, session, cxid, ErrorCode::MarshallingError);
            return self.push_quiet(self.proposed, Op::Error, mark);
        };
        if self.sessions.entry_mut(session).is_some() {
            // Another server's id: ids of one server are never given twice.
            self.propose_error(now, session, cxid, ErrorCode::SystemError);
            return self.push_quiet(self.proposed, Op::Error, mark);
        }
        let place = SessionPlace::Learner(link);
        let anonymous = self.anonymous.clone();
        let tracked_ms = timeout_ms.max(0) as u64;
        self.sessions.track(session, tracked_ms, place, anonymous, now.mono_ms);
        let zxid = self.propose_session(now, session, cxid, timeout_ms);
        self.push_quiet(zxid, Op::CreateSession, mark);
    }

    fn begin_sync(&mut self, link: LinkId) {
        let (through, confirmation) = (self.seen(), self.needed_by_sync());
        let Service::Leading { learners, .. } = &mut self.service else { return };
        let syncs = &mut learners.links.entry(link).or_default().syncs;
        syncs.push_back(Syncing { through, confirmation });
        self.answer_syncs();
    }

    /// The confirmation that a sync which arrives now needs.
    pub(super) fn needed_by_sync(&mut self) -> u64 {
        match &mut self.service {
            Service::Leading { confirmations, .. } => confirmations.next(),
            Service::Following(_) | Service::ReadOnly(_) | Service::Nobody => 0,
        }
    }

    /// Answers the syncs that are confirmed, and for which everything before is published: behind
    /// its COMMITs.
    pub(crate) fn answer_syncs(&mut self) {
        let Service::Leading { learners, confirmations, .. } = &mut self.service else { return };
        let (given, published) = (confirmations.given(), self.published);
        let is_ready = |it: Syncing| it.through <= published && it.confirmation <= given;
        for (link, held) in &mut learners.links {
            while held.syncs.front().copied().is_some_and(is_ready) {
                held.syncs.pop_front();
                FromLeader::Sync { zxid: Zxid::ZERO }
                    .encode(Self::packets_for(&mut self.to_peers, *link));
            }
        }
    }

    /// Learners' syncs that are not answered yet, for reports.
    pub fn pending_sync_count(&self) -> usize {
        let Service::Leading { learners, .. } = &self.service else { return 0 };
        learners.links.values().map(|it| it.syncs.len()).sum()
    }

    pub(super) fn set_closing(&mut self, link: LinkId, is_closing: bool) {
        let Service::Leading { learners, .. } = &mut self.service else { return };
        if let Some(held) = learners.links.get_mut(&link) {
            held.is_closing = is_closing;
        } else if is_closing {
            learners.links.insert(link, Link { is_closing, ..Link::default() });
        }
    }

    /// Whether requests of learners can go on that had to wait.
    pub(super) fn has_waited(&self) -> bool {
        let Service::Leading { learners, .. } = &self.service else { return false };
        let can_go_on = |it: &Link| it.waiting.front().is_some_and(|first| !it.blocks(first));
        learners.links.values().any(can_go_on) && self.is_admitting()
    }

    /// Goes on with what had to wait.
    pub(super) fn continue_requests(&mut self, now: Now) {
        let Service::Leading { learners, .. } = &self.service else { return };
        let is_waiting = |it: &(&LinkId, &Link)| !it.1.waiting.is_empty();
        let links: Vec<LinkId> =
            learners.links.iter().filter(is_waiting).map(|(link, _)| *link).collect();
        for link in links {
            while let Some(next) = self.next_waiting(link) {
                self.go_on(now, link, &next);
            }
        }
    }

    fn next_waiting(&mut self, link: LinkId) -> Option<Waiting> {
        let is_admitting = self.is_admitting();
        let Service::Leading { learners, .. } = &mut self.service else { return None };
        let held = learners.links.get_mut(&link)?;
        if !is_admitting || held.waiting.front().is_none_or(|first| held.blocks(first)) {
            return None;
        }
        let next = held.waiting.pop_front()?;
        held.waiting_bytes -= next.bytes();
        Some(next)
    }

    /// A link has ended: sessions that it owned are owned by nobody.
    pub(crate) fn link_ended(&mut self, link: LinkId) {
        let Service::Leading { learners, .. } = &mut self.service else {
            return self.observer_left(link);
        };
        learners.links.remove(&link);
        self.sessions.disown(link);
    }
}

impl Link {
    /// Whether this, which comes next, has to wait for what is not answered.
    fn blocks(&self, next: &Waiting) -> bool {
        match next {
            Waiting::Request(Requested { op: Some(Op::Sync), .. }) => self.is_closing,
            Waiting::Request(_) => self.is_closing || !self.syncs.is_empty(),
            Waiting::Revalidate { .. } => false,
        }
    }
}

impl Waiting {
    /// What it holds, about.
    fn bytes(&self) -> usize {
        let more = match self {
            Self::Request(it) => it.body.len() + it.identities.bytes(),
            Self::Revalidate { .. } => 0,
        };
        size_of::<Self>() + more
    }
}

/// What a learner passes on and the leader orders. (What it answers itself, and `check` alone, it
/// should not pass on.)
pub(super) const fn is_ordered_for_learners(op: Op) -> bool {
    matches!(
        op,
        Op::Create
            | Op::Create2
            | Op::CreateContainer
            | Op::CreateTtl
            | Op::Delete
            | Op::DeleteContainer
            | Op::SetData
            | Op::SetAcl
            | Op::Multi
            | Op::Reconfig
            | Op::CloseSession
    )
}
