//! Locks and queues, as in the recipes for ZooKeeper.

use model::error::ErrorCode;
use model::jute::{self, JuteReader};
use model::op::Op;

use super::client::Client;
use super::flow::{Malformed, Next, Step, Task, World, put_delete};
use super::tree::Tree;
use crate::limits::QUEUE_HEAD_MAX;

fn is_gone(code: i32) -> bool {
    code == ErrorCode::NoNode.code()
}

/// Requests the list of nodes that wait for the lock.
pub(super) fn list_lock(tree: &Tree, client: &mut Client, task: Task, now_ns: u64) {
    list(client, &tree.lock(task.key), Task { step: Step::LockListed, ..task }, now_ns);
}

fn list(client: &mut Client, path: &str, task: Task, now_ns: u64) {
    client.request(Op::GetChildren, task, now_ns, |out| {
        jute::put_string(out, path.as_bytes());
        jute::put_bool(out, false);
    });
}

fn read(client: &mut Client, path: &[u8], watch: bool, task: Task, now_ns: u64) {
    client.request(Op::GetData, task, now_ns, |out| {
        jute::put_string(out, path);
        jute::put_bool(out, watch);
    });
}

/// A lock's answer: the node created, the list, the watch on the preceding node.
pub(super) fn lock(
    world: &mut World,
    client: &mut Client,
    mut task: Task,
    (code, body): (i32, &[u8]),
    now_ns: u64,
) -> Result<Next, Malformed> {
    match task.step {
        _ if code != 0 && !(task.step == Step::LockWatched && is_gone(code)) => {
            return Ok(Next::Failed(code));
        }
        Step::LockCreated => {
            task.path = JuteReader::new(body).text()?.to_vec();
            list_lock(&world.tree, client, task, now_ns);
        }
        Step::LockListed => return listed(world, client, task, body, now_ns),
        // The preceding node exists, so its deletion will be an event; its path is the only name.
        _ if code == 0 => {
            let before = task.names.pop().ok_or(Malformed)?;
            client.parked.push((before, task));
        }
        _ => list_lock(&world.tree, client, task, now_ns),
    }
    Ok(Next::Continues)
}

fn listed(
    world: &mut World,
    client: &mut Client,
    mut task: Task,
    body: &[u8],
    now_ns: u64,
) -> Result<Next, Malformed> {
    let folder = world.tree.lock(task.key).into_bytes();
    let own = task.path.get(folder.len() + 1..).ok_or(Malformed)?;
    let before = JuteReader::new(body).strings()?.iter().filter(|name| *name < own).max();
    if let Some(before) = before {
        let path = [&folder[..], b"/", before].concat();
        task.names = vec![path.clone()];
        read(client, &path, true, Task { step: Step::LockWatched, ..task }, now_ns);
        return Ok(Next::Continues);
    }
    world.acquired_ns.push(now_ns.saturating_sub(task.due_ns));
    let hold_ms = world.number_of(&task, |op| op.hold_ms).unwrap_or(0);
    Ok(Next::Held(task, now_ns + hold_ms * 1_000_000))
}

/// Releases a lock.
pub(super) fn release(client: &mut Client, task: Task, now_ns: u64) {
    let path = task.path.clone();
    put_delete(client, Task { step: Step::Only, ..task }, now_ns, &path);
}

/// Requests the elements of a queue.
pub(super) fn list_queue(tree: &Tree, client: &mut Client, task: Task, now_ns: u64) {
    list(client, &tree.queue(task.key), Task { step: Step::QueueListed, ..task }, now_ns);
}

/// A queue's answer: the list, the element read, the element deleted.
pub(super) fn queue(
    world: &mut World,
    client: &mut Client,
    mut task: Task,
    (code, body): (i32, &[u8]),
    now_ns: u64,
) -> Result<Next, Malformed> {
    match task.step {
        // Another took it: the next one is tried.
        Step::QueueRead | Step::QueueTaken if is_gone(code) => {}
        _ if code != 0 => return Ok(Next::Failed(code)),
        Step::QueueListed => {
            let mut names: Vec<_> = JuteReader::new(body).strings()?.iter().collect();
            if names.is_empty() {
                return Ok(Next::Ended);
            }
            names.sort_unstable();
            names.truncate(QUEUE_HEAD_MAX);
            task.names = names.into_iter().rev().map(<[u8]>::to_vec).collect();
        }
        Step::QueueRead => {
            let path = task.path.clone();
            put_delete(client, Task { step: Step::QueueTaken, ..task }, now_ns, &path);
            return Ok(Next::Continues);
        }
        _ => return Ok(Next::Ended),
    }
    let Some(name) = task.names.pop() else {
        list_queue(&world.tree, client, task, now_ns);
        return Ok(Next::Continues);
    };
    task.path = [world.tree.queue(task.key).as_bytes(), b"/", &name].concat();
    let path = task.path.clone();
    read(client, &path, false, Task { step: Step::QueueRead, ..task }, now_ns);
    Ok(Next::Continues)
}
