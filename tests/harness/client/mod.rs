//! One blocking connection to a server, and every operation of the protocol.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::opcode;
use crate::wire::{Acl, Body, Event, Reader, Stat};

/// Past this an answer is missing, not late.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What a client opens a connection with.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Always 0 so far.
    pub protocol_version: i32,
    /// The newest zxid this client has seen.
    pub last_zxid_seen: i64,
    /// The wish; the server has the last word.
    pub timeout_ms: i32,
    /// 0 asks for a new session.
    pub session_id: i64,
    /// 16 bytes.
    pub password: Vec<u8>,
    /// `None` is a client from before read-only servers: the byte is not sent.
    pub read_only: Option<bool>,
}

impl Default for Handshake {
    fn default() -> Self {
        Self {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 20_000,
            session_id: 0,
            password: vec![0; 16],
            read_only: Some(false),
        }
    }
}

impl Handshake {
    fn encode(&self) -> Vec<u8> {
        let body = Body::new()
            .int(self.protocol_version)
            .long(self.last_zxid_seen)
            .int(self.timeout_ms)
            .long(self.session_id)
            .buffer(self.password.as_slice());
        match self.read_only {
            None => body.0,
            Some(value) => body.boolean(value).0,
        }
    }
}

/// What the server answers to a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Always 0 so far.
    pub protocol_version: i32,
    /// What the server grants; 0 refuses the session.
    pub timeout_ms: i32,
    /// The session, 0 if refused.
    pub session_id: i64,
    /// 16 bytes, zeros if refused.
    pub password: Vec<u8>,
    /// `None` if the byte was not sent.
    pub read_only: Option<bool>,
}

/// A reply, its body not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request's.
    pub xid: i32,
    /// The newest zxid the server had processed.
    pub zxid: i64,
    /// One of [`crate::code`].
    pub err: i32,
    /// What follows the header.
    pub body: Vec<u8>,
}

/// What may come from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The answer to a request.
    Reply(Reply),
    /// A watch that fired.
    Event(Event),
}

/// One operation of a multi or multiRead.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // The operations' own arguments.
pub enum Op<'a> {
    Create { path: &'a str, data: &'a [u8], acl: Vec<Acl>, flags: i32 },
    Create2 { path: &'a str, data: &'a [u8], acl: Vec<Acl>, flags: i32 },
    CreateContainer { path: &'a str },
    CreateTtl { path: &'a str, flags: i32, ttl: i64 },
    Delete { path: &'a str, version: i32 },
    Set { path: &'a str, data: &'a [u8], version: i32 },
    Check { path: &'a str, version: i32 },
    Get { path: &'a str },
    Children { path: &'a str },
}

impl<'a> Op<'a> {
    /// A create of an open node.
    pub fn create(path: &'a str, data: &'a [u8], flags: i32) -> Self {
        Self::Create { path, data, acl: Acl::open(), flags }
    }

    fn encode(&self, body: Body) -> Body {
        let header = |kind| body.int(kind).boolean(false).int(-1);
        match self {
            Self::Create { path, data, acl, flags } => {
                header(opcode::CREATE).string(path).buffer(*data).acls(acl).int(*flags)
            }
            Self::Create2 { path, data, acl, flags } => {
                header(opcode::CREATE2).string(path).buffer(*data).acls(acl).int(*flags)
            }
            Self::CreateContainer { path } => header(opcode::CREATE_CONTAINER)
                .string(path)
                .buffer(&b""[..])
                .acls(&Acl::open())
                .int(4),
            Self::CreateTtl { path, flags, ttl } => header(opcode::CREATE_TTL)
                .string(path)
                .buffer(&b""[..])
                .acls(&Acl::open())
                .int(*flags)
                .long(*ttl),
            Self::Delete { path, version } => header(opcode::DELETE).string(path).int(*version),
            Self::Set { path, data, version } => {
                header(opcode::SET_DATA).string(path).buffer(*data).int(*version)
            }
            Self::Check { path, version } => header(opcode::CHECK).string(path).int(*version),
            Self::Get { path } => header(opcode::GET_DATA).string(path).boolean(false),
            Self::Children { path } => header(opcode::GET_CHILDREN).string(path).boolean(false),
        }
    }
}

/// The result of one operation of a multi or multiRead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // As the operations.
pub enum OpResult {
    Create(String),
    Create2(String, Stat),
    Delete,
    Set(Stat),
    Check,
    Get(Option<Vec<u8>>, Stat),
    Children(Vec<String>),
    Error(i32),
}

/// The watches a client sets again after reconnecting.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // The names are the protocol's own.
pub struct Watches<'a> {
    pub relative_zxid: i64,
    pub data: &'a [&'a str],
    pub exist: &'a [&'a str],
    pub child: &'a [&'a str],
    pub persistent: &'a [&'a str],
    pub recursive: &'a [&'a str],
}

