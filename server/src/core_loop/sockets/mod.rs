//! The life of a socket on the ring, for any owner: connected or accepted, received from, sent to,
//! closed.
//!
//! An owner keeps a value of its own with each socket, receives what happens as [`Event`]s, and
//! asks for everything else: [`Sockets::open`], [`Sockets::connect`], [`Sockets::sender`],
//! [`Sockets::pause`] and [`Sockets::resume`], [`Sockets::linger`], [`Sockets::detach`],
//! [`Sockets::close`]. Which operations are in flight, what becomes of a completion that comes
//! after the end, and when a place may be reused is known here alone. The owners of a loop share
//! its ring: every token says whose socket it belongs to ([`Owner`]).
//!
//! The map: this file (what an owner asks), `state` (where a socket is in its life), `event` (what
//! completions come to), `listeners` (accepting).
//!
//! **Invariants**
//! - A socket has at most one operation of each kind in flight: a connect, or a receive and a send
//!   (guards: the assertions in `state`, `tests::traffic::one_send_at_a_time`).
//! - A place is reused only when no completion can name it any more: the last one frees it, or the
//!   close does if nothing is in flight (guards: `tests::endings`, `tests::places`).
//! - An owner cannot reach a socket that it has closed or detached. The value that it kept there is
//!   dropped with the last completion, and the buffer of a send always comes back (guard:
//!   `tests::endings`).
//! - A descriptor is closed once, by the ring, or handed out once (guard: `tests::endings`).
//! - A listener has one accept in flight that is not cancelled (guard:
//!   `tests::accepting::a_burst_leaves_one_accept_in_flight`).
//!
//! **What is deliberately not here**: frames and what they mean, what waits to be sent, deadlines
//! (an owner closes what takes too long), who may connect, whether a connect is tried again.
//!
//! Lives in: a core loop, within each owner.

mod event;
mod listeners;
mod state;
#[cfg(test)]
mod tests;

pub use event::{Detached, End, Event, Spent};

use super::token::Kind;
use listeners::Listeners;
use net::listener::Listener;
use net::outgoing::bound_unacknowledged;
use ring::{Queue, Token};
use slab::Slab;
use state::{Open, Pending, Socket, State};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Whose sockets these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A shard's clients.
    Clients,
    /// Election links.
    Elections,
    /// Learner links.
    Learners,
    /// The port for observers; what is accepted there are learner links.
    Observers,
}

impl Owner {
    /// Each at its number.
    pub const ALL: [Self; 4] = [Self::Clients, Self::Elections, Self::Learners, Self::Observers];
}

/// Where a socket is kept. Names that socket until its last operation has completed, and then
/// perhaps another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u32);

impl Place {
    fn index(self) -> usize {
        self.0 as usize
    }

    fn token(self, owner: Owner) -> Token {
        Kind::Socket(owner, self.0).token()
    }
}

/// The sockets of one owner, which keeps a `T` with each.
#[derive(Debug)]
pub struct Sockets<T> {
    owner: Owner,
    places: Slab<Socket<T>>,
    listeners: Listeners,
}

impl<T> Sockets<T> {
    /// None yet.
    pub fn new(owner: Owner) -> Self {
        Self { owner, places: Slab::new(), listeners: Listeners::new(owner) }
    }

    /// Accepts connections from now on: [`Event::Accepted`] each.
    pub fn listen(&mut self, queue: &mut Queue<'_>, listener: Listener) {
        self.listeners.listen(queue, listener);
    }

    /// Accepts again where a turn's share was taken, or accepting has failed. To be called once a
    /// turn.
    pub fn accept_more(&mut self, queue: &mut Queue<'_>) {
        self.listeners.accept_more(queue);
    }

    /// Closes the listeners. Connections that were accepted before may still be reported.
    pub fn stop_listening(&mut self, queue: &mut Queue<'_>) {
        self.listeners.stop(queue);
    }

    /// Takes over a connected socket, and receives from it.
    pub fn open(&mut self, queue: &mut Queue<'_>, fd: OwnedFd, kept: T) -> Place {
        let place = self.vacant();
        let open = Open::new(queue, fd, place.token(self.owner));
        self.places.insert(Socket { state: State::Open(open), kept });
        place
    }

    /// Takes over a socket that is not connected yet, and connects it: [`Event::Opened`], or
    /// [`Event::NotConnected`].
    pub fn connect(
        &mut self,
        queue: &mut Queue<'_>,
        fd: OwnedFd,
        address: SocketAddr,
        kept: T,
    ) -> Place {
        let place = self.vacant();
        let connect = queue.connect(&fd, address, place.token(self.owner));
        self.places.insert(Socket { state: State::Connecting { fd, connect }, kept });
        place
    }

    fn vacant(&self) -> Place {
        Place(u32::try_from(self.places.vacant_key()).expect("descriptors are 31 bits"))
    }

    /// What the owner keeps with a socket that it has neither closed nor detached.
    #[inline]
    pub fn find(&self, place: Place) -> Option<&T> {
        self.places.get(place.index()).filter(|socket| socket.is_owned()).map(|it| &it.kept)
    }

    /// The same, to be changed.
    #[inline]
    pub fn find_mut(&mut self, place: Place) -> Option<&mut T> {
        let socket = self.places.get_mut(place.index())?;
        socket.is_owned().then_some(&mut socket.kept)
    }

    /// Bytes of the send in flight.
    #[inline]
    pub fn sending_bytes(&self, place: Place) -> usize {
        self.opened(place).map_or(0, Open::sending_bytes)
    }

    /// A connection counts as broken once what was sent is not acknowledged for so long, if the
    /// kernel can tell.
    pub fn bound_unacknowledged(&self, place: Place, limit_ms: u32) {
        if let Some(open) = self.opened(place) {
            let _ = bound_unacknowledged(&open.fd, limit_ms);
        }
    }

