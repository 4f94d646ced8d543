//! An answer: whether it is valid, whether it ends the operation, and the next step if it does not.

use model::error::ErrorCode;
use model::jute::{self, JuteReader};
use model::op::Op;

use super::watch::ANY_WATCH;
use super::write::put_delete;
use super::{Malformed, Next, Step, Task, World};
use crate::play::client::{Client, Reply, Waiting};
use crate::play::recipes;
use crate::play::register::Seen;

impl World {
    /// Handles an answer.
    ///
    /// # Errors
    /// The body does not belong to the operation.
    pub(in crate::play) fn answered(
        &mut self,
        client: &mut Client,
        index: usize,
        waiting: Waiting,
        reply: Reply<'_>,
        now_ns: u64,
    ) -> Result<Next, Malformed> {
        let Waiting { op, task, .. } = waiting;
        let code = if reply.error == 0 { check(op, reply.body)? } else { reply.error };
        let exists = code == ErrorCode::NodeExists.code();
        match task.step {
            Step::Folder if exists => Ok(Next::Ended),
            Step::Key if exists => {
                self.set(client, Task { step: Step::Write, ..task }, now_ns);
                Ok(Next::Continues)
            }
            Step::LockCreated | Step::LockListed | Step::LockWatched => {
                recipes::lock(self, client, task, (code, reply.body), now_ns)
            }
            Step::QueueListed | Step::QueueRead | Step::QueueTaken => {
                recipes::queue(self, client, task, (code, reply.body), now_ns)
            }
            Step::Tidy => Ok(Next::Ended),
            Step::Audited => {
                self.audited(client, &task, code, reply)?;
                Ok(Next::Ended)
            }
            // Another operation of this connection had a watch on the same key, and removed both.
            Step::WatchChecked | Step::Only
                if code == ErrorCode::NoWatcher.code()
                    && matches!(op, Op::CheckWatches | Op::RemoveWatches) =>
            {
                Ok(Next::Ended)
            }
            _ if code != 0 => Ok(Next::Failed(code)),
            _ => self.succeeded(client, index, task, reply, now_ns),
        }
    }

    fn succeeded(
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
                return Ok(Next::Continues);
            }
            Step::Read | Step::Write | Step::Key => self.verify(index, &task, reply)?,
            Step::Synced => {
                if let Some(registers) = &mut self.registers {
                    registers.synced(index, task.floor);
                }
            }
            Step::WatchAdded | Step::WatchChecked => {
                let is_added = task.step == Step::WatchAdded;
                let op = if is_added { Op::CheckWatches } else { Op::RemoveWatches };
                let step = if is_added { Step::WatchChecked } else { Step::Only };
                let path = self.tree.key(task.key);
                client.request(op, Task { step, ..task }, now_ns, |out| {
                    jute::put_string(out, path.as_bytes());
                    jute::put_int(out, ANY_WATCH);
                });
                return Ok(Next::Continues);
            }
            Step::Leftovers => {
                for path in JuteReader::new(reply.body).strings()?.iter() {
                    put_delete(client, Task::hidden(Step::Tidy), now_ns, path);
                }
            }
            _ => {}
        }
        Ok(Next::Ended)
    }

    /// An answer of the last check.
    fn audited(
        &mut self,
        client: &Client,
        task: &Task,
        code: i32,
        reply: Reply<'_>,
    ) -> Result<(), Malformed> {
        let Some(registers) = &mut self.registers else { return Ok(()) };
        let server = format!("server {}", client.server.map_or(0, |server| server + 1));
        if code != 0 {
            registers.missing(task.key, &server, code);
            return Ok(());
        }
        let mut reader = JuteReader::new(reply.body);
        let data = reader.buffer()?.unwrap_or_default();
        registers.audit(task.key, &server, data, seen(reader.rest())?);
        Ok(())
    }

    fn verify(&mut self, index: usize, task: &Task, reply: Reply<'_>) -> Result<(), Malformed> {
        let Some(registers) = &mut self.registers else { return Ok(()) };
        let mut reader = JuteReader::new(reply.body);
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
}

/// What is verified of a Stat.
fn seen(stat: &[u8]) -> Result<Seen, Malformed> {
    let mut reader = JuteReader::new(stat);
    let (_, mzxid) = (reader.long()?, reader.long()?);
    let (_, _) = (reader.long()?, reader.long()?);
    Ok(Seen { mzxid, version: reader.int()? })
}

/// Checks the body of a good answer; returns the code inside a multi's.
fn check(op: Op, body: &[u8]) -> Result<i32, Malformed> {
    let mut r = JuteReader::new(body);
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
            // The first operation shows it: either all of them succeeded or none.
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
