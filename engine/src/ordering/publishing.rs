//! What was proposed is sealed, becomes durable, and is published; or is dropped before that.

use super::service::Service;
use super::{Applied, Ordering};
use crate::in_log::InLog;
use crate::limits::{BATCH_BYTES_MAX, SPARE_BATCHES_MAX};
use crate::session::SessionPlace;
use crate::settings::Now;
use model::zxid::Zxid;
use std::mem;
use std::sync::Arc;

impl Ordering {
    /// Ends the open batch: it is applied to the head, and visible once
    /// [`Self::publish_through`] covers it. Returns the txns that the log must hold before.
    ///
    /// # Panics
    /// If its last txn is not complete: see [`Self::has_open`].
    pub(crate) fn seal(&mut self) -> Arc<InLog> {
        assert!(self.closing.is_none(), "a version holds all of a txn");
        let fresh = self.chain.empty_batch();
        let mut batch = mem::replace(&mut self.open.batch, fresh);
        batch.version = Some(self.head.seal());
        self.counts.batches += 1;
        assert!(self.sealed.back().is_none_or(|last| last.through <= self.proposed));
        let confirmation = mem::take(&mut self.open.confirmation);
        self.sealed.push_back(Applied { batch, through: self.proposed, confirmation });
        let mut sealed = self.spare.pop().unwrap_or_default();
        let in_log = Arc::get_mut(&mut sealed).expect("nobody else holds spare memory");
        mem::swap(in_log, &mut self.open.in_log);
        sealed
    }

    /// Shows clients the ensemble's configuration, as a batch without txns.
    pub(crate) fn show_configuration(&mut self, text: &[u8], version: i64, now: Now) {
        self.head.show_configuration(text, version, now.wall_ms);
        let silent = self.seal();
        self.recycle(silent);
    }

    /// The log has all of these txns: their memory is reused, unless someone still holds them.
    pub(crate) fn recycle(&mut self, mut in_log: Arc<InLog>) {
        if let Some(free) = Arc::get_mut(&mut in_log)
            && self.spare.len() < SPARE_BATCHES_MAX
            && free.bytes.capacity() <= 2 * BATCH_BYTES_MAX
        {
            free.clear();
            self.spare.push(in_log);
        }
    }

    /// Publishes the batches through `zxid`, up to the first one with a sync that needs a
    /// confirmation which is not there yet. True if there was anything.
    pub(crate) fn publish_through(&mut self, zxid: Zxid) -> bool {
        let given = match &self.service {
            Service::Leading { confirmations, .. } => confirmations.given(),
            Service::Following(_) | Service::ReadOnly(_) | Service::Nobody => 0,
        };
        let is_ready = |it: &Applied| it.through <= zxid && it.confirmation <= given;
        let mut newest = None;
        while self.sealed.front().is_some_and(is_ready) {
            let Some(mut applied) = self.sealed.pop_front() else { break };
            newest = applied.batch.version.map(|version| (version, applied.through));
            self.head.meters.settle(&mut applied.batch);
            self.chain.link(applied.batch);
        }
        let Some((version, through)) = newest else { return false };
        assert!(self.published <= through && through <= self.proposed);
        self.head.tree.publish(version);
        self.published = through;
        true
    }

    /// Forgets every unpublished txn, as if it had never been proposed, and tracks the sessions
    /// that remain, each with its full timeout. No client is attached any more: the server closes
    /// their connections, and what they wait for is not answered.
    pub(crate) fn drop_head(&mut self, now: Now) {
        self.closing = None;
        self.leaving.clear();
        self.reaping = None;
        self.open.batch.clear();
        self.open.in_log.clear();
        self.open.confirmation = 0;
        self.sealed.clear();
        self.head.rollback_to_published();
        self.proposed = self.published;
        self.sessions.forget_all();
        self.track_all(now);
    }

    /// Tracks every session of the tree with its full timeout.
    pub(super) fn track_all(&mut self, now: Now) {
        for (&id, session) in &self.head.tree.meta().sessions {
            let timeout_ms = session.timeout_ms.max(0) as u64;
            let anonymous = self.anonymous.clone();
            self.sessions.track(id, timeout_ms, SessionPlace::Unused, anonymous, now.mono_ms);
        }
    }

    /// Batches that are sealed and not published yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.sealed.len()
    }
}
