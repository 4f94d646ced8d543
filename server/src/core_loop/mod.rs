//! A core loop: one pinned thread with one ring, hosting a shard, the ordering role, or both.
//!
//! A turn: reap completions; publish what became durable; run each role; queue sends and writes;
//! one system call that submits all of it and sleeps only if nothing is left to do.
//!
//! Invariant: a loop sleeps only after it has checked again everything that other threads write for
//! it: its inbox, its queues, the published version (guard: `ring`'s wake protocol).

mod agreement;
mod catching_up;
mod clients;
mod history;
mod inbox;
mod incoming;
mod links;
mod log_writer;
mod meters;
mod oracle;
mod pace;
pub mod peers;
mod rare;
mod reports;
mod sockets;
mod token;
mod transfers;

pub use agreement::AgreementFailure;
pub use clients::{Clients, Dealt};
pub use history::{History, HistoryParts};
pub use inbox::{LoopInbox, LoopMessage, PeerPort};
pub use links::{OrderingLink, ShardLink, link};
pub use log_writer::LogWriterParts;
pub use sockets::{Detached, End, Event, Owner, Place, Sender, Sockets, Spent};

use crate::clock::Clock;
use agreement::Hearing;
use engine::limits::RECLAIM_PER_TURN;
use engine::settings::Now;
use model::zxid::Zxid;
use net::listener::Listener;
use pace::Pace;
use peers::Peers;
use ring::{Completion, Ring, RingConfig, RingError, Wait};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use token::Kind;
use tracing::debug;
use txlog::AppendFailure;

/// How long a stopping loop waits for its clients to read their last answers, in ms.
const DRAIN_MS_MAX: u64 = 5_000;

/// The longest sleep, in ms: nothing is due for longer than this in practice.
const SLEEP_MS_MAX: u64 = 60_000;

/// Why a core loop ended before it was asked to.
#[derive(Debug, Error)]
pub enum LoopError {
    /// A system call failed.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The log can no longer be written: what was not acknowledged yet never will be.
    #[error("{0}; the server stops so that nothing is acknowledged that is not durable")]
    Log(AppendFailure),
    /// The server cannot be one of its ensemble any more.
    #[error(transparent)]
    Agreement(AgreementFailure),
}

/// What a loop hosts and is connected to.
pub struct LoopParts {
    /// Its shard.
    pub clients: Option<Clients>,
    /// The link to an ordering role on another loop.
    pub link: Option<ShardLink>,
    /// The ordering role.
    pub history: Option<History>,
    /// The links to shards on other loops.
    pub links: Vec<OrderingLink>,
    /// The links to other servers, beside the ordering role of a server of an ensemble.
    pub peers: Option<Peers>,
    /// Where other servers connect: for elections, and as learners.
    pub peer_listeners: [Vec<Listener>; 2],
    /// The mailboxes of all loops by shard, for handing over accepted clients.
    pub by_shard: Vec<Arc<LoopInbox>>,
    /// Listeners, on the first shard's loop.
    pub listeners: Vec<Listener>,
    /// The admin thread's inquiries.
    pub inquiries: crate::admin::inquiry::InquiryInbox,
    /// How long it may spin before it sleeps, in us.
    pub spin_us: u32,
    /// The process's clock.
    pub clock: Clock,
}

/// A core loop.
pub struct CoreLoop {
    ring: Ring,
    inbox: Arc<LoopInbox>,
    parts: LoopParts,
    stopping_since_ms: Option<u64>,
    /// Whether inquiries of the admin thread may be unanswered.
    is_asked: bool,
    pace: Pace,
}

impl CoreLoop {
    /// Creates the ring of the calling thread; `inbox` can wake it from now on.
    pub fn ring(inbox: &LoopInbox, config: &RingConfig) -> Result<Ring, RingError> {
        let ring = Ring::new(config)?;
        inbox.set_waker(ring.waker());
        Ok(ring)
    }

    /// Creates a loop on the calling thread.
    pub fn new(mut ring: Ring, inbox: Arc<LoopInbox>, mut parts: LoopParts) -> Self {
        let listeners = std::mem::take(&mut parts.listeners);
        let [for_elections, for_learners] = std::mem::take(&mut parts.peer_listeners);
        if let Some(peers) = &mut parts.peers {
            let queue = &mut ring.queue();
            for listener in for_elections {
                peers.listen_for_elections(queue, listener);
            }
            for listener in for_learners {
                peers.listen_for_learners(queue, listener);
            }
        }
        if let Some(clients) = &mut parts.clients {
            for listener in listeners {
                clients.listen(&mut ring.queue(), listener);
            }
        }
        Self { ring, inbox, parts, stopping_since_ms: None, is_asked: false, pace: Pace::default() }
    }

