//! Maps by watched paths, of which one client may have millions.
//!
//! A table that grows moves everything it holds at once, and all clients wait meanwhile. So a map
//! that becomes large is split into many tables, by bits of the hash: each grows by itself, and the
//! largest step is the growth of one of them.
//!
//! Invariant: a map that is split is the same map (guard:
//! `tests::a_map_that_is_split_is_the_same_map`).
//!
//! Lives in: a watch table.

use crate::hash::SeededState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Entries of one table before a map is split: moving this many takes a tenth of a millisecond.
const WHOLE_MAX: usize = if crate::limits::IS_SMALL { 8 } else { 1 << 10 };

/// Tables of a split map: at ten million entries one of them has 40,000.
const PARTS: usize = 256;

/// Calls of [`PathMap::shrink_some`] that cover all of a map.
pub(super) const SHRINK_ROUNDS: usize = 16;

/// The number of a place is that of its table, then that within the table.
const PLACE_BITS: u32 = 48;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;

type PathValue<V> = (Arc<[u8]>, V);

/// A map by paths.
#[derive(Debug)]
pub(super) struct PathMap<V> {
    state: SeededState,
    /// One, or [`PARTS`].
    tables: Box<[HashTable<PathValue<V>>]>,
    len: usize,
}

impl<V> PathMap<V> {
    /// An empty one.
    pub(super) fn new(state: SeededState) -> Self {
        Self { state, tables: Box::new([HashTable::new()]), len: 0 }
    }

    /// Count of paths.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it has ever held many.
    pub(super) fn is_split(&self) -> bool {
        self.tables.len() > 1
    }

    /// Tables use the highest and the lowest bits themselves.
    fn part(&self, hash: u64) -> usize {
        (hash >> 40) as usize & (self.tables.len() - 1)
    }

    /// What is kept for a path.
    pub(super) fn value(&self, path: &[u8]) -> Option<&V> {
        let hash = self.state.hash_one(path);
        let table = &self.tables[self.part(hash)];
        table.find(hash, |entry| *entry.0 == *path).map(|entry| &entry.1)
    }

    /// The same, mutably.
    pub(super) fn value_mut(&mut self, path: &[u8]) -> Option<&mut V> {
        let hash = self.state.hash_one(path);
        let part = self.part(hash);
        let found = self.tables[part].find_mut(hash, |entry| *entry.0 == *path);
        found.map(|entry| &mut entry.1)
    }

    /// The path as it is kept here, to be shared.
    pub(super) fn key(&self, path: &[u8]) -> Option<&Arc<[u8]>> {
        let hash = self.state.hash_one(path);
        let table = &self.tables[self.part(hash)];
        table.find(hash, |entry| *entry.0 == *path).map(|entry| &entry.0)
    }

    /// Adds a path that is not there, and returns a reference to its value.
    pub(super) fn insert(&mut self, path: Arc<[u8]>, value: V) -> &mut V {
        let hash = self.state.hash_one(&*path);
        if !self.is_split() && self.len >= WHOLE_MAX {
            self.split();
        }
        let part = self.part(hash);
        self.len += 1;
        let state = self.state;
        let entry = self.tables[part].insert_unique(hash, (path, value), hasher(state));
        &mut entry.into_mut().1
    }

    /// Removes a path.
    pub(super) fn remove(&mut self, path: &[u8]) -> Option<V> {
        let hash = self.state.hash_one(path);
        let part = self.part(hash);
        let found = self.tables[part].find_entry(hash, |entry| *entry.0 == *path).ok()?;
        self.len -= 1;
        Some(found.remove().0.1)
    }

    fn split(&mut self) {
        let whole = std::mem::take(&mut self.tables);
        self.tables = (0..PARTS).map(|_| HashTable::new()).collect();
        for entry in whole.into_iter().flatten() {
            let hash = self.state.hash_one(&*entry.0);
            let (part, state) = (self.part(hash), self.state);
            self.tables[part].insert_unique(hash, entry, hasher(state));
        }
    }

