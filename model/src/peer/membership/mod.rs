//! Who is in an ensemble: the text in which servers exchange it, and which stands in
//! `/zookeeper/config` and in the dynamic file (source: ZooKeeper 3.9.5, `QuorumMaj`,
//! `QuorumHierarchical`, `QuorumPeer.QuorumServer`).
//!
//! ```text
//! server.1=zoo1:2888:3888:participant;0.0.0.0:2181
//! server.2=zoo2:2888:3888|zoo2-b:2888:3888:observer
//! group.1=1:4:5
//! weight.4=2
//! version=100000003
//! ```
//!
//! - [`member`] one `server.N` line
//! - [`fault`] what can be wrong
//! - `reading`, `printing` the text
//!
//! **Invariant**: where there are groups, every participant is in one, and every server of a group
//! has a weight; so a quorum can be computed without a case for what is missing (guard:
//! `tests::peer::memberships::what_is_wrong_is_told_with_its_line`).
//!
//! Not here: what is a quorum of it, and whether so few voters or so many observers may run
//! (`engine`).

use std::collections::BTreeMap;

use crate::server::ServerId;

pub mod fault;
pub mod member;
mod printing;
mod reading;

pub use self::fault::{Fault, MembershipError};
pub use self::member::{Member, PeerAddress, Role};
pub use self::reading::{Reading, number_behind};

/// The servers of an ensemble, with the version of this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    members: BTreeMap<ServerId, Member>,
    hierarchy: Option<Hierarchy>,
    version: i64,
}

/// The groups of a hierarchical quorum, and what each vote weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    /// The number of the group of each server that is in one.
    groups: BTreeMap<ServerId, i64>,
    /// Holds every server of `groups`.
    weights: BTreeMap<ServerId, i64>,
}

impl Membership {
    /// Servers of which a majority decides.
    pub fn majority(members: BTreeMap<ServerId, Member>, version: i64) -> Self {
        Self { members, hierarchy: None, version }
    }

    /// All servers, by number.
    pub fn members(&self) -> &BTreeMap<ServerId, Member> {
        &self.members
    }

    /// The numbers of the servers that vote.
    pub fn participants(&self) -> impl Iterator<Item = ServerId> {
        self.of_role(Role::Participant)
    }

    /// The numbers of the servers that do not vote.
    pub fn observers(&self) -> impl Iterator<Item = ServerId> {
        self.of_role(Role::Observer)
    }

    fn of_role(&self, role: Role) -> impl Iterator<Item = ServerId> {
        self.members.iter().filter(move |(_, member)| member.role == role).map(|(&id, _)| id)
    }

    /// Groups and weights, where it is not a majority that decides.
    pub fn hierarchy(&self) -> Option<&Hierarchy> {
        self.hierarchy.as_ref()
    }

    /// The zxid of the txn that made it; 0 before the first change.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The same servers under another version.
    #[must_use]
    pub fn with_version(self, version: i64) -> Self {
        Self { version, ..self }
    }
}

impl Hierarchy {
    /// The servers of groups, each with its group.
    pub fn groups(&self) -> impl Iterator<Item = (ServerId, i64)> {
        self.groups.iter().map(|(&server, &group)| (server, group))
    }

    /// What a server's vote weighs; `None` for one that neither votes nor is given a weight.
    pub fn weight(&self, server: ServerId) -> Option<i64> {
        self.weights.get(&server).copied()
    }
}
