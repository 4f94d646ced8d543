//! Requests that take longer than everybody else should wait: long listings, and thousands of
//! watches set again. They are answered a piece a turn.
//!
//! Invariant: a connection has one of them at a time, and nothing behind it begins before it has
//! ended; a listing shows one version, and an event of a later one leaves after it (guard:
//! `crate::tests::long`).
//!
//! Lives in: each shard.

use super::listings::{Listed, ListedOf};
use super::read::Serving;
use super::watch_ops::WatchList;
use super::{Queued, Shard, WatchMode};
use crate::limits::{
    KEPT_AT_ONCE_BYTES, KEPT_BYTES_OF_CHILD, LISTED_AT_ONCE, LISTINGS_MAX, LONG_MAX,
    LONG_UNITS_PER_TURN, UNITS_OF_WATCH, WATCHES_BYTES_AT_ONCE,
};
use crate::state::State;
use crate::tree::PinnedChildren;
use model::acl::perms;
use model::error::ErrorCode;
use model::jute::{self, Reader};
use model::op::Op;
use model::record::Record;
use model::request::Request;
use model::response::{self, REPLY_HEADER_BYTES};
use model::stat::STAT_BYTES;
use model::zxid::Zxid;
use std::sync::Arc;

/// Whether a connection's request is being answered over several turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// No.
    #[default]
    None,
    /// It is; what it is told meanwhile goes first.
    Open,
    /// It is, and the answer belongs to this place of the output, which does not leave before.
    Held { at: usize },
}

/// One of them, as far as it has come.
pub(super) struct Long {
    /// The request, without its body.
    request: Queued,
    task: Task,
}

enum Task {
    Listing(Box<Listing>),
    Watches(Watches),
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
struct Watches {
    body: Box<[u8]>,
    offset: usize,
    list: usize,
    left: u32,
}

impl Long {
    pub(super) fn is_listing(&self) -> bool {
        matches!(self.task, Task::Listing(_))
    }

