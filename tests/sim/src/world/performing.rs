//! What a server wants done is done.

use super::{Happening, World};
use crate::Place;
use crate::checks::{State, Violation};
use crate::disk::Operation;
use crate::network::{Frame, Side};
use crate::server::{Body, Running};
use engine::zab::{Effect, Event, LinkId, Lost};
use model::zxid::Zxid;

impl World {
    pub(super) fn running(&self, place: Place) -> Option<&Running> {
        self.servers[place].running.as_ref()
    }

    /// Hands an event in, and does what follows from it.
    pub(super) fn event(&mut self, place: Place, event: Event<'_>) -> Result<(), Violation> {
        if self.running(place).is_some_and(|it| it.stock_following().is_some()) {
            self.stock_event(place, &event)?;
            self.begin_turn(place);
            return Ok(());
        }
        let now_ms = self.now_us / 1_000;
        let server = &mut self.servers[place];
        let Some(running) = &mut server.running else { return Ok(()) };
        let Body::Agreement(zab) = &mut running.body else {
            self.whole_event(place, event)?;
            self.begin_turn(place);
            return Ok(());
        };
        let mut effects = std::mem::take(&mut server.effects);
        zab.handle(now_ms, event, &mut effects);
        for effect in effects.take() {
            self.perform(place, effect)?;
        }
        self.servers[place].effects = effects;
        self.begin_turn(place);
        Ok(())
    }

    /// A turn ends a moment after its first event.
    pub(super) fn begin_turn(&mut self, place: Place) {
        let delay_us = self.rng.u64(1..300);
        self.schedule_turn(place, delay_us);
    }

    pub(super) fn schedule_turn(&mut self, place: Place, delay_us: u64) {
        let at_us = self.now_us + delay_us;
        let server = &mut self.servers[place];
        let boot = server.boot;
        let Some(running) = &mut server.running else { return };
        if running.turn_us.is_none_or(|turn_us| turn_us > at_us || turn_us < self.now_us) {
            running.turn_us = Some(at_us);
            self.at(delay_us, Happening::Turn { place, boot });
        }
    }

    pub(super) fn turn(&mut self, place: Place) -> Result<(), Violation> {
        let now_us = self.now_us;
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        // An earlier turn was asked for meanwhile, or this one has been.
        if running.turn_us.is_none_or(|turn_us| turn_us > now_us) {
            return Ok(());
        }
        running.turn_us = Some(u64::MAX);
        self.event(place, Event::TurnEnded)?;
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        running.turn_us = None;
        let deadline_ms = running.deadline_ms(self.pace);
        if deadline_ms < u64::MAX {
            let delay_us = (deadline_ms * 1_000).saturating_sub(now_us).max(1_000);
            self.schedule_turn(place, delay_us);
        }
        Ok(())
    }

    pub(super) fn begin_disk(&mut self, place: Place, operation: Operation) {
        let duration_us = self.rng.u64(50..self.servers[place].disk_us);
        let now_us = self.now_us;
        let server = &mut self.servers[place];
        let boot = server.boot;
        let lane = operation.lane();
        server.disk.begin(operation);
        let busy_until_us = &mut server.disk_busy_until_us[lane as usize];
        *busy_until_us = (*busy_until_us).max(now_us) + duration_us;
        let delay_us = *busy_until_us - now_us;
        self.at(delay_us, Happening::DiskDone { place, boot, lane });
    }

    fn side_of(&self, link: LinkId, place: Place) -> Option<Side> {
        let link = self.links.get(&link)?;
        let is_dialer = link.end(Side::Dialer).place == place;
        Some(if is_dialer { Side::Dialer } else { Side::Acceptor })
    }

