//! What a server decides, as one value: events come in, effects come out.
//!
//! The caller hands in every [`Event`] in the order in which it happens, performs every [`Effect`]
//! in order, and decides nothing itself. A running server, the
//! engine's tests and a simulator drive the same value.
//!
//! The life of a write: a shard's message is handled and its txns join the open batch. At the end
//! of a turn the batch is sealed if the log can take one ([`Effect::Append`]); until then it grows,
//! which is group commit without a timer. When the log is durable through the batch it is published
//! ([`Effect::Published`]), and the shards answer. A batch without txns (a sync, an answer to a
//! connect) needs no log, only its place behind the batches before it.
//!
//! **Invariants**
//!
//! - `published <= durable`, and `published <= sealed <= proposed` (guards: the assertions in
//!   [`Replica::handle`] and in `ordering::publishing`; `tests::replica`).
//! - Once writes are refused for want of room, what was proposed before still fits into the log
//!   (guard: `tests::replica::writes_are_refused_while_what_was_proposed_fits`).
//! - At most one snapshot is being written (guard: `snapshots`, its tests).
//!
//! Lives in: the ordering role's core loop. Not here: clients (`shard`), how a txn is laid out on
//! disk (`log`), segments and their files, clocks.
//!
//! A server of an ensemble has a part for agreement beside `ordering` (`member`): a batch that it
//! seals as leader goes to its followers in the same turn as to the log, and is published when a
//! quorum holds it; as learner it applies what is committed; without a leader it may serve what it
//! has published.

mod effect;
mod event;
mod member;
mod snapshots;
mod tail;

pub use effect::{Effect, Effects, Serving};
pub use event::{Event, LogState};
pub use member::MemberParts;
pub use snapshots::SnapshotPolicy;

use crate::batch::Cursor;
use crate::in_log::InLog;
use crate::ordering::{Ordering, Refusal};
use crate::pipeline::Head;
use crate::settings::{Now, Settings};
use crate::state::State;
use crate::tree::TreeReader;
use crate::zab::{self, Zab};
use member::Member;
use model::zxid::Zxid;
use snapshots::Snapshots;
use std::sync::Arc;

/// What a replica is made of.
pub struct ReplicaParts {
    /// The tree as it was restored, sealed and published.
    pub head: Head,
    /// The last txn that it holds.
    pub zxid: Zxid,
    /// What was decided at start.
    pub settings: Arc<Settings>,
    /// Count of shards that will speak to it.
    pub shards: u16,
    /// Bytes of log that must be left for what is proposed while writes begin to be refused.
    pub reserve_bytes: u64,
    /// When snapshots are taken.
    pub snapshots: SnapshotPolicy,
    /// Txns, and their bytes, that are in the log and in no snapshot.
    pub unsaved: (u64, u64),
    /// Its part in an ensemble; `None` for a server that is alone.
    pub member: Option<MemberParts>,
}

/// The decisions of one server.
pub struct Replica {
    ordering: Ordering,
    log: LogState,
    /// The log is durable through this txn.
    durable: Zxid,
    /// Clients may see the history through here: what is durable, and in an ensemble committed.
    visible: Zxid,
    /// How many bytes the log can still take, if it cannot be continued; see [`Event::LogBounded`].
    log_bytes_left: Option<u64>,
    reserve_bytes: u64,
    snapshots: Snapshots,
    member: Option<Box<Member>>,
}

impl Replica {
    /// A replica whose log is empty, or durable through the tree's last txn and the tail behind it.
    pub fn new(parts: ReplicaParts, now: Now) -> Self {
        let ReplicaParts { head, zxid, settings, shards, .. } = parts;
        let ReplicaParts { reserve_bytes, snapshots, unsaved, member, .. } = parts;
        let durable = member.as_ref().map_or(zxid, |it| it.zab.last.max(zxid));
        let mut ordering = Ordering::new(head, zxid, settings, shards, now);
        if let Some(member) = &member {
            ordering.planted = member.zab.ensemble.planted;
            ordering.stop_serving();
        }
        Self {
            ordering,
            log: LogState::Busy,
            durable,
            visible: zxid,
            log_bytes_left: None,
            reserve_bytes,
            snapshots: Snapshots::new(snapshots, unsaved),
            member: member.map(|parts| Box::new(Member::new(parts))),
        }
    }

    /// Handles one event and appends its effects to `effects`.
    ///
    /// # Panics
    /// If a shard's message arrives while [`Self::is_admitting`] is false, or the log reports
    /// something durable that it was not given.
    pub fn handle(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        match event {
            Event::Shard(message) => {
                self.ordering.handle(now, message);
                self.maybe_refuse(effects);
            }
            Event::Durable(zxid) => {
                // A new log does not cover what the snapshot holds.
                self.durable = self.durable.max(zxid);
                if self.member.is_some() {
                    self.agree(now, zab::Event::Durable(zxid), effects);
                } else {
                    let proposed = self.ordering.proposed();
                    assert!(zxid <= proposed, "{zxid} is durable and was not proposed");
                    self.visible = self.durable;
                    self.publish(effects);
                }
            }
            Event::Peer(event) => self.agree(now, event, effects),
            Event::SnapshotReceived { link, head } => {
                let through = head.tree.meta().zxid;
                self.replace_tree(*head, effects);
                self.agree(now, zab::Event::SnapshotReceived(link, through), effects);
            }
            Event::Log(state) => {
                self.log = state;
                if state == LogState::Ended {
                    // A session whose time runs out now is the next run's to close.
                    self.refuse(Some(Refusal::LogEnded), effects);
                }
            }
            Event::LogBounded(bytes_left) => {
                self.log_bytes_left = bytes_left;
                if bytes_left.is_none() && self.ordering.refusal() == Some(Refusal::DiskFull) {
                    self.refuse(None, effects);
                }
                self.maybe_refuse(effects);
            }
            Event::SnapshotEnded => self.snapshots.ended(now.mono_ms),
            Event::TurnEnded => self.end_turn(now, effects),
        }
        self.send_packets(effects);
        effects.deliver(self.ordering.take_messages());
    }

