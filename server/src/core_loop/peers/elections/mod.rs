//! Election links: one between each two servers, over which each sends its newest vote.
//!
//! Either server may connect, and introduces itself by a hello. If the connecting one has the
//! greater number, that is the link; if not, the connection has only announced it, is closed, and
//! the other connects back. A new link of a server replaces the one before. Only the newest
//! message waits for a server, and the one sent last is repeated on a new link.
//!
//! The map: this file (what a port's sockets come to), `peer` (one server: what waits for it, when
//! a link is due), `opening` (attempts to connect), `greeting` (who has connected).
//!
//! **Invariants**
//!
//! - A server has one link at most (guard: `tests::links::a_new_link_replaces_the_one_before`).
//! - Two servers that connect at once end up with the link that the greater number has opened
//!   (guard: `tests::links::the_link_of_the_greater_number_survives`).
//! - At most [`STRANGERS_MAX`] connections have not said who they are, and at most
//!   [`OUTSIDERS_MAX`] servers outside the configuration are kept (guard: `tests::strangers`).
//!
//! Source: ZooKeeper 3.9.5, `QuorumCnxManager`. Ours on top: attempts that failed are retried while
//! something waits to be sent, and an own attempt ends when the other server's link has come.
//!
//! Lives in: [`Peers`](super::Peers).
//!
//! [`STRANGERS_MAX`]: super::limits::STRANGERS_MAX
//! [`OUTSIDERS_MAX`]: super::limits::OUTSIDERS_MAX

mod greeting;
mod opening;
mod peer;

use super::complaints::{Complaint, Complaints};
use super::inbox::Inbox;
use super::roster::{Compared, Roster};
use super::strangers::{self, MaybeStranger, Stranger};
use super::{Agreement, PeersParts, Reach};
use crate::core_loop::rare::Rare;
use crate::core_loop::sockets::{Event, Owner, Place, Sockets};
use engine::zab::{self, Configuration, Notice};
use model::limits::{ELECTION_FRAME_BYTES_MAX, HELLO_ADDRESSES_BYTES_MAX};
use model::peer::address::Address;
use model::peer::hello::{Hello, HelloForm};
use model::peer::notification::Notification;
use model::server::ServerId;
use net::listener::Listener;
use peer::{Peer, State};
use ring::{Completion, Errno, Queue};
use std::collections::BTreeMap;

/// What is kept with a socket.
#[derive(Debug)]
enum Kept {
    /// It was accepted, and its hello has not come.
    Stranger(Stranger),
    /// It is being connected.
    Connecting { to: ServerId, until_ms: u64 },
    /// It is closed once this server's hello is sent: the other has the greater number.
    Announcing { to: ServerId, until_ms: u64 },
    /// It is a link.
    Link { with: ServerId, inbox: Inbox },
}

/// Election links, and what leads to them.
pub(super) struct Elections {
    me: ServerId,
    /// What this server introduces itself by.
    hello: Vec<u8>,
    form: HelloForm,
    /// How long each of several addresses is tried at first, in ms.
    check_ms: Option<u32>,
    roster: Roster,
    connect_ms: u64,
    hello_ms: u64,
    keep_alive: bool,
    sockets: Sockets<Kept>,
    peers: BTreeMap<ServerId, Peer>,
    /// Numbers of observers that have none: this and those below are not taken.
    next_observer: i64,
    /// Servers that may have something to send.
    dirty: Vec<ServerId>,
    pub(super) complaints: Complaints,
    /// Limits the log lines about links.
    openings: Rare,
    is_stopping: bool,
    now_ms: u64,
}

/// Bytes of the length in front of a message.
const LENGTH_BYTES: usize = 4;

