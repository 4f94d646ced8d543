//! What the head needs to know about all records of a loaded tree, collected as they are loaded.

use crate::acl::AclNumber;
use crate::quota::{self, QuotaPaths};
use crate::state::State;
use model::path;
use model::record::NodeRecord;
use model::session::{ExtendedTypes, Owner};

/// Which nodes use which ACL, which have an owner, and which hold limits.
///
/// Its life: while a tree is being loaded.
#[derive(Debug, Default)]
pub struct Census {
    /// Count of nodes by the number of their ACL.
    acl_uses: Vec<u32>,
    /// The owner, as it is stored, and the path of each node that has one.
    owned: Vec<(i64, Box<[u8]>)>,
    /// Paths of nodes that hold limits.
    limits: Vec<Box<[u8]>>,
}

impl Census {
    /// Adds a record. Its ACL's number must be one of those that are loaded.
    #[inline]
    pub fn see(&mut self, record: NodeRecord<'_>) {
        let acl = record.acl() as usize;
        if self.acl_uses.len() <= acl {
            self.acl_uses.resize(acl + 1, 0);
        }
        self.acl_uses[acl] += 1;
        if record.owner_raw() != 0 {
            self.owned.push((record.owner_raw(), record.path().into()));
        }
        if record.path().starts_with(quota::QUOTA) && path::split(record.path()).1 == quota::LIMITS
        {
            self.limits.push(record.path().into());
        }
    }

    /// Hands over what was collected.
    pub(super) fn settle(self, state: &mut State, types: ExtendedTypes) {
        for (number, &uses) in self.acl_uses.iter().enumerate() {
            state.acls.retain(number as AclNumber, uses);
        }
        for (owner, path) in self.owned {
            match Owner::of_raw(owner, types) {
                Owner::None => (),
                Owner::Session(session) => state.own(session, &path),
                Owner::Container | Owner::Ttl(_) => {
                    state.reapable.insert(path.into());
                }
            }
        }
        state.quotas = QuotaPaths::default();
        for path in &self.limits {
            if let Some(path) = quota::described(path::split(path).0) {
                state.quotas.insert(path);
            }
        }
    }
}
