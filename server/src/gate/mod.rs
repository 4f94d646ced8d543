//! Admission: how many connections there may be, decided in one place for all shards, for a time
//! fewer than configured (`lease`), and how fast sessions may be opened (`throttle`); and which
//! shard gets a connection, by their number and by how busy shards are (`busy`).

mod busy;
mod lease;
mod throttle;

pub use lease::{LEASE_CONNECTIONS_MAX, LEASE_MS_MAX, Lease};
pub use throttle::ConnectThrottle;

use busy::Busy;
use lease::LeaseCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Connections beyond the limits that are admitted to send a four-letter word, for all addresses
/// together. One that sends nothing is closed within two seconds.
const EXTRAS_MAX: u32 = 512;

/// What is known of a shard when connections are dealt.
#[derive(Debug, Default)]
struct Dealing {
    connections: AtomicU32,
    busy: Busy,
}

/// Counts connections, per address and in total, and per shard for assigning them.
///
/// Lives in: shared by the core loops that host shards; touched at accept and close only.
#[derive(Debug)]
pub struct ConnectionGate {
    per_address_max: Option<u32>,
    total_max: Option<u32>,
    lease: LeaseCell,
    by_address: Mutex<HashMap<IpAddr, u32>>,
    by_shard: Vec<Dealing>,
    rejected: AtomicU32,
    /// Connections beyond the limits that may send a word.
    extras: AtomicU32,
    /// Every connection that had reached the server by then has been assigned to a shard, in ms of
    /// the monotonic clock.
    dealt_ms: AtomicU64,
}

/// The place of an admitted connection, returned when it is dropped. A connection that sent a
/// four-letter word keeps it until the word is answered: such connections count like others.
#[derive(Debug)]
pub struct Seat {
    gate: Arc<ConnectionGate>,
    address: IpAddr,
    shard: u16,
    /// The connection is beyond the limits.
    is_extra: bool,
}

impl Seat {
    /// The shard that gets the connection.
    pub fn shard(&self) -> u16 {
        self.shard
    }

    /// Whether the connection is beyond the limits, and may send a four-letter word only.
    pub fn is_extra(&self) -> bool {
        self.is_extra
    }

    /// Admits the connection to stay.
    ///
    /// # Errors
    /// If it is still beyond the limits.
    pub fn settle(&mut self, now_ms: u64) -> Result<(), Denied> {
        if self.is_extra {
            let taken = self.gate.take(self.address, now_ms, |_| self.shard);
            taken.inspect_err(|_| self.gate.reject())?;
            self.gate.extras.fetch_sub(1, Ordering::Relaxed);
            self.is_extra = false;
        }
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.is_extra {
            self.gate.extras.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.gate.leave(self.address, self.shard);
        }
    }
}

/// Why a connection is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// This address has `maxClientCnxns` connections already.
    PerAddress {
        /// The limit.
        max: u32,
    },
    /// There are `maxCnxns` connections already.
    Total {
        /// The limit.
        max: u32,
    },
    /// There are as many as a lease admits.
    Lease {
        /// Its bound.
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
            Self::Lease { max } => {
                write!(f, "clients go to other servers for now (admission: at_most = {max})")
            }
        }
    }
}

impl ConnectionGate {
    /// A gate for this many shards; `None` is no limit.
    pub fn new(per_address_max: Option<u32>, total_max: Option<u32>, shards: u16) -> Self {
        Self {
            per_address_max,
            total_max,
            lease: LeaseCell::default(),
            by_address: Mutex::new(HashMap::new()),
            by_shard: (0..shards).map(|_| Dealing::default()).collect(),
            rejected: AtomicU32::new(0),
            extras: AtomicU32::new(0),
            dealt_ms: AtomicU64::new(0),
        }
    }

