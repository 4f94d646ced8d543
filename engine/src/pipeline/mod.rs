//! The way of a write: decided on the head of the tree, applied to it, told to the batch.
//!
//! `decide` turns a request into a txn or an error, in stock's order of checks. `apply` changes
//! the tree by a txn and says what watchers and the client hear; it is the same for a txn just
//! decided and for one read from the log.
//!
//! Invariant: `decide` changes nothing; after an `Ok`, `apply` of that txn succeeds (guards:
//! `tests::a_failed_multi_leaves_no_trace`, `crate::tests::plain`).

mod apply;
mod census;
mod decide;
mod ending;
mod multi;
#[cfg(test)]
mod tests;

pub use apply::ApplyError;
pub use census::Census;
pub use decide::Caller;
pub use ending::Ending;

use crate::acl::AclIndex;
use crate::meter::Traffic;
use crate::settings::Settings;
use crate::state::State;
use crate::tree::{Advise, RawNode, Tree, TreeSeed, VersionNumber};
use model::acl::AclList;
use model::session::Owner;
use model::stat::Stat;
use model::txn::{NodeKind, TxnHeader};
use model::zxid::Zxid;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What is counted of writes.
#[derive(Clone, Debug, Default)]
pub struct HeadMeters {
    /// Bytes written, by the part of the tree.
    pub written: Traffic,
    /// Writes that a quota refused, by the part of the tree.
    pub over_quota: Traffic,
}

/// Between two digests that are remembered, in txns, as stock does it.
const DIGEST_EVERY: i64 = 128;

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
    /// Containers and nodes with a TTL: hints, checked again before anything is removed.
    reapable: BTreeSet<Box<[u8]>>,
    /// Which ACLs the running multi has retained and released.
    acl_undo: Option<Vec<(u32, bool)>>,
    /// Parents whose counter the running multi has taken past its end, and where it stands. The
    /// tree keeps the highest number; a multi, as stock's, counts on below zero until it is done.
    overflown: BTreeMap<Box<[u8]>, i32>,
    /// What writes were counted, replayed ones too.
    pub meters: HeadMeters,
    /// The tree's digest at every so many txns, oldest first.
    digests: VecDeque<(Zxid, u64)>,
    path: Vec<u8>,
    acl: Vec<u8>,
}

impl Head {
    /// An empty data tree: the root and `/zookeeper` with its two children, as stock has them.
    pub fn new(settings: Arc<Settings>, seed: TreeSeed) -> Self {
        Self::with_advise(settings, seed, None)
    }

    /// The same, its memory shown to `advise`.
    pub fn with_advise(settings: Arc<Settings>, seed: TreeSeed, advise: Option<Advise>) -> Self {
        let tree = Tree::with_advise(seed, State::default(), advise);
        let mut head = Self::of_tree(tree, settings);
        let acl = head.acls.intern(&mut head.tree.head_meta().acls, &AclList::READ_ONLY);
        head.acls.retain(acl);
        for (path, acl, aversion) in [
            (&b"/"[..], 0, 0),
            (b"/zookeeper", 0, 0),
            (b"/zookeeper/quota", 0, 0),
            // Stock's own setACL counts from where a client's "any version" would.
            (b"/zookeeper/config", acl, -1),
        ] {
            head.insert_initial(path, acl, aversion);
        }
        head
    }

    /// A node that was there before every txn.
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
            reapable: BTreeSet::new(),
            acl_undo: None,
            overflown: BTreeMap::new(),
            meters: HeadMeters::default(),
            digests: VecDeque::new(),
            path: Vec::new(),
            acl: Vec::new(),
        }
    }

    /// A loaded tree, what was seen of its records, and the ACLs by their numbers.
    pub fn load(
        mut tree: Tree<State>,
        settings: Arc<Settings>,
        lists: impl IntoIterator<Item = (u32, Vec<u8>)>,
        census: Census,
    ) -> Self {
        let mut state = std::mem::take(tree.head_meta());
        let mut head = Self::of_tree(tree, settings);
        for (number, list) in lists {
            head.acls.load(&mut state.acls, number, &list);
        }
        head.acls.loaded(&state.acls);
        head.reapable = census.settle(&mut state, &mut head.acls, head.settings.extended_types);
        *head.tree.head_meta() = state;
        head
    }

    /// Ends a batch: everything since the last one becomes a version. Gives its number.
    pub fn seal(&mut self) -> VersionNumber {
        self.acls.sealed(&mut self.tree.head_meta().acls);
        self.tree.seal()
    }

    /// Remembers the tree's digest behind a txn, if it is one of those.
    pub(crate) fn remember_digest(&mut self, zxid: Zxid) {
        if zxid.0 % DIGEST_EVERY == 0 {
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

    /// Containers and nodes with a TTL that should go now.
    pub fn reapable(&mut self, now_ms: i64) -> Vec<Box<[u8]>> {
        let (types, never_used_ms) =
            (self.settings.extended_types, self.settings.reap_never_used_ms);
        let mut due = Vec::new();
        let mut stale = Vec::new();
        for path in &self.reapable {
            let Some(record) = self.tree.lookup(path) else {
                stale.push(path.clone());
                continue;
            };
            let stat = record.stat_native();
            let age_ms = now_ms - stat.mtime;
            let is_due = match Owner::of_raw(record.owner_raw(), types) {
                Owner::Container => {
                    record.stored_cversion() > 0 || never_used_ms != 0 && age_ms > never_used_ms
                }
                Owner::Ttl(ttl_ms) => age_ms > ttl_ms,
                Owner::None | Owner::Session(_) => {
                    stale.push(path.clone());
                    continue;
                }
            };
            if is_due && stat.num_children == 0 {
                due.push(path.clone());
            }
        }
        for path in stale {
            self.reapable.remove(&path);
        }
        due
    }

    fn retain_acl(&mut self, number: u32) {
        self.acls.retain(number);
        if let Some(undo) = &mut self.acl_undo {
            undo.push((number, true));
        }
    }

    fn release_acl(&mut self, number: u32) {
        self.acls.release(number);
        if let Some(undo) = &mut self.acl_undo {
            undo.push((number, false));
        }
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
