//! Packets out, and what a peer leads to that does not read them.

use super::super::complaints::Complaint;
use super::super::limits::ROOM_BYTES;
use super::super::outbox::Load;
use super::link::Side;
use super::{Departure, Kept, Learners, News};
use crate::core_loop::peers::Agreement;
use crate::core_loop::sockets::Place;
use engine::zab::{self, Ensemble, LinkId, Message};
use ring::{Errno, Queue};

impl Learners {
    /// Puts a message behind all that waits to be sent over a link; none if the link has ended
    /// meanwhile, or is lent. Closes the link if its peer leaves too much unread.
    pub(in super::super) fn send(
        &mut self,
        queue: &mut Queue<'_>,
        id: LinkId,
        message: &Message,
        ensemble: &Ensemble,
    ) {
        let Some(place) = self.place_of(id) else { return };
        let now_ms = self.now_ms;
        let sending_bytes = self.sockets.sending_bytes(place);
        let Some(Kept::Link(link)) = self.sockets.find_mut(place) else { return };
        let from = link.from;
        let encoded_bytes = message.encoded_bytes();
        let byte_count = link.outbox.byte_count() + sending_bytes;
        if byte_count.saturating_add(encoded_bytes) > self.unsent_bytes_max {
            self.complain(&from, Complaint::Unread { byte_count });
            return self.cut_off(queue, id);
        }
        if link.outbox.byte_count() == 0 {
            self.dirty.push(id);
        }
        let load = Load { packets: packet_count(message), bytes: encoded_bytes };
        if let Some(traffic) = self.traffic.get_mut(&id) {
            traffic.told(message, load.packets, self.proposed);
        }
        link.outbox.push(load, now_ms, |out| message.encode(ensemble, out));
        self.unsent_byte_count += encoded_bytes;
        if self.unsent_byte_count > self.unsent_total_bytes_max {
            self.relieve(queue);
        }
    }

    /// Closes a link outside of an event of it: agreement is notified with the next news.
    fn cut_off(&mut self, queue: &mut Queue<'_>, id: LinkId) {
        self.drop_link(queue, id);
        self.news.push(News::Closed(id));
    }

    /// Closes the link with the most unsent bytes.
    fn relieve(&mut self, queue: &mut Queue<'_>) {
        let unsent = self.sockets.iter().filter_map(|(_, kept, sending_bytes)| match kept {
            Kept::Link(link) => {
                Some((link.outbox.byte_count() + sending_bytes, link.id, link.from))
            }
            Kept::Stranger(..) | Kept::Connecting(_) => None,
        });
        if let Some((byte_count, id, from)) = unsent.max() {
            self.complain(&from, Complaint::UnreadOfAll { byte_count });
            self.cut_off(queue, id);
        }
    }

    /// Whether a link has so little unsent that more of the log should be read for it.
    pub(in super::super) fn has_room(&self, id: LinkId) -> bool {
        let Some(place) = self.place_of(id) else { return false };
        let Some(Kept::Link(link)) = self.sockets.find(place) else { return false };
        link.outbox.byte_count() + self.sockets.sending_bytes(place) < ROOM_BYTES
    }

    /// The end of a turn: one send for each link that has something to send.
    pub(in super::super) fn end_turn(&mut self, queue: &mut Queue<'_>) {
        for id in std::mem::take(&mut self.dirty) {
            if let Some(place) = self.place_of(id) {
                self.flush(queue, place);
            }
        }
        self.lend_some(queue);
        self.sockets.accept_more(queue);
    }

    /// Sends what waits, unless a send is in flight.
    pub(super) fn flush(&mut self, queue: &mut Queue<'_>, place: Place) {
        let Some(Kept::Link(link)) = self.sockets.find_mut(place) else { return };
        let (id, is_of_learner) = (link.id, link.side == Side::Leader);
        let mut outbox = std::mem::take(&mut link.outbox);
        if let Some(sender) = self.sockets.sender(place)
            && let Some(chunk) = outbox.take()
        {
            sender.send(queue, chunk.bytes);
            if is_of_learner {
                self.departures.push(Departure {
                    link: id,
                    packets_left: outbox.packet_count(),
                    waited_ms: self.now_ms.saturating_sub(chunk.since_ms),
                });
            }
        }
        if let Some(Kept::Link(link)) = self.sockets.find_mut(place) {
            link.outbox = outbox;
        }
    }

    /// The sends to learners that have begun since the last call.
    pub(in super::super) fn take_departures(&mut self) -> Vec<Departure> {
        std::mem::take(&mut self.departures)
    }

    /// A send has ended.
    pub(super) fn sent(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        buffer: Vec<u8>,
        result: Result<(), Errno>,
        agreement: &mut impl Agreement,
    ) {
        let Some(Kept::Link(link)) = self.sockets.find_mut(place) else { return };
        let id = link.id;
        link.outbox.recycle(buffer);
        if result.is_err() {
            self.drop_link(queue, id);
            return agreement.handle(zab::Event::Closed(id));
        }
        self.flush(queue, place);
    }
}

/// How many packets a message is, those about clients counted as one.
fn packet_count(message: &Message) -> u64 {
    match message {
        Message::Proposals(part) | Message::Commits(part) | Message::Informs(part) => {
            part.range.len() as u64
        }
        Message::Acks { first, last } => (last.0 - first.0 + 1).unsigned_abs(),
        _ => 1,
    }
}
