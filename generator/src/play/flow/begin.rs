//! The first request of an operation.

use model::acl::AclList;
use model::jute;
use model::op::Op;

use super::watch::PERSISTENT;
use super::write::{
    CONTAINER, EPHEMERAL, SEQUENTIAL, TTL, create_body, put_create, put_delete, put_set,
};
use super::{Step, Task, World};
use crate::play::client::Client;
use crate::play::recipes;
use crate::play::register::Registers;
use crate::workload::{Bounded, OpKind, OpSpec};

impl World {
    /// Puts the first request of an operation; not of a session, which has its own connection.
    pub(in crate::play) fn begin(
        &mut self,
        client: &mut Client,
        index: usize,
        op: usize,
        at: (u64, u64),
    ) {
        let (due_ns, now_ns) = at;
        let kind = self.workload.op(op).kind;
        let key = self.chance.key();
        let task = |step| Task::new(Some(op), step, due_ns, key);
        let path = |path: String, rest: &'static [u8]| {
            move |out: &mut Vec<u8>| {
                jute::put_string(out, path.as_bytes());
                out.extend_from_slice(rest);
            }
        };
        let mut only = |wire, encode: &dyn Fn(&mut Vec<u8>)| {
            client.request(wire, task(Step::Only), now_ns, |out| encode(out));
        };
        match kind {
            OpKind::Get => {
                let floor = self.registers.as_ref().map_or(0, |r| r.floor(key));
                let task = Task { floor, ..task(Step::Read) };
                client.request(Op::GetData, task, now_ns, path(self.tree.key(key), &[0]));
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
                let service = self.chance.below(self.workload.sessions.services.value());
                only(Op::GetChildren, &path(self.tree.service(service), &[0]));
            }
            OpKind::Sync => {
                let floor = self.registers.as_ref().map_or(0, Registers::acknowledged);
                let task = Task { floor, ..task(Step::Synced) };
                client.request(Op::Sync, task, now_ns, path(self.tree.key(key), &[]));
            }
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
        let key = task.key;
        match kind {
            OpKind::Watch => {
                let task = Task { step: Step::WatchAdded, ..task };
                client.request(Op::AddWatch, task, now_ns, |out| {
                    jute::put_string(out, self.tree.key(key).as_bytes());
                    jute::put_int(out, PERSISTENT);
                });
            }
            OpKind::Multi => self.multi(client, index, task, now_ns),
            OpKind::MultiRead => {
                let count = self.number_of(&task, |op| op.reads).unwrap_or(10);
                let keys: Vec<_> = (0..count).map(|_| self.chance.key()).collect();
                client.request(Op::MultiRead, task, now_ns, |out| {
                    for key in keys {
                        model::response::put_multi_header(out, Op::GetData.code(), false, -1);
                        jute::put_string(out, self.tree.key(key).as_bytes());
                        jute::put_bool(out, false);
                    }
                    model::response::put_multi_end(out);
                });
            }
            OpKind::Lock | OpKind::QueuePut | OpKind::QueueTake => {
                let count = self.number_of(&task, |op| op.count).unwrap_or(1);
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

    /// The operations that create nodes, and the one that deletes them.
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
                let service = self.chance.below(self.workload.sessions.services.value());
                path = self.tree.instance(service, index, task.key);
            }
            // Its name is not the one requested, or the server deletes it.
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

    fn multi(&mut self, client: &mut Client, index: usize, task: Task, now_ns: u64) {
        let count =
            |of: fn(&OpSpec) -> Option<Bounded<0, 10_000>>| self.number_of(&task, of).unwrap_or(0);
        let (sets, creates) = (count(|op| op.sets), count(|op| op.creates));
        let checks = count(|op| op.checks);
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
            self.note_set(key, now_ns);
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
        client.request(Op::Multi, task, now_ns, |out| out.extend_from_slice(&body));
    }
}
