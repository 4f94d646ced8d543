//! Who leads: the four-letter word `srvr`, asked of all servers at once.
//!
//! Nothing here waits: a server that is frozen accepts a connection and never answers, and the load
//! on the others must not notice. Answers are collected between the turns of the loop.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{self, SockFlag, SockaddrStorage};

use crate::limits::{INQUIRY_BYTES_MAX, INQUIRY_NS_MAX, INQUIRY_PAUSE_NS, INQUIRY_POLL_NS};
use crate::source;

/// What a server that serves says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It decides the order of writes; so does a server without others.
    Leader,
    /// It learns from the leader, with a vote or without.
    Follower,
}

impl Role {
    /// The line `Mode:` of an answer to `srvr`; a server without a quorum has none.
    pub(super) fn parse(answer: &str) -> Option<Self> {
        let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "))?;
        match mode.trim() {
            "leader" | "standalone" => Some(Self::Leader),
            "follower" | "observer" => Some(Self::Follower),
            _ => None,
        }
    }
}

/// The question to one server.
struct Question {
    stream: Option<TcpStream>,
    is_sent: bool,
    answer: Vec<u8>,
}

impl Question {
    fn new(address: SocketAddr) -> Self {
        Self { stream: connect(address).ok(), is_sent: false, answer: Vec::new() }
    }

    /// Does what is possible without waiting. Whether nothing more is to be expected.
    fn advance(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return true };
        let mut step = || -> io::Result<()> {
            if !self.is_sent {
                stream.write_all(b"srvr")?;
                self.is_sent = true;
            }
            let mut piece = [0; 1_024];
            while self.answer.len() < INQUIRY_BYTES_MAX {
                match stream.read(&mut piece)? {
                    0 => break,
                    count => self.answer.extend_from_slice(&piece[..count]),
                }
            }
            Ok(())
        };
        let is_waiting = step().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        if !is_waiting {
            self.stream = None;
        }
        !is_waiting
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = source::socket(address, 0, SockFlag::SOCK_NONBLOCK)?;
    match socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(socket)),
        Err(errno) => Err(errno.into()),
    }
}

/// What the servers are, as far as they have said. Lives in: the stage.
///
/// Invariant: what [`Self::known_since`] returns was asked at that time or later.
pub(crate) struct Roles {
    addresses: Vec<SocketAddr>,
    known: Vec<Option<Role>>,
    /// When those were asked; `None` before the first answer.
    known_ns: Option<u64>,
    questions: Vec<Question>,
    asked_ns: u64,
    /// The latest time that an answer is wanted of, if it is not known yet.
    wanted_ns: Option<u64>,
    next_ns: u64,
}

impl Roles {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            known: vec![None; addresses.len()],
            addresses,
            known_ns: None,
            questions: Vec::new(),
            asked_ns: 0,
            wanted_ns: None,
            next_ns: 0,
        }
    }

    /// The roles as they were at `since_ns` or later; asks for them if they are not known.
    pub(crate) fn known_since(&mut self, since_ns: u64) -> Option<&[Option<Role>]> {
        if self.known_ns.is_some_and(|known_ns| known_ns >= since_ns) {
            return Some(&self.known);
        }
        self.wanted_ns = self.wanted_ns.max(Some(since_ns));
        None
    }

    /// When to call [`Self::advance`], if there is a reason.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.wanted_ns.map(|_| self.next_ns)
    }

    /// Asks, and takes the answers that have arrived.
    pub(crate) fn advance(&mut self, now_ns: u64) {
        if self.wanted_ns.is_none() || now_ns < self.next_ns {
            return;
        }
        self.next_ns = now_ns + INQUIRY_POLL_NS;
        if self.questions.is_empty() {
            self.asked_ns = now_ns;
            self.questions = self.addresses.iter().map(|address| Question::new(*address)).collect();
        }
        let is_over = now_ns - self.asked_ns > INQUIRY_NS_MAX;
        let open = self.questions.iter_mut().filter_map(|it| (!it.advance()).then_some(())).count();
        if open > 0 && !is_over {
            return;
        }
        let answers = self.questions.drain(..);
        let roles = answers.map(|it| Role::parse(&String::from_utf8_lossy(&it.answer)));
        self.known = roles.collect();
        self.known_ns = Some(self.asked_ns);
        self.next_ns = now_ns + INQUIRY_PAUSE_NS;
        self.wanted_ns = self.wanted_ns.filter(|wanted_ns| *wanted_ns > self.asked_ns);
    }
}
