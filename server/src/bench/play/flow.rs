//! What each operation asks, step by step, and what becomes of an answer.

use model::acl::AclList;
use model::error::ErrorCode;
use model::jute::{self, Reader};
use model::op::Op;

use super::client::{Client, Reply, Waiting};
use super::draw::Chance;
use super::recipes;
use super::register::{Registers, Seen, VALUE_BYTES};
use super::tree::Tree;
use crate::bench::spec::{Bounded, OpKind, OpSpec, Spec, WatchKind};
use crate::bench::wire::payload;

/// Of a task that is no operation of the workload.
pub(super) const HIDDEN: usize = usize::MAX;
/// How long a node with a time to live lives, in ms.
const TTL_MS: i64 = 60_000;
const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;
const CONTAINER: i32 = 4;
const TTL: i32 = 5;
/// The mode of a persistent watch, and of a recursive one; the kind of watch that is any.
const PERSISTENT: i32 = 0;
const RECURSIVE: i32 = 1;
const ANY_WATCH: i32 = 3;

/// How far an operation is: which answer it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Of its only request.
    Only,
    /// getData of a key.
    Read,
    /// setData of a key.
    Write,
    /// A create of a node that may be deleted later.
    Made,
    /// A create; the delete follows.
    Passing,
    WatchAdded,
    WatchChecked,
    LockCreated,
    LockListed,
    LockLooked,
    QueueListed,
    QueueRead,
    QueueTaken,
    /// Hidden: what a session needs at its start, or a watch set again.
    Upkeep,
    /// Hidden: a node of the tree, which may be there.
    Folder,
    /// Hidden: a key, which is set if it is there.
    Key,
    /// Hidden: a list of ephemeral nodes that recipes left; they are deleted.
    Leftovers,
    /// Hidden: a delete of what may be gone.
    Tidy,
    /// Hidden: the end of a session.
    Close,
}

/// An operation that was begun and has not ended.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) op: usize,
    pub(super) step: Step,
    /// When it should have been begun.
    pub(super) due_ns: u64,
    /// A key, a lock, a queue: as the step needs it.
    pub(super) key: u64,
    /// The write, in a run that verifies.
    pub(super) write: u64,
    pub(super) floor: i64,
    /// The node that it made.
    pub(super) path: Vec<u8>,
    /// Elements of a queue that it has not tried.
    pub(super) names: Vec<Vec<u8>>,
}

impl Task {
    pub(super) fn new(op: usize, step: Step, due_ns: u64, key: u64) -> Self {
        let (path, names) = (Vec::new(), Vec::new());
        Self { op, step, due_ns, key, write: 0, floor: 0, path, names }
    }

    pub(super) fn hidden(step: Step) -> Self {
        Self::new(HIDDEN, step, 0, 0)
    }
}

/// What becomes of a task after an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// It has ended well.
    Ended,
    /// It has ended with a code of the protocol.
    Failed(i32),
    /// Its next request was put, or it waits for an event.
    Going,
    /// A lock was taken: it goes on at that time, or at once.
    Held(Task, u64),
}

/// An answer that is none to its request.
#[derive(Debug)]
pub(super) struct Malformed;

impl From<jute::JuteError> for Malformed {
    fn from(_: jute::JuteError) -> Self {
        Self
    }
}

/// What all clients share. Lives in: the player.
pub(super) struct World {
    pub(super) spec: Spec,
    pub(super) tree: Tree,
    pub(super) chance: Chance,
    pub(super) registers: Option<Registers>,
    filler: Vec<u8>,
    /// When each watched key, from the first, was last set.
    pub(super) set_ns: Vec<u64>,
    /// Locks that were taken: how long after they were wanted.
    pub(super) acquired_ns: Vec<u64>,
}

impl World {
    pub(super) fn new(spec: Spec, root: &str, is_verifying: bool) -> Self {
        let bytes = |op: &toml::Spanned<OpSpec>| op.get_ref().bytes.map_or(0, Bounded::value);
        let longest = spec.ops.iter().map(bytes).max().unwrap_or(0).max(spec.keys.bytes.value());
        let watched = spec.watches.map_or(0, |watches| watches.count.value());
        Self {
            tree: Tree::new(root, &spec),
            chance: Chance::new(&spec),
            registers: is_verifying.then(Registers::default),
            filler: payload(longest as u32),
            set_ns: vec![0; watched as usize],
            acquired_ns: Vec::new(),
            spec,
        }
    }