    /// Since when a socket lingers, if it does.
    #[inline]
    pub fn lingering_since_ms(&self, place: Place) -> Option<u64> {
        self.opened(place)?.lingering_since_ms
    }

    /// The way to send on an open socket, unless a send is in flight.
    #[inline]
    pub fn sender(&mut self, place: Place) -> Option<Sender<'_>> {
        let token = place.token(self.owner);
        let open = self.opened_mut(place)?;
        (!open.is_sending()).then_some(Sender { open, token })
    }

    /// Receives no more until [`Self::resume`]. What is on its way may still be reported.
    pub fn pause(&mut self, queue: &mut Queue<'_>, place: Place) {
        if let Some(open) = self.opened_mut(place) {
            open.pause(queue);
        }
    }

    /// Receives again, if a pause was on. False if nothing more will ever be received.
    #[inline]
    pub fn resume(&mut self, queue: &mut Queue<'_>, place: Place) -> bool {
        let token = place.token(self.owner);
        self.opened_mut(place).is_some_and(|open| open.resume(queue, token))
    }

    /// Whether nothing is in flight for an open socket: all that was received is reported, and it
    /// can be detached at once. A socket comes to rest by a pause.
    pub fn is_at_rest(&self, place: Place) -> bool {
        self.opened(place).is_some_and(|open| open.pending().is_none())
    }

    /// Receives nothing any more. Whether the peer has ended the stream by then, or breaks it, is
    /// reported all the same.
    pub fn end_receive(&mut self, queue: &mut Queue<'_>, place: Place) {
        if let Some(open) = self.opened_mut(place) {
            open.end_receive(queue);
        }
    }

    /// What is received from now on is dropped, so that the peer, which would be reset by a close
    /// with bytes unread, can take the last that it is sent. Nothing if the socket lingers already.
    pub fn linger(&mut self, place: Place, now_ms: u64) {
        if let Some(open) = self.opened_mut(place) {
            open.lingering_since_ms.get_or_insert(now_ms);
        }
    }

    /// Gives a socket back that is to be served elsewhere: at once if nothing is in flight, else as
    /// [`Event::Detached`] when the receive, which is cancelled, and the send have completed; what
    /// is received until then is dropped. Nothing if the socket is not open.
    pub fn detach(&mut self, queue: &mut Queue<'_>, place: Place) -> Option<Detached<T>> {
        let socket = self.places.get_mut(place.index())?;
        let State::Open(open) = &mut socket.state else { return None };
        open.end_receive(queue);
        let Some(pending) = open.pending() else {
            let socket = self.places.remove(place.index());
            return Some(Detached { fd: socket.state.into_fd()?, kept: socket.kept, spent: None });
        };
        let state = std::mem::replace(&mut socket.state, State::Closed(pending));
        socket.state = State::Detaching { fd: state.into_fd()?, pending };
        None
    }

    /// Closes a socket at once; bytes still unsent are dropped. Nothing if it is closed or detached
    /// already.
    pub fn close(&mut self, queue: &mut Queue<'_>, place: Place) {
        let Some(socket) = self.places.get_mut(place.index()) else { return };
        let (operations, pending) = match &socket.state {
            State::Connecting { connect, .. } => ([Some(*connect), None], Some(Pending::Connect)),
            State::Open(open) => (open.operations(), open.pending()),
            State::Detaching { .. } | State::Closed(_) => return,
        };
        let state = match pending {
            Some(pending) => std::mem::replace(&mut socket.state, State::Closed(pending)),
            None => self.places.remove(place.index()).state,
        };
        if let Some(fd) = state.into_fd() {
            queue.close_after(fd, operations.into_iter().flatten());
        }
    }

    /// The sockets that are neither closed nor detached, with the bytes of their sends in flight.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &T, usize)> {
        let owned = self.places.iter().filter(|(_, socket)| socket.is_owned());
        owned.map(|(index, socket)| {
            let sending_bytes = socket.opened().map_or(0, Open::sending_bytes);
            (Place(index as u32), &socket.kept, sending_bytes)
        })
    }

    /// The socket at this index of [`Self::place_count`], if it is neither closed nor detached.
    pub fn at(&self, index: usize) -> Option<Place> {
        let place = Place(u32::try_from(index).ok()?);
        self.find(place).map(|_| place)
    }

    /// Places below this may be in use.
    pub fn place_count(&self) -> usize {
        self.places.capacity()
    }

    /// Frees places that are not needed any more, if there are more than `kept_max`.
    pub fn trim(&mut self, kept_max: usize) {
        let capacity = self.places.capacity();
        if capacity > kept_max && self.places.len() < capacity / 4 {
            self.places.shrink_to_fit();
        }
    }

    /// How many there are, including those that are closed and have operations in flight.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[inline]
    fn opened(&self, place: Place) -> Option<&Open> {
        self.places.get(place.index())?.opened()
    }

    #[inline]
    fn opened_mut(&mut self, place: Place) -> Option<&mut Open> {
        match &mut self.places.get_mut(place.index())?.state {
            State::Open(open) => Some(open),
            State::Connecting { .. } | State::Detaching { .. } | State::Closed(_) => None,
        }
    }
}

/// An open socket with no send in flight: the right to begin one.
#[derive(Debug)]
pub struct Sender<'sockets> {
    open: &'sockets mut Open,
    token: Token,
}

impl Sender<'_> {
    /// Sends all of `buffer`: [`Event::Sent`] gives it back.
    #[inline]
    pub fn send(self, queue: &mut Queue<'_>, buffer: Vec<u8>) {
        self.open.begin_send(queue, buffer, self.token);
    }
}
