//! The wire between servers: the sockets of the election port and of the quorum port.
//!
//! Performs the effects of agreement ([`engine::zab`]) that concern links (`Notify`, `Connect`,
//! `Send`, `Close`), and hands it what happens to links as events. It decides nothing about
//! agreement: who leads, what packets mean, whether a link is tried again for a leader.
//!
//! A loop uses it so, in each turn: [`Peers::begin_turn`]; [`Peers::handle`] for each completion of
//! its owners; [`Peers::sweep`], after which agreement's turn ends; [`Peers::perform`] for the
//! effects, as they come; [`Peers::end_turn`]. It may sleep until [`Peers::deadline_ms`] unless
//! [`Peers::is_busy`].
//!
//! The map: [`plan`] (from the configuration to what all this needs), `elections`, `learners` (the
//! two kinds of links), `resolver` (names), `tries` (several addresses of a server), `inbox`,
//! `outbox` (bytes that wait on either side of a socket), `late` (ports that are not free yet),
//! `observers` (the port of an observer master),
//! `roster` (whether others have this configuration), [`complaints`] (what is logged about others),
//! [`limits`].
//!
//! **Invariants**
//!
//! - Whatever is sent to either port by whomever, memory follows what has come, and only that
//!   connection is closed (guard: `tests::strangers`).
//! - Every queue and every number of connections is bounded (guard: `limits`, whose arithmetic is
//!   checked).
//! - Nothing here waits: names are looked up on a thread of their own (guard: `tests::names`).
//!
//! **What is deliberately not here**: agreement (`engine::zab`); the life of a socket
//! (`super::sockets`); snapshots, for which a link is lent ([`Peers::lend`]); TLS and SASL.
//!
//! Lives in: the core loop of the ordering role.

pub mod complaints;
mod elections;
mod inbox;
mod late;
mod learners;
pub mod limits;
mod observers;
mod outbox;
pub mod plan;
mod resolver;
mod roster;
mod strangers;
#[cfg(test)]
mod tests;
mod tries;

pub use inbox::Inbox;
pub use learners::{Departure, Lent, Traffic};
pub use resolver::{Lookup, Wake, system_lookup};

use super::inbox::PeerPort;
use super::sockets::Owner;
use super::token::Kind;
use elections::Elections;
use engine::zab::{Configuration, Effect, Ensemble, Event, LinkId};
use late::Late;
use learners::{Door, Learners};
use model::peer::address::Address;
use model::peer::hello::HelloForm;
use model::peer::membership::Membership;
use model::peer::packet::PacketLimits;
use model::server::ServerId;
use model::zxid::Zxid;
use net::listener::{Endpoint, ListenOptions, Listener};
use observers::ObserversPort;
use resolver::{Resolver, Sought};
use ring::{Completion, Queue};
use std::collections::BTreeMap;

/// The agreement that is notified of what happens to links.
///
/// Effects that follow from an event are performed after the call that handed it in.
pub trait Agreement {
    /// Handles an event of a link.
    fn handle(&mut self, event: Event<'_>);

    /// Whether packets of this link are to be handed in now.
    fn is_reading(&self, link: LinkId) -> bool;
}

/// Where another server is, in the order in which its addresses are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// For elections.
    pub election: Vec<Address>,
    /// For its learners.
    pub quorum: Vec<Address>,
}

/// What links are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeersParts {
    /// This server.
    pub me: ServerId,
    /// Where it says that it can be reached for elections: at all of these, or at the first.
    pub election: Vec<Address>,
    /// How it says that.
    pub form: HelloForm,
    /// How long each of several addresses is tried at first, in ms, and an election link to such
    /// a server may be silent about what was sent (`multiAddress.reachabilityCheckTimeoutMs`).
    pub check_ms: Option<u32>,
    /// The configuration, with which those of others are compared.
    pub membership: Membership,
    /// Whether a newer one of theirs is to be heard of.
    pub can_change: bool,
    /// The other servers of the configuration.
    pub others: BTreeMap<ServerId, Reach>,
    /// How long connecting to an address may take for an election link, in ms (`cnxTimeout`).
    pub connect_ms: u64,
    /// How long a connection to the election port may take to introduce itself, in ms
    /// (`quorumCnxnTimeoutMs`, or `syncLimit` ticks).
    pub hello_ms: u64,
    /// How long a connection to the quorum port may take for that, in ms (`initLimit` ticks).
    pub introduction_ms: u64,
    /// How long connecting to a leader may take, in ms (`connectToLearnerMasterLimit` ticks).
    pub leader_ms: u64,
    /// Whether silent peers of election links are probed (`tcpKeepAlive`).
    pub keep_alive: bool,
    /// Whether what goes to a leader is sent at once (`follower.nodelay`).
    pub no_delay: bool,
    /// Where followers serve observers, at each one's addresses.
    pub observers_port: Option<u16>,
    /// How long the fields of packets may be.
    pub packets: PacketLimits,
}

