//! The last check of `--verify`: after all faults every key is read on every server, behind a sync.
//!
//! Each key must have the newest state that was acknowledged or read, or a newer one by a write
//! whose answer was lost.

use model::jute;
use model::op::Op;

use super::client::Attachment;
use super::flow::{Step, Task};
use super::player::{Player, Until};
use super::stage::{Feed, Stage};
use crate::error::BenchError;
use crate::limits::{PREPARE_IN_FLIGHT, SETTLE_WAIT};

/// A client that reads all keys of its server, and the next one.
pub(super) struct Reader {
    client: usize,
    next: u64,
}

/// Checks, if what is read is verified and the run has not been ended.
pub(super) fn run(player: &mut Player) -> Result<(), BenchError> {
    if player.stage.world.registers.is_none() || player.stage.journal.is_fatal {
        return Ok(());
    }
    player.run(Until::Settled(soon_ns(player)))?;
    // What is still in flight may be acknowledged after a sync.
    player.run(Until::Quiet(soon_ns(player)))?;
    player.stage.visit_all_servers();
    player.run(Until::Settled(soon_ns(player)))?;
    if player.stage.journal.is_fatal {
        return Ok(());
    }
    let readers = player.stage.readers();
    let expected = readers.len() as u64 * player.stage.world.tree.key_count;
    for reader in &readers {
        player.stage.world.put_sync(&mut player.stage.clients[reader.client], player.stage.now_ns);
        player.stage.list_sending(reader.client);
    }
    player.stage.feed = Feed::Audit(readers);
    player.run(Until::Quiet(soon_ns(player)))?;
    player.stage.feed = Feed::None;
    if let Some(registers) = &mut player.stage.world.registers
        && (registers.audited < expected || expected == 0)
    {
        let audited = registers.audited;
        registers.violation(|| format!("the last check read {audited} of {expected} values"));
    }
    Ok(())
}

fn soon_ns(player: &Player) -> u64 {
    player.now_ns() + SETTLE_WAIT.as_nanos() as u64
}

impl Stage {
    /// Leads a client to each server that has none, a restarted one for example.
    fn visit_all_servers(&mut self) {
        let count = self.routes.servers.len();
        for server in 0..count {
            let of = |server: usize| {
                let clients = &self.clients[..self.connections];
                let on = move |index: &usize| {
                    let client = &clients[*index];
                    client.server == Some(server) && client.attachment == Attachment::Ready
                };
                (0..self.connections).filter(on).collect::<Vec<_>>()
            };
            if !of(server).is_empty() {
                continue;
            }
            let fullest = (0..count).map(of).max_by_key(Vec::len).unwrap_or_default();
            if let [_, client, ..] = fullest[..]
                && let Some(before) = self.routes.before(client, server)
            {
                self.clients[client].server = Some(before);
                self.reconnect(client);
            }
        }
    }

    /// A client of each server.
    fn readers(&self) -> Vec<Reader> {
        let on = |server: usize| {
            let is_on = |index: &usize| {
                let client = &self.clients[*index];
                client.server == Some(server) && client.attachment == Attachment::Ready
            };
            (0..self.connections).find(is_on).map(|client| Reader { client, next: 0 })
        };
        (0..self.routes.servers.len()).filter_map(on).collect()
    }

    /// Puts reads as far as there is room. Whether there are more.
    pub(super) fn feed_audit(&mut self, readers: &mut [Reader]) -> bool {
        let key_count = self.world.tree.key_count;
        for reader in readers.iter_mut() {
            let client = &mut self.clients[reader.client];
            if client.attachment != Attachment::Ready {
                // What it has not read will be missed.
                reader.next = key_count;
            }
            while reader.next < key_count && client.waiting.len() < PREPARE_IN_FLIGHT {
                let path = self.world.tree.key(reader.next);
                let task = Task { key: reader.next, ..Task::hidden(Step::Audited) };
                client.request(Op::GetData, task, self.now_ns, |out| {
                    jute::put_string(out, path.as_bytes());
                    jute::put_bool(out, false);
                });
                reader.next += 1;
            }
            self.list_sending(reader.client);
        }
        readers.iter().any(|reader| reader.next < key_count)
    }
}
