//! Fast leader election: servers exchange votes until a quorum has the same one.
//!
//! Each server votes for the server with the longest history that it has seen: the highest (current
//! epoch, last zxid, id). Votes count within a *round*; a server that sees a later round joins it
//! and drops the votes of its own. A quorum of equal votes ends the election
//! after [`FINALIZE_MS`] without a better vote; at once if every voter has the same vote, because
//! then no voter is left that could have a better one.
//!
//! A server that starts while the others have a leader joins them: they answer with FOLLOWING and
//! LEADING, and a quorum of such notifications, the leader's own among them, is an ensemble.
//!
//! While a configuration is proposed, one that votes in that alone stands for election in odd
//! rounds only. It may hold what its configuration alone has committed, and then has to lead; but
//! voters that lack the proposal do not know it, so that in some rounds it must not stand. A round
//! in which it stood and that leads to nothing is followed by the next.
//!
//! Electing the server with the longest history makes discovery succeed quickly; safety does not
//! depend on it.
//!
//! Source: ZooKeeper 3.9.5, `FastLeaderElection`. Lives in: `Role::Looking`.

use super::effect::{Effects, Notice};
use super::ensemble::{Ensemble, Pace};
use super::oracle::Oracle;
use super::plant::Plant;
use model::peer::notification::{ServerState, Vote};
use model::server::ServerId;
use model::zxid::Zxid;
use std::collections::{BTreeMap, BTreeSet};

/// How long a quorum of equal votes waits for a better one, in ms (stock's `finalizeWait`).
pub const FINALIZE_MS: u64 = 200;

/// How long a server waits for answers before it repeats its vote, in ms: at first, and at most,
/// unless it is configured ([`Pace`]).
pub const NOTIFY_MS_MIN: u64 = 200;
/// See [`NOTIFY_MS_MIN`].
pub const NOTIFY_MS_MAX: u64 = 60_000;

/// The zxid that a server votes with which has no data and may not begin without.
pub const UNINITIALIZED: i64 = -1;

/// The last notification of another server.
#[derive(Clone, Copy, Debug)]
struct Said {
    vote: Vote,
    round: i64,
    state: ServerState,
}

/// How an election ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elected {
    /// What the server answers from now on when it is asked for its vote; names the leader.
    pub vote: Vote,
    /// The round in which it was elected.
    pub round: i64,
}

/// An election as one server sees it.
#[derive(Debug)]
pub struct Election {
    /// The vote for itself, with which it begins each round in which it stands.
    own: Vote,
    vote: Vote,
    round: i64,
    /// Votes of this round, the server's own included.
    votes: BTreeMap<ServerId, Said>,
    /// Notifications of servers that have a leader, of any round.
    settled: BTreeMap<ServerId, Said>,
    /// How long it waits before it repeats its vote, and at most.
    repeat_ms: u64,
    repeat_ms_max: u64,
    repeat_at_ms: u64,
    /// A quorum has this server's vote; it counts if no better one comes until then.
    ends_at_ms: Option<u64>,
    /// The oracle is not asked before.
    ask_at_ms: u64,
    /// How long a round may lead to nothing while a configuration is proposed, and until when.
    round_ms: u64,
    round_ends_at_ms: u64,
}

/// Whether a vote beats another one.
fn is_better(ensemble: &Ensemble, new: Vote, old: Vote) -> bool {
    let is_blind = ensemble.planted.has(Plant::AheadIgnored);
    let rank = |vote: Vote| {
        let (epoch, zxid) = if is_blind { (0, Zxid::ZERO) } else { (vote.epoch, vote.zxid) };
        (epoch, zxid, vote.leader)
    };
    ensemble.may_lead(new.leader) && rank(new) > rank(old)
}

/// Whether two servers that have a leader follow the same one. Their zxids and rounds may differ:
/// a vote is adjusted to the new epoch once its server has synchronized.
fn is_same_leader(one: &Said, other: &Said) -> bool {
    (one.vote.leader, one.vote.epoch) == (other.vote.leader, other.vote.epoch)
}

impl Election {
    /// Begins the round behind `last_round` and announces the server's own vote.
    pub fn begin(
        (ensemble, pace): (&Ensemble, Pace),
        own: Vote,
        last_round: i64,
        now_ms: u64,
        effects: &mut Effects,
    ) -> Self {
        let mut election = Self {
            own,
            vote: own,
            // A server may claim any round.
            round: last_round.saturating_add(1),
            votes: BTreeMap::new(),
            settled: BTreeMap::new(),
            repeat_ms: pace.notify_ms_min,
            repeat_ms_max: pace.notify_ms_max,
            repeat_at_ms: now_ms + pace.notify_ms_min,
            ends_at_ms: None,
            ask_at_ms: now_ms,
            round_ms: pace.init_ms(),
            round_ends_at_ms: now_ms + pace.init_ms(),
        };
        election.vote = election.own(ensemble);
        election.announce(ensemble, effects);
        election.count(ensemble, now_ms);
        election
    }

