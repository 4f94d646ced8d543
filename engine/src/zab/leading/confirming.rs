//! Confirming that this server still leads: what it has committed is all that any server has.
//!
//! A leader that was cut off does not know that there is another one. But a quorum that follows it
//! at some moment has followed no later leader before, so nothing was committed elsewhere by then.
//! Learners answer a ping with the zxid that it carried; here that is a number, so that an answer
//! tells which question it is to.

use super::Leading;
use crate::zab::context::Context;
use crate::zab::effect::{Effect, Message};
use crate::zab::event::LinkId;
use crate::zab::learners::Learner;
use crate::zab::plant::Plant;
use model::zxid::Zxid;

impl Leading {
    /// A ping that asks for the last confirmation.
    pub(super) fn ping(&self) -> Message {
        Message::Ping(Zxid(self.asked as i64))
    }

    /// Asks every voter that has accepted the leader's history whether it still follows.
    pub fn confirm(&mut self, number: u64, context: &mut Context<'_>) {
        assert!(number > self.asked, "confirmation {number} is asked for after {}", self.asked);
        self.asked = number;
        let ping = self.ping();
        for voter in self.voters().filter(|it| it.held().is_some()) {
            context.effects.send(voter.link, ping.clone());
        }
        self.maybe_confirm(context);
    }

    /// A learner has answered a ping.
    pub(super) fn answered(&mut self, link: LinkId, zxid: Zxid, context: &mut Context<'_>) {
        let Some(learner) = self.learners.find_mut(link) else { return };
        let number = u64::try_from(zxid.0).unwrap_or(0);
        if number > self.asked || learner.held().is_none() {
            return;
        }
        learner.answered = learner.answered.max(number);
        self.maybe_confirm(context);
    }

    pub(super) fn maybe_confirm(&mut self, context: &mut Context<'_>) {
        let answered_by = |id| {
            if id == context.ensemble.me {
                return Some(Zxid(self.asked as i64));
            }
            let counts = |it: &&Learner| it.id == Some(id) && it.held().is_some();
            self.voters().find(counts).map(|it| Zxid(it.answered as i64))
        };
        let mut confirmed = context.ensemble.held(answered_by).map_or(0, |it| it.0 as u64);
        if context.ensemble.planted.has(Plant::ConfirmedAlone) {
            confirmed = self.asked;
        }
        if confirmed > self.confirmed {
            self.confirmed = confirmed;
            context.effects.push(Effect::Confirmed(confirmed));
        }
    }
}
