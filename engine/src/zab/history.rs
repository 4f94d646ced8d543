//! The server's own history, as agreement sees it.
//!
//! Invariant: `shown <= committed <= last`, `shown <= durable <= last`; the newest txns are also in
//! memory, without a gap, from `recent_after` on (guard: the assertions in `zab::history`).

use super::configuration::Configuration;
use super::effect::Part;
use crate::in_log::InLog;
use model::txn;
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;

/// The history of one server: positions, and the newest txns.
#[derive(Clone, Debug)]
pub struct History {
    last: Zxid,
    durable: Zxid,
    committed: Zxid,
    shown: Zxid,
    base: Zxid,
    recent: VecDeque<Arc<InLog>>,
    recent_after: Zxid,
    recent_bytes: usize,
    recent_bytes_max: usize,
    /// Configurations that it proposes and that are not in force here, with where; ascending.
    proposed: Vec<(Zxid, Arc<Configuration>)>,
}

/// Where a position lies in what memory holds.
#[derive(Clone, Debug)]
pub enum Found {
    /// Behind this txn, the last one at or before the position, come these.
    Behind {
        /// That txn.
        after: Zxid,
        /// What comes behind it, in order.
        parts: Vec<Part>,
    },
    /// Before what memory holds: in the log, or nowhere.
    Earlier,
}

impl History {
    /// A history that ends at `last`, durable, of which everything through `committed` is known to
    /// be committed, and nothing at or before `base` can be cut away. It keeps about so many bytes
    /// of its newest txns in memory, and all that is not committed.
    pub fn new(last: Zxid, committed: Zxid, base: Zxid, recent_bytes_max: usize) -> Self {
        assert!(committed <= last, "{committed} is committed behind the history's end, {last}");
        assert!(base <= last, "a snapshot at {base} is newer than the history's end, {last}");
        let recent = VecDeque::new();
        let (durable, shown, recent_after) = (last, committed, last);
        Self {
            last,
            durable,
            committed,
            shown,
            base,
            recent,
            recent_after,
            recent_bytes: 0,
            recent_bytes_max,
            proposed: Vec::new(),
        }
    }

    /// A configuration is proposed at this place of the history. One that is not newer than those
    /// before says nothing.
    pub fn propose(&mut self, zxid: Zxid, configuration: Arc<Configuration>) {
        let newest = self.proposed.last().map(|(_, it)| it.version());
        if newest.is_none_or(|newest| newest < configuration.version()) {
            self.proposed.push((zxid, configuration));
        }
    }

    /// The newest configuration that it proposes, and where.
    pub fn proposed(&self) -> Option<&(Zxid, Arc<Configuration>)> {
        self.proposed.last()
    }

    /// Where the first of those configurations is: if it was never in force, none of them was.
    pub fn first_proposed(&self) -> Option<Zxid> {
        self.proposed.first().map(|(at, _)| *at)
    }

    /// Takes the configurations that are proposed through `zxid`; returns the newest.
    pub fn take_proposed(&mut self, zxid: Zxid) -> Option<Arc<Configuration>> {
        let count = self.proposed.partition_point(|(at, _)| *at <= zxid);
        self.proposed.drain(..count).next_back().map(|(_, configuration)| configuration)
    }

    /// Forgets what is not newer than the configuration of this version.
    pub fn forget_proposed(&mut self, version: i64) {
        self.proposed.retain(|(_, it)| it.version() > version);
    }

    /// Through where clients see it.
    pub fn shown(&self) -> Zxid {
        self.shown
    }

    /// Before this the history cannot be cut: it is that of a snapshot.
    pub fn base(&self) -> Zxid {
        self.base
    }

    /// The last txn handed to the log.
    pub fn last(&self) -> Zxid {
        self.last
    }

    /// The last txn on disk.
    pub fn durable(&self) -> Zxid {
        self.durable
    }

    /// The last txn known to be committed.
    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// Whether everything handed to the log is on disk.
    pub fn is_settled(&self) -> bool {
        self.durable == self.last
    }

    /// More txns are handed to the log.
    pub fn append(&mut self, txns: Arc<InLog>) {
        let (Some(first), Some(last)) = (txns.first(), txns.last()) else { return };
        assert!(first > self.last, "{first} does not come behind {}", self.last);
        self.last = last;
        for (zxid, txn) in txns.txns(0) {
            if let Some(text) = txn::proposed_configuration(txn)
                && let Some(configuration) = Configuration::parse(text)
            {
                self.propose(zxid, Arc::new(configuration));
            }
        }
        self.recent_bytes += txns.byte_count();
        self.recent.push_back(txns);
        while self.recent_bytes > self.recent_bytes_max
            && let Some(oldest) = self.recent.front()
            && oldest.last() <= Some(self.committed)
        {
            self.recent_after = oldest.last().unwrap_or(self.recent_after);
            self.recent_bytes -= oldest.byte_count();
            self.recent.pop_front();
        }
    }

    /// The log is durable through `zxid`.
    pub fn set_durable(&mut self, zxid: Zxid) {
        assert!(zxid <= self.last, "{zxid} is durable and was not handed to the log");
        self.durable = self.durable.max(zxid);
    }

    /// Everything through `zxid` is committed.
    pub fn set_committed(&mut self, zxid: Zxid) {
        assert!(zxid <= self.last, "{zxid} is committed and not known here");
        self.committed = self.committed.max(zxid);
    }

    /// Through where clients may see the history now, if that is further than before.
    pub fn show(&mut self) -> Option<Zxid> {
        let visible = self.committed.min(self.durable);
        let is_news = visible > self.shown;
        self.shown = self.shown.max(visible);
        is_news.then_some(visible)
    }

    /// The log ends at `zxid` now.
    pub fn cut(&mut self, zxid: Zxid) {
        assert!(zxid >= self.committed, "{zxid} is below {}, committed", self.committed);
        assert!(self.is_settled(), "a cut with writes in flight");
        let shown = self.shown;
        let mut proposed = std::mem::take(&mut self.proposed);
        proposed.retain(|(at, _)| *at <= zxid);
        let kept = Self::new(zxid, self.committed, self.base, self.recent_bytes_max);
        *self = Self { shown, proposed, ..kept };
    }

    /// Another history: that of a snapshot, which holds these txns.
    #[must_use]
    pub fn replaced_by(&self, through: Zxid) -> Self {
        Self::new(through, self.committed.min(through), through, self.recent_bytes_max)
    }

    /// What follows a position, if memory reaches back that far.
    pub fn behind(&self, position: Zxid) -> Found {
        if position < self.recent_after {
            return Found::Earlier;
        }
        let mut after = self.recent_after;
        let mut parts = Vec::new();
        for txns in &self.recent {
            let start = txns.count_through(position);
            if start > 0 {
                after = txns.zxid(start - 1);
            }
            if start < txns.len() {
                parts.push(Part { txns: txns.clone(), range: start..txns.len() });
            }
        }
        // Whether the position itself is the txn before the first one in memory is known; whether
        // there is another one between is not a question: memory has no gap.
        Found::Behind { after, parts }
    }
}
