//! Sessions: their ids, their passwords, and who owns a node.

use crate::limits::{PASSWORD_BYTES, TTL_MS_MAX};
use std::fmt;

/// A session's id, unique in the ensemble; 0 asks for a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl SessionId {
    /// The first id that a server hands out: its own id, then its start time (source: ZooKeeper
    /// 3.9.5, `SessionTrackerImpl.initializeNextSessionId`).
    pub fn first(server_id: u8, start_ms: i64) -> Self {
        let time = (((start_ms as u64) << 24) >> 8) as i64;
        let id = time | (i64::from(server_id) << 56);
        Self(if id == i64::MIN { id + 1 } else { id })
    }
}

/// What a client shows to re-attach to its session.
pub type Password = [u8; PASSWORD_BYTES];

/// The password of a session: sixteen bytes of Java's linear congruential generator, seeded by
/// the id, so that every server of an ensemble, ours or stock, knows it without shared state.
pub fn password(id: SessionId) -> Password {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = ((id.0 ^ 0xB341_5C00) as u64 ^ MULTIPLIER) & MASK;
    let mut bytes = [0; PASSWORD_BYTES];
    for word in bytes.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        // Java takes the lowest byte of each draw first.
        let drawn = (state >> 16) as u32;
        word.copy_from_slice(&drawn.swap_bytes().to_be_bytes());
    }
    bytes
}

/// The raw owner of container nodes.
pub const OWNER_CONTAINER: i64 = i64::MIN;

const TTL_MASK: i64 = 0xff << 56;

/// What the raw owner field of a node means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A persistent node.
    None,
    /// Removed after its last child.
    Container,
    /// Removed when it has no children and has not been written for this many ms.
    Ttl(i64),
    /// Removed with its session.
    Session(SessionId),
}

impl Owner {
    /// Reads a raw owner. Without extended types every other value names a session; the two
    /// emulations are those of `extendedTypesEnabled` and `emulate353TTLNodes`.
    pub fn of_raw(raw: i64, types: ExtendedTypes) -> Self {
        if raw == 0 {
            return Self::None;
        }
        if raw == OWNER_CONTAINER {
            return Self::Container;
        }
        if types.enabled {
            if types.emulate_353 && raw < 0 {
                return Self::Ttl(raw & i64::MAX);
            }
            if raw & !TTL_MS_MAX == TTL_MASK {
                return Self::Ttl(raw & TTL_MS_MAX);
            }
        }
        Self::Session(SessionId(raw))
    }

    /// The raw owner of a node with a time to live.
    pub fn ttl_raw(ttl_ms: i64, types: ExtendedTypes) -> i64 {
        assert!(ttl_ms > 0 && ttl_ms <= TTL_MS_MAX, "a TTL of {ttl_ms} ms was accepted");
        if types.emulate_353 { i64::MIN | ttl_ms } else { TTL_MASK | ttl_ms }
    }
}

/// Which kinds of owner this server knows besides sessions and containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtendedTypes {
    /// `extendedTypesEnabled`: nodes with a time to live exist.
    pub enabled: bool,
    /// `emulate353TTLNodes`: their owner has the form of ZooKeeper 3.5.3.
    pub emulate_353: bool,
}
