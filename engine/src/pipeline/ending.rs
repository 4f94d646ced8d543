//! The end of a session: one txn, whose deletes may be spread over several turns.
//!
//! No client sees a part of it: what is applied here belongs to one batch, which is sealed after
//! the last node is deleted.

use super::{ApplyError, Head};
use crate::batch::Batch;
use model::session::SessionId;
use model::txn::TxnHeader;
use std::sync::Arc;

/// A closeSession that is being applied to the tree.
///
/// Lives in: the ordering role, until its last node is deleted.
#[derive(Debug)]
pub struct Ending {
    header: TxnHeader,
    /// The nodes that are still to be deleted.
    paths: imbl::OrdSet<Arc<[u8]>>,
}

impl Ending {
    /// The header of its txn.
    pub fn header(&self) -> &TxnHeader {
        &self.header
    }

    /// Count of the nodes that are still to be deleted.
    pub fn left(&self) -> usize {
        self.paths.len()
    }
}

impl Head {
    /// Begins to end the header's session: it no longer exists, and its nodes have no owner until
    /// [`Self::delete_owned`] has deleted them.
    pub(crate) fn begin_end(&mut self, header: TxnHeader) -> Ending {
        let state = self.tree.head_meta();
        let session = state.sessions.remove(&header.session).unwrap_or_default();
        state.ephemeral_count -= session.ephemerals.len() as u64;
        Ending { header, paths: session.ephemerals }
    }

    /// Deletes at most this many nodes of an ending session, and calls `deleted` with each.
    pub(crate) fn delete_owned(
        &mut self,
        ending: &mut Ending,
        count_max: usize,
        batch: &mut Batch,
        mut deleted: impl FnMut(&[u8]),
    ) -> Result<(), ApplyError> {
        for _ in 0..count_max {
            let Some(path) = ending.paths.remove_min() else { break };
            let written = &mut batch.counted.written;
            self.meters.written.add_open(written, &path, path.len() as u64);
            self.apply_delete(&ending.header, &path, batch)?;
            deleted(&path);
        }
        Ok(())
    }

    /// Count of a session's nodes.
    pub fn ephemeral_count_of(&self, session: SessionId) -> usize {
        let sessions = &self.tree.meta().sessions;
        sessions.get(&session).map_or(0, |session| session.ephemerals.len())
    }
}
