//! Applies a txn of `ZooKeeper`'s log to a tree that may have its effect already.
//!
//! A snapshot of `ZooKeeper` is fuzzy: it is written while the tree changes, so a node in it is as
//! of some moment between the snapshot's zxid and its completion. The log is replayed from that
//! zxid, and each txn must have the same result whether or not the tree has seen it (source:
//! `ZooKeeper` 3.9.5, `DataTree.processTxn`, and the comments there).
//!
//! Stock's rules lead to the right tree nearly always. These rules always do: what a txn implies
//! about the tree that it was decided on is established first (no node where one is created, no
//! children where one is deleted).

use engine::tree::{NewNode, parent_path};
use model::jute::Strings;
use model::limits::TTL_MS_MAX;
use model::session::{Owner, SessionId};
use model::txn::{CreateTxn, MultiTxn, NodeKind, Txn, TxnHeader};
use model::zxid::Zxid;

use super::rebuilt::{Rebuilt, check_path};
use crate::error::Fault;

/// The effect of a txn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It did what it says.
    Done,
    /// The tree had its effect already, or something later: it changed less than it says.
    Tolerated,
}

impl Rebuilt {
    /// Applies a txn.
    ///
    /// # Errors
    /// If it cannot be applied to any tree: its file is damaged in spite of its checksum.
    pub fn apply(&mut self, header: &TxnHeader, txn: &Txn<'_>) -> Result<Applied, Fault> {
        match txn {
            Txn::Create(create) => self.create(header, create),
            Txn::Delete { path } => self.delete(path, header.zxid),
            Txn::SetData { path, data, version } => {
                if self.tree.lookup(path).is_none() {
                    return Ok(Applied::Tolerated);
                }
                self.tree.set_data(path, *data, *version, header.zxid, header.time_ms);
                Ok(Applied::Done)
            }
            Txn::SetAcl { path, acl, version } => {
                if self.tree.lookup(path).is_none() {
                    return Ok(Applied::Tolerated);
                }
                let number = self.acl_number(*acl);
                self.tree.set_acl(path, number, *version);
                Ok(Applied::Done)
            }
            Txn::CreateSession { timeout_ms } => {
                self.sessions.insert(header.session, *timeout_ms);
                Ok(Applied::Done)
            }
            Txn::CloseSession { paths } => self.close_session(header, *paths),
            Txn::Check { .. } | Txn::Error(_) => Ok(Applied::Done),
            Txn::Multi(multi) => self.multi(header, *multi),
        }
    }

    fn create(&mut self, header: &TxnHeader, create: &CreateTxn<'_>) -> Result<Applied, Fault> {
        let path = create.path;
        check_path(path)?;
        let parent = parent_path(path);
        if self.tree.lookup(parent).is_none() {
            return Ok(Applied::Tolerated);
        }
        let acl = self.acl_number(create.acl);
        // When this txn was decided there was no such node. The one that is here was created later,
        // as were its children, and their creates follow in the log. (Stock keeps it, and with it
        // what earlier txns have just done to it.)
        let is_new = self.tree.lookup(path).is_none();
        if !is_new {
            self.remove_all(path, header.zxid);
        }
        let (owner_raw, ephemeral_owner) = match create.kind {
            NodeKind::Persistent => (0, 0),
            NodeKind::Ephemeral => (header.session.0, header.session.0),
            NodeKind::Container => (model::session::OWNER_CONTAINER, 0),
            NodeKind::Ttl(ttl_ms) if !(1..=TTL_MS_MAX).contains(&ttl_ms) => {
                return Err(Fault::Ttl(ttl_ms));
            }
            NodeKind::Ttl(ttl_ms) => (Owner::ttl_raw(ttl_ms, self.types), 0),
        };
        if let NodeKind::Ephemeral = create.kind {
            self.own(header.session.0, path);
        }
        self.tree.create(&NewNode {
            path,
            data: create.data,
            acl,
            owner_raw,
            ephemeral_owner,
            zxid: header.zxid,
            time_ms: header.time_ms,
            parent_cversion: create.parent_cversion,
        });
        Ok(if is_new { Applied::Done } else { Applied::Tolerated })
    }

    fn delete(&mut self, path: &[u8], zxid: Zxid) -> Result<Applied, Fault> {
        check_path(path)?;
        let parent = parent_path(path);
        if self.tree.lookup(parent).is_none() {
            return Ok(Applied::Tolerated);
        }
        if self.tree.lookup(path).is_none() {
            self.tree.raise_pzxid(parent, zxid);
            return Ok(Applied::Tolerated);
        }
        let is_alone = self.remove_all(path, zxid);
        Ok(if is_alone { Applied::Done } else { Applied::Tolerated })
    }

    /// Removes a node, and the children that it has here: they were created later, below a node of
    /// the same path, and their creates follow in the log. (Stock leaves them behind as nodes that
    /// are in no listing.) Returns whether there were none.
    fn remove_all(&mut self, path: &[u8], zxid: Zxid) -> bool {
        let mut below = Vec::new();
        let mut todo = vec![path.to_vec()];
        while let Some(path) = todo.pop() {
            let first = todo.len();
            self.tree.child_records(&path, |_, child| todo.push(child.path().to_vec()));
            below.extend_from_slice(&todo[first..]);
        }
        for child in below.iter().rev() {
            self.remove(child, zxid);
        }
        self.remove(path, zxid);
        below.is_empty()
    }

    fn remove(&mut self, path: &[u8], zxid: Zxid) {
        let Some(record) = self.tree.lookup(path) else { return };
        if let Owner::Session(SessionId(id)) = Owner::of_raw(record.owner_raw(), self.types)
            && let Some(paths) = self.ephemerals.get_mut(&id)
        {
            paths.remove(path);
        }
        self.tree.delete(path, zxid);
    }

    /// Removes the nodes of sessions that do not exist, as stock does at each start without a txn;
    /// returns their number.
    pub fn remove_orphans(&mut self, zxid: Zxid) -> u64 {
        let is_gone = |id: &i64| !self.sessions.contains_key(&SessionId(*id));
        let gone: Vec<_> = self.ephemerals.keys().copied().filter(is_gone).collect();
        let paths = gone.into_iter().filter_map(|id| self.ephemerals.remove(&id));
        let paths: Vec<_> = paths.flatten().collect();
        for path in &paths {
            self.remove(path, zxid);
        }
        paths.len() as u64
    }

    fn close_session(
        &mut self,
        header: &TxnHeader,
        paths: Option<Strings<'_>>,
    ) -> Result<Applied, Fault> {
        self.sessions.remove(&header.session);
        let own = self.ephemerals.remove(&header.session.0).unwrap_or_default();
        let mut applied = Applied::Done;
        // The txn's list first, regardless of who owns these nodes here; then what else the session
        // has.
        for path in paths.iter().flat_map(Strings::iter) {
            if self.delete(path, header.zxid)? == Applied::Tolerated {
                applied = Applied::Tolerated;
            }
        }
        for path in own {
            if self.tree.lookup(&path).is_some() {
                self.delete(&path, header.zxid)?;
            }
        }
        Ok(applied)
    }

    fn multi(&mut self, header: &TxnHeader, multi: MultiTxn<'_>) -> Result<Applied, Fault> {
        if multi.has_failed() {
            return Ok(Applied::Done);
        }
        let mut applied = Applied::Done;
        for (op, txn) in multi.iter() {
            if self.apply(&TxnHeader { op, ..*header }, &txn)? == Applied::Tolerated {
                applied = Applied::Tolerated;
            }
        }
        Ok(applied)
    }
}
