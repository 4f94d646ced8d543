//! What a txn does to the tree, and the events that it causes.

use super::Head;
use crate::batch::Batch;
use crate::quota::{self, Track};
use crate::state::Session;
use model::error::ErrorCode;
use model::jute;
use model::op::Op;
use model::path;
use model::response::{self, EventKind};
use model::session::Owner;
use model::txn::{CreateTxn, MultiTxn, NodeKind, Txn, TxnHeader};

/// Appends what precedes an operation's result in the reply to a multi.
pub(super) fn put_result_header(out: &mut Vec<u8>, op: Op, txn: &Txn<'_>) {
    let shown = match (op, txn) {
        (_, Txn::Error(code)) => {
            response::put_multi_header(out, Op::Error.code(), false, *code);
            return jute::put_int(out, *code);
        }
        (Op::CreateContainer | Op::CreateTtl, _) => Op::Create2,
        (Op::DeleteContainer, _) => Op::Delete,
        (op, _) => op,
    };
    response::put_multi_header(out, shown.code(), false, 0);
}

/// Appends the reply to a multi of which nothing was done: each operation's own error, and those
/// of which the txn does not say that they failed would have succeeded.
fn put_failures(out: &mut Vec<u8>, multi: MultiTxn<'_>) {
    let mut is_behind = false;
    for (_, txn) in multi.iter() {
        let error = match txn {
            Txn::Error(code) => {
                is_behind = true;
                code
            }
            _ if is_behind => ErrorCode::RuntimeInconsistency.code(),
            _ => ErrorCode::Ok.code(),
        };
        put_result_header(out, Op::Error, &Txn::Error(error));
    }
    response::put_multi_end(out);
}

/// Why a txn of the log does not fit the tree: they are not of one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The node that it creates exists.
    NodeExists,
    /// The node that it changes, or the parent of the one that it creates, does not.
    NoNode,
    /// It deletes a node that has children.
    NotEmpty,
}

impl std::fmt::Display for ApplyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NodeExists => "it creates a node that exists",
            Self::NoNode => "it changes a node that does not exist",
            Self::NotEmpty => "it deletes a node that has children",
        })
    }
}

impl std::error::Error for ApplyError {}

impl Head {
    /// Changes the tree by one txn. The reply's body and the events are appended to `batch`.
    pub fn apply(
        &mut self,
        header: &TxnHeader,
        op: Op,
        txn: &Txn<'_>,
        batch: &mut Batch,
    ) -> Result<(), ApplyError> {
        if !self.tree.is_in_multi() {
            self.count_write(txn, batch);
        }
        match txn {
            Txn::Create(create) => self.apply_create(header, op, create, batch)?,
            Txn::Delete { path } => self.apply_delete(header, path, batch)?,
            Txn::SetData { path, data, version } => {
                let node = self.tree.lookup(path).ok_or(ApplyError::NoNode)?;
                let before = node.stat().data_length.to_native();
                let (zxid, time) = (header.zxid, header.time_ms);
                let record = self.tree.set_data(path, *data, *version, zxid, time);
                let acl = record.acl();
                if op == Op::Reconfig {
                    jute::put_buffer(&mut batch.bodies, *data);
                }
                batch.bodies.extend_from_slice(record.stat_bytes());
                batch.put_event(EventKind::DataChanged, path, acl);
                let more = data.map_or(0, <[u8]>::len) as i64 - i64::from(before);
                self.count_quota(path, more, 0);
            }
            Txn::SetAcl { path, acl, version } => {
                let before = self.tree.lookup(path).ok_or(ApplyError::NoNode)?.acl();
                let table = &mut self.tree.head_meta().acls;
                let number = self.acls.intern(table, acl);
                table.retain(number, 1);
                self.acls.release(table, before);
                let record = self.tree.set_acl(path, number, *version);
                batch.bodies.extend_from_slice(record.stat_bytes());
            }
            Txn::CreateSession { timeout_ms } => {
                let session = Session { timeout_ms: *timeout_ms, ..Session::default() };
                self.tree.head_meta().sessions.insert(header.session, session);
            }
            Txn::CloseSession { paths } => {
                // The session's list is authoritative for this tree; the txn's is the same list, or
                // that of a history that it belongs to.
                let mut ending = self.begin_end(*header);
                self.delete_owned(&mut ending, usize::MAX, batch, |_| ())?;
                for path in paths.iter().flat_map(jute::Strings::iter) {
                    if self.tree.lookup(path).is_some_and(|r| r.owner_raw() == header.session.0) {
                        self.apply_delete(header, path, batch)?;
                    }
                }
            }
            Txn::Check { .. } | Txn::Error(_) => (),
            Txn::Multi(multi) if multi.has_failed() => put_failures(&mut batch.bodies, *multi),
            Txn::Multi(multi) => {
                for (op, txn) in multi.iter() {
                    put_result_header(&mut batch.bodies, op, &txn);
                    self.apply(header, op, &txn, batch)?;
                }
                response::put_multi_end(&mut batch.bodies);
            }
        }
        Ok(())
    }

