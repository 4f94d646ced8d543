//! A tree as a snapshot holds it.
//!
//! Copied out of a pinned version, and made into a head again by what the engine has for loading.

use engine::pipeline::{Census, Head};
use engine::settings::Settings;
use engine::state::{Session, State};
use engine::tree::{Pin, RawNode, Tree, TreeSeed};
use model::session::SessionId;
use model::stat::Stat;
use model::zxid::Zxid;
use std::sync::Arc;

/// The seed of every tree.
pub const SEED: TreeSeed = TreeSeed([1, 2]);

/// A tree, its ACLs and its sessions.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Parents before their children.
    nodes: Vec<Node>,
    acls: Vec<(u32, Vec<u8>)>,
    sessions: Vec<(SessionId, i32)>,
}

#[derive(Clone, Debug)]
struct Node {
    path: Box<[u8]>,
    data: Option<Box<[u8]>>,
    stat: Stat,
    stored_cversion: i32,
    owner_raw: i64,
    acl: u32,
}

impl Image {
    /// What a pinned version holds.
    pub fn of(pin: &Pin<State>) -> Self {
        let view = pin.view();
        let nodes = view.records().map(|record| Node {
            path: record.path().into(),
            data: record.data().map(Into::into),
            stat: record.stat_native(),
            stored_cversion: record.stored_cversion(),
            owner_raw: record.owner_raw(),
            acl: record.acl(),
        });
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort_by(|one, other| one.path.cmp(&other.path));
        let state = view.meta();
        let acls = state.acls.iter().map(|(number, list)| (number, list.to_vec())).collect();
        let sessions = state.sessions.iter().map(|(id, it)| (*id, it.timeout_ms)).collect();
        Self { nodes, acls, sessions }
    }

    /// A head that holds it, sealed and published, the last txn of which is `zxid`.
    pub fn head(&self, zxid: Zxid, settings: Arc<Settings>) -> Head {
        let mut state = State { zxid, ..State::default() };
        for (id, timeout_ms) in &self.sessions {
            let session = Session { timeout_ms: *timeout_ms, ..Session::default() };
            state.sessions.insert(*id, session);
        }
        let mut tree = Tree::new(SEED, state);
        let mut census = Census::default();
        for node in &self.nodes {
            let Node { path, data, stat, stored_cversion, owner_raw, acl } = node;
            let (stat, stored_cversion, owner_raw) = (*stat, *stored_cversion, *owner_raw);
            let (path, data, acl) = (&**path, data.as_deref(), *acl);
            let raw = RawNode { stat, stored_cversion, owner_raw, acl, path, data };
            census.see(tree.insert_raw(&raw));
        }
        let mut head = Head::load(tree, settings, self.acls.iter().cloned(), census);
        publish(&mut head);
        head
    }
}

/// The head of a history without txns, sealed and published.
pub fn empty_head(settings: Arc<Settings>) -> Head {
    let mut head = Head::new(settings, SEED);
    publish(&mut head);
    head
}

fn publish(head: &mut Head) {
    let version = head.seal();
    head.tree.publish(version);
}