    /// When [`Event::TurnEnded`] has something to do though nothing else has happened, in ms of the
    /// monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        let snapshot_ms = self.snapshots.deadline_ms().unwrap_or(u64::MAX);
        let agreement_ms = self.member.as_ref().map_or(u64::MAX, |it| it.zab().deadline_ms());
        let read_only_ms = self.read_only_from_ms().unwrap_or(u64::MAX);
        self.ordering.deadline_ms().min(snapshot_ms).min(agreement_ms).min(read_only_ms)
    }

    fn end_turn(&mut self, now: Now, effects: &mut Effects) {
        if now.mono_ms >= self.ordering.deadline_ms() || self.ordering.is_busy() {
            self.ordering.tick(now);
        }
        if self.ordering.has_open() {
            let is_silent = self.ordering.open_is_silent();
            if is_silent || self.log == LogState::Ready {
                let in_log = self.ordering.seal();
                if is_silent {
                    self.ordering.recycle(in_log);
                } else if self.member.is_some() {
                    self.agree(now, zab::Event::Sealed(in_log), effects);
                } else {
                    self.snapshots.sealed(&in_log);
                    effects.push(Effect::Append(in_log));
                }
                self.publish(effects);
            }
        }
        if let Some(number) = self.ordering.take_wanted() {
            self.agree(now, zab::Event::Confirm(number), effects);
        }
        self.maybe_drop_head(now);
        if !self.is_dropping() {
            self.agree(now, zab::Event::TurnEnded, effects);
        }
        self.maybe_serve_read_only(now, effects);
        if self.snapshots.is_due_at(now.mono_ms)
            && let Some(pin) = self.ordering.head.tree.pin()
        {
            self.snapshots.began(now.mono_ms);
            effects.push(Effect::TakeSnapshot(pin));
        }
    }

    /// Publishes what is visible.
    fn publish(&mut self, effects: &mut Effects) {
        if self.ordering.publish_through(self.visible) {
            let published = self.ordering.published();
            assert!(published <= self.durable, "{published} is published before it is durable");
            effects.push(Effect::Published(published));
            if let Some(member) = &mut self.member {
                member.published(published);
                self.ordering.answer_syncs();
            }
        }
    }

    /// Refuses writes in time: while what was proposed before still fits into the log.
    fn maybe_refuse(&mut self, effects: &mut Effects) {
        let Some(bytes_left) = self.log_bytes_left else { return };
        let needed = self.reserve_bytes + self.ordering.open_bytes() as u64;
        if bytes_left < needed && self.ordering.refusal().is_none() {
            self.refuse(Some(Refusal::DiskFull), effects);
        }
    }

    fn refuse(&mut self, refusal: Option<Refusal>, effects: &mut Effects) {
        self.ordering.refuse(refusal);
        effects.push(Effect::RefuseWrites(refusal));
    }

    /// The log has taken all of these txns: their memory is reused.
    pub fn recycle(&mut self, in_log: Arc<InLog>) {
        self.ordering.recycle(in_log);
    }

    /// Frees memory that no version needs any more: at most `count_max` blocks.
    pub fn reclaim(&mut self, count_max: usize) {
        self.ordering.head.tree.reclaim(count_max);
    }

    /// Forgets everything that is not published, as a server does that loses its role.
    #[cfg(test)]
    pub(crate) fn drop_head(&mut self, now: Now) {
        self.ordering.drop_head(now);
    }

    /// Resets the counters.
    pub fn reset_counts(&mut self) {
        self.ordering.reset_counts();
    }

    /// What a new shard reads from: the published versions and the batches after them.
    pub fn view(&mut self) -> (TreeReader<State>, Cursor) {
        (self.ordering.head.tree.reader(), self.ordering.cursor())
    }

    /// The history and the sessions, for reports.
    pub fn ordering(&self) -> &Ordering {
        &self.ordering
    }

    /// The log is known to be durable through this txn.
    pub fn durable(&self) -> Zxid {
        self.durable
    }

    /// Agreement with other servers, for reports, and for what its links may bring; `None` for a
    /// server that is alone.
    pub fn zab(&self) -> Option<&Zab> {
        self.member.as_ref().map(|it| it.zab())
    }

    /// Whether shards may hand over messages now.
    pub fn is_admitting(&self) -> bool {
        self.ordering.is_admitting()
    }

    /// Whether another turn has something to do at once.
    pub fn is_busy(&self) -> bool {
        self.ordering.is_busy()
    }

    /// Whether everything proposed is published.
    pub fn is_idle(&self) -> bool {
        !self.ordering.has_open() && !self.is_busy() && self.ordering.in_flight() == 0
    }
}
