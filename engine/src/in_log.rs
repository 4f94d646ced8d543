//! The txns of a batch on their way to the log, and to other servers.

use model::zxid::Zxid;
use std::ops::Range;

/// Encoded txns, one behind the other, with ascending zxids.
///
/// Its life: filled while a batch is open, or while a turn brings proposals; handed to the log when
/// that takes a batch; handed back, or dropped, once the log has all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InLog {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<(Zxid, Range<usize>)>,
}

impl InLog {
    /// Appends an encoded txn.
    ///
    /// # Panics
    /// If its zxid does not come behind the last one.
    pub fn push(&mut self, zxid: Zxid, txn: &[u8]) {
        assert!(self.last().is_none_or(|last| zxid > last), "{zxid} comes too late");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(txn);
        self.records.push((zxid, start..self.bytes.len()));
    }

    /// Removes all txns; the memory is kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    /// The encoded txns in their order, beginning with the one at `from`.
    pub fn txns(&self, from: usize) -> impl Iterator<Item = (Zxid, &[u8])> {
        self.records[from..].iter().map(|(zxid, range)| (*zxid, &self.bytes[range.clone()]))
    }

    /// The zxid of a record.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn zxid(&self, index: usize) -> Zxid {
        self.records[index].0
    }

    /// The first zxid.
    pub fn first(&self) -> Option<Zxid> {
        self.records.first().map(|(zxid, _)| *zxid)
    }

    /// The last zxid.
    pub fn last(&self) -> Option<Zxid> {
        self.records.last().map(|(zxid, _)| *zxid)
    }

    /// Count of txns at or before a position.
    pub fn count_through(&self, position: Zxid) -> usize {
        self.records.partition_point(|(zxid, _)| *zxid <= position)
    }

    /// Count of txns.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of all txns.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }
}