    fn bytes(&self, op: usize) -> usize {
        let own = if op == HIDDEN { None } else { self.spec.op(op).bytes };
        own.unwrap_or(self.spec.keys.bytes).value() as usize
    }

    /// A new value for a key, and the number of its write.
    fn value(&mut self, key: u64, bytes: usize) -> (Vec<u8>, u64) {
        let mut data = Vec::with_capacity(bytes.max(VALUE_BYTES));
        let write = self.registers.as_mut().map_or(0, |r| r.value(key, &mut data));
        let rest = bytes.saturating_sub(data.len());
        data.extend_from_slice(&self.filler[..rest]);
        (data, write)
    }

    /// Puts the first request of an operation; not of a session, which has its own connection.
    pub(super) fn begin(&mut self, client: &mut Client, index: usize, op: usize, at: (u64, u64)) {
        let (due_ns, now_ns) = at;
        let kind = self.spec.op(op).kind;
        let key = self.chance.key();
        let task = |step| Task::new(op, step, due_ns, key);
        let path = |path: String, rest: &'static [u8]| {
            move |out: &mut Vec<u8>| {
                jute::put_string(out, path.as_bytes());
                out.extend_from_slice(rest);
            }
        };
        let mut only = |wire, encode: &dyn Fn(&mut Vec<u8>)| {
            client.ask(wire, task(Step::Only), now_ns, |out| encode(out));
        };
        match kind {
            OpKind::Get => {
                let floor = self.registers.as_ref().map_or(0, |r| r.floor(key));
                let task = Task { floor, ..task(Step::Read) };
                client.ask(Op::GetData, task, now_ns, path(self.tree.key(key), &[0]));
            }
            OpKind::Set => self.set(client, task(Step::Write), now_ns),
            OpKind::Exists => only(Op::Exists, &path(self.tree.key(key), &[0])),
            OpKind::GetAcl => only(Op::GetAcl, &path(self.tree.key(key), &[])),
            OpKind::SetAcl => only(Op::SetAcl, &|out| {
                jute::put_string(out, self.tree.key(key).as_bytes());
                AclList::OPEN.encode(out);
                jute::put_int(out, -1);
            }),
            OpKind::Children => only(Op::GetChildren, &path(self.tree.folder_of_key(key), &[0])),
            OpKind::Children2 => only(Op::GetChildren2, &path(self.tree.folder_of_key(key), &[0])),
            OpKind::ChildrenNumber => {
                only(Op::GetAllChildrenNumber, &path(self.tree.folder_of_key(key), &[]));
            }
            OpKind::Discover => {
                let service = self.chance.below(self.spec.sessions.services.value());
                only(Op::GetChildren, &path(self.tree.service(service), &[0]));
            }
            OpKind::Sync => only(Op::Sync, &path(self.tree.key(key), &[])),
            OpKind::Ping => only(Op::Ping, &|_| ()),
            OpKind::WhoAmI => only(Op::WhoAmI, &|_| ()),
            OpKind::Auth => only(Op::Auth, &|out| {
                jute::put_int(out, 0);
                jute::put_string(out, b"digest");
                jute::put_string(out, b"bench:bench");
            }),
            OpKind::GetEphemerals => only(Op::GetEphemerals, &path("/".into(), &[])),
            _ => self.begin_longer(client, index, kind, task(Step::Only), now_ns),
        }
    }

    /// Operations of several requests, or of several nodes.
    fn begin_longer(
        &mut self,
        client: &mut Client,
        index: usize,
        kind: OpKind,
        task: Task,
        now_ns: u64,
    ) {
        let (op, key) = (task.op, task.key);
        match kind {
            OpKind::Watch => {
                let task = Task { step: Step::WatchAdded, ..task };
                client.ask(Op::AddWatch, task, now_ns, |out| {
                    jute::put_string(out, self.tree.key(key).as_bytes());
                    jute::put_int(out, PERSISTENT);
                });
            }
            OpKind::Multi => self.multi(client, index, task, now_ns),
            OpKind::MultiRead => {
                let count = self.spec.op(op).reads.map_or(10, Bounded::value);
                let keys: Vec<_> = (0..count).map(|_| self.chance.key()).collect();
                client.ask(Op::MultiRead, task, now_ns, |out| {
                    for key in keys {
                        model::response::put_multi_header(out, Op::GetData.code(), false, -1);
                        jute::put_string(out, self.tree.key(key).as_bytes());
                        jute::put_bool(out, false);
                    }
                    model::response::put_multi_end(out);
                });
            }
            OpKind::Lock | OpKind::QueuePut | OpKind::QueueTake => {
                let count = self.spec.op(op).count.map_or(1, Bounded::value);
                let number = self.chance.below(count);
                let task = Task { key: number, ..task };
                self.begin_recipe(client, kind, task, now_ns);
            }
            OpKind::Session => unreachable!("a session has a connection of its own"),
            _ => {
                let task = Task { step: Step::Made, ..task };
                self.begin_create(client, index, kind, task, now_ns);
            }
        }
    }

    fn begin_recipe(&mut self, client: &mut Client, kind: OpKind, task: Task, now_ns: u64) {
        match kind {
            OpKind::Lock => {
                let task = Task { step: Step::LockCreated, ..task };
                let path = self.tree.lock(task.key) + "/l-";
                put_create(client, Op::Create, task, now_ns, (&path, &[], EPHEMERAL | SEQUENTIAL));
            }
            OpKind::QueuePut => {
                let path = self.tree.queue(task.key) + "/q-";
                let bytes = self.bytes(task.op);
                let data = &self.filler[..bytes];
                put_create(client, Op::Create, task, now_ns, (&path, data, SEQUENTIAL));
            }
            _ => recipes::list_queue(&self.tree, client, task, now_ns),
        }
    }

    /// The operations that make nodes, and the one that deletes them.
    fn begin_create(
        &mut self,
        client: &mut Client,
        index: usize,
        kind: OpKind,
        mut task: Task,
        now_ns: u64,
    ) {
        if kind == OpKind::Delete
            && let Some(number) = client.made.pop_front()
        {
            task.step = Step::Only;
            let path = self.tree.made(index, number);
            put_delete(client, task, now_ns, path.as_bytes());
            return;
        }
        let (op, flags) = match kind {
            OpKind::Create2 => (Op::Create2, 0),
            OpKind::CreateContainer => (Op::CreateContainer, CONTAINER),
            OpKind::CreateTtl => (Op::CreateTtl, TTL),
            OpKind::Sequential => (Op::Create, SEQUENTIAL),
            OpKind::Ephemeral => (Op::Create, EPHEMERAL),
            _ => (Op::Create, 0),
        };
        task.key = client.made_next;
        client.made_next += 1;
        let mut path = self.tree.made(index, task.key);
        match kind {
            OpKind::Churn => task.step = Step::Passing,
            OpKind::Ephemeral => {
                task.step = Step::Passing;
                let service = self.chance.below(self.spec.sessions.services.value());
                path = self.tree.instance(service, index, task.key);
            }
            // Its name is not the one asked for, or it goes by itself.
            OpKind::Sequential | OpKind::CreateContainer | OpKind::CreateTtl => {
                task.step = Step::Only;
            }
            _ => {}
        }
        if task.step == Step::Passing {
            task.path = path.clone().into_bytes();
        }
        let bytes = self.bytes(task.op);
        put_create(client, op, task, now_ns, (&path, &self.filler[..bytes], flags));
    }

    /// Puts a setData of the task's key.
    pub(super) fn set(&mut self, client: &mut Client, mut task: Task, now_ns: u64) {
        let (data, write) = self.value(task.key, self.bytes(task.op));
        task.write = write;
        if let Some(set_ns) = self.set_ns.get_mut(task.key as usize) {
            *set_ns = now_ns;
        }
        let path = self.tree.key(task.key);
        client.ask(Op::SetData, task, now_ns, |out| put_set(out, &path, &data));
    }

    fn multi(&mut self, client: &mut Client, index: usize, task: Task, now_ns: u64) {
        let op = self.spec.op(task.op);
        let count = |part: Option<Bounded<0, 10_000>>| part.map_or(0, Bounded::value);
        let (sets, creates, checks) = (count(op.sets), count(op.creates), count(op.checks));
        let bytes = self.bytes(task.op);
        let mut body = Vec::new();
        let header = |body: &mut Vec<u8>, op: Op| {
            model::response::put_multi_header(body, op.code(), false, -1);
        };
        for _ in 0..checks {
            header(&mut body, Op::Check);
            jute::put_string(&mut body, self.tree.key(self.chance.key()).as_bytes());
            jute::put_int(&mut body, -1);
        }
        for _ in 0..sets {
            let key = self.chance.key();
            let (data, _) = self.value(key, bytes);
            if let Some(set_ns) = self.set_ns.get_mut(key as usize) {
                *set_ns = now_ns;
            }
            header(&mut body, Op::SetData);
            put_set(&mut body, &self.tree.key(key), &data);
        }
        for _ in 0..creates {
            let number = client.made_next;
            client.made_next += 1;
            header(&mut body, Op::Create);
            let path = self.tree.made(index, number);
            create_body(&mut body, Op::Create, &path, &self.filler[..bytes], 0);
        }
        model::response::put_multi_end(&mut body);
        client.ask(Op::Multi, task, now_ns, |out| out.extend_from_slice(&body));
    }

    /// Takes an answer in.
    ///
    /// # Errors
    /// The body is none of the operation's.
    pub(super) fn answered(
        &mut self,
        client: &mut Client,
        index: usize,
        waiting: Waiting,
        reply: Reply<'_>,
        now_ns: u64,
    ) -> Result<Next, Malformed> {
        let Waiting { op, task, .. } = waiting;
        let code = if reply.error == 0 { check(op, reply.body)? } else { reply.error };
        let is_there = code == ErrorCode::NodeExists.code();
        match task.step {
            Step::Folder if is_there => Ok(Next::Ended),
            Step::Key if is_there => {
                self.set(client, Task { step: Step::Write, ..task }, now_ns);
                Ok(Next::Going)
            }
            Step::LockCreated | Step::LockListed | Step::LockLooked => {
                recipes::lock(self, client, task, (code, reply.body), now_ns)
            }
            Step::QueueListed | Step::QueueRead | Step::QueueTaken => {
                recipes::queue(self, client, task, (code, reply.body), now_ns)
            }
            Step::Tidy => Ok(Next::Ended),
            // Another operation of this connection had a watch on the same key, and removed both.
            Step::WatchChecked | Step::Only
                if code == ErrorCode::NoWatcher.code()
                    && matches!(op, Op::CheckWatches | Op::RemoveWatches) =>
            {
                Ok(Next::Ended)
            }
            _ if code != 0 => Ok(Next::Failed(code)),
            _ => self.went_well(client, index, task, reply, now_ns),
        }
    }

    fn went_well(
        &mut self,
        client: &mut Client,
        index: usize,
        task: Task,
        reply: Reply<'_>,
        now_ns: u64,
    ) -> Result<Next, Malformed> {
        match task.step {
            Step::Made => client.made.push_back(task.key),
            Step::Passing => {
                let path = task.path.clone();
                put_delete(client, Task { step: Step::Only, ..task }, now_ns, &path);
                return Ok(Next::Going);
            }
            Step::Read | Step::Write | Step::Key => self.verify(index, &task, reply)?,
            Step::WatchAdded | Step::WatchChecked => {
                let is_added = task.step == Step::WatchAdded;
                let op = if is_added { Op::CheckWatches } else { Op::RemoveWatches };
                let step = if is_added { Step::WatchChecked } else { Step::Only };
                let path = self.tree.key(task.key);
                client.ask(op, Task { step, ..task }, now_ns, |out| {
                    jute::put_string(out, path.as_bytes());
                    jute::put_int(out, ANY_WATCH);
                });
                return Ok(Next::Going);
            }
            Step::Leftovers => {
                for path in Reader::new(reply.body).strings()?.iter() {
                    put_delete(client, Task::hidden(Step::Tidy), now_ns, path);
                }
            }
            _ => {}
        }
        Ok(Next::Ended)
    }

    fn verify(&mut self, index: usize, task: &Task, reply: Reply<'_>) -> Result<(), Malformed> {
        let Some(registers) = &mut self.registers else { return Ok(()) };
        let mut reader = Reader::new(reply.body);
        match task.step {
            Step::Read => {
                let data = reader.buffer()?.unwrap_or_default();
                let seen = (reply.zxid, seen(reader.rest())?);
                registers.read(index, task.key, task.floor, data, seen);
            }
            Step::Write => {
                registers.written(index, task.key, task.write, seen(reply.body)?);
            }
            _ => {
                let seen = Seen { mzxid: reply.zxid, version: 0 };
                registers.written(index, task.key, task.write, seen);
            }
        }
        Ok(())
    }

    /// Puts what a new session needs: its ephemeral nodes, and the watches.
    pub(super) fn equip(&mut self, client: &mut Client, index: usize, now_ns: u64) {
        for _ in 0..self.spec.sessions.ephemerals.value() {
            let number = client.made_next;
            client.made_next += 1;
            let service = number % self.spec.sessions.services.value();
            let path = self.tree.instance(service, index, number);
            let task = Task::hidden(Step::Upkeep);
            put_create(client, Op::Create, task, now_ns, (&path, b"", EPHEMERAL));
        }
        self.watch_all(client, now_ns);
    }

    fn watch_all(&mut self, client: &mut Client, now_ns: u64) {
        let Some(watches) = self.spec.watches else { return };
        let count = match watches.kind {
            WatchKind::Recursive => 1,
            WatchKind::Children => watches.count.value().min(self.spec.sessions.services.value()),
            _ => watches.count.value().min(self.tree.keys),
        };
        for number in 0..count {
            self.watch(client, number, now_ns);
        }
    }

    /// Sets a watch of the workload, or sets it again.
    pub(super) fn watch(&mut self, client: &mut Client, number: u64, now_ns: u64) {
        let Some(watches) = self.spec.watches else { return };
        let (op, path, rest) = match watches.kind {
            WatchKind::Data => (Op::GetData, self.tree.key(number), None),
            WatchKind::Exists => (Op::Exists, self.tree.key(number), None),
            WatchKind::Children => (Op::GetChildren, self.tree.service(number), None),
            WatchKind::Persistent => (Op::AddWatch, self.tree.key(number), Some(PERSISTENT)),
            WatchKind::Recursive => (Op::AddWatch, self.tree.top(), Some(RECURSIVE)),
        };
        client.ask(op, Task::hidden(Step::Upkeep), now_ns, |out| {
            jute::put_string(out, path.as_bytes());
            match rest {
                None => jute::put_bool(out, true),
                Some(mode) => jute::put_int(out, mode),
            }
        });
    }

    /// After an attach to the same session: watches set again, nodes of broken recipes deleted.
    pub(super) fn resume(&mut self, client: &mut Client, now_ns: u64) {
        self.put_set_watches(client, now_ns);
        if self.spec.ops.iter().any(|op| op.get_ref().kind == OpKind::Lock) {
            let path = self.tree.locks();
            client.ask(Op::GetEphemerals, Task::hidden(Step::Leftovers), now_ns, |out| {
                jute::put_string(out, path.as_bytes());
            });
        }
    }

    fn put_set_watches(&self, client: &mut Client, now_ns: u64) {
        let Some(watches) = self.spec.watches else { return };
        let keys = || -> Vec<String> {
            (0..watches.count.value().min(self.tree.keys)).map(|key| self.tree.key(key)).collect()
        };
        let mut lists: [Vec<String>; 5] = Default::default();
        match watches.kind {
            // The keys exist, so their watches of existence are watches of data.
            WatchKind::Data | WatchKind::Exists => lists[0] = keys(),
            WatchKind::Children => {
                let services = watches.count.value().min(self.spec.sessions.services.value());
                lists[2] = (0..services).map(|number| self.tree.service(number)).collect();
            }
            WatchKind::Persistent => lists[3] = keys(),
            WatchKind::Recursive => lists[4] = vec![self.tree.top()],
        }
        let zxid = client.last_zxid;
        client.ask(Op::SetWatches2, Task::hidden(Step::Upkeep), now_ns, |out| {
            jute::put_long(out, zxid);
            for list in lists {
                jute::put_length(out, list.len());
                for path in list {
                    jute::put_string(out, path.as_bytes());
                }
            }
        });
    }

    /// An event has come. Gives the time since the change was asked for, if that is known.
    pub(super) fn event(
        &mut self,
        client: &mut Client,
        body: &[u8],
        now_ns: u64,
    ) -> Result<Option<u64>, Malformed> {
        let mut reader = Reader::new(body);
        let (_, _, path) = (reader.int()?, reader.int()?, reader.text()?);
        if let Some(at) = client.parked.iter().position(|(of, _)| of == path) {
            let (_, task) = client.parked.swap_remove(at);
            recipes::list_lock(&self.tree, client, task, now_ns);
            return Ok(None);
        }
        let Some(watches) = self.spec.watches else { return Ok(None) };
        let Some(number) = self.tree.key_of(path) else { return Ok(None) };
        let is_once =
            matches!(watches.kind, WatchKind::Data | WatchKind::Exists | WatchKind::Children);
        if is_once && number < watches.count.value() {
            self.watch(client, number, now_ns);
        }
        if watches.kind == WatchKind::Children {
            return Ok(None);
        }
        let set_ns = self.set_ns.get(number as usize).copied().filter(|at| *at > 0);
        Ok(set_ns.map(|set_ns| now_ns.saturating_sub(set_ns)))
    }

    /// Puts the create of a node of the tree, with a value if it is a key.
    pub(super) fn prepare(&mut self, client: &mut Client, node: Node, now_ns: u64) {
        match node {
            Node::Folder(path) => {
                let task = Task::hidden(Step::Folder);
                put_create(client, Op::Create, task, now_ns, (&path, b"", 0));
            }
            Node::Key(key) => {
                let (data, write) = self.value(key, self.bytes(HIDDEN));
                let task = Task { write, ..Task::new(HIDDEN, Step::Key, 0, key) };
                let path = self.tree.key(key);
                put_create(client, Op::Create, task, now_ns, (&path, &data, 0));
            }
        }
    }
}

