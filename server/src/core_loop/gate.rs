//! How many connections there may be: decided in one place for all shards.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Counts connections, per address and in all, and per shard for dealing them.
///
/// Lives in: shared by the core loops that host shards; touched at accept and close only.
#[derive(Debug)]
pub struct ConnectionGate {
    per_address_max: Option<u32>,
    total_max: Option<u32>,
    by_address: Mutex<HashMap<IpAddr, u32>>,
    by_shard: Vec<AtomicU32>,
    rejected: AtomicU32,
    /// Every connection that had reached the server by then has been dealt, in ms of the monotonic
    /// clock.
    dealt_ms: AtomicU64,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// `maxClientCnxns` of this address are there.
    PerAddress {
        /// The limit.
        max: u32,
    },
    /// `maxCnxns` are there.
    Total {
        /// The limit.
        max: u32,
    },
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PerAddress { max } => {
                write!(f, "too many connections from this address (maxClientCnxns = {max})")
            }
            Self::Total { max } => write!(f, "too many connections (maxCnxns = {max})"),
        }
    }
}

impl ConnectionGate {
    /// A gate before this many shards; `None` is no limit.
    pub fn new(per_address_max: Option<u32>, total_max: Option<u32>, shards: u16) -> Self {
        Self {
            per_address_max,
            total_max,
            by_address: Mutex::new(HashMap::new()),
            by_shard: (0..shards).map(|_| AtomicU32::new(0)).collect(),
            rejected: AtomicU32::new(0),
            dealt_ms: AtomicU64::new(0),
        }
    }

    /// Lets a connection in and says which shard gets it: the one with the fewest.
    pub fn admit(&self, peer: SocketAddr) -> Result<u16, Denied> {
        let mut by_address = self.by_address.lock().expect("no holder panics");
        let total = self.total();
        let denied = match (self.total_max, self.per_address_max) {
            (Some(max), _) if total >= max => Some(Denied::Total { max }),
            (_, Some(max)) if by_address.get(&peer.ip()).is_some_and(|&count| count >= max) => {
                Some(Denied::PerAddress { max })
            }
            _ => None,
        };
        if let Some(denied) = denied {
            self.rejected.fetch_add(1, Ordering::Relaxed);
            return Err(denied);
        }
        *by_address.entry(peer.ip()).or_insert(0) += 1;
        let fewest = self.by_shard.iter().enumerate();
        let (shard, count) = fewest
            .min_by_key(|(_, count)| count.load(Ordering::Relaxed))
            .expect("there is at least one shard");
        count.fetch_add(1, Ordering::Relaxed);
        Ok(shard as u16)
    }

    /// A connection that was let in is gone.
    pub fn leave(&self, peer: SocketAddr, shard: u16) {
        let mut by_address = self.by_address.lock().expect("no holder panics");
        if let Some(count) = by_address.get_mut(&peer.ip()) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&peer.ip());
            }
        }
        self.by_shard[usize::from(shard)].fetch_sub(1, Ordering::Relaxed);
    }

    /// Every connection that had reached the server by then has been told to its shard's loop: said
    /// by the loop that accepts, after it has told them.
    pub fn dealt_until(&self, until_ms: u64) {
        self.dealt_ms.store(until_ms, Ordering::Release);
    }

    /// By when every connection that had reached the server has been told to its shard's loop.
    pub fn dealt_ms(&self) -> u64 {
        self.dealt_ms.load(Ordering::Acquire)
    }

    /// Count of connections.
    pub fn total(&self) -> u32 {
        self.by_shard.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Count of connections that were not let in.
    pub fn rejected(&self) -> u32 {
        self.rejected.load(Ordering::Relaxed)
    }
}
