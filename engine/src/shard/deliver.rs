//! Published batches: txn by txn, watchers first, then whoever asked.

use super::{Phase, Shard};
use crate::batch::{Batch, Outcome};
use crate::limits::EVENT_BYTES_MAX;
use crate::message::ToOrdering;
use model::acl::perms;
use model::error::ErrorCode;
use model::op::Op;
use model::response::{self, EventKind};
use model::session::SessionId;

impl Shard {
    /// Handles what was published since the last turn, then lets go on what waited for it. True if
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
        if self.released.is_empty() {
            return is_behind;
        }
        let new_count = self.queue.len();
        let mut released = std::mem::take(&mut self.released);
        for (slot, serial) in released.drain(..) {
            self.release(slot, serial);
        }
        // Those that have had their share of this turn wait for the next.
        released.append(&mut self.released);
        self.released = released;
        // Who was left goes before who has just come, or whoever is answered and asks again would
        // keep all others waiting. No connection has requests in both parts: what it asks while
        // some are parked is parked behind them.
        self.queue.rotate_left(new_count);
        true
    }

    fn deliver(&mut self, batch: &Batch) {
        let is_watching = !self.data_watches.is_empty() || !self.child_watches.is_empty();
        for outcome in &batch.outcomes {
            if is_watching && !outcome.events.is_empty() {
                self.fire(batch, outcome);
            }
            if outcome.to.is_some_and(|to| to.shard == self.index) {
                self.reply(batch, outcome);
            }
        }
    }

    fn fire(&mut self, batch: &Batch, outcome: &Outcome) {
        let mut told = std::mem::take(&mut self.told);
        let range = outcome.events.start as usize..outcome.events.end as usize;
        for event in &batch.events[range] {
            let path = batch.path(event);
            told.clear();
            // Whoever watches both a deleted node and its children is told once.
            if event.kind != EventKind::ChildrenChanged {
                self.data_watches.trigger(path, &mut told);
                self.meters.told(event.kind, &told);
            }
            if matches!(event.kind, EventKind::Deleted | EventKind::ChildrenChanged) {
                let children = &mut self.told_of_children;
                children.clear();
                self.child_watches.trigger(path, children);
                self.meters.told(event.kind, children);
                children.slots().iter().for_each(|&slot| told.insert(slot));
            }
            for &slot in told.slots() {
                let Some(connection) = self.connections.get_mut(slot as usize) else { continue };
                let acls = &self.reader.view().meta().acls;
                if acls.may(event.acl, perms::READ, &connection.identities, &self.settings) {
                    let out = connection.writable(&mut self.buffers);
                    let start = out.len();
                    response::put_event(out, event.kind, outcome.zxid, path);
                    let length = (out.len() - start - 4) as u64;
                    self.meters.event_bytes += length;
                    self.counts.response_of(length);
                    connection.counts.sent += 1;
                    self.counts.sent += 1;
                    let is_stuck = connection.out.len() > EVENT_BYTES_MAX && !connection.is_gone;
                    Self::mark_dirty(&mut self.connections, &mut self.dirty, slot);
                    if is_stuck {
                        self.dismiss(slot);
                    }
                }
            }
        }
        self.told = told;
    }

    fn reply(&mut self, batch: &Batch, outcome: &Outcome) {
        let Some(to) = outcome.to else { return };
        let connection = self.connections.get_mut(to.slot as usize);
        let Some(connection) = connection.filter(|c| c.serial == to.serial) else { return };
        connection.large_bytes -= outcome.large_bytes;
        self.large_bytes -= outcome.large_bytes;
        let body = batch.body(outcome);
        connection.writable(&mut self.buffers);
        let start = connection.out.len();
        match outcome.op {
            Op::CreateSession => {
                connection.out.extend_from_slice(body);
                if outcome.error == ErrorCode::Ok {
                    connection.phase = Phase::Established;
                    connection.session = session_of_response(body);
                    if connection.is_touched {
                        // It was heard of before it had a session.
                        connection.is_touched = false;
                    }
                    if connection.is_waiting() {
                        self.released.push((to.slot, to.serial));
                    }
                    self.announce(to.slot);
                } else {
                    connection.session = SessionId(0);
                    self.end(to.slot);
                }
            }
            Op::CloseSession => {
                connection.session = SessionId(0);
                connection.phase = Phase::Closing;
                if outcome.error == ErrorCode::Ok {
                    let (xid, zxid) = (outcome.xid, outcome.zxid);
                    response::put_reply(&mut connection.out, xid, zxid, ErrorCode::Ok, &[]);
                    connection.in_flight -= 1;
                    self.in_flight -= 1;
                }
                if outcome.error == ErrorCode::Ok {
                    self.end(to.slot);
                } else {
                    self.cut(to.slot);
                }
            }
            _ => {
                let body = if outcome.error == ErrorCode::Ok { body } else { &[] };
                let out = &mut connection.out;
                response::put_reply(out, outcome.xid, outcome.zxid, outcome.error, body);
                connection.in_flight -= 1;
                self.in_flight -= 1;
                if connection.is_waiting() && connection.in_flight == 0 {
                    self.released.push((to.slot, to.serial));
                }
            }
        }
        let now_ms = self.now.mono_ms;
        let took_ms = now_ms.saturating_sub(outcome.received_ms);
        let connection = &mut self.connections[to.slot as usize];
        let length = (connection.out.len() - start).saturating_sub(4) as u64;
        connection.counts.answered(outcome.op, outcome.xid, outcome.zxid, now_ms, took_ms);
        self.counts.answered_one(took_ms);
        // A connect's reply and a session's silent end are no responses in stock's sense.
        if outcome.op != Op::CreateSession && length > 0 {
            self.counts.response_of(length);
            self.meters.response_bytes += length;
        }
        let is_update = outcome.op != Op::Sync;
        if is_update { &mut self.meters.updates } else { &mut self.meters.reads }.add(took_ms);
        Self::mark_dirty(&mut self.connections, &mut self.dirty, to.slot);
    }

    /// A connection got its session: what it authenticated as meanwhile must be known of it.
    fn announce(&mut self, slot: u32) {
        let connection = &self.connections[slot as usize];
        let (session, identities) = (connection.session, connection.identities.clone());
        let serial = connection.serial;
        let connection = crate::batch::ConnectionId { shard: self.index, slot, serial };
        if identities.ids().len() > 1 {
            self.say(ToOrdering::Identified { connection, session, identities });
        }
    }
}

/// The session id in an encoded connect response: behind the packet's length, the version and the
/// timeout.
fn session_of_response(packet: &[u8]) -> SessionId {
    let id = packet[12..20].try_into().expect("eight bytes");
    SessionId(i64::from_be_bytes(id))
}

impl super::ShardCounts {
    pub(super) fn answered_one(&mut self, took_ms: u64) {
        self.sent += 1;
        self.latency_ms_min =
            if self.answered == 0 { took_ms } else { self.latency_ms_min.min(took_ms) };
        self.answered += 1;
        self.latency_ms_sum += took_ms;
        self.latency_ms_max = self.latency_ms_max.max(took_ms);
    }

    /// A reply or an event of this length.
    pub(super) fn response_of(&mut self, length: u64) {
        self.response_bytes_last = length;
        self.response_bytes_max = self.response_bytes_max.max(length);
        self.response_bytes_min = match self.response_bytes_min {
            0 => length,
            min => min.min(length),
        };
    }
}

impl super::ShardMeters {
    fn told(&mut self, kind: EventKind, told: &super::Told) {
        let count = told.slots().len() as u64;
        if count > 0 {
            self.told[kind as usize - 1].add(count);
        }
    }
}