    pub(super) fn whose(&self) -> (u32, u32) {
        (self.request.slot, self.request.serial)
    }
}

/// Whether there is room for one more beside these.
pub(super) fn has_room(op: Op, all: usize, listings: usize) -> bool {
    let is_listing = matches!(op, Op::GetChildren | Op::GetChildren2);
    all < LONG_MAX && (!is_listing || listings < LISTINGS_MAX)
}

impl Listing {
    /// Lists so many more; whether all are listed.
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

impl Serving<'_> {
    /// Whether a request is a long one, should there be no room for more of them.
    pub(super) fn is_long(&mut self, op: Op, body: &[u8], record: Option<Record<'_>>) -> bool {
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
    pub(super) fn begin_long(
        &mut self,
        queued: &Queued,
        body: &[u8],
        record: Option<Record<'_>>,
    ) -> Option<Long> {
        let request = Queued { body: 0..0, ..queued.clone() };
        let slot = queued.slot;
        match Request::decode(queued.op, body).ok()? {
            Request::GetChildren { path, watch } | Request::GetChildren2 { path, watch } => {
                let record = record?;
                self.check(record, perms::READ, slot).ok()?;
                let (mut reply, zxid) = (Vec::new(), self.view.meta().zxid);
                response::begin_reply(&mut reply, queued.xid, zxid, ErrorCode::Ok);
                let names = if let Some(kept) = self.listings.find(record) {
                    Names::Kept(kept.clone())
                } else {
                    let children = Box::new(self.reader.pin()?.walk_children(record.path()));
                    jute::put_int(&mut reply, 0);
                    Names::Walked { children, count: 0, name_bytes: 0 }
                };
                let (of, stat) = (ListedOf::of(record), *record.stat_bytes());
                if watch {
                    self.child_watches.add(path, slot, WatchMode::STANDARD);
                }
                let connection = &mut self.connections[slot as usize];
                connection.progress = Progress::Held { at: connection.out.len() };
                let listing = Listing { names, of, stat, zxid, reply };
                Some(Long { request, task: Task::Listing(Box::new(listing)) })
            }
            Request::SetWatches(_) => {
                self.connections[slot as usize].progress = Progress::Open;
                let watches = Watches { body: body.into(), offset: 8, list: 0, left: 0 };
                Some(Long { request, task: Task::Watches(watches) })
            }
            _ => None,
        }
    }

    /// Sets so many more; whether all are set.
    fn watch_some(&mut self, request: &Queued, watches: &mut Watches, units: &mut usize) -> bool {
        let body = &watches.body[..];
        let seen = Reader::new(body).long().expect("it was decoded before");
        let lists = &WatchList::ALL[..if request.op == Op::SetWatches { 3 } else { 5 }];
        let mut reader = Reader::new(&body[watches.offset..]);
        while *units > 0 {
            if watches.left == 0 {
                if watches.list == lists.len() {
                    return true;
                }
                let count = reader.count().expect("it was decoded before");
                watches.left = count.unwrap_or(0);
                watches.list += 1;
                continue;
            }
            let path = reader.text().expect("it was decoded before");
            self.watch_again(request.slot, lists[watches.list - 1], seen, path);
            watches.left -= 1;
            *units = units.saturating_sub(UNITS_OF_WATCH);
        }
        watches.offset += reader.offset();
        false
    }

    /// Goes on with one; gives it back unless it has ended.
    fn go_on(&mut self, mut long: Long, units: &mut usize) -> Option<Long> {
        let Long { request, task } = &mut long;
        let slot = request.slot;
        let is_over = match task {
            Task::Listing(listing) => listing.list_some(units),
            Task::Watches(watches) => self.watch_some(request, watches, units),
        };
        if !self.missed.is_empty() {
            let missed = std::mem::take(&mut self.missed);
            self.connections[slot as usize].writable(self.buffers).extend_from_slice(&missed);
            Shard::mark_dirty(self.connections, self.dirty, slot);
        }
        if !is_over {
            return Some(long);
        }
        let progress = std::mem::take(&mut self.connections[slot as usize].progress);
        match &mut long.task {
            Task::Listing(listing) => self.end_listing(&long.request, listing, progress),
            Task::Watches(_) => {
                let zxid = self.view.meta().zxid;
                let out = self.connections[slot as usize].writable(self.buffers);
                response::put_reply(out, long.request.xid, zxid, ErrorCode::Ok, &[]);
                self.answered(&long.request, zxid, 16);
            }
        }
        None
    }

    fn end_listing(&mut self, request: &Queued, listing: &mut Listing, progress: Progress) {
        let Listing { names, of, stat, zxid, reply } = listing;
        let name_bytes = match names {
            Names::Walked { count, name_bytes, .. } => {
                jute::patch_int(reply, REPLY_HEADER_BYTES, *count);
                self.listings.keep(of.clone(), &reply[REPLY_HEADER_BYTES..], *name_bytes);
                *name_bytes
            }
            Names::Kept(listed) => listed.name_bytes,
        };
        if request.op == Op::GetChildren2 {
            reply.extend_from_slice(stat);
        }
        response::end_packet(reply, 0);
        self.count_read(of.path(), name_bytes);
        let length = reply.len() as u64 - 4;
        let Progress::Held { at } = progress else { unreachable!("a listing has its place") };
        let connection = &mut self.connections[request.slot as usize];
        if connection.out.is_empty() {
            self.buffers.give(std::mem::replace(&mut connection.out, std::mem::take(reply)));
        } else {
            connection.out.splice(at..at, reply.drain(..));
        }
        self.answered(request, *zxid, length);
    }
}

impl Shard {
    /// Goes on with long requests, as far as one turn may.
    pub(super) fn go_on(&mut self) {
        let mut units = self.units_left;
        while units > 0
            && let Some(long) = self.longs.pop_front()
        {
            let (slot, serial) = long.whose();
            if self.connections.get(slot as usize).is_none_or(|held| held.serial != serial) {
                continue;
            }
            match self.serving().go_on(long, &mut units) {
                Some(long) => self.longs.push_back(long),
                None => self.released.push((slot, serial)),
            }
        }
        self.units_left = units;
    }

    /// Whether what a connection is told has to wait for a long answer.
    pub fn is_held(&self, id: crate::batch::ConnectionId) -> bool {
        self.connection(id).is_some_and(|held| matches!(held.progress, Progress::Held { .. }))
    }

    /// What every turn has anew for long requests and for replies.
    pub(super) fn renew_budget(&mut self) {
        self.units_left = LONG_UNITS_PER_TURN;
        self.reply_bytes = 0;
    }
}
