//! Opens and closes connections and sessions.

use std::net::SocketAddr;
use std::time::Duration;

use model::op::Op;
use ring::Token;

use super::timers::Timed;
use super::{ATTACH, Stage};
use crate::limits::{ATTACHING_MAX, OPENING_MAX, PLACE_PAUSE, RETRY_PAUSE};
use crate::play::client::Attachment;
use crate::play::flow::{Step, Task};
use crate::play::player::token;
use crate::results::IncidentKind;
use crate::tally::Class;

impl Stage {
    /// The next client to be attached now, and the server for it.
    pub(in crate::play) fn next_attach(&mut self) -> Option<(usize, SocketAddr)> {
        let most = if self.is_preparing { OPENING_MAX } else { ATTACHING_MAX };
        if self.attaching_count >= most {
            return None;
        }
        while let Some(index) = self.attach_due.pop_front() {
            match self.clients[index].attachment {
                Attachment::Down { retry_ns } if retry_ns > self.now_ns => {
                    self.set_timer(index, Timed::Attach, retry_ns);
                }
                Attachment::Down { .. } => {
                    let last = self.clients[index].server;
                    let Some(server) = self.routes.place(index, last, self.now_ns) else {
                        let retry_ns = self.now_ns + PLACE_PAUSE.as_nanos() as u64;
                        self.set_timer(index, Timed::Attach, retry_ns);
                        continue;
                    };
                    self.clients[index].server = Some(server);
                    return Some((index, self.routes.servers[server].address));
                }
                _ => {}
            }
        }
        None
    }

    /// A connection is being opened.
    pub(in crate::play) fn attach(&mut self, index: usize) -> Token {
        let timeout_ms = self.world.workload.sessions.timeout_ms.value() as i32;
        let client = &mut self.clients[index];
        client.attachment = Attachment::Attaching { since_ns: self.now_ns };
        client.put_connect(timeout_ms);
        self.attaching_count += 1;
        let token = token(index, client.generation);
        self.list_sending(index);
        token
    }

    /// A connection could not be started.
    pub(in crate::play) fn refused(&mut self, index: usize, why: String) {
        self.incident(IncidentKind::Refused, index, why);
        self.routes.doubt(self.now_ns);
        self.down(index, RETRY_PAUSE);
    }

    /// A connection has ended unexpectedly.
    pub(in crate::play) fn lost(&mut self, index: usize, kind: IncidentKind, why: &str) {
        let client = &self.clients[index];
        let kind = match client.attachment {
            Attachment::Attaching { .. } if kind == IncidentKind::Closed => IncidentKind::Refused,
            _ => kind,
        };
        let detail = match client.waiting.len() {
            0 => why.to_owned(),
            count => format!("{why}, {count} requests unanswered"),
        };
        self.incident(kind, index, detail);
        self.routes.doubt(self.now_ns);
        let lost = self.cut(index);
        self.lost_count += lost;
        self.down(index, RETRY_PAUSE);
    }

    pub(in crate::play) fn down(&mut self, index: usize, pause: Duration) {
        let client = &mut self.clients[index];
        if let Some(visit) = client.visit.take() {
            client.attachment = Attachment::Gone;
            self.free.push(index);
            self.lost_count += 1;
            self.leave(visit.owner);
            return;
        }
        client.cut_ns = client.cut_ns.or(Some(self.now_ns));
        client.attachment = Attachment::Down { retry_ns: self.now_ns + pause.as_nanos() as u64 };
        self.attach_due.push_back(index);
    }

    /// Abandons a connection. Returns how many operations were lost with it.
    pub(in crate::play) fn cut(&mut self, index: usize) -> u64 {
        if matches!(self.clients[index].attachment, Attachment::Attaching { .. }) {
            self.attaching_count -= 1;
        }
        let (stream, mut tasks) = self.clients[index].cut();
        self.closing.extend(stream.map(|stream| (index, stream)));
        let generation = self.clients[index].generation;
        tasks.extend(self.timers.cut(index, generation));
        let lost = tasks.iter().filter(|task| task.op.is_some()).count();
        self.clients[index].begun_count -= lost;
        lost as u64
    }

    /// An operation of a client has ended, in some way.
    pub(in crate::play) fn leave(&mut self, index: usize) {
        self.clients[index].begun_count -= 1;
        self.list_vacant(index);
    }

    /// A session has ended as requested.
    pub(in crate::play) fn closed(&mut self, index: usize) {
        let lost = self.cut(index);
        self.lost_count += lost;
        self.forget(index);
        let client = &mut self.clients[index];
        if let Some(visit) = client.visit.take() {
            client.attachment = Attachment::Gone;
            self.free.push(index);
            if visit.due_ns >= self.start_ns {
                let latency_ns = self.now_ns - visit.due_ns;
                self.tally.record(Class(visit.op as u8), latency_ns, 1);
            }
            self.leave(visit.owner);
        } else if self.feed.is_over() && self.storms.is_empty() {
            client.attachment = Attachment::Gone;
        } else {
            self.down(index, Duration::ZERO);
        }
    }

    /// A session was granted, or the same as before.
    pub(in crate::play) fn ready(&mut self, index: usize, is_new: bool) {
        self.attaching_count -= 1;
        self.alive_ns = self.now_ns;
        let client = &mut self.clients[index];
        client.attachment = Attachment::Ready;
        client.last_sent_ns = self.now_ns;
        if let Some(visit) = client.visit {
            self.visit(index, visit);
            return;
        }
        let cut_ns = client.cut_ns.take();
        if is_new {
            // Before the tree is created there is nothing to watch.
            if !self.is_preparing {
                self.world.equip(client, index, self.now_ns);
            }
        } else {
            self.world.resume(client, self.now_ns);
        }
        if let Some(cut_ns) = cut_ns {
            self.record_part(ATTACH, self.now_ns - cut_ns);
        }
        self.list_sending(index);
        self.list_vacant(index);
    }

    pub(in crate::play) fn reconnect(&mut self, index: usize) {
        if self.clients[index].attachment == Attachment::Ready {
            // We cause the loss of what was in flight ourselves.
            self.cut(index);
            self.down(index, Duration::ZERO);
        }
    }

    pub(in crate::play) fn renew(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.attachment == Attachment::Ready {
            client.attachment = Attachment::Closing;
            client.cut_ns = Some(self.now_ns);
            client.request(Op::CloseSession, Task::hidden(Step::Close), self.now_ns, |_| ());
            self.list_sending(index);
        }
    }

    /// Requests the end of every session.
    pub(in crate::play) fn close_all(&mut self) {
        self.storms.clear();
        for index in 0..self.clients.len() {
            self.backlog_count -= self.clients[index].backlog.len();
            self.clients[index].backlog.clear();
            self.renew(index);
        }
    }
}
