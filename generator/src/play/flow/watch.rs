//! What a session has besides operations: its ephemeral nodes, and watches that are set, restored
//! after a disconnect, and fire.

use model::jute::{self, JuteReader};
use model::op::Op;

use super::write::{EPHEMERAL, put_create};
use super::{Malformed, Step, Task, World};
use crate::play::client::Client;
use crate::play::recipes;
use crate::play::register::Registers;
use crate::workload::{OpKind, WatchKind};

/// The mode of a persistent watch, and of a recursive one; the kind that stands for any watch.
pub(super) const PERSISTENT: i32 = 0;
const RECURSIVE: i32 = 1;
pub(super) const ANY_WATCH: i32 = 3;

impl World {
    /// Puts what a new session needs: its ephemeral nodes, and the watches. With several servers
    /// its own may not have the tree yet.
    pub(in crate::play) fn equip(&mut self, client: &mut Client, index: usize, now_ns: u64) {
        if self.syncs_first {
            self.put_sync(client, now_ns);
        }
        let count = self.workload.sessions.ephemerals.value();
        self.put_instances(client, index, count, now_ns);
        self.put_watches(client, now_ns);
    }

    /// Puts a sync that is no operation.
    pub(in crate::play) fn put_sync(&self, client: &mut Client, now_ns: u64) {
        let floor = self.registers.as_ref().map_or(0, Registers::acknowledged);
        let task = Task { floor, ..Task::hidden(Step::Synced) };
        client.request(Op::Sync, task, now_ns, |out| {
            jute::put_string(out, self.tree.top().as_bytes());
        });
    }

    /// Puts the creates of ephemeral nodes, spread over the services.
    pub(in crate::play) fn put_instances(
        &mut self,
        client: &mut Client,
        index: usize,
        count: u64,
        now_ns: u64,
    ) {
        for _ in 0..count {
            let number = client.made_next;
            client.made_next += 1;
            let service = number % self.workload.sessions.services.value();
            let path = self.tree.instance(service, index, number);
            let task = Task::hidden(Step::Upkeep);
            put_create(client, Op::Create, task, now_ns, (&path, b"", EPHEMERAL));
        }
    }

    fn put_watches(&mut self, client: &mut Client, now_ns: u64) {
        let Some(watches) = self.workload.watches else { return };
        let count = match watches.kind {
            WatchKind::Recursive => 1,
            WatchKind::Children => {
                watches.count.value().min(self.workload.sessions.services.value())
            }
            _ => watches.count.value().min(self.tree.key_count),
        };
        for number in 0..count {
            self.put_watch(client, number, now_ns);
        }
    }

    /// After an attach to the same session: restores watches, deletes nodes of interrupted recipes.
    pub(in crate::play) fn resume(&mut self, client: &mut Client, now_ns: u64) {
        self.put_set_watches(client, now_ns);
        if self.workload.ops.iter().any(|op| op.get_ref().kind == OpKind::Lock) {
            let path = self.tree.locks();
            client.request(Op::GetEphemerals, Task::hidden(Step::Leftovers), now_ns, |out| {
                jute::put_string(out, path.as_bytes());
            });
        }
    }

    fn put_set_watches(&self, client: &mut Client, now_ns: u64) {
        let Some(watches) = self.workload.watches else { return };
        let keys = || -> Vec<String> {
            (0..watches.count.value().min(self.tree.key_count))
                .map(|key| self.tree.key(key))
                .collect()
        };
        let mut lists: [Vec<String>; 5] = Default::default();
        match watches.kind {
            // The keys exist, so their watches of existence are watches of data.
            WatchKind::Data | WatchKind::Exists => lists[0] = keys(),
            WatchKind::Children => {
                let services = watches.count.value().min(self.workload.sessions.services.value());
                lists[2] = (0..services).map(|number| self.tree.service(number)).collect();
            }
            WatchKind::Persistent => lists[3] = keys(),
            WatchKind::Recursive => lists[4] = vec![self.tree.top()],
        }
        let zxid = client.last_zxid;
        client.request(Op::SetWatches2, Task::hidden(Step::Upkeep), now_ns, |out| {
            jute::put_long(out, zxid);
            for list in lists {
                jute::put_length(out, list.len());
                for path in list {
                    jute::put_string(out, path.as_bytes());
                }
            }
        });
    }

    /// Handles an event. Returns the time since the change was requested, if that is known.
    pub(in crate::play) fn event(
        &mut self,
        client: &mut Client,
        body: &[u8],
        now_ns: u64,
    ) -> Result<Option<u64>, Malformed> {
        let mut reader = JuteReader::new(body);
        let (_, _, path) = (reader.int()?, reader.int()?, reader.text()?);
        if let Some(at) = client.parked.iter().position(|(of, _)| of == path) {
            let (_, task) = client.parked.swap_remove(at);
            recipes::list_lock(&self.tree, client, task, now_ns);
            return Ok(None);
        }
        let Some(watches) = self.workload.watches else { return Ok(None) };
        let Some(number) = self.tree.key_of(path) else { return Ok(None) };
        let is_once =
            matches!(watches.kind, WatchKind::Data | WatchKind::Exists | WatchKind::Children);
        if is_once && number < watches.count.value() {
            self.put_watch(client, number, now_ns);
        }
        if watches.kind == WatchKind::Children {
            return Ok(None);
        }
        let set_ns = self.set_ns.get(number as usize).copied().filter(|at| *at > 0);
        Ok(set_ns.map(|set_ns| now_ns.saturating_sub(set_ns)))
    }

    /// Sets a watch of the workload, for the first time or again.
    fn put_watch(&mut self, client: &mut Client, number: u64, now_ns: u64) {
        let Some(watches) = self.workload.watches else { return };
        let (op, path, rest) = match watches.kind {
            WatchKind::Data => (Op::GetData, self.tree.key(number), None),
            WatchKind::Exists => (Op::Exists, self.tree.key(number), None),
            WatchKind::Children => (Op::GetChildren, self.tree.service(number), None),
            WatchKind::Persistent => (Op::AddWatch, self.tree.key(number), Some(PERSISTENT)),
            WatchKind::Recursive => (Op::AddWatch, self.tree.top(), Some(RECURSIVE)),
        };
        client.request(op, Task::hidden(Step::Upkeep), now_ns, |out| {
            jute::put_string(out, path.as_bytes());
            match rest {
                None => jute::put_bool(out, true),
                Some(mode) => jute::put_int(out, mode),
            }
        });
    }
}
