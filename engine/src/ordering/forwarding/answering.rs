//! What was passed on has come back as txns: its clients are answered.

use super::Forwarding;
use super::known::{Asked, Asker, Place};
use crate::batch::{Mark, Outcome};
use crate::message::Connect;
use crate::ordering::Ordering;
use crate::ordering::service::Service;
use model::error::ErrorCode;
use model::op::Op;
use model::session::SessionId;
use model::txn::TxnHeader;

impl Ordering {
    /// The outcome of a txn that was applied: of a request of this server's client, if it was one.
    pub(in crate::ordering) fn push_learned(
        &mut self,
        header: &TxnHeader,
        error: ErrorCode,
        mark: Mark,
    ) {
        let Service::Following(it) = &mut self.service else {
            return self.push_quiet(header.zxid, header.op, mark);
        };
        if it.relayed_answered(header) && header.op != Op::CloseSession {
            return self.push_quiet(header.zxid, header.op, mark);
        }
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
                Some(asked) => {
                    self.push_outcome(asked.outcome(header.zxid, error), mark);
                    self.maybe_close_local(header.session);
                }
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
        self.relay.forget(header.session);
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
        for asked in known.asked.drain(..) {
            if let Asker::Observer { bytes } = asked.to {
                self.relay.came_back(bytes);
            }
        }
        match known.place {
            Place::Attached(at) => (Outcome { to: Some(at), ..end }, None),
            Place::Moving { from, to } => (Outcome { to: Some(from), ..end }, Some(to)),
            Place::Created(connect) => (Outcome { to: None, ..end }, Some(connect)),
            // The leader's answer is on its way; or it knows no such session.
            Place::Asked(_) | Place::Here => {
                self.sessions.insert(header.session, known);
                (Outcome { to: None, ..end }, None)
            }
            Place::Detached => (Outcome { to: None, ..end }, None),
        }
    }
}
