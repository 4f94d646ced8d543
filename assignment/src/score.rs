//! The two numbers that decide, in integers, so that every language computes the same ones.

use crate::Weight;
use sha2::{Digest, Sha256};

/// Bits of a logarithm after its point, and how many the loop of [`cost`] computes.
const FRACTION_BITS: u32 = 32;
/// What a logarithm is shifted by before it is divided, so that weights up to
/// [`Weight::MAX`] keep different logarithms different.
const SCALE_BITS: u32 = 20;

const _: () = assert!(Weight::MAX.number() <= 1 << SCALE_BITS, "equal weights keep their order");
const _: () = assert!(6 + FRACTION_BITS + SCALE_BITS < 63, "a cost fits a signed number");

/// What a server and a client have in common: the first eight bytes of SHA-256 of `SERVER CLIENT`,
/// as a big-endian number.
pub fn score(server: &str, client: &str) -> u64 {
    let digest = Sha256::new().chain_update(server).chain_update(b" ").chain_update(client);
    let digest = digest.finalize();
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

/// `-log2(score / 2^64) / weight`, in units of `2^-52`; the lower, the earlier.
///
/// The logarithm is computed bit by bit: a number between one and two is squared, and the next bit
/// says whether the square is two or more. A mantissa has 32 bits and squares are cut, which makes
/// a logarithm wrong by less than `2^-29`, in the same way everywhere. It never falls where the
/// score grows, so for equal weights the order of costs is that of scores.
pub fn cost(score: u64, weight: Weight) -> u64 {
    // There is no logarithm of zero.
    let score = score | 1;
    let mut logarithm = u64::from(score.ilog2());
    let mut mantissa = (score << (63 - logarithm)) >> 32;
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 31;
        let bit = mantissa >> 32;
        mantissa >>= bit;
        logarithm = logarithm << 1 | bit;
    }
    (((64 << FRACTION_BITS) - logarithm) << SCALE_BITS) / u64::from(weight.number())
}
