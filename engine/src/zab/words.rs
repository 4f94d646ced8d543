//! Why a role or a link ends, for people.

use super::effect::{CloseReason, Lost, Violation};
use super::learners::bounding::CatchingUp;
use std::fmt;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoQuorum => f.write_str("no quorum of servers is connected to this leader"),
            Self::LaterPromise { server, promised } => write!(
                f,
                "server {} has promised epoch {} and cannot follow in this one",
                server.0, promised.0
            ),
            Self::VoterLooks(server) => write!(
                f,
                "server {}, which has voted for this one, looks for a leader again, and no epoch \
                 has begun in leader.maxTimeToWaitForEpoch",
                server.0
            ),
            Self::AheadOfDesignated(server) => {
                write!(f, "server {} has more of the history and should lead", server.0)
            }
            Self::EpochFull => f.write_str("the epoch has as many txns as it can have"),
            Self::Unreachable => f.write_str("the leader cannot be reached"),
            Self::LinkClosed => f.write_str("the link to the leader has ended"),
            Self::Silent => f.write_str("the leader has been silent for too long"),
            Self::OldEpoch => f.write_str("the leader's epoch is older than one that was promised"),
            Self::Protocol(violation) => write!(f, "the leader has sent {violation}"),
            Self::Reconfigured { leader: Some(leader) } => {
                write!(f, "the configuration has changed, and server {} leads in it", leader.0)
            }
            Self::Reconfigured { leader: None } => f.write_str("the configuration has changed"),
            Self::CutBelowCommitted { to, committed } => write!(
                f,
                "the leader asks for a cut behind {to}, below {committed}, which is committed: \
                 servers that were wiped must not decide; check the other servers' data"
            ),
            Self::MasterBehind { to, committed } => write!(
                f,
                "the observer master has the history through {to} only, and this server through \
                 {committed}: another one is tried"
            ),
            Self::CutBelowSnapshot { .. } => {
                f.write_str("the leader's history parts below the oldest snapshot")
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfPlace => f.write_str("a packet that has no place here"),
            Self::Gap { last, found } => write!(f, "proposal {found} behind {last}"),
            Self::NotProposed(zxid) => write!(f, "{zxid}, which was not proposed"),
            Self::WrongEpoch(epoch) => write!(f, "epoch {}, which was not agreed on", epoch.0),
            Self::Malformed => f.write_str("bytes that are no txn"),
            Self::TooMuch => f.write_str("more requests of its clients than may wait"),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("this server has no leader, or does not lead, any more"),
            Self::Protocol(violation) => write!(f, "it has sent {violation}"),
            Self::Replaced => f.write_str("the server has connected again"),
            Self::AheadOfLeader => f.write_str("its history is longer: it should lead"),
            Self::OldProtocol => f.write_str("it is older than ZooKeeper 3.5"),
            Self::OurId => f.write_str(
                "it claims the number of this server: each server's myid must be its own",
            ),
            Self::LastEpoch => f.write_str("it has promised the last epoch that there is"),
            Self::TooManyLinks => f.write_str("there are too many links"),
            Self::NewerConfiguration => f.write_str("its configuration is newer than this one's"),
            Self::Silent => f.write_str("it has been silent for too long"),
            Self::Crowded(CatchingUp::Snapshot) => f.write_str(
                "as many learners as leader.maxConcurrentSnapSyncs allows are being sent \
                 snapshots; this one, an observer, comes back",
            ),
            Self::Crowded(CatchingUp::Diff) => f.write_str(
                "as many learners as leader.maxConcurrentDiffSyncs allows are being sent txns; \
                 this one, an observer, comes back",
            ),
            Self::NotLeading => f.write_str("this server does not lead"),
            Self::NotObserver => f.write_str(
                "it does not observe, and this port is for observers: a follower's leader is at \
                 the port of its server.N line",
            ),
        }
    }
}
