//! A link as a bare socket, for a while: whatever sends or receives a snapshot has it for itself.
//!
//! A link is lent once everything that waited for it is sent. It leaves with the bytes that have
//! come and were not taken, which belong to whoever reads it. While it is lent agreement sends
//! nothing over it and gets nothing from it; if it is closed meanwhile, its socket is closed when
//! it comes back.

use super::super::inbox::Inbox;
use super::link::{Link, Side};
use super::{Kept, Learners, Whereabouts};
use crate::core_loop::sockets::{Detached, Place};
use engine::zab::LinkId;
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
}

#[cfg(test)]
impl Lent {
    /// A link of a learner, which was never anywhere else.
    pub(in crate::core_loop) fn of_test(link: LinkId, socket: OwnedFd) -> Self {
        let from = SocketAddr::from(([127, 0, 0, 1], 1));
        Self { link, socket, unread: Vec::new(), side: Side::Learner, from }
    }
}

impl Learners {
    /// Lends a link: it will be among [`Self::take_lent`], unless it ends before.
    /// False if it has ended.
    pub(in super::super) fn lend(&mut self, queue: &mut Queue<'_>, id: LinkId) -> bool {
        let Some(place) = self.place_of(id) else { return false };
        if let Some(link) = self.link_mut(id) {
            link.is_wanted_elsewhere = true;
        }
        self.flush(queue, place);
        self.maybe_lend(queue, place);
        true
    }

    /// Gives up the socket of a link that is to be lent, if everything is sent.
    pub(super) fn maybe_lend(&mut self, queue: &mut Queue<'_>, place: Place) {
        let is_sending = self.sockets.sending_bytes(place) > 0;
        let Some(Kept::Link(link)) = self.sockets.find(place) else { return };
        if !link.is_wanted_elsewhere || is_sending || link.outbox.byte_count() > 0 {
            return;
        }
        if let Some(detached) = self.sockets.detach(queue, place) {
            self.detached(detached);
        }
    }

    /// A link's socket has nothing in flight any more.
    pub(super) fn detached(&mut self, detached: Detached<Kept>) {
        let Kept::Link(link) = detached.kept else { return };
        let Link { id, side, from, inbox, .. } = *link;
        // One that was closed meanwhile is closed by being dropped.
        if let Some(whereabouts) = self.links.get_mut(&id) {
            *whereabouts = Whereabouts::Lent;
            let unread = inbox.into_bytes();
            self.lent.push(Lent { link: id, socket: detached.fd, unread, side, from });
        }
    }

    /// Links that are ready to be used elsewhere.
    pub(in super::super) fn take_lent(&mut self) -> Vec<Lent> {
        std::mem::take(&mut self.lent)
    }

    /// Takes back a link, which goes on with `lent.unread`; closes it if agreement has closed it.
    pub(in super::super) fn take_back(&mut self, queue: &mut Queue<'_>, lent: Lent) {
        let Lent { link: id, socket, unread, side, from } = lent;
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
