//! Who has connected.

use super::super::complaints::Complaint;
use super::super::inbox::Inbox;
use super::super::limits::{OUTSIDERS_MAX, SAID_ADDRESSES_MAX};
use super::super::strangers::{self, Stranger};
use super::peer::Peer;
use super::{Elections, Kept};
use crate::core_loop::peers::Agreement;
use crate::core_loop::sockets::Place;
use engine::zab;
use model::peer::address::Address;
use model::peer::hello::Hello;
use model::server::ServerId;
use ring::Queue;
use std::os::fd::OwnedFd;
use tracing::{debug, info};

impl Elections {
    /// A connection was accepted: its hello is awaited.
    pub(super) fn accepted(&mut self, queue: &mut Queue<'_>, fd: OwnedFd) {
        if self.is_stopping {
            return queue.close_after(fd, None);
        }
        let times_ms = (self.now_ms, self.now_ms + self.hello_ms);
        let accepted = (fd, Kept::Stranger);
        strangers::admit(&mut self.sockets, queue, accepted, times_ms, &mut self.complaints);
    }

    /// A stranger has sent something: its hello, once that is whole.
    pub(super) fn greeted(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        bytes: &[u8],
        agreement: &mut impl Agreement,
    ) {
        let Some(Kept::Stranger(Stranger { from, inbox, .. })) = self.sockets.find_mut(place)
        else {
            return;
        };
        let (from, mut hello) = (*from, None);
        let fed = inbox.feed(bytes, |front| {
            if hello.is_some() {
                return Ok(None);
            }
            let decoded = Hello::decode(front)?;
            let length = decoded.as_ref().map(|(_, length)| *length);
            hello = decoded.map(|(hello, _)| hello);
            Ok::<_, Complaint>(length)
        });
        let rest = std::mem::take(inbox);
        match (fed, hello) {
            (Err(complaint), _) => {
                self.complain(&from, complaint);
                self.sockets.close(queue, place);
            }
            (Ok(()), None) => *inbox_of(self, place) = rest,
            (Ok(()), Some(hello)) => {
                debug!(%from, server = %hello.server(), "a server has introduced itself");
                self.introduced(queue, place, hello, rest, agreement);
            }
        }
    }

    fn introduced(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        hello: Hello,
        rest: Inbox,
        agreement: &mut impl Agreement,
    ) {
        let mut id = hello.server();
        // Stock takes any eight bytes for the number of an old server, an HTTP request's, too.
        if matches!(hello, Hello::Id(_)) && !self.peers.get(&id).is_some_and(Peer::is_member) {
            self.complain(&id, Complaint::Hello);
            return self.sockets.close(queue, place);
        }
        if id == ServerId::OBSERVER {
            id = ServerId(self.next_observer);
            self.next_observer -= 1;
        }
        let outsiders = self.peers.values().filter(|peer| !peer.is_member()).count();
        let refusal = if id == self.me {
            Some(Complaint::OurId)
        } else if !self.peers.contains_key(&id) && outsiders >= OUTSIDERS_MAX {
            Some(Complaint::Outsiders)
        } else {
            None
        };
        if let Some(complaint) = refusal {
            self.complain(&id, complaint);
            return self.sockets.close(queue, place);
        }
        let said = match hello {
            Hello::Id(_) => Vec::new(),
            Hello::Addressed { mut addresses, .. } => {
                addresses.truncate(SAID_ADDRESSES_MAX);
                addresses
            }
        };
        self.compare(id, &said);
        if let Some(limit_ms) = self.check_ms
            && self.peers.get(&id).is_some_and(Peer::has_several)
        {
            self.sockets.bound_unacknowledged(place, limit_ms);
        }
        if id < self.me {
            return self.called(queue, place, id, said);
        }
        self.linked(queue, id, place, agreement);
        self.take_messages(queue, place, id, (rest, &[]), agreement);
    }

    /// Complains of a server that is not the one of the configuration.
    fn compare(&mut self, id: ServerId, said: &[Address]) {
        // Observers may have no number of their own.
        let configured = self.peers.get(&id).filter(|peer| peer.is_member());
        let complaint = match configured {
            Some(peer) if said.is_empty() || peer.may_be_at(said) => return,
            Some(_) => Complaint::Elsewhere(id),
            None if id.0 < 0 => return,
            None => Complaint::Unlisted(id),
        };
        self.complain(&id, complaint);
    }

    /// A server of a smaller number has announced itself: connects back.
    fn called(&mut self, queue: &mut Queue<'_>, place: Place, id: ServerId, said: Vec<Address>) {
        self.sockets.close(queue, place);
        // It would not have called if it still had the link.
        if let Some(link) = self.peers.get(&id).and_then(Peer::link) {
            self.sockets.close(queue, link);
        }
        let peer = self.peers.entry(id).or_insert_with(|| Peer::new(None));
        if peer.link().is_some() {
            peer.parted();
        }
        peer.called(said, self.now_ms);
        if peer.due_ms().is_none() {
            self.forget_outsider(id);
        }
    }

    /// There is a link to a server, in place of the one before.
    pub(super) fn linked(
        &mut self,
        queue: &mut Queue<'_>,
        id: ServerId,
        place: Place,
        agreement: &mut impl Agreement,
    ) {
        let peer = self.peers.entry(id).or_insert_with(|| Peer::new(None));
        let earlier = [peer.link(), peer.connecting()].into_iter().flatten();
        for earlier in earlier.filter(|&earlier| earlier != place) {
            self.sockets.close(queue, earlier);
        }
        peer.linked(place);
        if let Some(kept) = self.sockets.find_mut(place) {
            *kept = Kept::Link { with: id, inbox: Inbox::default() };
        }
        if let Some(suppressed) = self.openings.admits(self.now_ms) {
            info!(server = %id, suppressed, "there is an election link to server {id}");
        }
        self.dirty.push(id);
        agreement.handle(zab::Event::ElectionLinkOpened(id));
    }
}

/// Where a stranger's bytes are kept.
///
/// # Panics
/// If it is none.
fn inbox_of(elections: &mut Elections, place: Place) -> &mut Inbox {
    match elections.sockets.find_mut(place) {
        Some(Kept::Stranger(stranger)) => &mut stranger.inbox,
        other => panic!("{other:?} is not a stranger"),
    }
}
