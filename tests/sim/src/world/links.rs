//! What travels: packets and snapshots over links, notifications.

use super::{Happening, World};
use crate::Place;
use crate::checks::{State, Violation};
use crate::disk::Operation;
use crate::network::{Frame, Link, Side};
use engine::zab::{Attempt, Configuration, Event, LinkId, Notice};
use model::peer::notification::Notification;
use model::peer::packet::{FromLeader, FromLearner, PacketLimits};
use std::sync::Arc;

impl World {
    pub(super) fn close_end(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.end_mut(side).is_open = false;
        if link.ends.iter().any(|end| end.is_open) {
            self.send(id, side.other(), Frame::End);
        } else {
            self.links.remove(&id);
        }
    }

    /// Puts a frame on its way to one end of a link.
    pub(super) fn send(&mut self, id: LinkId, to: Side, frame: Frame) {
        let delay_us = self.latency_us();
        let now_us = self.now_us;
        let Some(link) = self.links.get_mut(&id) else { return };
        let inbox = &mut link.end_mut(to).inbox;
        let earliest_us = inbox.back().map_or(0, |(at_us, _)| *at_us);
        let at_us = (now_us + delay_us).max(earliest_us);
        inbox.push_back((at_us, frame));
        self.at(at_us - now_us, Happening::Arrive(id, to));
    }

    pub(super) fn arrive(&mut self, id: LinkId, side: Side) -> Result<(), Violation> {
        let Some(link) = self.links.get(&id) else { return Ok(()) };
        let (end, other) = (link.end(side), link.end(side.other()));
        let (place, boot, from) = (end.place, end.boot, other.place);
        if !end.is_open || end.inbox.is_empty() {
            return Ok(());
        }
        let again = Happening::Arrive(id, side);
        if self.partition.is_blocked(from, place) {
            self.at(20_000, again);
            return Ok(());
        }
        if !self.is_there(place, boot, &again) {
            return Ok(());
        }
        if !self.may_take(id, side, place) {
            self.at(1_000, again);
            return Ok(());
        }
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let Some((_, frame)) = link.end_mut(side).inbox.pop_front() else { return Ok(()) };
        match frame {
            Frame::Bytes(bytes) => {
                link.end_mut(side).unread.extend_from_slice(&bytes);
                self.read(id, side, place)
            }
            Frame::Snapshot(state) => {
                let running = self.servers[place].running.as_mut();
                if running.as_ref().is_some_and(|it| it.stock.is_some()) {
                    return self.stock_receives(place, state);
                }
                if let Some((_, zxid, epoch)) = running.and_then(|it| it.receiving) {
                    let base = State { zxid, ..state };
                    self.begin_disk(place, Operation::Receive(base, epoch));
                }
                Ok(())
            }
            Frame::End => {
                link.end_mut(side).is_open = false;
                if link.ends.iter().all(|end| !end.is_open) {
                    self.links.remove(&id);
                }
                self.event(place, Event::Closed(id))
            }
        }
    }

    /// Whether the first frame on its way to an end is taken there now: packets only while the
    /// server reads the link, a snapshot when it awaits one, the end always.
    fn may_take(&self, id: LinkId, side: Side, place: Place) -> bool {
        let Some(running) = self.running(place) else { return false };
        let first = self.links.get(&id).and_then(|link| link.end(side).inbox.front());
        match first {
            Some((_, Frame::Snapshot(_))) => {
                running.receiving.is_some_and(|(awaited, ..)| awaited == id)
            }
            Some((_, Frame::Bytes(_))) => running.is_reading(id),
            Some((_, Frame::End)) | None => true,
        }
    }

