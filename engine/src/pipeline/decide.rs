//! What a request becomes: a txn, or the error that stock would return at the same point.

use super::Head;
use crate::acl::{self, AclNumber, identity::Identities};
use crate::quota::{self, Track};
use model::acl::{AclList, perms};
use model::error::ErrorCode;
use model::jute::JuteReader;
use model::limits::TTL_MS_MAX;
use model::op::Op;
use model::path;
use model::record::PATH_BYTES_MAX;
use model::request::{Create, CreateMode};
use model::session::Owner;
use model::txn::{CreateTxn, NodeKind, Txn};

/// The requester.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// All identities of the connection.
    pub identities: &'a Identities,
    /// How its ephemeral nodes are refused; `None` for a session that may have them.
    pub no_ephemerals: Option<ErrorCode>,
}

/// The path, ACL and data of a txn, where they are not those of the request.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) path: Vec<u8>,
    pub(super) acl: Vec<u8>,
    pub(super) text: Vec<u8>,
}

/// The parent's path as the tree knows it: stock keeps the root under both "" and "/".
fn parent_of(path: &[u8]) -> Result<&[u8], ErrorCode> {
    if path.contains(&0) || !path.contains(&b'/') {
        return Err(ErrorCode::BadArguments);
    }
    Ok(path::split(path).0)
}

fn validate(path: &[u8]) -> Result<(), ErrorCode> {
    path::validate(path).map_err(|_| ErrorCode::BadArguments)
}

fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        return Err(ErrorCode::BadVersion);
    }
    Ok(current.wrapping_add(1))
}