    /// Counts what a txn writes; a multi is counted by its parts.
    pub(super) fn count_write(&mut self, txn: &Txn<'_>, batch: &mut Batch) {
        let (path, data) = match txn {
            Txn::Create(create) => (create.path, create.data),
            Txn::SetData { path, data, .. } => (*path, *data),
            Txn::Delete { path } => (*path, None),
            _ => return,
        };
        let bytes = (path.len() + data.map_or(0, <[u8]>::len)) as u64;
        self.meters.written.add_open(&mut batch.counted.written, path, bytes);
    }

    fn apply_create(
        &mut self,
        header: &TxnHeader,
        op: Op,
        create: &CreateTxn<'_>,
        batch: &mut Batch,
    ) -> Result<(), ApplyError> {
        let (parent_path, name) = path::split(create.path);
        let parent_acl = self.tree.lookup(parent_path).ok_or(ApplyError::NoNode)?.acl();
        if self.tree.lookup(create.path).is_some() {
            return Err(ApplyError::NodeExists);
        }
        let table = &mut self.tree.head_meta().acls;
        let acl = self.acls.intern(table, &create.acl);
        table.retain(acl, 1);
        let owner = self.owner_raw(create.kind, header);
        let record = self.tree.create(&crate::tree::NewNode {
            path: create.path,
            data: create.data,
            acl,
            owner_raw: owner,
            ephemeral_owner: match create.kind {
                NodeKind::Ephemeral => header.session.0,
                NodeKind::Persistent | NodeKind::Container | NodeKind::Ttl(_) => 0,
            },
            zxid: header.zxid,
            time_ms: header.time_ms,
            parent_cversion: create.parent_cversion,
        });
        jute::put_string(&mut batch.bodies, create.path);
        if op != Op::Create {
            batch.bodies.extend_from_slice(record.stat_bytes());
        }
        match Owner::of_raw(owner, self.settings.extended_types) {
            Owner::None => (),
            Owner::Session(session) => self.tree.head_meta().own(session, create.path),
            Owner::Container | Owner::Ttl(_) => {
                self.tree.head_meta().reapable.insert(create.path.into());
            }
        }
        batch.put_event(EventKind::Created, create.path, acl);
        batch.put_event(EventKind::ChildrenChanged, parent_path, parent_acl);
        self.quota_node_created(parent_path, name);
        self.count_quota(create.path, create.data.map_or(0, <[u8]>::len) as i64, 1);
        Ok(())
    }

    pub(super) fn apply_delete(
        &mut self,
        header: &TxnHeader,
        path: &[u8],
        batch: &mut Batch,
    ) -> Result<(), ApplyError> {
        let (parent_path, name) = path::split(path);
        let parent_acl = self.tree.lookup(parent_path).ok_or(ApplyError::NoNode)?.acl();
        let node = self.tree.lookup(path).ok_or(ApplyError::NoNode)?;
        if node.stat().num_children.to_native() > 0 {
            return Err(ApplyError::NotEmpty);
        }
        let (acl, owner) = (node.acl(), node.owner_raw());
        let data_bytes = i64::from(node.stat().data_length.to_native());
        self.tree.delete(path, header.zxid);
        let state = self.tree.head_meta();
        self.acls.release(&mut state.acls, acl);
        match Owner::of_raw(owner, self.settings.extended_types) {
            Owner::None => (),
            Owner::Session(session) => state.disown(session, path),
            Owner::Container | Owner::Ttl(_) => {
                state.reapable.remove(path);
            }
        }
        batch.put_deleted(path, acl, (parent_path, parent_acl));
        if name == quota::LIMITS
            && let Some(path) = quota::described(parent_path)
        {
            let path = path.to_vec();
            self.tree.head_meta().quotas.remove(&path);
        }
        self.count_quota(path, -data_bytes, -1);
        Ok(())
    }

    /// A node below `/zookeeper/quota` has a meaning by its name.
    fn quota_node_created(&mut self, parent: &[u8], name: &[u8]) {
        let Some(path) = quota::described(parent) else { return };
        if name == quota::LIMITS {
            self.tree.head_meta().quotas.insert(path);
        } else if name == quota::STATS {
            let (count, bytes) = self.tree.subtree_size(path);
            let mut used = Track::default();
            used.set("bytes", bytes as i64);
            used.set("count", count as i64);
            let stats = [parent, b"/", name].concat();
            self.tree.replace_data_quietly(&stats, Some(&used.text()));
        }
    }

    /// Counts a change against the quota above it: in the stats node, outside of all versions and
    /// digests, as stock does.
    fn count_quota(&mut self, path: &[u8], bytes_more: i64, count_more: i64) {
        let Some(limited) = self.tree.meta().quotas.above(path) else { return };
        let stats = quota::node_path(limited, quota::STATS);
        let Some(node) = self.tree.lookup(&stats) else { return };
        let mut used = Track::parse(node.data().unwrap_or_default());
        used.set("count", used.value("count") + count_more);
        used.set("bytes", used.value("bytes") + bytes_more);
        self.tree.replace_data_quietly(&stats, Some(&used.text()));
    }
}
