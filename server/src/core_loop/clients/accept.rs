//! Clients that come: let in or not, and dealt to the shards.
//!
//! A connection beyond the limits is let in for a moment, as long as these are few: what it is, its
//! first bytes say. A four-letter word is answered, for monitoring should not go blind when clients
//! are many; anything else ends it, unless there is room by then (guard:
//! `tests/conformance/limits.rs`, `gate::tests`).

use super::super::token::Kind;
use super::{Clients, Dealt, Input, Socket, Stage};
use crate::gate::Denied;
use net::client::FrameDecoder;
use net::listener::{self, Listener};
use ring::{OpId, Queue};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use tracing::{debug, warn};

/// Connections accepted in one turn before the listener rests until the next.
const ACCEPTED_PER_TURN_MAX: u32 = 64;

/// A listener, while it accepts and while it rests.
pub(super) struct Listening {
    listener: Listener,
    accept: Option<OpId>,
    accepted: u32,
}

impl Clients {
    /// Begins to accept.
    pub fn listen(&mut self, queue: &mut Queue<'_>, listener: Listener) {
        let place = self.listeners.len() as u32;
        let accept = Some(queue.accept_multishot(&listener, Kind::Accept(place).token()));
        self.listeners.push(Listening { listener, accept, accepted: 0 });
    }

    /// Stops accepting.
    pub fn stop_listening(&mut self, queue: &mut Queue<'_>) {
        for listening in self.listeners.drain(..) {
            if let Some(accept) = listening.accept {
                queue.cancel(accept);
            }
            let fd: OwnedFd = listening.listener.into();
            queue.close(fd);
        }
    }

    /// A client was accepted: decides whether it may stay, and whose it is.
    pub fn accepted(&mut self, queue: &mut Queue<'_>, place: u32, socket: OwnedFd) {
        if let Some(listening) = self.listeners.get_mut(place as usize) {
            listening.accepted += 1;
            if listening.accepted >= ACCEPTED_PER_TURN_MAX
                && let Some(accept) = listening.accept.take()
            {
                queue.cancel(accept);
            }
        }
        let Ok(peer) = listener::peer_address(&socket) else {
            return queue.close_after(socket, None);
        };
        match self.gate.enter(peer) {
            Ok(seat) if seat.shard() == self.index => {
                self.open(queue, Dealt { socket, peer, seat });
            }
            Ok(seat) => self.dealt.push(Dealt { socket, peer, seat }),
            Err(denied) => {
                self.tell_refused(peer, denied);
                queue.close_after(socket, None);
            }
        }
    }

    /// A connection beyond the limits is no four-letter word: closes it, unless there is room now.
    /// Says whether it is closed.
    pub(super) fn maybe_refuse(&mut self, queue: &mut Queue<'_>, place: u32) -> bool {
        let socket = &mut self.sockets[place as usize];
        let Err(denied) = socket.seat.settle() else { return false };
        let peer = socket.peer;
        self.tell_refused(peer, denied);
        self.close(queue, place);
        true
    }

    fn tell_refused(&mut self, peer: SocketAddr, denied: Denied) {
        if let Some(untold) = self.refusals.admits(self.now_ms) {
            warn!(%peer, untold, "connection refused: {denied}");
        }
    }

    /// Accepting ended: by its own hand, or because the process has no descriptors left.
    pub fn accept_ended(&mut self, place: u32, errno: ring::Errno) {
        if let Some(listening) = self.listeners.get_mut(place as usize) {
            if errno != ring::Errno::ECANCELED {
                warn!(
                    "accepting was interrupted: {errno}; raise the limit on open files (ulimit -n)"
                );
            }
            listening.accept = None;
        }
    }

    /// Clients for other shards, drained by the caller.
    pub fn take_dealt(&mut self) -> std::vec::Drain<'_, Dealt> {
        self.dealt.drain(..)
    }

    /// A client that the gate gave to this shard.
    pub fn open(&mut self, queue: &mut Queue<'_>, dealt: Dealt) {
        let Dealt { socket, peer, seat } = dealt;
        let connection = self.shard.open(peer);
        let place = self.sockets.vacant_key() as u32;
        let receive = Some(queue.recv_multishot(&socket, Kind::Receive(place).token()));
        self.sockets.insert(Socket {
            stage: Stage::Open(socket),
            input: Input::Open,
            peer,
            seat,
            connection,
            decoder: FrameDecoder::new(self.frame_bytes_max),
            receive,
            send: None,
            sending_bytes: 0,
            ending_since_ms: None,
            is_paused: false,
        });
        let slot = connection.slot as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, u32::MAX);
        }
        self.by_slot[slot] = place;
        debug!(%peer, "accepted");
    }

    /// Accepts again where a turn's share was taken.
    pub(super) fn accept_more(&mut self, queue: &mut Queue<'_>) {
        for place in 0..self.listeners.len() {
            let listening = &mut self.listeners[place];
            listening.accepted = 0;
            if listening.accept.is_none() {
                let token = Kind::Accept(place as u32).token();
                listening.accept = Some(queue.accept_multishot(&listening.listener, token));
            }
        }
    }
}
