//! Requests that take longer than other clients should wait: long listings, and thousands of
//! watches set again. They are answered incrementally, a piece per turn.
//!
//! Invariant: a connection has one of them at a time, and nothing behind it begins before it has
//! ended; a listing shows one version, and an event of a later one is sent after it (guards:
//! `crate::tests::long::a_listing_shows_one_version_and_comes_before_its_events`,
//! `crate::tests::long::what_follows_a_listing_without_room_waits_with_it`).
//!
//! Lives in: each shard.

use super::listings::{Listed, ListedOf};
use super::watch_requests::{Returning, WatchList};
use super::{Asked, Reads};
use crate::batch::ConnectionId;
use crate::limits::{
    KEPT_AT_ONCE_BYTES, KEPT_BYTES_OF_CHILD, LISTED_AT_ONCE, LISTINGS_MAX, LONG_MAX,
    UNITS_OF_WATCH, WATCHES_BYTES_AT_ONCE,
};
use crate::shard::connection::Connection;
use crate::shard::measured::Measured;
use crate::shard::output::Outgoing;
use crate::shard::parking::Room;
use crate::shard::turn::DueRequest;
use crate::shard::watches::Watches;
use crate::state::State;
use crate::tree::{PinnedChildren, TreeReader, View};
use model::acl::perms;
use model::error::ErrorCode;
use model::jute;
use model::op::Op;
use model::record::NodeRecord;
use model::request::Request;
use model::response::{self, REPLY_HEADER_BYTES};
use model::stat::STAT_BYTES;
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;

/// All long requests that a shard has begun.
#[derive(Default)]
pub(in crate::shard) struct Longs {
    /// The next to continue first.
    begun: VecDeque<Long>,
    listing_count: usize,
}

/// One of them, with its progress.
pub(in crate::shard) struct Long {
    /// The request, without its body.
    request: DueRequest,
    task: Task,
}

enum Task {
    Listing(Box<Listing>),
    Watches(WatchesLeft),
}

struct Listing {
    names: Names,
    of: ListedOf,
    stat: [u8; STAT_BYTES],
    zxid: Zxid,
    reply: Vec<u8>,
}

/// Where the names come from.
enum Names {
    Walked { children: Box<PinnedChildren<State>>, count: i32, name_bytes: usize },
    Kept(Arc<Listed>),
}

/// A setWatches: where its next path lies, and how many its list still has.
struct WatchesLeft {
    body: Box<[u8]>,
    offset: usize,
    list: usize,
    left: u32,
}

impl Longs {
    /// Count of them.
    pub(in crate::shard) fn len(&self) -> usize {
        self.begun.len()
    }

    pub(in crate::shard) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }

    /// What may be begun besides them.
    #[inline]
    pub(in crate::shard) fn room(&self) -> Room {
        let is_full = self.begun.len() >= LONG_MAX;
        Room { is_full, is_listing_full: self.listing_count >= LISTINGS_MAX }
    }

    /// The connection of one of them.
    pub(in crate::shard) fn connection(&self, at: usize) -> Option<ConnectionId> {
        self.begun.get(at).map(Long::connection)
    }

    /// Adds one, or puts back one that has not ended.
    pub(in crate::shard) fn push(&mut self, long: Long) {
        self.listing_count += usize::from(long.is_listing());
        self.begun.push_back(long);
    }

    /// The next to continue.
    pub(in crate::shard) fn pop(&mut self) -> Option<Long> {
        let long = self.begun.pop_front()?;
        self.listing_count -= usize::from(long.is_listing());
        Some(long)
    }

    /// No client waits any more for that of this connection.
    pub(in crate::shard) fn forget(&mut self, connection: ConnectionId) {
        self.begun.retain(|long| long.connection() != connection);
        self.listing_count = self.begun.iter().filter(|long| long.is_listing()).count();
    }
}

impl Listing {
    /// Lists this many more; returns whether all are listed.
    fn list_some(&mut self, units: &mut usize) -> bool {
        match &mut self.names {
            Names::Walked { children, count, name_bytes } => {
                while *units > 0 {
                    let Some(name) = children.next_name() else { return true };
                    jute::put_string(&mut self.reply, name);
                    *name_bytes += name.len();
                    *count += 1;
                    *units -= 1;
                }
                false
            }
            Names::Kept(listed) => {
                let left = &listed.encoded[self.reply.len() - REPLY_HEADER_BYTES..];
                let some = left.len().min(*units * KEPT_BYTES_OF_CHILD);
                self.reply.extend_from_slice(&left[..some]);
                *units -= some.div_ceil(KEPT_BYTES_OF_CHILD);
                some == left.len()
            }
        }
    }
}

impl Reads {
    /// Whether a request is a long one while there is no room for more of them.
    #[inline]
    pub(in crate::shard) fn is_long(
        &mut self,
        op: Op,
        body: &[u8],
        record: Option<NodeRecord<'_>>,
    ) -> bool {
        match op {
            Op::GetChildren | Op::GetChildren2 => record.is_some_and(|record| {
                let is_wide = record.stat().num_children.to_native() > LISTED_AT_ONCE;
                let kept = if is_wide { self.listings.find(record) } else { None };
                is_wide && kept.is_none_or(|kept| kept.encoded.len() > KEPT_AT_ONCE_BYTES)
            }),
            Op::SetWatches | Op::SetWatches2 => body.len() > WATCHES_BYTES_AT_ONCE,
            _ => false,
        }
    }