/// What this server introduces itself by.
fn hello(me: ServerId, form: HelloForm, election: &[Address]) -> Vec<u8> {
    let mut hello = Vec::new();
    let count = if form == HelloForm::V1 { 1 } else { election.len() };
    let mut addresses: Vec<_> = election.iter().take(count).cloned().collect();
    // Nobody reads more. The first one is never so long.
    let is_long = |it: &[Address]| {
        it.iter().map(|it| it.to_string().len() + 1).sum::<usize>() > HELLO_ADDRESSES_BYTES_MAX
    };
    while addresses.len() > 1 && is_long(&addresses) {
        addresses.pop();
    }
    Hello::Addressed { form, server: me, addresses }.encode(&mut hello);
    hello
}

impl Elections {
    /// No link yet.
    pub(super) fn new(parts: &PeersParts) -> Self {
        let member = |reach: &Reach| Peer::new(Some(reach.election.clone()));
        Self {
            me: parts.me,
            hello: hello(parts.me, parts.form, &parts.election),
            form: parts.form,
            check_ms: parts.check_ms,
            roster: Roster::new(parts.membership.clone(), parts.can_change),
            connect_ms: parts.connect_ms,
            hello_ms: parts.hello_ms,
            keep_alive: parts.keep_alive,
            sockets: Sockets::new(Owner::Elections),
            peers: parts.others.iter().map(|(&id, reach)| (id, member(reach))).collect(),
            next_observer: -1,
            dirty: Vec::new(),
            complaints: Complaints::new("election"),
            openings: Rare::default(),
            is_stopping: false,
            now_ms: 0,
        }
    }

    pub(super) fn begin_turn(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Other servers are there from now on, and this one introduces itself as being at `own`.
    pub(super) fn configure(
        &mut self,
        current: &Configuration,
        others: &BTreeMap<ServerId, Reach>,
        own: Option<&Reach>,
    ) {
        self.roster.follow(current);
        if let Some(own) = own.filter(|own| !own.election.is_empty()) {
            self.hello = hello(self.me, self.form, &own.election);
        }
        for (id, peer) in &mut self.peers {
            peer.configure(others.get(id).map(|reach| reach.election.clone()));
        }
        for (&id, reach) in others {
            self.peers.entry(id).or_insert_with(|| Peer::new(Some(reach.election.clone())));
        }
    }

    pub(super) fn listen_at(&mut self, queue: &mut Queue<'_>, listeners: Vec<Listener>) {
        self.sockets.stop_listening(queue);
        for listener in listeners {
            self.listen(queue, listener);
        }
    }

    pub(super) fn listen(&mut self, queue: &mut Queue<'_>, listener: Listener) {
        self.sockets.listen(queue, listener);
    }

    /// An operation on one of these sockets or listeners has completed.
    pub(super) fn handle(
        &mut self,
        queue: &mut Queue<'_>,
        completion: Completion<'_>,
        agreement: &mut impl Agreement,
    ) {
        match self.sockets.handle(queue, completion) {
            Event::Accepted(fd) => self.accepted(queue, fd),
            Event::AcceptFailed(errno) => self.complain(&"listener", Complaint::Accept(errno)),
            Event::Opened(place) => self.opened(queue, place, agreement),
            Event::NotConnected { kept: Kept::Connecting { to, .. }, errno } => {
                self.not_connected(queue, to, errno);
            }
            Event::Received { place, bytes } => self.received(queue, place, bytes, agreement),
            Event::Sent { place, result, .. } => self.sent(queue, place, result),
            Event::Ended { place, .. } => self.ended(queue, place),
            Event::NotConnected { .. }
            | Event::Returned(_)
            | Event::Detached(_)
            | Event::Nothing => (),
        }
    }

    /// Sends a server this notice, in place of an earlier one that waits; opens a link if there is
    /// none, by the end of the turn.
    pub(super) fn notify(&mut self, to: ServerId, notice: Notice, ensemble: &zab::Ensemble) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return self.complain(&to, Complaint::Unknown(to));
        };
        let mut frame = vec![0; LENGTH_BYTES];
        notice.encode(ensemble, &mut frame);
        let length = i32::try_from(frame.len() - LENGTH_BYTES);
        let length = length.expect("the text of a configuration is shorter than 2 GiB");
        frame[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        peer.queue(frame);
        self.dirty.push(to);
    }