    /// Runs until it is asked to stop and everything admitted is answered. Returns what the log is
    /// then known to hold, if this loop has the log.
    pub fn run(mut self) -> Result<Option<Zxid>, LoopError> {
        loop {
            let now = self.parts.clock.now();
            self.inbox.begin_turn(now.mono_ms);
            self.pace.begin();
            self.turn(now);
            if let (Some(busy), Some(clients)) = (self.pace.end(now.mono_ms), &self.parts.clients) {
                clients.report_busy(busy);
            }
            if let Some(failure) = self.parts.history.as_ref().and_then(History::failure) {
                return Err(LoopError::Log(*failure));
            }
            let history = self.parts.history.as_ref();
            if let Some(failure) = history.and_then(History::agreement_failure) {
                return Err(LoopError::Agreement(failure.clone()));
            }
            if self.is_done(now) {
                return Ok(self.parts.history.as_ref().and_then(History::reached));
            }
            self.wait(now)?;
        }
    }

    fn turn(&mut self, now: Now) {
        let Self { ring, parts, .. } = self;
        if let Some(clients) = &mut parts.clients {
            clients.begin_turn(now);
        }
        if let Some(peers) = &mut parts.peers {
            peers.begin_turn(now.mono_ms);
        }
        let count = ring.completions(|queue, completion| dispatch(parts, queue, completion, now));
        let mut is_quiet = count == 0 && !ring.has_completions();
        if self.inbox.has_messages() {
            is_quiet = false;
            self.is_asked = true;
            self.receive(now);
        }
        if self.is_asked {
            self.is_asked = reports::answer_some(&mut self.parts, now);
        }
        if let Some(history) = &mut self.parts.history {
            history.report_log(&self.inbox, now);
        }
        self.hear(now);
        self.perform(now);
        self.roles(now, is_quiet);
        if let Some(peers) = &mut self.parts.peers {
            peers.end_turn(&mut self.ring.queue());
            let departures = peers.take_departures();
            if let Some(history) = &mut self.parts.history {
                history.departed(&departures);
            }
        }
        if let Some(clients) = &mut self.parts.clients {
            clients.sweep(&mut self.ring.queue(), now.mono_ms);
            clients.end_turn(&mut self.ring.queue(), now.mono_ms);
            for dealt in clients.take_dealt() {
                let shard = usize::from(dealt.seat.shard());
                self.parts.by_shard[shard].send(LoopMessage::Dealt(dealt));
            }
            clients.dealt();
        }
        if let Some(history) = &mut self.parts.history {
            history.reclaim(RECLAIM_PER_TURN);
        }
    }

    /// Runs each role until neither has anything left for the other. What a fused loop publishes
    /// without the log is answered in the same turn. `is_quiet` if there were no completions and no
    /// messages of other loops.
    fn roles(&mut self, now: Now, is_quiet: bool) {
        loop {
            let Self { ring, parts, .. } = self;
            if let Some(clients) = &mut parts.clients {
                serve(clients, &mut parts.link, &mut ring.queue(), is_quiet);
            }
            let Some(history) = &mut parts.history else { return };
            if let Some(clients) = &mut parts.clients
                && history.is_admitting()
            {
                for message in clients.shard.take_messages() {
                    history.handle_message(message, now);
                }
            }
            for link in &mut parts.links {
                while history.is_admitting()
                    && let Ok(message) = link.from_shard.pop()
                {
                    history.handle_message(message, now);
                }
            }
            history.end_turn(now);
            let is_published = self.perform(now);
            let Self { ring, inbox, parts, .. } = self;
            if let Some(history) = &mut parts.history {
                history.depart(&mut ring.queue(), inbox, now);
                history.report_log(inbox, now);
            }
            if !is_published || parts.clients.is_none() {
                return;
            }
        }
    }

    /// Hands to agreement what links have for it without a completion.
    fn hear(&mut self, now: Now) {
        let LoopParts { peers, history, .. } = &mut self.parts;
        if let (Some(peers), Some(history)) = (peers, history) {
            peers.sweep(&mut self.ring.queue(), &mut Hearing { history, now });
        }
    }

