//! Reads: answered from the shard's view, up to eight look-ups at a time.

use super::connection::Parked;
use super::intake::Refused;
use super::listings::{KeptListings, ListedOf};
use super::{Queued, Shard, WatchMode, long};
use crate::acl::identity::Identities;
use crate::batch::ConnectionId;
use crate::limits::{MULTI_READ_BYTES_MAX, STAGED_READS, TURN_REPLY_BYTES_MAX};
use crate::settings::Settings;
use crate::state::State;
use crate::tree::View;
use model::acl::{AclEntry, AclList, perms};
use model::error::ErrorCode;
use model::jute::{self, Reader};
use model::op::Op;
use model::record::Record;
use model::request::{Request, SubRequest};
use model::response;
use model::session::SessionId;
use model::zxid::Zxid;

impl Shard {
    /// Answers the reads of this turn. Gives the connections that are to be closed, and why.
    pub fn serve(&mut self, mut refused: impl FnMut(ConnectionId, Refused)) {
        self.go_on();
        if !self.queue.is_empty() {
            self.serve_queue(&mut refused);
        }
        self.say_farewells();
    }

    fn serve_queue(&mut self, refused: &mut impl FnMut(ConnectionId, Refused)) {
        let mut queue = std::mem::take(&mut self.queue);
        let bytes = std::mem::take(&mut self.queue_bytes);
        let mut left = Vec::new();
        for group in queue.chunks(STAGED_READS) {
            self.serve_group(group, &bytes, &mut left, refused);
        }
        for at in 0..self.longs.len() {
            let (slot, serial) = self.longs[at].whose();
            self.take_back_writes(slot, serial);
        }
        self.park_again(&left, &bytes);
        queue.clear();
        // What came to be queued meanwhile was released by nothing: the chain is drained before.
        assert!(self.queue.is_empty(), "a read was queued while reads were served");
        self.queue = queue;
        self.queue_bytes = bytes;
        self.queue_bytes.clear();
        if self.queue_bytes.capacity() > 1 << 20 {
            self.queue_bytes = Vec::new();
        }
    }

    /// The shard's parts, with the view that it has now.
    pub(super) fn serving(&mut self) -> Serving<'_> {
        Serving {
            reader: &self.reader,
            view: self.reader.view(),
            settings: &self.settings,
            connections: &mut self.connections,
            data_watches: &mut self.data_watches,
            child_watches: &mut self.child_watches,
            dirty: &mut self.dirty,
            buffers: &mut self.buffers,
            counts: &mut self.counts,
            meters: &mut self.meters,
            listings: &mut self.listings,
            reply_bytes: &mut self.reply_bytes,
            now_ms: self.now.mono_ms,
            missed: Vec::new(),
        }
    }

    /// Puts requests back before those that wait already: their connections have more to take
    /// first, and are asked again when that has left. Whatever they wrote since, which was not
    /// told to anybody yet, waits with them.
    fn park_again(&mut self, left: &[Queued], bytes: &[u8]) {
        let mut before = None;
        for queued in left {
            let whose = (queued.slot, queued.serial);
            if before != Some(whose) {
                self.take_back_writes(queued.slot, queued.serial);
                // Whatever it waits for looks at it again.
                self.released.push(whose);
            }
            before = Some(whose);
        }
        for queued in left.iter().rev() {
            let Some(connection) = self.connections.get_mut(queued.slot as usize) else { continue };
            let body = Box::from(&bytes[queued.body.clone()]);
            let Queued { xid, op, received_ms, .. } = *queued;
            let parked = Parked { xid, op, body, large_bytes: 0, received_ms };
            connection.is_left = false;
            connection.parked_bytes += parked.body.len() + size_of::<Parked>();
            self.parked_bytes += parked.body.len() + size_of::<Parked>();
            connection.parked.push_front(parked);
        }
    }

    fn serve_group(
        &mut self,
        group: &[Queued],
        bytes: &[u8],
        left: &mut Vec<Queued>,
        refused: &mut impl FnMut(ConnectionId, Refused),
    ) {
        // The look-ups go first and together: each waits for memory, and they wait at once.
        let mut paths: [&[u8]; STAGED_READS] = [b""; STAGED_READS];
        let mut wanted = [usize::MAX; STAGED_READS];
        let mut count = 0;
        for (at, queued) in group.iter().enumerate() {
            if is_looked_up(queued.op)
                && let Ok(Some(path)) = Reader::new(&bytes[queued.body.clone()]).string()
            {
                paths[count] = kept_under(path);
                wanted[at] = count;
                count += 1;
            }
        }
        let unsent_bytes_max = self.unsent_bytes_max();
        let mut longs = std::mem::take(&mut self.longs);
        let mut listings = longs.iter().filter(|long| long.is_listing()).count();
        let mut context = self.serving();
        let mut found: [Option<Record<'_>>; STAGED_READS] = [None; STAGED_READS];
        context.view.lookup_staged(&paths[..count], &mut found[..count]);
        let mut connects = Vec::new();
        for (at, queued) in group.iter().enumerate() {
            if !context.is_there(queued) {
                continue;
            }
            if queued.op == Op::CreateSession {
                connects.push(at);
                continue;
            }
            let body = &bytes[queued.body.clone()];
            let record = found.get(wanted[at]).copied().flatten();
            let is_long = context.is_long(queued.op, body, record);
            let connection = &context.connections[queued.slot as usize];
            let is_full = is_long && !long::has_room(queued.op, longs.len(), listings);
            if connection.is_left
                || connection.out.len() > unsent_bytes_max
                || connection.is_in_progress()
                || is_full
                || *context.reply_bytes > TURN_REPLY_BYTES_MAX
            {
                context.connections[queued.slot as usize].is_left = true;
                left.push(queued.clone());
                continue;
            }
            let begun = if is_long { context.begin_long(queued, body, record) } else { None };
            match begun {
                Some(long) => {
                    listings += usize::from(long.is_listing());
                    longs.push_back(long);
                }
                None => context.answer(queued, body, record),
            }
        }
        self.longs = longs;
        for at in connects {
            let queued = &group[at];
            if let Err(why) =
                self.connect(queued.slot, &bytes[queued.body.clone()], queued.received_ms)
            {
                let (slot, serial) = (queued.slot, queued.serial);
                refused(ConnectionId { shard: self.index, slot, serial }, why);
            }
        }
    }
}

