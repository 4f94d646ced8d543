//! What was proposed is sealed, appended, durable, published.

use super::Ordering;
use crate::limits::BATCH_BYTES_MAX;
use model::zxid::Zxid;

impl Ordering {
    /// Ends the open batch. What it holds is offered to the log by [`Self::append_with`].
    ///
    /// # Panics
    /// If its last txn is not complete: see [`Self::has_open`].
    pub fn seal(&mut self) {
        assert!(self.closing.is_none(), "a version holds all of a txn");
        let mut sealed = self.spare.pop().unwrap_or_default();
        let fresh = self.chain.empty_batch();
        sealed.batch = std::mem::replace(&mut self.open.batch, fresh);
        std::mem::swap(&mut sealed.txns, &mut self.open.txns);
        std::mem::swap(&mut sealed.records, &mut self.open.records);
        sealed.through = self.proposed;
        sealed.batch.version = Some(self.head.seal());
        self.counts.batches += 1;
        self.sealed.push_back(sealed);
    }

    /// Offers the log every sealed txn that it has not taken yet, in order, until it takes no
    /// more. True if it has all.
    pub fn append_with(&mut self, mut append: impl FnMut(Zxid, &[u8]) -> bool) -> bool {
        for sealed in &mut self.sealed {
            while let Some((zxid, range)) = sealed.records.get(sealed.appended) {
                if !append(*zxid, &sealed.txns[range.clone()]) {
                    return false;
                }
                sealed.appended += 1;
            }
        }
        true
    }

    /// The log is durable through `zxid`: publishes what that covers. True if anything was.
    pub fn durable(&mut self, zxid: Zxid) -> bool {
        let mut newest = None;
        while let Some(front) = self.sealed.front() {
            if front.through > zxid {
                break;
            }
            let Some(mut sealed) = self.sealed.pop_front() else { break };
            newest = sealed.batch.version.map(|version| (version, sealed.through));
            self.chain.link(std::mem::take(&mut sealed.batch));
            sealed.txns.clear();
            sealed.records.clear();
            sealed.appended = 0;
            if self.spare.len() < 8 && sealed.txns.capacity() <= 2 * BATCH_BYTES_MAX {
                self.spare.push(sealed);
            }
        }
        let Some((version, through)) = newest else { return false };
        self.head.tree.publish(version);
        self.published = through;
        true
    }

    /// Batches in the log's hands.
    pub fn in_flight(&self) -> usize {
        self.sealed.len()
    }
}
