//! What a leader says to its learners.

use crate::jute::{self, JuteReader};
use crate::server::ServerId;
use crate::session::SessionId;
use crate::zxid::Zxid;

use super::envelope::{self, Envelope};
use super::{PacketError, PacketKind, PacketLimits};

/// A packet from a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromLeader<'a> {
    /// The epoch that it wants to lead.
    LeaderInfo {
        /// The beginning of the epoch.
        zxid: Zxid,
        /// The protocol that it speaks.
        protocol: i32,
        /// Bytes that ZooKeeper passes over.
        trailing: &'a [u8],
    },
    /// The learner is given what it lacks, in proposals.
    Diff {
        /// The last of them.
        zxid: Zxid,
    },
    /// The learner drops what it has beyond this.
    Trunc {
        /// The last txn that it keeps.
        zxid: Zxid,
    },
    /// The learner is given a snapshot, which follows this packet and ends with
    /// [`put_snapshot_end`].
    Snap {
        /// The newest txn that is in it as a whole.
        zxid: Zxid,
    },
    /// All that was before this epoch has been sent.
    NewLeader {
        /// The beginning of the epoch.
        zxid: Zxid,
        /// The text of the newest configuration; null to learners that do not know of any.
        config: Option<&'a [u8]>,
    },
    /// A quorum follows: the learner may serve clients.
    UpToDate {
        /// Nothing: ZooKeeper says -1.
        zxid: Zxid,
    },
    /// A txn, to be held durably.
    Proposal {
        /// Its position.
        zxid: Zxid,
        /// Header, txn and digest.
        txn: &'a [u8],
    },
    /// A quorum holds the proposal.
    Commit {
        /// Its position.
        zxid: Zxid,
    },
    /// As [`Self::Commit`], of a proposal that is another configuration.
    CommitAndActivate {
        /// Its position.
        zxid: Zxid,
        /// The server that should lead from here on.
        designated: ServerId,
    },
    /// Proposal and commit in one, for observers.
    Inform {
        /// Its position.
        zxid: Zxid,
        /// Header, txn and digest.
        txn: &'a [u8],
    },
    /// As [`Self::Inform`], of another configuration.
    InformAndActivate {
        /// Its position.
        zxid: Zxid,
        /// The server that should lead from here on.
        designated: ServerId,
        /// Header, txn and digest.
        txn: &'a [u8],
    },
    /// Is the learner still there?
    Ping {
        /// The newest proposal.
        zxid: Zxid,
    },
    /// The answer to a learner's REVALIDATE.
    Revalidate {
        /// The session.
        session: SessionId,
        /// Whether it exists.
        is_valid: bool,
    },
    /// The answer to the oldest `sync` of the link that is not answered yet.
    Sync {
        /// Nothing: ZooKeeper says 0.
        zxid: Zxid,
    },
}

/// The string behind a snapshot.
pub const SNAPSHOT_SIGNATURE: &[u8; 10] = b"BenWasHere";

/// Appends what stands behind a snapshot on the link.
pub fn put_snapshot_end(out: &mut Vec<u8>) {
    jute::put_string(out, SNAPSHOT_SIGNATURE);
}

/// Reads what stands behind a snapshot off the front of what has come: its length, `None` while
/// more must come.
///
/// # Errors
/// [`PacketError::Signature`] as soon as a byte is wrong.
pub fn snapshot_end(bytes: &[u8]) -> Result<Option<usize>, PacketError> {
    let mut expected = Vec::new();
    put_snapshot_end(&mut expected);
    let length = expected.len().min(bytes.len());
    if bytes[..length] != expected[..length] {
        return Err(PacketError::Signature);
    }
    Ok((length == expected.len()).then_some(length))
}

/// The zxid of packets that have none.
const NO_ZXID: Zxid = Zxid(-1);
/// Bytes of a session and whether it is valid.
const VALIDITY_BYTES: usize = 9;
const WHOLE: &str = "as many bytes as the fields have";

impl<'a> FromLeader<'a> {
    /// Reads a packet off the front of what has come, with its length; `None` while more must come
    /// ([`Measure`](super::Measure) says how much).
    ///
    /// # Errors
    /// What is no packet of a leader.
    pub fn decode(
        bytes: &'a [u8],
        limits: PacketLimits,
    ) -> Result<Option<(Self, usize)>, PacketError> {
        Envelope::decode_as(bytes, limits, Self::open)
    }

