//! The connections of a shard: where each is, and which of them the caller has to close.
//!
//! Invariant: an id finds its connection or none, never the next user of its slot (guard:
//! `crate::tests::stuck::an_end_is_not_inherited`).
//!
//! Lives in: each shard.

use super::connection::Connection;
use crate::batch::ConnectionId;
use crate::limits::KEPT_SLOTS_MAX;
use crate::settings::Now;
use slab::Slab;
use std::net::SocketAddr;
use std::ops::Range;

/// All of them.
#[derive(Debug)]
pub(super) struct Connections {
    shard: u16,
    slots: Slab<Connection>,
    /// The serial of the last one.
    serial: u32,
    /// To be closed once their output has been sent.
    ending: Vec<ConnectionId>,
    /// Nothing more is received from these.
    dismissed: Vec<ConnectionId>,
}

impl Connections {
    /// No connections yet, of this shard.
    pub(super) fn new(shard: u16) -> Self {
        let (ending, dismissed) = (Vec::new(), Vec::new());
        Self { shard, slots: Slab::new(), serial: 0, ending, dismissed }
    }

    /// The number of their shard.
    #[inline]
    pub(super) fn shard(&self) -> u16 {
        self.shard
    }

    /// Adds a connection.
    pub(super) fn open(&mut self, peer: SocketAddr, now: Now) -> ConnectionId {
        self.serial = self.serial.wrapping_add(1);
        let (shard, serial) = (self.shard, self.serial);
        let slot = self.slots.vacant_entry();
        let id = ConnectionId { shard, slot: slot.key() as u32, serial };
        slot.insert(Connection::new(id, peer, now));
        id
    }

    /// A connection, if it is still that one.
    #[inline]
    pub(super) fn find(&self, id: ConnectionId) -> Option<&Connection> {
        self.slots.get(id.slot as usize).filter(|held| held.id() == id)
    }

    /// The same, mutably.
    #[inline]
    pub(super) fn find_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.slots.get_mut(id.slot as usize).filter(|held| held.id() == id)
    }

    /// The connection that has the slot.
    #[inline]
    pub(super) fn at(&self, slot: u32) -> Option<&Connection> {
        self.slots.get(slot as usize)
    }

    /// The same, mutably.
    #[inline]
    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot as usize)
    }

    /// Forgets one.
    pub(super) fn close(&mut self, id: ConnectionId) -> Option<Connection> {
        self.find(id)?;
        self.slots.try_remove(id.slot as usize)
    }

    /// A connection's end is reached.
    pub(super) fn end(&mut self, id: ConnectionId) {
        if let Some(connection) = self.find_mut(id) {
            connection.end();
            self.ending.push(id);
        }
    }

    /// Nothing more is to be received from a connection.
    pub(super) fn dismiss(&mut self, id: ConnectionId) {
        self.dismissed.push(id);
    }

    /// Those whose end is reached, if they still exist.
    pub(super) fn take_ending(&mut self) -> Vec<ConnectionId> {
        let ending = std::mem::take(&mut self.ending);
        self.still_there(ending)
    }

    /// Those that were dismissed, if they still exist.
    pub(super) fn take_dismissed(&mut self) -> Vec<ConnectionId> {
        let dismissed = std::mem::take(&mut self.dismissed);
        self.still_there(dismissed)
    }

    /// Some may be closed, and their slots reused.
    fn still_there(&self, mut ids: Vec<ConnectionId>) -> Vec<ConnectionId> {
        ids.retain(|id| self.find(*id).is_some());
        ids
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Slots below this may be in use.
    pub(super) fn slot_count(&self) -> u32 {
        self.slots.capacity() as u32
    }

    /// Those in some slots.
    pub(super) fn some(&self, slots: Range<u32>) -> impl Iterator<Item = &Connection> {
        slots.filter_map(|slot| self.at(slot))
    }

    /// Frees slots that are no longer needed.
    pub(super) fn trim(&mut self) {
        let capacity = self.slots.capacity();
        if capacity > KEPT_SLOTS_MAX && self.slots.len() < capacity / 4 {
            self.slots.shrink_to_fit();
        }
    }
}
