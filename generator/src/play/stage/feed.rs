//! Begins operations: to create the tree, as answers make room, or when they are due.

use model::op::Op;

use super::{Feed, LATE, Stage};
use crate::limits::{
    ARRIVALS_PER_TURN_MAX, BACKLOG_MAX, OPEN_LOOP_IN_FLIGHT_MAX, PREPARE_IN_FLIGHT, VISITS_MAX,
};
use crate::play::client::{Attachment, Client, Visit};
use crate::play::flow::{Node, Step, Task};
use crate::workload::{Bounded, OpKind};

impl Stage {
    pub(in crate::play) fn feed(&mut self) {
        match std::mem::replace(&mut self.feed, Feed::None) {
            Feed::None => self.fill_vacant(|_, _| ()),
            Feed::Nodes(mut nodes) => {
                self.feed =
                    if self.feed_nodes(&mut *nodes) { Feed::Nodes(nodes) } else { Feed::None };
            }
            Feed::Audit(mut readers) => {
                self.feed =
                    if self.feed_audit(&mut readers) { Feed::Audit(readers) } else { Feed::None };
            }
            Feed::ClosedLoop => {
                let limit = self.world.workload.in_flight.value() as usize;
                self.feed = Feed::ClosedLoop;
                self.fill_vacant(|stage, index| stage.fill(index, limit));
            }
            Feed::OpenLoop { rate, next_ns } => {
                let next_ns = self.arrive_all(rate, next_ns, ARRIVALS_PER_TURN_MAX);
                self.feed = Feed::OpenLoop { rate, next_ns };
                self.fill_vacant(|_, _| ());
            }
        }
    }

    /// Ends the open loop, if there is one: what was due until now, and has not been begun in time,
    /// becomes due at last. Returns whether there was one.
    pub(in crate::play) fn end_open_loop(&mut self) -> bool {
        let Feed::OpenLoop { rate, next_ns } = self.feed else { return false };
        self.arrive_all(rate, next_ns, usize::MAX);
        self.feed = Feed::None;
        true
    }

    /// As many of the operations that are due as allowed. Returns when the next one is.
    fn arrive_all(&mut self, rate: f64, mut next_ns: f64, most: usize) -> f64 {
        for _ in 0..most {
            if next_ns as u64 > self.now_ns.min(self.until_ns) {
                break;
            }
            self.arrive(next_ns as u64);
            next_ns += self.world.chance.gap_ns(rate);
        }
        next_ns
    }

    /// Whether there are more.
    pub(in crate::play) fn feed_nodes(&mut self, nodes: &mut dyn Iterator<Item = Node>) -> bool {
        for index in 0..self.connections {
            while self.clients[index].waiting.len() < PREPARE_IN_FLIGHT {
                let Some(node) = nodes.next() else { return false };
                self.world.prepare(&mut self.clients[index], node, self.now_ns);
                self.list_sending(index);
            }
        }
        true
    }

    /// Fills clients that have room: first with what is due, then with `more`.
    pub(in crate::play) fn fill_vacant(&mut self, more: impl Fn(&mut Self, usize)) {
        let vacant = std::mem::take(&mut self.vacant);
        for &index in &vacant {
            self.clients[index].is_vacant = false;
            while self.has_room(index)
                && let Some((op, due_ns)) = self.clients[index].backlog.pop_front()
            {
                self.backlog_count -= 1;
                self.begin(index, op, due_ns);
            }
            more(self, index);
        }
        if self.vacant.is_empty() {
            self.vacant = vacant;
            self.vacant.clear();
        }
    }

    pub(in crate::play) fn has_room(&self, index: usize) -> bool {
        let client = &self.clients[index];
        client.attachment == Attachment::Ready && client.begun_count < OPEN_LOOP_IN_FLIGHT_MAX
    }

    pub(in crate::play) fn fill(&mut self, index: usize, limit: usize) {
        while self.clients[index].attachment == Attachment::Ready
            && self.clients[index].begun_count < limit
        {
            let Some(op) = self.world.chance.op() else { return };
            self.begin(index, op, self.now_ns);
        }
    }

    /// Lists all of the workload's clients as having room.
    pub(in crate::play) fn list_all_vacant(&mut self) {
        for index in 0..self.connections {
            self.list_vacant(index);
        }
    }

