//! What happens to machines: starts, ends of disk operations, faults.

use super::changing;
use super::{FAULTS_US, Happening, Kind, World};
use crate::Place;
use crate::checks::Violation;
use crate::disk::{Disk, Lane, Operation};
use crate::faults::Fault;
use crate::network::{Frame, Side};
use crate::server::{DISK_US, SLOW_DISK_US, WholeStart};
use engine::zab::{Ensemble, Event, Planted};
use std::sync::Arc;

impl World {
    pub(super) fn start(&mut self, place: Place) -> Result<(), Violation> {
        let is_over = self.twin == Some(place) && self.now_us >= FAULTS_US;
        if is_over || self.servers[place].running.is_some() {
            return Ok(());
        }
        let is_changing = self.changing.is_on;
        let (current, proposed) = if is_changing {
            let first = changing::first(self.voters);
            let start = self.changing.start(place, self.servers[place].disk.history(), &first);
            (start.current, start.proposed)
        } else {
            // Others are not named: they follow, and do not vote.
            let observers = if self.has_masters { self.voters..self.servers.len() } else { 0..0 };
            let observers = observers.map(|place| self.id_of(place));
            (Arc::new(changing::unchanged(self.voters, observers)), Vec::new())
        };
        let ensemble = Ensemble {
            can_change: is_changing,
            epoch_txns_max: self.epoch_txns_max,
            has_masters: self.has_masters,
            planted: Planted::one(self.setup.plant),
            ..Ensemble::new(self.id_of(place), (*current).clone())
        };
        self.log(|| format!("{} starts", place + 1));
        let base = self.servers[place].disk.history().base;
        let base = self.service.images.get(&base.hash).cloned();
        let is_whole = self.setup.kind == Kind::Servers;
        let whole = is_whole.then(|| WholeStart {
            base: base.as_deref(),
            local_sessions: self.setup.local_sessions(),
            snapshot_txns: 20 + self.setup.seed % 7 * 100,
            shards: 1 + u16::from(self.setup.seed.is_multiple_of(3)),
            now: self.now_of(place),
        });
        let mut pace = self.pace;
        if self.setup.seed % 8 == 3 {
            // Some are more patient: a leader that was cut off believes in itself for longer.
            pace.sync_limit += 5 * (place as u64 % 3);
        }
        let shown = self.servers[place].start((ensemble, proposed), pace, whole.as_ref());
        self.checks.shows(place, shown)?;
        for other in 0..self.servers.len() {
            if other != place {
                let delay_us = self.latency_us();
                self.at(delay_us, Happening::ElectionLink(place, other));
                self.at(delay_us, Happening::ElectionLink(other, place));
            }
        }
        self.schedule_turn(place, 0);
        Ok(())
    }