    /// The round.
    pub fn round(&self) -> i64 {
        self.round
    }

    /// Whether this server counts in this round.
    fn takes_part(&self, ensemble: &Ensemble) -> bool {
        ensemble.is_voter() || self.round % 2 != 0 && ensemble.is_known_voter(ensemble.me)
    }

    /// Whether this round is followed by the next one if it leads to nothing.
    fn is_bounded(&self, ensemble: &Ensemble) -> bool {
        ensemble.next.is_some() && self.round % 2 != 0
    }

    /// Its vote for itself in this round.
    fn own(&self, ensemble: &Ensemble) -> Vote {
        if self.takes_part(ensemble) { self.own } else { Vote::NONE }
    }

    /// What this server announces now.
    pub fn notice(&self) -> Notice {
        Notice { state: ServerState::Looking, vote: self.vote, round: self.round }
    }

    /// The servers that have this server's vote.
    pub fn supporters(&self) -> BTreeSet<ServerId> {
        let agree = self.votes.iter().filter(|(_, said)| said.vote == self.vote);
        agree.map(|(&id, _)| id).collect()
    }

    /// When [`Self::tick`] has something to do, in ms of the monotonic clock.
    pub fn deadline_ms(&self, ensemble: &Ensemble) -> u64 {
        let is_asking = ensemble.oracle == Oracle::Unasked && self.waits_for_other(ensemble);
        let asks_at_ms = if is_asking { self.ask_at_ms } else { u64::MAX };
        let is_bounded = self.is_bounded(ensemble);
        let round_ends_at_ms = if is_bounded { self.round_ends_at_ms } else { u64::MAX };
        let ends_at_ms = self.ends_at_ms.unwrap_or(u64::MAX);
        ends_at_ms.min(self.repeat_at_ms).min(asks_at_ms).min(round_ends_at_ms)
    }

    /// Whether this server could lead if the oracle let it decide alone.
    fn waits_for_other(&self, ensemble: &Ensemble) -> bool {
        let is_ready = self.vote.leader == ensemble.me && self.own.zxid.0 != UNINITIALIZED;
        is_ready && self.ends_at_ms.is_none() && ensemble.is_one_of_pair()
    }

    /// Whether the oracle is to be asked now.
    pub fn wants_oracle(&self, ensemble: &Ensemble, now_ms: u64) -> bool {
        self.waits_for_other(ensemble) && now_ms >= self.ask_at_ms
    }

    /// The oracle has answered. While it lets this server decide alone, its own vote is a quorum,
    /// and counts like one that others have: if no better vote comes.
    pub fn oracle_said(&mut self, ensemble: &Ensemble, pace: Pace, now_ms: u64) {
        self.ask_at_ms = now_ms + pace.tick_ms / 2;
        if self.waits_for_other(ensemble) {
            self.count(ensemble, now_ms);
        }
    }

    /// Handles a voter's notification.
    pub fn handle(
        &mut self,
        ensemble: &Ensemble,
        from: ServerId,
        said: Notice,
        now_ms: u64,
        effects: &mut Effects,
    ) -> Option<Elected> {
        if !ensemble.is_known_voter(said.vote.leader) {
            return None;
        }
        let (vote, round) = (said.vote, said.round);
        match said.state {
            ServerState::Looking => {
                let is_void = |vote: Vote| vote.zxid.0 == UNINITIALIZED;
                // Without a vote of its own a server has no round that others would follow. While
                // it is alone in its round, theirs is its own: in a configuration that is proposed
                // its answer may be needed. Not once another is there, which leads the rest to it.
                let is_alone = || self.votes.keys().all(|&id| id == ensemble.me);
                if round < self.round && (self.own(ensemble) != Vote::NONE || !is_alone()) {
                    effects.notify(from, self.notice());
                    return None;
                }
                if is_void(self.own) || is_void(vote) {
                    return None;
                }
                if round != self.round {
                    self.enter(round, now_ms);
                    let own = self.own(ensemble);
                    self.vote = if is_better(ensemble, vote, own) { vote } else { own };
                    self.announce(ensemble, effects);
                } else if is_better(ensemble, vote, self.vote) {
                    self.vote = vote;
                    self.announce(ensemble, effects);
                }
                self.votes.insert(from, Said { vote, round, state: ServerState::Looking });
                self.count(ensemble, now_ms);
                self.ended(now_ms)
            }
            ServerState::Observing => None,
            state @ (ServerState::Following | ServerState::Leading) => {
                self.join(ensemble, from, Said { vote, round, state })
            }
        }
    }

