//! The traffic of each part of the tree: numbers by the first name of a path.

use super::Spread;
use std::sync::Arc;

/// Parts of the tree that are distinguished; traffic of others is not counted.
pub const PARTS_MAX: usize = 1000;

/// The longest name of such a part: clients choose them, and they stay after the nodes are deleted.
pub const PART_BYTES_MAX: usize = 256;

/// Numbers by the part of the tree that they belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// In the order of the names, each with its index in `spreads`.
    parts: Vec<(Arc<[u8]>, u32)>,
    spreads: Vec<Spread>,
    /// The part that was found last: most requests go to the same part as the one before.
    last: usize,
}

/// Numbers of a batch, which count when it is published and are dropped with it if it never is.
///
/// Lives in: each batch. It belongs to one [`Traffic`].
#[derive(Clone, Debug, Default)]
pub struct OpenTraffic {
    spreads: Vec<(u32, Spread)>,
    /// For each part the number of its entry in `spreads`, counted from 1; 0 if it has none.
    entries: Vec<u32>,
}

impl Traffic {
    /// Adds a number to the part of a path; the root belongs to none.
    #[inline]
    pub fn add(&mut self, path: &[u8], number: u64) {
        if let Some(place) = self.place_of(path) {
            self.spreads[place as usize].add(number);
        }
    }

    /// The same, as soon as `open` counts: see [`Self::settle`].
    #[inline]
    pub fn add_open(&mut self, open: &mut OpenTraffic, path: &[u8], number: u64) {
        if let Some(place) = self.place_of(path) {
            open.spread_of(place).add(number);
        }
    }

    /// Adds the numbers of a batch, and leaves it empty.
    pub fn settle(&mut self, open: &mut OpenTraffic) {
        for (place, spread) in open.spreads.drain(..) {
            self.spreads[place as usize].merge(spread);
            open.entries[place as usize] = 0;
        }
    }

    #[inline]
    fn place_of(&mut self, path: &[u8]) -> Option<u32> {
        let part = part_of(path)?;
        if let Some((name, place)) = self.parts.get(self.last)
            && **name == *part
        {
            return Some(*place);
        }
        self.place_elsewhere(part)
    }

    fn place_elsewhere(&mut self, part: &[u8]) -> Option<u32> {
        let found = self.parts.binary_search_by(|(name, _)| (**name).cmp(part));
        let at = match found {
            Ok(at) => at,
            Err(_) if self.parts.len() >= PARTS_MAX || part.len() > PART_BYTES_MAX => return None,
            Err(at) => {
                self.parts.insert(at, (part.into(), self.spreads.len() as u32));
                self.spreads.push(Spread::default());
                at
            }
        };
        self.last = at;
        Some(self.parts[at].1)
    }

    /// Each part that was ever used, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Spread)> {
        self.parts.iter().map(|(name, place)| (&**name, self.spreads[*place as usize]))
    }

    /// Adds the numbers of another.
    pub fn merge(&mut self, other: &Self) {
        for (name, spread) in other.iter() {
            if let Some(place) = self.place_elsewhere(name) {
                self.spreads[place as usize].merge(spread);
            }
        }
    }

    /// Forgets the numbers, not the parts.
    pub fn reset(&mut self) {
        self.spreads.fill(Spread::default());
    }
}

impl OpenTraffic {
    #[inline]
    fn spread_of(&mut self, place: u32) -> &mut Spread {
        let at = place as usize;
        if self.entries.len() <= at {
            self.entries.resize(at + 1, 0);
        }
        if self.entries[at] == 0 {
            self.spreads.push((place, Spread::default()));
            self.entries[at] = self.spreads.len() as u32;
        }
        &mut self.spreads[self.entries[at] as usize - 1].1
    }

    /// Drops the numbers.
    pub fn clear(&mut self) {
        for (place, _) in self.spreads.drain(..) {
            self.entries[place as usize] = 0;
        }
    }
}

/// The first name of a path.
pub fn part_of(path: &[u8]) -> Option<&[u8]> {
    path.split(|&byte| byte == b'/').nth(1).filter(|part| !part.is_empty())
}