    /// Hands in the packets that have arrived, while they are taken.
    pub(super) fn read(&mut self, id: LinkId, side: Side, place: Place) -> Result<(), Violation> {
        loop {
            let is_reading = self.running(place).is_some_and(|it| it.is_reading(id));
            let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
            let end = link.end_mut(side);
            if !end.is_open || end.unread.is_empty() {
                return Ok(());
            }
            if !is_reading {
                // An empty frame comes back to what is left.
                end.inbox.push_front((0, Frame::Bytes(Vec::new())));
                self.at(1_000, Happening::Arrive(id, side));
                return Ok(());
            }
            let unread = std::mem::take(&mut end.unread);
            let length = match side {
                Side::Dialer => self.read_from_leader(id, place, &unread)?,
                Side::Acceptor => self.read_from_learner(id, place, &unread)?,
            };
            if let Some(link) = self.links.get_mut(&id) {
                link.end_mut(side).unread = unread[length..].to_vec();
            }
        }
    }

    fn read_from_leader(
        &mut self,
        id: LinkId,
        place: Place,
        unread: &[u8],
    ) -> Result<usize, Violation> {
        let decoded = FromLeader::decode(unread, PacketLimits::default()).expect("a packet");
        let (packet, length) = decoded.expect("a whole packet");
        self.log(|| format!("{} <- leader {packet:?}", place + 1));
        match packet {
            FromLeader::Diff { .. } => self.report.synchronized[0] += 1,
            FromLeader::Trunc { .. } => self.report.synchronized[1] += 1,
            FromLeader::Snap { .. } => self.report.synchronized[2] += 1,
            _ => (),
        }
        self.event(place, Event::FromLeader(id, packet))?;
        Ok(length)
    }

    fn read_from_learner(
        &mut self,
        id: LinkId,
        place: Place,
        unread: &[u8],
    ) -> Result<usize, Violation> {
        let decoded = FromLearner::decode(unread, PacketLimits::default()).expect("a packet");
        let (packet, length) = decoded.expect("a whole packet");
        self.log(|| format!("{} <- learner {packet:?}", place + 1));
        self.event(place, Event::FromLearner(id, packet))?;
        Ok(length)
    }

    pub(super) fn arrive_notice(&mut self, from: Place, to: Place) -> Result<(), Violation> {
        if !self.notices.contains_key(&(from, to)) {
            return Ok(());
        }
        let again = Happening::Notify(from, to);
        if self.partition.is_blocked(from, to) {
            self.at(50_000, again);
            return Ok(());
        }
        let boot = self.servers[to].boot;
        if self.servers[to].running.is_none() {
            self.notices.remove(&(from, to));
            return Ok(());
        }
        if !self.is_there(to, boot, &again) {
            return Ok(());
        }
        let Some(bytes) = self.notices.remove(&(from, to)) else { return Ok(()) };
        let said = Notification::decode(&bytes).expect("a notification");
        let notice = Notice::from(&said);
        self.log(|| format!("{} <- {} {notice:?}", to + 1, from + 1));
        if self.changing.is_on
            && let Some(said) = said.config.and_then(Configuration::parse)
        {
            self.event(to, Event::ConfigurationHeard(Arc::new(said)))?;
        }
        self.event(to, Event::Notification { from: self.id_of(from), notice })
    }

    pub(super) fn connect(
        &mut self,
        (from, to): (Place, Place),
        attempt: Attempt,
        is_to_master: bool,
    ) -> Result<(), Violation> {
        let is_blocked = self.partition.is_blocked(from, to) || self.partition.is_blocked(to, from);
        // A stock server listens on that port while it leads only. For observers servers listen
        // while they follow; stock's do not here.
        let is_up = self.running(to).is_some_and(|it| {
            it.stock_following().is_none() && (!is_to_master || it.zab().observers().is_some())
        });
        if is_blocked || !is_up {
            return self.event(from, Event::ConnectFailed(attempt));
        }
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let boots = (self.servers[from].boot, self.servers[to].boot);
        self.links.insert(id, Link::new((from, boots.0), (to, boots.1)));
        let is_of = if is_to_master { Event::ObserverAccepted(id) } else { Event::Accepted(id) };
        self.report.observing += u64::from(is_to_master);
        self.event(to, is_of)?;
        self.event(from, Event::Connected(attempt, id))
    }
}
