//! What a version of the tree carries besides its nodes: shared and rolled back with them.

use crate::acl::AclTable;
use crate::quota::QuotaPaths;
use model::session::SessionId;
use model::zxid::Zxid;
use std::sync::Arc;

/// Sessions, ephemerals, containers, ACLs and quotas at one zxid.
///
/// Lives in: every version of the tree; structurally shared.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Every session of the ensemble.
    pub sessions: imbl::OrdMap<SessionId, Session>,
    /// Lists by the numbers that records hold.
    pub acls: AclTable,
    /// The paths that have a quota.
    pub quotas: QuotaPaths,
    /// Containers and nodes with a time to live, which may have to be removed.
    pub reapable: imbl::OrdSet<Arc<[u8]>>,
    /// Count of ephemeral nodes.
    pub ephemeral_count: u64,
    /// The last txn that this version holds.
    pub zxid: Zxid,
}

/// A session as the ensemble knows it.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// As granted when it was created, in ms.
    pub timeout_ms: i32,
    /// The paths of its nodes.
    pub ephemerals: imbl::OrdSet<Arc<[u8]>>,
}

impl State {
    /// A session got a node. Nodes may be older than what is known about their session: a txn of a
    /// session that was closed meanwhile is still applied as it was decided.
    pub fn own(&mut self, session: SessionId, path: &[u8]) {
        let entry = self.sessions.entry(session).or_default();
        if entry.ephemerals.insert(path.into()).is_none() {
            self.ephemeral_count += 1;
        }
    }

    /// A session lost a node.
    pub fn disown(&mut self, session: SessionId, path: &[u8]) {
        if let Some(entry) = self.sessions.get_mut(&session)
            && entry.ephemerals.remove(path).is_some()
        {
            self.ephemeral_count -= 1;
        }
    }
}
