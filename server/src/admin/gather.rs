//! Queries the roles and walks their pages.

use super::inquiry::{
    Caller, ConnectionReport, EphemeralCursor, EphemeralReport, Inquiry, InquirySender, LeaseOrder,
    MovingInquiry, MovingReport, OrderingInquiry, OrderingReport, Reach, SessionExpiry,
    SessionPage, ShardInquiry, ShardReport, ShedOrder, Unanswered, WatchCounts, WatchCursor,
    WatchReport,
};
use super::limits::ANSWER_BYTES_MAX;
use super::metrics::Metrics;
use super::text::dump::Sessions;
use super::totals::{Totals, WordCounts};
use engine::meter::PARTS_MAX;
use model::error::ErrorCode;
use model::session::SessionId;
use model::zxid::Zxid;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;

/// The senders of the roles' core loops. If roles share a loop, its sender is here several times.
#[derive(Clone, Debug)]
pub struct Roles {
    /// One for each shard.
    pub shards: Vec<InquirySender>,
    /// That of the ordering role.
    pub ordering: InquirySender,
}

fn moving(inquiry: MovingInquiry) -> Inquiry {
    Inquiry::Shard(ShardInquiry::Moving(inquiry))
}

/// Whether a walk continues.
type Step = ControlFlow<()>;

impl Roles {
    async fn shard_counts(&self) -> Result<Vec<ShardReport>, Unanswered> {
        let mut reports = Vec::with_capacity(self.shards.len());
        for sender in &self.shards {
            let report = sender.ask(|reply| Inquiry::Shard(ShardInquiry::Counts(reply))).await?;
            reports.push(report);
        }
        Ok(reports)
    }

    /// What the ordering role knows.
    pub(super) async fn ordering_counts(&self) -> Result<OrderingReport, Unanswered> {
        let ask = |reply| Inquiry::Ordering(OrderingInquiry::Counts(reply));
        Ok(*self.ordering.ask(ask).await?)
    }

    /// All numbers with fixed names, added to those in `ordering` and `words`.
    pub(super) async fn totals(
        &self,
        ordering: OrderingReport,
        words: WordCounts,
    ) -> Result<Totals, Unanswered> {
        Ok(Totals::of(&self.shard_counts().await?, ordering, words))
    }

    /// What else all roles count, quotas included.
    pub(super) async fn metrics(&self) -> Result<Metrics, Unanswered> {
        let ask = |reply| Inquiry::Ordering(OrderingInquiry::Metrics(reply));
        let mut metrics = *self.ordering.ask(ask).await?;
        for sender in &self.shards {
            let ask = |reply| Inquiry::Shard(ShardInquiry::Metrics(reply));
            metrics.merge(&*sender.ask(ask).await?);
        }
        let mut after = None;
        loop {
            let ask = |reply| Inquiry::Ordering(OrderingInquiry::Quotas(after, reply));
            let page = self.ordering.ask(ask).await?;
            for (part, sums) in page.quotas {
                if metrics.quotas.len() < PARTS_MAX || metrics.quotas.contains_key(&part) {
                    metrics.quotas.entry(part).or_default().add(sums);
                }
            }
            match page.next {
                Some(path) => after = Some(path),
                None => return Ok(metrics),
            }
        }
    }

    /// Resets what `srst` resets; the sizes of proposals only if that is requested.
    pub(super) async fn reset_counts(&self, forgets_proposals: bool) -> Result<(), Unanswered> {
        for sender in &self.shards {
            sender.ask(|reply| Inquiry::Shard(ShardInquiry::ResetCounts(reply))).await?;
        }
        let ask =
            |reply| Inquiry::Ordering(OrderingInquiry::ResetCounts { forgets_proposals, reply });
        self.ordering.ask(ask).await
    }

    /// Resets what is counted of observers.
    pub(super) async fn reset_observers(&self) -> Result<(), Unanswered> {
        let ask = |reply| Inquiry::Ordering(OrderingInquiry::ResetObservers(reply));
        self.ordering.ask(ask).await
    }

    /// Resets what `crst` resets.
    pub(super) async fn reset_connections(&self) -> Result<(), Unanswered> {
        for sender in &self.shards {
            let mut from = Some(0);
            while let Some(slot) = from {
                let ask = |reply| Inquiry::Shard(ShardInquiry::ResetConnections(slot, reply));
                from = sender.ask(ask).await?;
            }
        }
        Ok(())
    }

    /// The watches of all shards together; `sums` has the plain sums. A path that several shards
    /// watch counts once.
    pub(super) async fn watch_counts(&self, sums: WatchCounts) -> Result<WatchCounts, Unanswered> {
        let mut counts = sums;
        if self.shards.len() > 1 && counts.paths > 0 {
            counts.paths = self.watched_path_count().await?;
        }
        Ok(counts)
    }

    /// Whether someone may command what a server does.
    pub(super) async fn authorize(
        &self,
        caller: Caller,
    ) -> Result<Result<(), ErrorCode>, Unanswered> {
        self.shards[0].ask(|reply| moving(MovingInquiry::Authorize(caller, reply))).await
    }

    /// Admits fewer connections for a time.
    pub(super) async fn lend(&self, order: LeaseOrder) -> Result<(), Unanswered> {
        self.shards[0].ask(|reply| moving(MovingInquiry::Lend(order, reply))).await
    }

