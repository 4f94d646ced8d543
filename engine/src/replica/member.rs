//! A server of an ensemble: agreement beside the history of writes.
//!
//! What the log is given is kept as the [`Tail`] until it is published. A leader applies what it
//! proposes before it is logged, and what it inherits when its epoch begins; a learner applies what
//! is committed. Both publish what agreement calls committed and durable.
//!
//! While it looks for a leader, and only then, it may serve clients that are content with reading.
//! As stock, it waits before (`Settings::read_only_after_ms`): a short election should not give
//! them a session that ends with it.
//!
//! Invariant: between the events of the replica, the head holds what is published, and on a leader
//! what it has inherited and proposed (guard: `tests::ensemble`).
//!
//! Invariant: clients that only read see what is known to be committed, and of one tree until they
//! are closed (guard: `tests::ensemble::reading`).

use super::tail::Tail;
use super::{Effect, Effects, Replica, Serving};
use crate::in_log::InLog;
use crate::ordering::{ReplayError, is_txn};
use crate::pipeline::Head;
use crate::settings::Now;
use crate::zab::{self, CloseReason, LinkId, Message, Plant, Progress, Violation, Zab, ZabParts};
use model::peer::packet::FromLeader;
use model::zxid::Zxid;
use std::mem;
use std::sync::Arc;

/// What a server of an ensemble starts with.
pub struct MemberParts {
    /// Its agreement.
    pub zab: ZabParts,
    /// The txns of its log behind the tree's last one.
    pub tail: Vec<Arc<InLog>>,
    /// Makes the tree of a history without txns, sealed and published.
    pub empty: Box<dyn Fn() -> Head + Send>,
}

/// A server's part in its ensemble.
pub(super) struct Member {
    zab: Zab,
    /// Agreement's effects; kept to reuse the memory.
    effects: zab::Effects,
    tail: Tail,
    empty: Box<dyn Fn() -> Head + Send>,
    replaced: Option<Replaced>,
    /// The role is lost, and what it had applied is pinned by a snapshot that is being sent.
    is_dropping: bool,
    /// Since when it looks for a leader, in ms of the monotonic clock.
    looking_since_ms: Option<u64>,
}

/// The history that a snapshot is to replace: it counts until the snapshot is accepted, and shards
/// read from it until clients are served again.
struct Replaced {
    head: Head,
    tail: Tail,
    durable: Zxid,
    visible: Zxid,
    is_accepted: bool,
}

impl Member {
    pub(super) fn new(parts: MemberParts) -> Self {
        let mut tail = Tail::default();
        parts.tail.into_iter().for_each(|txns| tail.push(txns));
        Self {
            zab: Zab::new(parts.zab),
            effects: zab::Effects::default(),
            tail,
            empty: parts.empty,
            replaced: None,
            is_dropping: false,
            looking_since_ms: None,
        }
    }

    /// Clients see the history through `zxid`.
    pub(super) fn published(&mut self, zxid: Zxid) {
        self.tail.published(zxid);
    }

    pub(super) fn zab(&self) -> &Zab {
        &self.zab
    }
}

impl Replica {
    /// Hands an event to agreement, and performs what that decides.
    pub(super) fn agree(&mut self, now: Now, event: zab::Event<'_>, effects: &mut Effects) {
        if let zab::Event::FromLeader(link, packet) = &event
            && !is_readable(packet)
        {
            // In the log no start could read it.
            let why = CloseReason::Protocol(Violation::Malformed);
            return self.close_link(now, *link, why, effects);
        }
        let Some(member) = &mut self.member else { return };
        let mut decided = mem::take(&mut member.effects);
        let is_stored = matches!(event, zab::Event::EpochsStored);
        let of_clients = match &event {
            zab::Event::FromLearner(..) | zab::Event::FromLeader(..) | zab::Event::Closed(_) => {
                Some(event.clone())
            }
            _ => None,
        };
        member.zab.handle(now.mono_ms, event, &mut decided);
        if is_stored && let Some(replaced) = &mut member.replaced {
            replaced.is_accepted |= !member.zab.is_replacing();
        }
        self.watch_election(now, effects);
        for effect in decided.take() {
            if let Err(error) = self.perform(now, effect, effects) {
                effects.push(Effect::Diverged(error));
            }
        }
        if let Some(member) = &mut self.member {
            member.effects = decided;
        }
        if let Some(event) = of_clients {
            self.pass_on(now, &event, effects);
        }
        self.send_packets(effects);
    }