/// The links of one server to the others.
///
/// Lives in: the core loop of the ordering role.
pub struct Peers {
    me: ServerId,
    elections: Elections,
    learners: Learners,
    late: Late,
    observers: ObserversPort,
    resolver: Resolver,
}

impl Peers {
    /// No links yet. Names are found by `lookup`; `wake`, which any thread may call, makes the loop
    /// take a turn.
    pub fn new(parts: &PeersParts, lookup: Lookup, wake: Wake) -> Self {
        Self {
            me: parts.me,
            elections: Elections::new(parts),
            learners: Learners::new(parts),
            late: Late::default(),
            observers: ObserversPort::at(Vec::new(), ListenOptions::default()),
            resolver: Resolver::new(lookup, wake),
        }
    }

    /// Accepts connections for elections from now on.
    pub fn listen_for_elections(&mut self, queue: &mut Queue<'_>, listener: Listener) {
        self.elections.listen(queue, listener);
    }

    /// Accepts connections of learners from now on.
    pub fn listen_for_learners(&mut self, queue: &mut Queue<'_>, listener: Listener) {
        self.learners.listen(queue, listener);
    }

    /// Accepts connections at these places, and no longer where it did.
    pub fn listen_at(&mut self, queue: &mut Queue<'_>, port: PeerPort, listeners: Vec<Listener>) {
        match port {
            PeerPort::Election => {
                self.late.stop(port);
                self.elections.listen_at(queue, listeners);
            }
            PeerPort::Quorum => {
                self.late.stop(port);
                self.learners.listen_at(queue, listeners);
            }
        }
    }

    /// These configurations count from now on: other servers are where they say.
    fn configure(&mut self, current: &Configuration, next: Option<&Configuration>) {
        let mut others = BTreeMap::new();
        for configuration in [Some(current), next].into_iter().flatten() {
            for (&id, member) in configuration.membership().members() {
                others.insert(id, plan::reach(member));
            }
        }
        let own = others.remove(&self.me);
        self.elections.configure(current, &others, own.as_ref());
        self.learners.configure(others);
    }

    /// Accepts connections there once that is possible.
    pub fn listen_later(&mut self, port: PeerPort, endpoint: Endpoint, options: ListenOptions) {
        self.late.add(port, endpoint, options);
    }

    /// Observers are served there while agreement asks for that, which it has not done yet.
    pub fn will_serve_observers_at(&mut self, endpoints: Vec<Endpoint>, options: ListenOptions) {
        self.observers = ObserversPort::at(endpoints, options);
    }

    /// Observers are served there from now on, while agreement asks for that.
    pub fn serve_observers_at(
        &mut self,
        queue: &mut Queue<'_>,
        endpoints: Vec<Endpoint>,
        options: ListenOptions,
    ) {
        self.observers.place(queue, endpoints, options);
    }

    /// A turn begins: everything in it happens at this time, in ms of the monotonic clock.
    pub fn begin_turn(&mut self, now_ms: u64) {
        self.elections.begin_turn(now_ms);
        self.learners.begin_turn(now_ms);
    }

    /// An operation on a socket or listener of one of [`Peers`]' owners has completed.
    ///
    /// # Panics
    /// If it is of another owner.
    pub fn handle(
        &mut self,
        queue: &mut Queue<'_>,
        completion: Completion<'_>,
        agreement: &mut impl Agreement,
    ) {
        match completion.token().map(Kind::of) {
            Some(Kind::Accept(Owner::Elections, _) | Kind::Socket(Owner::Elections, _)) => {
                self.elections.handle(queue, completion, agreement);
            }
            Some(Kind::Accept(Owner::Learners, _) | Kind::Socket(Owner::Learners, _)) => {
                self.learners.handle(queue, completion, agreement);
            }
            Some(Kind::Accept(Owner::Observers, _)) => {
                match self.observers.handle(queue, completion) {
                    Some(Ok(fd)) => self.learners.accepted(queue, fd, Door::Observers),
                    Some(Err(errno)) => self.learners.accept_failed(errno),
                    None => (),
                }
            }
            other => panic!("{other:?} is of no link between servers"),
        }
    }

