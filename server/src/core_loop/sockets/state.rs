//! Where a socket is in its life.

use ring::{OpId, Queue, Token};
use std::os::fd::OwnedFd;

/// A place that is in use.
#[derive(Debug)]
pub(super) struct Socket<T> {
    pub(super) state: State,
    /// The owner's.
    pub(super) kept: T,
}

impl<T> Socket<T> {
    /// Whether its owner has neither closed nor detached it.
    #[inline]
    pub(super) fn is_owned(&self) -> bool {
        matches!(self.state, State::Connecting { .. } | State::Open(_))
    }

    #[inline]
    pub(super) fn opened(&self) -> Option<&Open> {
        match &self.state {
            State::Open(open) => Some(open),
            State::Connecting { .. } | State::Detaching { .. } | State::Closed(_) => None,
        }
    }
}

/// The states of a socket, each with what it needs.
#[derive(Debug)]
pub(super) enum State {
    /// Not connected yet.
    Connecting {
        fd: OwnedFd,
        /// In flight.
        connect: OpId,
    },
    /// Received from and sent to.
    Open(Open),
    /// To be handed out when these operations have completed.
    Detaching { fd: OwnedFd, pending: Pending },
    /// Given to the ring to close; these operations are still to complete.
    Closed(Pending),
}

impl State {
    /// The descriptor, if it is still here.
    pub(super) fn into_fd(self) -> Option<OwnedFd> {
        match self {
            Self::Connecting { fd, .. } | Self::Detaching { fd, .. } => Some(fd),
            Self::Open(open) => Some(open.fd),
            Self::Closed(_) => None,
        }
    }
}

/// What is in flight for a socket that nothing more is begun for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    Connect,
    Receive,
    Send { bytes: usize },
    ReceiveAndSend { bytes: usize },
}

impl Pending {
    /// The receive has completed: what is left.
    pub(super) fn without_receive(self) -> Option<Self> {
        match self {
            Self::Receive => None,
            Self::ReceiveAndSend { bytes } => Some(Self::Send { bytes }),
            Self::Connect | Self::Send { .. } => panic!("a receive completed that was not begun"),
        }
    }

    /// The send has completed: its bytes, and what is left.
    pub(super) fn without_send(self) -> (usize, Option<Self>) {
        match self {
            Self::Send { bytes } => (bytes, None),
            Self::ReceiveAndSend { bytes } => (bytes, Some(Self::Receive)),
            Self::Connect | Self::Receive => panic!("a send completed that was not begun"),
        }
    }
}

/// A socket that is received from and sent to.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) fd: OwnedFd,
    receive: Receive,
    send: Option<Sending>,
    /// What is received is dropped; since when, in ms of the owner's clock.
    pub(super) lingering_since_ms: Option<u64>,
}

/// The receiving half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receive {
    /// In flight.
    Armed(OpId),
    /// Cancelled, and in flight until the ring reports its end.
    Cancelled(Then),
    /// Not in flight, by the owner's request.
    Paused,
    /// Nothing more is received.
    Over,
}

/// What follows a cancelled receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Rearm,
    Pause,
    End,
}

/// A send in flight.
#[derive(Clone, Copy, Debug)]
struct Sending {
    send: OpId,
    bytes: usize,
}

impl Open {
    /// Begins to receive.
    pub(super) fn new(queue: &mut Queue<'_>, fd: OwnedFd, token: Token) -> Self {
        let receive = Receive::Armed(queue.recv_multishot(&fd, token));
        Self { fd, receive, send: None, lingering_since_ms: None }
    }

    /// Whether the owner is to see what is received.
    #[inline]
    pub(super) fn is_heard(&self) -> bool {
        let is_receiving = matches!(
            self.receive,
            Receive::Armed(_) | Receive::Cancelled(Then::Rearm | Then::Pause)
        );
        is_receiving && self.lingering_since_ms.is_none()
    }