impl Head {
    pub(super) fn may(
        &self,
        acl: AclNumber,
        wanted: i32,
        caller: Caller<'_>,
    ) -> Result<(), ErrorCode> {
        let table = &self.tree.meta().acls;
        if table.may(acl, wanted, caller.identities, &self.settings) {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    /// Decides a create. The txn borrows its path and ACL from `scratch`.
    pub(super) fn decide_create<'a>(
        &self,
        op: Op,
        create: &Create<'a>,
        caller: Caller<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<Txn<'a>, ErrorCode> {
        let kind = self.node_kind(op, create, caller.no_ephemerals)?;
        let is_sequential = CreateMode::of(create.flags).is_some_and(|mode| mode.is_sequential);
        let requested_path = create.path.ok_or(ErrorCode::MarshallingError)?;
        let parent_path = parent_of(requested_path)?;
        if create.acl == AclList::OPEN {
            scratch.acl.clear();
            create.acl.encode(&mut scratch.acl);
        } else {
            acl::fix_up(&create.acl, caller.identities, &self.settings.schemes, &mut scratch.acl)?;
        }
        let parent = self.tree.lookup(parent_path).ok_or(ErrorCode::NoNode)?;
        self.may(parent.acl(), perms::CREATE, caller)?;
        let count = match parent.stored_cversion() {
            i32::MAX => self.overflowed.get(parent_path).copied().unwrap_or(i32::MAX),
            count => count,
        };
        let path = if is_sequential {
            use std::io::Write as _;
            scratch.path.clear();
            scratch.path.extend_from_slice(requested_path);
            write!(scratch.path, "{}", Sequence(count)).expect("writing to a vector succeeds");
            &scratch.path[..]
        } else {
            requested_path
        };
        validate(path)?;
        if path.len() > PATH_BYTES_MAX {
            return Err(ErrorCode::BadArguments);
        }
        if self.tree.lookup(path).is_some() {
            return Err(ErrorCode::NodeExists);
        }
        let owner = Owner::of_raw(parent.owner_raw(), self.settings.extended_types);
        if matches!(owner, Owner::Session(_)) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        self.check_quota(path, create.data.map_or(0, <[u8]>::len) as i64, 1)?;
        let acl = AclList::decode(&mut JuteReader::new(&scratch.acl)).expect("encoded above");
        let parent_cversion = count.wrapping_add(1);
        Ok(Txn::Create(CreateTxn { path, data: create.data, acl, kind, parent_cversion }))
    }

    fn node_kind(
        &self,
        op: Op,
        create: &Create<'_>,
        no_ephemerals: Option<ErrorCode>,
    ) -> Result<NodeKind, ErrorCode> {
        let mode = CreateMode::of(create.flags).ok_or(ErrorCode::BadArguments)?;
        if mode.is_ttl && !self.settings.extended_types.enabled {
            return Err(ErrorCode::Unimplemented);
        }
        let is_ttl_good =
            if mode.is_ttl { (1..=TTL_MS_MAX).contains(&create.ttl) } else { create.ttl < 0 };
        // A createTTL whose flags request something else would leave a node without a TTL.
        if !is_ttl_good || op == Op::CreateTtl && !mode.is_ttl {
            return Err(ErrorCode::BadArguments);
        }
        // By the flags alone, also where the operation overrules them.
        if mode.is_ephemeral
            && let Some(error) = no_ephemerals
        {
            return Err(error);
        }
        Ok(match op {
            Op::CreateContainer => NodeKind::Container,
            Op::CreateTtl => NodeKind::Ttl(create.ttl),
            _ if mode.is_ephemeral => NodeKind::Ephemeral,
            _ => NodeKind::Persistent,
        })
    }

    pub(super) fn decide_delete<'a>(
        &self,
        path: &'a [u8],
        version: i32,
        caller: Caller<'_>,
    ) -> Result<Txn<'a>, ErrorCode> {
        let parent_path = parent_of(path)?;
        if path::is_special(path) {
            return Err(ErrorCode::BadArguments);
        }
        let parent = self.tree.lookup(parent_path).ok_or(ErrorCode::NoNode)?;
        self.may(parent.acl(), perms::DELETE, caller)?;
        let node = self.tree.lookup(path).ok_or(ErrorCode::NoNode)?;
        next_version(node.stat().version.to_native(), version)?;
        if node.stat().num_children.to_native() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        Ok(Txn::Delete { path })
    }

    /// Decides the removal of a container or of a node whose time has run out.
    pub(super) fn decide_reap<'a>(&self, path: &'a [u8]) -> Result<Txn<'a>, ErrorCode> {
        parent_of(path)?;
        if path::is_special(path) {
            return Err(ErrorCode::BadArguments);
        }
        let node = self.tree.lookup(path).ok_or(ErrorCode::NoNode)?;
        if node.stat().num_children.to_native() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        match Owner::of_raw(node.owner_raw(), self.settings.extended_types) {
            Owner::Session(_) => Err(ErrorCode::BadVersion),
            _ => Ok(Txn::Delete { path }),
        }
    }

    pub(super) fn decide_set_data<'a>(
        &self,
        path: &'a [u8],
        data: Option<&'a [u8]>,
        version: i32,
        caller: Caller<'_>,
    ) -> Result<Txn<'a>, ErrorCode> {
        validate(path)?;
        let node = self.tree.lookup(path).ok_or(ErrorCode::NoNode)?;
        self.may(node.acl(), perms::WRITE, caller)?;
        if self.settings.enforce_quota {
            let before = i64::from(node.stat().data_length.to_native());
            self.check_quota(path, data.map_or(0, <[u8]>::len) as i64 - before, 0)?;
        }
        let version = next_version(node.stat().version.to_native(), version)?;
        Ok(Txn::SetData { path, data, version })
    }

    pub(super) fn decide_set_acl<'a>(
        &self,
        path: &'a [u8],
        requested: &AclList<'a>,
        version: i32,
        caller: Caller<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<Txn<'a>, ErrorCode> {
        validate(path)?;
        acl::fix_up(requested, caller.identities, &self.settings.schemes, &mut scratch.acl)?;
        let node = self.tree.lookup(path).ok_or(ErrorCode::NoNode)?;
        self.may(node.acl(), perms::ADMIN, caller)?;
        let version = next_version(node.stat().aversion.to_native(), version)?;
        let acl = AclList::decode(&mut JuteReader::new(&scratch.acl)).expect("encoded by fix_up");
        Ok(Txn::SetAcl { path, acl, version })
    }

    pub(super) fn decide_check<'a>(
        &self,
        path: &'a [u8],
        version: i32,
        caller: Caller<'_>,
    ) -> Result<Txn<'a>, ErrorCode> {
        validate(path)?;
        let node = self.tree.lookup(path).ok_or(ErrorCode::NoNode)?;
        self.may(node.acl(), perms::READ, caller)?;
        let version = next_version(node.stat().version.to_native(), version)?;
        Ok(Txn::Check { path, version })
    }

    /// Refuses what would exceed a hard limit.
    fn check_quota(&self, path: &[u8], bytes: i64, count: i64) -> Result<(), ErrorCode> {
        if !self.settings.enforce_quota {
            return Ok(());
        }
        let Some(limited) = self.tree.meta().quotas.above(path) else { return Ok(()) };
        let track = |name| {
            let node = self.tree.lookup(&quota::node_path(limited, name));
            // Clients may write anything there, and stock fails on what it cannot read.
            let read = |data| Track::read(data).ok_or(ErrorCode::MarshallingError);
            node.map(|node| read(node.data())).transpose()
        };
        let Some(limits) = track(quota::LIMITS)? else { return Ok(()) };
        let Some(used) = track(quota::STATS)? else { return Ok(()) };
        if quota::exceeds(&limits, &used, bytes, count) {
            return Err(ErrorCode::QuotaExceeded);
        }
        Ok(())
    }
}

/// A parent's counter as it appears in the name of a sequential node: ten digits, of which, as in
/// Java's format, the sign of a negative number is one.
struct Sequence(i32);

impl std::fmt::Display for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:010}", self.0)
    }
}
