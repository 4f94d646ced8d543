//! One operation at a time, or several that succeed or fail together.

use super::Head;
use super::apply::put_result_header;
use super::decide::{Caller, Scratch};
use crate::batch::Batch;
use crate::tree::parent_path;
use model::error::ErrorCode;
use model::jute;
use model::op::Op;
use model::request::{Create, Request, SubRequest};
use model::response;
use model::txn::{self, MultiTxn, Txn, TxnHeader};

impl Head {
    /// Decides one operation and, if allowed, applies it: the txn is appended to `log`, its outcome
    /// to `batch`. An error leaves everything as it was.
    ///
    /// # Panics
    /// If the request is a read: the shards answer those.
    pub(crate) fn execute(
        &mut self,
        header: &TxnHeader,
        op: Op,
        request: &Request<'_>,
        caller: Caller<'_>,
        batch: &mut Batch,
        log: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let mut scratch = Scratch {
            path: std::mem::take(&mut self.path),
            acl: std::mem::take(&mut self.acl),
            text: Vec::new(),
        };
        let decided = match request {
            Request::Create(create) => self.decide_create(op, create, caller, &mut scratch),
            Request::Delete { path, version } => self.decide_delete(path, *version, caller),
            Request::SetData { path, data, version } => {
                self.decide_set_data(path, *data, *version, caller)
            }
            Request::SetAcl { path, acl, version } => {
                self.decide_set_acl(path, acl, *version, caller, &mut scratch)
            }
            Request::Check { path, version } => self.decide_check(path, *version, caller),
            Request::DeleteContainer { path } => self.decide_reap(path),
            Request::Reconfig(reconfig) => {
                self.decide_reconfig(reconfig, header.zxid, caller, &mut scratch)
            }
            other => unreachable!("{other:?} is not a single write"),
        };
        let is_over = matches!(decided, Err(ErrorCode::QuotaExceeded));
        if let Request::Create(Create { path: Some(path), .. }) | Request::SetData { path, .. } =
            request
            && is_over
        {
            self.meters.over_quota.add_open(&mut batch.counted.over_quota, path, 1);
        }
        let done = decided.map(|txn| {
            txn.encode(log);
            self.maybe_overflow(&txn);
            self.apply(header, op, &txn, batch).expect("what was decided fits the tree");
            if op == Op::Reconfig {
                self.proposed_configuration(header.zxid);
            }
        });
        (self.path, self.acl) = (scratch.path, scratch.acl);
        done
    }

    /// Remembers, in a multi, a counter that this create overflows.
    fn maybe_overflow(&mut self, txn: &Txn<'_>) {
        if let Txn::Create(create) = txn
            && create.parent_cversion < 0
            && self.tree.is_in_multi()
            && let parent = parent_path(create.path)
            && self.tree.lookup(parent).is_some_and(|it| it.stored_cversion() == i32::MAX)
        {
            self.overflowed.insert(parent.into(), create.parent_cversion);
        }
    }

    /// Decides and applies the operations of a multi. The reply's body has the result of each; if
    /// one fails, none is applied, and the txn records the same.
    ///
    /// # Errors
    /// If there is no result per operation: what stock fails on in one of them ends the whole.
    pub(crate) fn execute_multi(
        &mut self,
        header: &TxnHeader,
        ops: &[SubRequest<'_>],
        caller: Caller<'_>,
        batch: &mut Batch,
        log: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let mark = batch.mark();
        let mut txns = Vec::new();
        let mut sub = Vec::new();
        let mut failed = None;
        self.tree.begin_multi();
        self.acls.begin_multi();
        for (at, SubRequest { op, request }) in ops.iter().enumerate() {
            sub.clear();
            let before = batch.bodies.len();
            put_result_header(&mut batch.bodies, *op, &Txn::Delete { path: b"" });
            if let Err(error) = self.execute(header, *op, request, caller, batch, &mut sub) {
                batch.bodies.truncate(before);
                failed = Some((at, error));
                break;
            }
            jute::put_int(&mut txns, op.code());
            jute::put_string(&mut txns, &sub);
        }
        self.overflowed.clear();
        if let Some((at, error)) = failed {
            self.acls.rollback_multi(&self.tree.meta().acls);
            self.tree.rollback_multi();
            batch.roll_back(mark);
            if error == ErrorCode::MarshallingError {
                return Err(error);
            }
            txns.clear();
            for place in 0..ops.len() {
                // Stock leaves the ones before the failed one as they were decided; clients receive
                // Ok, the failed one's own error, and that the rest was not attempted.
                let error = match place.cmp(&at) {
                    std::cmp::Ordering::Less => ErrorCode::Ok,
                    std::cmp::Ordering::Equal => error,
                    std::cmp::Ordering::Greater => ErrorCode::RuntimeInconsistency,
                };
                txn::put_sub_error(&mut txns, error);
                response::put_multi_error(&mut batch.bodies, error);
            }
        } else {
            self.tree.commit_multi();
            for (_, txn) in MultiTxn::of_encoded(ops.len() as u32, &txns).iter() {
                self.count_write(&txn, batch);
            }
        }
        response::put_multi_end(&mut batch.bodies);
        let count = u32::try_from(ops.len()).expect("a multi is shorter than 4 GiB");
        Txn::Multi(MultiTxn::of_encoded(count, &txns)).encode(log);
        Ok(())
    }
}