/// Stock keeps the root under both "" and "/", and finds it by either.
pub(super) const fn kept_under(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"/" } else { path }
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

/// The shard's parts, borrowed apart from the view.
pub(super) struct Serving<'a> {
    pub(super) reader: &'a crate::tree::Reader<State>,
    pub(super) view: View<'a, State>,
    pub(super) settings: &'a Settings,
    pub(super) connections: &'a mut slab::Slab<super::Connection>,
    pub(super) data_watches: &'a mut super::WatchTable,
    pub(super) child_watches: &'a mut super::WatchTable,
    pub(super) dirty: &'a mut Vec<u32>,
    pub(super) buffers: &'a mut super::spare::SpareBuffers,
    pub(super) counts: &'a mut super::ShardCounts,
    pub(super) meters: &'a mut super::ShardMeters,
    pub(super) listings: &'a mut KeptListings,
    pub(super) reply_bytes: &'a mut usize,
    pub(super) now_ms: u64,
    /// Whole packets that go before the reply that is being made.
    pub(super) missed: Vec<u8>,
}

impl Serving<'_> {
    /// Whether the request's connection is still that one, and takes an answer.
    fn is_there(&self, queued: &Queued) -> bool {
        let held = self.connections.get(queued.slot as usize);
        held.is_some_and(|held| {
            let is_told = !held.is_gone || queued.op == Op::CreateSession;
            held.serial == queued.serial && is_told
        })
    }

    /// Appends the reply to one request.
    fn answer(&mut self, queued: &Queued, body: &[u8], record: Option<Record<'_>>) {
        let connection = &mut self.connections[queued.slot as usize];
        let mut out = std::mem::take(connection.writable(self.buffers));
        let zxid = self.view.meta().zxid;
        let start = response::begin_reply(&mut out, queued.xid, zxid, ErrorCode::Ok);
        let body_start = out.len();
        if let Err(error) = self.body(queued, body, record, &mut out) {
            out.truncate(body_start);
            jute::patch_int(&mut out, body_start - 4, error.code());
        }
        response::end_packet(&mut out, start);
        // Lengths are told without those of the packets themselves.
        let length = (out.len() - start - 4) as u64;
        if !self.missed.is_empty() {
            out.splice(start..start, self.missed.drain(..));
        }
        let connection = &mut self.connections[queued.slot as usize];
        connection.out = out;
        self.answered(queued, zxid, length);
    }

    /// Counts a reply that stands in its connection's output.
    pub(super) fn answered(&mut self, queued: &Queued, zxid: Zxid, length: u64) {
        let took_ms = self.now_ms - queued.received_ms;
        *self.reply_bytes += length as usize;
        let connection = &mut self.connections[queued.slot as usize];
        connection.counts.answered(queued.op, queued.xid, zxid, self.now_ms, took_ms);
        self.counts.answered_one(took_ms);
        self.counts.response_of(length);
        self.meters.reads.add(took_ms);
        if queued.op != Op::Ping {
            self.meters.response_bytes += length;
        }
        Shard::mark_dirty(self.connections, self.dirty, queued.slot);
    }

    fn body(
        &mut self,
        queued: &Queued,
        body: &[u8],
        record: Option<Record<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let slot = queued.slot;
        if queued.op == Op::Ping {
            return Ok(());
        }
        let request = Request::decode(queued.op, body).map_err(|_| ErrorCode::MarshallingError)?;
        match request {
            Request::GetData { path, watch } => {
                let record = record.ok_or(ErrorCode::NoNode)?;
                self.check(record, perms::READ, slot)?;
                jute::put_buffer(out, record.data());
                out.extend_from_slice(record.stat_bytes());
                self.count_read(path, record.data().map_or(0, <[u8]>::len));
                if watch {
                    self.data_watches.add(path, slot, WatchMode::STANDARD);
                }
            }
            Request::Exists { path, watch } => {
                if path.contains(&0) {
                    return Err(ErrorCode::BadArguments);
                }
                if let Some(record) = record {
                    self.check(record, perms::READ, slot)?;
                }
                if watch {
                    self.data_watches.add(path, slot, WatchMode::STANDARD);
                }
                out.extend_from_slice(record.ok_or(ErrorCode::NoNode)?.stat_bytes());
                self.count_read(path, 0);
            }
            Request::GetChildren { path, watch } | Request::GetChildren2 { path, watch } => {
                let record = record.ok_or(ErrorCode::NoNode)?;
                self.check(record, perms::READ, slot)?;
                let name_bytes = self.put_children(record, out);
                self.count_read(path, name_bytes);
                if queued.op == Op::GetChildren2 {
                    out.extend_from_slice(record.stat_bytes());
                }
                if watch {
                    self.child_watches.add(path, slot, WatchMode::STANDARD);
                }
            }
            Request::GetAcl { .. } => self.put_acl(record.ok_or(ErrorCode::NoNode)?, slot, out)?,
            Request::GetAllChildrenNumber { path } => {
                let record = record.ok_or(ErrorCode::NoNode)?;
                self.check(record, perms::READ, slot)?;
                // Stock counts the root's own two names away, so what is left is one too few.
                let count = match path {
                    b"/" => self.view.node_count().saturating_sub(1),
                    b"" => self.view.node_count(),
                    path => self.view.count_descendants(path),
                };
                jute::put_int(out, count as i32);
            }
            Request::MultiRead(ops) => self.multi_read(slot, &ops, out)?,
            Request::GetEphemerals { prefix } => {
                self.put_ephemerals(self.connections[slot as usize].session, prefix, out);
            }
            Request::WhoAmI => put_who(&self.connections[slot as usize].identities, out),
            Request::Sasl { .. } => return Err(ErrorCode::AuthFailed),
            other => self.watch_request(slot, &other, out)?,
        }
        Ok(())
    }

    /// Counts what a read gave: the path, what was asked for, and a Stat.
    pub(super) fn count_read(&mut self, path: &[u8], bytes: usize) {
        let bytes = path.len() + bytes + model::stat::STAT_BYTES;
        self.meters.read_traffic.add(path, bytes as u64);
    }

    pub(super) fn check(
        &self,
        record: Record<'_>,
        wanted: i32,
        slot: u32,
    ) -> Result<(), ErrorCode> {
        let identities = &self.connections[slot as usize].identities;
        if self.view.meta().acls.may(record.acl(), wanted, identities, self.settings) {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    /// Appends a node's ACL and Stat, to those who may see it.
    fn put_acl(&self, record: Record<'_>, slot: u32, out: &mut Vec<u8>) -> Result<(), ErrorCode> {
        self.check(record, perms::READ | perms::ADMIN, slot)?;
        let list = self.view.meta().acls.list(record.acl());
        if self.check(record, perms::ADMIN, slot).is_ok() {
            list.encode(out);
        } else {
            put_masked(&list, out);
        }
        out.extend_from_slice(record.stat_bytes());
        Ok(())
    }

    fn multi_read(
        &mut self,
        slot: u32,
        ops: &[SubRequest<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let begin = out.len();
        for SubRequest { op, request } in ops {
            let (Request::GetData { path, .. } | Request::GetChildren { path, .. }) = request
            else {
                continue;
            };
            let start = out.len();
            if start - begin > MULTI_READ_BYTES_MAX {
                return Err(ErrorCode::SystemError);
            }
            response::put_multi_header(out, op.code(), false, 0);
            let found = self.view.lookup(kept_under(path)).ok_or(ErrorCode::NoNode);
            let allowed = found.and_then(|r| self.check(r, perms::READ, slot).map(|()| r));
            match allowed {
                Ok(record) if *op == Op::GetData => {
                    jute::put_buffer(out, record.data());
                    out.extend_from_slice(record.stat_bytes());
                    self.count_read(path, record.data().map_or(0, <[u8]>::len));
                }
                Ok(record) => {
                    let name_bytes = self.put_children(record, out);
                    self.count_read(path, name_bytes);
                }
                Err(error) => {
                    out.truncate(start);
                    response::put_multi_error(out, error);
                }
            }
        }
        response::put_multi_end(out);
        Ok(())
    }

    /// Appends the names of a node's children. Gives how many bytes they have together.
    fn put_children(&mut self, record: Record<'_>, out: &mut Vec<u8>) -> usize {
        if let Some(listed) = self.listings.find(record) {
            out.extend_from_slice(&listed.encoded);
            return listed.name_bytes;
        }
        let start = out.len();
        jute::put_int(out, 0);
        let (mut count, mut name_bytes) = (0, 0);
        if record.stat().num_children.to_native() > 0 {
            self.view.children(record.path(), |name| {
                jute::put_string(out, name);
                name_bytes += name.len();
                count += 1;
            });
        }
        jute::patch_int(out, start, count);
        if KeptListings::is_worth_it(record) {
            self.listings.keep(ListedOf::of(record), &out[start..], name_bytes);
        }
        name_bytes
    }

    fn put_ephemerals(&self, session: SessionId, prefix: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        jute::put_int(out, 0);
        let mut count = 0;
        let trimmed = prefix.trim_ascii();
        let takes_all = trimmed.is_empty() || trimmed == b"/";
        if let Some(session) = self.view.meta().sessions.get(&session) {
            for path in &session.ephemerals {
                if takes_all || path.starts_with(prefix) {
                    jute::put_string(out, path);
                    count += 1;
                }
            }
        }
        jute::patch_int(out, start, count);
    }
}

/// Appends an ACL without the hashes of its digests, which are for those who may change it.
fn put_masked(list: &AclList<'_>, out: &mut Vec<u8>) {
    jute::put_length(out, list.len());
    for entry in list.iter() {
        let mut masked = Vec::new();
        let id = match (entry.scheme, entry.id) {
            (Some(b"digest"), Some(id)) => {
                let user = id.split(|&b| b == b':').next().unwrap_or_default();
                masked.extend_from_slice(user);
                if id.contains(&b':') {
                    masked.extend_from_slice(b":x");
                }
                Some(&masked[..])
            }
            (_, id) => id,
        };
        AclEntry { id, ..entry }.encode(out);
    }
}

/// Appends the connection's identities with the names that may be shown.
fn put_who(identities: &Identities, out: &mut Vec<u8>) {
    jute::put_length(out, identities.ids().len());
    for id in identities.ids() {
        let user = match &id.scheme[..] {
            b"digest" => id.id.split(|&b| b == b':').next().unwrap_or_default(),
            b"super" => b"",
            _ => &id.id,
        };
        jute::put_string(out, &id.scheme);
        jute::put_string(out, user);
    }
}
