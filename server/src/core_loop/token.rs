//! What a completion belongs to, in the 64 bits that the ring carries for us.

use super::sockets::Owner;
use ring::Token;

/// An operation of a core loop. Operations of one socket share a token: the completion itself says
/// which of them has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The accept in this place of its owner's listeners.
    Accept(Owner, u32),
    /// An operation of the socket in this place of its owner's.
    Socket(Owner, u32),
    /// Writing a batch of the log from this slot.
    Write(u32),
    /// Flushing the log.
    Flush(u32),
}

impl Kind {
    pub(super) fn token(self) -> Token {
        let (owner, kind, place) = match self {
            Self::Accept(owner, place) => (owner as u64, 1, place),
            Self::Socket(owner, place) => (owner as u64, 2, place),
            Self::Write(place) => (0, 3, place),
            Self::Flush(place) => (0, 4, place),
        };
        Token(owner << 40 | kind << 32 | u64::from(place))
    }

    /// # Panics
    /// If the token is none of this module's.
    #[inline]
    pub(super) fn of(token: Token) -> Self {
        let (owner, place) = (token.0 >> 40, token.0 as u32);
        match token.0 >> 32 & 0xff {
            1 => Self::Accept(owner_of(owner), place),
            2 => Self::Socket(owner_of(owner), place),
            3 => Self::Write(place),
            4 => Self::Flush(place),
            kind => panic!("a completion of unknown kind {kind}"),
        }
    }
}

#[inline]
fn owner_of(number: u64) -> Owner {
    let owner = Owner::ALL.get(number as usize).copied();
    owner.unwrap_or_else(|| panic!("a completion of unknown owner {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_it_was_made_of() {
        for place in [0, 1, u32::MAX] {
            let of_sockets = Owner::ALL.iter().flat_map(|&owner| {
                assert_eq!(Owner::ALL[owner as usize], owner);
                [Kind::Accept(owner, place), Kind::Socket(owner, place)]
            });
            for kind in of_sockets.chain([Kind::Write(place), Kind::Flush(place)]) {
                assert_eq!(Kind::of(kind.token()), kind);
            }
        }
    }

    #[test]
    #[should_panic(expected = "unknown owner 255")]
    fn a_token_of_no_owner_is_a_bug() {
        Kind::of(Token(255 << 40 | 2 << 32));
    }

    #[test]
    #[should_panic(expected = "unknown kind 9")]
    fn a_token_of_no_kind_is_a_bug() {
        Kind::of(Token(9 << 32));
    }
}
