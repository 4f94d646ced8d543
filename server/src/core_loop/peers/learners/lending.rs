//! A link as a bare socket, for a while: whatever sends or receives a snapshot has it for itself.
//!
//! A link is lent once everything that waited for it is sent. It leaves with the bytes that have
//! come and were not taken, which belong to whoever reads it. While it is lent agreement sends
//! nothing over it and gets nothing from it; if it is closed meanwhile, its socket is closed when
//! it comes back.

use super::super::inbox::Inbox;
use super::link::{Link, Side};
use super::{Kept, Learners, Whereabouts};
use crate::core_loop::sockets::Detached;
use engine::zab::LinkId;
use model::peer::packet::PacketLimits;
use ring::Queue;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// A link that something else has.
#[derive(Debug)]
pub struct Lent {
    /// Which one.
    pub link: LinkId,
    /// Its socket: connected, blocking, nothing in flight.
    pub socket: OwnedFd,
    /// What has come and was not taken: to be read before the socket. What is left of it when the
    /// link is given back are packets.
    pub unread: Vec<u8>,
    side: Side,
    /// The address at the other end.
    pub from: SocketAddr,
    /// How long packets may be.
    pub packets: PacketLimits,
}

#[cfg(test)]
impl Lent {
    /// A link of a learner, which was never anywhere else.
    pub(in crate::core_loop) fn of_test(link: LinkId, socket: OwnedFd) -> Self {
        let from = SocketAddr::from(([127, 0, 0, 1], 1));
        let (unread, packets) = (Vec::new(), PacketLimits::default());
        Self { link, socket, unread, side: Side::Learner, from, packets }
    }
}

impl Learners {
    /// Lends a link: it will be among [`Self::take_lent`], unless it ends before. False if it has
    /// ended.
    pub(in super::super) fn lend(&mut self, queue: &mut Queue<'_>, id: LinkId) -> bool {
        let Some(place) = self.place_of(id) else { return false };
        if let Some(link) = self.link_mut(id) {
            link.is_wanted_elsewhere = true;
            // What has been received by now is still reported, and belongs to the borrower.
            self.sockets.pause(queue, place);
            self.flush(queue, place);
            self.lending.push(id);
        }
        true
    }

    /// Gives up the sockets of the links that are to be lent, if all is sent, and all that was
    /// received is known.
    pub(super) fn lend_some(&mut self, queue: &mut Queue<'_>) {
        for id in std::mem::take(&mut self.lending) {
            let Some(place) = self.place_of(id) else { continue };
            let is_sent = self.link_mut(id).is_some_and(|link| link.outbox.byte_count() == 0);
            if !is_sent || !self.sockets.is_at_rest(place) {
                self.lending.push(id);
            } else if let Some(Detached { fd: socket, kept: Kept::Link(link), .. }) =
                self.sockets.detach(queue, place)
            {
                let Link { side, from, inbox, .. } = *link;
                self.links.insert(id, Whereabouts::Lent);
                let (unread, packets) = (inbox.into_bytes(), self.packets);
                self.lent.push(Lent { link: id, socket, unread, side, from, packets });
            }
        }
    }

    /// Links that are ready to be used elsewhere.
    pub(in super::super) fn take_lent(&mut self) -> Vec<Lent> {
        std::mem::take(&mut self.lent)
    }

    /// Takes back a link, which goes on with `lent.unread`; closes it if agreement has closed it.
    pub(in super::super) fn take_back(&mut self, queue: &mut Queue<'_>, lent: Lent) {
        let Lent { link: id, socket, unread, side, from, .. } = lent;
        if self.links.get(&id) != Some(&Whereabouts::Lent) {
            return queue.close_after(socket, None);
        }
        let has_unread = !unread.is_empty();
        let mut link = Link::new(id, side, from, Inbox::from(unread), self.packets);
        link.is_held = has_unread;
        let place = self.sockets.open(queue, socket, Kept::Link(Box::new(link)));
        self.links.insert(id, Whereabouts::Here(place));
        if has_unread {
            self.held.push(id);
        }
    }
}
