//! Learner links: packets between a leader and those that follow or observe it.
//!
//! A learner connects to the leader's quorum port, one attempt for each request of agreement's. The
//! leader's side hands a connection to agreement once its first packet is whole and introduces a
//! learner; strangers never get that far. What is sent in a turn leaves in one send.
//!
//! The map: this file (what the port's sockets come to), `link` (what is kept of one), `opening`
//! (who connects), `receiving` (packets in), `sending` (packets out, and what a slow peer leads
//! to), `lending` (a link becomes a socket that something else writes to or reads from, and back).
//!
//! **Invariants**
//!
//! - Packets are handed in whole, in order, once, between the opening and the end of their link,
//!   and only while agreement reads the link (guards: `tests::learners`, `tests::ensemble`).
//! - What waits to be sent is bounded, for a link and for all (guard:
//!   `tests::slow::a_peer_that_does_not_read_is_disconnected`).
//! - Each attempt is answered once: connected, or failed (guard: `tests::learners`).
//!
//! **What is deliberately not here**: what packets mean; how snapshots are read and written: a link
//! is lent for that.
//!
//! Lives in: [`Peers`](super::Peers).

mod counting;
mod lending;
mod link;
mod opening;
mod receiving;
mod sending;

pub use counting::Traffic;
pub use lending::Lent;

use super::complaints::{Complaint, Complaints};
use super::limits::{UNSENT_BYTES_MAX, UNSENT_TOTAL_BYTES_MAX};
use super::strangers::{self, MaybeStranger, Stranger};
use super::tries::Try;
use super::{Agreement, PeersParts, Reach};
use crate::core_loop::rare::{Rare, Rares, SECOND_MS};
use crate::core_loop::sockets::{Event, Owner, Place, Sockets};
use engine::zab::{self, Attempt, CloseReason, LinkId};
use link::Link;
use model::peer::packet::PacketLimits;
use model::server::ServerId;
use model::zxid::Zxid;
use net::listener::Listener;
use ring::{Completion, Queue};
use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::vec::IntoIter;
use tracing::{info, warn};

/// What is kept with a socket.
#[derive(Debug)]
enum Kept {
    /// It was accepted, and its first packet is not whole.
    Stranger(Stranger, Door),
    /// It is being connected, to this address.
    Connecting(SocketAddr),
    /// It is a link.
    Link(Box<Link>),
}

/// Which port a link is opened at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The one of a leader, for all learners.
    Quorum,
    /// The one of an observer master.
    Observers,
}

/// Where a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whereabouts {
    /// In this place.
    Here(Place),
    /// Something else has its socket.
    Lent,
}

/// A send to a learner has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The link.
    pub link: LinkId,
    /// Packets that wait behind it.
    pub packets_left: u64,
    /// How long its first packet had waited, in ms.
    pub waited_ms: u64,
}

/// The attempt that is under way.
#[derive(Debug)]
struct Opening {
    attempt: Attempt,
    to: ServerId,
    step: Step,
    /// When the look-up, or one address, has taken too long, in ms of the monotonic clock.
    until_ms: u64,
}

/// How far it has come.
#[derive(Debug)]
enum Step {
    /// The addresses are looked up.
    Resolving,
    /// One is connected to, the others are tried next.
    Connecting { place: Place, rest: IntoIter<Try> },
}

/// What agreement has yet to be notified of.
#[derive(Debug)]
enum News {
    Failed(Attempt),
    Closed(LinkId),
}

/// Learner links, and what leads to them.
pub(super) struct Learners {
    others: BTreeMap<ServerId, Reach>,
    packets: PacketLimits,
    introduction_ms: u64,
    leader_ms: u64,
    /// How long each of several addresses is tried at first, in ms.
    check_ms: Option<u32>,
    no_delay: bool,
    observers_port: Option<u16>,
    sockets: Sockets<Kept>,
    links: BTreeMap<LinkId, Whereabouts>,
    /// Of the links that this server has accepted.
    traffic: BTreeMap<LinkId, Traffic>,
    /// The last txn that this server has proposed.
    pub(super) proposed: Zxid,
    next_link: u64,
    opening: Option<Opening>,
    news: Vec<News>,
    /// Links whose packets are not taken now.
    held: Vec<LinkId>,
    /// Links that have something to send.
    dirty: Vec<LinkId>,
    /// Bytes that wait to be sent, and are being sent, over all links.
    unsent_byte_count: usize,
    /// Bounds of that, for a link and for all: [`UNSENT_BYTES_MAX`], [`UNSENT_TOTAL_BYTES_MAX`].
    pub(super) unsent_bytes_max: usize,
    pub(super) unsent_total_bytes_max: usize,
    /// Links that are to be lent once they are at rest.
    lending: Vec<LinkId>,
    lent: Vec<Lent>,
    departures: Vec<Departure>,
    pub(super) complaints: Complaints,
    /// Limits the log lines about attempts.
    failures: Rare,
    /// Those about links that end, by why agreement closes them; `None` for the other side.
    endings: Rares<Option<Discriminant<CloseReason>>>,
    is_stopping: bool,
    now_ms: u64,
}

