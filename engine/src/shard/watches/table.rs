//! One table of watches: by path and by connection.
//!
//! A trigger names a connection once, however many modes it has on the path, and removes standard
//! watches.
//!
//! Invariant: a slot is among a path's watchers exactly if the path is in that slot's map (guard:
//! `super::tests::both_sides_agree`).
//!
//! Lives in: a shard's `Watches`.

use super::paths::{Leftover, PathMap, SHRINK_ROUNDS};
use crate::hash::SeededState;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// How a watch ends and how far it reaches: bits, since a connection may have several on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchMode(u8);

impl WatchMode {
    /// Fires once.
    pub const STANDARD: Self = Self(1);
    /// Persistent.
    pub const PERSISTENT: Self = Self(2);
    /// Persistent, and covers everything below.
    pub const RECURSIVE: Self = Self(4);
    /// Any of them.
    pub const ANY: Self = Self(7);
}

/// A connection that watched no more than this is forgotten at once.
const FORGOTTEN_AT_ONCE: usize = if crate::limits::IS_SMALL { 1 } else { 64 };

/// Paths for which a table keeps memory while fewer are watched.
const KEPT_PATHS_MAX: usize = 16 << 10;

type Watchers = SmallVec<[u32; 2]>;
type PathsOfSlot = PathMap<u8>;

/// The connections that a change notifies: each slot once, however many watches it has.
#[derive(Debug, Default)]
pub struct Notified {
    slots: Vec<u32>,
    /// The round in which a slot was last notified.
    rounds: Vec<u32>,
    round: u32,
}

impl Notified {
    /// No connection yet.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.rounds.fill(0);
            self.round = 1;
        }
    }

    /// Adds this one, unless it is there.
    pub fn insert(&mut self, slot: u32) {
        let at = slot as usize;
        if self.rounds.len() <= at {
            self.rounds.resize(at + 1, 0);
        }
        if self.rounds[at] != self.round {
            self.rounds[at] = self.round;
            self.slots.push(slot);
        }
    }

    /// All of them, in the order in which they were found.
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }
}

/// One of the two tables.
pub struct WatchTable {
    watchers: PathMap<Watchers>,
    by_slot: Vec<Option<Box<PathsOfSlot>>>,
    /// How many slots have a map.
    known_count: usize,
    state: SeededState,
    recursive_count: usize,
    count: usize,
    /// What closed connections watched, as far as they are still among the watchers. The current
    /// users of their slots watch what `by_slot` says, nothing else.
    forgotten: VecDeque<(u32, Leftover<u8>)>,
    /// Counts the checks for memory to free, and how many are still due.
    round: usize,
    sweeps_left: usize,
}

impl fmt::Debug for WatchTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WatchTable");
        shown.field("watchers", &self.watchers).field("by_slot", &self.by_slot);
        shown.field("forgotten", &self.forgotten.len()).finish_non_exhaustive()
    }
}

impl WatchTable {
    /// An empty table.
    pub fn new(seed: [u64; 2]) -> Self {
        let state = SeededState(seed);
        Self {
            watchers: PathMap::new(state),
            by_slot: Vec::new(),
            known_count: 0,
            state,
            recursive_count: 0,
            count: 0,
            forgotten: VecDeque::new(),
            round: 0,
            sweeps_left: 0,
        }
    }

    /// Whether nothing is watched.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Count of watches: of pairs of a connection and a path.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Count of watched paths.
    pub fn path_count(&self) -> usize {
        self.watchers.len()
    }

    /// Each watched path with its watchers.
    #[cfg(test)]
    pub(super) fn paths(&self) -> impl Iterator<Item = (&[u8], &[u32])> {
        self.watchers.iter().map(|(path, slots)| (&path[..], &slots[..]))
    }

    /// Some of the paths that a connection watches: those in `places_max` places of its map, from
    /// the place `from` on; how many places are left of those, and the place to continue from.
    /// Paths that are added or removed meanwhile may be skipped or visited twice.
    pub fn some_of_slot(
        &self,
        slot: u32,
        from: u64,
        places_max: usize,
    ) -> (impl Iterator<Item = &Arc<[u8]>>, usize, Option<u64>) {
        let paths = self.by_slot.get(slot as usize).and_then(Option::as_ref);
        let some = paths.map(|paths| paths.some(from, places_max));
        let (left, next) =
            some.as_ref().map_or((places_max, None), |(_, left, next)| (*left, *next));
        (some.into_iter().flat_map(|(paths, _, _)| paths), left, next)
    }

    /// Count of connections that are known here, in stock's sense: see [`Self::knows`].
    pub fn connection_count(&self) -> usize {
        self.known_count
    }

    /// Whether a connection watches something, or has watched something that fired since it last
    /// removed a watch.
    pub fn knows(&self, slot: u32) -> bool {
        self.by_slot.get(slot as usize).is_some_and(Option::is_some)
    }

    /// Adds a mode to what a connection watches.
    pub fn add(&mut self, path: &[u8], slot: u32, mode: WatchMode) {
        let at = slot as usize;
        if self.by_slot.len() <= at {
            self.by_slot.resize_with(at + 1, || None);
        }
        let state = self.state;
        if self.by_slot[at].is_none() {
            self.known_count += 1;
        }
        let paths = self.by_slot[at].get_or_insert_with(|| Box::new(PathMap::new(state)));
        let before = if let Some(modes) = paths.value_mut(path) {
            let before = *modes;
            *modes |= mode.0;
            before
        } else {
            let key = if let Some(slots) = self.watchers.value_mut(path) {
                slots.push(slot);
                self.watchers.key(path).expect("it was just found").clone()
            } else {
                let key: Arc<[u8]> = Arc::from(path);
                self.watchers.insert(key.clone(), Watchers::new()).push(slot);
                key
            };
            paths.insert(key, mode.0);
            self.count += 1;
            0
        };
        if mode == WatchMode::RECURSIVE && before & mode.0 == 0 {
            self.recursive_count += 1;
        }
    }

