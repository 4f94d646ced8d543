//! Sessions: attaching and detaching.

use super::Ordering;
use crate::batch::{ConnectionId, Outcome};
use crate::message::{Connect, ToShard};
use crate::session::SessionPlace;
use crate::settings::Now;
use model::error::ErrorCode;
use model::op::Op;
use model::response::ConnectResponse;
use model::session::{SessionId, password};
use model::txn::Txn;
use model::zxid::Zxid;

impl Ordering {
    pub(super) fn handle_connect(&mut self, now: Now, connect: Connect) {
        let id = connect.session;
        if id.0 == 0 && self.makes_local() {
            return self.create_local(now, &connect);
        }
        if id.0 == 0 {
            return self.create_session(now, &connect);
        }
        let Some(entry) = self.sessions.entry_mut(id) else {
            return self.answer_connect(&connect, None);
        };
        // Before anything else, so that a session's owner cannot be displaced by the id alone.
        if connect.password != Some(password(id)) {
            return self.answer_connect(&connect, None);
        }
        if !matches!(entry.place, SessionPlace::Closing(_)) {
            // Counts as a heartbeat, even while it waits for the connection that it replaces.
            self.sessions.touch(id, connect.received_ms);
        }
        let Some(entry) = self.sessions.entry_mut(id) else { return };
        match &mut entry.place {
            SessionPlace::Unused | SessionPlace::Detached | SessionPlace::Learner(_) => {
                self.attach(now, &connect);
            }
            SessionPlace::Attached(from) => {
                let from = *from;
                entry.place = SessionPlace::Moving { from, to: Box::new(connect) };
                let detach = ToShard::Detach { connection: from, session: id };
                self.to_shards.push((from.shard, detach));
            }
            SessionPlace::Moving { to, .. } => {
                // The newest request wins; the one before only gets its connection closed.
                let before = std::mem::replace(&mut **to, connect).connection;
                let detach = ToShard::Detach { connection: before, session: id };
                self.to_shards.push((before.shard, detach));
            }
            SessionPlace::Closing(_) => self.answer_connect(&connect, None),
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
            SessionPlace::Attached(at) if *at == connection => entry.place = SessionPlace::Detached,
            SessionPlace::Moving { from, .. } if *from == connection => {
                let place = std::mem::replace(&mut entry.place, SessionPlace::Detached);
                if let SessionPlace::Moving { to, .. } = place {
                    self.attach(now, &to);
                }
            }
            SessionPlace::Moving { from, to } if to.connection == connection => {
                // The requester has disconnected; the old connection is being closed all the same.
                entry.place = SessionPlace::Attached(*from);
            }
            SessionPlace::Closing(at) if *at == Some(connection) => *at = None,
            SessionPlace::Unused
            | SessionPlace::Detached
            | SessionPlace::Learner(_)
            | SessionPlace::Attached(_)
            | SessionPlace::Moving { .. }
            | SessionPlace::Closing(_) => (),
        }
    }

    fn attach(&mut self, now: Now, connect: &Connect) {
        let id = connect.session;
        let Some(entry) = self.sessions.entry_mut(id) else { return };
        entry.place = SessionPlace::Attached(connect.connection);
        entry.identities = connect.identities.clone();
        self.identify_local(id, &connect.identities);
        self.sessions.retime(id, connect.timeout_ms.max(0) as u64, now.mono_ms);
        self.answer_connect(connect, Some(id));
    }

    fn create_session(&mut self, now: Now, connect: &Connect) {
        if self.refusal.is_some() || self.is_epoch_full() {
            return self.turn_away(connect);
        }
        let id = self.sessions.allocate();
        let place = SessionPlace::Attached(connect.connection);
        let timeout_ms = connect.timeout_ms.max(0) as u64;
        self.sessions.track(id, timeout_ms, place, connect.identities.clone(), now.mono_ms);
        self.propose_session(now, id, 0, connect.timeout_ms);
        self.answer_connect(connect, Some(id));
    }

    /// Proposes the txn that makes a session.
    pub(super) fn propose_session(
        &mut self,
        now: Now,
        id: SessionId,
        cxid: i32,
        timeout_ms: i32,
    ) -> Zxid {
        let (header, start) = self.begin_txn(now, id, cxid, Op::CreateSession);
        let txn = Txn::CreateSession { timeout_ms };
        txn.encode(&mut self.open.in_log.bytes);
        let applied = self.head.apply(&header, header.op, &txn, &mut self.open.batch);
        applied.expect("a new session fits every tree");
        self.end_txn(header.zxid, start);
        header.zxid
    }

    /// Answers a connect through the chain, so that the client sees all that was proposed before.
    pub(super) fn answer_connect(&mut self, connect: &Connect, granted: Option<SessionId>) {
        let mark = self.open.batch.mark();
        let response = ConnectResponse {
            timeout_ms: if granted.is_some() { connect.timeout_ms } else { 0 },
            session_id: granted.unwrap_or_default(),
            password: granted.map_or([0; 16], password),
            read_only: connect.read_only.map(|_| self.is_read_only()),
        };
        response.encode(&mut self.open.batch.bodies);
        let outcome = Outcome {
            zxid: self.seen(),
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
}
