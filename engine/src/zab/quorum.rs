//! Which servers together decide.
//!
//! Invariant: any two quorums of one configuration share a server (guard:
//! `tests::quorums::quorums_meet`).

use model::peer::membership::Membership;
use model::server::ServerId;
use model::zxid::Zxid;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// The voters of a configuration, and which sets of them are a quorum.
///
/// Source: ZooKeeper 3.9.5, `QuorumMaj` and `QuorumHierarchical`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// More than half of the voters.
    Majority(BTreeSet<ServerId>),
    /// More than half of the weight in more than half of the groups.
    Groups {
        /// Each voter's group and weight.
        voters: BTreeMap<ServerId, Weighted>,
    },
}

/// A voter's place among groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// Which group it belongs to.
    pub group: i64,
    /// How much its voice counts in the group; a voter without weight never leads.
    pub weight: i64,
}

impl Quorum {
    /// Who decides in a membership: a majority of the participants, or of the groups that have
    /// weight.
    pub fn of(membership: &Membership) -> Self {
        let Some(hierarchy) = membership.hierarchy() else {
            return Self::majority(membership.participants());
        };
        let groups: BTreeMap<ServerId, i64> = hierarchy.groups().collect();
        let voters = membership.participants().map(|id| {
            let (group, weight) = (groups[&id], hierarchy.weight(id).unwrap_or(0));
            (id, Weighted { group, weight })
        });
        Self::Groups { voters: voters.collect() }
    }

    /// A majority of these.
    pub fn majority(voters: impl IntoIterator<Item = ServerId>) -> Self {
        Self::Majority(voters.into_iter().collect())
    }

    /// All voters, ascending.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        let (equal, weighted) = match self {
            Self::Majority(voters) => (Some(voters), None),
            Self::Groups { voters } => (None, Some(voters)),
        };
        let equal = equal.into_iter().flatten().copied();
        equal.chain(weighted.into_iter().flat_map(BTreeMap::keys).copied())
    }

    /// Whether a server votes.
    pub fn is_voter(&self, id: ServerId) -> bool {
        match self {
            Self::Majority(voters) => voters.contains(&id),
            Self::Groups { voters } => voters.contains_key(&id),
        }
    }

    /// How much a voter counts; 0 of a server that does not vote.
    pub fn weight(&self, id: ServerId) -> i64 {
        match self {
            Self::Majority(voters) => i64::from(voters.contains(&id)),
            Self::Groups { voters } => voters.get(&id).map_or(0, |it| it.weight),
        }
    }

    /// Whether there are two voters, of equal weight, and this is one of them: one that may decide
    /// alone if an oracle says so.
    pub fn is_pair_with(&self, id: ServerId) -> bool {
        self.is_pair() && self.is_voter(id)
    }

    /// Whether there are two voters, of equal weight.
    pub fn is_pair(&self) -> bool {
        matches!(self, Self::Majority(voters) if voters.len() == 2)
    }

    /// Whether the voters of which `is_in` holds are a quorum.
    pub fn is_quorum(&self, is_in: impl Fn(ServerId) -> bool) -> bool {
        match self {
            Self::Majority(voters) => {
                2 * voters.iter().filter(|&&id| is_in(id)).count() > voters.len()
            }
            Self::Groups { voters } => {
                let mut groups: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
                for (&id, it) in voters {
                    let (all, found) = groups.entry(it.group).or_default();
                    *all += it.weight;
                    *found += if is_in(id) { it.weight } else { 0 };
                }
                groups.retain(|_, (all, _)| *all > 0);
                let agreeing = groups.values().filter(|(all, found)| 2 * found > *all).count();
                2 * agreeing > groups.len()
            }
        }
    }

    /// The highest zxid that a quorum holds, given what each voter holds; `None` of a voter that
    /// does not count. `None` if the voters that count are no quorum.
    pub fn held(&self, held_by: impl Fn(ServerId) -> Option<Zxid>) -> Option<Zxid> {
        let mut zxids: SmallVec<[Zxid; 16]> = self.voters().filter_map(&held_by).collect();
        zxids.sort_unstable();
        zxids
            .into_iter()
            .rev()
            .find(|&zxid| self.is_quorum(|id| held_by(id).is_some_and(|held| held >= zxid)))
    }
}
