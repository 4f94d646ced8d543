//! One of the two sides: its servers, and the clients' connections to them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use harness::client::frame;
use harness::{Body, Handshake, Server, code, opcode};

use super::reply::{Frame, Names, created_path, listed_names};
use super::request::{Call, Sequentials};
use super::stream::{Return, SLOTS};

/// After this time an answer is missing, not late.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Several pings of an ensemble's leader, which are half a tick apart.
const PINGS: Duration = Duration::from_millis(500);
/// A loaded machine is slow to reach what is certain to happen.
pub(super) const CONDITION_MAX: Duration = Duration::from_secs(60);

/// A client: the session it holds, and the connection if there is one.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// 0: none.
    session: i64,
    password: Vec<u8>,
    timeout_ms: i32,
    /// The newest zxid it has received.
    pub(super) seen: i64,
    /// The server of its next connection.
    pub(super) at: usize,
    pub(super) link: Option<Link>,
}

#[derive(Debug)]
pub(super) struct Link {
    /// The server at the other end.
    pub(super) at: usize,
    stream: BufReader<TcpStream>,
    pub(super) next_xid: i32,
    /// Kinds of the requests without an answer.
    waiting: VecDeque<i32>,
}

/// Why a connection receives nothing more.
#[derive(Debug)]
pub(super) enum End {
    Closed,
    Silent,
}

/// What came back for some requests.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) lines: Vec<String>,
    /// Sequential nodes created, in order.
    pub(super) created: Vec<String>,
    /// The names of each list of children.
    pub(super) lists: Vec<Vec<String>>,
}

/// Servers and their clients.
#[derive(Debug)]
pub(super) struct Side {
    /// One, or those of an ensemble.
    pub(super) servers: Vec<Server>,
    /// The one that leads an ensemble, as `standing` has last found.
    pub(super) leader: usize,
    pub(super) names: Names,
    pub(super) clients: Vec<Client>,
}

impl Side {
    /// Running servers with no client yet. One slot more than streams use is the auditor's; in an
    /// ensemble each server has a probe as well.
    pub(super) fn new(servers: Vec<Server>) -> Self {
        let mut side = Self { servers, leader: 0, names: Names::default(), clients: Vec::new() };
        side.clients.resize_with(SLOTS + 1, Client::default);
        if side.is_ensemble() {
            side.names.count_epochs();
            let probes = (0..side.servers.len()).map(|at| Client { at, ..Client::default() });
            side.clients.extend(probes);
        }
        side
    }

    pub(super) fn is_ensemble(&self) -> bool {
        self.servers.len() > 1
    }

    pub(super) fn has_session(&self, slot: usize) -> bool {
        self.clients[slot].session != 0
    }

    pub(super) fn is_linked(&self, slot: usize) -> bool {
        self.clients[slot].link.is_some()
    }

    /// A new session, or a refusal.
    pub(super) fn open(
        &mut self,
        slot: usize,
        requested: (i32, Option<bool>),
        ahead: bool,
    ) -> String {
        self.hang_up(slot);
        let Client { seen, at, .. } = self.clients[slot];
        self.clients[slot] = Client { at, ..Client::default() };
        let handshake = Handshake {
            timeout_ms: requested.0,
            read_only: requested.1,
            last_zxid_seen: if ahead { seen + 1_000_000 } else { seen },
            ..Handshake::default()
        };
        self.shake_hands(slot, &handshake)
    }

    /// Reconnects to the slot's session.
    pub(super) fn come_back(&mut self, slot: usize, how: &Return) -> String {
        let mut old = None;
        if how.hang_up {
            self.hang_up(slot);
        } else {
            old = self.clients[slot].link.take();
        }
        let client = &self.clients[slot];
        let mut password = client.password.clone();
        if how.wrong_password {
            password[3] ^= 1;
        }
        let handshake = Handshake {
            timeout_ms: how.timeout_ms,
            session_id: client.session,
            password,
            read_only: how.read_only,
            last_zxid_seen: client.seen,
            ..Handshake::default()
        };
        let mut line = self.shake_hands(slot, &handshake);
        if let Some(mut old) = old {
            let moved = self.clients[slot].link.as_ref().is_some_and(|link| link.at != old.at);
            if moved {
                return line + &self.ask_stale(old);
            }
            // What the old connection received before it was closed depends on timing.
            let end = loop {
                if let Err(end) = old.read() {
                    break end;
                }
            };
            write!(line, ", the old connection {end:?}").expect("a string takes all");
        }
        line
    }

    fn shake_hands(&mut self, slot: usize, handshake: &Handshake) -> String {
        let at = self.reachable(slot);
        let stream = TcpStream::connect(self.servers[at].address()).expect("server listens");
        stream.set_nodelay(true).expect("own socket");
        stream.set_read_timeout(Some(ANSWER_MAX)).expect("own socket");
        let mut link =
            Link { at, stream: BufReader::new(stream), next_xid: 1, waiting: VecDeque::new() };
        let mut body = Body::new()
            .int(handshake.protocol_version)
            .long(handshake.last_zxid_seen)
            .int(handshake.timeout_ms)
            .long(handshake.session_id)
            .buffer(handshake.password.as_slice());
        if let Some(value) = handshake.read_only {
            body = body.boolean(value);
        }
        link.write(&frame(&body.0));
        let answer = match link.read() {
            Ok(answer) => answer,
            Err(end) => return format!("{end:?}, and no answer"),
        };
        let granted = i32::from_be_bytes(answer[4..8].try_into().expect("four bytes"));
        let session = i64::from_be_bytes(answer[8..16].try_into().expect("eight bytes"));
        let rest = &answer[36.min(answer.len())..];
        let is_new = session != self.clients[slot].session;
        let client = &mut self.clients[slot];
        if session == 0 {
            // With another password it would still exist.
            if handshake.password == client.password {
                client.session = 0;
            }
            return format!("refused: {answer:x?} then {:?}", link.read());
        }
        client.session = session;
        client.password = answer[20..36].to_vec();
        client.timeout_ms = granted;
        client.link = Some(link);
        let name = self.names.session(session);
        // The id of a session begins with the number of the server that opened it.
        let opener = if self.is_ensemble() { session >> 56 } else { 0 };
        format!("session {name} of {opener} new {is_new} timeout {granted} rest {rest:x?}")
    }