impl Learners {
    /// No link yet.
    pub(super) fn new(parts: &PeersParts) -> Self {
        Self {
            others: parts.others.clone(),
            packets: parts.packets,
            introduction_ms: parts.introduction_ms,
            leader_ms: parts.leader_ms,
            check_ms: parts.check_ms,
            no_delay: parts.no_delay,
            observers_port: parts.observers_port,
            sockets: Sockets::new(Owner::Learners),
            links: BTreeMap::new(),
            traffic: BTreeMap::new(),
            proposed: Zxid::ZERO,
            next_link: 0,
            opening: None,
            news: Vec::new(),
            held: Vec::new(),
            dirty: Vec::new(),
            unsent_byte_count: 0,
            unsent_bytes_max: UNSENT_BYTES_MAX,
            unsent_total_bytes_max: UNSENT_TOTAL_BYTES_MAX,
            lending: Vec::new(),
            lent: Vec::new(),
            departures: Vec::new(),
            complaints: Complaints::new("quorum"),
            failures: Rare::default(),
            endings: Rares::default(),
            is_stopping: false,
            now_ms: 0,
        }
    }

    /// Observer masters are at this port.
    #[cfg(test)]
    pub(super) fn serve_at(&mut self, port: u16) {
        self.observers_port = Some(port);
    }

    pub(super) fn begin_turn(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// The time of this turn, in ms of the monotonic clock.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Other servers are there from now on.
    pub(super) fn configure(&mut self, others: BTreeMap<ServerId, Reach>) {
        self.others = others;
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
            Event::Accepted(fd) => self.accepted(queue, fd, Door::Quorum),
            Event::AcceptFailed(errno) => self.accept_failed(errno),
            Event::Opened(place) => self.opened(place, agreement),
            Event::NotConnected { errno, .. } => self.not_connected(queue, &errno, agreement),
            Event::Received { place, bytes } => self.received(queue, place, bytes, agreement),
            Event::Sent { place, spent, result } => {
                self.unsent_byte_count -= spent.bytes;
                self.sent(queue, place, spent.buffer, result, agreement);
            }
            Event::Returned(spent) => self.unsent_byte_count -= spent.bytes,
            Event::Ended { place, .. } => self.ended(queue, place, agreement),
            // A link is detached once it is at rest, which is at once.
            Event::Detached(_) | Event::Nothing => (),
        }
    }

    /// The other side has closed a connection, or it is broken.
    fn ended(&mut self, queue: &mut Queue<'_>, place: Place, agreement: &mut impl Agreement) {
        match self.sockets.find(place) {
            Some(Kept::Link(link)) => {
                let id = link.id;
                if let Some(suppressed) = self.endings.admits(None, SECOND_MS, self.now_ms) {
                    let from = link.from;
                    info!(%from, suppressed, "the other side has closed a learner link");
                }
                self.drop_link(queue, id);
                agreement.handle(zab::Event::Closed(id));
            }
            Some(Kept::Stranger(..) | Kept::Connecting(_)) => self.sockets.close(queue, place),
            None => (),
        }
    }

    /// Closes a link by request of agreement, which is not notified of that.
    pub(super) fn close(&mut self, queue: &mut Queue<'_>, id: LinkId, why: CloseReason) {
        let kept = self.place_of(id).and_then(|place| self.sockets.find(place));
        if let Some(Kept::Link(link)) = kept
            && let kind = Some(discriminant(&why))
            && let Some(suppressed) = self.endings.admits(kind, SECOND_MS, self.now_ms)
        {
            let from = link.from;
            match why {
                CloseReason::OldProtocol
                | CloseReason::OurId
                | CloseReason::NewerConfiguration
                | CloseReason::LastEpoch
                | CloseReason::NotObserver
                | CloseReason::Protocol(_) => {
                    warn!(%from, suppressed, "a learner link is closed: {why}");
                }
                _ => info!(%from, suppressed, "a learner link is closed: {why}"),
            }
        }
        self.drop_link(queue, id);
        // What it was not notified of yet is news no more.
        self.news.retain(|news| !matches!(news, News::Closed(closed) if *closed == id));
    }

    /// Closes a link's socket; bytes that wait for it are dropped. One that is lent is closed when
    /// it comes back.
    fn drop_link(&mut self, queue: &mut Queue<'_>, id: LinkId) {
        self.traffic.remove(&id);
        let Some(Whereabouts::Here(place)) = self.links.remove(&id) else { return };
        if let Some(Kept::Link(link)) = self.sockets.find(place) {
            self.unsent_byte_count -= link.outbox.byte_count();
        }
        self.sockets.close(queue, place);
    }

