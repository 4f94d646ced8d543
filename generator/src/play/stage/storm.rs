//! Storms: many clients do the same at once.

use super::{Stage, Storm};
use crate::play::client::Attachment;
use crate::play::flow::{Step, Task};
use crate::workload::StormKind;

impl Stage {
    /// The storms begin, each after its interval.
    pub(in crate::play) fn begin_storms(&mut self, now_ns: u64) {
        let storms = self.world.workload.storms.iter().map(|storm| {
            let storm = storm.get_ref();
            let every_ns = storm.every_ms.value() * 1_000_000;
            let next_ns = now_ns + every_ns;
            Storm { kind: storm.kind, every_ns, percent: storm.percent.value(), next_ns }
        });
        self.storms = storms.collect();
    }

    pub(in crate::play) fn end_storms(&mut self) {
        self.storms.clear();
    }

    pub(in crate::play) fn storm(&mut self) {
        for at in 0..self.storms.len() {
            let Storm { kind, every_ns, percent, next_ns } = self.storms[at];
            if next_ns > self.now_ns {
                continue;
            }
            self.storms[at].next_ns = next_ns + every_ns;
            let count = (self.connections as u64 * percent).div_ceil(100) as usize;
            match kind {
                StormKind::Watch => self.set_watched(),
                StormKind::Reconnect => (0..count).for_each(|index| self.reconnect(index)),
                StormKind::Session => (0..count).for_each(|index| self.renew(index)),
            }
        }
    }

    pub(in crate::play) fn set_watched(&mut self) {
        let Some(client) =
            self.clients.iter().position(|client| client.attachment == Attachment::Ready)
        else {
            return;
        };
        for key in 0..(self.world.set_ns.len() as u64).min(self.world.tree.key_count) {
            let task = Task::new(None, Step::Write, 0, key);
            self.world.set(&mut self.clients[client], task, self.now_ns);
        }
        self.list_sending(client);
    }
}
