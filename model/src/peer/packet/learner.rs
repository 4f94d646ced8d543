//! What a learner says to its leader.

use crate::jute::{self, JuteReader};
use crate::server::ServerId;
use crate::session::SessionId;
use crate::zxid::Zxid;

use super::envelope::{self, Envelope};
use super::{Identities, PacketError, PacketKind, PacketLimits};

/// A packet from a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromLearner<'a> {
    /// The first packet of a follower.
    FollowerInfo {
        /// The beginning of the epoch that it promised to follow.
        accepted: Zxid,
        /// Who it is.
        learner: LearnerInfo<'a>,
    },
    /// The first packet of an observer.
    ObserverInfo {
        /// The beginning of the epoch that it promised to follow.
        accepted: Zxid,
        /// Who it is.
        learner: LearnerInfo<'a>,
    },
    /// It promises to follow the epoch of LEADERINFO.
    AckEpoch {
        /// The newest txn in its log.
        logged: Zxid,
        /// The epoch that it was last current in; -1 says that the promise is an older one, which
        /// must not be counted.
        epoch: i32,
    },
    /// It holds a proposal, or all up to NEWLEADER, durably.
    Ack {
        /// The zxid of the proposal, or of NEWLEADER.
        zxid: Zxid,
    },
    /// Its answer to a ping.
    Ping {
        /// The ping's zxid.
        zxid: Zxid,
        /// The sessions whose clients have sent something since the last one.
        touched: Touched<'a>,
    },
    /// A client wants to resume its session: does it exist?
    Revalidate {
        /// The session.
        session: SessionId,
        /// Its timeout.
        timeout_ms: i32,
    },
    /// A client's request that the leader must order.
    Request {
        /// The client's session.
        session: SessionId,
        /// The client's number for it.
        cxid: i32,
        /// The operation's number, which need not be one that exists.
        op: i32,
        /// The request's record.
        body: &'a [u8],
        /// Who the client is.
        identities: Identities<'a>,
    },
}

/// Who a learner is. What is said has grown with the versions of ZooKeeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnerInfo<'a> {
    /// Null data: the leader gives it a negative number.
    Anonymous,
    /// Fewer bytes than a number: counts as server 0.
    Cut,
    /// Its number.
    Id {
        /// The number.
        server: ServerId,
    },
    /// Its number and protocol.
    Protocol {
        /// The number.
        server: ServerId,
        /// The protocol; below [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION) it skips the exchange
        /// of epochs.
        protocol: i32,
    },
    /// Its number, protocol and configuration, from ZooKeeper 3.5 on.
    Config {
        /// The number.
        server: ServerId,
        /// The protocol.
        protocol: i32,
        /// The version of its configuration; a leader whose own is older refuses it.
        version: i64,
        /// Bytes that ZooKeeper passes over.
        trailing: &'a [u8],
    },
}

/// Sessions and their timeouts where they lie: checked once, read in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched<'a> {
    pairs: &'a [[u8; TOUCHED_BYTES]],
}

/// Sessions and their timeouts as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TouchedList {
    pairs: Vec<[u8; TOUCHED_BYTES]>,
}

/// Bytes of a session and its timeout.
const TOUCHED_BYTES: usize = 12;
/// The zxid of packets that have none.
const NO_ZXID: Zxid = Zxid(-1);
/// What a learner speaks that does not say it.
const PROTOCOL_UNSAID: i32 = 1;
const WHOLE: &str = "as many bytes as the fields have";

impl<'a> FromLearner<'a> {
    /// Reads a packet off the front of what has come, with its length; `None` while more must come
    /// ([`Measure`](super::Measure) says how much).
    ///
    /// # Errors
    /// What is no packet of a learner.
    pub fn decode(
        bytes: &'a [u8],
        limits: PacketLimits,
    ) -> Result<Option<(Self, usize)>, PacketError> {
        Envelope::decode_as(bytes, limits, Self::open)
    }

    /// The packet in an envelope; `None` if it is not one of a learner.
    fn open(kind: PacketKind, envelope: &Envelope<'a>) -> Result<Option<Self>, PacketError> {
        let zxid = envelope.zxid;
        Ok(Some(match kind {
            PacketKind::FollowerInfo => {
                Self::FollowerInfo { accepted: zxid, learner: LearnerInfo::read(envelope.data) }
            }
            PacketKind::ObserverInfo => {
                Self::ObserverInfo { accepted: zxid, learner: LearnerInfo::read(envelope.data) }
            }
            PacketKind::AckEpoch => {
                let (epoch, _) = envelope.fields(kind)?;
                Self::AckEpoch { logged: zxid, epoch: i32::from_be_bytes(*epoch) }
            }
            PacketKind::Ack => Self::Ack { zxid },
            PacketKind::Ping => Self::Ping { zxid, touched: Touched::read(kind, envelope)? },
            PacketKind::Revalidate => {
                let (fields, _) = envelope.fields::<TOUCHED_BYTES>(kind)?;
                let (session, timeout_ms) = touched(fields);
                Self::Revalidate { session, timeout_ms }
            }
            PacketKind::Request => {
                let (fields, body) = envelope.fields::<16>(kind)?;
                let mut reader = JuteReader::new(fields);
                Self::Request {
                    session: SessionId(reader.long().expect(WHOLE)),
                    cxid: reader.int().expect(WHOLE),
                    op: reader.int().expect(WHOLE),
                    body,
                    identities: envelope.identities,
                }
            }
            _ => return Ok(None),
        }))
    }

