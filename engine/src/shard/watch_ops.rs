//! Requests about watches themselves.

use super::WatchMode;
use super::read::{Serving, kept_under};
use model::error::ErrorCode;
use model::jute;
use model::request::{Request, SetWatches};
use model::response::{self, EventKind};
use model::zxid::Zxid;

/// The zxid of events that no single txn stands behind.
const NO_ZXID: Zxid = Zxid(-1);

/// Which watches a client asks about or takes away.
#[derive(Clone, Copy)]
enum Kind {
    Children,
    Data,
    Any,
    Persistent,
    Recursive,
}

impl Kind {
    fn of(code: i32) -> Result<Self, ErrorCode> {
        Ok(match code {
            1 => Self::Children,
            2 => Self::Data,
            3 => Self::Any,
            4 => Self::Persistent,
            5 => Self::Recursive,
            _ => return Err(ErrorCode::MarshallingError),
        })
    }
}

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

impl Serving<'_> {
    /// Does a request about watches; appends the reply's body, which is mostly empty.
    pub(super) fn watch_request(
        &mut self,
        slot: u32,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        match *request {
            Request::AddWatch { path, mode } => {
                match mode {
                    0 => {
                        self.data_watches.add(path, slot, WatchMode::PERSISTENT);
                        self.child_watches.add(path, slot, WatchMode::PERSISTENT);
                    }
                    1 => self.data_watches.add(path, slot, WatchMode::RECURSIVE),
                    _ => return Err(ErrorCode::MarshallingError),
                }
                jute::put_int(out, 0);
                Ok(())
            }
            Request::CheckWatches { path, kind } => {
                let (data, child) = (&self.data_watches, &self.child_watches);
                let is_there = match Kind::of(kind)? {
                    Kind::Children => child.has(path, slot, WatchMode::STANDARD),
                    Kind::Data => data.has(path, slot, WatchMode::STANDARD),
                    Kind::Persistent => data.has(path, slot, WatchMode::PERSISTENT),
                    Kind::Recursive => data.has(path, slot, WatchMode::RECURSIVE),
                    Kind::Any => {
                        child.has(path, slot, WatchMode::ANY)
                            || data.has(path, slot, WatchMode::ANY)
                    }
                };
                if is_there { Ok(()) } else { Err(ErrorCode::NoWatcher) }
            }
            Request::RemoveWatches { path, kind } => {
                let (data, child) = (&mut *self.data_watches, &mut *self.child_watches);
                let was_there = match Kind::of(kind)? {
                    Kind::Children => child.remove(path, slot, WatchMode::STANDARD),
                    Kind::Data => data.remove(path, slot, WatchMode::STANDARD),
                    Kind::Persistent => {
                        child.remove(path, slot, WatchMode::PERSISTENT)
                            | data.remove(path, slot, WatchMode::PERSISTENT)
                    }
                    Kind::Recursive => data.remove(path, slot, WatchMode::RECURSIVE),
                    Kind::Any => {
                        child.remove(path, slot, WatchMode::ANY)
                            | data.remove(path, slot, WatchMode::ANY)
                    }
                };
                if was_there { Ok(()) } else { Err(ErrorCode::NoWatcher) }
            }
            Request::SetWatches(ref watches) => {
                self.set_watches(slot, watches);
                Ok(())
            }
            ref other => unreachable!("{other:?} is no request about watches"),
        }
    }

    /// Sets a reconnected client's watches again, and tells it what it missed.
    fn set_watches(&mut self, slot: u32, watches: &SetWatches<'_>) {
        let SetWatches { relative_zxid: seen, data, exist, child, persistent, recursive } = watches;
        let lists = [data, exist, child, persistent, recursive];
        for (list, paths) in WatchList::ALL.into_iter().zip(lists) {
            for path in paths.iter() {
                self.watch_again(slot, list, *seen, path);
            }
        }
    }

    /// Sets one of them.
    pub(super) fn watch_again(&mut self, slot: u32, list: WatchList, seen: i64, path: &[u8]) {
        let found = self.view.lookup(kept_under(path));
        match (list, found) {
            (WatchList::Data | WatchList::Child, None) => {
                self.missed(slot, EventKind::Deleted, path);
            }
            (WatchList::Data, Some(r)) if r.stat().mzxid.to_native() > seen => {
                self.missed(slot, EventKind::DataChanged, path);
            }
            (WatchList::Child, Some(r)) if r.stat().pzxid.to_native() > seen => {
                self.missed(slot, EventKind::ChildrenChanged, path);
            }
            (WatchList::Exist, Some(_)) => self.missed(slot, EventKind::Created, path),
            (WatchList::Data, Some(_)) | (WatchList::Exist, None) => {
                self.data_watches.add(path, slot, WatchMode::STANDARD);
            }
            (WatchList::Child, Some(_)) => {
                self.child_watches.add(path, slot, WatchMode::STANDARD);
            }
            (WatchList::Persistent, _) => {
                self.child_watches.add(path, slot, WatchMode::PERSISTENT);
                self.data_watches.add(path, slot, WatchMode::PERSISTENT);
            }
            (WatchList::Recursive, _) => {
                self.data_watches.add(path, slot, WatchMode::RECURSIVE);
            }
        }
    }

    /// Unlike a live event this is not held back where the client may not read: stock tells the
    /// existence of a path to whoever sets a watch on it again.
    fn missed(&mut self, slot: u32, kind: EventKind, path: &[u8]) {
        let start = self.missed.len();
        response::put_event(&mut self.missed, kind, NO_ZXID, path);
        let length = (self.missed.len() - start - 4) as u64;
        self.meters.event_bytes += length;
        self.counts.response_of(length);
        self.connections[slot as usize].counts.sent += 1;
        self.counts.sent += 1;
    }
}
