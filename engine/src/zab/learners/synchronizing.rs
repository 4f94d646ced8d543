//! Making a learner's history equal to the leader's.
//!
//! The leader looks for the learner's last txn in its own history. Where it is there, what comes
//! behind is sent (DIFF). Where the learner has more of an epoch than the leader, it is cut first
//! (TRUNC): the txns of an epoch that two servers hold are prefixes of what its leader proposed, so
//! the learner holds the leader's last one of that epoch. In all other cases the learner gets a
//! snapshot (SNAP).
//!
//! A stock learner is never cut. What its history holds may be in a snapshot and not in its log,
//! where a cut then leaves the txn behind the one that was named; and what is committed to it
//! between a cut and NEWLEADER is in its memory alone. It gets a snapshot instead; and as that must
//! not be older than what it holds, one that comes back within the epoch waits until all of that is
//! committed. (If no quorum can commit it without this learner, the leader resigns, and the next
//! one takes another epoch.)
//!
//! Until a learner has caught up, its queue is the log: pieces of it are read, for this learner
//! alone, until memory has what comes next. Proposals continue meanwhile, and no other learner
//! waits.

use super::bounding::CatchingUp;
use super::{By, Learners, News, Offer, Stage, part_through};
use crate::in_log::InLog;
use crate::zab::context::Context;
use crate::zab::effect::{CloseReason, Effect, Message, Part, Violation};
use crate::zab::event::{LinkId, LogRead};
use crate::zab::history::Found;
use crate::zab::plant::Plant;
use model::zxid::Zxid;
use std::sync::Arc;

/// How a learner's history is made the beginning of the leader's.
enum Choice {
    /// It is, already.
    Diff,
    /// By a cut at this txn.
    Trunc(Zxid),
    /// It is replaced.
    Snap,
}

impl Learners {
    /// Begins to synchronize a learner that has promised the epoch.
    pub(in crate::zab) fn synchronize(
        &mut self,
        link: LinkId,
        offer: &Offer,
        context: &mut Context<'_>,
    ) {
        let Some(learner) = self.find_mut(link) else { return };
        let Stage::Promised { last } = learner.stage else { return };
        if last.epoch() == offer.epoch && last > offer.committed {
            // An observer master knows less than the learner, which has been elsewhere.
            if !learner.is_kin || matches!(offer.by, By::Master { .. }) {
                return;
            }
            if !self.begins_to_catch_up(link, CatchingUp::Diff, context) {
                return;
            }
            // It was synchronized in this epoch, so it holds everything committed, and perhaps
            // proposals that this link has to bring again.
            context.effects.send(link, Message::Trunc(offer.committed));
            if let Some(learner) = self.find_mut(link) {
                learner.stage = Stage::Sending { sent: offer.committed };
            }
            return self.feed(link, offer, context);
        }
        if context.ensemble.catch_up.is_snapshot_forced {
            return self.send_snapshot(link, offer, context);
        }
        match context.history.behind(last) {
            Found::Behind { after, parts } => {
                let first = parts.first().map(|part| part.txns.zxid(part.range.start));
                self.choose(link, last, after, first, offer, context);
                self.feed(link, offer, context);
            }
            Found::Earlier => {
                learner.stage = Stage::Choosing { last };
                context.effects.push(Effect::ReadLog(link, last));
            }
        }
    }

    /// Decides, given the leader's last txn at or before the learner's last one, and its next.
    fn choose(
        &mut self,
        link: LinkId,
        last: Zxid,
        after: Zxid,
        first: Option<Zxid>,
        offer: &Offer,
        context: &mut Context<'_>,
    ) {
        // (epoch, 0) is everything before the first txn of the epoch.
        let is_at_start = last.counter() == 0
            && first.is_some_and(|first| first.epoch() == last.epoch() && first.counter() == 1);
        let Some(learner) = self.find_mut(link) else { return };
        let choice = if after == last || is_at_start {
            Choice::Diff
        } else if learner.is_kin && after.epoch() == last.epoch() && after.counter() > 0 {
            Choice::Trunc(after)
        } else {
            Choice::Snap
        };
        let is_sent_txns = !matches!(choice, Choice::Snap);
        if is_sent_txns && !self.begins_to_catch_up(link, CatchingUp::Diff, context) {
            return;
        }
        let Some(learner) = self.find_mut(link) else { return };
        match choice {
            Choice::Diff => {
                context.effects.send(link, Message::Diff(offer.committed));
                learner.stage = Stage::Sending { sent: after };
            }
            Choice::Trunc(zxid) => {
                context.effects.send(link, Message::Trunc(zxid));
                learner.stage = Stage::Sending { sent: after };
            }
            Choice::Snap => self.send_snapshot(link, offer, context),
        }
    }

    /// Sends a snapshot of what is committed. Its zxid is never below the learner's last one: while
    /// the history has no committed txn of this epoch, it is the epoch's start.
    fn send_snapshot(&mut self, link: LinkId, offer: &Offer, context: &mut Context<'_>) {
        if !self.begins_to_catch_up(link, CatchingUp::Snapshot, context) {
            return;
        }
        let through = offer.pictured;
        let start = Zxid::of_epoch(offer.epoch);
        let is_bare = context.ensemble.planted.has(Plant::SnapBelowPeer);
        let zxid = if is_bare { through } else { through.max(start) };
        let Some(learner) = self.find_mut(link) else { return };
        learner.stage = Stage::SendingSnapshot { through };
        context.effects.send(link, Message::Snap(zxid));
        context.effects.push(Effect::SendSnapshot(link, through));
    }

