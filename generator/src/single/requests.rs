//! The requests of the closed loop: creating the keyspace, then reading and writing it.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::driver::Requests;
use super::keyspace::Keyspace;
use super::lane::Expected;
use crate::args::{BenchArgs, Operation};
use crate::limits::SEED;
use crate::paths::run_number;
use crate::tally::Class;
use crate::wire::{REPLY_BYTES_MIN, Template, payload};

const STAT_BYTES: u32 = model::stat::STAT_BYTES as u32;

fn expect(class: u8, body_bytes_min: u32) -> Expected {
    Expected { class: Class(class), reply_bytes_min: REPLY_BYTES_MIN + body_bytes_min }
}

/// Creates the nodes of a list, one request each.
pub(super) struct CreatePaths {
    paths: Vec<Vec<u8>>,
    next: usize,
}

impl CreatePaths {
    pub(super) fn new(paths: Vec<Vec<u8>>) -> Self {
        Self { paths, next: 0 }
    }
}

impl Requests for CreatePaths {
    fn next(&mut self, _lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Expected> {
        let path = self.paths.get(self.next)?;
        self.next += 1;
        Template::create(path, b"").put(out, xid, |_| ());
        Some(expect(0, 4 + path.len() as u32))
    }

    fn is_done(&self) -> bool {
        self.next == self.paths.len()
    }
}

/// Creates or sets every node of the keyspace, once.
pub(super) struct EveryNode<'a> {
    keyspace: &'a Keyspace,
    template: Template,
    body_bytes_min: u32,
    next: u32,
    nodes: u32,
}

impl<'a> EveryNode<'a> {
    pub(super) fn create(keyspace: &'a Keyspace, args: &BenchArgs) -> Self {
        let path = keyspace.node(0);
        let template = Template::create(&path, &payload(args.size));
        let body_bytes_min = 4 + path.len() as u32;
        Self { keyspace, template, body_bytes_min, next: 0, nodes: args.nodes }
    }

    pub(super) fn set(keyspace: &'a Keyspace, args: &BenchArgs) -> Self {
        let template = Template::set(&keyspace.node(0), &payload(args.size));
        Self { keyspace, template, body_bytes_min: STAT_BYTES, next: 0, nodes: args.nodes }
    }
}

impl Requests for EveryNode<'_> {
    fn next(&mut self, _lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Expected> {
        let node = self.next;
        if node == self.nodes {
            return None;
        }
        self.next += 1;
        self.template.put(out, xid, |path| self.keyspace.write_node(node, path));
        Some(expect(0, self.body_bytes_min))
    }

    fn is_done(&self) -> bool {
        self.next == self.nodes
    }
}

/// Reads or writes nodes drawn at random, endlessly.
pub(super) struct Random<'a> {
    keyspace: &'a Keyspace,
    rng: SmallRng,
    bound: u32,
    is_parent: bool,
    read: Template,
    read_expected: Expected,
    write: Template,
    write_expected: Expected,
    write_percent: u32,
}

impl<'a> Random<'a> {
    /// For every operation of the loop but create.
    pub(super) fn new(keyspace: &'a Keyspace, args: &BenchArgs) -> Self {
        let (node, parent) = (keyspace.node(0), keyspace.parent(0));
        let is_parent = args.op == Operation::Children;
        let (read, body_bytes_min) = match args.op {
            Operation::Exists => (Template::exists(&node), STAT_BYTES),
            Operation::Children => (Template::children(&parent), 4),
            _ => (Template::get(&node, false), 4 + STAT_BYTES),
        };
        let write_percent = match args.op {
            Operation::Set => 100,
            Operation::Mixed => args.write_percent,
            _ => 0,
        };
        Self {
            keyspace,
            rng: SmallRng::seed_from_u64(SEED),
            bound: if is_parent { Keyspace::parents(args.nodes) } else { args.nodes },
            is_parent,
            read,
            read_expected: expect(0, body_bytes_min),
            write: Template::set(&node, &payload(args.size)),
            write_expected: expect(u8::from(args.op == Operation::Mixed), STAT_BYTES),
            write_percent,
        }
    }
}

impl Requests for Random<'_> {
    #[inline]
    fn next(&mut self, _lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Expected> {
        let node = self.rng.random_range(0..self.bound);
        if self.write_percent > 0 && self.rng.random_range(0..100) < self.write_percent {
            self.write.put(out, xid, |path| self.keyspace.write_node(node, path));
            return Some(self.write_expected);
        }
        if self.is_parent {
            self.read.put(out, xid, |path| self.keyspace.write_parent(node, path));
        } else {
            self.read.put(out, xid, |path| self.keyspace.write_node(node, path));
        }
        Some(self.read_expected)
    }
}

/// Creates new nodes endlessly, `ROOT/cRRRRRRRR-LLLLL/nNNNNNNNN`: a parent for each connection of
/// each run.
pub(super) struct CreateNew<'a> {
    keyspace: &'a Keyspace,
    template: Template,
    expected: Expected,
    lane_at: usize,
    parents: Vec<Vec<u8>>,
    next: Vec<u32>,
}

impl<'a> CreateNew<'a> {
    pub(super) fn new(keyspace: &'a Keyspace, args: &BenchArgs) -> Self {
        let run = run_number();
        let parents: Vec<_> = (0..args.connections())
            .map(|lane| format!("{}/c{run:08x}-{lane:08}", args.root()).into_bytes())
            .collect();
        let mut path = parents[0].clone();
        let lane_at = path.len() - 8;
        path.extend_from_slice(b"/n00000000");
        Self {
            keyspace,
            template: Template::create(&path, &payload(args.size)),
            expected: expect(0, 4 + path.len() as u32),
            lane_at,
            next: vec![0; parents.len()],
            parents,
        }
    }

    /// The nodes that must exist first.
    pub(super) fn parents(&self) -> Vec<Vec<u8>> {
        self.parents.clone()
    }
}

impl Requests for CreateNew<'_> {
    #[inline]
    fn next(&mut self, lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Expected> {
        let number = self.next[lane];
        self.next[lane] += 1;
        self.template.put(out, xid, |path| {
            let (parent, name) = path.split_at_mut(self.lane_at + 8);
            self.keyspace.write_number(lane as u32, &mut parent[self.lane_at..]);
            self.keyspace.write_number(number, &mut name[2..]);
        });
        Some(self.expected)
    }
}