    pub(super) fn perform(&mut self, place: Place, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Send(..) | Effect::Notify { .. } => (),
            ref other => self.log(|| format!("{} does {other:?}", place + 1)),
        }
        let is_stock = self.running(place).is_some_and(|it| it.stock.is_some());
        match effect {
            Effect::Connect(_, leader) if is_stock => return self.stock_follows(place, leader),
            Effect::Notify { .. }
            | Effect::Connect(..)
            | Effect::ConnectToMaster(..)
            | Effect::Send(..)
            | Effect::Close(..)
            | Effect::SendSnapshot(..) => self.perform_on_network(place, effect),
            Effect::StoreEpochs(_)
            | Effect::Append(_)
            | Effect::CutLog(_)
            | Effect::ReadLog(..)
            | Effect::ReceiveSnapshot { .. }
            | Effect::BeginEmpty(_)
            | Effect::ForgetSnapshot => self.perform_on_disk(place, effect),
            Effect::Configured { current, .. } => self.configured(place, current),
            Effect::OpenToObservers(is_open) => self.report.masters += u64::from(is_open),
            Effect::AskOracle => unreachable!("these servers have no oracles"),
            Effect::Inherit | Effect::Follow(_) | Effect::Stand(_) => (),
            Effect::Committed(zxid) => return self.show(place, zxid),
            Effect::Confirmed(number) => return self.confirmed(place, number),
            Effect::Lead(epoch) => {
                self.checks.leads(place, epoch)?;
                if let Some(running) = &mut self.servers[place].running {
                    running.leads = Some((epoch, 0));
                    running.confirmations = 0;
                }
            }
            Effect::Look(why) => {
                self.report.full_epochs += u64::from(why == Lost::EpochFull);
                if let Some(running) = self.running(place) {
                    self.log(|| running.summary(place));
                }
                if let Some(running) = &mut self.servers[place].running {
                    running.leads = None;
                    running.asked.clear();
                    running.syncs.clear();
                    running.confirmations = 0;
                }
            }
        }
        Ok(())
    }

    pub(super) fn perform_on_network(&mut self, place: Place, effect: Effect) {
        let boot = self.servers[place].boot;
        let Some(running) = &mut self.servers[place].running else { return };
        match effect {
            Effect::Notify { to, notice } => {
                let mut bytes = Vec::new();
                notice.encode(running.zab().ensemble(), &mut bytes);
                let to = self.place_of(to);
                self.notices.insert((place, to), bytes);
                let delay_us = self.latency_us();
                self.at(delay_us, Happening::Notify(place, to));
            }
            Effect::Connect(attempt, to) | Effect::ConnectToMaster(attempt, to) => {
                let is_to_master = matches!(effect, Effect::ConnectToMaster(..));
                let delay_us = self.latency_us();
                let to = self.place_of(to);
                self.at(
                    delay_us,
                    Happening::Connect { from: place, boot, attempt, to, is_to_master },
                );
            }
            Effect::Send(link, message) => {
                let mut bytes = Vec::new();
                message.encode(running.zab().ensemble(), &mut bytes);
                if let Some(side) = self.side_of(link, place) {
                    self.send(link, side.other(), Frame::Bytes(bytes));
                }
            }
            Effect::Close(link, _) => {
                running.receiving = running.receiving.filter(|(it, ..)| *it != link);
                if let Some(side) = self.side_of(link, place) {
                    self.close_end(link, side);
                }
            }
            Effect::SendSnapshot(link, through) => {
                let state = running.at(through);
                if let Some(side) = self.side_of(link, place) {
                    self.send(link, side.other(), Frame::Snapshot(state));
                }
                let delay_us = self.rng.u64(100..20_000);
                self.at(delay_us, Happening::SnapshotSent { place, boot, link });
            }
            other => panic!("{other:?} is not of the network"),
        }
    }

    fn perform_on_disk(&mut self, place: Place, effect: Effect) {
        let server = &mut self.servers[place];
        let boot = server.boot;
        let Some(running) = &mut server.running else { return };
        match effect {
            Effect::StoreEpochs(epochs) => self.begin_disk(place, Operation::Epochs(epochs)),
            Effect::Append(txns) => {
                for (zxid, txn) in txns.txns(0) {
                    let before = running.memory.back().copied().unwrap_or_default();
                    let after = before.then(zxid, txn);
                    self.checks.made(before, after);
                    running.memory.push_back(after);
                    if let Some(stock) = &mut running.stock {
                        stock.last = zxid;
                    }
                }
                let committed = running.zab().history().committed();
                self.begin_disk(place, Operation::Append(txns, committed));
            }
            Effect::CutLog(zxid) => self.begin_disk(place, Operation::Cut(zxid)),
            Effect::ReadLog(link, position) => {
                let delay_us = self.latency_us();
                self.at(delay_us, Happening::LogRead { place, boot, link, position });
            }
            Effect::ReceiveSnapshot { link, zxid, epoch, .. } => {
                running.receiving = Some((link, zxid, epoch));
            }
            Effect::BeginEmpty(epoch) => {
                server.disk.begin_empty(epoch);
                running.memory = [State::default()].into();
            }
            Effect::ForgetSnapshot => {
                server.disk.forget();
                let stored = server.disk.history();
                let states = stored.records.iter().map(|(state, _)| *state);
                running.memory = std::iter::once(stored.base).chain(states).collect();
            }
            other => panic!("{other:?} is not of the disk"),
        }
    }

    /// Syncs of a leader's clients are answered: it shows all that was acknowledged before them.
    fn confirmed(&mut self, place: Place, number: u64) -> Result<(), Violation> {
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        let zxid = running.shown.zxid;
        while let Some((needed, acknowledged)) = running.syncs.front().copied()
            && needed <= number
        {
            running.syncs.pop_front();
            self.report.syncs += 1;
            if acknowledged > zxid {
                return Err(Violation::Stale { place, zxid, acknowledged });
            }
        }
        Ok(())
    }

    /// Clients of a server see its history through `zxid` now.
    pub(super) fn show(&mut self, place: Place, zxid: Zxid) -> Result<(), Violation> {
        let Some(running) = &mut self.servers[place].running else { return Ok(()) };
        if zxid < running.shown.zxid {
            let shown = running.shown.zxid;
            if running.at(zxid).hash == running.shown.hash {
                // What was its epoch's start while it led, without a txn of that.
                return Ok(());
            }
            return Err(Violation::Backward { place, shown, zxid });
        }
        let state = running.at(zxid);
        self.checks.shows(place, state)?;
        running.shown = State { zxid, ..state };
        while running.asked.front().is_some_and(|asked| *asked <= zxid) {
            let Some(asked) = running.asked.pop_front() else { break };
            let state = running.at(asked);
            self.checks.acknowledged(state);
        }
        Ok(())
    }
}