    /// The snapshot is sent: what came meanwhile follows.
    pub(in crate::zab) fn snapshot_sent(
        &mut self,
        link: LinkId,
        offer: &Offer,
        context: &mut Context<'_>,
    ) {
        let Some(learner) = self.find_mut(link) else { return };
        let Stage::SendingSnapshot { through } = learner.stage else { return };
        learner.heard_ms = context.now_ms;
        learner.stage = Stage::Sending { sent: through };
        self.feed(link, offer, context);
    }

    /// A piece of the log was read for a learner.
    pub(in crate::zab) fn log_read(
        &mut self,
        link: LinkId,
        read: LogRead,
        offer: &Offer,
        context: &mut Context<'_>,
    ) {
        let Some(learner) = self.find_mut(link) else { return };
        // It waits for us, not we for it.
        learner.heard_ms = context.now_ms;
        match (learner.stage.clone(), read) {
            (Stage::Choosing { last }, LogRead::Range { after, txns }) => {
                self.choose(link, last, after, txns.first(), offer, context);
                self.send_piece(link, after, &txns, offer, context);
            }
            (Stage::Choosing { .. }, LogRead::Unavailable) => {
                self.send_snapshot(link, offer, context);
            }
            (Stage::Sending { sent }, LogRead::Range { after, txns }) if after == sent => {
                self.send_piece(link, after, &txns, offer, context);
            }
            // The log does not reach back to what was sent a moment ago, though it is held back.
            (Stage::Sending { .. }, _) => {
                let why = CloseReason::Protocol(Violation::OutOfPlace);
                self.close(link, why, context.effects);
            }
            _ => (),
        }
    }

    /// Sends a piece of the log to a learner whose history ends in front of it.
    fn send_piece(
        &mut self,
        link: LinkId,
        after: Zxid,
        txns: &Arc<InLog>,
        offer: &Offer,
        context: &mut Context<'_>,
    ) {
        let stage = self.find(link).map(|it| it.stage.clone());
        if stage == Some(Stage::Sending { sent: after }) {
            let part = part_through(txns, 0, offer.committed);
            self.send_part(link, &part, offer, context);
            self.feed(link, offer, context);
        }
    }

    /// Sends what a learner lacks, from memory if that reaches back far enough; then NEWLEADER.
    fn feed(&mut self, link: LinkId, offer: &Offer, context: &mut Context<'_>) {
        let Some(learner) = self.find(link) else { return };
        let Stage::Sending { sent } = learner.stage else { return };
        match context.history.behind(sent) {
            Found::Earlier => context.effects.push(Effect::ReadLog(link, sent)),
            Found::Behind { parts, .. } => {
                let is_begun = offer.by != By::Prospect;
                // Another configuration that is not in force follows NEWLEADER, with what is
                // behind it: what NEWLEADER names counts at UPTODATE.
                let change = context.change_in_flight().filter(|_| is_begun);
                let is_bare = context.ensemble.planted.has(Plant::InheritedBare) && !is_begun;
                let mut held_back = Vec::new();
                for part in &parts {
                    let before =
                        change.map_or(usize::MAX, |at| part.txns.count_through(Zxid(at.0 - 1)));
                    let split = before.clamp(part.range.start, part.range.end);
                    let of = |range| Part { txns: part.txns.clone(), range };
                    if is_bare {
                        context.effects.send(link, Message::Proposals(part.clone()));
                    } else {
                        self.send_part(link, &of(part.range.start..split), offer, context);
                        held_back.push(of(split..part.range.end));
                    }
                }
                let ensemble = &*context.ensemble;
                let offered = if is_begun { &ensemble.current } else { ensemble.newest() };
                context.effects.send(link, Message::NewLeader(offer.epoch, offered.clone()));
                for part in held_back {
                    self.send_held_back(link, &part, offer, context);
                }
                for part in parts.into_iter().filter(|_| is_bare) {
                    context.effects.send(link, Message::Commits(part));
                }
                if let Some(learner) = self.find_mut(link) {
                    learner.stage = Stage::Offered;
                    learner.heard_ms = context.now_ms;
                }
            }
        }
    }

    /// Sends what comes behind NEWLEADER. A leader has committed none of it; an observer master
    /// may know it to be committed, and then informs of it, as it informed the others.
    fn send_held_back(
        &mut self,
        link: LinkId,
        part: &Part,
        offer: &Offer,
        context: &mut Context<'_>,
    ) {
        let By::Master { designated } = offer.by else {
            return self.send_part(link, part, offer, context);
        };
        let known = part_through(&part.txns, part.range.start, offer.committed);
        let News { before, change, behind } = News::of(&known, designated);
        context.effects.inform(link, before);
        if let Some((change, leader)) = change {
            context.effects.send(link, Message::InformAndActivate(change, leader));
        }
        context.effects.inform(link, behind);
    }

    /// Sends proposals, and a COMMIT for each that is committed. An observer gets only those, in
    /// pairs; it is informed of the others once they are committed, as every learner is that has
    /// been offered the history. So nothing uncommitted may be sent before that is about to happen.
    fn send_part(&mut self, link: LinkId, part: &Part, offer: &Offer, context: &mut Context<'_>) {
        let Some(learner) = self.find_mut(link) else { return };
        let end = part.txns.count_through(offer.committed).clamp(part.range.start, part.range.end);
        let decided = Part { txns: part.txns.clone(), range: part.range.start..end };
        let proposed = if learner.is_observer { decided.clone() } else { part.clone() };
        if !proposed.range.is_empty() {
            learner.stage = Stage::Sending { sent: part.txns.zxid(proposed.range.end - 1) };
            context.effects.send(link, Message::Proposals(proposed));
        }
        if !decided.range.is_empty() {
            context.effects.send(link, Message::Commits(decided));
        }
    }
}
