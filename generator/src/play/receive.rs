//! What is received: grants of sessions, replies, events.

use model::jute::JuteReader;
use model::op::Op;
use model::response::xid;

use super::client::{Attachment, Reply, frame};
use super::flow::{Malformed, Next};
use super::stage::Stage;
use crate::results::IncidentKind;
use crate::wire::SessionKey;

impl Stage {
    /// Handles what a connection has received.
    pub(super) fn received(&mut self, index: usize, bytes: &[u8]) {
        let generation = self.clients[index].generation;
        let earlier = self.clients[index].take_input();
        if earlier.is_empty() {
            let used = self.frames(index, bytes);
            if self.clients[index].generation == generation {
                self.clients[index].put_input(earlier, 0);
                self.clients[index].take_in(&bytes[used..]);
            }
            return;
        }
        let mut input = earlier;
        input.extend_from_slice(bytes);
        let used = self.frames(index, &input);
        if self.clients[index].generation == generation {
            self.clients[index].put_input(input, used);
        }
    }

    /// Handles the whole frames; returns how many bytes they were.
    fn frames(&mut self, index: usize, bytes: &[u8]) -> usize {
        let generation = self.clients[index].generation;
        let mut used = 0;
        while self.clients[index].generation == generation && !self.journal.is_fatal {
            let frame = match frame(&bytes[used..]) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(length) => {
                    self.wrong(index, &format!("a frame of {length} bytes"));
                    break;
                }
            };
            used += 4 + frame.len();
            if let Attachment::Attaching { .. } = self.clients[index].attachment {
                if self.granted(index, frame).is_err() {
                    self.wrong(index, &format!("a grant of {} bytes", frame.len()));
                }
            } else {
                self.reply(index, frame);
            }
        }
        self.list_sending(index);
        used
    }

    /// An invalid reply: nothing that this server sends counts from here on.
    fn wrong(&mut self, index: usize, what: &str) {
        let detail = format!("connection {index}: {what}");
        let server = self.clients[index].server;
        self.journal.end(IncidentKind::Wrong, server, self.now_ns, detail);
    }

    fn granted(&mut self, index: usize, frame: &[u8]) -> Result<(), Malformed> {
        let had = self.clients[index].session.id;
        let Some(session) = SessionKey::parse_grant(frame)? else {
            let kind = if had == 0 { IncidentKind::Refused } else { IncidentKind::Expired };
            self.lost(index, kind, "the server granted no session");
            self.forget(index);
            return Ok(());
        };
        let client = &mut self.clients[index];
        let is_new = had != session.id;
        client.session = session;
        client.is_silent = false;
        self.ready(index, is_new);
        Ok(())
    }

    /// The session of a client has ended.
    pub(super) fn forget(&mut self, index: usize) {
        self.clients[index].forget_session();
        if let Some(registers) = &mut self.world.registers {
            registers.forget(index);
        }
    }

    fn reply(&mut self, index: usize, frame: &[u8]) {
        let mut reader = JuteReader::new(frame);
        let head = (|| Some((reader.int().ok()?, reader.long().ok()?, reader.int().ok()?)))();
        let Some((xid, zxid, error)) = head else {
            return self.wrong(index, &format!("a reply of {} bytes", frame.len()));
        };
        let reply = Reply { zxid, error, body: reader.rest() };
        if xid == xid::EVENT {
            return self.event(index, reply);
        }
        let client = &mut self.clients[index];
        if std::mem::take(&mut client.is_silent) {
            self.journal.answered_again(self.now_ns);
        }
        // A request with a special xid may be answered before earlier requests.
        let is_it = |of: i32| if xid < 0 { of == xid } else { of > 0 };
        let at = client.waiting.iter().position(|waiting| is_it(waiting.xid));
        let Some(waiting) = at.and_then(|at| client.waiting.remove(at)) else {
            return self.wrong(index, &format!("xid {xid} without a request"));
        };
        if waiting.xid != xid {
            return self.wrong(index, &format!("xid {xid}, expected {}", waiting.xid));
        }
        if error == 0 {
            self.answered(waiting.op);
        }
        let client = &mut self.clients[index];
        if xid > 0 {
            if let Some(registers) = &mut self.world.registers {
                registers.answered(index, client.last_zxid, zxid);
            }
            client.last_zxid = client.last_zxid.max(zxid);
        }
        let (op, task) = (waiting.op, waiting.task.clone());
        let next = self.world.answered(client, index, waiting, reply, self.now_ns);
        match next {
            Ok(Next::Ended) => self.ended(index, &task, Ok(())),
            Ok(Next::Failed(code)) => self.ended(index, &task, Err(code)),
            Ok(Next::Continues) => {}
            Ok(Next::Held(task, until_ns)) => {
                self.hold(index, task, until_ns);
            }
            Err(Malformed) => {
                let bytes = reply.body.len();
                self.wrong(index, &format!("{bytes} bytes that do not answer {op:?}"));
            }
        }
    }

    /// A good answer: the ensemble accepts writes, or reads.
    fn answered(&mut self, op: Op) {
        match op {
            Op::Create
            | Op::Create2
            | Op::CreateContainer
            | Op::CreateTtl
            | Op::Delete
            | Op::SetData
            | Op::SetAcl
            | Op::Multi => self.outages.writes.answered(self.now_ns),
            Op::GetData
            | Op::Exists
            | Op::GetAcl
            | Op::GetChildren
            | Op::GetChildren2
            | Op::GetAllChildrenNumber
            | Op::GetEphemerals
            | Op::MultiRead => self.outages.reads.answered(self.now_ns),
            _ => {}
        }
    }

    fn event(&mut self, index: usize, reply: Reply<'_>) {
        let client = &mut self.clients[index];
        match self.world.event(client, reply.body, self.now_ns) {
            Ok(Some(latency_ns)) => self.record_event(latency_ns),
            Ok(None) => {}
            Err(Malformed) => {
                self.wrong(index, &format!("{} bytes that are not an event", reply.body.len()));
            }
        }
    }
}