    /// Performs the replica's effects. True if something was published.
    fn perform(&mut self, now: Now) -> bool {
        let LoopParts { history, clients, links, peers, .. } = &mut self.parts;
        let Some(history) = history else { return false };
        let is_published = history.perform(&self.inbox, now, |shard, message| {
            match (links.iter_mut().find(|link| link.shard == shard), &mut *clients) {
                (Some(link), _) => {
                    link.send(message);
                    link.wake();
                }
                (None, Some(clients)) => clients.shard.handle(message),
                (None, None) => (),
            }
        });
        if let Some(peers) = peers {
            history.perform_on_links(peers, &mut self.ring.queue(), &self.inbox);
            history.read_log(&self.inbox, |link| peers.has_room(link));
        }
        if is_published {
            links.iter_mut().for_each(OrderingLink::wake);
        }
        is_published
    }

    fn receive(&mut self, now: Now) {
        let messages = self.inbox.take();
        for message in messages {
            let parts = &mut self.parts;
            match message {
                LoopMessage::Dealt(dealt) => {
                    if let Some(clients) = &mut parts.clients {
                        clients.open(&mut self.ring.queue(), dealt);
                    }
                }
                LoopMessage::LeaveClients => {
                    if let Some(clients) = &mut parts.clients {
                        clients.stop_listening(&mut self.ring.queue());
                    }
                }
                LoopMessage::ListenForClients(listeners) => {
                    if let Some(clients) = &mut parts.clients
                        && self.stopping_since_ms.is_none()
                    {
                        clients.stop_listening(&mut self.ring.queue());
                        for listener in listeners {
                            clients.listen(&mut self.ring.queue(), listener);
                        }
                    }
                }
                LoopMessage::ListenForPeers(port, listeners) => {
                    if let Some(peers) = &mut parts.peers
                        && self.stopping_since_ms.is_none()
                    {
                        peers.listen_at(&mut self.ring.queue(), port, listeners);
                    }
                }
                LoopMessage::ObserversAt(endpoints, options) => {
                    if let Some(peers) = &mut parts.peers {
                        peers.serve_observers_at(&mut self.ring.queue(), endpoints, options);
                    }
                }
                LoopMessage::Stop => {
                    debug!("stopping");
                    self.stopping_since_ms.get_or_insert(now.mono_ms);
                    if let Some(clients) = &mut parts.clients {
                        clients.stop_listening(&mut self.ring.queue());
                    }
                }
                message => {
                    if let Some(history) = &mut parts.history {
                        history.receive(message, now);
                    }
                }
            }
        }
    }

    /// Whether a stopping loop has answered everything it can.
    fn is_done(&mut self, now: Now) -> bool {
        let Some(since_ms) = self.stopping_since_ms else { return false };
        let is_late = now.mono_ms > since_ms + DRAIN_MS_MAX;
        let is_answered = self.parts.clients.as_ref().is_none_or(|clients| {
            !clients.shard.has_messages() && clients.shard.outstanding() == 0
        });
        let is_quiet = self.parts.links.iter().all(|link| link.from_shard.is_empty());
        let is_idle = self.parts.history.as_ref().is_none_or(History::is_idle);
        if !(is_late || is_answered && is_quiet && is_idle) {
            return false;
        }
        if let Some(clients) = &mut self.parts.clients
            && !clients.is_empty()
        {
            clients.close_some(&mut self.ring.queue());
            return is_late;
        }
        // Shards on other loops may still hand over writes: the ordering role ends last.
        let has_shards = self.parts.links.iter().any(|link| !link.from_shard.is_abandoned());
        if has_shards && !is_late {
            return false;
        }
        if let Some(history) = &mut self.parts.history {
            history.transfers.end_all();
        }
        if let Some(peers) = &mut self.parts.peers {
            peers.stop(&mut self.ring.queue());
            if !peers.is_empty() && !is_late {
                return false;
            }
        }
        match &mut self.parts.history {
            Some(history) => !history.end_log(&mut self.ring.queue(), &self.inbox, now) || is_late,
            None => true,
        }
    }

