//! Clients: they write to a leader, and are acknowledged when it shows their txns; they ask for
//! syncs.

use super::{CLIENTS_US, Happening, World};
use crate::checks::Violation;
use engine::in_log::InLog;
use engine::zab::Event;
use model::zxid::Zxid;
use std::sync::Arc;

/// Writes of one server's clients that may wait for their answers.
const WAITING_MAX: usize = 40;

impl World {
    pub(super) fn clients_write(&mut self) -> Result<(), Violation> {
        for place in 0..self.servers.len() {
            let count = self.rng.u32(0..4);
            let is_paused = self.servers[place].paused_until_us > self.now_us;
            let Some(running) = &mut self.servers[place].running else { continue };
            // In every second world.
            let has_syncs = self.setup.seed % 2 == 1;
            if has_syncs && running.leads.is_some() && !is_paused {
                running.confirmations += 1;
                let number = running.confirmations;
                running.syncs.push_back((number, self.checks.last_acknowledged()));
                self.event(place, Event::Confirm(number))?;
            }
            let Some(running) = &mut self.servers[place].running else { continue };
            let room = running.zab().room();
            let Some((epoch, counter)) = &mut running.leads else { continue };
            if count == 0 || is_paused || running.asked.len() > WAITING_MAX {
                continue;
            }
            // The epoch may be at its end: another one has to begin.
            let count = count.min(room);
            if count == 0 {
                continue;
            }
            let mut txns = InLog::default();
            for _ in 0..count {
                *counter += 1;
                let zxid = Zxid(Zxid::of_epoch(*epoch).0 + i64::from(*counter));
                txns.push(zxid, &self.rng.u64(..).to_le_bytes());
                running.asked.push_back(zxid);
            }
            self.event(place, Event::Sealed(Arc::new(txns)))?;
        }
        if self.now_us < CLIENTS_US {
            let delay_us = self.rng.u64(1_000..40_000);
            self.at(delay_us, Happening::Clients);
        }
        Ok(())
    }
}
