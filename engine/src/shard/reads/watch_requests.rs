//! Requests about watches themselves.
//!
//! Invariant: what a reconnected client missed goes before the reply to its request (guard:
//! `crate::tests::long::watches_are_set_again_incrementally`).

use super::{Asked, Reads, kept_under};
use crate::shard::watches::{WatchKind, Watches};
use crate::state::State;
use crate::tree::View;
use model::error::ErrorCode;
use model::jute;
use model::request::{Request, SetWatches};
use model::response::{self, EventKind};
use model::zxid::Zxid;

/// The zxid of events that no single txn has caused.
const NO_ZXID: Zxid = Zxid(-1);

/// The lists of a setWatches.
#[derive(Clone, Copy)]
pub(super) enum WatchList {
    Data,
    Exist,
    Child,
    Persistent,
    Recursive,
}

impl WatchList {
    /// All of them, in the order of the request; the older form has the first three.
    pub(super) const ALL: [Self; 5] =
        [Self::Data, Self::Exist, Self::Child, Self::Persistent, Self::Recursive];
}

/// A client that has reconnected.
#[derive(Clone, Copy)]
pub(super) struct Returning<'a> {
    pub(super) slot: u32,
    /// The last zxid that it has seen.
    pub(super) seen: i64,
    /// The current state.
    pub(super) view: View<'a, State>,
}

impl Reads {
    /// Serves a request about watches; appends the reply's body, which is mostly empty.
    pub(super) fn watch_request(
        &mut self,
        asked: &Asked<'_>,
        request: &Request<'_>,
        watches: &mut Watches,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let slot = asked.slot();
        match *request {
            Request::AddWatch { path, mode } => {
                match mode {
                    0 => watches.add_persistent(path, slot),
                    1 => watches.add_recursive(path, slot),
                    _ => return Err(ErrorCode::MarshallingError),
                }
                jute::put_int(out, 0);
                Ok(())
            }
            Request::CheckWatches { path, kind } => {
                let is_there = watches.has(WatchKind::of(kind)?, path, slot);
                if is_there { Ok(()) } else { Err(ErrorCode::NoWatcher) }
            }
            Request::RemoveWatches { path, kind } => {
                let was_there = watches.remove(WatchKind::of(kind)?, path, slot);
                if was_there { Ok(()) } else { Err(ErrorCode::NoWatcher) }
            }
            Request::SetWatches(ref lists) => {
                let returning = Returning { slot, seen: lists.relative_zxid, view: asked.view };
                self.set_watches(returning, lists, watches);
                Ok(())
            }
            ref other => unreachable!("{other:?} is not a request about watches"),
        }
    }

    /// Sets a reconnected client's watches again, and notifies it of what it missed.
    fn set_watches(
        &mut self,
        returning: Returning<'_>,
        lists: &SetWatches<'_>,
        watches: &mut Watches,
    ) {
        let SetWatches { data, exist, child, persistent, recursive, .. } = lists;
        let lists = [data, exist, child, persistent, recursive];
        for (list, paths) in WatchList::ALL.into_iter().zip(lists) {
            for path in paths.iter() {
                self.watch_again(returning, list, path, watches);
            }
        }
    }

    /// Sets one of them.
    pub(super) fn watch_again(
        &mut self,
        returning: Returning<'_>,
        list: WatchList,
        path: &[u8],
        watches: &mut Watches,
    ) {
        let Returning { slot, seen, view } = returning;
        let found = view.lookup(kept_under(path));
        match (list, found) {
            (WatchList::Data | WatchList::Child, None) => self.missed(EventKind::Deleted, path),
            (WatchList::Data, Some(r)) if r.stat().mzxid.to_native() > seen => {
                self.missed(EventKind::DataChanged, path);
            }
            (WatchList::Child, Some(r)) if r.stat().pzxid.to_native() > seen => {
                self.missed(EventKind::ChildrenChanged, path);
            }
            (WatchList::Exist, Some(_)) => self.missed(EventKind::Created, path),
            (WatchList::Data, Some(_)) | (WatchList::Exist, None) => watches.add_data(path, slot),
            (WatchList::Child, Some(_)) => watches.add_children(path, slot),
            (WatchList::Persistent, _) => watches.add_persistent(path, slot),
            (WatchList::Recursive, _) => watches.add_recursive(path, slot),
        }
    }

    /// Unlike a live event this is not withheld where the client may not read: stock reveals the
    /// existence of a path to a client that sets a watch on it again.
    fn missed(&mut self, kind: EventKind, path: &[u8]) {
        response::put_event(&mut self.missed, kind, NO_ZXID, path);
    }
}