    /// What a packet says of clients, or the end of a link means for them.
    fn pass_on(&mut self, now: Now, event: &zab::Event<'_>, effects: &mut Effects) {
        match event {
            // One that agreement has closed for what it said, or an observer that is none.
            zab::Event::FromLearner(link, _) if !self.is_passing_on(*link) => (),
            zab::Event::FromLearner(link, packet) => {
                let heard = self.ordering.heard_of_learner(now, *link, packet);
                if heard.is_err() {
                    let why = CloseReason::Protocol(Violation::TooMuch);
                    self.close_link(now, *link, why, effects);
                }
            }
            zab::Event::FromLeader(_, packet) => {
                let named = self.zab().map_or(Zxid::ZERO, Zab::named);
                self.ordering.heard_of_clients(packet, named);
            }
            zab::Event::Closed(link) => self.ordering.link_ended(*link),
            _ => (),
        }
    }

    /// Whether what this learner says of its clients counts.
    fn is_passing_on(&self, link: LinkId) -> bool {
        self.ordering.is_leading() || self.zab().is_some_and(|zab| zab.serves_observer(link))
    }

    /// Whether packets of this link are to be handed in now; if not, the link is not read.
    pub fn is_reading(&self, link: LinkId) -> bool {
        let Some(zab) = self.zab() else { return false };
        zab.is_reading(link) && (self.ordering.is_relaying() || !zab.serves_observer(link))
    }

    fn close_link(&mut self, now: Now, link: LinkId, why: CloseReason, effects: &mut Effects) {
        effects.push(Effect::Peer(zab::Effect::Close(link, why)));
        self.agree(now, zab::Event::Closed(link), effects);
    }

    /// Hands over what was said to other servers about clients.
    pub(super) fn send_packets(&mut self, effects: &mut Effects) {
        for (link, packets) in self.ordering.take_packets() {
            let message = Message::OfClients(packets);
            effects.push(Effect::Peer(zab::Effect::Send(link, message)));
        }
    }

    fn perform(
        &mut self,
        now: Now,
        effect: zab::Effect,
        effects: &mut Effects,
    ) -> Result<(), ReplayError> {
        let Some(member) = &mut self.member else { return Ok(()) };
        match effect {
            zab::Effect::Append(txns) => {
                self.snapshots.sealed(&txns);
                member.tail.push(txns.clone());
                effects.push(Effect::Append(txns));
            }
            zab::Effect::Inherit => self.apply_through(Zxid(i64::MAX))?,
            zab::Effect::Committed(zxid) => {
                self.apply_through(zxid)?;
                self.visible = self.visible.max(zxid);
                self.publish(effects);
            }
            zab::Effect::Confirmed(number) => {
                self.ordering.confirmed(number);
                self.publish(effects);
                self.ordering.answer_syncs();
            }
            zab::Effect::Lead(epoch) => {
                self.exchange_tree(effects);
                self.show_configuration(now, effects);
                let Some(member) = &self.member else { return Ok(()) };
                self.ordering.lead(now, epoch, member.zab.ensemble().epoch_txns_max);
                let start = Zxid::of_epoch(epoch);
                (self.visible, self.durable) = (self.visible.max(start), self.durable.max(start));
                effects.push(Effect::Serve(Serving::Leading(epoch)));
            }
            zab::Effect::Follow(link) => {
                if self.ordering.planted.has(Plant::TailShown)
                    && let Some(end) = member.tail.last()
                {
                    let end = end.min(self.durable);
                    self.apply_through(end)?;
                    self.visible = self.visible.max(end);
                    self.publish(effects);
                }
                self.exchange_tree(effects);
                // What a leader had not published when it lost its place, though it was committed.
                self.apply_through(self.visible)?;
                self.show_configuration(now, effects);
                self.ordering.follow(link);
                effects.push(Effect::Serve(Serving::Following(link)));
            }
            zab::Effect::Stand(standing) => self.ordering.head.stand(standing),
            zab::Effect::Look(why) => {
                // Who has changed the ensemble is answered.
                match why {
                    zab::Lost::Reconfigured { .. } => self.ordering.leave_clients(),
                    _ => self.ordering.stop_serving(),
                }
                member.is_dropping = true;
                self.maybe_drop_head(now);
                effects.push(Effect::StopServing(why));
            }
            other => self.pass(now, other, effects),
        }
        Ok(())
    }

