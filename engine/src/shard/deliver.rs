//! Published batches: txn by txn, watchers first, then the requester.
//!
//! Invariant: a client sees an event before any reply that shows the change (guards: the
//! transcript `engine/src/tests/transcripts/watches.txt`,
//! `crate::tests::endings::others_see_all_of_a_session_or_nothing`).

use super::Shard;
use super::measured::Answered;
use crate::batch::{Batch, Outcome};
use crate::limits::EVENT_BYTES_MAX;
use model::acl::perms;
use model::error::ErrorCode;
use model::op::Op;
use model::response;
use model::session::SessionId;

impl Shard {
    /// Handles what was published since the last turn, then continues what waited for it. True if
    /// there was anything.
    pub fn drain(&mut self) -> bool {
        let published = self.reader.published();
        let is_behind = published != self.reader.version();
        if is_behind {
            let mut cursor = self.cursor.clone();
            while let Some(batch) = cursor.step(published) {
                let version = batch.version.expect("linked batches are sealed");
                self.reader.advance_to(version);
                self.deliver(batch);
            }
            self.cursor = cursor;
        }
        self.release_waiting() || is_behind
    }

    fn deliver(&mut self, batch: &Batch) {
        let shard = self.connections.shard();
        let is_watching = !self.watches.is_empty();
        for outcome in &batch.outcomes {
            if is_watching && !outcome.events.is_empty() {
                self.fire(batch, outcome);
            }
            if outcome.to.is_some_and(|to| to.shard == shard) {
                self.reply(batch, outcome);
            }
        }
    }

    fn fire(&mut self, batch: &Batch, outcome: &Outcome) {
        let range = outcome.events.start as usize..outcome.events.end as usize;
        for event in &batch.events[range] {
            let path = batch.path(event);
            let mut stuck = Vec::new();
            for &slot in self.watches.trigger(event.kind, path, &mut self.measured) {
                let Some(connection) = self.connections.at_mut(slot) else { continue };
                let acls = &self.reader.view().meta().acls;
                if acls.may(event.acl, perms::READ, connection.identities(), &self.settings) {
                    let out = self.outgoing.append(slot, &mut connection.output);
                    let start = out.len();
                    response::put_event(out, event.kind, outcome.zxid, path);
                    let bytes = (out.len() - start - 4) as u64;
                    self.measured.event(&mut connection.counts, bytes);
                    if connection.unsent_bytes() > EVENT_BYTES_MAX && !connection.is_gone() {
                        stuck.push(connection.id());
                    }
                }
            }
            for id in stuck {
                self.dismiss(id);
            }
        }
    }

    fn reply(&mut self, batch: &Batch, outcome: &Outcome) {
        let Some(id) = outcome.to else { return };
        let Some(connection) = self.connections.find_mut(id) else { return };
        self.budget.settle_large(&mut connection.account, outcome.large_bytes);
        let Outcome { op, xid, zxid, error, received_ms, .. } = *outcome;
        let is_done = error == ErrorCode::Ok;
        let body = batch.body(outcome);
        let out = self.outgoing.append(id.slot, &mut connection.output);
        let start = out.len();
        match op {
            Op::CreateSession => out.extend_from_slice(body),
            Op::CloseSession if !is_done => (),
            Op::CloseSession => response::put_reply(out, xid, zxid, error, &[]),
            _ => response::put_reply(out, xid, zxid, error, if is_done { body } else { &[] }),
        }
        let bytes = (out.len() - start).saturating_sub(4) as u64;
        let now_ms = self.turn.now().mono_ms;
        let answered = Answered { op, xid, zxid, bytes, received_ms, now_ms };
        self.measured.outcome_answered(&mut connection.counts, &answered);
        match op {
            Op::CreateSession if is_done => {
                connection.establish(session_of_response(body));
                if connection.is_waiting() {
                    self.turn.release(id);
                }
                self.announce(id);
            }
            Op::CreateSession => {
                connection.deny();
                self.connections.end(id);
            }
            Op::CloseSession if is_done => {
                connection.end_session();
                self.budget.settle(&mut connection.account);
                self.connections.end(id);
            }
            Op::CloseSession => {
                connection.end_session();
                self.cut(id);
            }
            _ => {
                self.budget.settle(&mut connection.account);
                if connection.is_waiting() && !connection.account.has_in_flight() {
                    self.turn.release(id);
                }
            }
        }
    }
}

/// The session id in an encoded connect response: behind the packet's length, the version and the
/// timeout.
fn session_of_response(packet: &[u8]) -> SessionId {
    let id = packet[12..20].try_into().expect("eight bytes");
    SessionId(i64::from_be_bytes(id))
}