    /// Frees memory far in excess of what is needed, of a sixteenth of the tables: another
    /// sixteenth each `round`.
    pub(super) fn shrink_some(&mut self, round: usize, kept_min: usize) {
        let state = self.state;
        let kept_min = kept_min / self.tables.len();
        let length = self.tables.len().div_ceil(SHRINK_ROUNDS);
        let start = round * length % self.tables.len();
        for table in &mut self.tables[start..start + length] {
            let (capacity, wanted) = (table.capacity(), table.len() * 2);
            if capacity > kept_min && wanted < capacity / 4 {
                table.shrink_to(wanted, hasher(state));
            }
        }
    }

    /// The paths in at most `places_max` places, from the place `from` on; how many places are left
    /// of those, and the place to continue from, if there are more. Places are numbered table by
    /// table; they change when a table grows.
    pub(super) fn some(
        &self,
        from: u64,
        places_max: usize,
    ) -> (impl Iterator<Item = &Arc<[u8]>>, usize, Option<u64>) {
        let (mut part, mut at) = ((from >> PLACE_BITS) as usize, (from & PLACE_MASK) as usize);
        let (mut left, mut pieces) = (places_max, Vec::new());
        while left > 0
            && let Some(table) = self.tables.get(part)
        {
            let end = table.num_buckets().min(at.saturating_add(left));
            // A table without places costs one, too.
            left -= end.saturating_sub(at).clamp(1, left);
            pieces.push((table, at..end));
            (part, at) = if end < table.num_buckets() { (part, end) } else { (part + 1, 0) };
        }
        let has_more = part < self.tables.len();
        let next = has_more.then_some((part as u64) << PLACE_BITS | at as u64);
        let paths = pieces.into_iter().flat_map(|(table, places)| {
            places.filter_map(move |place| table.get_bucket(place)).map(|(path, _)| path)
        });
        (paths, left, next)
    }

    /// Each path with what is kept for it.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<[u8]>, &V)> {
        self.tables.iter().flatten().map(|(path, value)| (path, value))
    }
}

fn hasher<V>(state: SeededState) -> impl Fn(&PathValue<V>) -> u64 {
    move |entry| state.hash_one(&*entry.0)
}

/// The paths of a map that is being dismantled.
pub(super) type Leftover<V> = Box<dyn Iterator<Item = (Arc<[u8]>, V)> + Send>;

impl<V: Send + 'static> PathMap<V> {
    /// Dismantles it, a path at a time.
    pub(super) fn into_paths(self) -> Leftover<V> {
        Box::new(self.tables.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::{PathMap, WHOLE_MAX};
    use crate::hash::SeededState;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    #[test]
    fn a_map_that_is_split_is_the_same_map() {
        let mut map = PathMap::new(SeededState([3, 4]));
        let mut model = BTreeMap::new();
        let path = |i: usize| format!("/path/{i}").into_bytes();
        for i in 0..WHOLE_MAX * 300 {
            assert!(map.value(&path(i)).is_none());
            *map.insert(Arc::from(path(i)), 0) = i;
            model.insert(path(i), i);
            if i % 3 == 0 {
                assert_eq!(map.remove(&path(i / 2)), model.remove(&path(i / 2)));
            }
            assert_eq!(map.len(), model.len());
        }
        assert!(map.is_split());
        let (mut walked, mut from) = (Vec::new(), Some(0));
        while let Some(place) = from {
            let (paths, _, next) = map.some(place, 3);
            let before = walked.len();
            walked.extend(paths.map(|path| path.to_vec()));
            assert!(walked.len() <= before + 3, "a piece is no larger than requested");
            from = next;
        }
        walked.sort();
        assert!(walked.iter().eq(model.keys()), "the pieces are the whole");
        for (path, value) in &model {
            assert_eq!(map.value(path), Some(value));
            assert_eq!(map.key(path).map(|key| &**key), Some(&path[..]));
        }
        let before: usize = map.tables.iter().map(hashbrown::HashTable::capacity).sum();
        while model.len() > 3 {
            let (path, value) = model.pop_first().unwrap();
            assert_eq!(map.remove(&path), Some(value));
        }
        (0..super::SHRINK_ROUNDS).for_each(|round| map.shrink_some(round, 0));
        let after: usize = map.tables.iter().map(hashbrown::HashTable::capacity).sum();
        assert!(after < before / 20, "{after} places of {before} remain");
        let mut left: Vec<_> =
            map.into_paths().map(|(path, value)| (path.to_vec(), value)).collect();
        left.sort();
        assert!(left.into_iter().eq(model));
    }
}
