//! The txns behind what is published: in the log, and perhaps yet to be applied.
//!
//! They are kept until they are published, applied or not: a leader that loses its place drops its
//! head, and what it had applied is the tail of its log again.
//!
//! Memory: that of the batches, which agreement keeps as well until they are committed.

use crate::in_log::InLog;
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;

/// Txns in their order, behind what is published.
#[derive(Debug, Default)]
pub(super) struct Tail {
    batches: VecDeque<Arc<InLog>>,
}

impl Tail {
    /// More txns are handed to the log.
    pub(super) fn push(&mut self, txns: Arc<InLog>) {
        let last = self.last();
        assert!(txns.first() > last, "{:?} does not come behind {last:?}", txns.first());
        self.batches.push_back(txns);
    }

    /// The last txn.
    pub(super) fn last(&self) -> Option<Zxid> {
        self.batches.back().and_then(|batch| batch.last())
    }

    /// The encoded txns behind `after`, through `through`.
    pub(super) fn between(&self, after: Zxid, through: Zxid) -> impl Iterator<Item = &[u8]> {
        let of_batch = move |batch: &'_ Arc<InLog>| batch.count_through(after);
        self.batches
            .iter()
            .flat_map(move |batch| batch.txns(of_batch(batch)))
            .take_while(move |(zxid, _)| *zxid <= through)
            .map(|(_, txn)| txn)
    }

    /// Everything through `zxid` is published.
    pub(super) fn published(&mut self, zxid: Zxid) {
        while self.batches.front().is_some_and(|it| it.last() <= Some(zxid)) {
            self.batches.pop_front();
        }
    }

    /// The log ends at `zxid` now.
    pub(super) fn cut(&mut self, zxid: Zxid) {
        while self.batches.back().is_some_and(|it| it.first() > Some(zxid)) {
            self.batches.pop_back();
        }
        if let Some(last) = self.batches.back_mut()
            && last.last() > Some(zxid)
        {
            let mut kept = InLog::default();
            let count = last.count_through(zxid);
            last.txns(0).take(count).for_each(|(zxid, txn)| kept.push(zxid, txn));
            *last = Arc::new(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;
    use crate::in_log::InLog;
    use model::zxid::Zxid;
    use std::sync::Arc;

    fn batch(zxids: &[i64]) -> Arc<InLog> {
        let mut batch = InLog::default();
        for zxid in zxids {
            batch.push(Zxid(*zxid), &[*zxid as u8]);
        }
        Arc::new(batch)
    }

    fn all(tail: &Tail, after: i64, through: i64) -> Vec<u8> {
        tail.between(Zxid(after), Zxid(through)).map(|txn| txn[0]).collect()
    }

    #[test]
    fn what_was_cut_away_does_not_come_back() {
        let mut tail = Tail::default();
        tail.push(batch(&[1, 2, 3]));
        tail.push(batch(&[4, 5, 6]));
        tail.push(batch(&[7]));
        assert_eq!(all(&tail, 0, 9), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(all(&tail, 2, 5), [3, 4, 5]);
        tail.cut(Zxid(5));
        assert_eq!(all(&tail, 0, 9), [1, 2, 3, 4, 5]);
        tail.push(batch(&[20, 21]));
        assert_eq!(all(&tail, 4, 20), [5, 20]);
        tail.published(Zxid(5));
        assert_eq!(all(&tail, 0, 30), [20, 21]);
        tail.cut(Zxid(19));
        assert_eq!(all(&tail, 0, 30), []);
        tail.cut(Zxid(2));
    }
}