    /// Sheds connections: each shard its own order.
    pub(super) async fn shed(&self, orders: &[ShedOrder]) -> Result<(), Unanswered> {
        for (sender, order) in self.shards.iter().zip(orders) {
            sender.ask(|reply| moving(MovingInquiry::Shed(*order, reply))).await?;
        }
        Ok(())
    }

    /// How far clients have moved, of each shard.
    pub(super) async fn moving_reports(&self) -> Result<Vec<MovingReport>, Unanswered> {
        let mut reports = Vec::with_capacity(self.shards.len());
        for sender in &self.shards {
            reports.push(sender.ask(|reply| moving(MovingInquiry::Report(reply))).await?);
        }
        Ok(reports)
    }

    /// The digests of the tree.
    pub(super) async fn digests(&self) -> Result<Vec<(Zxid, u64)>, Unanswered> {
        let ask = |reply| Inquiry::Ordering(OrderingInquiry::Digests(reply));
        self.ordering.ask(ask).await
    }

    /// Every connection.
    pub(super) async fn connections(
        &self,
        mut each: impl FnMut(&ConnectionReport) -> Step,
    ) -> Result<Step, Unanswered> {
        for sender in &self.shards {
            let mut from = Some(0);
            while let Some(slot) = from {
                let ask = |reply| Inquiry::Shard(ShardInquiry::Connections(slot, reply));
                let page = sender.ask(ask).await?;
                if page.connections.iter().try_for_each(&mut each).is_break() {
                    return Ok(Step::Break(()));
                }
                from = page.next;
            }
        }
        Ok(Step::Continue(()))
    }

    /// Every watch of nodes and their data; the flag says whether a report continues the connection
    /// of the previous one.
    pub(super) async fn watches(
        &self,
        mut each: impl FnMut(&WatchReport, bool) -> Step,
    ) -> Result<Step, Unanswered> {
        for sender in &self.shards {
            let (mut from, mut last) = (Some(WatchCursor::default()), None);
            while let Some(cursor) = from {
                let ask = |reply| Inquiry::Shard(ShardInquiry::Watches(cursor, reply));
                let page = sender.ask(ask).await?;
                for report in &page.connections {
                    let key = Some((report.slot, report.session));
                    let is_continued = last == key;
                    last = key;
                    if each(report, is_continued).is_break() {
                        return Ok(Step::Break(()));
                    }
                }
                from = page.next;
            }
        }
        Ok(Step::Continue(()))
    }

    /// How many paths are watched for data. Shards may watch the same ones, so with several of them
    /// the paths are distinguished by 64 bits of a hash.
    pub(super) async fn watched_path_count(&self) -> Result<u64, Unanswered> {
        let (hasher, mut paths) = (RandomState::new(), HashSet::new());
        // Beyond the limit new paths are left out: the count is then too small, but the memory is
        // bounded.
        let max = ANSWER_BYTES_MAX / size_of::<u64>();
        let add = |report: &WatchReport, _| {
            for path in &report.paths {
                paths.insert(hasher.hash_one(path));
            }
            if paths.len() < max { Step::Continue(()) } else { Step::Break(()) }
        };
        let _ = self.watches(add).await?;
        Ok(paths.len() as u64)
    }

    /// Every live session, in the order of their ids.
    pub(super) async fn sessions(&self) -> Result<Sessions, Unanswered> {
        let (sessions, page) = self.sessions_of(Reach::Global).await?;
        let local =
            if page.makes_local { Some(self.sessions_of(Reach::Local).await?.0) } else { None };
        let wall_offset_ms = page.wall_ms.saturating_sub_unsigned(page.mono_ms);
        Ok(Sessions { sessions, local, is_tracking: page.is_tracking, wall_offset_ms })
    }

    /// Those of one reach, and what the last page said besides.
    async fn sessions_of(
        &self,
        reach: Reach,
    ) -> Result<(Vec<SessionExpiry>, SessionPage), Unanswered> {
        let (mut all, mut from) = (Vec::new(), SessionId(i64::MIN));
        loop {
            let ask = |reply| Inquiry::Ordering(OrderingInquiry::Sessions(reach, from, reply));
            let mut page = self.ordering.ask(ask).await?;
            all.append(&mut page.sessions);
            match page.next {
                Some(next) if size_of_val(&all[..]) < ANSWER_BYTES_MAX => from = next,
                _ => return Ok((all, page)),
            }
        }
    }

    /// Every session that owns nodes; the flag says whether a report continues the session of the
    /// previous one.
    pub(super) async fn ephemerals(
        &self,
        mut each: impl FnMut(&EphemeralReport, bool) -> Step,
    ) -> Result<Step, Unanswered> {
        let first = EphemeralCursor::at(SessionId(i64::MIN));
        let (mut from, mut last) = (Some(first), None);
        while let Some(cursor) = from {
            let ask = |reply| Inquiry::Ordering(OrderingInquiry::Ephemerals(cursor, reply));
            let page = self.ordering.ask(ask).await?;
            for report in &page.sessions {
                let is_continued = last == Some(report.session);
                last = Some(report.session);
                if each(report, is_continued).is_break() {
                    return Ok(Step::Break(()));
                }
            }
            from = page.next;
        }
        Ok(Step::Continue(()))
    }
}
