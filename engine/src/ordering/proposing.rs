//! Writes become txns: each gets its place in the history, or an error.

use super::closing::Ended;
use super::local::LocalClose;
use super::{Open, Ordering, Reaping};
use crate::batch::{ConnectionId, Mark, Outcome};
use crate::limits::{REAP_LOOKS_PER_TURN, REAPED_PER_TURN};
use crate::message::{Bundle, ToShard, Write};
use crate::pipeline::Caller;
use crate::settings::Now;
use crate::tree::STAGED_MAX;
use model::error::ErrorCode;
use model::jute::{self, JuteError, JuteReader};
use model::op::Op;
use model::request::Request;
use model::session::SessionId;
use model::txn::{DIGEST_VERSION, Txn, TxnDigest, TxnHeader};
use model::zxid::Zxid;

impl Ordering {
    pub(super) fn handle_writes(&mut self, now: Now, bundle: Bundle) {
        let body_of =
            |write: &Write| &bundle.bytes[write.body.start as usize..write.body.end as usize];
        // Half of what can be looked up together: a create needs its parent, too.
        for writes in bundle.writes.chunks(STAGED_MAX / 2) {
            self.warm(writes.iter().map(|write| (write.op, body_of(write))));
            for write in writes {
                self.handle_write(now, write, body_of(write));
            }
        }
        self.return_bundle(bundle);
    }

    /// Gives a bundle's memory back to its shard.
    pub(super) fn return_bundle(&mut self, mut bundle: Bundle) {
        let shard = bundle.writes.first().map(|write| write.connection.shard);
        bundle.bytes.clear();
        bundle.writes.clear();
        if let Some(shard) = shard {
            self.to_shards.push((shard, ToShard::Returned(bundle)));
        }
    }

