//! What stands in the way of a change, or should be known before it.

use engine::reconfigure::Refusal;
use engine::zab::Configuration;
use model::error::ErrorCode;
use model::server::ServerId;
use std::fmt;

use super::error;
use super::look::Members;
use crate::asking::Mode;

/// Something that an operator should know before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hurdle {
    /// The leader takes no changes.
    Disabled,
    /// The server is alone.
    Alone,
    /// The client may not.
    NotPermitted,
    /// The leader answers something that was not expected.
    Unexpected(i32),
    /// None of the servers that could be asked leads.
    NoLeader,
    /// The leader would refuse it.
    Refused(Refusal),
    /// A server could not be asked.
    Unasked {
        /// Which one.
        id: ServerId,
        /// Why.
        why: String,
        /// Whether it votes afterwards, so that the change may fail for it.
        is_counted: bool,
    },
    /// A server would be in the configuration, and does not run as one of the ensemble.
    Away {
        /// Which one.
        id: ServerId,
        /// What it is.
        mode: Mode,
    },
    /// One more failure after the change stops the ensemble.
    NoReserve {
        /// Voters that run.
        running: usize,
        /// All of them.
        voters: usize,
    },
    /// As many failures are survived with one voter less.
    Even(usize),
    /// One voter only is left; that depends on the leader's file.
    One,
    /// The leader goes, or is reached elsewhere: another one takes over.
    LeaderChanges(ServerId),
    /// Clients of a server are closed, since its port or its role changes.
    ClientsMove(ServerId),
    /// A server is removed: it goes on until it is stopped.
    Removed(ServerId),
}

impl Hurdle {
    /// Whether the change fails by it.
    pub(super) fn is_in_the_way(&self) -> bool {
        matches!(
            self,
            Self::Disabled
                | Self::Alone
                | Self::NotPermitted
                | Self::Unexpected(_)
                | Self::NoLeader
                | Self::Refused(_)
        )
    }

    /// What the leader's answer to a change that cannot be says.
    pub(super) fn of_change(code: i32) -> Option<Self> {
        match ErrorCode::of(code) {
            Some(ErrorCode::BadVersion) => None,
            Some(ErrorCode::ReconfigDisabled) => Some(Self::Disabled),
            Some(ErrorCode::Unimplemented) => Some(Self::Alone),
            Some(ErrorCode::ReconfigInProgress) => Some(Self::Refused(Refusal::InProgress)),
            _ => Some(Self::Unexpected(code)),
        }
    }

    /// What the answer to a write that cannot be says.
    pub(super) fn of_write(code: i32) -> Option<Self> {
        match ErrorCode::of(code) {
            Some(ErrorCode::BadVersion) => None,
            Some(ErrorCode::NoAuth) => Some(Self::NotPermitted),
            _ => Some(Self::Unexpected(code)),
        }
    }

    /// What the servers' states mean for a change from `current` to `next`.
    pub(super) fn of_servers(
        current: &Configuration,
        next: &Configuration,
        seen: &Members,
        found: &mut Vec<Self>,
    ) {
        for &id in next.membership().members().keys() {
            let is_counted = next.quorum().is_voter(id);
            match seen.mode(id) {
                Err(why) => found.push(Self::Unasked { id, why, is_counted }),
                Ok(Mode::Leader | Mode::Follower | Mode::Observer) => (),
                Ok(mode) => found.push(Self::Away { id, mode }),
            }
        }
        if let Some(leader) = seen.leader()
            && !next.keeps_leader(leader, current)
        {
            found.push(Self::LeaderChanges(leader));
        }
        for (&id, member) in current.membership().members() {
            match next.member(id) {
                None => found.push(Self::Removed(id)),
                Some(it) if it.role != member.role || it.client != member.client => {
                    found.push(Self::ClientsMove(id));
                }
                Some(_) => (),
            }
        }
        let voters: Vec<_> = next.quorum().voters().collect();
        let running = |id: ServerId| {
            seen.mode(id).is_ok_and(|it| matches!(it, Mode::Leader | Mode::Follower))
        };
        let quorum = next.quorum();
        let survives = voters
            .iter()
            .filter(|id| running(**id))
            .all(|lost| quorum.is_quorum(|id| id != *lost && running(id)));
        match voters.len() {
            1 => found.push(Self::One),
            _ if !survives => {
                let running = voters.iter().filter(|id| running(**id)).count();
                found.push(Self::NoReserve { running, voters: voters.len() });
            }
            _ => (),
        }
        let is_majority = next.membership().hierarchy().is_none();
        if is_majority && voters.len() > 1 && voters.len().is_multiple_of(2) {
            found.push(Self::Even(voters.len()));
        }
    }
}

