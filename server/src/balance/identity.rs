//! Whether the servers are of one ensemble, each named once: clients are led from one to another,
//! and find their session only there.
//!
//! Addresses tell nothing: every server may know the others by other names. Neither does the last
//! transaction: a follower may have none of the leader's epoch yet. The numbers of the members and
//! of the leader do, except of two ensembles that happen to have the same.

use super::BalanceError;
use super::fleet::{Fleet, Which};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a server says of itself and of its ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Its number among them.
    id: i64,
    /// Those that vote; none if it is standalone.
    voters: BTreeSet<String>,
    /// The number of its leader; none while it has none.
    leader: Option<i64>,
}

impl Identity {
    pub(super) fn read(configuration: &Value, view: &Value, leader: &Value) -> Option<Self> {
        let voters = view.get("current_config")?.as_object()?;
        Some(Self {
            id: configuration.get("server_id")?.as_i64()?,
            voters: voters.keys().cloned().collect(),
            leader: leader.get("leader_id").and_then(Value::as_i64).filter(|it| *it >= 0),
        })
    }

    /// Why the two are not two servers of one ensemble.
    fn differs(&self, other: &Self) -> Option<String> {
        if self.voters.is_empty() || other.voters.is_empty() {
            return Some("a server without an ensemble is among them".to_owned());
        }
        if self.id == other.id {
            return Some(format!("each is server {}: are they the same?", self.id));
        }
        if self.voters != other.voters {
            let words = |of: &Self| of.voters.iter().cloned().collect::<Vec<_>>().join(", ");
            return Some(format!("of one {} vote, of the other {}", words(self), words(other)));
        }
        match (self.leader, other.leader) {
            (Some(one), Some(other)) if one != other => {
                Some(format!("server {one} leads one, server {other} the other"))
            }
            _ => None,
        }
    }
}

impl Fleet {
    /// Fails if two of them are servers of different ensembles, or the same server. Those that do
    /// not say so now are left to whoever needs them.
    pub(super) fn assert_one_ensemble(&self) -> Result<(), BalanceError> {
        let answers = self.ask(&self.all(), Self::identity).into_iter();
        let known: Vec<(Which, Identity)> =
            answers.filter_map(|(at, it)| Some((at, it.ok()??))).collect();
        for (index, (one, of_one)) in known.iter().enumerate() {
            for (other, of_other) in &known[..index] {
                if let Some(why) = of_other.differs(of_one) {
                    let (one, other) = (self.name(*other).to_owned(), self.name(*one).to_owned());
                    return Err(BalanceError::Strangers { one, other, why });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;
    use serde_json::json;

    fn identity(id: i64, voters: &[&str], leader: i64) -> Identity {
        let voters: serde_json::Map<_, _> =
            voters.iter().map(|it| ((*it).to_owned(), json!({}))).collect();
        let view = json!({ "current_config": voters });
        let leader = json!({ "leader_id": leader });
        Identity::read(&json!({ "server_id": id }), &view, &leader).unwrap()
    }

    #[test]
    fn servers_of_one_ensemble_are_told_from_others() {
        let one = identity(1, &["1", "2", "3"], 4);
        assert_eq!(one.differs(&identity(2, &["1", "2", "3"], 4)), None);
        let observer = identity(9, &["1", "2", "3"], 4);
        assert_eq!(one.differs(&observer), None);
        for (other, part) in [
            (identity(1, &["1", "2", "3"], 4), "each is server 1"),
            (identity(4, &["4", "5"], 4), "of one 1, 2, 3 vote, of the other 4, 5"),
            (identity(2, &["1", "2", "3"], 5), "server 4 leads one, server 5 the other"),
            (identity(2, &[], 0), "without an ensemble"),
        ] {
            let why = one.differs(&other).unwrap();
            assert!(why.contains(part), "{why}");
        }
    }

    /// Looking for a leader.
    #[test]
    fn a_server_without_a_leader_is_of_any() {
        let one = identity(1, &["1", "2"], 4);
        let looking = identity(2, &["1", "2"], -1);
        assert_eq!(one.differs(&looking), None);
    }
}