    /// Prefetches the nodes that these writes will touch, all at once: waiting for them one after
    /// another is the largest cost of a write in a large tree.
    fn warm<'a>(&self, writes: impl Iterator<Item = (Op, &'a [u8])>) {
        let mut paths: [&[u8]; STAGED_MAX] = [b""; STAGED_MAX];
        let mut count = 0;
        for (op, body) in writes {
            let path = match op {
                Op::Create | Op::Create2 | Op::CreateTtl | Op::Delete | Op::SetData => {
                    JuteReader::new(body).text().unwrap_or_default()
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
        // A write of a connection that its session has left is dropped: no client waits for it.
        let Some(entry) = self.sessions.attached(write.session, write.connection) else { return };
        let identities = entry.identities.clone();
        if write.op == Op::CloseSession && self.sessions.is_local(write.session) {
            let Write { connection, xid, received_ms, .. } = *write;
            return self
                .end_local(write.session, Some(LocalClose { connection, xid, received_ms }));
        }
        let mark = self.open.batch.mark();
        if write.op == Op::Sync {
            let Ok(path) = JuteReader::new(body).string() else {
                return self.answer(write, self.seen(), ErrorCode::MarshallingError, mark);
            };
            jute::put_buffer(&mut self.open.batch.bodies, path);
            self.open.confirmation = self.needed_by_sync();
            return self.answer(write, self.seen(), ErrorCode::Ok, mark);
        }
        let is_refused = self.refusal.is_some() && write.op != Op::CloseSession;
        if is_refused || self.is_epoch_full() {
            return self.answer(write, self.seen(), ErrorCode::SystemError, mark);
        }
        if write.op == Op::CloseSession {
            let (xid, received_ms) = (write.xid, write.received_ms);
            self.begin_close(now, write.session, Some(Ended::Here { xid, received_ms }));
            return;
        }
        let request = Request::decode(write.op, body);
        // Where stock fails before it has counted.
        let is_counted = match request {
            Err(JuteError::NullAcl { .. }) => false,
            Err(JuteError::NullPath { .. }) => true,
            _ => write.op == Op::Multi,
        };
        if request.is_err() && !is_counted {
            return self.answer(write, self.seen(), ErrorCode::MarshallingError, mark);
        }
        let no_ephemerals = self.upgrade_here(now, write.session, write.op, &request);
        if self.is_epoch_full() {
            // The upgrade has taken its last zxid.
            return self.answer(write, self.seen(), ErrorCode::SystemError, mark);
        }
        let caller = Caller { identities: &identities, no_ephemerals };
        let error = self.propose(now, write.session, write.xid, write.op, request, caller);
        self.answer(write, self.proposed, error, mark);
    }

    /// Gives a request its zxid and its txn, an error txn if it fails.
    pub(super) fn propose(
        &mut self,
        now: Now,
        session: SessionId,
        cxid: i32,
        op: Op,
        request: Result<Request<'_>, JuteError>,
        caller: Caller<'_>,
    ) -> ErrorCode {
        let (header, start) = self.begin_txn(now, session, cxid, op);
        let Open { batch, in_log, .. } = &mut self.open;
        let txns = &mut in_log.bytes;
        let done = match request {
            Ok(Request::Multi(ops)) => self.head.execute_multi(&header, &ops, caller, batch, txns),
            Ok(request) => self.head.execute(&header, op, &request, caller, batch, txns),
            Err(_) => Err(ErrorCode::MarshallingError),
        };
        let error = done.err().unwrap_or(ErrorCode::Ok);
        if error != ErrorCode::Ok {
            // A failed write uses up its zxid: every server must count alike.
            txns.truncate(start);
            TxnHeader { op: Op::Error, ..header }.encode(txns);
            Txn::Error(error.code()).encode(txns);
        }
        self.end_txn(header.zxid, start);
        error
    }

    /// Gives a request that cannot be done its zxid and its error txn.
    pub(super) fn propose_error(
        &mut self,
        now: Now,
        session: SessionId,
        cxid: i32,
        error: ErrorCode,
    ) {
        let (header, start) = self.begin_txn(now, session, cxid, Op::Error);
        Txn::Error(error.code()).encode(&mut self.open.in_log.bytes);
        self.end_txn(header.zxid, start);
    }

    pub(super) fn begin_txn(
        &mut self,
        now: Now,
        session: SessionId,
        cxid: i32,
        op: Op,
    ) -> (TxnHeader, usize) {
        self.proposed = self.proposed.next();
        let header = TxnHeader { session, cxid, zxid: self.proposed, time_ms: now.wall_ms, op };
        let start = self.open.in_log.bytes.len();
        header.encode(&mut self.open.in_log.bytes);
        (header, start)
    }

    pub(super) fn end_txn(&mut self, zxid: Zxid, start: usize) {
        if self.settings.txn_digest {
            self.head.remember_digest(zxid);
            let tree = self.head.tree.digest() as i64;
            TxnDigest { version: DIGEST_VERSION, tree }.encode(&mut self.open.in_log.bytes);
        }
        self.end_txn_without_digest(zxid, start);
    }

    pub(super) fn end_txn_without_digest(&mut self, zxid: Zxid, start: usize) {
        self.open.in_log.records.push((zxid, start..self.open.in_log.bytes.len()));
        self.head.tree.head_meta().zxid = zxid;
        self.counts.txns += 1;
    }

    pub(super) fn answer(&mut self, write: &Write, zxid: Zxid, error: ErrorCode, mark: Mark) {
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

    pub(super) fn push_outcome(&mut self, mut outcome: Outcome, mark: Mark) {
        let batch = &mut self.open.batch;
        outcome.body = mark.bodies()..batch.bodies.len() as u32;
        outcome.events = mark.events()..batch.events.len() as u32;
        batch.outcomes.push(outcome);
    }

    /// A session has ended: its client is answered if it has asked for that, and its connection is
    /// closed.
    pub(super) fn push_end(
        &mut self,
        zxid: Zxid,
        to: Option<ConnectionId>,
        (xid, received_ms, error): (i32, u64, ErrorCode),
        mark: Mark,
    ) {
        let outcome = Outcome {
            zxid,
            op: Op::CloseSession,
            to,
            xid,
            received_ms,
            large_bytes: 0,
            error,
            body: 0..0,
            events: 0..0,
        };
        self.push_outcome(outcome, mark);
    }

    pub(super) fn push_quiet(&mut self, zxid: Zxid, op: Op, mark: Mark) {
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

    /// Removes containers and nodes whose time has run out: as many in an interval as allowed, a
    /// few each turn.
    pub(super) fn reap(&mut self, now: Now) {
        if self.refusal.is_some() {
            return;
        }
        let reaping = match self.reaping.take() {
            Some(reaping) => reaping,
            None if now.mono_ms < self.reaped_ms + self.settings.reap_interval_ms => return,
            None => {
                let interval_ms = self.settings.reap_interval_ms;
                let share = self.settings.reap_per_minute_max * interval_ms / 60_000;
                self.reaped_ms = now.mono_ms;
                Reaping { after: None, left: share.max(1) }
            }
        };
        if !self.is_admitting() {
            self.reaping = Some(reaping);
            return;
        }
        let due_max = reaping.left.min(REAPED_PER_TURN);
        let after = reaping.after.as_deref();
        let found = self.head.reapable(now.wall_ms, after, REAP_LOOKS_PER_TURN, due_max as usize);
        let left = reaping.left - found.due.len() as u64;
        if left > 0 && found.next.is_some() {
            self.reaping = Some(Reaping { after: found.next, left });
        }
        for path in found.due {
            if self.is_epoch_full() {
                // Those that are left are found again in the next one.
                return;
            }
            let mark = self.open.batch.mark();
            let request = Ok(Request::DeleteContainer { path: &path });
            let anonymous = self.anonymous.clone();
            let caller = Caller { identities: &anonymous, no_ephemerals: None };
            self.propose(now, SessionId(0), 0, Op::DeleteContainer, request, caller);
            self.push_quiet(self.proposed, Op::DeleteContainer, mark);
        }
    }
}
