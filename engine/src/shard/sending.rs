//! What is sent: each connection's output, at the end of the turn.
//!
//! Invariant: no byte of an output is sent before the long answer that has its place there (guard:
//! `crate::tests::long::a_listing_shows_one_version_and_comes_before_its_events`).

use super::Shard;
use super::connection::Connection;
use super::output::Outgoing;
use crate::batch::ConnectionId;

impl Shard {
    /// The slots of connections with something to send since the list was last taken. The caller
    /// takes the list, calls [`Self::clean`] for each, and returns its memory.
    pub fn dirty_mut(&mut self) -> &mut Vec<u32> {
        self.outgoing.dirty_mut()
    }

    /// The connection in a dirty slot, no longer marked, if it still exists and receives anything.
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

    /// What a connection has to send, if anything; its memory returns through [`Self::sent`].
    pub fn take_output(&mut self, id: ConnectionId) -> Option<Vec<u8>> {
        let connection = self.connections.find_mut(id)?;
        let has_output = !connection.is_gone() && connection.output.len() > 0;
        if !has_output || connection.is_held() {
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

    /// A buffer of which this many bytes were to be sent: they have been, or never will be.
    pub fn sent(&mut self, buffer: Vec<u8>, bytes: usize) {
        self.budget.end_send(bytes);
        self.outgoing.recycle(buffer);
    }

    /// Whether what a connection is sent has to wait for a long answer.
    pub fn is_held(&self, id: ConnectionId) -> bool {
        self.connections.find(id).is_some_and(Connection::is_held)
    }

    /// Whether all connections together leave so much unsent that one of them must be closed.
    pub fn is_overfull(&self) -> bool {
        self.budget.is_overfull()
    }

    /// What a connection has to send will never be sent.
    pub(super) fn drop_output(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.find_mut(id) {
            self.budget.count_unsent(&mut connection.account, 0);
            self.outgoing.recycle(Outgoing::take(&mut connection.output));
        }
    }
}
