//! What the closed loop asks: the keyspace made, then read and written.

use std::time::{SystemTime, UNIX_EPOCH};

use super::args::{BenchArgs, Operation};
use super::drive::Workload;
use super::keys::{Draws, Keys};
use super::lane::Ask;
use super::tally::Class;
use super::wire::{REPLY_BYTES_MIN, Template, payload};

const STAT_BYTES: u32 = model::stat::STAT_BYTES as u32;

fn ask(class: u8, body_bytes_min: u32) -> Ask {
    Ask { class: Class(class), reply_bytes_min: REPLY_BYTES_MIN + body_bytes_min }
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

impl Workload for CreatePaths {
    fn next(&mut self, _lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Ask> {
        let path = self.paths.get(self.next)?;
        self.next += 1;
        Template::create(path, b"").put(out, xid, |_| ());
        Some(ask(0, 4 + path.len() as u32))
    }

    fn is_done(&self) -> bool {
        self.next == self.paths.len()
    }
}

/// Creates or sets every node of the keyspace, once.
pub(super) struct EveryNode<'a> {
    keys: &'a Keys,
    template: Template,
    body_bytes_min: u32,
    next: u32,
    nodes: u32,
}

impl<'a> EveryNode<'a> {
    pub(super) fn create(keys: &'a Keys, args: &BenchArgs) -> Self {
        let path = keys.node(0);
        let template = Template::create(&path, &payload(args.size));
        let body_bytes_min = 4 + path.len() as u32;
        Self { keys, template, body_bytes_min, next: 0, nodes: args.nodes }
    }

    pub(super) fn set(keys: &'a Keys, args: &BenchArgs) -> Self {
        let template = Template::set(&keys.node(0), &payload(args.size));
        Self { keys, template, body_bytes_min: STAT_BYTES, next: 0, nodes: args.nodes }
    }
}

impl Workload for EveryNode<'_> {
    fn next(&mut self, _lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Ask> {
        let node = self.next;
        if node == self.nodes {
            return None;
        }
        self.next += 1;
        self.template.put(out, xid, |path| self.keys.write_node(node, path));
        Some(ask(0, self.body_bytes_min))
    }

    fn is_done(&self) -> bool {
        self.next == self.nodes
    }
}

/// Reads or writes nodes drawn at random, for ever.
pub(super) struct Random<'a> {
    keys: &'a Keys,
    draws: Draws,
    bound: u32,
    is_parent: bool,
    read: Template,
    read_ask: Ask,
    write: Template,
    write_ask: Ask,
    write_percent: u32,
}

impl<'a> Random<'a> {
    /// For every operation of the loop but create.
    pub(super) fn new(keys: &'a Keys, args: &BenchArgs) -> Self {
        let (node, parent) = (keys.node(0), keys.parent(0));
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
            keys,
            draws: Draws::new(),
            bound: if is_parent { Keys::parents(args.nodes) } else { args.nodes },
            is_parent,
            read,
            read_ask: ask(0, body_bytes_min),
            write: Template::set(&node, &payload(args.size)),
            write_ask: ask(u8::from(args.op == Operation::Mixed), STAT_BYTES),
            write_percent,
        }
    }
}

impl Workload for Random<'_> {
    #[inline]
    fn next(&mut self, _lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Ask> {
        let node = self.draws.below(self.bound);
        if self.write_percent > 0 && self.draws.below(100) < self.write_percent {
            self.write.put(out, xid, |path| self.keys.write_node(node, path));
            return Some(self.write_ask);
        }
        if self.is_parent {
            self.read.put(out, xid, |path| self.keys.write_parent(node, path));
        } else {
            self.read.put(out, xid, |path| self.keys.write_node(node, path));
        }
        Some(self.read_ask)
    }
}

/// Creates new nodes for ever, `ROOT/cRRRRRRRR-LLLLL/nNNNNNNNN`: a parent for each connection of
/// each run.
pub(super) struct CreateNew<'a> {
    keys: &'a Keys,
    template: Template,
    ask: Ask,
    lane_at: usize,
    parents: Vec<Vec<u8>>,
    next: Vec<u32>,
}

impl<'a> CreateNew<'a> {
    pub(super) fn new(keys: &'a Keys, args: &BenchArgs) -> Self {
        // Runs against one server must not meet each other's nodes.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis());
        let run = now as u32;
        let parents: Vec<_> = (0..args.connections())
            .map(|lane| format!("{}/c{run:08x}-{lane:08}", args.root()).into_bytes())
            .collect();
        let mut path = parents[0].clone();
        let lane_at = path.len() - 8;
        path.extend_from_slice(b"/n00000000");
        Self {
            keys,
            template: Template::create(&path, &payload(args.size)),
            ask: ask(0, 4 + path.len() as u32),
            lane_at,
            next: vec![0; parents.len()],
            parents,
        }
    }

    /// What must be there first.
    pub(super) fn parents(&self) -> Vec<Vec<u8>> {
        self.parents.clone()
    }
}

impl Workload for CreateNew<'_> {
    #[inline]
    fn next(&mut self, lane: usize, xid: i32, out: &mut Vec<u8>) -> Option<Ask> {
        let number = self.next[lane];
        self.next[lane] += 1;
        self.template.put(out, xid, |path| {
            let (parent, name) = path.split_at_mut(self.lane_at + 8);
            self.keys.write_number(lane as u32, &mut parent[self.lane_at..]);
            self.keys.write_number(number, &mut name[2..]);
        });
        Some(self.ask)
    }
}
