//! What other servers, and strangers, do wrong: one log line a second for each kind.

use crate::core_loop::rare::Rare;
use model::peer::hello::HelloError;
use model::peer::notification::NotificationError;
use model::peer::packet::PacketError;
use model::server::ServerId;
use ring::Errno;
use std::fmt;
use std::mem::{Discriminant, discriminant};
use tracing::warn;

/// Something that is worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// An election link begins with something else than a hello.
    Hello,
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
            Self::Silent => f.write_str("the connection did not say which server it is of in time"),
            Self::Crowded => f.write_str(
                "the connection did not say which server it is of, and made room for a later one",
            ),
            Self::OurId => f.write_str(
                "the connection claims the number of this server: give each server its own myid",
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
    fn from(_: HelloError) -> Self {
        Self::Hello
    }
}

/// Limits the lines: each kind has its own share.
#[derive(Debug)]
pub(super) struct Complaints {
    /// Which port these are about.
    port: &'static str,
    rares: Vec<(Discriminant<Complaint>, Rare)>,
    /// What was complained of, for tests.
    #[cfg(test)]
    pub(super) made: Vec<Complaint>,
}

impl Complaints {
    /// None yet.
    pub(super) fn new(port: &'static str) -> Self {
        Self {
            port,
            rares: Vec::new(),
            #[cfg(test)]
            made: Vec::new(),
        }
    }

    /// Logs a complaint about a peer, unless one of its kind was logged in this second.
    pub(super) fn make(&mut self, now_ms: u64, peer: &dyn fmt::Display, complaint: Complaint) {
        #[cfg(test)]
        self.made.push(complaint);
        let kind = discriminant(&complaint);
        let at = self.rares.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
            self.rares.push((kind, Rare::default()));
            self.rares.len() - 1
        });
        if let Some(suppressed) = self.rares[at].1.admits(now_ms) {
            warn!(%peer, suppressed, "{} port: {complaint}", self.port);
        }
    }
}