    /// The end of a turn: begins the attempts that are due, and sends.
    pub(super) fn end_turn(&mut self, queue: &mut Queue<'_>, resolver: &mut super::Resolver) {
        self.open_some(queue, resolver);
        for id in std::mem::take(&mut self.dirty) {
            self.flush(queue, id);
        }
        self.sockets.accept_more(queue);
    }

    /// Sends what waits for a server, unless a send is in flight.
    fn flush(&mut self, queue: &mut Queue<'_>, id: ServerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(place) = peer.link() else { return };
        if let Some(sender) = self.sockets.sender(place)
            && let Some(frame) = peer.next_message()
        {
            sender.send(queue, frame);
        }
    }

    fn received(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        bytes: &[u8],
        agreement: &mut impl Agreement,
    ) {
        match self.sockets.find_mut(place) {
            Some(Kept::Stranger(_)) => self.greeted(queue, place, bytes, agreement),
            Some(Kept::Link { with, inbox }) => {
                let (with, inbox) = (*with, std::mem::take(inbox));
                self.take_messages(queue, place, with, (inbox, bytes), agreement);
            }
            // A server that is only announced to says nothing that counts.
            Some(Kept::Announcing { .. } | Kept::Connecting { .. }) | None => (),
        }
    }

    /// Hands in the notifications that `bytes` complete.
    fn take_messages(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        from: ServerId,
        (mut inbox, bytes): (Inbox, &[u8]),
        agreement: &mut impl Agreement,
    ) {
        let Self { complaints, now_ms, roster, .. } = self;
        let fed = inbox.feed(bytes, |front| {
            let Some((length, rest)) = front.split_first_chunk::<LENGTH_BYTES>() else {
                return Ok(None);
            };
            let length = i32::from_be_bytes(*length);
            let byte_count = usize::try_from(length).unwrap_or(0);
            if !(1..=ELECTION_FRAME_BYTES_MAX).contains(&byte_count) {
                return Err(Complaint::Frame { length });
            }
            let Some(message) = rest.get(..byte_count) else { return Ok(None) };
            match Notification::decode(message) {
                Ok(said) => {
                    match said.config.map(|text| roster.compare(text)) {
                        Some(Compared::Other(server)) => {
                            complaints.make(*now_ms, &from, Complaint::OtherLine(server));
                        }
                        Some(Compared::Newer(theirs)) => {
                            agreement.handle(zab::Event::ConfigurationHeard(theirs));
                        }
                        Some(Compared::Same) | None => (),
                    }
                    let notice = Notice::from(&said);
                    agreement.handle(zab::Event::Notification { from, notice });
                }
                Err(error) => complaints.make(*now_ms, &from, Complaint::Notification(error)),
            }
            Ok(Some(LENGTH_BYTES + byte_count))
        });
        if let Err(complaint) = fed {
            self.complain(&from, complaint);
            return self.end_link(queue, from);
        }
        if let Some(Kept::Link { inbox: kept, .. }) = self.sockets.find_mut(place) {
            *kept = inbox;
        }
    }

    fn sent(&mut self, queue: &mut Queue<'_>, place: Place, result: Result<(), Errno>) {
        match self.sockets.find(place) {
            Some(&Kept::Announcing { to, .. }) => self.announced(queue, place, to),
            Some(&Kept::Link { with, .. }) => match result {
                Ok(()) => self.flush(queue, with),
                Err(_) => self.end_link(queue, with),
            },
            Some(Kept::Stranger(_) | Kept::Connecting { .. }) | None => (),
        }
    }

