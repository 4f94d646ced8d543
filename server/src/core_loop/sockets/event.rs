//! What completions come to.

use super::state::{Open, Pending, State};
use super::{Place, Sockets};
use crate::core_loop::token::Kind;
use ring::{Completion, Errno, Queue, Token};
use std::os::fd::OwnedFd;

/// What happened to one of an owner's sockets or listeners.
#[derive(Debug)]
pub enum Event<'bytes, T> {
    /// A connection was accepted: the owner opens it, or closes it.
    Accepted(OwnedFd),
    /// Accepting was interrupted by an error, and is taken up again by
    /// [`Sockets::accept_more`].
    AcceptFailed(Errno),
    /// A connect has succeeded: the socket is received from, and can be sent to.
    Opened(Place),
    /// A connect has failed. The socket is closed.
    NotConnected {
        /// What the owner kept with it.
        kept: T,
        /// Why.
        errno: Errno,
    },
    /// The peer has sent these bytes, at least one.
    Received {
        /// The socket.
        place: Place,
        /// As received.
        bytes: &'bytes [u8],
    },
    /// A send has ended: all was handed to the kernel, or nothing more will be.
    Sent {
        /// The socket, which takes the next send.
        place: Place,
        /// The buffer.
        spent: Spent,
        /// Whether all was sent.
        result: Result<(), Errno>,
    },
    /// The send of a socket that is closed or detached has ended.
    Returned(Spent),
    /// Nothing more will be received. The socket stays open, and can be sent to, until the owner
    /// closes it.
    Ended {
        /// The socket.
        place: Place,
        /// Why.
        end: End,
    },
    /// A socket to be served elsewhere has nothing in flight any more.
    Detached(Detached<T>),
    /// Nothing that the owner has to know.
    Nothing,
}

/// The buffer of a send that has ended.
#[derive(Debug)]
pub struct Spent {
    /// Empty, with its capacity.
    pub buffer: Vec<u8>,
    /// How many bytes it held.
    pub bytes: usize,
}

/// A socket that was given back.
#[derive(Debug)]
pub struct Detached<T> {
    /// The socket: no operation of the ring is in flight for it.
    pub fd: OwnedFd,
    /// What the owner kept with it.
    pub kept: T,
    /// The buffer of the send that was the last in flight.
    pub spent: Option<Spent>,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer has closed its side. It may still receive.
    Stream,
    /// The connection is broken: there is no peer any more.
    Failed(Errno),
}

impl<T> Sockets<T> {
    /// Notes that an operation on one of these sockets or listeners has completed, or that it has
    /// received or accepted something.
    ///
    /// # Panics
    /// If the completion's token is none of this owner's sockets and listeners.
    #[inline]
    pub fn handle<'bytes>(
        &mut self,
        queue: &mut Queue<'_>,
        completion: Completion<'bytes>,
    ) -> Event<'bytes, T> {
        match completion {
            Completion::Received { token, bytes } => {
                let place = Place::of(token);
                if self.opened(place).is_some_and(Open::is_heard) {
                    Event::Received { place, bytes }
                } else {
                    Event::Nothing
                }
            }
            Completion::Sent { token, buffer, result } => {
                self.sent(Place::of(token), buffer, result.map(drop))
            }
            Completion::ReceiveClosed { token } => self.ended(Place::of(token), End::Stream),
            Completion::ReceiveFailed { token, errno } => {
                self.ended(Place::of(token), End::Failed(errno))
            }
            Completion::ReceiveCancelled { token } => self.cancelled(queue, token),
            Completion::Connected { token, result } => self.connected(queue, token, result),
            Completion::Accepted { token, fd } => {
                self.listeners.accepted(queue, token);
                Event::Accepted(fd)
            }
            Completion::AcceptEnded { token, errno } => {
                let failure = self.listeners.ended(token, errno);
                failure.map_or(Event::Nothing, Event::AcceptFailed)
            }
            Completion::Written { .. } | Completion::Flushed { .. } | Completion::Woken => {
                panic!("{completion:?} is of no socket")
            }
        }
    }

    fn sent(
        &mut self,
        place: Place,
        buffer: Vec<u8>,
        result: Result<(), Errno>,
    ) -> Event<'static, T> {
        let state = &mut self.places[place.index()].state;
        let pending = match state {
            State::Open(open) => {
                let spent = Spent { buffer, bytes: open.end_send() };
                return Event::Sent { place, spent, result };
            }
            State::Detaching { pending, .. } | State::Closed(pending) => pending,
            State::Connecting { .. } => panic!("a socket is sent to before it is connected"),
        };
        let (bytes, rest) = pending.without_send();
        let spent = Spent { buffer, bytes };
        match self.complete(place, rest) {
            Some(detached) => Event::Detached(Detached { spent: Some(spent), ..detached }),
            None => Event::Returned(spent),
        }
    }

    fn ended(&mut self, place: Place, end: End) -> Event<'static, T> {
        match &mut self.places[place.index()].state {
            State::Open(open) => {
                open.receive_ended();
                Event::Ended { place, end }
            }
            _ => self.receive_completed(place),
        }
    }

    fn cancelled(&mut self, queue: &mut Queue<'_>, token: Token) -> Event<'static, T> {
        let place = Place::of(token);
        match &mut self.places[place.index()].state {
            State::Open(open) => {
                open.receive_cancelled(queue, token);
                Event::Nothing
            }
            _ => self.receive_completed(place),
        }
    }

    /// The receive of a socket that is not open any more has completed.
    fn receive_completed(&mut self, place: Place) -> Event<'static, T> {
        let rest = match &self.places[place.index()].state {
            State::Detaching { pending, .. } | State::Closed(pending) => pending.without_receive(),
            State::Connecting { .. } | State::Open(_) => panic!("the socket is in use"),
        };
        self.complete(place, rest).map_or(Event::Nothing, Event::Detached)
    }

    fn connected(
        &mut self,
        queue: &mut Queue<'_>,
        token: Token,
        result: Result<(), Errno>,
    ) -> Event<'static, T> {
        let place = Place::of(token);
        let socket = &mut self.places[place.index()];
        let state = std::mem::replace(&mut socket.state, State::Closed(Pending::Connect));
        match (state, result) {
            (State::Connecting { fd, .. }, Ok(())) => {
                socket.state = State::Open(Open::new(queue, fd, token));
                Event::Opened(place)
            }
            (State::Connecting { fd, .. }, Err(errno)) => {
                queue.close_after(fd, None);
                Event::NotConnected { kept: self.places.remove(place.index()).kept, errno }
            }
            (State::Closed(Pending::Connect), _) => {
                self.places.remove(place.index());
                Event::Nothing
            }
            (state, _) => panic!("a connect has completed that was not begun: {state:?}"),
        }
    }

    /// An operation of a socket that is not open any more has completed, and these are left. The
    /// last one frees the place; the socket is handed out then if it was detached.
    fn complete(&mut self, place: Place, rest: Option<Pending>) -> Option<Detached<T>> {
        let Some(rest) = rest else {
            let socket = self.places.remove(place.index());
            let kept = socket.kept;
            return socket.state.into_fd().map(|fd| Detached { fd, kept, spent: None });
        };
        match &mut self.places[place.index()].state {
            State::Detaching { pending, .. } | State::Closed(pending) => *pending = rest,
            State::Connecting { .. } | State::Open(_) => panic!("the socket is in use"),
        }
        None
    }
}

impl Place {
    #[inline]
    fn of(token: Token) -> Self {
        match Kind::of(token) {
            Kind::Socket(_, place) => Self(place),
            kind => panic!("{kind:?} is no operation of a socket"),
        }
    }
}
