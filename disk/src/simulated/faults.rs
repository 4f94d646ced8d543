//! Chance: how often calls fail, and what a power loss keeps of a write.

use crate::limits::SECTOR_BYTES;

/// How often a call fails; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "each says what it counts")]
pub struct Faults {
    /// One call in this many fails with EIO; a failed write may have reached the medium in part.
    pub fail_one_in: u32,
    /// One flush in this many reports success, and did nothing.
    pub lie_one_in: u32,
    /// One write in this many reports success, and has reached another block of its file.
    pub misdirect_one_in: u32,
    /// One write in this many reports success, and has reached the medium in part.
    pub tear_one_in: u32,
    /// One read in this many returns a flipped bit; the medium is right.
    pub garble_one_in: u32,
    /// One creation, write or resize in this many finds a full disk.
    pub full_one_in: u32,
    /// One call in this many lets others go first, a few times.
    pub delay_one_in: u32,
}

impl Faults {
    /// Faults that a disk admits to: it fails, is full, is slow.
    pub const fn honest(one_in: u32) -> Self {
        let none = Self::none();
        Self { fail_one_in: one_in, full_one_in: one_in, delay_one_in: one_in, ..none }
    }

    /// No faults.
    pub const fn none() -> Self {
        Self {
            fail_one_in: 0,
            lie_one_in: 0,
            misdirect_one_in: 0,
            tear_one_in: 0,
            garble_one_in: 0,
            full_one_in: 0,
            delay_one_in: 0,
        }
    }
}

/// What a power loss keeps of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it.
    Kept,
    /// Nothing.
    Dropped,
    /// The sectors that are true here, in the write's order.
    Torn(Vec<bool>),
}

impl Fate {
    /// A random fate for a write of `bytes`: each third of the cases.
    pub fn random(seed: &mut Seed, bytes: usize) -> Self {
        match seed.below(3) {
            0 => Self::Kept,
            1 => Self::Dropped,
            _ => Self::Torn((0..bytes.div_ceil(SECTOR_BYTES)).map(|_| seed.one_in(2)).collect()),
        }
    }

    /// The parts of `bytes` that survive, with their offsets in it.
    pub fn pieces(&self, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        match self {
            Self::Kept => vec![(0, bytes.to_vec())],
            Self::Dropped => Vec::new(),
            Self::Torn(kept) => bytes
                .chunks(SECTOR_BYTES)
                .zip(kept)
                .enumerate()
                .filter(|(_, (_, kept))| **kept)
                .map(|(at, (sector, _))| ((at * SECTOR_BYTES) as u64, sector.to_vec()))
                .collect(),
        }
    }
}

/// A small deterministic generator (splitmix64).
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    /// A generator whose numbers follow from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound` (at least 1).
    pub const fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        self.next() % bound
    }

    /// True once in `count` calls on average; never for 0.
    pub const fn one_in(&mut self, count: u32) -> bool {
        count > 0 && self.below(count as u64) == 0
    }
}
