//! Accepting: listeners, and the accepts in flight for them.

use super::Owner;
use crate::core_loop::token::Kind;
use net::listener::Listener;
use ring::{Errno, OpId, Queue, Token};
use slab::Slab;
use std::os::fd::OwnedFd;

/// Connections accepted in one turn before a listener rests until the next.
pub(super) const ACCEPTED_PER_TURN_MAX: u32 = 64;

/// The listeners of an owner.
///
/// Each accept has a place of its own, since a listener accepts again before the accept that it
/// has cancelled is known to have ended.
#[derive(Debug)]
pub(super) struct Listeners {
    owner: Owner,
    open: Vec<Listening>,
    accepts: Slab<Accept>,
}

#[derive(Debug)]
struct Listening {
    listener: Listener,
    /// The accept that is in flight and not cancelled, and its place.
    accept: Option<(OpId, u32)>,
    /// Connections accepted in this turn.
    accepted: u32,
}

/// An accept in flight.
#[derive(Clone, Copy, Debug)]
enum Accept {
    /// For the listener with this index.
    Armed(usize),
    /// What it still brings counts for no listener.
    Cancelled,
}

impl Listeners {
    pub(super) fn new(owner: Owner) -> Self {
        Self { owner, open: Vec::new(), accepts: Slab::new() }
    }

    pub(super) fn listen(&mut self, queue: &mut Queue<'_>, listener: Listener) {
        self.open.push(Listening { listener, accept: None, accepted: 0 });
        self.arm(queue, self.open.len() - 1);
    }

    fn arm(&mut self, queue: &mut Queue<'_>, index: usize) {
        let listening = &mut self.open[index];
        let place = self.accepts.insert(Accept::Armed(index)) as u32;
        let token = Kind::Accept(self.owner, place).token();
        listening.accept = Some((queue.accept_multishot(&listening.listener, token), place));
    }

    /// A turn is over: each listener accepts again.
    pub(super) fn accept_more(&mut self, queue: &mut Queue<'_>) {
        for index in 0..self.open.len() {
            self.open[index].accepted = 0;
            if self.open[index].accept.is_none() {
                self.arm(queue, index);
            }
        }
    }

    /// Closes the listeners.
    pub(super) fn stop(&mut self, queue: &mut Queue<'_>) {
        for Listening { listener, accept, .. } in self.open.drain(..) {
            if let Some((_, place)) = accept {
                self.accepts[place as usize] = Accept::Cancelled;
            }
            let fd: OwnedFd = listener.into();
            queue.close_after(fd, accept.map(|(accept, _)| accept));
        }
    }

    /// A connection was accepted: the listener rests if that was its turn's share.
    pub(super) fn accepted(&mut self, queue: &mut Queue<'_>, token: Token) {
        let accept = &mut self.accepts[place_of(token)];
        let Accept::Armed(index) = *accept else { return };
        let listening = &mut self.open[index];
        listening.accepted += 1;
        if listening.accepted >= ACCEPTED_PER_TURN_MAX
            && let Some((armed, _)) = listening.accept.take()
        {
            queue.cancel(armed);
            *accept = Accept::Cancelled;
        }
    }

    /// An accept has ended. Gives the error, unless it was cancelled.
    pub(super) fn ended(&mut self, token: Token, errno: Errno) -> Option<Errno> {
        match self.accepts.remove(place_of(token)) {
            Accept::Armed(index) => {
                self.open[index].accept = None;
                (errno != Errno::ECANCELED).then_some(errno)
            }
            Accept::Cancelled => None,
        }
    }
}

fn place_of(token: Token) -> usize {
    match Kind::of(token) {
        Kind::Accept(_, place) => place as usize,
        kind => panic!("{kind:?} is no accept"),
    }
}
