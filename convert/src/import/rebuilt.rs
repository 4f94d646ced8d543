//! The tree as rebuilt from `ZooKeeper`'s files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::mem;

use engine::quota::{self, Track};
use engine::tree::{RawNode, Tree, TreeSeed, parent_path};
use model::acl::AclList;
use model::jute;
use model::record::{NodeRecord, PATH_BYTES_MAX};
use model::session::{ExtendedTypes, Owner, SessionId};
use model::stat::Stat;

use super::Progress;
use crate::error::Fault;
use crate::stock::ACL_OPEN;
use crate::stock::lengths::Lengths;
use crate::stock::snapshot::{Preamble, SnapshotReader, StockNode, Trailer};
use crate::stock::stream::StreamError;

/// The number of an ACL that the snapshot's nodes have and its table does not: it was created while
/// the snapshot was written, and the log has it.
const ACL_UNKNOWN: u32 = u32::MAX;
/// Where an ensemble keeps its configuration.
const CONFIG: &[u8] = b"/zookeeper/config";
/// Nodes between two reports of progress.
const REPORT_NODES: u64 = 4096;

/// A tree with its sessions and ACLs, while it is read and replayed.
pub struct Rebuilt {
    /// The nodes.
    pub tree: Tree<()>,
    /// The sessions with their timeouts in ms.
    pub sessions: BTreeMap<SessionId, i32>,
    /// Which owners mean a TTL.
    pub types: ExtendedTypes,
    /// Nodes of sessions, by the owner.
    pub(super) ephemerals: BTreeMap<i64, BTreeSet<Box<[u8]>>>,
    acls: Acls,
    has_unknown_acl: bool,
}

/// Lists by number. 0 is the list that permits everything to every client.
#[derive(Default)]
struct Acls {
    lists: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Acls {
    /// The number of a list in its jute form.
    fn number_of(&mut self, list: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(list) {
            return number;
        }
        let number = self.lists.len() as u32 + 1;
        self.lists.push(list.to_vec());
        self.numbers.insert(list.to_vec(), number);
        number
    }
}

impl Rebuilt {
    /// Nothing yet, not even a root.
    pub fn new(seed: TreeSeed, types: ExtendedTypes) -> Self {
        let mut acls = Acls::default();
        let mut open = Vec::new();
        AclList::OPEN.encode(&mut open);
        acls.numbers.insert(open, 0);
        Self {
            tree: Tree::new(seed, ()),
            sessions: BTreeMap::new(),
            types,
            ephemerals: BTreeMap::new(),
            acls,
            has_unknown_acl: false,
        }
    }

    /// What `ZooKeeper` starts with if there is no snapshot.
    pub fn empty(seed: TreeSeed, types: ExtendedTypes) -> Self {
        let mut rebuilt = Self::new(seed, types);
        let read_only = rebuilt.acl_number(AclList::READ_ONLY);
        for (path, acl, aversion) in [
            (&b"/"[..], 0, 0),
            (b"/zookeeper", 0, 0),
            (b"/zookeeper/quota", 0, 0),
            (b"/zookeeper/config", read_only, -1),
        ] {
            let stat = Stat { aversion, ..Stat::default() };
            let (stored_cversion, owner_raw, data) = (0, 0, Some(&b""[..]));
            rebuilt.tree.insert_raw(&RawNode { stat, stored_cversion, owner_raw, acl, path, data });
        }
        rebuilt
    }