    pub(super) fn hang_up(&mut self, slot: usize) {
        if let Some(link) = self.clients[slot].link.take() {
            link.stream.get_ref().shutdown(Shutdown::Both).ok();
        }
    }

    /// Sends requests in one write.
    pub(super) fn send(&mut self, slot: usize, calls: &[Call], known: &Sequentials) {
        let client = &mut self.clients[slot];
        let Some(link) = &mut client.link else { return };
        let mut bytes = Vec::new();
        for call in calls {
            let body = call.encode(known, client.seen);
            let xid = call.xid(link.next_xid);
            let head = Body::new().int(xid).int(call.kind());
            bytes.extend(frame(&head.raw(&body.0).0));
            // A ping has a number of its own: how often a server is asked whether it has caught up
            // leaves no trace in what follows.
            link.next_xid += i32::from(xid == link.next_xid);
            link.waiting.push_back(call.kind());
        }
        link.write(&bytes);
    }

    /// Everything received until all requests are answered or the connection is closed.
    pub(super) fn answers(&mut self, slot: usize) -> Answers {
        let mut answers = Answers::default();
        let client = &mut self.clients[slot];
        let Some(link) = &mut client.link else { return answers };
        while let Some(kind) = link.waiting.front().copied() {
            let bytes = match link.read() {
                Ok(bytes) => bytes,
                Err(end) => {
                    answers.lines.push(format!("{end:?}"));
                    client.link = None;
                    return answers;
                }
            };
            let frame = Frame::decode(&bytes, Some(kind), &mut self.names);
            client.seen = client.seen.max(frame.zxid);
            answers.lines.push(frame.text);
            if frame.is_event {
                continue;
            }
            link.waiting.pop_front();
            answers.created.extend(created_path(kind, &bytes).filter(|path| is_sequential(path)));
            answers.lists.extend(listed_names(kind, &bytes));
            if kind == opcode::CLOSE_SESSION && frame.err == 0 {
                client.session = 0;
            }
            let is_last = kind == opcode::CLOSE_SESSION
                || matches!(frame.err, code::AUTH_FAILED | code::UNIMPLEMENTED);
            if is_last && link.waiting.is_empty() {
                // The server closes eventually.
                answers.lines.push(format!("{:?}", link.read()));
                client.link = None;
                return answers;
            }
        }
        answers
    }

    /// What every connected client has received so far, one line each, prefixed with its slot's
    /// number.
    pub(super) fn received(&mut self) -> Vec<String> {
        let all = 0..self.clients.len();
        self.received_until(&Call::Bare { kind: opcode::PING }, all)
    }

    /// What each of these clients receives until its request is answered.
    pub(super) fn received_until(
        &mut self,
        call: &Call,
        slots: impl Iterator<Item = usize> + Clone,
    ) -> Vec<String> {
        for slot in slots.clone() {
            self.send(slot, std::slice::from_ref(call), &Sequentials::new());
        }
        let mut received = Vec::new();
        for slot in slots {
            let lines = self.answers(slot).lines;
            received.extend(lines.into_iter().map(|line| format!("client {slot}: {line}")));
        }
        received
    }

    /// Leaves a session idle until the server has expired it.
    pub(super) fn expire(&mut self, slot: usize) -> String {
        let mut timeout_ms = 200;
        if self.is_ensemble() {
            // A leader learns at its pings which sessions were active, with their timeouts: what a
            // follower still has to say would give the session its old one (`Learner.ping`).
            std::thread::sleep(PINGS);
            timeout_ms = 1000;
        }
        let how = Return { hang_up: true, wrong_password: false, read_only: None, timeout_ms };
        let line = self.come_back(slot, &how);
        let at = self.reachable(slot);
        let before = self.zxid(at);
        self.hang_up(slot);
        if self.clients[slot].session == 0 {
            return line;
        }
        self.clients[slot].session = 0;
        let has_expired = wait_until(|| self.zxid(at) > before);
        if has_expired { line } else { line + ", and never expires" }
    }
}

impl Link {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        // A closed connection is noticed when it is read.
        self.stream.get_mut().write_all(bytes).ok();
    }

    pub(super) fn read(&mut self) -> Result<Vec<u8>, End> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), End> {
        self.stream.read_exact(bytes).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => End::Silent,
            _ => End::Closed,
        })
    }
}

fn is_sequential(path: &str) -> bool {
    path.len() > 10 && path.as_bytes()[path.len() - 10..].iter().all(u8::is_ascii_digit)
}

/// Polls until the condition holds; `false` if it never does.
pub(super) fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + CONDITION_MAX;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    true
}