    /// The packet in an envelope; `None` if it is not one of a leader.
    fn open(kind: PacketKind, envelope: &Envelope<'a>) -> Result<Option<Self>, PacketError> {
        let zxid = envelope.zxid;
        Ok(Some(match kind {
            PacketKind::LeaderInfo => {
                let (protocol, trailing) = envelope.fields(kind)?;
                Self::LeaderInfo { zxid, protocol: i32::from_be_bytes(*protocol), trailing }
            }
            PacketKind::Diff => Self::Diff { zxid },
            PacketKind::Trunc => Self::Trunc { zxid },
            PacketKind::Snap => Self::Snap { zxid },
            PacketKind::NewLeader => Self::NewLeader { zxid, config: envelope.data },
            PacketKind::UpToDate => Self::UpToDate { zxid },
            PacketKind::Proposal => Self::Proposal { zxid, txn: txn(kind, envelope)? },
            PacketKind::Commit => Self::Commit { zxid },
            PacketKind::CommitAndActivate => {
                let (designated, _) = designated(kind, envelope)?;
                Self::CommitAndActivate { zxid, designated }
            }
            PacketKind::Inform => Self::Inform { zxid, txn: txn(kind, envelope)? },
            PacketKind::InformAndActivate => {
                let (designated, txn) = designated(kind, envelope)?;
                Self::InformAndActivate { zxid, designated, txn }
            }
            PacketKind::Ping => Self::Ping { zxid },
            PacketKind::Revalidate => {
                let (fields, _) = envelope.fields::<VALIDITY_BYTES>(kind)?;
                let mut reader = JuteReader::new(fields);
                Self::Revalidate {
                    session: SessionId(reader.long().expect(WHOLE)),
                    is_valid: reader.bool().expect(WHOLE),
                }
            }
            PacketKind::Sync => Self::Sync { zxid },
            _ => return Ok(None),
        }))
    }

    /// Its type.
    pub const fn kind(&self) -> PacketKind {
        match self {
            Self::LeaderInfo { .. } => PacketKind::LeaderInfo,
            Self::Diff { .. } => PacketKind::Diff,
            Self::Trunc { .. } => PacketKind::Trunc,
            Self::Snap { .. } => PacketKind::Snap,
            Self::NewLeader { .. } => PacketKind::NewLeader,
            Self::UpToDate { .. } => PacketKind::UpToDate,
            Self::Proposal { .. } => PacketKind::Proposal,
            Self::Commit { .. } => PacketKind::Commit,
            Self::CommitAndActivate { .. } => PacketKind::CommitAndActivate,
            Self::Inform { .. } => PacketKind::Inform,
            Self::InformAndActivate { .. } => PacketKind::InformAndActivate,
            Self::Ping { .. } => PacketKind::Ping,
            Self::Revalidate { .. } => PacketKind::Revalidate,
            Self::Sync { .. } => PacketKind::Sync,
        }
    }

    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = self.kind();
        match *self {
            Self::LeaderInfo { zxid, protocol, trailing } => {
                envelope::put_data(out, kind, zxid, |out| {
                    jute::put_int(out, protocol);
                    out.extend_from_slice(trailing);
                });
            }
            Self::Proposal { zxid, txn }
            | Self::Inform { zxid, txn }
            | Self::NewLeader { zxid, config: Some(txn) } => {
                envelope::put_data(out, kind, zxid, |out| out.extend_from_slice(txn));
            }
            Self::CommitAndActivate { zxid, designated } => {
                envelope::put_data(out, kind, zxid, |out| jute::put_long(out, designated.0));
            }
            Self::InformAndActivate { zxid, designated, txn } => {
                envelope::put_data(out, kind, zxid, |out| {
                    jute::put_long(out, designated.0);
                    out.extend_from_slice(txn);
                });
            }
            Self::Revalidate { session, is_valid } => {
                envelope::put_data(out, kind, NO_ZXID, |out| {
                    jute::put_long(out, session.0);
                    jute::put_bool(out, is_valid);
                });
            }
            Self::Diff { zxid }
            | Self::Trunc { zxid }
            | Self::Snap { zxid }
            | Self::NewLeader { zxid, config: None }
            | Self::UpToDate { zxid }
            | Self::Commit { zxid }
            | Self::Ping { zxid }
            | Self::Sync { zxid } => envelope::put_bare(out, kind, zxid),
        }
    }
}

/// The txn of a proposal, which is all of its data.
fn txn<'a>(kind: PacketKind, envelope: &Envelope<'a>) -> Result<&'a [u8], PacketError> {
    envelope.fields::<0>(kind).map(|(_, txn)| txn)
}

/// A server that should lead, and what follows it.
fn designated<'a>(
    kind: PacketKind,
    envelope: &Envelope<'a>,
) -> Result<(ServerId, &'a [u8]), PacketError> {
    let (server, rest) = envelope.fields(kind)?;
    Ok((ServerId(i64::from_be_bytes(*server)), rest))
}
