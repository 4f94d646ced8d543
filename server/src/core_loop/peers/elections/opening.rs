//! Opening links.

use super::super::resolver::{Found, Resolver, Sought};
use super::super::tries::{Try, tries};
use super::peer::{Peer, State};
use super::{Elections, Kept};
use crate::core_loop::peers::Agreement;
use crate::core_loop::sockets::Place;
use model::server::ServerId;
use net::outgoing::{SocketOptions, unconnected};
use ring::{Errno, Queue};
use std::fmt::Display;
use std::vec::IntoIter;
use tracing::{debug, warn};

impl Elections {
    /// Begins the attempts that are due.
    pub(super) fn open_some(&mut self, queue: &mut Queue<'_>, resolver: &mut Resolver) {
        let now_ms = self.now_ms;
        let is_due = |due_ms: u64| due_ms <= now_ms;
        let due = self.peers.iter().filter(|(_, peer)| peer.due_ms().is_some_and(is_due));
        let ids: Vec<_> = due.map(|(&id, _)| id).collect();
        for id in ids {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.state = State::Resolving;
            if let Some(found) = resolver.look_up(Sought::Election(id), peer.addresses()) {
                self.resolved(queue, id, found);
            }
        }
    }

    /// The addresses of a server are known, or not.
    pub(in super::super) fn resolved(&mut self, queue: &mut Queue<'_>, id: ServerId, found: Found) {
        let Some(peer) = self.peers.get(&id) else { return };
        // A link may have come meanwhile.
        if matches!(peer.state, State::Resolving) {
            match found {
                Ok(addresses) => {
                    let tries = tries(&addresses, self.check_ms, self.connect_ms);
                    self.connect(queue, id, tries.into_iter(), &"no address");
                }
                Err(error) => self.attempt_failed(id, &error),
            }
        }
    }

    /// Connects to the next of a server's addresses; `failure` is why the one before did not do.
    fn connect(
        &mut self,
        queue: &mut Queue<'_>,
        id: ServerId,
        mut rest: IntoIter<Try>,
        failure: &dyn Display,
    ) {
        let Some(Try { address, limit_ms }) = rest.next() else {
            return self.attempt_failed(id, failure);
        };
        let has_several = self.peers.get(&id).is_some_and(Peer::has_several);
        let options = SocketOptions {
            keep_alive: self.keep_alive,
            unacknowledged_ms: self.check_ms.filter(|_| has_several),
            ..SocketOptions::default()
        };
        let fd = match unconnected(address, options) {
            Ok(fd) => fd,
            Err(errno) => return self.connect(queue, id, rest, &errno),
        };
        let kept = Kept::Connecting { to: id, until_ms: self.now_ms.saturating_add(limit_ms) };
        let place = self.sockets.connect(queue, fd, address, kept);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.state = State::Connecting { place, rest };
        }
    }

    /// A server was not reached at one of its addresses.
    pub(super) fn not_connected(&mut self, queue: &mut Queue<'_>, id: ServerId, errno: Errno) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if let State::Connecting { rest, .. } = &mut peer.state {
            let rest = std::mem::take(rest);
            self.connect(queue, id, rest, &errno);
        }
    }

    fn attempt_failed(&mut self, id: ServerId, why: &dyn Display) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.attempt_ended(self.now_ms);
        if std::mem::replace(&mut peer.is_reported, true) {
            debug!(server = %id, "no election link: {why}");
        } else {
            warn!(server = %id, "server {id} cannot be reached for elections: {why}; retried");
        }
        self.forget_outsider(id);
    }

    /// A connection to a server is open: introduces this one.
    pub(super) fn opened(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        agreement: &mut impl Agreement,
    ) {
        let Some(&Kept::Connecting { to, .. }) = self.sockets.find(place) else { return };
        if let Some(sender) = self.sockets.sender(place) {
            sender.send(queue, self.hello.clone());
        }
        if to < self.me {
            return self.linked(queue, to, place, agreement);
        }
        if let Some(kept) = self.sockets.find_mut(place) {
            *kept = Kept::Announcing { to, until_ms: self.now_ms.saturating_add(self.connect_ms) };
        }
    }

    /// A server of a greater number knows of this one, and is to connect back; or does not, and
    /// another attempt is made in a while.
    pub(super) fn announced(&mut self, queue: &mut Queue<'_>, place: Place, to: ServerId) {
        self.sockets.close(queue, place);
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.announced(self.now_ms);
        }
        self.forget_outsider(to);
    }
}
