//! Unpredictable numbers.

use std::fs::File;
use std::io::Read as _;

/// Sixty-four unpredictable random bits.
pub(crate) fn bits() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}
