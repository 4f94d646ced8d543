//! The oracle: of two voters, one may decide alone where it says so.
//!
//! With two voters each needs the other. An operator who has something that knows whether the other
//! machine is dead can have it write that to a file of each server (`oraclePath`): the one whose
//! file says so decides alone, while the other one does not follow it. What the oracle says is a
//! fact about one server and one moment, and so no part of a configuration, which all servers
//! share.
//!
//! It is asked each time when something is decided: an election, an epoch, whether the leader stays
//! when its follower has left, each batch that is committed. An answer counts for what waits when
//! it comes, and for nothing later.
//!
//! **Invariants**
//!
//! - Without an oracle, or with any other number of voters, nothing is asked and nothing differs
//!   (guard: `tests::oracle::no_other_ensemble_asks`).
//! - A follower that has accepted the leader's history counts: what it has not acknowledged is not
//!   committed (guard: `tests::oracle::a_follower_that_is_there_counts`).
//!
//! Whatever the oracle says is believed: if it lets both decide, both do, and their histories part.
//!
//! Source: ZooKeeper 3.9.5, `QuorumOracleMaj`, and its uses in `FastLeaderElection` and `Leader`.

use super::effect::{Effect, Effects};
use super::{Role, Zab};

/// What is known of the oracle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oracle {
    /// There is none.
    #[default]
    Absent,
    /// It is not being asked.
    Unasked,
    /// It was asked, and has yet to answer.
    Asked,
    /// It has just said that this server may decide alone.
    Permits,
}

impl Zab {
    /// Asks the oracle if something waits for what it says.
    pub(super) fn maybe_ask(&mut self, now_ms: u64, effects: &mut Effects) {
        if self.ensemble.oracle != Oracle::Unasked || !self.ensemble.is_one_of_pair() {
            return;
        }
        let is_wanted = match &self.role {
            Role::Looking(election) => election.wants_oracle(&self.ensemble, now_ms),
            Role::Leading(leading) => leading.wants_oracle(&self.history, now_ms),
            Role::Ending { .. } | Role::Following(_) => false,
        };
        if is_wanted {
            self.ensemble.oracle = Oracle::Asked;
            effects.push(Effect::AskOracle);
        }
    }

    /// It has answered.
    pub(super) fn oracle_said(&mut self, now_ms: u64, permits: bool, effects: &mut Effects) {
        assert_eq!(self.ensemble.oracle, Oracle::Asked, "the oracle was not asked");
        self.ensemble.oracle = if permits { Oracle::Permits } else { Oracle::Unasked };
        let mut lost = Ok(());
        self.in_role(now_ms, effects, |role, context| match role {
            Role::Leading(leading) => lost = leading.oracle_said(context),
            Role::Looking(election) => {
                election.oracle_said(context.ensemble, context.pace, now_ms);
            }
            Role::Ending { .. } | Role::Following(_) => (),
        });
        self.ensemble.oracle = Oracle::Unasked;
        if let Err(why) = lost {
            self.lose(why, effects);
        }
    }
}