    /// Its type.
    pub const fn kind(&self) -> PacketKind {
        match self {
            Self::FollowerInfo { .. } => PacketKind::FollowerInfo,
            Self::ObserverInfo { .. } => PacketKind::ObserverInfo,
            Self::AckEpoch { .. } => PacketKind::AckEpoch,
            Self::Ack { .. } => PacketKind::Ack,
            Self::Ping { .. } => PacketKind::Ping,
            Self::Revalidate { .. } => PacketKind::Revalidate,
            Self::Request { .. } => PacketKind::Request,
        }
    }

    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = self.kind();
        match *self {
            Self::FollowerInfo { accepted, learner } | Self::ObserverInfo { accepted, learner } => {
                learner.encode(out, kind, accepted);
            }
            Self::AckEpoch { logged, epoch } => {
                envelope::put_data(out, kind, logged, |out| jute::put_int(out, epoch));
            }
            Self::Ack { zxid } => envelope::put_bare(out, kind, zxid),
            Self::Ping { zxid, touched } => envelope::put_data(out, kind, zxid, |out| {
                out.extend_from_slice(touched.pairs.as_flattened());
            }),
            Self::Revalidate { session, timeout_ms } => {
                envelope::put_data(out, kind, NO_ZXID, |out| {
                    out.extend_from_slice(&pair(session, timeout_ms));
                });
            }
            Self::Request { session, cxid, op, body, identities } => {
                envelope::put(out, kind, NO_ZXID, identities, |out| {
                    jute::put_long(out, session.0);
                    jute::put_int(out, cxid);
                    jute::put_int(out, op);
                    out.extend_from_slice(body);
                });
            }
        }
    }
}

impl<'a> LearnerInfo<'a> {
    /// The number, where it says one.
    pub const fn server(&self) -> Option<ServerId> {
        match *self {
            Self::Anonymous => None,
            Self::Cut => Some(ServerId(0)),
            Self::Id { server } | Self::Protocol { server, .. } | Self::Config { server, .. } => {
                Some(server)
            }
        }
    }

    /// The protocol that it speaks.
    pub const fn protocol(&self) -> i32 {
        match *self {
            Self::Anonymous | Self::Cut | Self::Id { .. } => PROTOCOL_UNSAID,
            Self::Protocol { protocol, .. } | Self::Config { protocol, .. } => protocol,
        }
    }

    /// The version of its configuration, where it says one.
    pub const fn config_version(&self) -> Option<i64> {
        match *self {
            Self::Config { version, .. } => Some(version),
            _ => None,
        }
    }

    fn read(data: Option<&'a [u8]>) -> Self {
        let Some(data) = data else { return Self::Anonymous };
        let mut reader = JuteReader::new(data);
        let Ok(server) = reader.long() else { return Self::Cut };
        let server = ServerId(server);
        let Ok(protocol) = reader.int() else { return Self::Id { server } };
        let Ok(version) = reader.long() else { return Self::Protocol { server, protocol } };
        Self::Config { server, protocol, version, trailing: reader.rest() }
    }

    fn encode(&self, out: &mut Vec<u8>, kind: PacketKind, accepted: Zxid) {
        let Some(server) = self.server() else {
            return envelope::put_bare(out, kind, accepted);
        };
        envelope::put_data(out, kind, accepted, |out| {
            if *self != Self::Cut {
                jute::put_long(out, server.0);
            }
            if let Self::Protocol { protocol, .. } | Self::Config { protocol, .. } = *self {
                jute::put_int(out, protocol);
            }
            if let Self::Config { version, trailing, .. } = *self {
                jute::put_long(out, version);
                out.extend_from_slice(trailing);
            }
        });
    }
}

impl<'a> Touched<'a> {
    fn read(kind: PacketKind, envelope: &Envelope<'a>) -> Result<Self, PacketError> {
        let (_, data) = envelope.fields::<0>(kind)?;
        match data.as_chunks() {
            (pairs, []) => Ok(Self { pairs }),
            (pairs, _) => {
                let needed = (pairs.len() + 1) * TOUCHED_BYTES;
                Err(PacketError::Data { kind, needed, found: Some(data.len()) })
            }
        }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The sessions, with their timeouts in ms.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, i32)> + use<'a> {
        self.pairs.iter().map(touched)
    }
}

impl TouchedList {
    /// Forgets the sessions, keeps the room.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Appends a session.
    pub fn push(&mut self, session: SessionId, timeout_ms: i32) {
        self.pairs.push(pair(session, timeout_ms));
    }

    /// The list as a packet has it.
    pub fn touched(&self) -> Touched<'_> {
        Touched { pairs: &self.pairs }
    }
}

fn pair(session: SessionId, timeout_ms: i32) -> [u8; TOUCHED_BYTES] {
    let mut pair = [0; TOUCHED_BYTES];
    pair[..8].copy_from_slice(&session.0.to_be_bytes());
    pair[8..].copy_from_slice(&timeout_ms.to_be_bytes());
    pair
}

fn touched(pair: &[u8; TOUCHED_BYTES]) -> (SessionId, i32) {
    let mut reader = JuteReader::new(pair);
    (SessionId(reader.long().expect(WHOLE)), reader.int().expect(WHOLE))
}
