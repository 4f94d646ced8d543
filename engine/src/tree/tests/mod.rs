//! The tree against a plain map, while versions are pinned, dropped and reclaimed.

mod image;
mod model;
mod readers;
mod shape;

use super::*;
use ::model::record::NodeRecord;
use ::model::stat::Stat;
use ::model::zxid::Zxid;
use std::collections::BTreeMap;

const SEED: TreeSeed = TreeSeed([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Node {
    stat: Stat,
    stored_cversion: i32,
    owner_raw: i64,
    acl: u32,
    data: Option<Vec<u8>>,
}

/// What the tree should be.
#[derive(Clone, Default)]
struct Plain {
    nodes: BTreeMap<Vec<u8>, Node>,
    zxid: i64,
    meta: u64,
}

impl Plain {
    fn child_names(&self, path: &[u8]) -> Vec<&[u8]> {
        let children = self.nodes.keys().filter(|child| child.len() > 1);
        let children = children.filter(|child| parent_path(child) == path);
        children
            .map(|child| &child[child.iter().rposition(|&b| b == b'/').unwrap() + 1..])
            .collect()
    }

    fn descendant_count(&self, path: &[u8]) -> u64 {
        let prefix = if path == b"/" { path.to_vec() } else { [path, b"/"].concat() };
        let below = |key: &&Vec<u8>| key.starts_with(&prefix) && key.as_slice() != path;
        self.nodes.keys().filter(below).count() as u64
    }
}

fn node_of(record: NodeRecord<'_>) -> Node {
    Node {
        stat: record.stat_native(),
        stored_cversion: record.stored_cversion(),
        owner_raw: record.owner_raw(),
        acl: record.acl(),
        data: record.data().map(<[u8]>::to_vec),
    }
}

/// Compares everything in a view with what it should be.
fn assert_equal(view: View<'_, u64>, plain: &Plain, random: &mut Random) {
    let mut found = BTreeMap::new();
    let (mut digest, mut data_bytes) = (0u64, 0);
    view.records().for_each(|record| {
        digest = digest.wrapping_add(record.digest());
        data_bytes += (record.path().len() + record.data().map_or(0, <[u8]>::len)) as u64;
        assert!(found.insert(record.path().to_vec(), node_of(record)).is_none(), "seen twice");
    });
    // Without the nodes in the message: there may be thousands.
    let differing = plain.nodes.iter().find(|(path, node)| found.get(*path) != Some(node));
    assert_eq!(differing.map(|(path, _)| String::from_utf8_lossy(path)), None);
    assert_eq!(found.len(), plain.nodes.len());
    assert_eq!(view.digest(), digest);
    assert_eq!(view.data_bytes(), data_bytes);
    assert_eq!(view.node_count(), plain.nodes.len() as u64);
    assert_eq!(*view.meta(), plain.meta);
    let mut paths: Vec<&[u8]> = plain.nodes.keys().map(Vec::as_slice).collect();
    for at in 0..paths.len() {
        paths.swap(at, random.below(at + 1));
    }
    paths.truncate(if cfg!(miri) { 11 } else { 100 });
    paths.push(b"/missing/node");
    paths.push(b"no slash");
    let mut records = vec![None; paths.len()];
    view.lookup_staged(&paths, &mut records);
    for (path, staged) in paths.iter().zip(records) {
        let node = view.lookup(path).map(node_of);
        assert_eq!(node.as_ref(), plain.nodes.get(*path));
        assert_eq!(staged.map(node_of), node);
    }
    for path in paths.iter().take(5) {
        let mut children = Vec::new();
        view.children(path, |name| children.push(name));
        children.sort_unstable();
        assert_eq!(children, plain.child_names(path), "of {}", String::from_utf8_lossy(path));
        assert_eq!(view.count_descendants(path), plain.descendant_count(path));
    }
}
