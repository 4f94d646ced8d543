//! What a whole server is notified of, and wants done.
//!
//! What it wants of links, disk and snapshots is what its agreement wants, and is done as for one
//! that is agreement alone.

use super::{Happening, World};
use crate::Place;
use crate::checks::{State, Violation};
use crate::whole::image::Image;
use crate::whole::{ToClient, Whole};
use engine::in_log::InLog;
use engine::replica::{Effect, Event, LogState, Serving};
use engine::settings::Now;
use engine::tree::Pin;
use engine::zab;
use model::zxid::Zxid;
use std::sync::Arc;

/// When the virtual clock begins, in ms since 1970.
const WALL_MS: i64 = 1_700_000_000_000;

impl World {
    /// The time, as a server's clocks have it: wall clocks differ.
    pub(super) fn now_of(&self, place: Place) -> Now {
        let mono_ms = self.now_us / 1_000;
        Now { mono_ms, wall_ms: WALL_MS + mono_ms as i64 + 700 * place as i64 }
    }

    pub(super) fn whole(&mut self, place: Place) -> Option<&mut Whole> {
        self.servers[place].running.as_mut()?.whole()
    }

    /// Hands an event of agreement in, and does what follows from it.
    pub(super) fn whole_event(
        &mut self,
        place: Place,
        event: zab::Event<'_>,
    ) -> Result<(), Violation> {
        let now = self.now_of(place);
        let base = self.running(place).and_then(|it| it.memory.front().copied());
        let image = base.and_then(|it| self.service.images.get(&it.hash).cloned());
        let Some(whole) = self.whole(place) else { return Ok(()) };
        let event = match event {
            zab::Event::TurnEnded => return self.whole_turn(place),
            zab::Event::Durable(zxid) => Event::Durable(zxid),
            zab::Event::SnapshotReceived(link, _) => {
                let base = base.expect("a snapshot has come");
                let head = whole.received(&image.expect("it was sent"), base.zxid);
                Event::SnapshotReceived { link, head }
            }
            zab::Event::SnapshotSent(link) | zab::Event::Closed(link) => {
                whole.sending.remove(&link);
                Event::Peer(event)
            }
            other => Event::Peer(other),
        };
        whole.replica.handle(now, event, &mut whole.effects);
        self.perform_whole(place)?;
        Ok(())
    }

    /// A turn: what has arrived from clients is taken, and what they are to get is sent.
    fn whole_turn(&mut self, place: Place) -> Result<(), Violation> {
        let now = self.now_of(place);
        // Batches fill while two are being written.
        let is_busy = self.servers[place].disk.queued() >= 2;
        let Some(whole) = self.whole(place) else { return Ok(()) };
        let is_fed = whole.begin_turn(now);
        let log = if is_busy { LogState::Busy } else { LogState::Ready };
        whole.replica.handle(now, Event::Log(log), &mut whole.effects);
        loop {
            let Some(whole) = self.whole(place) else { return Ok(()) };
            whole.serve(now, !is_fed);
            whole.replica.handle(now, Event::TurnEnded, &mut whole.effects);
            if !self.perform_whole(place)? {
                break;
            }
        }
        let Some(whole) = self.whole(place) else { return Ok(()) };
        let out = whole.end_turn();
        let is_busy = whole.is_busy();
        for (wire, what) in out {
            self.check_output(place, &what)?;
            self.send_to_client(wire, what);
        }
        if is_busy {
            let delay_us = self.rng.u64(200..1_000);
            self.schedule_turn(place, delay_us);
        }
        Ok(())
    }

    /// Nothing is answered that this server does not show.
    fn check_output(&self, place: Place, what: &ToClient) -> Result<(), Violation> {
        let ToClient::Bytes(bytes) = what else { return Ok(()) };
        let Some(running) = self.running(place) else { return Ok(()) };
        for packet in super::sessions::packets(bytes) {
            // The answer to a connect has no zxid.
            let is_connect = packet.len() >= 36 && packet[..4] == [0; 4];
            let field = packet.get(4..12).filter(|_| !is_connect);
            let zxid =
                field.map_or(0, |it| i64::from_be_bytes(it.try_into().expect("eight bytes")));
            if zxid > running.shown.zxid.0 {
                return Err(Violation::Early { place, zxid: Zxid(zxid) });
            }
        }
        Ok(())
    }

    /// Performs what a whole server asks for. True if something was published.
    fn perform_whole(&mut self, place: Place) -> Result<bool, Violation> {
        let mut is_published = false;
        loop {
            let Some(whole) = self.whole(place) else { return Ok(false) };
            let effects: Vec<_> = whole.effects.take().collect();
            if effects.is_empty() {
                return Ok(is_published);
            }
            for effect in effects {
                is_published |= matches!(effect, Effect::Published(_));
                self.perform_one(place, effect)?;
            }
        }
    }

