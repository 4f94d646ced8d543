//! The ordering role: one history of writes, and the sessions that they belong to.
//!
//! A value machine: messages of the shards, durable positions and the time come in; batches for
//! the log, published batches and messages to shards come out. It never waits: what it proposed
//! is in the open batch, then sealed in the log's hands, then published when the log says that it
//! is durable.
//!
//! Invariants: `published <= durable <= sealed <= proposed`, and nothing is answered before it is
//! published (guards: the assertions here, `tests::pipelines`).

use crate::acl::identity::Identities;
use crate::batch::{Batch, Chain, ConnectionId, Cursor, Mark, Outcome};
use crate::limits::{
    BACKLOG_BATCHES_MAX, BATCH_BYTES_MAX, CLOSE_CHUNK_PATHS, CLOSE_PATHS_MAX, CLOSED_PER_TURN,
};
use crate::message::{Bundle, Connect, ToOrdering, ToShard, Write};
use crate::pipeline::{ApplyError, Caller, Head};
use crate::session::{Place, SessionTable};
use crate::settings::{Now, Settings};
use crate::tree::STAGED_MAX;
use model::error::ErrorCode;
use model::jute::{self, JuteError, Reader};
use model::op::Op;
use model::request::Request;
use model::response::ConnectResponse;
use model::session::{SessionId, password};
use model::txn::{DIGEST_VERSION, MultiTxn, Txn, TxnDigest, TxnHeader};
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// The ordering role of a server.
///
/// Lives in: one core loop.
pub struct Ordering {
    /// The newest tree.
    pub head: Head,
    sessions: SessionTable,
    chain: Chain,
    settings: Arc<Settings>,
    open: Open,
    sealed: VecDeque<Sealed>,
    spare: Vec<Sealed>,
    /// The last zxid given to a txn, and the last one published.
    proposed: Zxid,
    published: Zxid,
    refusal: Option<Refusal>,
    to_shards: Vec<(u16, ToShard)>,
    /// Sessions that are being closed, step by step.
    emptying: VecDeque<Emptying>,
    reaped_ms: u64,
    reaping: VecDeque<Box<[u8]>>,
    anonymous: Arc<Identities>,
    counts: OrderingCounts,
}

/// What the role has done since it started.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderingCounts {
    /// Txns proposed.
    pub txns: u64,
    /// Batches sealed.
    pub batches: u64,
    /// Sessions that ran out of time.
    pub expired: u64,
}

/// A session on its way out.
#[derive(Clone, Debug)]
struct Emptying {
    session: SessionId,
    /// Who asked for it; `None` if its time has run out.
    wish: Option<Write>,
    /// Whether it has more nodes than one txn may delete.
    is_large: bool,
}

/// Why writes are refused for now, without a zxid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The log has no room and none can be made.
    DiskFull,
}

#[derive(Debug, Default)]
struct Open {
    batch: Batch,
    txns: Vec<u8>,
    records: Vec<(Zxid, Range<usize>)>,
}

/// A batch in the log's hands.
#[derive(Debug, Default)]
struct Sealed {
    batch: Batch,
    txns: Vec<u8>,
    records: Vec<(Zxid, Range<usize>)>,
    through: Zxid,
    /// How many of the records the log has taken.
    appended: usize,
}

