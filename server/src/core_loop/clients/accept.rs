//! New clients: let in or not, and dealt to the shards.
//!
//! A connection beyond the limits is let in for a moment, as long as these are few: its first bytes
//! show what it is. A four-letter word is answered, so that monitoring does not go blind when
//! clients are many; anything else ends the connection, unless there is room by then (guard:
//! `tests/conformance/limits.rs`, `gate::tests`).

use super::super::sockets::Place;
use super::{Client, Clients, Dealt};
use crate::gate::Denied;
use net::client::FrameDecoder;
use net::listener::{self, Listener};
use ring::Queue;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use tracing::{debug, warn};

impl Clients {
    /// Begins to accept.
    pub fn listen(&mut self, queue: &mut Queue<'_>, listener: Listener) {
        self.sockets.listen(queue, listener);
    }

    /// Stops accepting.
    pub fn stop_listening(&mut self, queue: &mut Queue<'_>) {
        self.sockets.stop_listening(queue);
    }

    /// A client was accepted: decides whether it may stay, and which shard gets it.
    pub(super) fn accepted(&mut self, queue: &mut Queue<'_>, socket: OwnedFd) {
        let Ok(peer) = listener::peer_address(&socket) else {
            return queue.close_after(socket, None);
        };
        match self.gate.enter(peer, self.shard.now().mono_ms) {
            Ok(seat) if seat.shard() == self.index => {
                self.open(queue, Dealt { socket, peer, seat });
            }
            Ok(seat) => self.dealt.push(Dealt { socket, peer, seat }),
            Err(denied) => {
                self.log_refused(peer, denied);
                queue.close_after(socket, None);
            }
        }
    }

    /// A connection beyond the limits has sent something other than a four-letter word: closes it,
    /// unless there is room now.
    /// True if it is closed.
    pub(super) fn maybe_refuse(&mut self, queue: &mut Queue<'_>, place: Place) -> bool {
        let now_ms = self.shard.now().mono_ms;
        let Some(client) = self.sockets.find_mut(place) else { return true };
        let Err(denied) = client.seat.settle(now_ms) else { return false };
        let peer = client.peer;
        self.log_refused(peer, denied);
        self.close(queue, place);
        true
    }

    fn log_refused(&mut self, peer: SocketAddr, denied: Denied) {
        // While clients are led elsewhere, each that comes is told so.
        if matches!(denied, Denied::Lease { .. }) {
            return debug!(%peer, "connection refused: {denied}");
        }
        if let Some(suppressed) = self.refusals.admits(self.now_ms) {
            warn!(%peer, suppressed, "connection refused: {denied}");
        }
    }

    /// Clients for other shards, drained by the caller.
    pub fn take_dealt(&mut self) -> std::vec::Drain<'_, Dealt> {
        self.dealt.drain(..)
    }

    /// Takes over a client that the gate has assigned to this shard.
    pub fn open(&mut self, queue: &mut Queue<'_>, dealt: Dealt) {
        let Dealt { socket, peer, seat } = dealt;
        let connection = self.shard.open(peer);
        let decoder = FrameDecoder::new(self.frame_bytes_max);
        let client =
            Client { peer, seat, connection, decoder, is_finished: false, is_paused: false };
        let place = self.sockets.open(queue, socket, client);
        let slot = connection.slot as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, None);
        }
        self.by_slot[slot] = Some(place);
        debug!(%peer, "accepted");
    }
}
