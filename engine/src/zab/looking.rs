//! Looking for a leader: what other servers say, and what follows from an election.
//!
//! A server that has heard of a newer configuration takes it over only while it looks. Where the
//! configuration that came into force has named a leader, there is no election.

use super::effect::{CloseReason, Effect, Effects, Notice};
use super::election::{Elected, Election, UNINITIALIZED};
use super::following::Following;
use super::leading::Leading;
use super::plant::Plant;
use super::{Configuration, Context, Role, Zab};
use model::peer::notification::{ServerState, Vote};
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Zab {
    /// A configuration is in force elsewhere. While this server looks for a leader it takes it
    /// over, since nobody else tells it; later its leader does.
    pub(super) fn heard_of(&mut self, now_ms: u64, it: Arc<Configuration>, effects: &mut Effects) {
        if !self.ensemble.can_change || !matches!(self.role, Role::Looking(_)) {
            return;
        }
        let before = self.ensemble.current.clone();
        let is_news = self.ensemble.activate(it, &mut self.history);
        if is_news && !self.ensemble.current.has_same_servers(&before) {
            self.begin_election(now_ms, effects);
        }
    }

    pub(super) fn notified(
        &mut self,
        now_ms: u64,
        from: ServerId,
        notice: Notice,
        effects: &mut Effects,
    ) {
        if from == self.ensemble.me {
            // Another server claims this one's id: its vote must not replace the own one.
            return;
        }
        if !self.ensemble.is_known_voter(from) {
            // An observer, or a server of another configuration: it gets the leader's name at once.
            return effects.notify(from, self.notice());
        }
        match &mut self.role {
            Role::Ending { heard, .. } => drop(heard.insert(from, notice)),
            Role::Looking(election) => {
                let elected = election.handle(&self.ensemble, from, notice, now_ms, effects);
                if let Some(elected) = elected {
                    self.join(now_ms, elected, effects);
                }
            }
            Role::Leading(_) | Role::Following(_) if notice.state != ServerState::Looking => (),
            Role::Leading(leading) => {
                let abandoned = leading.voter_looks(from, self.pace, now_ms);
                effects.notify(from, self.notice());
                if let Err(why) = abandoned {
                    self.lose(why, effects);
                }
            }
            Role::Following(_) => effects.notify(from, self.notice()),
        }
    }

    /// The vote for this server itself; that of an observer is void. In which rounds that of a
    /// voter of the proposed configuration counts is for the election to say.
    pub(super) fn own_vote(&self) -> Vote {
        if !self.ensemble.is_known_voter(self.ensemble.me) {
            return Vote::NONE;
        }
        let current = self.epochs.current();
        let mut zxid = self.history.last();
        if !self.is_empty_trusted && (current, zxid) == (Epoch(0), Zxid::ZERO) {
            zxid = Zxid(UNINITIALIZED);
        }
        Vote { leader: self.ensemble.me, zxid, epoch: i64::from(current.0) }
    }

    /// The election has ended: leads or follows.
    pub(super) fn join(&mut self, now_ms: u64, elected: Elected, effects: &mut Effects) {
        self.round = elected.round;
        self.elected = Some(elected);
        let leader = elected.vote.leader;
        let epochs = self.epochs;
        let snapshot_of = self.snapshot_of.take();
        let later_than = self.later_promise;
        let early = std::mem::take(&mut self.early);
        let supporters = match &self.role {
            Role::Looking(election) => election.supporters(),
            Role::Ending { .. } | Role::Leading(_) | Role::Following(_) => BTreeSet::new(),
        };
        let Self { ensemble, pace, history, storing, attempts, masters, .. } = self;
        let pace = *pace;
        let mut context =
            Context { ensemble, pace, history, storing, attempts, masters, effects, now_ms };
        if leader == context.ensemble.me {
            let mut leading = Leading::begin(epochs, later_than, supporters, &mut context);
            for link in early {
                leading.accepted(link, now_ms);
            }
            self.role = Role::Leading(Box::new(leading));
        } else {
            let snapshot_in = snapshot_of.filter(|it| it.0 == leader).map(|it| it.1);
            let following = Following::begin(leader, epochs, snapshot_in, &mut context);
            for link in early {
                effects.push(Effect::Close(link, CloseReason::NotLeading));
            }
            self.role = Role::Following(Box::new(following));
        }
    }

    /// Begins to look for a leader once everything handed to the log has ended, and what the role
    /// before had begun to store is stored: a vote describes what is on disk.
    pub(super) fn maybe_look(&mut self, now_ms: u64, effects: &mut Effects) {
        let Role::Ending { following, heard, .. } = &mut self.role else { return };
        let is_cutting = following.as_ref().is_some_and(|it| it.is_cutting());
        let is_settled =
            self.history.is_settled() || self.ensemble.planted.has(Plant::VoteBeforeDurable);
        let is_resting = now_ms < self.rests_until_ms;
        if !is_resting {
            self.rests_until_ms = 0;
        }
        if self.storing.is_some() || is_cutting || !is_settled || is_resting {
            return;
        }
        let heard = std::mem::take(heard);
        if let Some(following) = following.take() {
            following.end(&mut self.history, effects);
        }
        match self.designated.take().filter(|it| self.ensemble.current.quorum().is_voter(*it)) {
            Some(leader) => {
                let epoch = i64::from(self.epochs.current().0);
                let vote = Vote { leader, zxid: self.history.last(), epoch };
                self.join(now_ms, Elected { vote, round: self.round }, effects);
            }
            None => self.begin_election(now_ms, effects),
        }
        for (from, notice) in heard {
            self.notified(now_ms, from, notice, effects);
        }
    }

    pub(super) fn begin_election(&mut self, now_ms: u64, effects: &mut Effects) {
        let own = self.own_vote();
        let election =
            Election::begin((&self.ensemble, self.pace), own, self.round, now_ms, effects);
        self.round = election.round();
        self.role = Role::Looking(election);
    }
}
