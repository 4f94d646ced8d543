//! Answers to reads: from a view, from kept listings, and by setting watches.
//!
//! Invariant: a client gets the data, children and ACL of a node only if that node's ACL allows it
//! (guard: the transcript `engine/src/tests/transcripts/acls.txt`).
//!
//! Lives in: each shard. Not here: which reads are answered when (`serve`).

mod listings;
mod long;
mod watch_requests;

pub(super) use long::Longs;

use super::measured::{Answered, ConnectionCounts, Measured};
use super::turn::DueRequest;
use super::watches::Watches;
use crate::acl::identity::Identities;
use crate::limits::MULTI_READ_BYTES_MAX;
use crate::settings::Settings;
use crate::state::State;
use crate::tree::View;
use listings::{KeptListings, ListedOf};
use model::acl::{AclEntry, AclList, perms};
use model::error::ErrorCode;
use model::jute;
use model::op::Op;
use model::record::NodeRecord;
use model::request::{Request, SubRequest};
use model::response;
use model::session::SessionId;
use model::zxid::Zxid;
use std::sync::Arc;

/// A read, with all that its answer depends on.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) request: &'a DueRequest,
    pub(super) body: &'a [u8],
    pub(super) view: View<'a, State>,
    /// The node that it names, if it was looked up.
    pub(super) record: Option<NodeRecord<'a>>,
    pub(super) identities: &'a Identities,
    pub(super) session: SessionId,
    pub(super) now_ms: u64,
}

impl Asked<'_> {
    fn slot(&self) -> u32 {
        self.request.connection.slot
    }

    /// The reply to it, counted.
    fn answered(&self, zxid: Zxid, bytes: u64) -> Answered {
        self.request.answered(zxid, bytes, self.now_ms)
    }
}

/// Stock keeps the root under both "" and "/", and finds it by either.
pub(super) const fn kept_under(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"/" } else { path }
}

/// What answers need besides the view.
pub(super) struct Reads {
    settings: Arc<Settings>,
    listings: KeptListings,
    /// Events that a client missed: whole packets that precede the reply being made.
    missed: Vec<u8>,
}