    /// A client may have room.
    pub(in crate::play) fn list_vacant(&mut self, index: usize) {
        if index < self.connections && !self.clients[index].is_vacant {
            self.clients[index].is_vacant = true;
            self.vacant.push(index);
        }
    }

    /// An operation of the open loop is due.
    pub(in crate::play) fn arrive(&mut self, due_ns: u64) {
        let Some(op) = self.world.chance.op() else { return };
        // The next connection, or one of the next few if it is busy.
        let mut index = self.round_robin;
        for _ in 0..4 {
            index = self.round_robin;
            self.round_robin = (self.round_robin + 1) % self.connections;
            if self.has_room(index) {
                break;
            }
        }
        if self.has_room(index) && self.clients[index].backlog.is_empty() {
            self.begin(index, op, due_ns);
        } else if self.backlog_count < BACKLOG_MAX {
            self.clients[index].backlog.push_back((op, due_ns));
            self.backlog_count += 1;
        } else {
            self.dropped_count += 1;
        }
    }

    pub(in crate::play) fn begin(&mut self, index: usize, op: usize, due_ns: u64) {
        if due_ns >= self.start_ns && matches!(self.feed, Feed::OpenLoop { .. } | Feed::None) {
            self.record_part(LATE, self.now_ns - due_ns);
        }
        if self.world.workload.op(op).kind == OpKind::Session {
            self.open_visit(index, op, due_ns);
            return;
        }
        self.clients[index].begun_count += 1;
        self.world.begin(&mut self.clients[index], index, op, (due_ns, self.now_ns));
        self.list_sending(index);
    }

    pub(in crate::play) fn open_visit(&mut self, owner: usize, op: usize, due_ns: u64) {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.clients.len() < self.connections + VISITS_MAX => {
                self.clients.push(Client::new());
                self.clients.len() - 1
            }
            None => {
                self.dropped_count += 1;
                return;
            }
        };
        self.clients[owner].begun_count += 1;
        let client = &mut self.clients[index];
        client.forget_session();
        client.visit = Some(Visit { owner, op, due_ns });
        client.attachment = Attachment::Down { retry_ns: 0 };
        self.attach_due.push_back(index);
    }

    /// Puts all requests of a visiting session.
    pub(in crate::play) fn visit(&mut self, index: usize, visit: Visit) {
        let op = self.world.workload.op(visit.op);
        let count = |part: Option<Bounded<0, 10_000>>| part.map_or(0, Bounded::value);
        let (ephemerals, gets) = (count(op.ephemerals), count(op.gets));
        let Self { clients, world, now_ns, .. } = self;
        let client = &mut clients[index];
        world.put_instances(client, index, ephemerals, *now_ns);
        for _ in 0..gets {
            let path = world.tree.key(world.chance.key());
            client.request(Op::GetData, Task::hidden(Step::Upkeep), *now_ns, |out| {
                model::jute::put_string(out, path.as_bytes());
                model::jute::put_bool(out, false);
            });
        }
        client.request(Op::CloseSession, Task::hidden(Step::Close), *now_ns, |_| ());
        client.attachment = Attachment::Closing;
        self.list_sending(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Spread;
    use crate::play::flow::World;
    use crate::play::routes::Routes;
    use crate::workload::Workload;

    /// A generator that is late reads answers before it begins everything that is due, and forgets
    /// nothing of that in the end.
    #[test]
    fn a_turn_takes_only_so_much_of_what_is_due() {
        let world = World::new(Workload::of(&[(OpKind::Get, 1)]), "/bench", false);
        let mut stage = Stage::new(world, Routes::new(Vec::new(), Spread::All), 2, |_| ());
        stage.feed = Feed::OpenLoop { rate: 1e6, next_ns: 0.0 };
        (stage.now_ns, stage.until_ns) = (20_000_000, 10_000_000);
        stage.feed();
        assert_eq!(stage.backlog_count, ARRIVALS_PER_TURN_MAX);
        stage.feed();
        assert_eq!(stage.backlog_count, 2 * ARRIVALS_PER_TURN_MAX);
        assert!(stage.end_open_loop());
        // A million a second for ten milliseconds, by chance.
        assert!((9_500..10_500).contains(&stage.backlog_count), "{}", stage.backlog_count);
        assert!(!stage.end_open_loop(), "it has ended");
    }
}