    fn perform_one(&mut self, place: Place, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Append(txns) => {
                self.perform(place, zab::Effect::Append(txns.clone()))?;
                self.note(place, &txns)
            }
            Effect::Published(zxid) => self.publish(place, zxid),
            Effect::Deliver { shard, message } => {
                if let Some(whole) = self.whole(place) {
                    whole.deliver(shard, message);
                }
                Ok(())
            }
            Effect::RefuseWrites(_) | Effect::Discard(_) | Effect::EndReadOnly => Ok(()),
            Effect::Peer(effect) => {
                if let zab::Effect::Close(link, _) = &effect
                    && let Some(whole) = self.whole(place)
                {
                    whole.sending.remove(link);
                }
                self.perform(place, effect)
            }
            Effect::SendSnapshot(link, pin) => {
                let zxid = self.keep_image(place, &pin).zxid;
                if let Some(whole) = self.whole(place) {
                    whole.sending.insert(link, pin);
                }
                self.perform(place, zab::Effect::SendSnapshot(link, zxid))
            }
            Effect::TakeSnapshot(pin) => {
                let state = self.keep_image(place, &pin);
                let boot = self.servers[place].boot;
                let delay_us = self.rng.u64(1_000..200_000);
                self.at(delay_us, Happening::Saved { place, boot, state });
                Ok(())
            }
            Effect::Serve(serving) => {
                if let Serving::Leading(epoch) = serving {
                    self.perform(place, zab::Effect::Lead(epoch))?;
                }
                self.renew_reader(place);
                let published = self.whole(place).map(|it| it.replica.ordering().published());
                self.publish(place, published.unwrap_or_default())
            }
            Effect::StopServing(why) => self.perform(place, zab::Effect::Look(why)),
            Effect::Diverged(_) => {
                let zxid = self.running(place).map_or(Zxid::ZERO, |it| it.shown.zxid);
                Err(Violation::Diverged { place, zxid })
            }
        }
    }

    /// Keeps the tree of a pinned version, by the history that leads to it.
    fn keep_image(&mut self, place: Place, pin: &Pin<engine::state::State>) -> State {
        let through = pin.view().meta().zxid;
        let state = self.running(place).map_or(State::default(), |it| it.at(through));
        let images = &mut self.service.images;
        images.entry(state.hash).or_insert_with(|| Arc::new(Image::of(pin)));
        state
    }

    /// A snapshot is on disk, unless the history is another one by now.
    pub(super) fn saved(&mut self, place: Place, state: State) -> Result<(), Violation> {
        let disk = &mut self.servers[place].disk;
        if disk.history().at(state.zxid) == state {
            disk.take_snapshot(state.zxid);
        }
        let now = self.now_of(place);
        if let Some(whole) = self.whole(place) {
            whole.replica.handle(now, Event::SnapshotEnded, &mut whole.effects);
        }
        self.perform_whole(place)?;
        Ok(())
    }

    fn renew_reader(&mut self, place: Place) {
        if let Some(whole) = self.whole(place) {
            (whole.reader, _) = whole.replica.view();
        }
    }

    /// Txns are handed to a server's log: what they lead to is known from now on.
    fn note(&mut self, place: Place, txns: &InLog) -> Result<(), Violation> {
        let Some(running) = &self.servers[place].running else { return Ok(()) };
        for (zxid, txn) in txns.txns(0) {
            let noted = self.service.chronicle.note(running.at(zxid), txn, self.now_us);
            noted.map_err(|what| Violation::Recorded { zxid, what })?;
        }
        Ok(())
    }

    /// Clients of a server see its tree through `zxid` now.
    fn publish(&mut self, place: Place, zxid: Zxid) -> Result<(), Violation> {
        self.show(place, zxid)?;
        for state in self.checks.take_news() {
            let holds = |place: &Place| self.servers[*place].disk.holds(state);
            if (0..self.voters).filter(holds).count() <= self.voters / 2 {
                return Err(Violation::Unheld { place, zxid: state.zxid });
            }
            let added = self.service.chronicle.add(state);
            let added = added.map_err(|what| Violation::Recorded { zxid: state.zxid, what })?;
            if let Some(expired) = added {
                self.report.sessions[2] += 1;
                self.check_expiry(expired)?;
            }
        }
        let Some(whole) = self.whole(place) else { return Ok(()) };
        whole.reader.refresh();
        let view = whole.reader.view();
        let (at, digest) = (view.meta().zxid, view.digest());
        let shown = self.service.chronicle.shown(at, digest);
        shown.map_err(|what| Violation::Recorded { zxid: at, what })
    }
}