/// Why a record of the log cannot be replayed.
#[derive(Debug)]
pub enum ReplayError {
    /// Its bytes are no txn.
    Decode(JuteError),
    /// It does not fit the tree.
    Apply(ApplyError),
    /// The tree differs from the one that wrote it.
    Digest {
        /// What the txn says.
        expected: i64,
        /// What the tree has.
        found: i64,
    },
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "its bytes are no txn: {error}"),
            Self::Apply(error) => write!(f, "it does not fit the tree: {error}"),
            Self::Digest { expected, found } => {
                write!(f, "the tree's digest after it is {found:#x}, not {expected:#x}")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

impl Ordering {
    /// The role over a tree whose history ends at `zxid`; `shards` will connect to it. Every
    /// session of the tree is watched over with its full timeout.
    pub fn new(head: Head, zxid: Zxid, settings: Arc<Settings>, shards: u16, now: Now) -> Self {
        let first = SessionId::first(settings.server_id, now.wall_ms);
        let mut sessions = SessionTable::new(first, settings.tick_ms, shards, now.mono_ms);
        let anonymous = Arc::new(Identities::default());
        for (&id, session) in &head.tree.meta().sessions {
            let timeout_ms = session.timeout_ms.max(0) as u64;
            sessions.track(id, timeout_ms, Place::Away, anonymous.clone(), now.mono_ms);
        }
        Self {
            head,
            sessions,
            chain: Chain::default(),
            settings,
            open: Open::default(),
            sealed: VecDeque::new(),
            spare: Vec::new(),
            proposed: zxid,
            published: zxid,
            refusal: None,
            to_shards: Vec::new(),
            emptying: VecDeque::new(),
            reaped_ms: now.mono_ms,
            reaping: VecDeque::new(),
            anonymous,
            counts: OrderingCounts::default(),
        }
    }

    /// A cursor for a shard that starts now.
    pub fn cursor(&self) -> Cursor {
        self.chain.cursor()
    }

    /// The last txn that every client may know of.
    pub fn published(&self) -> Zxid {
        self.published
    }

    /// The last txn proposed.
    pub fn proposed(&self) -> Zxid {
        self.proposed
    }

    /// What the role has done.
    pub fn counts(&self) -> OrderingCounts {
        self.counts
    }

    /// Forgets what it has done.
    pub fn reset_counts(&mut self) {
        self.counts = OrderingCounts::default();
        self.head.meters.written.reset();
        self.head.meters.over_quota.reset();
    }

    /// The session table, for reports.
    pub fn sessions(&self) -> &SessionTable {
        &self.sessions
    }

    /// Why writes are refused, if they are.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Refuses new writes, or takes them again.
    pub fn refuse(&mut self, refusal: Option<Refusal>) {
        self.refusal = refusal;
    }

    /// Whether shards may hand over more writes: none is too far behind, and the open batch is
    /// not full.
    pub fn is_admitting(&self) -> bool {
        self.chain.backlog() < BACKLOG_BATCHES_MAX && self.open.txns.len() < BATCH_BYTES_MAX
    }

    /// Bytes of txns that are proposed and not in the log's hands yet.
    pub fn unappended_bytes(&self) -> usize {
        let sealed = self.sealed.iter().filter(|sealed| sealed.appended < sealed.records.len());
        self.open.txns.len() + sealed.map(|sealed| sealed.txns.len()).sum::<usize>()
    }

    /// Whether there is something to seal.
    pub fn has_open(&self) -> bool {
        !self.open.batch.outcomes.is_empty() || !self.open.records.is_empty()
    }

    /// Whether the open batch needs the log at all.
    pub fn open_is_silent(&self) -> bool {
        self.open.records.is_empty()
    }

    /// What shards are to be told; drained by the caller.
    pub fn take_messages(&mut self) -> std::vec::Drain<'_, (u16, ToShard)> {
        self.to_shards.drain(..)
    }

    /// When [`Self::tick`] has something to do next, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        if self.refusal.is_some() {
            // Whoever takes the refusal back asks again.
            return u64::MAX;
        }
        let reap_ms = self.reaped_ms + self.settings.reap_interval_ms;
        self.sessions.deadline_ms().map_or(reap_ms, |at| at.min(reap_ms))
    }

    /// Hears a shard.
    pub fn handle(&mut self, now: Now, message: ToOrdering) {
        match message {
            ToOrdering::Writes(bundle) => self.handle_writes(now, bundle),
            ToOrdering::Connect(connect) => self.handle_connect(now, connect),
            ToOrdering::Identified { connection, session, identities } => {
                if self.sessions.attached(session, connection).is_some()
                    && let Some(entry) = self.sessions.entry_mut(session)
                {
                    entry.identities = identities;
                }
            }
            ToOrdering::Detached { connection, session } => {
                self.handle_detached(now, connection, session);
            }
            ToOrdering::Touched { shard, sessions, until_ms } => {
                for (session, at_ms) in sessions {
                    self.sessions.touch(session, at_ms);
                }
                self.sessions.reported(shard, until_ms);
            }
        }
    }

    fn handle_writes(&mut self, now: Now, mut bundle: Bundle) {
        let shard = bundle.writes.first().map(|write| write.connection.shard);
        let body_of =
            |write: &Write| &bundle.bytes[write.body.start as usize..write.body.end as usize];
        // Half of what can be looked up together: a create needs its parent, too.
        for writes in bundle.writes.chunks(STAGED_MAX / 2) {
            self.warm(writes.iter().map(|write| (write.op, body_of(write))));
            for write in writes {
                self.handle_write(now, write, body_of(write));
            }
        }
        bundle.bytes.clear();
        bundle.writes.clear();
        if let Some(shard) = shard {
            self.to_shards.push((shard, ToShard::Returned(bundle)));
        }
    }

    /// Asks memory for the nodes that these writes will touch, all at once: it is the waiting for
    /// one after another that a write costs most in a large tree.
    fn warm<'a>(&self, writes: impl Iterator<Item = (Op, &'a [u8])>) {
        let mut paths: [&[u8]; STAGED_MAX] = [b""; STAGED_MAX];
        let mut count = 0;
        for (op, body) in writes {
            let path = match op {
                Op::Create | Op::Create2 | Op::CreateTtl | Op::Delete | Op::SetData => {
                    Reader::new(body).text().unwrap_or_default()
                }
                _ => continue,
            };
            if !path.starts_with(b"/") {
                continue;
            }
            paths[count] = path;
            count += 1;
            if op != Op::SetData {
                paths[count] = model::path::split(path).0;
                count += 1;
            }
        }
        self.head.tree.warm(&paths[..count]);
    }

    fn handle_write(&mut self, now: Now, write: &Write, body: &[u8]) {
        // A write of a connection that its session has left is dropped: nobody waits for it.
        let Some(entry) = self.sessions.attached(write.session, write.connection) else { return };
        let identities = entry.identities.clone();
        let mark = self.open.batch.mark();
        if write.op == Op::Sync {
            let Ok(path) = Reader::new(body).string() else {
                return self.answer(write, self.proposed, ErrorCode::MarshallingError, mark);
            };
            jute::put_buffer(&mut self.open.batch.bodies, path);
            return self.answer(write, self.proposed, ErrorCode::Ok, mark);
        }
        if self.refusal.is_some() && write.op != Op::CloseSession {
            return self.answer(write, self.proposed, ErrorCode::SystemError, mark);
        }
        if write.op == Op::CloseSession {
            return self.begin_close(now, write.session, Some(write));
        }
        let request = Request::decode(write.op, body);
        // Where stock gives up before it has counted.
        let is_counted =
            write.op == Op::Multi && !matches!(request, Err(JuteError::NullAcl { .. }));
        if request.is_err() && !is_counted {
            return self.answer(write, self.proposed, ErrorCode::MarshallingError, mark);
        }
        let error = self.propose(now, write.session, write.xid, write.op, request, &identities);
        self.answer(write, self.proposed, error, mark);
    }

    /// Gives a request its zxid and its txn, an error if it is not to be.
    fn propose(
        &mut self,
        now: Now,
        session: SessionId,
        cxid: i32,
        op: Op,
        request: Result<Request<'_>, JuteError>,
        identities: &Identities,
    ) -> ErrorCode {
        let (header, start) = self.begin_txn(now, session, cxid, op);
        let caller = Caller { identities };
        let Open { batch, txns, .. } = &mut self.open;
        let done = match request {
            Ok(Request::Multi(ops)) => self.head.execute_multi(&header, &ops, caller, batch, txns),
            Ok(request) => self.head.execute(&header, op, &request, caller, batch, txns),
            Err(_) => Err(ErrorCode::MarshallingError),
        };
        let error = done.err().unwrap_or(ErrorCode::Ok);
        if error != ErrorCode::Ok {
            // A failed write takes its zxid with it: every server must count alike.
            txns.truncate(start);
            TxnHeader { op: Op::Error, ..header }.encode(txns);
            Txn::Error(error.code()).encode(txns);
        }
        self.end_txn(header.zxid, start);
        error
    }

    fn begin_txn(&mut self, now: Now, session: SessionId, cxid: i32, op: Op) -> (TxnHeader, usize) {
        self.proposed = self.proposed.next();
        let header = TxnHeader { session, cxid, zxid: self.proposed, time_ms: now.wall_ms, op };
        let start = self.open.txns.len();
        header.encode(&mut self.open.txns);
        (header, start)
    }

    fn end_txn(&mut self, zxid: Zxid, start: usize) {
        if self.settings.txn_digest {
            self.head.remember_digest(zxid);
            let tree = self.head.tree.digest() as i64;
            TxnDigest { version: DIGEST_VERSION, tree }.encode(&mut self.open.txns);
        }
        self.open.records.push((zxid, start..self.open.txns.len()));
        self.head.tree.head_meta().zxid = zxid;
        self.counts.txns += 1;
    }

    fn answer(&mut self, write: &Write, zxid: Zxid, error: ErrorCode, mark: Mark) {
        let outcome = Outcome {
            zxid,
            op: write.op,
            to: Some(write.connection),
            xid: write.xid,
            received_ms: write.received_ms,
            large_bytes: write.large_bytes,
            error,
            body: 0..0,
            events: 0..0,
        };
        self.push_outcome(outcome, mark);
    }

    fn push_outcome(&mut self, mut outcome: Outcome, mark: Mark) {
        let batch = &mut self.open.batch;
        outcome.body = mark.bodies()..batch.bodies.len() as u32;
        outcome.events = mark.events()..batch.events.len() as u32;
        batch.outcomes.push(outcome);
    }

    fn handle_connect(&mut self, now: Now, connect: Connect) {
        let id = connect.session;
        if id.0 == 0 {
            return self.create_session(now, &connect);
        }
        let Some(entry) = self.sessions.entry_mut(id) else {
            return self.answer_connect(&connect, None);
        };
        // Before anything else, so that nobody drives out a session's owner by its id alone.
        if connect.password != Some(password(id)) {
            return self.answer_connect(&connect, None);
        }
        match &mut entry.place {
            Place::Away => self.attach(now, &connect),
            Place::Attached(from) => {
                let from = *from;
                entry.place = Place::Moving { from, to: Box::new(connect) };
                let detach = ToShard::Detach { connection: from, session: id };
                self.to_shards.push((from.shard, detach));
            }
            Place::Moving { to, .. } => {
                // The newest wish wins; the one before gets nothing but a closed connection.
                let before = std::mem::replace(&mut **to, connect).connection;
                let detach = ToShard::Detach { connection: before, session: id };
                self.to_shards.push((before.shard, detach));
            }
            Place::Closing(_) => self.answer_connect(&connect, None),
        }
    }

    fn handle_detached(&mut self, now: Now, connection: ConnectionId, session: SessionId) {
        let Some(entry) = self.sessions.entry_mut(session) else { return };
        match &mut entry.place {
            Place::Attached(at) if *at == connection => entry.place = Place::Away,
            Place::Moving { from, .. } if *from == connection => {
                let place = std::mem::replace(&mut entry.place, Place::Away);
                if let Place::Moving { to, .. } = place {
                    self.attach(now, &to);
                }
            }
            Place::Moving { from, to } if to.connection == connection => {
                // Who wished it has gone; the old connection is on its way out all the same.
                entry.place = Place::Attached(*from);
            }
            Place::Closing(at) if *at == Some(connection) => *at = None,
            Place::Away | Place::Attached(_) | Place::Moving { .. } | Place::Closing(_) => (),
        }
    }

    fn attach(&mut self, now: Now, connect: &Connect) {
        let id = connect.session;
        let Some(entry) = self.sessions.entry_mut(id) else { return };
        entry.place = Place::Attached(connect.connection);
        entry.identities = connect.identities.clone();
        self.sessions.retime(id, connect.timeout_ms.max(0) as u64, now.mono_ms);
        self.answer_connect(connect, Some(id));
    }

    fn create_session(&mut self, now: Now, connect: &Connect) {
        if self.refusal.is_some() {
            // An answer would say that a session has ended; there was none. The client goes
            // elsewhere and comes back.
            let connection = connect.connection;
            let detach = ToShard::Detach { connection, session: SessionId(0) };
            return self.to_shards.push((connection.shard, detach));
        }
        let id = self.sessions.allocate();
        let place = Place::Attached(connect.connection);
        let timeout_ms = connect.timeout_ms.max(0) as u64;
        self.sessions.track(id, timeout_ms, place, connect.identities.clone(), now.mono_ms);
        let (header, start) = self.begin_txn(now, id, 0, Op::CreateSession);
        let txn = Txn::CreateSession { timeout_ms: connect.timeout_ms };
        txn.encode(&mut self.open.txns);
        let applied = self.head.apply(&header, header.op, &txn, &mut self.open.batch);
        applied.expect("a new session fits every tree");
        self.end_txn(header.zxid, start);
        self.answer_connect(connect, Some(id));
    }

    /// Answers a connect through the chain, so that the client sees all that was proposed before.
    fn answer_connect(&mut self, connect: &Connect, granted: Option<SessionId>) {
        let mark = self.open.batch.mark();
        let response = ConnectResponse {
            timeout_ms: if granted.is_some() { connect.timeout_ms } else { 0 },
            session_id: granted.unwrap_or_default(),
            password: granted.map_or([0; 16], password),
            has_read_only: connect.has_read_only,
        };
        response.encode(&mut self.open.batch.bodies);
        let outcome = Outcome {
            zxid: self.proposed,
            op: Op::CreateSession,
            to: Some(connect.connection),
            xid: 0,
            received_ms: connect.received_ms,
            large_bytes: 0,
            error: if granted.is_some() { ErrorCode::Ok } else { ErrorCode::SessionExpired },
            body: 0..0,
            events: 0..0,
        };
        self.push_outcome(outcome, mark);
    }

    /// Begins to close a session: at its client's wish, or because its time has run out.
    fn begin_close(&mut self, now: Now, session: SessionId, wish: Option<&Write>) {
        let Some(entry) = self.sessions.entry_mut(session) else { return };
        let to = match std::mem::replace(&mut entry.place, Place::Closing(None)) {
            Place::Closing(at) => {
                entry.place = Place::Closing(at);
                return;
            }
            Place::Attached(at) => Some(at),
            Place::Moving { from, to } => {
                self.answer_connect(&to, None);
                Some(from)
            }
            Place::Away => None,
        };
        if let Some(entry) = self.sessions.entry_mut(session) {
            entry.place = Place::Closing(to);
        }
        let is_large = self.head.ephemeral_count_of(session) > CLOSE_PATHS_MAX;
        if is_large || wish.is_none() {
            self.emptying.push_back(Emptying { session, wish: wish.cloned(), is_large });
            return;
        }
        self.close(now, session, wish);
    }

    /// Closes a session whose nodes fit into one txn.
    fn close(&mut self, now: Now, session: SessionId, wish: Option<&Write>) {
        let connection = match self.sessions.forget(session).map(|entry| entry.place) {
            Some(Place::Closing(at)) => at,
            _ => None,
        };
        let mark = self.open.batch.mark();
        let (header, start) =
            self.begin_txn(now, session, wish.map_or(0, |w| w.xid), Op::CloseSession);
        if self.settings.close_session_txn {
            let paths = self.head.ephemerals_of(session, usize::MAX);
            jute::put_length(&mut self.open.txns, paths.len());
            for path in &paths {
                jute::put_string(&mut self.open.txns, path);
            }
        }
        let txn = Txn::CloseSession { paths: None };
        let applied = self.head.apply(&header, header.op, &txn, &mut self.open.batch);
        applied.expect("a session's own nodes can be deleted");
        self.end_txn(header.zxid, start);
        // Without a wish the connection is closed and nothing is said.
        let outcome = Outcome {
            zxid: header.zxid,
            op: Op::CloseSession,
            to: connection,
            xid: wish.map_or(0, |write| write.xid),
            received_ms: wish.map_or(now.mono_ms, |write| write.received_ms),
            large_bytes: 0,
            error: if wish.is_some() { ErrorCode::Ok } else { ErrorCode::SessionExpired },
            body: 0..0,
            events: 0..0,
        };
        self.push_outcome(outcome, mark);
    }

    /// Does what time asks for: expired sessions, nodes whose time has run out, sessions that are
    /// emptied step by step.
    pub fn tick(&mut self, now: Now) {
        if self.refusal.is_none() {
            for session in self.sessions.expired(now.mono_ms) {
                self.counts.expired += 1;
                self.begin_close(now, session, None);
            }
            self.empty_sessions(now);
        }
        self.reap(now);
    }

    /// Whether [`Self::tick`] has more to do at once.
    pub fn is_busy(&self) -> bool {
        self.refusal.is_none() && !self.emptying.is_empty() && self.is_admitting()
    }

    /// Goes on with the sessions that are being closed, as far as one turn may.
    fn empty_sessions(&mut self, now: Now) {
        let mut deleted = 0;
        for _ in 0..CLOSED_PER_TURN {
            if deleted >= CLOSE_CHUNK_PATHS || !self.is_admitting() {
                return;
            }
            let Some(Emptying { session, is_large, .. }) = self.emptying.front() else { return };
            let (session, is_large) = (*session, *is_large);
            let left = self.head.ephemeral_count_of(session);
            if is_large && left >= CLOSE_CHUNK_PATHS {
                let paths = self.head.ephemerals_of(session, CLOSE_CHUNK_PATHS);
                self.delete_owned(now, session, &paths);
                deleted += paths.len();
                continue;
            }
            deleted += left;
            let wish = self.emptying.pop_front().and_then(|emptying| emptying.wish);
            self.close(now, session, wish.as_ref());
        }
    }

    /// One txn that deletes these nodes of a closing session.
    fn delete_owned(&mut self, now: Now, session: SessionId, paths: &[Box<[u8]>]) {
        let mark = self.open.batch.mark();
        let (header, start) = self.begin_txn(now, session, 0, Op::Multi);
        let mut txns = Vec::new();
        for path in paths {
            model::txn::put_sub_txn(&mut txns, Op::Delete, &Txn::Delete { path });
        }
        let txn = Txn::Multi(MultiTxn::of_encoded(paths.len() as u32, &txns));
        txn.encode(&mut self.open.txns);
        let applied = self.head.apply(&header, header.op, &txn, &mut self.open.batch);
        applied.expect("a session's own nodes can be deleted");
        self.end_txn(header.zxid, start);
        self.push_quiet(header.zxid, Op::Multi, mark);
    }

    fn push_quiet(&mut self, zxid: Zxid, op: Op, mark: Mark) {
        let error = ErrorCode::Ok;
        let outcome = Outcome {
            zxid,
            op,
            to: None,
            xid: 0,
            received_ms: 0,
            large_bytes: 0,
            error,
            body: 0..0,
            events: 0..0,
        };
        self.push_outcome(outcome, mark);
    }

    fn reap(&mut self, now: Now) {
        if now.mono_ms < self.reaped_ms + self.settings.reap_interval_ms || self.refusal.is_some() {
            return;
        }
        self.reaped_ms = now.mono_ms;
        self.reaping = self.head.reapable(now.wall_ms).into();
        let share = self.settings.reap_per_minute_max * self.settings.reap_interval_ms / 60_000;
        for _ in 0..share.max(1) {
            let Some(path) = self.reaping.pop_front() else { break };
            let mark = self.open.batch.mark();
            let request = Ok(Request::DeleteContainer { path: &path });
            let nobody = self.anonymous.clone();
            self.propose(now, SessionId(0), 0, Op::DeleteContainer, request, &nobody);
            self.push_quiet(self.proposed, Op::DeleteContainer, mark);
        }
    }

    /// Ends the open batch. What it holds is offered to the log by [`Self::append_with`].
    pub fn seal(&mut self) {
        let mut sealed = self.spare.pop().unwrap_or_default();
        let fresh = self.chain.empty_batch();
        sealed.batch = std::mem::replace(&mut self.open.batch, fresh);
        std::mem::swap(&mut sealed.txns, &mut self.open.txns);
        std::mem::swap(&mut sealed.records, &mut self.open.records);
        sealed.through = self.proposed;
        sealed.batch.version = Some(self.head.seal());
        self.counts.batches += 1;
        self.sealed.push_back(sealed);
    }

    /// Offers the log every sealed txn that it has not taken yet, in order, until it takes no
    /// more. True if it has all.
    pub fn append_with(&mut self, mut append: impl FnMut(Zxid, &[u8]) -> bool) -> bool {
        for sealed in &mut self.sealed {
            while let Some((zxid, range)) = sealed.records.get(sealed.appended) {
                if !append(*zxid, &sealed.txns[range.clone()]) {
                    return false;
                }
                sealed.appended += 1;
            }
        }
        true
    }

    /// The log is durable through `zxid`: publishes what that covers. True if anything was.
    pub fn durable(&mut self, zxid: Zxid) -> bool {
        let mut newest = None;
        while let Some(front) = self.sealed.front() {
            if front.through > zxid {
                break;
            }
            let Some(mut sealed) = self.sealed.pop_front() else { break };
            newest = sealed.batch.version.map(|version| (version, sealed.through));
            self.chain.link(std::mem::take(&mut sealed.batch));
            sealed.txns.clear();
            sealed.records.clear();
            sealed.appended = 0;
            if self.spare.len() < 8 && sealed.txns.capacity() <= 2 * BATCH_BYTES_MAX {
                self.spare.push(sealed);
            }
        }
        let Some((version, through)) = newest else { return false };
        self.head.tree.publish(version);
        self.published = through;
        true
    }

    /// Batches in the log's hands.
    pub fn in_flight(&self) -> usize {
        self.sealed.len()
    }
}

/// Replays one record of the log onto a tree that is being recovered.
pub fn replay(head: &mut Head, bytes: &[u8], batch: &mut Batch) -> Result<Zxid, ReplayError> {
    let mut reader = Reader::new(bytes);
    let header = TxnHeader::decode(&mut reader).map_err(ReplayError::Decode)?;
    let txn = Txn::decode(header.op, &mut reader).map_err(ReplayError::Decode)?;
    let digest = TxnDigest::decode(&mut reader).map_err(ReplayError::Decode)?;
    let mark = batch.mark();
    let applied = head.apply(&header, header.op, &txn, batch);
    batch.roll_back(mark);
    applied.map_err(ReplayError::Apply)?;
    head.tree.head_meta().zxid = header.zxid;
    if digest.is_some() {
        head.remember_digest(header.zxid);
    }
    let found = head.tree.digest() as i64;
    match digest {
        Some(TxnDigest { version: DIGEST_VERSION, tree }) if tree != found => {
            Err(ReplayError::Digest { expected: tree, found })
        }
        _ => Ok(header.zxid),
    }
}