/// A connection with a session.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    address: SocketAddr,
    welcome: Welcome,
    next_xid: i32,
    zxid: i64,
    events: VecDeque<Event>,
}

impl Client {
    /// A new session.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn connect(address: SocketAddr) -> Self {
        let client = Self::open(address, &Handshake::default()).expect("server answers");
        assert_ne!(client.session_id(), 0, "session is refused");
        client
    }

    /// Shakes hands; `None` if the server closes instead of answering. A refused session is a
    /// client whose [`Self::session_id`] is 0.
    pub fn open(address: SocketAddr, handshake: &Handshake) -> Option<Self> {
        Self::shake_hands(TcpStream::connect(address).expect("server listens"), address, handshake)
    }

    /// As [`Self::open`], `None` also if nobody listens.
    pub fn try_open(address: SocketAddr, handshake: &Handshake) -> Option<Self> {
        Self::shake_hands(TcpStream::connect(address).ok()?, address, handshake)
    }

    fn shake_hands(
        mut stream: TcpStream,
        address: SocketAddr,
        handshake: &Handshake,
    ) -> Option<Self> {
        stream.set_nodelay(true).expect("own socket");
        stream.set_read_timeout(Some(ANSWER_MAX)).expect("own socket");
        let bytes = handshake.encode();
        stream.write_all(&frame(&bytes)).ok()?;
        let answer = read_frame(&mut stream)?;
        let mut r = Reader::new(&answer);
        let welcome = Welcome {
            protocol_version: r.int(),
            timeout_ms: r.int(),
            session_id: r.long(),
            password: r.buffer().expect("a password"),
            read_only: if r.is_finished() { None } else { Some(r.boolean()) },
        };
        r.finish();
        Some(Self { stream, address, welcome, next_xid: 1, zxid: 0, events: VecDeque::new() })
    }

    /// The handshake that attaches to this client's session again.
    pub fn reattach(&self) -> Handshake {
        Handshake {
            session_id: self.welcome.session_id,
            password: self.welcome.password.clone(),
            last_zxid_seen: self.zxid,
            ..Handshake::default()
        }
    }

    /// Attaches to this client's session with a new connection, leaving the old one open.
    #[must_use]
    pub fn reconnect(&self) -> Self {
        let client = Self::open(self.address, &self.reattach()).expect("server answers");
        assert_eq!(client.session_id(), self.session_id(), "session is refused");
        client
    }

    /// What the server answered to the handshake.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The session.
    pub fn session_id(&self) -> i64 {
        self.welcome.session_id
    }

    /// The newest zxid of any reply so far.
    pub fn zxid(&self) -> i64 {
        self.zxid
    }

    // ---- what travels

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("server reads");
    }

    /// Sends a request with an xid of the caller's.
    pub fn send(&mut self, xid: i32, kind: i32, body: &Body) {
        self.stream.write_all(&request(xid, kind, body)).expect("server reads");
    }

    /// Sends a request and returns its xid; [`Self::reply`] awaits the answer.
    pub fn post(&mut self, kind: i32, body: &Body) -> i32 {
        let xid = self.take_xid();
        self.send(xid, kind, body);
        xid
    }

    /// As [`Self::post`], `None` if the server has closed.
    pub fn try_post(&mut self, kind: i32, body: &Body) -> Option<i32> {
        let xid = self.take_xid();
        self.stream.write_all(&request(xid, kind, body)).ok()?;
        Some(xid)
    }

    /// Sends several requests in one piece and returns the first one's xid.
    pub fn post_all(&mut self, requests: &[(i32, Body)]) -> i32 {
        let first = self.next_xid;
        let mut bytes = Vec::new();
        for (kind, body) in requests {
            bytes.extend(request(self.take_xid(), *kind, body));
        }
        self.stream.write_all(&bytes).expect("server reads");
        first
    }

    fn take_xid(&mut self) -> i32 {
        self.next_xid += 1;
        self.next_xid - 1
    }

    /// What comes next, reply or event; `None` once the server has closed.
    pub fn receive(&mut self) -> Option<Incoming> {
        if let Some(event) = self.events.pop_front() {
            return Some(Incoming::Event(event));
        }
        self.receive_new()
    }

    fn receive_new(&mut self) -> Option<Incoming> {
        let bytes = read_frame(&mut self.stream)?;
        let mut r = Reader::new(&bytes);
        let (xid, zxid, err) = (r.int(), r.long(), r.int());
        if xid == -1 {
            let event = Event { kind: r.int(), state: r.int(), path: r.string(), zxid };
            r.finish();
            assert_eq!(err, 0, "event with an error");
            return Some(Incoming::Event(event));
        }
        self.zxid = self.zxid.max(zxid);
        let body = bytes[16..].to_vec();
        Some(Incoming::Reply(Reply { xid, zxid, err, body }))
    }

    /// The next reply, which must be this request's; events before it are kept. `None` if the
    /// server closes first.
    pub fn try_reply(&mut self, xid: i32) -> Option<Reply> {
        loop {
            match self.receive_new()? {
                Incoming::Event(event) => self.events.push_back(event),
                Incoming::Reply(reply) => {
                    assert_eq!(reply.xid, xid, "reply out of turn: {reply:?}");
                    return Some(reply);
                }
            }
        }
    }

    /// As [`Self::try_reply`].
    ///
    /// # Panics
    /// If the server closes first.
    pub fn reply(&mut self, xid: i32) -> Reply {
        self.try_reply(xid).expect("connection stays open")
    }

    /// A request and its reply.
    pub fn call(&mut self, kind: i32, body: &Body) -> Reply {
        let xid = self.post(kind, body);
        self.reply(xid)
    }

    /// The next event, waited for.
    pub fn event(&mut self) -> Event {
        match self.receive().expect("connection stays open") {
            Incoming::Event(event) => event,
            Incoming::Reply(reply) => panic!("an event was due: {reply:?}"),
        }
    }

    /// The events so far: all that were caused by what any client was told before this call.
    pub fn events(&mut self) -> Vec<Event> {
        self.ping();
        self.events.drain(..).collect()
    }

    /// Whether the server has closed the connection; what it still sent is dropped.
    ///
    /// # Panics
    /// If it stays open for half a minute.
    pub fn assert_closed(&mut self) {
        while self.receive_new().is_some() {}
    }

    /// Closes the connection without a word; the session lives on.
    pub fn hang_up(&self) {
        self.stream.shutdown(Shutdown::Both).ok();
    }

    fn typed<T>(
        &mut self,
        kind: i32,
        body: &Body,
        decode: impl FnOnce(&mut Reader) -> T,
    ) -> Result<T, i32> {
        let reply = self.call(kind, body);
        decode_reply(&reply, decode)
    }

    // ---- sessions

    /// A ping and its reply.
    pub fn ping(&mut self) {
        self.send(-2, opcode::PING, &Body::new());
        let reply = self.reply(-2);
        assert_eq!((reply.err, reply.body.len()), (0, 0));
    }

    /// Closes the session and waits until the server has closed the connection.
    pub fn close(mut self) {
        let reply = self.call(opcode::CLOSE_SESSION, &Body::new());
        assert_eq!((reply.err, reply.body.len()), (0, 0));
        self.assert_closed();
    }

    /// Adds credentials to the connection.
    pub fn add_auth(&mut self, scheme: &str, credentials: &[u8]) -> Result<(), i32> {
        self.send(-4, opcode::AUTH, &Body::new().int(0).string(scheme).buffer(credentials));
        let reply = self.reply(-4);
        decode_reply(&reply, |_| ())
    }

    /// The connection's identities, as scheme and user.
    pub fn who_am_i(&mut self) -> Vec<(String, String)> {
        self.typed(opcode::WHO_AM_I, &Body::new(), |r| r.vector(|r| (r.string(), r.string())))
            .expect("whoAmI never fails")
    }

    // ---- nodes

    /// create
    pub fn create(
        &mut self,
        path: &str,
        data: &[u8],
        acl: &[Acl],
        flags: i32,
    ) -> Result<String, i32> {
        self.typed(opcode::CREATE, &create_body(path, data, acl, flags), Reader::string)
    }

    /// create, of an open node without data and flags, which must succeed
    pub fn make(&mut self, path: &str) {
        let made = self.create(path, b"", &Acl::open(), 0);
        assert_eq!(made.as_deref(), Ok(path), "create {path}");
    }

    /// create2
    pub fn create2(
        &mut self,
        path: &str,
        data: &[u8],
        acl: &[Acl],
        flags: i32,
    ) -> Result<(String, Stat), i32> {
        let body = create_body(path, data, acl, flags);
        self.typed(opcode::CREATE2, &body, |r| (r.string(), r.stat()))
    }

    /// createContainer
    pub fn create_container(&mut self, path: &str, flags: i32) -> Result<(String, Stat), i32> {
        let body = create_body(path, b"", &Acl::open(), flags);
        self.typed(opcode::CREATE_CONTAINER, &body, |r| (r.string(), r.stat()))
    }

    /// createTTL
    pub fn create_ttl(
        &mut self,
        path: &str,
        data: &[u8],
        flags: i32,
        ttl: i64,
    ) -> Result<(String, Stat), i32> {
        let body = create_body(path, data, &Acl::open(), flags).long(ttl);
        self.typed(opcode::CREATE_TTL, &body, |r| (r.string(), r.stat()))
    }

    /// delete
    pub fn delete(&mut self, path: &str, version: i32) -> Result<(), i32> {
        self.typed(opcode::DELETE, &Body::new().string(path).int(version), |_| ())
    }

    /// exists
    pub fn exists(&mut self, path: &str, watch: bool) -> Result<Stat, i32> {
        self.typed(opcode::EXISTS, &Body::new().string(path).boolean(watch), Reader::stat)
    }

    /// getData
    pub fn get(&mut self, path: &str, watch: bool) -> Result<(Option<Vec<u8>>, Stat), i32> {
        let body = Body::new().string(path).boolean(watch);
        self.typed(opcode::GET_DATA, &body, |r| (r.buffer(), r.stat()))
    }

    /// setData
    pub fn set(&mut self, path: &str, data: &[u8], version: i32) -> Result<Stat, i32> {
        let body = Body::new().string(path).buffer(data).int(version);
        self.typed(opcode::SET_DATA, &body, Reader::stat)
    }

    /// getACL
    pub fn acl(&mut self, path: &str) -> Result<(Vec<Acl>, Stat), i32> {
        self.typed(opcode::GET_ACL, &Body::new().string(path), |r| (r.acls(), r.stat()))
    }

    /// setACL
    pub fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> Result<Stat, i32> {
        let body = Body::new().string(path).acls(acl).int(version);
        self.typed(opcode::SET_ACL, &body, Reader::stat)
    }

    /// getChildren, sorted
    pub fn children(&mut self, path: &str, watch: bool) -> Result<Vec<String>, i32> {
        let body = Body::new().string(path).boolean(watch);
        self.typed(opcode::GET_CHILDREN, &body, |r| sorted(r.vector(Reader::string)))
    }

    /// getChildren2, sorted
    pub fn children2(&mut self, path: &str, watch: bool) -> Result<(Vec<String>, Stat), i32> {
        let body = Body::new().string(path).boolean(watch);
        self.typed(opcode::GET_CHILDREN2, &body, |r| (sorted(r.vector(Reader::string)), r.stat()))
    }

    /// getAllChildrenNumber
    pub fn all_children_number(&mut self, path: &str) -> Result<i32, i32> {
        self.typed(opcode::GET_ALL_CHILDREN_NUMBER, &Body::new().string(path), Reader::int)
    }

    /// getEphemerals, sorted
    pub fn ephemerals(&mut self, prefix: &str) -> Result<Vec<String>, i32> {
        let body = Body::new().string(prefix);
        self.typed(opcode::GET_EPHEMERALS, &body, |r| sorted(r.vector(Reader::string)))
    }

    /// sync
    pub fn sync(&mut self, path: &str) -> Result<String, i32> {
        self.typed(opcode::SYNC, &Body::new().string(path), Reader::string)
    }

    /// multi: the results in order, failed or not
    pub fn multi(&mut self, ops: &[Op<'_>]) -> Result<Vec<OpResult>, i32> {
        self.typed(opcode::MULTI, &multi_body(ops), multi_results)
    }

    /// multiRead: the results in order
    pub fn multi_read(&mut self, ops: &[Op<'_>]) -> Result<Vec<OpResult>, i32> {
        self.typed(opcode::MULTI_READ, &multi_body(ops), multi_results)
    }

    // ---- watches

    /// addWatch; mode 0 is persistent, 1 persistent and recursive
    pub fn add_watch(&mut self, path: &str, mode: i32) -> Result<(), i32> {
        self.typed(opcode::ADD_WATCH, &Body::new().string(path).int(mode), |r| {
            assert_eq!(r.int(), 0, "the body of addWatch's reply");
        })
    }

    /// checkWatches; 1 children, 2 data, 3 any, 4 persistent, 5 recursive
    pub fn check_watches(&mut self, path: &str, kind: i32) -> Result<(), i32> {
        self.typed(opcode::CHECK_WATCHES, &Body::new().string(path).int(kind), |_| ())
    }

    /// removeWatches; kinds as in [`Self::check_watches`]
    pub fn remove_watches(&mut self, path: &str, kind: i32) -> Result<(), i32> {
        self.typed(opcode::REMOVE_WATCHES, &Body::new().string(path).int(kind), |_| ())
    }

    /// setWatches, without the persistent ones
    pub fn set_watches(&mut self, watches: &Watches<'_>) {
        self.set_watches_as(opcode::SET_WATCHES, &watches_body(watches));
    }

    /// setWatches2
    pub fn set_watches2(&mut self, watches: &Watches<'_>) {
        let body = watches_body(watches).strings(watches.persistent).strings(watches.recursive);
        self.set_watches_as(opcode::SET_WATCHES2, &body);
    }

    fn set_watches_as(&mut self, kind: i32, body: &Body) {
        self.send(-8, kind, body);
        let reply = self.reply(-8);
        assert_eq!((reply.err, reply.body.len()), (0, 0));
    }

    /// Pings until the condition holds.
    ///
    /// # Panics
    /// After half a minute.
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + ANSWER_MAX;
        while !condition(self) {
            assert!(Instant::now() < end, "never came: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The body of create, create2 and createContainer, and the front of createTTL's.
pub fn create_body(path: &str, data: &[u8], acl: &[Acl], flags: i32) -> Body {
    Body::new().string(path).buffer(data).acls(acl).int(flags)
}

/// The body of multi and multiRead.
pub fn multi_body(ops: &[Op<'_>]) -> Body {
    let body = ops.iter().fold(Body::new(), |body, op| op.encode(body));
    body.int(-1).boolean(true).int(-1)
}

fn watches_body(watches: &Watches<'_>) -> Body {
    Body::new()
        .long(watches.relative_zxid)
        .strings(watches.data)
        .strings(watches.exist)
        .strings(watches.child)
}

/// The results of a multi, in order.
pub fn multi_results(r: &mut Reader) -> Vec<OpResult> {
    let mut results = Vec::new();
    loop {
        let (kind, done, err) = (r.int(), r.boolean(), r.int());
        if done {
            assert_eq!((kind, err), (-1, -1), "the header that ends a multi");
            return results;
        }
        let expected = if kind == opcode::ERROR { err } else { 0 };
        assert_eq!(err, expected, "the header of a result");
        results.push(match kind {
            opcode::CREATE => OpResult::Create(r.string()),
            opcode::CREATE2 => OpResult::Create2(r.string(), r.stat()),
            opcode::DELETE => OpResult::Delete,
            opcode::SET_DATA => OpResult::Set(r.stat()),
            opcode::CHECK => OpResult::Check,
            opcode::GET_DATA => OpResult::Get(r.buffer(), r.stat()),
            opcode::GET_CHILDREN => OpResult::Children(sorted(r.vector(Reader::string))),
            opcode::ERROR => {
                let body = r.int();
                assert_eq!(body, err, "header and body of an error disagree");
                OpResult::Error(err)
            }
            other => panic!("a result of type {other}"),
        });
    }
}

/// Decodes a reply to its last byte; an error's body must be empty.
pub fn decode_reply<T>(reply: &Reply, decode: impl FnOnce(&mut Reader) -> T) -> Result<T, i32> {
    if reply.err != 0 {
        assert!(reply.body.is_empty(), "an error with a body: {reply:?}");
        return Err(reply.err);
    }
    let mut r = Reader::new(&reply.body);
    let value = decode(&mut r);
    r.finish();
    Ok(value)
}

/// Bytes with their length before them.
pub fn frame(bytes: &[u8]) -> Vec<u8> {
    Body::new().buffer(bytes).0
}

fn request(xid: i32, kind: i32, body: &Body) -> Vec<u8> {
    frame(&Body::new().int(xid).int(kind).raw(&body.0).0)
}

/// One frame, `None` once the other side has closed.
pub fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    read_exact(stream, &mut length)?;
    let length = u32::from_be_bytes(length);
    assert!(length < 1 << 26, "a frame of {length} bytes");
    let mut bytes = vec![0; length as usize];
    read_exact(stream, &mut bytes)?;
    Some(bytes)
}

fn read_exact(stream: &mut TcpStream, bytes: &mut [u8]) -> Option<()> {
    match stream.read_exact(bytes) {
        Ok(()) => Some(()),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("no answer in {ANSWER_MAX:?}")
        }
        Err(_) => None,
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