    /// Admits a connection to the shard with the most room; beyond the limits as one that may send
    /// a four-letter word only, of which there are `EXTRAS_MAX` at most.
    ///
    /// # Errors
    /// If there are that many already.
    pub fn enter(self: &Arc<Self>, peer: SocketAddr, now_ms: u64) -> Result<Seat, Denied> {
        self.admit(peer, now_ms).or_else(|denied| {
            let more = |count| (count < EXTRAS_MAX).then_some(count + 1);
            if self.extras.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
                self.reject();
                return Err(denied);
            }
            let shard = self.roomiest(now_ms);
            Ok(Seat { gate: self.clone(), address: peer.ip(), shard, is_extra: true })
        })
    }

    /// Admits a connection within the limits.
    ///
    /// # Errors
    /// If the limits do not allow it.
    pub fn admit(self: &Arc<Self>, peer: SocketAddr, now_ms: u64) -> Result<Seat, Denied> {
        let shard = self.take(peer.ip(), now_ms, |gate| gate.roomiest(now_ms))?;
        Ok(Seat { gate: self.clone(), address: peer.ip(), shard, is_extra: false })
    }

    /// Counts one more connection, if the limits allow it, for the shard that is picked.
    fn take(
        &self,
        address: IpAddr,
        now_ms: u64,
        pick: impl FnOnce(&Self) -> u16,
    ) -> Result<u16, Denied> {
        let lease = self.lease.at(now_ms);
        let mut by_address = self.by_address.lock().expect("no holder panics");
        let total = self.total();
        match (self.total_max, self.per_address_max) {
            (Some(max), _) if total >= max => return Err(Denied::Total { max }),
            (_, Some(max)) if by_address.get(&address).is_some_and(|&count| count >= max) => {
                return Err(Denied::PerAddress { max });
            }
            _ => (),
        }
        if let Some(Lease { at_most: max, .. }) = lease.filter(|lease| total >= lease.at_most) {
            return Err(Denied::Lease { max });
        }
        *by_address.entry(address).or_insert(0) += 1;
        let shard = pick(self);
        self.by_shard[usize::from(shard)].connections.fetch_add(1, Ordering::Relaxed);
        Ok(shard)
    }

    /// The shard with the fewest connections, where each counts twice if the shard has been at its
    /// limit for seconds: it passes on those that come, until the others have twice as many.
    fn roomiest(&self, now_ms: u64) -> u16 {
        let weighed = |shard: &Dealing| {
            let with_this_one = u64::from(shard.connections.load(Ordering::Relaxed)) + 1;
            with_this_one << u32::from(shard.busy.is_at_limit(now_ms))
        };
        let shards = self.by_shard.iter().enumerate();
        let roomiest = shards.min_by_key(|(_, shard)| weighed(shard));
        roomiest.map(|(shard, _)| shard as u16).expect("there is at least one shard")
    }

    /// The loop of a shard worked for this share of the last second or more, in thousandths.
    pub fn report_busy(&self, shard: u16, permille: u32, now_ms: u64) {
        self.by_shard[usize::from(shard)].busy.report(permille, now_ms);
    }

    /// The share of its time that the loop of a shard works, in thousandths.
    pub fn busy_permille(&self, shard: u16, now_ms: u64) -> u32 {
        self.by_shard[usize::from(shard)].busy.permille(now_ms)
    }

    fn reject(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    fn leave(&self, address: IpAddr, shard: u16) {
        let mut by_address = self.by_address.lock().expect("no holder panics");
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
        self.by_shard[usize::from(shard)].connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Records that every connection that had reached the server by then has been handed to its
    /// shard's loop. Called by the accepting loop, after it has handed them over.
    pub fn dealt_until(&self, until_ms: u64) {
        self.dealt_ms.store(until_ms, Ordering::Release);
    }

    /// The time by which every connection that had reached the server has been handed to its
    /// shard's loop.
    pub fn dealt_ms(&self) -> u64 {
        self.dealt_ms.load(Ordering::Acquire)
    }

    /// Admits no more connections than this for a time, beside what is configured; those that are
    /// there stay. Replaces the lease before.
    pub fn lend(&self, lease: Option<Lease>) {
        self.lease.set(lease);
    }

    /// The lease at this time.
    pub fn lease(&self, now_ms: u64) -> Option<Lease> {
        self.lease.at(now_ms)
    }

    /// Count of connections.
    pub fn total(&self) -> u32 {
        self.by_shard.iter().map(|shard| shard.connections.load(Ordering::Relaxed)).sum()
    }

    /// Those that a shard was assigned; without those beyond the limits.
    pub fn of_shard(&self, shard: u16) -> u32 {
        self.by_shard[usize::from(shard)].connections.load(Ordering::Relaxed)
    }

    /// Count of connections that were rejected.
    pub fn rejected(&self) -> u32 {
        self.rejected.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionGate, Denied, EXTRAS_MAX, Lease, Seat};
    use std::net::SocketAddr;
    use std::sync::Arc;

    /// How many connections of `count` each shard is dealt.
    fn dealt(gate: &Arc<ConnectionGate>, count: u32, now_ms: u64) -> Vec<Seat> {
        let peer = SocketAddr::from(([10, 0, 0, 1], 7));
        (0..count).map(|_| gate.admit(peer, now_ms).unwrap()).collect()
    }

    #[test]
    fn connections_are_dealt_evenly() {
        let gate = Arc::new(ConnectionGate::new(None, None, 3));
        let mut seats = dealt(&gate, 9_999, 0);
        assert_eq!([0, 1, 2].map(|shard| gate.of_shard(shard)), [3_333; 3]);
        // Those that come take the places of those that have left.
        seats.retain(|seat| seat.shard() != 1);
        seats.extend(dealt(&gate, 3_333, 0));
        assert_eq!([0, 1, 2].map(|shard| gate.of_shard(shard)), [3_333; 3]);
    }

    #[test]
    fn a_shard_at_its_limit_passes_connections_on() {
        let gate = Arc::new(ConnectionGate::new(None, None, 3));
        let mut seats = dealt(&gate, 300, 0);
        (1..=3).for_each(|second| gate.report_busy(1, 950, second * 1_000));
        gate.report_busy(0, 400, 3_000);
        assert_eq!([0, 1, 2].map(|shard| gate.busy_permille(shard, 3_500)), [400, 950, 0]);
        seats.extend(dealt(&gate, 200, 3_500));
        assert_eq!([0, 1, 2].map(|shard| gate.of_shard(shard)), [200, 100, 200]);
        // From here on the others have as much to do by their number.
        seats.extend(dealt(&gate, 500, 3_500));
        assert_eq!([0, 1, 2].map(|shard| gate.of_shard(shard)), [400, 200, 400]);
        gate.report_busy(1, 100, 4_000);
        seats.extend(dealt(&gate, 200, 4_000));
        assert_eq!([0, 1, 2].map(|shard| gate.of_shard(shard)), [400; 3]);
    }

    #[test]
    fn shards_that_are_all_at_their_limit_share_evenly() {
        let gate = Arc::new(ConnectionGate::new(None, None, 2));
        for shard in [0, 1] {
            (1..=3).for_each(|second| gate.report_busy(shard, 1_000, second * 1_000));
        }
        let _seats = dealt(&gate, 100, 3_000);
        assert_eq!([0, 1].map(|shard| gate.of_shard(shard)), [50; 2]);
    }

    #[test]
    fn those_beyond_the_limits_are_few_and_take_no_place() {
        let gate = Arc::new(ConnectionGate::new(Some(2), None, 3));
        let peer = SocketAddr::from(([10, 0, 0, 1], 7));
        let other = SocketAddr::from(([10, 0, 0, 2], 7));
        let mut seats: Vec<_> = (0..2).map(|_| gate.enter(peer, 0).unwrap()).collect();
        assert!(seats.iter().all(|seat| !seat.is_extra()));
        let mut extras: Vec<_> = (0..EXTRAS_MAX).map(|_| gate.enter(peer, 0).unwrap()).collect();
        assert!(extras.iter().all(Seat::is_extra));
        assert_eq!((gate.total(), gate.rejected()), (2, 0), "no connection was refused yet");
        assert_eq!(gate.enter(peer, 0).unwrap_err(), Denied::PerAddress { max: 2 });
        assert!(!gate.enter(other, 0).unwrap().is_extra(), "others are admitted as before");
        let mut late = extras.pop().unwrap();
        assert_eq!(late.settle(0), Err(Denied::PerAddress { max: 2 }));
        assert_eq!((gate.total(), gate.rejected()), (2, 2));
        drop(seats.pop());
        assert_eq!(late.settle(0), Ok(()));
        assert!(!late.is_extra() && gate.total() == 2);
        assert!(gate.enter(peer, 0).is_ok_and(|seat| seat.is_extra()), "its place is free");
        drop((late, extras, seats));
        assert_eq!(gate.total(), 0);
        assert!(!gate.enter(peer, 0).unwrap().is_extra());
    }

    #[test]
    fn a_lease_admits_fewer_and_words_all_the_same() {
        let gate = Arc::new(ConnectionGate::new(None, Some(4), 2));
        let peer = SocketAddr::from(([10, 0, 0, 1], 7));
        let seats: Vec<_> = (0..3).map(|_| gate.enter(peer, 0).unwrap()).collect();
        gate.lend(Some(Lease { at_most: 2, until_ms: 100 }));
        assert_eq!(gate.total(), 3, "those that are there stay");
        let mut extra = gate.enter(peer, 99).unwrap();
        assert!(extra.is_extra(), "it may send a word");
        assert_eq!(extra.settle(99), Err(Denied::Lease { max: 2 }));
        assert_eq!((gate.total(), gate.rejected()), (3, 1));
        assert_eq!([gate.of_shard(0), gate.of_shard(1)], [2, 1]);
        assert_eq!(extra.settle(100), Ok(()), "it has ended");
        let full = gate.enter(peer, 100).unwrap();
        assert!(full.is_extra(), "what is configured counts as before");
        drop((seats, extra, full));
        gate.lend(Some(Lease { at_most: 1, until_ms: 200 }));
        let one = gate.enter(peer, 150).unwrap();
        assert!(!one.is_extra() && gate.enter(peer, 150).unwrap().is_extra());
        gate.lend(None);
        assert!(!gate.enter(peer, 150).unwrap().is_extra());
    }
}
