//! The path of a write: decided on the head of the tree, applied to it, recorded in the batch.
//!
//! `decide` turns a request into a txn or an error, in stock's order of checks. `apply` changes the
//! tree by a txn and records what watchers and the client receive; it is the same for a txn just
//! decided and for one read from the log.
//!
//! Invariant: `decide` changes nothing; after an `Ok`, `apply` of that txn succeeds (guards:
//! `tests::a_failed_multi_leaves_no_trace`, `crate::tests::plain`).

mod apply;
mod census;
mod decide;
mod ending;
mod multi;
mod reconfigure;
#[cfg(test)]
mod tests;

pub use apply::ApplyError;
pub use census::Census;
pub use decide::Caller;
pub use ending::Ending;

use crate::acl::AclIndex;
use crate::batch::Batch;
use crate::limits::DIGEST_EVERY_TXNS;
use crate::meter::Traffic;
use crate::settings::Settings;
use crate::state::State;
use crate::tree::{Advise, RawNode, Tree, TreeSeed, VersionNumber, parent_path};
use model::acl::AclList;
use model::session::Owner;
use model::stat::Stat;
use model::txn::{NodeKind, TxnHeader};
use model::zxid::Zxid;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

/// What is counted about writes.
#[derive(Clone, Debug, Default)]
pub struct HeadMeters {
    /// Bytes written, by the part of the tree.
    pub written: Traffic,
    /// Writes that a quota refused, by the part of the tree.
    pub over_quota: Traffic,
}

impl HeadMeters {
    /// A batch is published: what it has counted counts.
    pub fn settle(&mut self, batch: &mut Batch) {
        self.written.settle(&mut batch.counted.written);
        self.over_quota.settle(&mut batch.counted.over_quota);
    }
}

/// The result of one search for containers and nodes with a TTL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reapable {
    /// Those to remove now.
    pub due: Vec<Arc<[u8]>>,
    /// The last one that was checked, if there are more behind it.
    pub next: Option<Arc<[u8]>>,
}

/// The node of the ensemble's configuration.
const CONFIGURATION: &[u8] = b"/zookeeper/config";

/// How many are remembered.
const DIGESTS_MAX: usize = 1024;

/// The newest tree, with every proposed txn applied, and what is needed to change it.
///
/// Lives in: the ordering role.
pub struct Head {
    /// The writer's half of the tree.
    pub tree: Tree<State>,
    acls: AclIndex,
    settings: Arc<Settings>,
    /// Parents whose counter the running multi has overflowed, and its value. The tree keeps the
    /// highest number; a multi, as in stock, continues below zero until it is done.
    overflowed: BTreeMap<Box<[u8]>, i32>,
    /// What published writes counted, replayed ones too.
    pub meters: HeadMeters,
    /// The tree's digest at regular intervals of txns, oldest first.
    digests: VecDeque<(Zxid, u64)>,
    path: Vec<u8>,
    acl: Vec<u8>,
    changing: reconfigure::Changing,
}

impl Head {
    /// An empty data tree: the root and `/zookeeper` with its two children, as stock has them.
    pub fn new(settings: Arc<Settings>, seed: TreeSeed) -> Self {
        Self::with_advise(settings, seed, None)
    }

    /// The same, reporting its memory to `advise`.
    pub fn with_advise(settings: Arc<Settings>, seed: TreeSeed, advise: Option<Advise>) -> Self {
        let tree = Tree::with_advise(seed, State::default(), advise);
        let mut head = Self::of_tree(tree, settings);
        for path in [&b"/"[..], b"/zookeeper", b"/zookeeper/quota"] {
            head.insert_initial(path, 0, 0);
        }
        head.insert_configuration();
        head
    }

    /// The node of the ensemble's configuration, which nobody but a superuser may change.
    fn insert_configuration(&mut self) {
        let acl = self.acls.intern(&mut self.tree.head_meta().acls, &AclList::READ_ONLY);
        self.tree.head_meta().acls.retain(acl, 1);
        // Stock's own setACL counts from where a client's "any version" would.
        self.insert_initial(CONFIGURATION, acl, -1);
    }

    /// Shows clients the ensemble's configuration in its node, as each server does for itself,
    /// without a txn (source: ZooKeeper 3.9.5, `ZKDatabase.initConfigInZKDatabase`).
    pub(crate) fn show_configuration(&mut self, text: &[u8], version: i64, time_ms: i64) {
        if self.tree.lookup(parent_path(CONFIGURATION)).is_none() {
            // No server of ZooKeeper makes such a tree, but a leader's copy may be anything.
            return;
        }
        if self.tree.lookup(CONFIGURATION).is_none() {
            // Data of ZooKeeper before 3.5 have no such node.
            self.insert_configuration();
        }
        self.tree.set_data(CONFIGURATION, Some(text), -1, Zxid(version), time_ms);
    }

