//! What leaves: each connection's output, once its turn is over.
//!
//! Invariant: no byte of an output leaves before the long answer that has its place there (guard:
//! `crate::tests::long::a_listing_shows_one_version_and_comes_before_its_events`).

use super::Shard;
use super::connection::Connection;
use super::output::Outgoing;
use crate::batch::ConnectionId;

impl Shard {
    /// The slots of connections that have had something to send since the list was taken last.
    /// The caller takes the list, calls [`Self::clean`] for each, and gives its memory back.
    pub fn dirty_mut(&mut self) -> &mut Vec<u32> {
        self.outgoing.dirty_mut()
    }

    /// The connection in a dirty slot, no longer marked, if it is still there and takes anything.
    pub fn clean(&mut self, slot: u32) -> Option<ConnectionId> {
        let connection = self.connections.at_mut(slot)?;
        let id = connection.id();
        Outgoing::clean(&mut connection.output);
        if connection.is_gone() {
            self.drop_output(id);
            return None;
        }
        self.budget.count_unsent(&mut connection.account, connection.output.len());
        Some(id)
    }

    /// What a connection has to send, if anything; its memory comes back through [`Self::sent`].
    pub fn take_output(&mut self, id: ConnectionId) -> Option<Vec<u8>> {
        let connection = self.connections.find_mut(id)?;
        let is_told = !connection.is_gone() && connection.output.len() > 0;
        if !is_told || connection.is_held() {
            return None;
        }
        if !connection.parking.is_empty() && !connection.account.has_in_flight() {
            // They may have waited for this room.
            self.turn.release(id);
        }
        let output = Outgoing::take(&mut connection.output);
        self.budget.begin_send(&mut connection.account, output.len());
        Some(output)
    }

    /// A buffer of which so many bytes were to be sent: they have left, or never will.
    pub fn sent(&mut self, buffer: Vec<u8>, bytes: usize) {
        self.budget.end_send(bytes);
        self.outgoing.recycle(buffer);
    }

    /// Whether what a connection is sent has to wait for a long answer.
    pub fn is_held(&self, id: ConnectionId) -> bool {
        self.connections.find(id).is_some_and(Connection::is_held)
    }

    /// Whether all connections together leave so much unsent that one of them has to go.
    pub fn is_overfull(&self) -> bool {
        self.budget.is_overfull()
    }

    /// What a connection has to send never leaves.
    pub(super) fn drop_output(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.find_mut(id) {
            self.budget.count_unsent(&mut connection.account, 0);
            self.outgoing.recycle(Outgoing::take(&mut connection.output));
        }
    }
}
