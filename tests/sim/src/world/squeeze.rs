//! A fault in steps, aimed at what a follower has acknowledged before it lost its link and does not
//! hold any more.

use super::{Happening, World};
use crate::Place;
use crate::network::{Frame, Link, Side};
use crate::server::{DISK_US, Running, SLOW_DISK_US};

impl World {
    /// Begins it; nothing if nobody leads, or the chosen one does.
    pub(super) fn squeeze(&mut self, chosen: Place, ms: u64) {
        let leads = |place: &Place| self.running(*place).is_some_and(|it| it.leads.is_some());
        let Some(leader) = (0..self.servers.len()).find(leads) else { return };
        if leader == chosen || self.squeezed.is_some() {
            return;
        }
        self.squeezed = Some(chosen);
        let is_stock = self.running(chosen).is_some_and(|it| it.stock.is_some());
        if is_stock {
            let down_ms = self.rng.u64(50..600);
            self.crash_for(chosen, down_ms);
            self.at(down_ms * 1_000 - 1, Happening::Squeeze { leader, chosen, ms });
        } else {
            self.slow_others(leader, chosen, ms);
        }
    }

    /// The chosen one comes back while the others are slow already: the leader's log does not reach
    /// back to it any more, so it gets a snapshot, and behind that nothing that is committed.
    pub(super) fn squeeze_behind(&mut self, leader: Place, chosen: Place, ms: u64) {
        if self.squeezed != Some(chosen) {
            // All is well by now.
            return;
        }
        let server = &mut self.servers[leader];
        if let Some(running) = &server.running {
            match server.disk.files() {
                Some(files) => files.take_snapshot(running.shown),
                None => server.disk.take_snapshot(running.shown.zxid),
            }
        }
        self.slow_others(leader, chosen, ms);
    }

    fn slow_others(&mut self, leader: Place, chosen: Place, ms: u64) {
        for place in (0..self.servers.len()).filter(|it| ![leader, chosen].contains(it)) {
            self.servers[place].disk_us = SLOW_DISK_US;
        }
        let delay_us = self.rng.u64(10_000..100_000);
        self.at(delay_us, Happening::Leave(chosen));
        self.at(ms * 1_000, Happening::SqueezeEnds(leader));
    }

    /// Both ends of a server's links learn that they are broken, each in its own time.
    pub(super) fn leave(&mut self, place: Place) {
        let is_its = |link: &Link| link.end(Side::Dialer).place == place;
        let ids: Vec<_> =
            self.links.iter().filter(|(_, it)| is_its(it)).map(|(id, _)| *id).collect();
        for id in ids {
            self.send(id, Side::Dialer, Frame::End);
            self.send(id, Side::Acceptor, Frame::End);
        }
    }

    /// The chosen one was cut: what it is sent again is not on its disk for a while.
    pub(super) fn squeezed_is_cut(&mut self, place: Place) {
        if self.squeezed == Some(place) {
            self.servers[place].disk_us = SLOW_DISK_US;
            let leads = |place: &Place| self.running(*place).is_some_and(|it| it.leads.is_some());
            let leader = (0..self.servers.len()).find(leads);
            let is_stock = self.running(place).is_some_and(|it| it.stock.is_some());
            if let Some(leader) = leader.filter(|_| is_stock) {
                let delay_us = self.rng.u64(1_000..50_000);
                self.at(delay_us, Happening::SqueezeEnds(leader));
            }
        }
    }

    /// The end: who is left decides what was committed.
    pub(super) fn end_squeeze(&mut self, leader: Place) {
        let Some(chosen) = self.squeezed.take() else { return };
        let durable = |place: &Place| self.running(*place).map(Running::durable);
        let others = (0..self.voters).filter(|it| ![leader, chosen].contains(it));
        let fullest = others.max_by_key(durable);
        // A stock server may have shown what only it and the leader hold.
        let is_stock = self.running(chosen).is_some_and(|it| it.stock.is_some());
        let second = if is_stock { Some(chosen) } else { fullest };
        let down_ms = self.rng.u64(500..3_000);
        for place in 0..self.servers.len() {
            self.servers[place].disk_us = DISK_US;
            let is_away = place == leader || Some(place) == second;
            let soon_ms = self.rng.u64(0..50);
            self.crash_for(place, if is_away { down_ms } else { soon_ms });
        }
    }
}
