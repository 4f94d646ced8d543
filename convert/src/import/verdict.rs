//! Whether the tree is the one that `ZooKeeper` had: compares its digests with ours.

use model::txn::{DIGEST_VERSION, TxnDigest};
use model::zxid::Zxid;

use crate::stock::snapshot::SnapshotDigest;

/// Two digests that should be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The txn.
    pub zxid: Zxid,
    /// What `ZooKeeper` wrote.
    pub expected: u64,
    /// What our tree has.
    pub found: u64,
}

impl Comparison {
    /// Whether they are the same.
    pub const fn is_equal(&self) -> bool {
        self.expected == self.found
    }
}

/// Compares digests while a log is replayed.
///
/// Until the replay has reached the txn at which the snapshot was complete, the tree is in a state
/// that never existed, and is not compared. A digest covers the whole tree, so only the last one
/// counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    awaited: Option<SnapshotDigest>,
    last: Option<Comparison>,
}

impl Verdict {
    /// For a snapshot with this zxid in its name, and this digest after its nodes.
    pub fn new(snapshot: Zxid, digest: Option<SnapshotDigest>) -> Self {
        // A new leader names its snapshot by an epoch that has no txn yet; the digest is then of
        // the previous epoch, and proves nothing here.
        let awaited = digest.filter(|digest| digest.zxid > Zxid::ZERO && digest.zxid >= snapshot);
        Self { awaited, last: None }
    }

    /// The tree is as of `zxid` now, and this is its digest.
    pub fn reached(&mut self, zxid: Zxid, tree: u64, of_txn: Option<TxnDigest>) {
        let snapshot = self.awaited.filter(|awaited| awaited.zxid <= zxid);
        if let Some(snapshot) = snapshot {
            self.awaited = None;
            if snapshot.zxid == zxid && snapshot.version == DIGEST_VERSION {
                self.last = Some(Comparison { zxid, expected: snapshot.digest, found: tree });
            }
        }
        if let Some(TxnDigest { version: DIGEST_VERSION, tree: expected }) = of_txn
            && self.awaited.is_none()
        {
            self.last = Some(Comparison { zxid, expected: expected as u64, found: tree });
        }
    }

    /// The last comparison; none if no digest was written.
    pub const fn last(&self) -> Option<Comparison> {
        self.last
    }

    /// The txn up to which the log must be replayed before the tree is whole.
    pub fn needed(&self) -> Option<Zxid> {
        self.awaited.map(|awaited| awaited.zxid)
    }
}
