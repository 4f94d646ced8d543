//! What a completion belongs to, in the 64 bits that the ring carries for us.

use ring::Token;

/// An operation of a core loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Accepting on listener number `n`.
    Accept(u32),
    /// Receiving from the socket in this slot.
    Receive(u32),
    /// Sending to the socket in this slot.
    Send(u32),
    /// Writing a batch of the log from this slot.
    Write(u32),
    /// Flushing the log.
    Flush(u32),
}

impl Kind {
    pub(super) fn token(self) -> Token {
        let (kind, place) = match self {
            Self::Accept(place) => (1, place),
            Self::Receive(place) => (2, place),
            Self::Send(place) => (3, place),
            Self::Write(place) => (4, place),
            Self::Flush(place) => (5, place),
        };
        Token(kind << 32 | u64::from(place))
    }

    /// # Panics
    /// If the token was not made by this module.
    pub(super) fn of(token: Token) -> Self {
        let place = token.0 as u32;
        match token.0 >> 32 {
            1 => Self::Accept(place),
            2 => Self::Receive(place),
            3 => Self::Send(place),
            4 => Self::Write(place),
            5 => Self::Flush(place),
            kind => panic!("a completion of unknown kind {kind}"),
        }
    }
}
