//! What a worker's steps make of its part of the tree.
//!
//! A model is the state after a number of steps. It alone determines the next step, its request and
//! the expected answer, so two models after the same number of steps are equal.

use std::collections::{BTreeMap, BTreeSet};

use harness::client::{create_body, multi_body};
use harness::{Acl, Body, Op, code, opcode};

/// Nodes of a kind that are kept before the oldest one is deleted.
const KEPT: usize = 5;

/// One value in this many is large, so that segments change under load.
const LARGE_ONE_IN: u64 = 40;
const LARGE_BYTES: usize = 200_000;

/// The node that all workers write.
pub(crate) const SHARED: &str = "/shared";

/// A request, and what must be answered.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: i32,
    pub(super) body: Body,
    pub(super) err: i32,
    /// The path that a create with sequence must give.
    pub(super) path: Option<String>,
    /// The number of a write to [`SHARED`].
    pub(super) shared: Option<u64>,
}

impl Request {
    fn new(kind: i32, body: Body) -> Self {
        Self { kind, body, err: code::OK, path: None, shared: None }
    }
}

/// A worker's part of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) root: String,
    worker: usize,
    pub(super) steps: u64,
    /// Data by name, below the root: `value`, `left`, `right`, plain nodes, ephemerals.
    pub(super) nodes: BTreeMap<String, u64>,
    plain: BTreeSet<u64>,
    ephemerals: BTreeSet<u64>,
    /// What was created and deleted below the root.
    pub(super) changes: i32,
    /// Sequential names, and how many were ever created.
    pub(super) queue: BTreeMap<String, u64>,
    queued: i32,
    pub(super) queue_changes: i32,
}

impl Model {
    /// Before the first step: the nodes that every worker has.
    pub(super) fn new(worker: usize) -> Self {
        Self {
            root: format!("/worker-{worker}"),
            worker,
            steps: 0,
            nodes: ["value", "left", "right"].map(|name| (name.to_owned(), u64::MAX)).into(),
            plain: BTreeSet::new(),
            ephemerals: BTreeSet::new(),
            changes: 4,
            queue: BTreeMap::new(),
            queued: 0,
            queue_changes: 0,
        }
    }

    /// What step `number` writes: the worker, and the step.
    pub(super) fn data(&self, number: u64) -> Vec<u8> {
        if number == u64::MAX {
            return Vec::new();
        }
        let mut data = format!("{} {number} ", self.worker).into_bytes();
        if number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 0xffff < 0xffff / LARGE_ONE_IN {
            data.resize(LARGE_BYTES, number as u8);
        }
        data
    }

    pub(super) fn ephemeral_count(&self) -> usize {
        self.ephemerals.len()
    }

    /// The session has ended: its ephemerals are deleted.
    pub(super) fn end_session(&mut self) {
        for number in std::mem::take(&mut self.ephemerals) {
            self.nodes.remove(&format!("e-{number}"));
            self.changes += 1;
        }
    }

    /// Takes the next step, and returns its request.
    pub(super) fn step(&mut self) -> Request {
        let number = self.steps;
        self.steps += 1;
        match number % 8 {
            1 => self.create(number),
            2 => self.share(number),
            3 => self.pair(number),
            4 => self.enqueue(number),
            5 if self.plain.len() > KEPT => self.delete_plain(),
            6 => self.fail(number),
            7 if self.queue.len() > KEPT => self.dequeue(),
            7 if self.ephemerals.len() > KEPT => self.delete_ephemeral(),
            _ => self.set(number),
        }
    }

    fn set(&mut self, number: u64) -> Request {
        self.nodes.insert("value".to_owned(), number);
        let path = format!("{}/value", self.root);
        let body = Body::new().string(&path).buffer(self.data(number).as_slice()).int(-1);
        Request::new(opcode::SET_DATA, body)
    }

    fn share(&self, number: u64) -> Request {
        let body = Body::new().string(SHARED).buffer(self.data(number).as_slice()).int(-1);
        Request { shared: Some(number), ..Request::new(opcode::SET_DATA, body) }
    }

    fn create(&mut self, number: u64) -> Request {
        self.changes += 1;
        self.plain.insert(number);
        self.nodes.insert(format!("n-{number}"), number);
        let path = format!("{}/n-{number}", self.root);
        let body = create_body(&path, &self.data(number), &Acl::open(), 0);
        Request::new(opcode::CREATE, body)
    }

    fn pair(&mut self, number: u64) -> Request {
        self.changes += 1;
        self.ephemerals.insert(number);
        self.nodes.insert(format!("e-{number}"), number);
        self.nodes.insert("left".to_owned(), number);
        self.nodes.insert("right".to_owned(), number);
        let (root, data) = (&self.root, self.data(number));
        let [left, right] = ["left", "right"].map(|name| format!("{root}/{name}"));
        let ephemeral = format!("{root}/e-{number}");
        let ops = [
            Op::Set { path: &left, data: &data, version: -1 },
            Op::create(&ephemeral, &data, 1),
            Op::Set { path: &right, data: &data, version: -1 },
        ];
        Request::new(opcode::MULTI, multi_body(&ops))
    }

    /// A multi whose last operation fails: nothing of it may stay.
    fn fail(&self, number: u64) -> Request {
        let (value, never) = (format!("{}/value", self.root), format!("{}/never", self.root));
        let data = self.data(number);
        let ops = [
            Op::Set { path: &value, data: &data, version: -1 },
            Op::create(&never, &data, 0),
            Op::Check { path: &value, version: i32::MAX },
        ];
        Request::new(opcode::MULTI, multi_body(&ops))
    }

    fn enqueue(&mut self, number: u64) -> Request {
        let name = format!("s-{:010}", self.queued);
        self.queued += 1;
        self.queue_changes += 1;
        let path = format!("{}/queue/{name}", self.root);
        self.queue.insert(name, number);
        let asked = format!("{}/queue/s-", self.root);
        let body = create_body(&asked, &self.data(number), &Acl::open(), 2);
        Request { path: Some(path), ..Request::new(opcode::CREATE, body) }
    }

    fn dequeue(&mut self) -> Request {
        let (name, _) = self.queue.pop_first().expect("more than are kept");
        self.queue_changes += 1;
        delete(&format!("{}/queue/{name}", self.root))
    }

    fn delete_plain(&mut self) -> Request {
        let oldest = self.plain.pop_first().expect("more than are kept");
        self.forget(&format!("n-{oldest}"))
    }

    fn delete_ephemeral(&mut self) -> Request {
        let oldest = self.ephemerals.pop_first().expect("more than are kept");
        self.forget(&format!("e-{oldest}"))
    }

    fn forget(&mut self, name: &str) -> Request {
        self.changes += 1;
        self.nodes.remove(name);
        delete(&format!("{}/{name}", self.root))
    }
}

fn delete(path: &str) -> Request {
    Request::new(opcode::DELETE, Body::new().string(path).int(-1))
}
