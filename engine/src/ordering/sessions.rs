//! Sessions: who comes, who goes, and who is closed step by step.

use super::{Emptying, Ordering};
use crate::batch::{ConnectionId, Outcome};
use crate::limits::{CLOSE_CHUNK_PATHS, CLOSE_PATHS_MAX, CLOSED_PER_TURN};
use crate::message::{Connect, ToShard, Write};
use crate::session::Place;
use crate::settings::Now;
use model::error::ErrorCode;
use model::jute;
use model::op::Op;
use model::response::ConnectResponse;
use model::session::{SessionId, password};
use model::txn::{MultiTxn, Txn};

impl Ordering {
    pub(super) fn handle_connect(&mut self, now: Now, connect: Connect) {
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

    pub(super) fn handle_detached(
        &mut self,
        now: Now,
        connection: ConnectionId,
        session: SessionId,
    ) {
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
    pub(super) fn begin_close(&mut self, now: Now, session: SessionId, wish: Option<&Write>) {
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

    /// Goes on with the sessions that are being closed, as far as one turn may.
    pub(super) fn empty_sessions(&mut self, now: Now) {
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
}