    /// Handles deadlines: ends the election, or repeats the vote.
    pub fn tick(
        &mut self,
        ensemble: &Ensemble,
        now_ms: u64,
        effects: &mut Effects,
    ) -> Option<Elected> {
        let elected = self.ended(now_ms);
        if elected.is_none() && self.is_bounded(ensemble) && now_ms >= self.round_ends_at_ms {
            self.enter(self.round.saturating_add(1), now_ms);
            self.vote = self.own(ensemble);
            self.announce(ensemble, effects);
            self.count(ensemble, now_ms);
        }
        if elected.is_none() && now_ms >= self.repeat_at_ms {
            self.repeat_ms = (2 * self.repeat_ms).min(self.repeat_ms_max);
            self.repeat_at_ms = now_ms + self.repeat_ms;
            self.announce(ensemble, effects);
        }
        elected
    }

    fn enter(&mut self, round: i64, now_ms: u64) {
        self.round = round;
        self.round_ends_at_ms = now_ms + self.round_ms;
        self.votes.clear();
    }

    fn ended(&self, now_ms: u64) -> Option<Elected> {
        let is_over = self.ends_at_ms.is_some_and(|at| now_ms >= at);
        is_over.then_some(Elected { vote: self.vote, round: self.round })
    }

    /// Sends this server's vote to every voter; its own vote counts like any other.
    fn announce(&mut self, ensemble: &Ensemble, effects: &mut Effects) {
        if self.takes_part(ensemble) {
            let said = Said { vote: self.vote, round: self.round, state: ServerState::Looking };
            self.votes.insert(ensemble.me, said);
        }
        for to in ensemble.voters().into_iter().filter(|&id| id != ensemble.me) {
            effects.notify(to, self.notice());
        }
    }

    /// Checks whether the vote has a quorum now.
    fn count(&mut self, ensemble: &Ensemble, now_ms: u64) {
        let agrees = |id| self.votes.get(&id).is_some_and(|said| said.vote == self.vote);
        if self.own.zxid.0 == UNINITIALIZED || !ensemble.is_quorum(agrees) {
            self.ends_at_ms = None;
        } else if ensemble.voters().into_iter().all(agrees) {
            self.ends_at_ms = Some(now_ms);
        } else {
            self.ends_at_ms.get_or_insert(now_ms + FINALIZE_MS);
        }
    }

    /// A server has a leader: joins it if a quorum has the same one, which itself leads. While a
    /// configuration is proposed, a quorum of either is enough: the others may know that it is in
    /// force, or that it never will be; and to follow is always safe.
    fn join(&mut self, ensemble: &Ensemble, from: ServerId, said: Said) -> Option<Elected> {
        let leader = said.vote.leader;
        if said.round == self.round {
            self.votes.insert(from, said);
            let agrees = |id| {
                self.votes.get(&id).is_some_and(|other| match other.state {
                    ServerState::Looking => other.vote == said.vote,
                    _ => is_same_leader(other, &said),
                })
            };
            if ensemble.is_quorum_of_either(agrees) && self.is_leading(ensemble, &self.votes, said)
            {
                return Some(Elected { vote: said.vote, round: said.round });
            }
        }
        self.settled.insert(from, said);
        let agrees = |id| self.settled.get(&id).is_some_and(|other| is_same_leader(other, &said));
        let is_believed = said.state == ServerState::Leading && ensemble.believes_leaders();
        let is_followed = ensemble.is_quorum_of_either(agrees);
        if (is_followed || is_believed) && self.is_leading(ensemble, &self.settled, said) {
            self.round = said.round;
            return Some(Elected { vote: Vote { leader, ..said.vote }, round: said.round });
        }
        None
    }

    /// Whether the leader itself has announced that it leads. Otherwise servers would keep electing
    /// one that has crashed. This server is the leader if the others follow it in this round.
    fn is_leading(
        &self,
        ensemble: &Ensemble,
        said_by: &BTreeMap<ServerId, Said>,
        said: Said,
    ) -> bool {
        if said.vote.leader == ensemble.me {
            return said.round == self.round;
        }
        said_by.get(&said.vote.leader).is_some_and(|it| it.state == ServerState::Leading)
    }
}
