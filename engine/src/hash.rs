//! Maps whose order does not depend on the process: the engine replays identically everywhere.
//!
//! Keys that clients choose (watched paths) are hashed with a secret seed that comes in with the
//! settings; ids that the server hands out need none.

use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher, Hasher};

/// Hashes what clients choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeededState(pub [u64; 2]);

impl BuildHasher for SeededState {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0[0], self.0[1])
    }
}

/// Hashes ids that the server hands out: one multiplication.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdState;

/// The hasher of [`IdState`].
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        // The map takes its tag from the upper bits and its bucket from the lower ones.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
}

impl BuildHasher for IdState {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher::default()
    }
}

/// A map by ids of the server's own.
pub type IdMap<K, V> = hashbrown::HashMap<K, V, IdState>;
/// A map by what clients choose.
pub type SeededMap<K, V> = hashbrown::HashMap<K, V, SeededState>;
