//! Closing sessions: one txn each, whose deletes are spread over as many turns as they need.
//!
//! An end is recorded as a whole or not at all. While one is being applied no other write is
//! admitted and no batch is sealed, so no client, log or snapshot ever sees half of it; reads
//! continue from what is published.
//!
//! The txn lists the nodes, as ZooKeeper's does, as long as every server can read the list. A
//! longer one is left out: the nodes are in each server's own tree. The digest is left out with it,
//! because ZooKeeper would read whatever is in the list's place as a list.
//!
//! Invariant: while `Ordering::closing` holds an end, the last record of the open batch is its own
//! (guard: the assertions in `Ordering::handle` and `Ordering::seal`).

use super::Ordering;
use crate::batch::{ConnectionId, Mark};
use crate::limits::{CLOSE_LIST_BYTES_MAX, CLOSED_NODES_PER_TURN, CLOSED_PER_TURN};
use crate::pipeline::Ending;
use crate::session::SessionPlace;
use crate::settings::Now;
use crate::zab::LinkId;
use model::error::ErrorCode;
use model::jute;
use model::op::Op;
use model::session::SessionId;

/// A session to be closed as soon as there is time for it.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    session: SessionId,
    /// Who asked for it; `None` if the session has expired.
    asked: Option<Ended>,
}

/// Who asked for the end of a session.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// A client of this server.
    Here {
        /// Its number for the request.
        xid: i32,
        /// When that was received, in ms of the monotonic clock.
        received_ms: u64,
    },
    /// A client of another server.
    Elsewhere {
        /// That server's link.
        link: LinkId,
        /// The client's number for the request.
        cxid: i32,
    },
}

impl Ended {
    fn cxid(&self) -> i32 {
        match self {
            Self::Here { xid, .. } => *xid,
            Self::Elsewhere { cxid, .. } => *cxid,
        }
    }
}

/// An end that was proposed and is being applied.
#[derive(Debug)]
pub(super) struct Closing {
    ending: Ending,
    list: List,
    /// Where its txn begins in the open batch, and what it lists.
    start: usize,
    mark: Mark,
    asked: Option<Ended>,
    connection: Option<ConnectionId>,
}

/// What the txn lists of the session's nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// Nothing, because `closeSessionTxn.enabled` is off.
    Off,
    /// Each of them, from here on in the open batch's txns.
    From(usize),
    /// Nothing, because there are too many.
    TooLong,
}

impl Ordering {
    /// Begins to close a session: at its client's request, or because it has expired. False if its
    /// end takes more than this call.
    pub(super) fn begin_close(
        &mut self,
        now: Now,
        session: SessionId,
        asked: Option<Ended>,
    ) -> bool {
        if self.sessions.is_local(session) {
            self.end_local(session, None);
            return true;
        }
        let Some(entry) = self.sessions.entry_mut(session) else { return true };
        let to = match std::mem::replace(&mut entry.place, SessionPlace::Closing(None)) {
            SessionPlace::Closing(at) => {
                entry.place = SessionPlace::Closing(at);
                return true;
            }
            SessionPlace::Attached(at) => Some(at),
            SessionPlace::Moving { from, to } => {
                self.answer_connect(&to, None);
                Some(from)
            }
            SessionPlace::Unused | SessionPlace::Detached | SessionPlace::Learner(_) => None,
        };
        if let Some(entry) = self.sessions.entry_mut(session) {
            entry.place = SessionPlace::Closing(to);
        }
        let is_asked = asked.is_some();
        let leaving = Leaving { session, asked };
        // A session that is closed at once keeps the rest of the bundle waiting: one with many
        // nodes gets turns of its own, and an expired one can wait.
        let is_small = self.head.ephemeral_count_of(session) <= CLOSED_NODES_PER_TURN;
        if is_asked && is_small {
            let mut closing = self.begin_end(now, leaving);
            self.continue_end(&mut closing);
            self.finish_end(now, closing);
            return true;
        }
        self.leaving.push_back(leaving);
        false
    }

    /// Continues with the sessions that are being closed, within the bounds of one turn.
    pub(super) fn close_sessions(&mut self, now: Now) {
        if let Some(mut closing) = self.closing.take() {
            self.continue_end(&mut closing);
            if closing.ending.left() > 0 {
                self.closing = Some(closing);
            } else {
                // What has waited for it comes before the next.
                self.finish_end(now, closing);
            }
            return;
        }
        let mut deleted = 0;
        for _ in 0..CLOSED_PER_TURN {
            if self.refusal.is_some() || !self.is_admitting() {
                return;
            }
            let Some(leaving) = self.leaving.front() else { return };
            let count = self.head.ephemeral_count_of(leaving.session);
            if deleted > 0 && deleted + count > CLOSED_NODES_PER_TURN {
                return;
            }
            let Some(leaving) = self.leaving.pop_front() else { return };
            let mut closing = self.begin_end(now, leaving);
            self.continue_end(&mut closing);
            if closing.ending.left() > 0 {
                self.closing = Some(closing);
                return;
            }
            self.finish_end(now, closing);
            deleted += count;
        }
    }

    /// Proposes an end.
    fn begin_end(&mut self, now: Now, leaving: Leaving) -> Closing {
        let Leaving { session, asked } = leaving;
        let connection = match self.sessions.forget(session).map(|entry| entry.place) {
            Some(SessionPlace::Closing(at)) => at,
            _ => None,
        };
        let mark = self.open.batch.mark();
        let cxid = asked.as_ref().map_or(0, Ended::cxid);
        let (header, start) = self.begin_txn(now, session, cxid, Op::CloseSession);
        let ending = self.head.begin_end(header);
        let list = if self.settings.close_session_txn {
            let from = self.open.in_log.bytes.len();
            jute::put_length(&mut self.open.in_log.bytes, ending.left());
            List::From(from)
        } else {
            List::Off
        };
        Closing { ending, list, start, mark, asked, connection }
    }

    /// Deletes as many nodes of a session as one turn allows, and lists them in its txn.
    fn continue_end(&mut self, closing: &mut Closing) {
        let super::Open { batch, in_log, .. } = &mut self.open;
        let txns = &mut in_log.bytes;
        let Closing { ending, list, start, .. } = closing;
        let deleted = self.head.delete_owned(ending, CLOSED_NODES_PER_TURN, batch, |path| {
            let List::From(from) = *list else { return };
            jute::put_string(txns, path);
            if txns.len() - *start > CLOSE_LIST_BYTES_MAX {
                txns.truncate(from);
                *list = List::TooLong;
            }
        });
        deleted.expect("a session's own nodes can be deleted");
    }

    /// The last node is deleted: the txn is complete, and its client is answered.
    fn finish_end(&mut self, now: Now, closing: Closing) {
        let Closing { ending, list, start, mark, asked, connection } = closing;
        assert_eq!(ending.left(), 0, "an end is recorded as a whole");
        let zxid = ending.header().zxid;
        match list {
            List::Off | List::From(_) => self.end_txn(zxid, start),
            List::TooLong => self.end_txn_without_digest(zxid, start),
        }
        // Without a request the connection is closed silently.
        let (xid, received_ms, error) = match asked {
            Some(Ended::Here { xid, received_ms }) => (xid, received_ms, ErrorCode::Ok),
            Some(Ended::Elsewhere { .. }) | None => (0, now.mono_ms, ErrorCode::SessionExpired),
        };
        self.push_end(zxid, connection, (xid, received_ms, error), mark);
        if let Some(Ended::Elsewhere { link, .. }) = asked {
            self.set_closing(link, false);
        }
    }
}