    pub(super) fn crash(&mut self, place: Place) {
        if self.servers[place].running.take().is_none() {
            return;
        }
        self.log(|| format!("{} crashes", place + 1));
        let server = &mut self.servers[place];
        server.disk.crash(&mut self.rng);
        server.disk_busy_until_us = [self.now_us; 2];
        server.paused_until_us = 0;
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            for side in [Side::Dialer, Side::Acceptor] {
                let end = self.links.get(&id).map(|link| link.end(side));
                if end.is_some_and(|end| end.place == place && end.is_open) {
                    self.close_end(id, side);
                }
            }
        }
        self.notices.retain(|(from, to), _| *from != place && *to != place);
        self.cut_wires(place);
    }

    pub(super) fn disk_done(
        &mut self,
        place: Place,
        boot: u32,
        lane: Lane,
    ) -> Result<(), Violation> {
        if !self.is_there(place, boot, &Happening::DiskDone { place, boot, lane }) {
            return Ok(());
        }
        if let Some(down_ms) = self.doomed.remove(&place) {
            self.crash_for(place, down_ms);
            return Ok(());
        }
        let Some(operation) = self.servers[place].disk.end_one(lane) else { return Ok(()) };
        let is_stored = matches!(operation, Operation::Epochs(_));
        // Now, or when it stores the next ones.
        if is_stored && self.dooming == Some(place) && self.rng.bool() {
            self.dooming = None;
            self.cut_power();
            return Ok(());
        }
        if self.running(place).is_some_and(|it| it.stock_following().is_some()) {
            return self.stock_written(place, &operation);
        }
        match operation {
            Operation::Append(txns, _) => {
                let last = txns.last();
                if let Some(whole) = self.whole(place) {
                    whole.replica.recycle(txns);
                }
                last.map_or(Ok(()), |last| self.event(place, Event::Durable(last)))
            }
            Operation::Epochs(_) => self.event(place, Event::EpochsStored),
            Operation::Cut(_) => {
                self.squeezed_is_cut(place);
                let server = &mut self.servers[place];
                let end = server.disk.history().end().zxid;
                if let Some(running) = &mut server.running {
                    running.memory.retain(|state| state.zxid <= end);
                }
                self.event(place, Event::LogCut(end))
            }
            Operation::Receive(base, _) => {
                let server = &mut self.servers[place];
                let Some(running) = &mut server.running else { return Ok(()) };
                let Some((link, ..)) = running.receiving.take() else { return Ok(()) };
                running.memory = [base].into();
                self.event(place, Event::SnapshotReceived(link, base.zxid))
            }
            Operation::Save(_) => panic!("{operation:?} is a stock follower's"),
        }
    }

    pub(super) fn crash_for(&mut self, place: Place, down_ms: u64) {
        self.crash(place);
        self.at(down_ms * 1_000, Happening::Start(place));
    }

    /// All servers lose their power, and come back one after the other.
    fn cut_power(&mut self) {
        for place in 0..self.servers.len() {
            self.crash(place);
            let delay_us = self.rng.u64(0..2_000_000);
            self.at(delay_us, Happening::Start(place));
        }
    }

    pub(super) fn fault(&mut self, fault: &Fault) {
        self.log(|| format!("fault {fault:?}"));
        match fault {
            Fault::Crash(place, down_ms) => {
                self.crash_for(*place, *down_ms);
                // What an observer has promised or acknowledged never counted: it may lose it all.
                if *place >= self.voters && !self.changing.is_on && self.rng.bool() {
                    self.servers[*place].disk = Disk::default();
                }
            }
            Fault::Relay(first, second, down_ms) => {
                self.crash_for(*first, *down_ms);
                self.at(down_ms * 1_000, Happening::Crash(*second, *down_ms));
                self.dooming = Some(*first);
            }
            Fault::Squeeze(place, ms) => self.squeeze(*place, *ms),
            Fault::CrashAtDisk(place, down_ms) => {
                self.doomed.insert(*place, *down_ms);
            }
            Fault::PowerCut => self.cut_power(),
            Fault::PowerCutAtEpochs(place) => self.dooming = Some(*place),
            Fault::Pause(place, ms) => {
                self.servers[*place].paused_until_us = self.now_us + ms * 1_000;
            }
            Fault::CutOff(places, ms) => {
                for inside in places {
                    for outside in (0..self.servers.len()).filter(|it| !places.contains(it)) {
                        self.partition.block(*inside, outside);
                        self.partition.block(outside, *inside);
                    }
                }
                self.at(ms * 1_000, Happening::Heal);
            }
            Fault::Deaf(from, to, ms) => {
                self.partition.block(*from, *to);
                self.at(ms * 1_000, Happening::Heal);
            }
            Fault::BreakLink => {
                let ids: Vec<_> = self.links.keys().copied().collect();
                if let Some(&id) = self.rng.choice(&ids) {
                    // Both ends learn of it, each in its own time.
                    self.send(id, Side::Dialer, Frame::End);
                    self.send(id, Side::Acceptor, Frame::End);
                }
            }
            Fault::SlowDisk(place, ms) => {
                self.servers[*place].disk_us = SLOW_DISK_US;
                self.at(ms * 1_000, Happening::SpeedUp(*place));
            }
        }
    }

    /// Everything arrives again; after the last fault all servers run, with disks as usual.
    pub(super) fn heal(&mut self) {
        self.partition.heal();
        for one in 0..self.servers.len() {
            for other in (0..self.servers.len()).filter(|&it| it != one) {
                let delay_us = self.latency_us();
                self.at(delay_us, Happening::ElectionLink(one, other));
            }
        }
        if self.now_us >= FAULTS_US {
            self.doomed.clear();
            self.dooming = None;
            self.squeezed = None;
            if let Some(twin) = self.twin {
                self.crash(twin);
            }
            for place in 0..self.servers.len() {
                self.servers[place].paused_until_us = 0;
                self.servers[place].disk_us = DISK_US;
                self.at(0, Happening::Start(place));
            }
        }
    }
}