    pub(super) fn pause(&mut self, queue: &mut Queue<'_>) {
        match self.receive {
            Receive::Armed(receive) => {
                queue.cancel(receive);
                self.receive = Receive::Cancelled(Then::Pause);
            }
            Receive::Cancelled(Then::Rearm) => self.receive = Receive::Cancelled(Then::Pause),
            Receive::Cancelled(Then::Pause | Then::End) | Receive::Paused | Receive::Over => (),
        }
    }

    /// Says whether more may be received.
    #[inline]
    pub(super) fn resume(&mut self, queue: &mut Queue<'_>, token: Token) -> bool {
        match self.receive {
            Receive::Armed(_) | Receive::Cancelled(Then::Rearm) => true,
            Receive::Cancelled(Then::Pause) => {
                self.receive = Receive::Cancelled(Then::Rearm);
                true
            }
            Receive::Paused => {
                self.arm(queue, token);
                true
            }
            Receive::Cancelled(Then::End) | Receive::Over => false,
        }
    }

    pub(super) fn end_receive(&mut self, queue: &mut Queue<'_>) {
        match self.receive {
            Receive::Armed(receive) => {
                queue.cancel(receive);
                self.receive = Receive::Cancelled(Then::End);
            }
            Receive::Cancelled(_) => self.receive = Receive::Cancelled(Then::End),
            Receive::Paused | Receive::Over => self.receive = Receive::Over,
        }
    }

    /// The receive has ended because it was cancelled.
    pub(super) fn receive_cancelled(&mut self, queue: &mut Queue<'_>, token: Token) {
        match self.receive {
            Receive::Armed(_) | Receive::Cancelled(Then::Rearm) => self.arm(queue, token),
            Receive::Cancelled(Then::Pause) => self.receive = Receive::Paused,
            Receive::Cancelled(Then::End) => self.receive = Receive::Over,
            Receive::Paused | Receive::Over => panic!("a receive completed that was not begun"),
        }
    }

    /// The receive has ended for good.
    pub(super) fn receive_ended(&mut self) {
        let is_in_flight = matches!(self.receive, Receive::Armed(_) | Receive::Cancelled(_));
        assert!(is_in_flight, "a receive completed that was not begun");
        self.receive = Receive::Over;
    }

    fn arm(&mut self, queue: &mut Queue<'_>, token: Token) {
        self.receive = Receive::Armed(queue.recv_multishot(&self.fd, token));
    }

    #[inline]
    pub(super) fn is_sending(&self) -> bool {
        self.send.is_some()
    }

    /// Bytes of the send in flight.
    #[inline]
    pub(super) fn sending_bytes(&self) -> usize {
        self.send.map_or(0, |sending| sending.bytes)
    }

    #[inline]
    pub(super) fn begin_send(&mut self, queue: &mut Queue<'_>, buffer: Vec<u8>, token: Token) {
        assert!(self.send.is_none(), "a second send of a socket would mix with the first");
        let bytes = buffer.len();
        self.send = Some(Sending { send: queue.send(&self.fd, buffer, token), bytes });
    }

    /// The send has completed: its bytes.
    #[inline]
    pub(super) fn end_send(&mut self) -> usize {
        self.send.take().expect("a send completes after it was begun").bytes
    }

    /// What has to be cancelled before the socket is closed.
    pub(super) fn operations(&self) -> [Option<OpId>; 2] {
        let receive = match self.receive {
            Receive::Armed(receive) => Some(receive),
            Receive::Cancelled(_) | Receive::Paused | Receive::Over => None,
        };
        [receive, self.send.map(|sending| sending.send)]
    }

    /// What is in flight, cancelled or not.
    pub(super) fn pending(&self) -> Option<Pending> {
        let is_receiving = matches!(self.receive, Receive::Armed(_) | Receive::Cancelled(_));
        match (is_receiving, self.send) {
            (true, Some(Sending { bytes, .. })) => Some(Pending::ReceiveAndSend { bytes }),
            (true, None) => Some(Pending::Receive),
            (false, Some(Sending { bytes, .. })) => Some(Pending::Send { bytes }),
            (false, None) => None,
        }
    }
}