    /// Whether a connection watches the path in one of these modes.
    pub fn has(&self, path: &[u8], slot: u32, mode: WatchMode) -> bool {
        let paths = self.by_slot.get(slot as usize).and_then(Option::as_ref);
        paths.and_then(|paths| paths.value(path)).is_some_and(|modes| modes & mode.0 != 0)
    }

    /// Removes modes from what a connection watches; false if it had none of them.
    pub fn remove(&mut self, path: &[u8], slot: u32, mode: WatchMode) -> bool {
        let Some(Some(paths)) = self.by_slot.get_mut(slot as usize) else { return false };
        let Some(modes) = paths.value_mut(path) else { return false };
        let had = *modes & mode.0;
        *modes &= !mode.0;
        let is_gone = *modes == 0;
        if had & WatchMode::RECURSIVE.0 != 0 {
            self.recursive_count -= 1;
        }
        if is_gone {
            paths.remove(path);
            if paths.is_empty() {
                self.by_slot[slot as usize] = None;
                self.known_count -= 1;
            }
            self.count -= 1;
            self.unlist(path, slot);
        }
        had != 0
    }

    /// Removes a slot from a path's watchers, unless its current user watches the path.
    fn unlist(&mut self, path: &[u8], slot: u32) {
        let is_again = self.has(path, slot, WatchMode::ANY);
        let Some(slots) = self.watchers.value_mut(path) else { return };
        // It may be there twice: for its previous user, and for the current one.
        slots.retain(|&mut s| s != slot);
        if is_again {
            slots.push(slot);
        }
        if slots.is_empty() {
            self.watchers.remove(path);
        }
    }

    /// A connection is closed: it watches nothing from now on.
    pub fn forget(&mut self, slot: u32) {
        let paths = self.by_slot.get_mut(slot as usize).and_then(Option::take);
        self.known_count -= usize::from(paths.is_some());
        let Some(paths) = paths.filter(|paths| !paths.is_empty()) else { return };
        self.count -= paths.len();
        let is_little = self.forgotten.is_empty() && paths.len() <= FORGOTTEN_AT_ONCE;
        self.forgotten.push_back((slot, paths.into_paths()));
        if is_little {
            self.forget_some(FORGOTTEN_AT_ONCE + 1);
        }
    }

    /// Whether [`Self::forget_some`] has something to do.
    pub fn is_forgetting(&self) -> bool {
        !self.forgotten.is_empty() || self.sweeps_left > 0
    }

    /// Removes at most this many watches of closed connections, and frees the table's memory once
    /// it is far too large.
    pub fn forget_some(&mut self, count_max: usize) {
        if !self.forgotten.is_empty() {
            self.sweeps_left = SHRINK_ROUNDS;
        }
        for _ in 0..count_max {
            let Some((slot, paths)) = self.forgotten.front_mut() else { break };
            let slot = *slot;
            let Some((path, modes)) = paths.next() else {
                self.forgotten.pop_front();
                continue;
            };
            if modes & WatchMode::RECURSIVE.0 != 0 {
                self.recursive_count -= 1;
            }
            self.unlist(&path, slot);
        }
        self.sweeps_left = self.sweeps_left.saturating_sub(1);
        self.round = self.round.wrapping_add(1);
        self.watchers.shrink_some(self.round, KEPT_PATHS_MAX);
    }

    /// Something happened to the node: adds the connections to notify.
    pub fn trigger(&mut self, path: &[u8], notified: &mut Notified) {
        if self.watchers.is_empty() {
            return;
        }
        self.trigger_own(path, notified);
        if self.recursive_count == 0 {
            return;
        }
        let mut end = path.len();
        while end > 1 {
            end = path[..end].iter().rposition(|&b| b == b'/').unwrap_or(0).max(1);
            let Some(slots) = self.watchers.value(&path[..end]) else { continue };
            for &slot in slots {
                if self.has(&path[..end], slot, WatchMode::RECURSIVE) {
                    notified.insert(slot);
                }
            }
        }
    }

    fn trigger_own(&mut self, path: &[u8], notified: &mut Notified) {
        let Some(slots) = self.watchers.value_mut(path) else { return };
        let (by_slot, count) = (&mut self.by_slot, &mut self.count);
        let known_count = &mut self.known_count;
        slots.retain(|&mut slot| {
            let Some(paths) = &mut by_slot[slot as usize] else { return false };
            let Some(modes) = paths.value_mut(path) else { return false };
            notified.insert(slot);
            *modes &= !WatchMode::STANDARD.0;
            if *modes != 0 {
                return true;
            }
            paths.remove(path);
            *count -= 1;
            if paths.is_empty() && paths.is_split() {
                by_slot[slot as usize] = None;
                *known_count -= 1;
            }
            // A small empty map is kept: a connection that has watched will watch again.
            false
        });
        if slots.is_empty() {
            self.watchers.remove(path);
        }
    }
}
