//! Links between servers over real sockets of the loopback address, through a real ring. Time is a
//! number that the tests advance.

mod ensemble;
mod learners;
mod lending;
mod links;
mod names;
mod plan;
mod several;
mod slow;
mod strangers;
mod world;

use super::complaints::Complaint;
use super::{Agreement, Lookup, Peers, PeersParts, Reach, Wake, system_lookup};
use crate::config::decided::{Families, Preference};
use engine::zab::{Configuration, Effect, Ensemble, Event, LinkId, Notice};
use model::host::Host;
use model::peer::address::Address;
use model::peer::hello::HelloForm;
use model::peer::membership::Membership;
use model::peer::notification::{ServerState, Vote};
use model::peer::packet::PacketLimits;
use model::server::ServerId;
use model::zxid::Zxid;
use net::listener::{Endpoint, ListenOptions, Listener};
use nix::sys::socket::{SockaddrIn, bind, getsockname, setsockopt, sockopt};
use ring::{Queue, Ring, RingConfig, Wait};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take to say who it is, in ms.
const HELLO_MS: u64 = 5_000;
const INTRODUCTION_MS: u64 = 10_000;
/// The same for connecting.
const CONNECT_MS: u64 = 3_000;

fn listener() -> Listener {
    let endpoint = Endpoint::One(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Listener::bind(endpoint, ListenOptions::default()).unwrap()
}

/// A port of this machine that only a listener of the test's takes, as long as the socket is there.
fn reserved() -> (OwnedFd, SocketAddr) {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let fd = net::outgoing::unconnected(any, net::outgoing::SocketOptions::default()).unwrap();
    setsockopt(&fd, sockopt::ReuseAddr, &true).unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let address: SockaddrIn = getsockname(fd.as_raw_fd()).unwrap();
    (fd, SocketAddrV4::from(address).into())
}

/// A server's address on this machine.
fn address(port: u16) -> Address {
    Address { host: Host::Ipv4(Ipv4Addr::LOCALHOST), port }
}

fn reach(election: u16, quorum: u16) -> Reach {
    Reach { election: vec![address(election)], quorum: vec![address(quorum)] }
}

fn lookup() -> Lookup {
    system_lookup(Families { has_ipv6: false, preference: Preference::Ipv4 })
}

fn no_wake() -> Wake {
    Arc::new(|| ())
}

fn parts(me: i64, election: u16, others: BTreeMap<ServerId, Reach>) -> PeersParts {
    PeersParts {
        me: ServerId(me),
        election: vec![address(election)],
        form: HelloForm::V1,
        check_ms: None,
        membership: Membership::majority(BTreeMap::new(), 0),
        can_change: false,
        others,
        connect_ms: CONNECT_MS,
        hello_ms: HELLO_MS,
        introduction_ms: INTRODUCTION_MS,
        leader_ms: INTRODUCTION_MS,
        keep_alive: false,
        observers_port: None,
        no_delay: true,
        packets: PacketLimits::default(),
    }
}

fn ensemble(me: i64, voters: i64) -> Ensemble {
    Ensemble::new(ServerId(me), Configuration::of_voters((1..=voters).map(ServerId)))
}

/// A notice that differs from others by its round.
fn notice(round: i64) -> Notice {
    let vote = Vote { leader: ServerId(1), zxid: Zxid(0), epoch: 0 };
    Notice { state: ServerState::Looking, vote, round }
}

/// An agreement that writes down what it is notified of.
#[derive(Default)]
struct Recorder {
    told: Vec<String>,
    /// Links whose packets it does not take.
    unread: Vec<LinkId>,
    /// It takes no packet once it was told so much.
    stops_at: Option<usize>,
}

impl Agreement for Recorder {
    fn handle(&mut self, event: Event<'_>) {
        self.told.push(match event {
            Event::Notification { from, notice } => format!("{from} in round {}", notice.round),
            Event::FromLearner(link, packet) => format!("{} says {:?}", link.0, packet.kind()),
            Event::FromLeader(link, packet) => format!("leader {} {:?}", link.0, packet.kind()),
            other => format!("{other:?}"),
        });
    }

    fn is_reading(&self, link: LinkId) -> bool {
        !self.unread.contains(&link) && self.stops_at.is_none_or(|at| self.told.len() < at)
    }
}

/// One server's links, with nobody but the test behind them.
struct Solo {
    ring: Ring,
    peers: Peers,
    recorder: Recorder,
    ensemble: Ensemble,
    now_ms: u64,
    /// Where it listens.
    election: SocketAddr,
    quorum: SocketAddr,
}

impl Solo {
    /// Server `me`, which knows of others.
    fn new(me: i64, others: BTreeMap<ServerId, Reach>) -> Self {
        Self::with_lookup(me, others, lookup())
    }

    fn with_lookup(me: i64, others: BTreeMap<ServerId, Reach>, lookup: Lookup) -> Self {
        Self::with(me, others, lookup, |_| ())
    }

    fn with(
        me: i64,
        others: BTreeMap<ServerId, Reach>,
        lookup: Lookup,
        change: impl FnOnce(&mut PeersParts),
    ) -> Self {
        let (election, quorum) = (listener(), listener());
        let (election_at, quorum_at) = (election.address, quorum.address);
        let ring = Ring::new(&RingConfig { receive_buffers: 16, ..RingConfig::default() });
        let mut ring = ring.unwrap();
        let waker = ring.waker();
        let mut parts = parts(me, election_at.port(), others);
        change(&mut parts);
        let mut peers = Peers::new(&parts, lookup, Arc::new(move || _ = waker.wake()));
        peers.listen_for_elections(&mut ring.queue(), election);
        peers.listen_for_learners(&mut ring.queue(), quorum);
        Self {
            ring,
            peers,
            recorder: Recorder::default(),
            ensemble: ensemble(me, 3),
            now_ms: 0,
            election: election_at,
            quorum: quorum_at,
        }
    }

    /// A turn; gives how many completions there were.
    fn turn(&mut self) -> usize {
        let Self { ring, peers, recorder, now_ms, .. } = self;
        peers.begin_turn(*now_ms);
        let count = ring.completions(|queue, completion| {
            // A waker's only purpose is the turn.
            if completion.token().is_some() {
                peers.handle(queue, completion, recorder);
            }
        });
        peers.sweep(&mut ring.queue(), recorder);
        peers.end_turn(&mut ring.queue());
        ring.turn(Wait::No).unwrap();
        count
    }

    /// Turns until nothing happens by itself.
    fn settle(&mut self) {
        for _ in 0..2 {
            while self.turn() > 0 || self.ring.has_completions() {}
        }
    }

    /// Turns until `is_done`; nothing for 10 s is a failure.
    fn until(&mut self, is_done: impl Fn(&Self) -> bool) {
        while !is_done(self) {
            if self.turn() == 0 && !is_done(self) {
                self.ring.sleep(Wait::Until(Duration::from_secs(10)), || false).unwrap();
                assert!(
                    self.ring.has_completions() || self.turn() > 0 || is_done(self),
                    "nothing happened; told: {:?}",
                    self.recorder.told
                );
            }
        }
    }

    /// Turns until so many events were told, and gives them.
    fn told(&mut self, count: usize) -> Vec<String> {
        self.until(|it| it.recorder.told.len() >= count);
        std::mem::take(&mut self.recorder.told)
    }

    /// Lets time pass at once.
    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.settle();
    }

    fn perform(&mut self, effect: Effect) {
        let Self { ring, peers, ensemble, .. } = self;
        let other = peers.perform(&mut ring.queue(), effect, ensemble);
        assert!(other.is_none(), "{other:?} is no effect of links");
    }

    fn ask<R>(&mut self, ask: impl FnOnce(&mut Peers, &mut Queue<'_>) -> R) -> R {
        ask(&mut self.peers, &mut self.ring.queue())
    }

    /// What was complained of, on both ports.
    fn complaints(&mut self) -> Vec<Complaint> {
        let elections = &mut self.peers.elections.complaints.made;
        let learners = &mut self.peers.learners.complaints.made;
        elections.drain(..).chain(learners.drain(..)).collect()
    }

    fn notify(&mut self, to: i64, round: i64) {
        self.perform(Effect::Notify { to: ServerId(to), notice: notice(round) });
    }

    /// Closes everything, and checks that nothing is left.
    fn end(mut self) {
        self.ask(Peers::stop);
        self.until(|it| it.peers.is_empty());
        self.settle();
        assert_eq!(self.ring.queue().in_flight(), 0);
    }
}

/// A connection of the test's.
fn connect(to: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(to).unwrap())
}

fn accept(listener: &TcpListener) -> TcpStream {
    patient(listener.accept().unwrap().0)
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn write(stream: &TcpStream, bytes: &[u8]) {
    let mut stream = stream;
    stream.write_all(bytes).unwrap();
}

/// Reads exactly so many bytes.
fn read(stream: &TcpStream, byte_count: usize) -> Vec<u8> {
    let mut stream = stream;
    let mut bytes = vec![0; byte_count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Whether the other side has closed a connection, whatever it had sent before.
fn is_closed(stream: &TcpStream) -> bool {
    let mut stream = stream;
    stream.set_nonblocking(true).unwrap();
    let mut bytes = [0; 4_096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => (),
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}
