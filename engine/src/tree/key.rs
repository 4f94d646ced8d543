//! Where a path belongs in the trie: 64 bits, of which each level of the trie uses 6.

use siphasher::sip::SipHasher13;

/// The secret of the hash. Servers of one ensemble agree on it, and a snapshot carries it: the
/// order of its records depends on it. Clients do not know it, so they cannot make paths collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeSeed(pub [u64; 2]);

/// Bits of the key that a level of the trie uses.
const LEVEL_BITS: u32 = 6;
/// The level of buckets: below the last level of nodes, where keys are equal.
pub(super) const BUCKET_LEVEL: u32 = u64::BITS.div_ceil(LEVEL_BITS);
/// Bits of the key that the name decides; those above come from the parent's path.
const NAME_BITS: u32 = 34;
/// The first level at which all records below belong to parents with one hash.
pub(super) const CHILD_LEVEL: u32 = (u64::BITS - NAME_BITS) / LEVEL_BITS;

const _: () = assert!(BUCKET_LEVEL == 11);
const _: () = assert!(CHILD_LEVEL * LEVEL_BITS == u64::BITS - NAME_BITS);

/// Makes keys of paths.
#[derive(Clone, Copy)]
pub(super) struct KeyHasher {
    sip: SipHasher13,
    seed: TreeSeed,
    /// All ones, except for tests that need collisions.
    mask: u64,
}

impl KeyHasher {
    pub(super) fn new(seed: TreeSeed) -> Self {
        Self { sip: SipHasher13::new_with_keys(seed.0[0], seed.0[1]), seed, mask: !0 }
    }

    /// A hasher with so few keys that many paths share one.
    #[cfg(test)]
    pub(super) fn with_mask(seed: TreeSeed, mask: u64) -> Self {
        Self { mask, ..Self::new(seed) }
    }

    pub(super) fn seed(&self) -> TreeSeed {
        self.seed
    }

    #[inline]
    pub(super) fn key(&self, path: &[u8]) -> u64 {
        let (parent, name) = split(path);
        self.parent_bits(parent) | self.name_bits(name)
    }

    /// The upper bits of the keys of all children of `parent` ("" for the root).
    #[inline]
    pub(super) fn parent_bits(&self, parent: &[u8]) -> u64 {
        self.sip.hash(parent) >> NAME_BITS << NAME_BITS & self.mask
    }

    #[inline]
    fn name_bits(&self, name: &[u8]) -> u64 {
        self.sip.hash(name) >> (u64::BITS - NAME_BITS) & self.mask
    }

    /// The key of `path`, given the key of another path that may have the same parent.
    #[inline]
    pub(super) fn key_near(&self, path: &[u8], near: &[u8], near_key: u64) -> u64 {
        let (parent, name) = split(path);
        if split(near).0 == parent {
            return near_key >> NAME_BITS << NAME_BITS | self.name_bits(name);
        }
        self.parent_bits(parent) | self.name_bits(name)
    }
}

/// Parent and name of a path. The parent of the root's children is "", as is the root's own.
#[inline]
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    // Without a slash it is not a node's path; it is looked up and not found.
    path.iter()
        .rposition(|&byte| byte == b'/')
        .map_or((&[], path), |slash| (&path[..slash], &path[slash + 1..]))
}

/// The path of the parent of `path`; the root is its own.
#[inline]
pub fn parent_path(path: &[u8]) -> &[u8] {
    let (parent, _) = split(path);
    if parent.is_empty() { b"/" } else { parent }
}

/// Which of the 64 slots of a node at `level` the key takes.
#[inline]
pub(super) fn digit(key: u64, level: u32) -> u32 {
    (key << (LEVEL_BITS * level) >> (u64::BITS - LEVEL_BITS)) as u32
}

/// The first level at which two keys differ; the level of buckets if they are equal.
#[inline]
pub(super) fn diverge(one: u64, other: u64) -> u32 {
    if one == other { BUCKET_LEVEL } else { (one ^ other).leading_zeros() / LEVEL_BITS }
}
