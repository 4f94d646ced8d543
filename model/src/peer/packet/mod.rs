//! Packets of a learner's link (source: ZooKeeper 3.9.5, `QuorumPacket` in `zookeeper.jute`,
//! `Leader`, `LearnerHandler`, `Learner`, `Follower`, `Observer`).
//!
//! ```text
//! int   type, 1 to 19
//! long  zxid
//! int   bytes of data (-1: null), and the data: another record for each type
//! int   count of identities (-1: null), and each as two strings: only of a REQUEST
//! ```
//!
//! A link has two directions that share little, so there is a closed set of packets for each:
//! [`FromLearner`] (7 of the types) and [`FromLeader`] (14; PING and REVALIDATE go both ways, with
//! other data). A leader is here also the follower that serves observers.
//!
//! No length stands in front of a packet. [`Measure`] finds its end while it comes in, looking at
//! no byte twice, and says how many bytes it needs before looking again is of use; `decode` is
//! then given a whole packet. Data that ZooKeeper does not look at is passed over, and is written
//! as ZooKeeper writes it.

use std::fmt;

mod envelope;
mod identities;
mod leader;
mod learner;
mod measure;

pub use self::identities::{Identities, Identity, IdentityList};
pub use self::leader::{FromLeader, SNAPSHOT_SIGNATURE, put_snapshot_end, snapshot_end};
pub use self::learner::{FromLearner, LearnerInfo, Touched, TouchedList};
pub use self::measure::{Measure, PacketLimits, Progress};

/// The protocol that learners and leaders speak since ZooKeeper 3.4.
pub const PROTOCOL_VERSION: i32 = 0x1_0000;

/// The type of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the protocol")]
pub enum PacketKind {
    Request = 1,
    Proposal = 2,
    Ack = 3,
    Commit = 4,
    Ping = 5,
    Revalidate = 6,
    Sync = 7,
    Inform = 8,
    CommitAndActivate = 9,
    NewLeader = 10,
    FollowerInfo = 11,
    UpToDate = 12,
    Diff = 13,
    Trunc = 14,
    Snap = 15,
    ObserverInfo = 16,
    LeaderInfo = 17,
    AckEpoch = 18,
    InformAndActivate = 19,
}

/// Why bytes are no packet of their direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// The type is not one of this direction. ZooKeeper closes the link where a certain packet is
    /// awaited, and passes over such a packet once a learner is up to date.
    Kind {
        /// What it says.
        found: i32,
        /// Bytes of the packet, for whoever passes over it.
        length: usize,
    },
    /// Data or an identity has a length that is negative or beyond the limit.
    Length {
        /// The packet's type, whatever it is.
        kind: i32,
        /// What is said.
        found: i32,
        /// What is taken.
        bytes_max: usize,
    },
    /// The identities are together longer than one of them may be.
    Identities {
        /// The packet's type, whatever it is.
        kind: i32,
        /// How many there are.
        count: i32,
        /// Bytes that all of them may have.
        bytes_max: usize,
    },
    /// The data ends before its last field.
    Data {
        /// The packet's type.
        kind: PacketKind,
        /// Bytes that it needs.
        needed: usize,
        /// Bytes that it has; `None` if it is null.
        found: Option<usize>,
    },
    /// What stands behind a snapshot is not [`SNAPSHOT_SIGNATURE`].
    Signature,
}

impl PacketKind {
    const ALL: [Self; 19] = [
        Self::Request,
        Self::Proposal,
        Self::Ack,
        Self::Commit,
        Self::Ping,
        Self::Revalidate,
        Self::Sync,
        Self::Inform,
        Self::CommitAndActivate,
        Self::NewLeader,
        Self::FollowerInfo,
        Self::UpToDate,
        Self::Diff,
        Self::Trunc,
        Self::Snap,
        Self::ObserverInfo,
        Self::LeaderInfo,
        Self::AckEpoch,
        Self::InformAndActivate,
    ];

    /// Its number on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The type behind a number, if there is one.
    pub fn of(code: i32) -> Option<Self> {
        let index = usize::try_from(code).ok()?.checked_sub(1)?;
        Self::ALL.get(index).copied()
    }
}

/// As ZooKeeper spells it.
impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_ascii_uppercase())
    }
}

/// The type of a packet for messages: its name, or its number.
struct Named(i32);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PacketKind::of(self.0) {
            Some(kind) => write!(f, "{kind}"),
            None => write!(f, "packet of type {}", self.0),
        }
    }
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { found, .. } => {
                write!(f, "{}: the other side does not send it", Named(*found))
            }
            Self::Length { kind, found, bytes_max } => write!(
                f,
                "{}: a length of {found}, where jute.maxbuffer and its extra size allow \
                 {bytes_max}",
                Named(*kind)
            ),
            Self::Identities { kind, count, bytes_max } => write!(
                f,
                "{}: {count} identities of more than the {bytes_max} bytes that jute.maxbuffer \
                 and its extra size allow",
                Named(*kind)
            ),
            Self::Data { kind, needed, found: None } => {
                write!(f, "{kind}: null data, where at least {needed} bytes are needed")
            }
            Self::Data { kind, needed, found: Some(found) } => {
                write!(f, "{kind}: {found} bytes of data, where {needed} are needed")
            }
            Self::Signature => f.write_str("the snapshot does not end in BenWasHere"),
        }
    }
}

impl std::error::Error for PacketError {}

const _: () = {
    let mut index = 0;
    while index < PacketKind::ALL.len() {
        assert!(PacketKind::ALL[index].code() == index as i32 + 1);
        index += 1;
    }
};