impl fmt::Display for Hurdle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str(
                "the leader takes no changes: set reconfigEnabled=true in every server's file and \
                 restart them one by one",
            ),
            Self::Alone => f.write_str(
                "the server is alone, and has no ensemble to change: start it with its own \
                 server.N line, standaloneEnabled=false and reconfigEnabled=true",
            ),
            Self::NotPermitted => f.write_str(
                "this client may not write /zookeeper/config: give --auth of somebody who may (a \
                 superuser: digest:super:PASSWORD, whose hash servers have as \
                 -Dzookeeper.DigestAuthenticationProvider.superDigest)",
            ),
            Self::Unexpected(code) => {
                write!(f, "the leader answers {}: see its log", error::named(*code))
            }
            Self::NoLeader => f.write_str(
                "none of the servers that could be asked leads: name all of them on the command \
                 line",
            ),
            Self::Refused(refusal) => {
                write!(f, "{refusal} ({:?})", refusal.code())
            }
            Self::Unasked { id, why, is_counted } => {
                write!(f, "server {id} could not be asked what it is ({why})")?;
                f.write_str(if *is_counted { ": it was counted as not following" } else { "" })
            }
            Self::Away { id, mode } => {
                write!(f, "server {id} does not follow the leader (its mode is {mode})")
            }
            Self::NoReserve { running, voters } => write!(
                f,
                "{running} of {voters} voters run: when one of them fails, nothing is acknowledged \
                 any more"
            ),
            Self::Even(voters) => write!(
                f,
                "{voters} voters survive as many failures as {}, and each write waits for more",
                voters - 1
            ),
            Self::One => f.write_str(
                "one voter is left; that is refused (BadArguments) unless the leader's file has \
                 standaloneEnabled=false",
            ),
            Self::LeaderChanges(id) => write!(
                f,
                "server {id} leads, and cannot afterwards: another one takes over without an \
                 election, and all clients reconnect"
            ),
            Self::ClientsMove(id) => write!(f, "the clients of server {id} reconnect"),
            Self::Removed(id) => write!(
                f,
                "server {id} goes on, without a vote, until it is stopped: take it out of the \
                 clients' connect strings, then stop it"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn of(next: &Configuration, modes: &[(i64, Result<Mode, String>)]) -> Vec<Hurdle> {
        let current = Configuration::of_voters([1, 2, 3].map(ServerId));
        let modes: BTreeMap<_, _> =
            modes.iter().map(|(id, mode)| (ServerId(*id), mode.clone())).collect();
        let mut found = Vec::new();
        Hurdle::of_servers(&current, next, &Members::of(modes), &mut found);
        assert!(!found.iter().any(Hurdle::is_in_the_way));
        found
    }

    #[test]
    fn a_sound_ensemble_has_none() {
        let same = Configuration::of_voters([1, 2, 3].map(ServerId));
        let modes = [(1, Ok(Mode::Follower)), (2, Ok(Mode::Leader)), (3, Ok(Mode::Follower))];
        assert_eq!(of(&same, &modes), []);
    }

    #[test]
    fn what_an_operator_should_know_is_found() {
        let next = Configuration::of_voters([1, 2, 4, 5].map(ServerId));
        let modes = [
            (1, Ok(Mode::Follower)),
            (2, Ok(Mode::Leader)),
            (3, Ok(Mode::Follower)),
            (4, Ok(Mode::Standalone)),
            (5, Err("it is silent".to_owned())),
        ];
        let why = "it is silent".to_owned();
        let expected = [
            Hurdle::Away { id: ServerId(4), mode: Mode::Standalone },
            Hurdle::Unasked { id: ServerId(5), why, is_counted: true },
            Hurdle::Removed(ServerId(3)),
            Hurdle::NoReserve { running: 2, voters: 4 },
            Hurdle::Even(4),
        ];
        assert_eq!(of(&next, &modes), expected);
        let alone = Configuration::of_voters([ServerId(1)]);
        let leader = Hurdle::LeaderChanges(ServerId(2));
        assert!(of(&alone, &modes).contains(&leader) && of(&alone, &modes).contains(&Hurdle::One));
    }

    #[test]
    fn what_the_leader_answers_is_understood() {
        assert_eq!(Hurdle::of_change(ErrorCode::BadVersion as i32), None);
        assert_eq!(Hurdle::of_write(ErrorCode::BadVersion as i32), None);
        let disabled = Hurdle::of_change(ErrorCode::ReconfigDisabled as i32);
        assert_eq!(disabled, Some(Hurdle::Disabled));
        assert_eq!(Hurdle::of_change(0), Some(Hurdle::Unexpected(0)), "it has taken nonsense");
        assert_eq!(Hurdle::of_write(ErrorCode::NoAuth as i32), Some(Hurdle::NotPermitted));
    }
}
