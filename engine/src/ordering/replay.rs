//! Records of the log, reapplied.

use crate::batch::Batch;
use crate::pipeline::{ApplyError, Head};
use model::jute::{JuteError, JuteReader};
use model::txn::{DIGEST_VERSION, Txn, TxnDigest, TxnHeader};
use model::zxid::Zxid;

/// Why a record of the log cannot be replayed.
#[derive(Debug)]
pub enum ReplayError {
    /// Its bytes are not a txn.
    Decode(JuteError),
    /// It does not fit the tree.
    Apply(ApplyError),
    /// The tree differs from the one that wrote it.
    Digest {
        /// The txn's.
        expected: i64,
        /// The tree's.
        found: i64,
    },
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "its bytes are not a txn: {error}"),
            Self::Apply(error) => write!(f, "it does not fit the tree: {error}"),
            Self::Digest { expected, found } => {
                write!(f, "the tree's digest after it is {found:#x}, not {expected:#x}")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

/// Replays one record of the log onto a tree that is being recovered.
pub fn replay(head: &mut Head, bytes: &[u8], batch: &mut Batch) -> Result<Zxid, ReplayError> {
    let mut reader = JuteReader::new(bytes);
    let header = TxnHeader::decode(&mut reader).map_err(ReplayError::Decode)?;
    let txn = Txn::decode(header.op, &mut reader).map_err(ReplayError::Decode)?;
    let digest = TxnDigest::decode(&mut reader).map_err(ReplayError::Decode)?;
    let mark = batch.mark();
    let applied = head.apply(&header, header.op, &txn, batch);
    batch.roll_back(mark);
    head.meters.settle(batch);
    applied.map_err(ReplayError::Apply)?;
    head.tree.head_meta().zxid = header.zxid;
    if digest.is_some() {
        head.remember_digest(header.zxid);
    }
    let found = head.tree.digest() as i64;
    match digest {
        Some(TxnDigest { version: DIGEST_VERSION, tree }) if tree != found => {
            Err(ReplayError::Digest { expected: tree, found })
        }
        _ => Ok(header.zxid),
    }
}
