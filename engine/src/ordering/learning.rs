//! Txns of the log, applied: at a start, and on a server whose leader has decided them.
//!
//! The leader's own way is different: it decides, applies and logs at once (`proposing`). Both
//! leave the same tree, and the same outcomes for clients (guard:
//! `tests::ensemble::clients::three_servers_answer_like_one`).

use super::Ordering;
use crate::batch::Batch;
use crate::pipeline::{ApplyError, Head};
use model::error::ErrorCode;
use model::jute::{JuteError, JuteReader};
use model::txn::{DIGEST_VERSION, Txn, TxnDigest, TxnHeader};
use model::zxid::Zxid;

/// Why a txn of the log cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A txn as the log holds it.
struct Logged<'t> {
    header: TxnHeader,
    txn: Txn<'t>,
    digest: Option<TxnDigest>,
}

impl<'t> Logged<'t> {
    fn decode(bytes: &'t [u8]) -> Result<Self, ReplayError> {
        let mut reader = JuteReader::new(bytes);
        let header = TxnHeader::decode(&mut reader).map_err(ReplayError::Decode)?;
        let txn = Txn::decode(header.op, &mut reader).map_err(ReplayError::Decode)?;
        let digest = TxnDigest::decode(&mut reader).map_err(ReplayError::Decode)?;
        Ok(Self { header, txn, digest })
    }

    /// Applies it, and compares the tree with the one that its author had behind it.
    fn apply(&self, head: &mut Head, batch: &mut Batch) -> Result<(), ReplayError> {
        let Self { header, txn, digest } = self;
        head.apply(header, header.op, txn, batch).map_err(ReplayError::Apply)?;
        head.tree.head_meta().zxid = header.zxid;
        if digest.is_some() {
            head.remember_digest(header.zxid);
        }
        let found = head.tree.digest() as i64;
        match digest {
            Some(TxnDigest { version: DIGEST_VERSION, tree }) if *tree != found => {
                Err(ReplayError::Digest { expected: *tree, found })
            }
            _ => Ok(()),
        }
    }

    /// What a client is answered.
    fn error(&self) -> ErrorCode {
        match self.txn {
            Txn::Error(code) => ErrorCode::of(code).unwrap_or(ErrorCode::SystemError),
            _ => ErrorCode::Ok,
        }
    }
}

/// Whether bytes are the txn of this zxid: whether [`replay`] can read them.
pub(crate) fn is_txn(zxid: Zxid, bytes: &[u8]) -> bool {
    Logged::decode(bytes).is_ok_and(|logged| logged.header.zxid == zxid)
}

/// Replays one record of the log onto a tree that is being recovered.
pub fn replay(head: &mut Head, bytes: &[u8], batch: &mut Batch) -> Result<Zxid, ReplayError> {
    let logged = Logged::decode(bytes)?;
    let mark = batch.mark();
    let applied = logged.apply(head, batch);
    batch.roll_back(mark);
    head.meters.settle(batch);
    applied.map(|()| logged.header.zxid)
}

impl Ordering {
    /// Applies a txn that was decided elsewhere, or in an earlier epoch, to the head.
    ///
    /// # Errors
    /// It is not of this history, or the history is not this server's. The head may hold a part of
    /// it then.
    pub(crate) fn learn(&mut self, bytes: &[u8]) -> Result<(), ReplayError> {
        let logged = Logged::decode(bytes)?;
        // A session is answered in its own order.
        self.answer_synced();
        let mark = self.open.batch.mark();
        logged.apply(&mut self.head, &mut self.open.batch)?;
        self.proposed = logged.header.zxid;
        self.counts.txns += 1;
        self.push_learned(&logged.header, logged.error(), mark);
        Ok(())
    }
}
