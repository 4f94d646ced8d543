//! What waits to be sent, and what all connections together may leave unsent.

use super::long::Progress;
use super::{Connection, Shard};
use crate::batch::ConnectionId;
use crate::limits::CROWD_UNSENT_BYTES_MAX;
use slab::Slab;

impl Shard {
    /// Output of a connection begins to be sent, so many bytes.
    pub fn begin_send(&mut self, bytes: usize) {
        self.sending_bytes += bytes;
    }

    /// It has been sent, or never will be.
    pub fn end_send(&mut self, bytes: usize) {
        self.sending_bytes -= bytes;
    }

    /// Whether all connections together leave so much unsent that one of them has to go.
    pub fn is_overfull(&self) -> bool {
        self.unsent_bytes + self.sending_bytes > 2 * CROWD_UNSENT_BYTES_MAX
    }

    /// The slots of connections that have had something to send since the list was taken last.
    /// The caller takes the list, calls [`Self::clean`] for each, and gives its memory back.
    pub fn dirty_mut(&mut self) -> &mut Vec<u32> {
        &mut self.dirty
    }

    /// The connection in a dirty slot, no longer marked, if it is still there and is told anything.
    pub fn clean(&mut self, slot: u32) -> Option<ConnectionId> {
        let connection = self.connections.get_mut(slot as usize)?;
        connection.is_dirty = false;
        if connection.is_gone {
            self.drop_output(slot);
            return None;
        }
        let counted = std::mem::replace(&mut connection.counted_bytes, connection.out.len());
        self.unsent_bytes = self.unsent_bytes - counted + connection.out.len();
        Some(ConnectionId { shard: self.index, slot, serial: connection.serial })
    }

    /// What a connection has to send, if anything; it comes back through [`Self::recycle`].
    pub fn take_output(&mut self, id: ConnectionId) -> Option<Vec<u8>> {
        let connection = self.connections.get_mut(id.slot as usize)?;
        let is_held = matches!(connection.progress, Progress::Held { .. });
        let is_told = !connection.is_gone && !connection.out.is_empty() && !is_held;
        if connection.serial != id.serial || !is_told {
            return None;
        }
        if !connection.parked.is_empty() && connection.in_flight == 0 {
            // They may have waited for this room.
            self.released.push((id.slot, id.serial));
        }
        self.unsent_bytes -= std::mem::take(&mut connection.counted_bytes);
        Some(std::mem::take(&mut connection.out))
    }

    /// A buffer whose bytes have left.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.buffers.give(buffer);
    }

    /// What a connection has to send never leaves.
    pub(super) fn drop_output(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        self.unsent_bytes -= std::mem::take(&mut connection.counted_bytes);
        self.buffers.give(std::mem::take(&mut connection.out));
    }

    pub(super) fn mark_dirty(connections: &mut Slab<Connection>, dirty: &mut Vec<u32>, slot: u32) {
        let connection = &mut connections[slot as usize];
        if !connection.is_dirty {
            connection.is_dirty = true;
            dirty.push(slot);
        }
    }
}