    /// Reads a whole snapshot into an empty tree.
    pub fn load(
        &mut self,
        reader: &mut SnapshotReader,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Trailer, StreamError> {
        let preamble = reader.preamble()?;
        let nodes = self.load_nodes(preamble, reader, progress)?;
        let trailer = reader.trailer()?;
        progress(Progress::Nodes { count: nodes, bytes: reader.offset() });
        Ok(trailer)
    }

    /// Reads a whole snapshot, as leaders send it, into an empty tree. Returns what was read from
    /// the source behind it.
    pub fn receive(
        &mut self,
        mut reader: SnapshotReader<impl Read>,
    ) -> Result<Vec<u8>, StreamError> {
        let preamble = reader.sent_preamble()?;
        self.load_nodes(preamble, &mut reader, &mut |_| ())?;
        reader.end_of_sent()
    }

    /// Reads the nodes behind a preamble; returns their number.
    fn load_nodes<R: Read>(
        &mut self,
        preamble: Preamble,
        reader: &mut SnapshotReader<R>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<u64, StreamError> {
        self.sessions.extend(preamble.sessions);
        let numbers = preamble.acls.iter();
        let numbers = numbers.map(|(number, list)| (*number, self.acls.number_of(list)));
        let numbers: HashMap<i64, u32> = numbers.chain([(ACL_OPEN, 0)]).collect();
        let mut parent = Vec::new();
        let mut last_acl = (ACL_OPEN, 0);
        let mut nodes = 0;
        loop {
            let offset = reader.offset();
            let Some(node) = reader.next_node()? else { break };
            if node.acl != last_acl.0 {
                let number = numbers.get(&node.acl).copied().unwrap_or(ACL_UNKNOWN);
                last_acl = (node.acl, number);
            }
            self.insert(&node, last_acl.1, &mut parent)
                .map_err(|fault| StreamError::Damage { offset, fault })?;
            nodes += 1;
            if nodes % REPORT_NODES == 0 {
                progress(Progress::Nodes { count: nodes, bytes: reader.offset() });
            }
        }
        if self.tree.node_count() == 0 {
            let offset = reader.offset();
            return Err(StreamError::Damage { offset, fault: Fault::NoRoot });
        }
        Ok(nodes)
    }

    /// Inserts a node of a snapshot. `parent` is the last parent that was found to exist.
    fn insert(
        &mut self,
        node: &StockNode<'_>,
        acl: u32,
        parent: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let path = if node.path.is_empty() { b"/" } else { node.path };
        if path != b"/" {
            check_path(path)?;
            let above = parent_path(path);
            if parent != above {
                if self.tree.lookup(above).is_none() {
                    return Err(Fault::NoParent(Fault::shown(path)));
                }
                parent.clear();
                parent.extend_from_slice(above);
            }
        }
        if self.tree.lookup(path).is_some() {
            return Err(Fault::Twice(Fault::shown(path)));
        }
        self.has_unknown_acl |= acl == ACL_UNKNOWN;
        let (raw, stored_cversion) = (node.stat.ephemeral_owner, node.stat.cversion);
        let mut stat = node.stat;
        stat.ephemeral_owner = match Owner::of_raw(raw, self.types) {
            Owner::Session(session) => {
                self.own(session.0, path);
                session.0
            }
            Owner::None | Owner::Container | Owner::Ttl(_) => 0,
        };
        let data = node.data;
        self.tree.insert_raw(&RawNode { stat, stored_cversion, owner_raw: raw, acl, path, data });
        Ok(())
    }

    /// Notes that a session has a node.
    pub(super) fn own(&mut self, session: i64, path: &[u8]) {
        self.ephemerals.entry(session).or_default().insert(path.into());
    }

    /// The number of a list.
    pub(super) fn acl_number(&mut self, list: AclList<'_>) -> u32 {
        let mut bytes = Vec::new();
        list.encode(&mut bytes);
        self.acls.number_of(&bytes)
    }

    /// The list of a number, as jute has it.
    pub fn acl_list(&self, number: u32) -> &[u8] {
        &self.acls.lists[number as usize - 1]
    }

    /// Closes the nodes whose ACL is in no file to all but a superuser, and returns their paths.
    /// `ZooKeeper` answers every request about them with an error.
    pub fn close_unknown_acls(&mut self) -> Vec<String> {
        if !mem::take(&mut self.has_unknown_acl) {
            return Vec::new();
        }
        let is_unknown = |record: &NodeRecord<'_>| record.acl() == ACL_UNKNOWN;
        let records = self.tree.records().filter(is_unknown);
        let mut nodes: Vec<_> =
            records.map(|it| (it.path().to_vec(), it.stat_native().aversion)).collect();
        nodes.sort();
        let closed = self.acls.number_of(&closed_list());
        for (path, aversion) in &nodes {
            self.tree.set_acl(path, closed, *aversion);
        }
        nodes.iter().map(|(path, _)| Fault::shown(path)).collect()
    }

    /// The servers that the ensemble's configuration names, as written there.
    pub fn ensemble(&self) -> Vec<String> {
        let record = self.tree.lookup(CONFIG);
        let data = record.and_then(NodeRecord::data).unwrap_or_default();
        let lines = data.split(|&byte| byte == b'\n');
        lines.filter(|line| line.starts_with(b"server.")).map(Fault::shown).collect()
    }

    /// Removes the servers from the ensemble's configuration: it is then empty, as without an
    /// ensemble.
    pub fn clear_ensemble(&mut self) {
        if self.tree.lookup(CONFIG).is_some() {
            self.tree.replace_data_quietly(CONFIG, Some(b""));
        }
    }

    /// What is longer than servers accept by default.
    pub fn lengths(&self) -> Lengths {
        let mut lengths = Lengths::default();
        self.tree.records().for_each(|record| lengths.see(record.path(), record.data()));
        lengths
    }

    /// Recounts the usage of every quota, as `ZooKeeper` does at each start.
    pub fn count_quotas(&mut self) {
        let mut todo = vec![quota::QUOTA.to_vec()];
        let mut limited = Vec::new();
        while let Some(path) = todo.pop() {
            self.tree.child_records(&path, |name, record| {
                if name == quota::LIMITS && record.stat().num_children.to_native() == 0 {
                    limited.extend(quota::described(&path).map(<[u8]>::to_vec));
                } else {
                    todo.push(record.path().to_vec());
                }
            });
        }
        for path in limited {
            let stats = quota::node_path(&path, quota::STATS);
            if self.tree.lookup(&stats).is_some() {
                let (count, bytes) = self.tree.subtree_size(&path);
                let mut used = Track::default();
                used.set("bytes", bytes as i64);
                used.set("count", count as i64);
                self.tree.replace_data_quietly(&stats, Some(&used.text()));
            }
        }
    }

    /// Count of nodes with a time to live.
    pub fn ttl_count(&self) -> u64 {
        let is_ttl = |raw| matches!(Owner::of_raw(raw, self.types), Owner::Ttl(_));
        self.tree.records().filter(|record| is_ttl(record.owner_raw())).count() as u64
    }
}

/// A list that permits nothing to any client: one entry, without permissions. An empty list would
/// permit everything.
fn closed_list() -> Vec<u8> {
    let mut list = Vec::new();
    jute::put_length(&mut list, 1);
    jute::put_int(&mut list, 0);
    jute::put_string(&mut list, b"world");
    jute::put_string(&mut list, b"anyone");
    list
}

/// Checks that a tree can hold a node of this path: the writer of the file may have had other
/// rules.
pub(super) fn check_path(path: &[u8]) -> Result<(), Fault> {
    let is_plain = path.len() > 1
        && path.len() <= PATH_BYTES_MAX
        && path[0] == b'/'
        && !path.ends_with(b"/")
        && !path.windows(2).any(|pair| pair == b"//");
    if is_plain { Ok(()) } else { Err(Fault::Path(Fault::shown(path))) }
}