    /// Handles deadlines and the answers to look-ups, and hands in packets that were held back. To
    /// be called once a turn, before the agreement's turn ends.
    pub fn sweep(&mut self, queue: &mut Queue<'_>, agreement: &mut impl Agreement) {
        while let Some((sought, found)) = self.resolver.answer() {
            match sought {
                Sought::Election(id) => self.elections.resolved(queue, id, found),
                Sought::Learner(id) => self.learners.resolved(queue, id, found),
            }
        }
        for (port, listener) in self.late.bound(self.learners.now_ms()) {
            match port {
                PeerPort::Election => self.elections.listen(queue, listener),
                PeerPort::Quorum => self.learners.listen(queue, listener),
            }
        }
        self.observers.sweep(queue, self.learners.now_ms());
        self.elections.sweep(queue);
        self.learners.sweep(queue, agreement);
    }

    /// Performs an effect, if it is one of links; gives back any other. `ensemble` is the
    /// configuration in force.
    pub fn perform(
        &mut self,
        queue: &mut Queue<'_>,
        effect: Effect,
        ensemble: &Ensemble,
    ) -> Option<Effect> {
        match effect {
            Effect::Notify { to, notice } => self.elections.notify(to, notice, ensemble),
            Effect::Connect(attempt, to) => {
                self.learners.connect(queue, &mut self.resolver, (attempt, to), Door::Quorum);
            }
            Effect::ConnectToMaster(attempt, to) => {
                self.learners.connect(queue, &mut self.resolver, (attempt, to), Door::Observers);
            }
            Effect::OpenToObservers(is_open) => self.observers.open(queue, is_open),
            Effect::Send(link, message) => self.learners.send(queue, link, &message, ensemble),
            Effect::Close(link, why) => self.learners.close(queue, link, why),
            Effect::Configured { current, next } => self.configure(&current, next.as_deref()),
            other => return Some(other),
        }
        None
    }

    /// The end of a turn: begins attempts to connect that are due, and sends what was queued, in
    /// one send for each link.
    pub fn end_turn(&mut self, queue: &mut Queue<'_>) {
        self.elections.end_turn(queue, &mut self.resolver);
        self.learners.end_turn(queue);
        self.observers.end_turn(queue);
    }

    /// Whether the next turn has something to do though nothing completes.
    pub fn is_busy(&self, agreement: &impl Agreement) -> bool {
        self.learners.is_busy(agreement)
    }

    /// When a turn has something to do though nothing completes, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        let of_ports_ms = self.late.deadline_ms().min(self.observers.deadline_ms());
        self.elections.deadline_ms().min(self.learners.deadline_ms()).min(of_ports_ms)
    }

    /// Whether a learner link has so little unsent that another piece of the log should be read
    /// for it. What is read for a link that has no room counts against its bound.
    pub fn has_room(&self, link: LinkId) -> bool {
        self.learners.has_room(link)
    }

    /// The links of learners, in numbers.
    pub fn traffic(&self) -> impl Iterator<Item = (LinkId, Traffic)> {
        self.learners.traffic()
    }

    /// Forgets those numbers.
    pub fn forget_traffic(&mut self) {
        self.learners.forget_traffic();
    }

    /// This is the last txn that was proposed here.
    pub fn set_proposed(&mut self, proposed: Zxid) {
        self.learners.proposed = proposed;
    }

    /// The sends to learners that have begun since the last call.
    pub fn take_departures(&mut self) -> Vec<Departure> {
        self.learners.take_departures()
    }

    /// Lends a learner link, for a snapshot: it is among [`Self::take_lent`] once everything that
    /// waits for it is sent. False if it has ended.
    pub fn lend(&mut self, queue: &mut Queue<'_>, link: LinkId) -> bool {
        self.learners.lend(queue, link)
    }

    /// Links that were to be lent, and can be used now.
    pub fn take_lent(&mut self) -> Vec<Lent> {
        self.learners.take_lent()
    }

    /// Takes back a link that was lent.
    pub fn take_back(&mut self, queue: &mut Queue<'_>, lent: Lent) {
        self.learners.take_back(queue, lent);
    }

    /// Closes everything, because the server stops.
    pub fn stop(&mut self, queue: &mut Queue<'_>) {
        self.late.stop(PeerPort::Election);
        self.late.stop(PeerPort::Quorum);
        self.observers.open(queue, false);
        self.elections.stop(queue);
        self.learners.stop(queue);
    }

    /// Whether there is no socket left, and no operation in flight for one.
    pub fn is_empty(&self) -> bool {
        self.elections.is_empty() && self.learners.is_empty()
    }
}