/// A node to be made before the run.
pub(super) enum Node {
    Folder(String),
    Key(u64),
}

/// What is looked at of a Stat.
fn seen(stat: &[u8]) -> Result<Seen, Malformed> {
    let mut reader = Reader::new(stat);
    let (_, mzxid) = (reader.long()?, reader.long()?);
    let (_, _) = (reader.long()?, reader.long()?);
    Ok(Seen { mzxid, version: reader.int()? })
}

/// Whether a good answer's body is one; gives the code inside a multi's.
fn check(op: Op, body: &[u8]) -> Result<i32, Malformed> {
    let mut r = Reader::new(body);
    match op {
        Op::GetData => {
            r.buffer()?;
            r.take(model::stat::STAT_BYTES)?;
        }
        Op::Exists | Op::SetData | Op::SetAcl => {
            r.take(model::stat::STAT_BYTES)?;
        }
        Op::Create | Op::Create2 | Op::CreateContainer | Op::CreateTtl | Op::Sync => {
            r.string()?;
        }
        Op::GetChildren | Op::GetChildren2 | Op::GetEphemerals => {
            r.strings()?;
        }
        Op::GetAllChildrenNumber => {
            r.int()?;
        }
        Op::Multi => loop {
            let (kind, done) = (r.int()?, r.bool()?);
            r.int()?;
            // The first operation tells: either all of them went well or none.
            if kind != -1 || done {
                break;
            }
            let code = r.int()?;
            if code != 0 {
                return Ok(code);
            }
        },
        _ => {}
    }
    Ok(0)
}

fn put_set(out: &mut Vec<u8>, path: &str, data: &[u8]) {
    jute::put_string(out, path.as_bytes());
    jute::put_string(out, data);
    jute::put_int(out, -1);
}

fn create_body(out: &mut Vec<u8>, op: Op, path: &str, data: &[u8], flags: i32) {
    jute::put_string(out, path.as_bytes());
    jute::put_string(out, data);
    AclList::OPEN.encode(out);
    jute::put_int(out, flags);
    if op == Op::CreateTtl {
        jute::put_long(out, TTL_MS);
    }
}

pub(super) fn put_create(
    client: &mut Client,
    op: Op,
    task: Task,
    now_ns: u64,
    (path, data, flags): (&str, &[u8], i32),
) {
    client.ask(op, task, now_ns, |out| create_body(out, op, path, data, flags));
}

pub(super) fn put_delete(client: &mut Client, task: Task, now_ns: u64, path: &[u8]) {
    client.ask(Op::Delete, task, now_ns, |out| {
        jute::put_string(out, path);
        jute::put_int(out, -1);
    });
}