    /// The other side has closed a connection, or it is broken.
    fn ended(&mut self, queue: &mut Queue<'_>, place: Place) {
        match self.sockets.find(place) {
            Some(&Kept::Announcing { to, .. }) => self.announced(queue, place, to),
            Some(&Kept::Link { with, .. }) => self.end_link(queue, with),
            Some(Kept::Stranger(_) | Kept::Connecting { .. }) => {
                self.sockets.close(queue, place);
            }
            None => (),
        }
    }

    /// Closes the link to a server.
    fn end_link(&mut self, queue: &mut Queue<'_>, id: ServerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if let Some(place) = peer.link() {
            self.sockets.close(queue, place);
            peer.parted();
        }
        self.forget_outsider(id);
    }

    /// Forgets a server outside the configuration that there is neither a link to nor an attempt to
    /// open one.
    fn forget_outsider(&mut self, id: ServerId) {
        let is_idle = |peer: &Peer| !peer.is_member() && matches!(peer.state, State::Apart);
        if self.peers.get(&id).is_some_and(is_idle) {
            self.peers.remove(&id);
        }
    }

    /// Handles deadlines: closes what takes too long.
    pub(super) fn sweep(&mut self, queue: &mut Queue<'_>) {
        for place in strangers::late(&self.sockets, self.now_ms) {
            match self.sockets.find(place) {
                Some(&Kept::Stranger(Stranger { from, .. })) => {
                    self.complain(&from, Complaint::Silent);
                    self.sockets.close(queue, place);
                }
                Some(&Kept::Announcing { to, .. }) => self.announced(queue, place, to),
                Some(&Kept::Connecting { to, .. }) => {
                    self.sockets.close(queue, place);
                    self.not_connected(queue, to, Errno::ETIMEDOUT);
                }
                Some(Kept::Link { .. }) | None => (),
            }
        }
    }

    /// When [`Self::sweep`] or [`Self::end_turn`] has something to do, in ms of the monotonic
    /// clock.
    pub(super) fn deadline_ms(&self) -> u64 {
        let of_sockets = strangers::deadline_ms(&self.sockets);
        let of_peers = self.peers.values().filter_map(Peer::due_ms);
        of_sockets.into_iter().chain(of_peers).min().unwrap_or(u64::MAX)
    }

    /// Closes the listeners and every connection, those too that are yet to be reported.
    pub(super) fn stop(&mut self, queue: &mut Queue<'_>) {
        self.is_stopping = true;
        self.sockets.stop_listening(queue);
        let places: Vec<_> = self.sockets.iter().map(|(place, ..)| place).collect();
        for place in places {
            self.sockets.close(queue, place);
        }
        self.peers.clear();
    }

    /// Whether there is no socket left, and no operation in flight for one.
    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Servers that there is a link to.
    #[cfg(test)]
    pub(super) fn linked_servers(&self) -> Vec<ServerId> {
        let is_linked = |(_, peer): &(&ServerId, &Peer)| peer.link().is_some();
        self.peers.iter().filter(is_linked).map(|(&id, _)| id).collect()
    }

    /// Until when those may be silent that have not said who they are, in ms.
    #[cfg(test)]
    pub(super) fn strangers(&self) -> Vec<u64> {
        strangers::limits(&self.sockets)
    }

    /// Sockets that are open, and servers that are known.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.sockets.iter().count(), self.peers.len())
    }

    fn complain(&mut self, peer: &dyn std::fmt::Display, complaint: Complaint) {
        self.complaints.make(self.now_ms, peer, complaint);
    }
}

impl MaybeStranger for Kept {
    fn stranger(&self) -> Option<&Stranger> {
        match self {
            Self::Stranger(stranger) => Some(stranger),
            _ => None,
        }
    }

    fn until_ms(&self) -> Option<u64> {
        match *self {
            Self::Stranger(Stranger { until_ms, .. })
            | Self::Connecting { until_ms, .. }
            | Self::Announcing { until_ms, .. } => Some(until_ms),
            Self::Link { .. } => None,
        }
    }
}
