//! The answers of a turn: long requests continue, then the requests that are due, then the ends.
//!
//! Look-ups of up to eight reads are walked together. What has no room in this turn is parked
//! again, before all later requests of its connection.
//!
//! Invariant: a read is answered from the view that the turn's drain has produced (guard:
//! `crate::tests::plain::engine_agrees_with_the_plain_model`).

use super::reads::{Asked, kept_under};
use super::turn::{Due, DueRequest};
use super::{Refused, Shard};
use crate::batch::ConnectionId;
use crate::limits::STAGED_READS;
use model::jute::JuteReader;
use model::op::Op;
use model::record::NodeRecord;

impl Shard {
    /// Answers the reads of this turn. Returns the connections to be closed, and why.
    pub fn serve(&mut self, mut refused: impl FnMut(ConnectionId, Refused)) {
        self.advance_longs();
        if !self.turn.is_answered() {
            self.serve_due(&mut refused);
        }
        self.finish_ends();
    }

    /// Continues long requests, within the bounds of one turn.
    fn advance_longs(&mut self) {
        let mut units = self.turn.units_left();
        let now_ms = self.turn.now().mono_ms;
        while units > 0
            && let Some(mut long) = self.longs.pop()
        {
            let id = long.connection();
            let Some(connection) = self.connections.find_mut(id) else { continue };
            let view = self.reader.view();
            let (reads, outgoing) = (&mut self.reads, &mut self.outgoing);
            let is_done = long.advance(view, reads, &mut self.watches, &mut units);
            long.send_missed(connection, reads, outgoing, &mut self.measured);
            if !is_done {
                self.longs.push(long);
                continue;
            }
            let at = (view.meta().zxid, now_ms);
            let bytes = long.end(at, connection, reads, outgoing, &mut self.measured);
            self.turn.count_reply(bytes);
            self.turn.release(id);
        }
        self.turn.keep_units(units);
    }

    fn serve_due(&mut self, refused: &mut impl FnMut(ConnectionId, Refused)) {
        let due = self.turn.take_due();
        let mut left = Vec::new();
        for group in due.requests.chunks(STAGED_READS) {
            self.serve_group(group, &due, &mut left, refused);
        }
        for at in 0..self.longs.len() {
            if let Some(id) = self.longs.connection(at) {
                self.take_back_writes(id);
            }
        }
        self.park_again(&left, &due);
        self.turn.end_due(due);
    }

    fn serve_group(
        &mut self,
        group: &[DueRequest],
        due: &Due,
        left: &mut Vec<DueRequest>,
        refused: &mut impl FnMut(ConnectionId, Refused),
    ) {
        let (view, now_ms) = (self.reader.view(), self.turn.now().mono_ms);
        let mut found: [Option<NodeRecord<'_>>; STAGED_READS] = [None; STAGED_READS];
        let wanted = staged(group, due, |paths| {
            view.lookup_staged(paths, &mut found[..paths.len()]);
        });
        let unsent_bytes_max = self.budget.unsent_bytes_max();
        let mut connects = Vec::new();
        for (request, wanted) in group.iter().zip(wanted) {
            let Some(connection) = self.connections.find_mut(request.connection) else { continue };
            if request.op == Op::CreateSession {
                connects.push(request);
                continue;
            }
            if connection.is_gone() || connection.has_ended() {
                continue;
            }
            let (op, body) = (request.op, due.body(request));
            let record = found.get(wanted).copied().flatten();
            let is_long = self.reads.is_long(op, body, record);
            let is_full = self.turn.is_full() || is_long && !self.longs.room().admits(op);
            if is_full || connection.leaves_reads(unsent_bytes_max) {
                connection.leave_reads();
                left.push(request.clone());
                continue;
            }
            let (identities, session, output, counts) = connection.reading();
            let asked = Asked { request, body, view, record, identities, session, now_ms };
            if is_long
                && let Some(long) = self.reads.begin_long(&asked, &self.reader, &mut self.watches)
            {
                connection.begin_long(long.is_listing());
                self.longs.push(long);
                continue;
            }
            let out = self.outgoing.append(request.connection.slot, output);
            let measured = &mut self.measured;
            let bytes = self.reads.answer(&asked, &mut self.watches, out, counts, measured);
            self.turn.count_reply(bytes);
        }
        for request in connects {
            let id = request.connection;
            if let Err(why) = self.connect(id, due.body(request), request.received_ms) {
                refused(id, why);
            }
        }
    }
}

/// Looks up the nodes that these requests name, all together: each look-up waits for memory, and
/// they wait at the same time. Returns the index of each request's node among those that were
/// found.
#[inline]
fn staged(
    group: &[DueRequest],
    due: &Due,
    look_up: impl FnOnce(&[&[u8]]),
) -> [usize; STAGED_READS] {
    let mut paths: [&[u8]; STAGED_READS] = [b""; STAGED_READS];
    let mut wanted = [usize::MAX; STAGED_READS];
    let mut count = 0;
    for (wanted, request) in wanted.iter_mut().zip(group) {
        if is_looked_up(request.op)
            && let Ok(Some(path)) = JuteReader::new(due.body(request)).string()
        {
            paths[count] = kept_under(path);
            *wanted = count;
            count += 1;
        }
    }
    look_up(&paths[..count]);
    wanted
}

const fn is_looked_up(op: Op) -> bool {
    matches!(
        op,
        Op::Exists
            | Op::GetData
            | Op::GetAcl
            | Op::GetChildren
            | Op::GetChildren2
            | Op::GetAllChildrenNumber
    )
}
