//! The keyspace: its nodes, and how their paths are written into a request without formatting.

use crate::limits::{NODES_PER_PARENT, PARENTS_MAX};

/// Bytes of `/pNNN` and of `/nNNNNNNN`.
const PARENT_BYTES: usize = 5;
const NODE_BYTES: usize = 9;

/// Writes paths of the keyspace `ROOT/pNNN/nNNNNNNN` over earlier ones of the same length.
///
/// Which parent a node has depends on its number alone, so keyspaces of different sizes in one
/// root agree.
pub(super) struct Keyspace {
    root: Box<[u8]>,
    /// The four digits of every number below 10,000.
    digits: Box<[[u8; 4]]>,
}

impl Keyspace {
    pub(super) fn new(root: &str) -> Self {
        let digit = |number: usize, unit: usize| b'0' + (number / unit % 10) as u8;
        let digits = (0..10_000)
            .map(|n| [digit(n, 1_000), digit(n, 100), digit(n, 10), digit(n, 1)])
            .collect();
        Self { root: root.as_bytes().into(), digits }
    }

    /// The number of parents of `nodes` nodes.
    pub(super) fn parents(nodes: u32) -> u32 {
        nodes.div_ceil(NODES_PER_PARENT).min(PARENTS_MAX)
    }

    /// The path of a parent.
    pub(super) fn parent(&self, parent: u32) -> Vec<u8> {
        let mut path = self.root.to_vec();
        path.extend_from_slice(b"/p000");
        self.write_parent(parent, &mut path);
        path
    }

    /// The path of a node.
    pub(super) fn node(&self, node: u32) -> Vec<u8> {
        let mut path = self.root.to_vec();
        path.extend_from_slice(b"/p000/n0000000");
        self.write_node(node, &mut path);
        path
    }

    /// Writes a parent's number over the one in `path`, which is that of a parent.
    #[inline]
    pub(super) fn write_parent(&self, parent: u32, path: &mut [u8]) {
        let at = self.root.len() + 2;
        path[at..at + PARENT_BYTES - 2].copy_from_slice(&self.digits[parent as usize][1..]);
    }

    /// Writes a node's number, and its parent's, over those in `path`, which is that of a node.
    #[inline]
    pub(super) fn write_node(&self, node: u32, path: &mut [u8]) {
        self.write_parent(node / NODES_PER_PARENT % PARENTS_MAX, path);
        let at = self.root.len() + PARENT_BYTES + 2;
        let name = &mut path[at..at + NODE_BYTES - 2];
        name[..3].copy_from_slice(&self.digits[(node / 10_000) as usize][1..]);
        name[3..].copy_from_slice(&self.digits[(node % 10_000) as usize]);
    }

    /// Writes eight digits over `name`.
    #[inline]
    pub(super) fn write_number(&self, number: u32, name: &mut [u8]) {
        name[..4].copy_from_slice(&self.digits[(number / 10_000 % 10_000) as usize]);
        name[4..8].copy_from_slice(&self.digits[(number % 10_000) as usize]);
    }
}