    fn place_of(&self, id: LinkId) -> Option<Place> {
        match self.links.get(&id) {
            Some(Whereabouts::Here(place)) => Some(*place),
            Some(Whereabouts::Lent) | None => None,
        }
    }

    fn link_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        let place = self.place_of(id)?;
        match self.sockets.find_mut(place) {
            Some(Kept::Link(link)) => Some(link),
            _ => None,
        }
    }

    /// Handles deadlines, notifies agreement of what has come to pass outside of completions, and
    /// hands in packets of links that it reads again.
    pub(super) fn sweep(&mut self, queue: &mut Queue<'_>, agreement: &mut impl Agreement) {
        let now_ms = self.now_ms;
        for place in strangers::late(&self.sockets, now_ms) {
            if let Some(&Kept::Stranger(Stranger { from, .. }, _)) = self.sockets.find(place) {
                self.complain(&from, Complaint::Silent);
            }
            self.sockets.close(queue, place);
        }
        if self.opening.as_ref().is_some_and(|opening| opening.until_ms <= now_ms) {
            self.time_out(queue);
        }
        for news in std::mem::take(&mut self.news) {
            agreement.handle(match news {
                News::Failed(attempt) => zab::Event::ConnectFailed(attempt),
                News::Closed(link) => zab::Event::Closed(link),
            });
        }
        self.resume(queue, agreement);
    }

    /// Whether a turn has something to do though nothing has completed: there is news, or a link
    /// that was held back is read again.
    pub(super) fn is_busy(&self, agreement: &impl Agreement) -> bool {
        !self.news.is_empty() || self.held.iter().any(|&id| self.is_resumable(id, agreement))
    }

    /// When [`Self::sweep`] has something to do, in ms of the monotonic clock.
    pub(super) fn deadline_ms(&self) -> u64 {
        if !self.news.is_empty() {
            return self.now_ms;
        }
        let of_sockets = strangers::deadline_ms(&self.sockets);
        let of_opening = self.opening.as_ref().map(|opening| opening.until_ms);
        of_sockets.into_iter().chain(of_opening).min().unwrap_or(u64::MAX)
    }

    /// Closes the listeners and every connection, those too that are yet to be reported.
    pub(super) fn stop(&mut self, queue: &mut Queue<'_>) {
        self.is_stopping = true;
        self.sockets.stop_listening(queue);
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            self.drop_link(queue, id);
        }
        let places: Vec<_> = self.sockets.iter().map(|(place, ..)| place).collect();
        for place in places {
            self.sockets.close(queue, place);
        }
        self.opening = None;
    }

    /// Whether there is no socket left, and no operation in flight for one.
    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    fn complain(&mut self, peer: &dyn std::fmt::Display, complaint: Complaint) {
        self.complaints.make(self.now_ms, peer, complaint);
    }

    /// Until when those may be silent that have not said who they are, in ms.
    #[cfg(test)]
    pub(super) fn strangers(&self) -> Vec<u64> {
        strangers::limits(&self.sockets)
    }

    /// Sockets that are open, and links.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.sockets.iter().count(), self.links.len())
    }

    /// Bytes that have come and are not taken.
    #[cfg(test)]
    pub(super) fn inbox_bytes(&self) -> usize {
        let byte_count = |kept: &Kept| match kept {
            Kept::Stranger(stranger, _) => stranger.inbox.len(),
            Kept::Link(link) => link.inbox.len(),
            Kept::Connecting(_) => 0,
        };
        self.sockets.iter().map(|(_, kept, _)| byte_count(kept)).sum()
    }

    /// Bytes that wait to be sent, over all links.
    #[cfg(test)]
    pub(super) fn unsent_bytes(&self) -> usize {
        self.unsent_byte_count
    }

    /// Whether a link waits to be used elsewhere.
    #[cfg(test)]
    pub(super) fn has_lent(&self) -> bool {
        !self.lent.is_empty()
    }

    /// Bytes of memory for what has come and is not taken.
    #[cfg(test)]
    pub(super) fn inbox_capacity(&self) -> usize {
        let capacity = |kept: &Kept| match kept {
            Kept::Stranger(stranger, _) => stranger.inbox.capacity(),
            Kept::Link(link) => link.inbox.capacity(),
            Kept::Connecting(_) => 0,
        };
        self.sockets.iter().map(|(_, kept, _)| capacity(kept)).sum()
    }
}

impl MaybeStranger for Kept {
    fn stranger(&self) -> Option<&Stranger> {
        match self {
            Self::Stranger(stranger, _) => Some(stranger),
            _ => None,
        }
    }

    fn until_ms(&self) -> Option<u64> {
        match *self {
            Self::Stranger(Stranger { until_ms, .. }, _) => Some(until_ms),
            Self::Connecting(_) | Self::Link(_) => None,
        }
    }
}
