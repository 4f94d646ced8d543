//! A change of the ensemble's configuration becomes a txn: the text of the next one, as data of
//! `/zookeeper/config`.
//!
//! Source: ZooKeeper 3.9.5, `PrepRequestProcessor` (`OpCode.reconfig`).

use super::decide::{Caller, Scratch};
use super::{CONFIGURATION, Head};
use crate::reconfigure::{self, Refusal};
use crate::zab::Standing;
use model::acl::perms;
use model::error::ErrorCode;
use model::request::Reconfig;
use model::txn::Txn;
use model::zxid::Zxid;

/// What the head knows of the ensemble while its server leads.
#[derive(Default)]
pub(super) struct Changing {
    standing: Option<Standing>,
    /// The version of the last configuration that was proposed here; agreement may not have it yet.
    proposed: i64,
}

impl Head {
    /// What a change is decided with from now on; `None` while the server does not lead.
    pub(crate) fn stand(&mut self, standing: Option<Standing>) {
        if standing.is_none() {
            self.changing.proposed = 0;
        }
        self.changing.standing = standing;
    }

    /// Decides a change; the txn has `zxid`, and borrows its text from `scratch`.
    pub(super) fn decide_reconfig<'a>(
        &self,
        change: &Reconfig<'_>,
        zxid: Zxid,
        caller: Caller<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<Txn<'a>, ErrorCode> {
        let settings = &self.settings.reconfig;
        if !settings.is_enabled {
            return Err(ErrorCode::ReconfigDisabled);
        }
        // A server that is alone has no configuration that could change.
        let standing = self.changing.standing.as_ref().ok_or(ErrorCode::Unimplemented)?;
        if self.changing.proposed > standing.current.version() {
            return Err(Refusal::InProgress.code());
        }
        let next = reconfigure::next(standing, settings, change, zxid);
        let next = next.map_err(|refusal| refusal.code())?;
        let node = self.tree.lookup(CONFIGURATION).ok_or(ErrorCode::NoNode)?;
        self.may(node.acl(), perms::WRITE, caller)?;
        scratch.text.extend_from_slice(next.text());
        Ok(Txn::SetData { path: CONFIGURATION, data: Some(&scratch.text), version: -1 })
    }

    /// A change that was decided is proposed.
    pub(super) fn proposed_configuration(&mut self, zxid: Zxid) {
        self.changing.proposed = zxid.0;
    }
}
