//! Creates, sets and deletes nodes: for operations, for what follows them, and before the run.

use model::acl::AclList;
use model::jute;
use model::op::Op;

use super::{Step, Task, World};
use crate::play::client::Client;

/// Flags of a create: a node's lifetime and naming.
pub(super) const EPHEMERAL: i32 = 1;
pub(super) const SEQUENTIAL: i32 = 2;
pub(super) const CONTAINER: i32 = 4;
pub(super) const TTL: i32 = 5;
/// The time to live of a node that has one, in ms.
const TTL_MS: i64 = 60_000;

/// A node to be created before the run.
pub(in crate::play) enum Node {
    Folder(String),
    Key(u64),
}

impl World {
    /// Puts a setData of the task's key.
    pub(in crate::play) fn set(&mut self, client: &mut Client, mut task: Task, now_ns: u64) {
        let (data, write) = self.value(task.key, self.bytes(task.op));
        task.write = write;
        self.note_set(task.key, now_ns);
        let path = self.tree.key(task.key);
        client.request(Op::SetData, task, now_ns, |out| put_set(out, &path, &data));
    }

    /// Notes that a key is set now, if it is watched.
    pub(super) fn note_set(&mut self, key: u64, now_ns: u64) {
        if let Some(set_ns) = self.set_ns.get_mut(key as usize) {
            *set_ns = now_ns;
        }
    }

    /// Puts the create of a node of the tree, with a value if it is a key.
    pub(in crate::play) fn prepare(&mut self, client: &mut Client, node: Node, now_ns: u64) {
        match node {
            Node::Folder(path) => {
                let task = Task::hidden(Step::Folder);
                put_create(client, Op::Create, task, now_ns, (&path, b"", 0));
            }
            Node::Key(key) => {
                let (data, write) = self.value(key, self.bytes(None));
                let task = Task { write, ..Task::new(None, Step::Key, 0, key) };
                let path = self.tree.key(key);
                put_create(client, Op::Create, task, now_ns, (&path, &data, 0));
            }
        }
    }
}

pub(in crate::play) fn put_create(
    client: &mut Client,
    op: Op,
    task: Task,
    now_ns: u64,
    (path, data, flags): (&str, &[u8], i32),
) {
    client.request(op, task, now_ns, |out| create_body(out, op, path, data, flags));
}

pub(in crate::play) fn put_delete(client: &mut Client, task: Task, now_ns: u64, path: &[u8]) {
    client.request(Op::Delete, task, now_ns, |out| {
        jute::put_string(out, path);
        jute::put_int(out, -1);
    });
}

pub(super) fn put_set(out: &mut Vec<u8>, path: &str, data: &[u8]) {
    jute::put_string(out, path.as_bytes());
    jute::put_string(out, data);
    jute::put_int(out, -1);
}

pub(super) fn create_body(out: &mut Vec<u8>, op: Op, path: &str, data: &[u8], flags: i32) {
    jute::put_string(out, path.as_bytes());
    jute::put_string(out, data);
    AclList::OPEN.encode(out);
    jute::put_int(out, flags);
    if op == Op::CreateTtl {
        jute::put_long(out, TTL_MS);
    }
}