    /// Passes an effect on to whoever has links and disk, with what the replica has to say to it.
    fn pass(&mut self, now: Now, effect: zab::Effect, effects: &mut Effects) {
        let Some(member) = &mut self.member else { return };
        match effect {
            zab::Effect::Send(link, Message::Pong(zxid)) => {
                let mut pong = self.ordering.put_pong(zxid);
                pong.take_if(|_| self.ordering.planted.has(Plant::TouchesForgotten));
                let message = pong.map_or(Message::Pong(zxid), Message::OfClients);
                effects.push(Effect::Peer(zab::Effect::Send(link, message)));
            }
            zab::Effect::Close(link, _) => {
                self.ordering.link_ended(link);
                effects.push(Effect::Peer(effect));
            }
            zab::Effect::CutLog(zxid) => {
                member.tail.cut(zxid);
                // The txn at which the log ends, which need not be the one that was named.
                let end = member.tail.last().unwrap_or(self.ordering.seen()).min(zxid);
                self.durable = self.durable.min(end);
                effects.push(Effect::Peer(zab::Effect::CutLog(end)));
            }
            zab::Effect::BeginEmpty(_) => {
                let head = (member.empty)();
                effects.push(Effect::Peer(effect));
                self.replace_tree(head, effects);
            }
            zab::Effect::ForgetSnapshot => {
                self.restore_tree();
                effects.push(Effect::Peer(effect));
            }
            zab::Effect::SendSnapshot(link, zxid) => match self.ordering.pin_at(zxid) {
                Some(pin) => effects.push(Effect::SendSnapshot(link, pin)),
                None => self.close_link(now, link, CloseReason::TooManyLinks, effects),
            },
            other => effects.push(Effect::Peer(other)),
        }
    }

    /// Drops what is not published, once the role is lost and nothing of it is pinned. Until then
    /// agreement is not told that turns end: it begins no election.
    pub(super) fn maybe_drop_head(&mut self, now: Now) {
        let Some(member) = &mut self.member else { return };
        if member.is_dropping && !self.ordering.head.tree.is_head_pinned() {
            member.is_dropping = false;
            if !self.ordering.planted.has(Plant::HeadKept) {
                self.ordering.drop_head(now);
            }
        }
    }

    /// Agreement has decided something: whether it looks for a leader is known anew. Before any of
    /// it is performed: the tree may be replaced once a leader is elected.
    fn watch_election(&mut self, now: Now, effects: &mut Effects) {
        let Some(member) = &mut self.member else { return };
        if member.zab.progress() == Progress::Election {
            member.looking_since_ms.get_or_insert(now.mono_ms);
            return;
        }
        member.looking_since_ms = None;
        if self.ordering.is_read_only() {
            self.ordering.stop_serving();
            effects.push(Effect::EndReadOnly);
        }
    }

