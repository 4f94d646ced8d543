//! What other servers, and strangers, do wrong: one log line a second for each kind, and one a
//! minute for mistakes of configuration.

use crate::core_loop::rare::{Rares, SECOND_MS};
use model::peer::hello::{HelloError, HelloForm};
use model::peer::notification::NotificationError;
use model::peer::packet::PacketError;
use model::server::ServerId;
use ring::Errno;
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::ops::RangeInclusive;
use tracing::warn;

/// Something that is worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// An election link begins with something else than a hello.
    Hello,
    /// It begins with a hello of a version that this server does not know.
    HelloVersion {
        /// What it says.
        found: i64,
    },
    /// It is of this server, which the configuration does not have.
    Unlisted(ServerId),
    /// It is of a server of the configuration that says of itself that it is somewhere else.
    Elsewhere(ServerId),
    /// A server of the ensemble has another line for this one.
    OtherLine(ServerId),
    /// A connection has not said who it is in time.
    Silent,
    /// It was closed to make room for the next one.
    Crowded,
    /// It claims this server's own number.
    OurId,
    /// It is of a server outside the configuration, and there are too many already.
    Outsiders,
    /// The length of a message of an election link is out of bounds.
    Frame {
        /// What it says.
        length: i32,
    },
    /// A message of an election link is no notification: it is dropped.
    Notification(NotificationError),
    /// A learner link begins with something else than a learner's introduction.
    Introduction,
    /// Bytes of a learner link are no packet.
    Packet(PacketError),
    /// A packet that the other side does not send, passed over as ZooKeeper does.
    PassedOver(PacketError),
    /// So many bytes were sent to the peer, and it does not read them.
    Unread {
        /// How many.
        byte_count: usize,
    },
    /// The peer reads too little of what all links have to send, and this one has the most.
    UnreadOfAll {
        /// How many bytes it has.
        byte_count: usize,
    },
    /// A server of this number is to be sent something, and is neither known nor connected.
    Unknown(ServerId),
    /// Accepting was interrupted.
    Accept(Errno),
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello => f.write_str("the connection does not begin with a server's hello"),
            Self::HelloVersion { found } => write!(
                f,
                "the hello is of version {found}, and this server knows {} and {}: run the same \
                 release on every server",
                HelloForm::V1.code(),
                HelloForm::V2.code()
            ),
            Self::Unlisted(server) => write!(
                f,
                "server {server} is not in this server's configuration, and its vote does not \
                 count: give every server the same server.N lines"
            ),
            Self::Elsewhere(server) => write!(
                f,
                "server {server} says that it is at another address than in its server.N line \
                 here: give each server its own myid, and every server the same server.N lines"
            ),
            Self::OtherLine(server) => write!(
                f,
                "its server.N lines differ from this server's, first for server {server}: give \
                 every server the same lines"
            ),
            Self::Silent => f.write_str("the connection did not say which server it is of in time"),
            Self::Crowded => f.write_str(
                "the connection did not say which server it is of, and made room for a later one",
            ),
            Self::OurId => f.write_str(
                "the connection claims the number of this server: give each server its own myid, \
                 and every server the same server.N lines",
            ),
            Self::Outsiders => f.write_str(
                "the connection is of a server outside the configuration, as are too many already",
            ),
            Self::Frame { length } => write!(f, "a message of an election of {length} bytes"),
            Self::Notification(error) => write!(f, "a message is dropped: {error}"),
            Self::Introduction => {
                f.write_str("the connection does not begin as a learner introduces itself")
            }
            Self::Packet(error) => error.fmt(f),
            Self::PassedOver(error) => write!(f, "a packet is passed over: {error}"),
            Self::Unread { byte_count } => {
                write!(f, "the peer does not read, and {byte_count} bytes wait for it")
            }
            Self::UnreadOfAll { byte_count } => write!(
                f,
                "the peer has {byte_count} bytes to read, and all peers together have too many"
            ),
            Self::Unknown(server) => {
                write!(f, "server {server} is not in the configuration and has not connected")
            }
            Self::Accept(errno) => {
                write!(f, "accepting was interrupted: {errno}; raise the limit on open files")
            }
        }
    }
}

impl From<PacketError> for Complaint {
    fn from(error: PacketError) -> Self {
        Self::Packet(error)
    }
}

impl From<HelloError> for Complaint {
    fn from(error: HelloError) -> Self {
        match error {
            // Other negative numbers are what strangers happen to send.
            HelloError::Form { found } if HELLO_VERSIONS.contains(&found) => {
                Self::HelloVersion { found }
            }
            _ => Self::Hello,
        }
    }
}

impl Complaint {
    /// How long the next line of this kind waits, in ms: mistakes of configuration last until a
    /// person has read of them.
    fn pause_ms(&self) -> u64 {
        match self {
            Self::HelloVersion { .. }
            | Self::OurId
            | Self::Unlisted(_)
            | Self::Elsewhere(_)
            | Self::OtherLine(_)
            | Self::Unknown(_) => 60_000,
            _ => SECOND_MS,
        }
    }
}

/// What versions of a hello look like: stock counts them up from the first.
const HELLO_VERSIONS: RangeInclusive<i64> = -65_536..=-60_000;

/// Limits the lines: each kind has its own share.
#[derive(Debug)]
pub(super) struct Complaints {
    /// Which port these are about.
    port: &'static str,
    rares: Rares<Discriminant<Complaint>>,
    /// What was complained of, for tests.
    #[cfg(test)]
    pub(super) made: Vec<Complaint>,
}

impl Complaints {
    /// None yet.
    pub(super) fn new(port: &'static str) -> Self {
        Self {
            port,
            rares: Rares::default(),
            #[cfg(test)]
            made: Vec::new(),
        }
    }

    /// Logs a complaint about a peer, unless one of its kind was logged a moment ago.
    pub(super) fn make(&mut self, now_ms: u64, peer: &dyn fmt::Display, complaint: Complaint) {
        #[cfg(test)]
        self.made.push(complaint);
        let (kind, pause_ms) = (discriminant(&complaint), complaint.pause_ms());
        if let Some(suppressed) = self.rares.admits(kind, pause_ms, now_ms) {
            warn!(%peer, suppressed, "{} port: {complaint}", self.port);
        }
    }
}