impl Reads {
    /// The state for a server with these settings.
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, listings: KeptListings::default(), missed: Vec::new() }
    }

    /// Forgets what it keeps of the tree.
    pub(super) fn forget(&mut self) {
        self.listings = KeptListings::default();
    }

    /// Appends the reply to one request, and counts it. Returns its length in bytes.
    pub(super) fn answer(
        &mut self,
        asked: &Asked<'_>,
        watches: &mut Watches,
        out: &mut Vec<u8>,
        counts: &mut ConnectionCounts,
        measured: &mut Measured,
    ) -> u64 {
        let op = asked.request.op;
        // Like stock: a step of SASL has no zxid, and a ping's answer is recognised by its xid
        // alone.
        let zxid = if op == Op::Sasl { Zxid::ZERO } else { asked.view.meta().zxid };
        let xid = if op == Op::Ping { response::xid::PING } else { asked.request.xid };
        let start = response::begin_reply(out, xid, zxid, ErrorCode::Ok);
        let body_start = out.len();
        if let Err(error) = self.put_body(asked, watches, out, measured) {
            out.truncate(body_start);
            jute::patch_int(out, body_start - 4, error.code());
        }
        response::end_packet(out, start);
        // Lengths are reported without those of the packets themselves.
        let bytes = (out.len() - start - 4) as u64;
        if let Some(missed) = self.take_missed(counts, measured) {
            out.splice(start..start, missed);
        }
        measured.read_answered(counts, &asked.answered(zxid, bytes));
        bytes
    }

    /// The events that a client missed, if there are any; they are counted.
    fn take_missed(
        &mut self,
        counts: &mut ConnectionCounts,
        measured: &mut Measured,
    ) -> Option<Vec<u8>> {
        if self.missed.is_empty() {
            return None;
        }
        measured.events(counts, &self.missed);
        Some(std::mem::take(&mut self.missed))
    }

    fn put_body(
        &mut self,
        asked: &Asked<'_>,
        watches: &mut Watches,
        out: &mut Vec<u8>,
        measured: &mut Measured,
    ) -> Result<(), ErrorCode> {
        let (op, slot, record) = (asked.request.op, asked.slot(), asked.record);
        if op == Op::Ping {
            return Ok(());
        }
        let request = Request::decode(op, asked.body).map_err(|_| ErrorCode::MarshallingError)?;
        match request {
            Request::GetData { path, watch } => {
                let record = record.ok_or(ErrorCode::NoNode)?;
                self.check(asked, record, perms::READ)?;
                jute::put_buffer(out, record.data());
                out.extend_from_slice(record.stat_bytes());
                measured.read_bytes(path, record.data().map_or(0, <[u8]>::len));
                if watch {
                    watches.add_data(path, slot);
                }
            }
            Request::Exists { path, watch } => {
                if path.contains(&0) {
                    return Err(ErrorCode::BadArguments);
                }
                if let Some(record) = record {
                    self.check(asked, record, perms::READ)?;
                }
                if watch {
                    watches.add_data(path, slot);
                }
                out.extend_from_slice(record.ok_or(ErrorCode::NoNode)?.stat_bytes());
                measured.read_bytes(path, 0);
            }
            Request::GetChildren { path, watch } | Request::GetChildren2 { path, watch } => {
                let record = record.ok_or(ErrorCode::NoNode)?;
                self.check(asked, record, perms::READ)?;
                let name_bytes = self.put_children(asked.view, record, out);
                measured.read_bytes(path, name_bytes);
                if op == Op::GetChildren2 {
                    out.extend_from_slice(record.stat_bytes());
                }
                if watch {
                    watches.add_children(path, slot);
                }
            }
            Request::GetAcl { .. } => self.put_acl(asked, record.ok_or(ErrorCode::NoNode)?, out)?,
            Request::GetAllChildrenNumber { path } => {
                let record = record.ok_or(ErrorCode::NoNode)?;
                self.check(asked, record, perms::READ)?;
                // Stock subtracts both of the root's names, so the result is one too low.
                let count = match path {
                    b"/" => asked.view.node_count().saturating_sub(1),
                    b"" => asked.view.node_count(),
                    path => asked.view.count_descendants(path),
                };
                jute::put_int(out, count as i32);
            }
            Request::MultiRead(ops) => self.multi_read(asked, &ops, out, measured)?,
            Request::GetEphemerals { prefix } => put_ephemerals(asked, prefix, out),
            Request::WhoAmI => put_who(asked.identities, out),
            Request::Sasl { .. } => jute::put_buffer(out, None),
            other => self.watch_request(asked, &other, watches, out)?,
        }
        Ok(())
    }

    fn check(
        &self,
        asked: &Asked<'_>,
        record: NodeRecord<'_>,
        wanted: i32,
    ) -> Result<(), ErrorCode> {
        let acls = &asked.view.meta().acls;
        let is_allowed = acls.may(record.acl(), wanted, asked.identities, &self.settings);
        if is_allowed { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }

    /// Appends a node's ACL and Stat, if the client may see them.
    fn put_acl(
        &self,
        asked: &Asked<'_>,
        record: NodeRecord<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        self.check(asked, record, perms::READ | perms::ADMIN)?;
        let list = asked.view.meta().acls.list(record.acl());
        if self.check(asked, record, perms::ADMIN).is_ok() {
            list.encode(out);
        } else {
            put_masked(&list, out);
        }
        out.extend_from_slice(record.stat_bytes());
        Ok(())
    }

    fn multi_read(
        &mut self,
        asked: &Asked<'_>,
        ops: &[SubRequest<'_>],
        out: &mut Vec<u8>,
        measured: &mut Measured,
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
            let found = asked.view.lookup(kept_under(path)).ok_or(ErrorCode::NoNode);
            let allowed = found.and_then(|r| self.check(asked, r, perms::READ).map(|()| r));
            match allowed {
                Ok(record) if *op == Op::GetData => {
                    jute::put_buffer(out, record.data());
                    out.extend_from_slice(record.stat_bytes());
                    measured.read_bytes(path, record.data().map_or(0, <[u8]>::len));
                }
                Ok(record) => {
                    let name_bytes = self.put_children(asked.view, record, out);
                    measured.read_bytes(path, name_bytes);
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

    /// Appends the names of a node's children. Returns their total length in bytes.
    fn put_children(
        &mut self,
        view: View<'_, State>,
        record: NodeRecord<'_>,
        out: &mut Vec<u8>,
    ) -> usize {
        if let Some(listed) = self.listings.find(record) {
            out.extend_from_slice(&listed.encoded);
            return listed.name_bytes;
        }
        let start = out.len();
        jute::put_int(out, 0);
        let (mut count, mut name_bytes) = (0, 0);
        if record.stat().num_children.to_native() > 0 {
            view.children(record.path(), |name| {
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
}

/// Appends the paths of the session's own nodes.
fn put_ephemerals(asked: &Asked<'_>, prefix: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    jute::put_int(out, 0);
    let mut count = 0;
    let trimmed = prefix.trim_ascii();
    let takes_all = trimmed.is_empty() || trimmed == b"/";
    if let Some(session) = asked.view.meta().sessions.get(&asked.session) {
        for path in &session.ephemerals {
            if takes_all || path.starts_with(prefix) {
                jute::put_string(out, path);
                count += 1;
            }
        }
    }
    jute::patch_int(out, start, count);
}

/// Appends an ACL without the hashes of its digests, which only clients that may change it see.
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