    /// What the node of the ensemble's configuration says.
    pub fn configuration(&self) -> Option<&[u8]> {
        self.tree.lookup(CONFIGURATION)?.data()
    }

    /// A node that existed before the first txn.
    fn insert_initial(&mut self, path: &[u8], acl: u32, aversion: i32) {
        self.tree.insert_raw(&RawNode {
            stat: Stat { aversion, ..Stat::default() },
            stored_cversion: 0,
            owner_raw: 0,
            acl,
            path,
            data: Some(b""),
        });
    }

    fn of_tree(tree: Tree<State>, settings: Arc<Settings>) -> Self {
        Self {
            tree,
            acls: AclIndex::new(settings.hash_seed),
            settings,
            overflowed: BTreeMap::new(),
            meters: HeadMeters::default(),
            digests: VecDeque::new(),
            path: Vec::new(),
            acl: Vec::new(),
            changing: reconfigure::Changing::default(),
        }
    }

    /// A loaded tree, what was collected from its records, and the ACLs by their numbers.
    pub fn load(
        mut tree: Tree<State>,
        settings: Arc<Settings>,
        lists: impl IntoIterator<Item = (u32, Vec<u8>)>,
        census: Census,
    ) -> Self {
        let state = tree.head_meta();
        for (number, list) in lists {
            state.acls.load(number, &list);
        }
        census.settle(state, settings.extended_types);
        let mut head = Self::of_tree(tree, settings);
        head.acls.reset(&head.tree.meta().acls);
        head
    }

    /// Ends a batch: everything since the last one becomes a version. Returns its number.
    pub fn seal(&mut self) -> VersionNumber {
        self.acls.sealed(&mut self.tree.head_meta().acls);
        self.tree.seal()
    }

    /// Drops everything since the published version: the head continues from there.
    pub(crate) fn rollback_to_published(&mut self) {
        self.tree.rollback_to_published();
        self.acls.reset(&self.tree.meta().acls);
        let here = self.tree.meta().zxid;
        while self.digests.back().is_some_and(|(zxid, _)| *zxid > here) {
            self.digests.pop_back();
        }
    }

    /// Remembers the tree's digest after a txn, if one is due.
    pub(crate) fn remember_digest(&mut self, zxid: Zxid) {
        if zxid.0 % DIGEST_EVERY_TXNS == 0 {
            if self.digests.len() == DIGESTS_MAX {
                self.digests.pop_front();
            }
            self.digests.push_back((zxid, self.tree.digest()));
        }
    }

    /// The digests that are remembered, oldest first.
    pub fn digests(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.digests.iter().copied()
    }

    /// Containers and nodes with a TTL to remove now: checks no more than `looks_max` of those
    /// behind `after`, and finds no more than `due_max`.
    pub fn reapable(
        &self,
        now_ms: i64,
        after: Option<&[u8]>,
        looks_max: usize,
        due_max: usize,
    ) -> Reapable {
        let (types, never_used_ms) =
            (self.settings.extended_types, self.settings.reap_never_used_ms);
        let all = &self.tree.meta().reapable;
        let (mut due, mut next) = (Vec::new(), None);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        for (looks, path) in (1..).zip(all.range::<_, [u8]>((from, Bound::Unbounded))) {
            if looks > looks_max || due.len() >= due_max {
                break;
            }
            next = Some(path);
            let record = self.tree.lookup(path).expect("removable nodes exist");
            let stat = record.stat_native();
            let age_ms = now_ms - stat.mtime;
            let is_due = match Owner::of_raw(record.owner_raw(), types) {
                Owner::Container => {
                    record.stored_cversion() > 0 || never_used_ms != 0 && age_ms > never_used_ms
                }
                Owner::Ttl(ttl_ms) => age_ms > ttl_ms,
                Owner::None | Owner::Session(_) => false,
            };
            if is_due && stat.num_children == 0 {
                due.push(path.clone());
            }
        }
        // The last one ends the search.
        let next = next.filter(|next| all.get_max() != Some(*next)).cloned();
        Reapable { due, next }
    }

    fn owner_raw(&self, kind: NodeKind, header: &TxnHeader) -> i64 {
        match kind {
            NodeKind::Persistent => 0,
            NodeKind::Ephemeral => header.session.0,
            NodeKind::Container => model::session::OWNER_CONTAINER,
            NodeKind::Ttl(ttl_ms) => Owner::ttl_raw(ttl_ms, self.settings.extended_types),
        }
    }
}