    /// Begins a request that [`Self::is_long`]. `None` if it can be answered at once after all:
    /// with an error, or because no version can be pinned.
    pub(in crate::shard) fn begin_long(
        &mut self,
        asked: &Asked<'_>,
        reader: &TreeReader<State>,
        watches: &mut Watches,
    ) -> Option<Long> {
        let request = DueRequest { body: 0..0, ..asked.request.clone() };
        match Request::decode(request.op, asked.body).ok()? {
            Request::GetChildren { path, watch } | Request::GetChildren2 { path, watch } => {
                let record = asked.record?;
                self.check(asked, record, perms::READ).ok()?;
                let (mut reply, zxid) = (Vec::new(), asked.view.meta().zxid);
                response::begin_reply(&mut reply, request.xid, zxid, ErrorCode::Ok);
                let names = if let Some(kept) = self.listings.find(record) {
                    Names::Kept(kept.clone())
                } else {
                    let children = Box::new(reader.pin()?.walk_children(record.path()));
                    jute::put_int(&mut reply, 0);
                    Names::Walked { children, count: 0, name_bytes: 0 }
                };
                let (of, stat) = (ListedOf::of(record), *record.stat_bytes());
                if watch {
                    watches.add_children(path, asked.slot());
                }
                let listing = Listing { names, of, stat, zxid, reply };
                Some(Long { request, task: Task::Listing(Box::new(listing)) })
            }
            Request::SetWatches(_) => {
                let body = asked.body.into();
                let left = WatchesLeft { body, offset: 8, list: 0, left: 0 };
                Some(Long { request, task: Task::Watches(left) })
            }
            _ => None,
        }
    }

    /// Sets this many more; returns whether all are set.
    fn watch_some(
        &mut self,
        request: &DueRequest,
        left: &mut WatchesLeft,
        view: View<'_, State>,
        watches: &mut Watches,
        units: &mut usize,
    ) -> bool {
        let body = &left.body[..];
        let seen = jute::JuteReader::new(body).long().expect("it was decoded before");
        let returning = Returning { slot: request.connection.slot, seen, view };
        let lists = &WatchList::ALL[..if request.op == Op::SetWatches { 3 } else { 5 }];
        let mut reader = jute::JuteReader::new(&body[left.offset..]);
        while *units > 0 {
            if left.left == 0 {
                if left.list == lists.len() {
                    return true;
                }
                let count = reader.count().expect("it was decoded before");
                left.left = count.unwrap_or(0);
                left.list += 1;
                continue;
            }
            let path = reader.text().expect("it was decoded before");
            self.watch_again(returning, lists[left.list - 1], path, watches);
            left.left -= 1;
            *units = units.saturating_sub(UNITS_OF_WATCH);
        }
        left.offset += reader.offset();
        false
    }

    /// Ends a listing: its reply, and the length of that.
    fn end_listing(
        &mut self,
        op: Op,
        listing: Listing,
        measured: &mut Measured,
    ) -> (Vec<u8>, Zxid) {
        let Listing { names, of, stat, zxid, mut reply } = listing;
        let name_bytes = match names {
            Names::Walked { count, name_bytes, .. } => {
                jute::patch_int(&mut reply, REPLY_HEADER_BYTES, count);
                self.listings.keep(of.clone(), &reply[REPLY_HEADER_BYTES..], name_bytes);
                name_bytes
            }
            Names::Kept(listed) => listed.name_bytes,
        };
        if op == Op::GetChildren2 {
            reply.extend_from_slice(&stat);
        }
        response::end_packet(&mut reply, 0);
        measured.read_bytes(of.path(), name_bytes);
        (reply, zxid)
    }
}

impl Long {
    /// Its connection.
    pub(in crate::shard) fn connection(&self) -> ConnectionId {
        self.request.connection
    }

    /// A listing belongs at its place in the output; nothing is sent before it.
    pub(in crate::shard) fn is_listing(&self) -> bool {
        matches!(self.task, Task::Listing(_))
    }

    /// Continues it for this many units; returns whether all of it is done.
    pub(in crate::shard) fn advance(
        &mut self,
        view: View<'_, State>,
        reads: &mut Reads,
        watches: &mut Watches,
        units: &mut usize,
    ) -> bool {
        match &mut self.task {
            Task::Listing(listing) => listing.list_some(units),
            Task::Watches(left) => reads.watch_some(&self.request, left, view, watches, units),
        }
    }

    /// Sends what its client missed, as far as that is known.
    pub(in crate::shard) fn send_missed(
        &self,
        connection: &mut Connection,
        reads: &mut Reads,
        outgoing: &mut Outgoing,
        measured: &mut Measured,
    ) {
        if let Some(missed) = reads.take_missed(&mut connection.counts, measured) {
            let slot = self.connection().slot;
            outgoing.append(slot, &mut connection.output).extend_from_slice(&missed);
        }
    }

    /// All of it is done: puts the reply into the output. Returns its length in bytes.
    pub(in crate::shard) fn end(
        self,
        (zxid, now_ms): (Zxid, u64),
        connection: &mut Connection,
        reads: &mut Reads,
        outgoing: &mut Outgoing,
        measured: &mut Measured,
    ) -> u64 {
        let Self { request, task } = self;
        let (slot, place) = (request.connection.slot, connection.end_long());
        let (zxid, bytes) = match task {
            Task::Listing(listing) => {
                let (reply, zxid) = reads.end_listing(request.op, *listing, measured);
                let bytes = reply.len() - 4;
                let at = place.expect("a listing has its place");
                outgoing.insert(slot, &mut connection.output, at, reply);
                (zxid, bytes as u64)
            }
            Task::Watches(_) => {
                let out = outgoing.append(slot, &mut connection.output);
                response::put_reply(out, request.xid, zxid, ErrorCode::Ok, &[]);
                (zxid, REPLY_HEADER_BYTES as u64 - 4)
            }
        };
        measured.read_answered(&mut connection.counts, &request.answered(zxid, bytes, now_ms));
        bytes
    }
}
