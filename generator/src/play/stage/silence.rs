//! Silence: pings, stalls, connections that are given up, and the end of patience.

use model::op::Op;

use super::Stage;
use crate::play::client::Attachment;
use crate::play::flow::{Step, Task};
use crate::results::IncidentKind;

impl Stage {
    /// Checks for silence, and sends pings.
    pub(super) fn check_silence(&mut self) {
        let mut is_alive = false;
        for index in 0..self.clients.len() {
            self.ping(index);
            let attachment = self.clients[index].attachment;
            is_alive |= matches!(attachment, Attachment::Ready | Attachment::Closing);
            self.check_client(index);
        }
        if is_alive {
            self.alive_ns = self.now_ns;
        } else if self.now_ns - self.alive_ns > self.patience_ns && !self.journal.is_fatal {
            let seconds = (self.now_ns - self.alive_ns) / 1_000_000_000;
            let why = self.routes.complaint().map_or(String::new(), |why| format!(": {why}"));
            let detail = format!("no connection could be opened for {seconds} s{why}");
            self.journal.end(IncidentKind::Gone, None, self.now_ns, detail);
        }
    }

    fn timeout_ns(&self) -> u64 {
        self.world.workload.sessions.timeout_ms.value() * 1_000_000
    }

    fn ping(&mut self, index: usize) {
        let ping_ns = self.timeout_ns() / 3;
        let client = &mut self.clients[index];
        if client.attachment == Attachment::Ready && self.now_ns - client.last_sent_ns > ping_ns {
            client.request(Op::Ping, Task::hidden(Step::Upkeep), self.now_ns, |_| ());
            self.list_sending(index);
        }
    }

    fn check_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let since_ns = match client.attachment {
            Attachment::Attaching { since_ns } => Some(since_ns),
            _ => client.waiting.front().map(|waiting| waiting.sent_ns),
        };
        let silent_ns = since_ns.map_or(0, |since_ns| self.now_ns - since_ns);
        if silent_ns > self.stall_ns && !client.is_silent {
            client.is_silent = true;
            let (server, count) = (client.server, client.waiting.len());
            let detail = format!("connection {index}: {count} requests are waiting");
            self.journal.add(IncidentKind::Stalled, server, self.now_ns - silent_ns, detail);
        }
        if self.routes.servers.len() > 1 {
            self.give_up_server(index, silent_ns);
        } else if silent_ns > self.patience_ns && !self.journal.is_fatal {
            let seconds = silent_ns / 1_000_000_000;
            let detail = format!("connection {index} had no answer for {seconds} s");
            self.journal.end(IncidentKind::Gone, None, self.now_ns, detail);
        }
    }

    /// Where there is another server, a client waits for this one as long as ZooKeeper's clients
    /// do: a share of the session's timeout for the session, two thirds of it for an answer.
    fn give_up_server(&mut self, index: usize, silent_ns: u64) {
        let servers = self.routes.servers.len() as u64;
        let most_ns = match self.clients[index].attachment {
            Attachment::Attaching { .. } => self.timeout_ns() / servers,
            Attachment::Ready | Attachment::Closing => self.timeout_ns() / 3 * 2,
            Attachment::Down { .. } | Attachment::Gone => return,
        };
        if silent_ns > most_ns {
            let why = format!("given up after {} ms without an answer", silent_ns / 1_000_000);
            self.lost(index, IncidentKind::Closed, &why);
        }
    }
}