    /// When clients that only read are to be served; `None` if they may not be, or are already.
    pub(super) fn read_only_from_ms(&self) -> Option<u64> {
        let member = self.member.as_ref()?;
        let looking_since_ms = member.looking_since_ms?;
        let after_ms = self.ordering.read_only_after_ms()?;
        // An import, and a snapshot of an epoch that has not begun, need not be committed.
        let is_committed = self.ordering.seen() <= member.zab.history().committed();
        let is_whole = !member.is_dropping && member.replaced.is_none();
        let is_durable = self.ordering.published() <= self.durable;
        let may_begin = is_whole && is_committed && is_durable && !self.ordering.is_read_only();
        may_begin.then_some(looking_since_ms + after_ms)
    }

    /// Serves clients that only read, if a leader has been looked for long enough.
    pub(super) fn maybe_serve_read_only(&mut self, now: Now, effects: &mut Effects) {
        if self.read_only_from_ms().is_some_and(|from_ms| from_ms <= now.mono_ms) {
            self.ordering.serve_read_only(now);
            effects.push(Effect::Serve(Serving::ReadOnly));
        }
    }

    /// Whether [`Self::maybe_drop_head`] has yet to succeed.
    pub(super) fn is_dropping(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.is_dropping)
    }

    /// Another tree takes the place of this server's.
    pub(super) fn replace_tree(&mut self, head: Head, effects: &mut Effects) {
        let zxid = head.tree.meta().zxid;
        let head = self.ordering.replace_head(head);
        let (durable, visible) = (self.durable, self.visible);
        (self.durable, self.visible) = (zxid, zxid);
        let Some(member) = &mut self.member else { return };
        let tail = mem::take(&mut member.tail);
        let is_accepted = false;
        let before =
            member.replaced.replace(Replaced { head, tail, durable, visible, is_accepted });
        // A snapshot that was not accepted was forgotten: this is the history before one that was.
        effects.extend(before.map(|before| Effect::Discard(Box::new(before.head))));
    }

    /// What has come of a snapshot is void: the history before it counts.
    fn restore_tree(&mut self) {
        let Some(member) = &mut self.member else { return };
        if let Some(replaced) = member.replaced.take_if(|it| !it.is_accepted) {
            member.tail = replaced.tail;
            (self.durable, self.visible) = (replaced.durable, replaced.visible);
            self.ordering.replace_head(replaced.head);
        }
    }

    /// Clients will be served: from the tree that came last.
    fn exchange_tree(&mut self, effects: &mut Effects) {
        let Some(member) = &mut self.member else { return };
        if let Some(replaced) = member.replaced.take() {
            self.ordering.exchange_readers();
            effects.push(Effect::Discard(Box::new(replaced.head)));
        }
    }

    fn show_configuration(&mut self, now: Now, effects: &mut Effects) {
        let Some(member) = &self.member else { return };
        let ensemble = member.zab.ensemble();
        let current = ensemble.current.clone();
        self.ordering.show_configuration(current.text(), current.version(), now);
        self.publish(effects);
    }

    /// Applies the txns of the log that the head does not hold, through `zxid`, as one batch.
    fn apply_through(&mut self, zxid: Zxid) -> Result<(), ReplayError> {
        let Some(member) = &self.member else { return Ok(()) };
        let before = self.ordering.proposed();
        for txn in member.tail.between(before, zxid) {
            self.ordering.learn(txn)?;
        }
        self.ordering.answer_synced();
        if self.ordering.proposed() > before {
            let silent = self.ordering.seal();
            self.ordering.recycle(silent);
        }
        Ok(())
    }
}

/// Whether a packet that brings a txn brings one that can be read.
fn is_readable(packet: &FromLeader<'_>) -> bool {
    match *packet {
        FromLeader::Proposal { zxid, txn }
        | FromLeader::Inform { zxid, txn }
        | FromLeader::InformAndActivate { zxid, txn, .. } => is_txn(zxid, txn),
        _ => true,
    }
}
