//! Why a configuration cannot be changed so.

use crate::limits::CONFIGURATION_BYTES_MAX;
use model::error::ErrorCode;
use model::peer::membership::{Fault, MembershipError};
use model::server::ServerId;
use std::fmt;

/// Why a configuration cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another change is proposed, and not in force yet.
    InProgress,
    /// It was to follow another version.
    Version {
        /// Which one.
        from: i64,
        /// The one in force.
        current: i64,
    },
    /// The whole configuration that is given is none.
    Whole(MembershipError),
    /// Part of a configuration with groups cannot be changed.
    Groups,
    /// What is to join is not `server.N=...`.
    Entry(String),
    /// The number of a server is none.
    Number(String),
    /// The line of a server that is to join cannot be one.
    Joining {
        /// Which one.
        id: ServerId,
        /// What is wrong.
        fault: Fault,
    },
    /// The line of a server that is to join does not say where its clients connect.
    NoClientPort(ServerId),
    /// Another server is at an address of one that is to join.
    Taken {
        /// The one that is to join.
        id: ServerId,
        /// The one that is there.
        other: ServerId,
    },
    /// The configuration would be so many bytes long.
    TooLong(usize),
    /// Nobody, or too few, would vote.
    TooFew {
        /// How many.
        voters: usize,
        /// Whether stock stumbles over it while it reads.
        is_marshalling: bool,
    },
    /// So many voters do not follow that they are no quorum.
    NoQuorum {
        /// Those that do not.
        missing: Vec<ServerId>,
    },
}

impl Refusal {
    /// What a client is answered.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InProgress => ErrorCode::ReconfigInProgress,
            Self::Version { .. } => ErrorCode::BadVersion,
            Self::Whole(error) => match error.fault {
                Fault::Number
                | Fault::Weight
                | Fault::Group
                | Fault::Version
                | Fault::NoSuchMember { .. } => ErrorCode::MarshallingError,
                _ => ErrorCode::BadArguments,
            },
            Self::Number(_) | Self::TooFew { is_marshalling: true, .. } => {
                ErrorCode::MarshallingError
            }
            Self::Groups
            | Self::Entry(_)
            | Self::Joining { .. }
            | Self::NoClientPort(_)
            | Self::Taken { .. }
            | Self::TooLong(_)
            | Self::TooFew { .. } => ErrorCode::BadArguments,
            Self::NoQuorum { .. } => ErrorCode::NewConfigNoQuorum,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProgress => f.write_str("another change is not in force yet: try again"),
            Self::Version { from, current } => write!(
                f,
                "the configuration has version {current:x} and not {from:x}: somebody has changed \
                 it meanwhile; look at it again"
            ),
            Self::Whole(error) => error.fmt(f),
            Self::Groups => f.write_str(
                "the configuration has groups, of which no part can be changed: give all of its \
                 lines",
            ),
            Self::Entry(text) => write!(
                f,
                "{text}: must be server.N=host:port:port:role;clientPort (a configuration has no \
                 groups unless it is given as a whole)"
            ),
            Self::Number(text) => write!(f, "{text:?} is not the number of a server"),
            Self::Joining { id, fault } => write!(f, "server.{id}: {fault}"),
            Self::NoClientPort(id) => write!(
                f,
                "server.{id} does not say where its clients connect: add ;clientPort to the line"
            ),
            Self::Taken { id, other } => {
                write!(f, "server.{id} would have an address that server {other} has")
            }
            Self::TooLong(bytes) => write!(
                f,
                "the configuration would have {bytes} bytes, and at most \
                 {CONFIGURATION_BYTES_MAX} can be: name fewer servers, or shorter hosts"
            ),
            Self::TooFew { voters: 0, .. } => f.write_str("nobody would vote"),
            Self::TooFew { voters, .. } => write!(
                f,
                "only {voters} would vote: an ensemble shrinks to one server with \
                 standaloneEnabled=false in every file only"
            ),
            Self::NoQuorum { missing } => {
                let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "no quorum of the new configuration follows the leader: start server {} \
                     first, and wait until it follows",
                    missing.join(", ")
                )
            }
        }
    }
}