    /// Submits, and sleeps if nothing is left to do.
    fn wait(&mut self, now: Now) -> Result<(), LoopError> {
        let has_held_packets = self.has_held_packets(now);
        let parts = &self.parts;
        let is_stopping = self.stopping_since_ms.is_some();
        // Writes that the ordering role does not admit wait for the log, not for another turn.
        let is_admitting = parts.history.as_ref().is_none_or(History::is_admitting);
        let is_busy = parts.clients.as_ref().is_some_and(|clients| {
            clients.shard.has_queued()
                || clients.is_sweeping()
                || is_admitting && clients.shard.has_messages()
        }) || self.is_asked
            || parts.link.as_ref().is_some_and(ShardLink::is_waiting)
            || parts.links.iter().any(OrderingLink::is_waiting)
            || parts.history.as_ref().is_some_and(History::is_busy)
            || has_held_packets;
        if is_busy {
            return Ok(self.ring.turn(Wait::No)?);
        }
        if parts.spin_us > 0 && self.spin()? {
            return Ok(());
        }
        let deadline_ms = deadline_ms(&self.parts);
        let most_ms = if is_stopping { 10 } else { SLEEP_MS_MAX };
        let sleep_ms = deadline_ms.saturating_sub(now.mono_ms).clamp(1, most_ms);
        self.inbox.fall_asleep();
        let (inbox, parts) = (&self.inbox, &self.parts);
        let has_work = || inbox.has_messages() || is_handed_something(parts);
        self.ring.sleep(Wait::Until(Duration::from_millis(sleep_ms)), has_work)?;
        Ok(())
    }

    /// Whether packets of other servers that had to wait can be handed in now.
    fn has_held_packets(&mut self, now: Now) -> bool {
        let LoopParts { peers, history, .. } = &mut self.parts;
        match (peers, history) {
            (Some(peers), Some(history)) => peers.is_busy(&Hearing { history, now }),
            _ => false,
        }
    }

    /// Spins for a short time instead of sleeping. True if there is work.
    fn spin(&mut self) -> Result<bool, LoopError> {
        self.ring.turn(Wait::No)?;
        let start = std::time::Instant::now();
        let limit = Duration::from_micros(u64::from(self.parts.spin_us));
        while start.elapsed() < limit {
            if self.ring.has_completions() || is_handed_something(&self.parts) {
                return Ok(true);
            }
            std::hint::spin_loop();
        }
        Ok(false)
    }
}

/// Whether another loop has left something for this one.
fn is_handed_something(parts: &LoopParts) -> bool {
    let is_behind = parts.clients.as_ref().is_some_and(|clients| {
        let reader = clients.shard.reader();
        reader.published() != reader.version()
    });
    is_behind
        || parts.link.as_ref().is_some_and(|link| !link.from_ordering.is_empty())
        || parts.history.as_ref().is_some_and(History::is_admitting)
            && parts.links.iter().any(|link| !link.from_shard.is_empty())
}

fn deadline_ms(parts: &LoopParts) -> u64 {
    let shard = parts.clients.as_ref().map_or(u64::MAX, Clients::deadline_ms);
    let history = parts.history.as_ref().map_or(u64::MAX, History::deadline_ms);
    let peers = parts.peers.as_ref().map_or(u64::MAX, Peers::deadline_ms);
    shard.min(history).min(peers)
}

/// A shard's part of a turn: handles messages of the ordering role and what was published, answers
/// reads.
fn serve(
    clients: &mut Clients,
    link: &mut Option<ShardLink>,
    queue: &mut ring::Queue<'_>,
    is_quiet: bool,
) {
    if let Some(link) = link {
        while let Ok(message) = link.from_ordering.pop() {
            clients.shard.handle(message);
        }
    }
    clients.shard.drain();
    let mut refused = Vec::new();
    clients.shard.serve(|connection, why| refused.push((connection, why)));
    for (connection, why) in refused {
        clients.refuse(queue, connection, why);
    }
    clients.shard.report_touches(is_quiet);
    if let Some(link) = link {
        link.send(clients.shard.take_messages());
    }
}

fn dispatch(
    parts: &mut LoopParts,
    queue: &mut ring::Queue<'_>,
    completion: Completion<'_>,
    now: Now,
) {
    let LoopParts { clients, history, peers, .. } = parts;
    match completion.token().map(Kind::of) {
        Some(Kind::Accept(Owner::Clients, _) | Kind::Socket(Owner::Clients, _)) => {
            if let Some(clients) = clients {
                clients.handle(queue, completion);
            }
        }
        Some(Kind::Accept(..) | Kind::Socket(..)) => {
            if let (Some(peers), Some(history)) = (peers, history) {
                peers.handle(queue, completion, &mut Hearing { history, now });
            }
        }
        Some(Kind::Write(slot)) => {
            if let (Completion::Written { buffer, result, .. }, Some(history)) =
                (completion, history)
            {
                history.written(slot, buffer, result);
            }
        }
        Some(Kind::Flush(_)) => {
            if let (Completion::Flushed { result, .. }, Some(history)) = (completion, history) {
                history.flushed(result);
            }
        }
        // A waker's only purpose is the turn.
        None => (),
    }
}
