//! Sockets on a real ring, over socketpairs and the loopback address.

mod accepting;
mod connecting;
mod endings;
mod places;
mod traffic;

use super::{End, Event, Owner, Place, Sockets, Spent};
use crate::core_loop::token::Kind;
use ring::{Errno, Queue, Ring, RingConfig, Wait};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// What an owner has been told, without what it was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Accepted,
    AcceptFailed(Errno),
    Opened(Place),
    NotConnected(Errno),
    Sent(Place, usize, Result<(), Errno>),
    Returned(usize),
    Ended(Place, End),
    /// With the bytes of the last send, if that was the last operation.
    Detached(Option<usize>),
}

impl Told {
    /// Bytes of a send that has come back after its socket was closed or detached.
    fn returned_bytes(self) -> usize {
        match self {
            Self::Returned(bytes) => bytes,
            Self::Detached(bytes) => bytes.unwrap_or(0),
            _ => 0,
        }
    }
}

/// An owner with its loop. It keeps a count of references with each socket, so that it sees what
/// has been dropped.
struct Turner {
    ring: Ring,
    sockets: Sockets<Rc<()>>,
    kept: Rc<()>,
    told: Vec<Told>,
    received: Vec<u8>,
    /// Descriptors that were accepted or detached.
    fds: Vec<OwnedFd>,
    /// The kernel's names of the sockets that were taken over.
    names: Vec<String>,
}

/// The kernels that there are: receives that stay armed, and receives that do not.
fn turners() -> [Turner; 2] {
    [true, false].map(|multishot_receive| {
        let config = RingConfig { multishot_receive, receive_buffers: 16, ..RingConfig::default() };
        Turner {
            ring: Ring::new(&config).unwrap(),
            sockets: Sockets::new(Owner::Clients),
            kept: Rc::new(()),
            told: Vec::new(),
            received: Vec::new(),
            fds: Vec::new(),
            names: Vec::new(),
        }
    })
}

/// The kernel's name of an open file.
fn name_of(fd: impl AsFd) -> String {
    let link = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    std::fs::read_link(link).unwrap().to_str().unwrap().to_owned()
}

/// More than the buffers of a socket hold.
fn flood() -> Vec<u8> {
    vec![7; 8 << 20]
}

impl Turner {
    /// Opens one end of a pair; gives its place and the other end.
    fn open(&mut self) -> (Place, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (self.take_over(ours.into()), theirs)
    }

    fn take_over(&mut self, fd: OwnedFd) -> Place {
        self.names.push(name_of(&fd));
        let kept = self.kept.clone();
        self.sockets.open(&mut self.ring.queue(), fd, kept)
    }

    /// Asks something of the sockets.
    fn ask<R>(&mut self, ask: impl FnOnce(&mut Sockets<Rc<()>>, &mut Queue<'_>) -> R) -> R {
        ask(&mut self.sockets, &mut self.ring.queue())
    }

    /// Sends, which must be possible.
    fn send(&mut self, place: Place, bytes: Vec<u8>) {
        let sender = self.sockets.sender(place).expect("nothing is in flight");
        sender.send(&mut self.ring.queue(), bytes);
    }

    fn close(&mut self, place: Place) {
        self.ask(|sockets, queue| sockets.close(queue, place));
    }

    /// Submits what is queued, and takes in what has completed by then.
    fn submit(&mut self) {
        self.ring.turn(Wait::No).unwrap();
        self.reap();
    }

    /// Submits until the kernel has nothing to do or to report by itself: what is in flight then
    /// waits for the peer. A send that the kernel is about to retry, as it does over and over where
    /// the peer has closed its side, is not found by a cancel.
    fn settle(&mut self) {
        loop {
            self.ring.turn(Wait::No).unwrap();
            if self.reap() == 0 && !self.ring.has_completions() {
                return;
            }
        }
    }

    /// Turns until `is_done`; nothing for 10 s is a failure.
    fn until(&mut self, is_done: impl Fn(&mut Self) -> bool) {
        while !is_done(self) {
            self.ring.turn(Wait::Until(Duration::from_secs(10))).unwrap();
            assert!(self.reap() > 0, "nothing happened; told: {:?}", self.told);
        }
    }

    /// Turns until this many events have been told, and gives them.
    fn told(&mut self, count: usize) -> Vec<Told> {
        self.until(|it| it.told.len() >= count);
        std::mem::take(&mut self.told)
    }

    /// Turns until so much has been received, and gives it.
    fn received(&mut self, count: usize) -> Vec<u8> {
        self.until(|it| it.received.len() >= count);
        std::mem::take(&mut self.received)
    }

    /// Operations in flight, of all sockets and listeners.
    fn in_flight(&mut self) -> usize {
        self.ring.queue().in_flight()
    }

    /// Pauses a socket, the only one, until nothing is in flight.
    fn pause(&mut self, place: Place) {
        self.ask(|sockets, queue| sockets.pause(queue, place));
        self.until(|it| it.in_flight() == 0);
    }

    fn reap(&mut self) -> usize {
        let Self { ring, sockets, told, received, fds, .. } = self;
        ring.completions(|queue, completion| {
            assert!(completion.token().is_some_and(is_ours));
            let event = sockets.handle(queue, completion);
            told.push(match event {
                Event::Received { bytes, .. } => return received.extend_from_slice(bytes),
                Event::Nothing => return,
                Event::Accepted(fd) => {
                    fds.push(fd);
                    Told::Accepted
                }
                Event::AcceptFailed(errno) => Told::AcceptFailed(errno),
                Event::Opened(place) => Told::Opened(place),
                Event::NotConnected { errno, .. } => Told::NotConnected(errno),
                Event::Sent { place, spent, result } => Told::Sent(place, checked(&spent), result),
                Event::Returned(spent) => Told::Returned(checked(&spent)),
                Event::Ended { place, end } => Told::Ended(place, end),
                Event::Detached(detached) => {
                    fds.push(detached.fd);
                    Told::Detached(detached.spent.as_ref().map(checked))
                }
            });
        })
    }

    /// Turns until no socket is left, and checks that nothing else is.
    fn assert_empty(&mut self) {
        self.until(|it| it.sockets.is_empty());
        // The last close may only be queued.
        self.submit();
        assert!(self.told.is_empty(), "{:?}", self.told);
        assert_eq!(self.in_flight(), 0);
        assert_eq!(Rc::strong_count(&self.kept), 1, "what was kept is dropped");
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let open: Vec<_> = links.filter_map(|link| std::fs::read_link(link.path()).ok()).collect();
        for name in &self.names {
            assert!(!open.iter().any(|link| link.to_str() == Some(name)), "{name} is still open");
        }
    }
}

/// Bytes of a send whose buffer came back as it should.
fn checked(spent: &Spent) -> usize {
    assert!(spent.buffer.is_empty() && spent.buffer.capacity() >= spent.bytes);
    spent.bytes
}

fn is_ours(token: ring::Token) -> bool {
    matches!(Kind::of(token), Kind::Accept(Owner::Clients, _) | Kind::Socket(Owner::Clients, _))
}

/// Reads to the end, whatever kind of end it is.
fn drain(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// The peer breaks the connection: of a pair of sockets, by leaving what it was sent unread.
fn reset(turner: &mut Turner, place: Place, theirs: UnixStream) {
    turner.send(place, b"unread".to_vec());
    assert_eq!(turner.told(1), [Told::Sent(place, 6, Ok(()))]);
    drop(theirs);
}

fn write(stream: &UnixStream, bytes: &[u8]) {
    let mut stream = stream;
    stream.write_all(bytes).unwrap();
}
