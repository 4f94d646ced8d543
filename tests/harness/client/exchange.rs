//! What travels on an open connection: frames, requests, replies, events.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::{ANSWER_MAX, Client};
use crate::wire::{Body, Event, ReplyReader};

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

impl Client {
    /// Its socket, for requests that are sent while replies are awaited.
    pub fn second_handle(&self) -> TcpStream {
        self.stream.try_clone().expect("a second handle")
    }

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

    /// Like [`Self::post`]; `None` if the server has closed.
    pub fn try_post(&mut self, kind: i32, body: &Body) -> Option<i32> {
        let xid = self.take_xid();
        self.stream.write_all(&request(xid, kind, body)).ok()?;
        Some(xid)
    }

    /// Sends several requests in one write and returns the first one's xid.
    pub fn post_all(&mut self, requests: &[(i32, Body)]) -> i32 {
        let first = self.next_xid;
        let mut bytes = Vec::new();
        for (kind, body) in requests {
            bytes.extend(request(self.take_xid(), *kind, body));
        }
        self.stream.write_all(&bytes).expect("server reads");
        first
    }

    /// A request with an xid of the caller's, and its reply; `None` if the server has closed.
    pub(super) fn try_exchange(&mut self, xid: i32, kind: i32, body: &Body) -> Option<Reply> {
        self.stream.write_all(&request(xid, kind, body)).ok()?;
        self.try_reply(xid)
    }

    fn take_xid(&mut self) -> i32 {
        self.next_xid += 1;
        self.next_xid - 1
    }

    /// The next reply or event; `None` once the server has closed.
    pub fn receive(&mut self) -> Option<Incoming> {
        if let Some(event) = self.events.pop_front() {
            return Some(Incoming::Event(event));
        }
        self.receive_new()
    }

    fn receive_new(&mut self) -> Option<Incoming> {
        let bytes = read_frame(&mut self.stream)?;
        let mut r = ReplyReader::new(&bytes);
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

    /// Waits for the next event.
    pub fn event(&mut self) -> Event {
        match self.receive().expect("connection stays open") {
            Incoming::Event(event) => event,
            Incoming::Reply(reply) => panic!("an event was due: {reply:?}"),
        }
    }

    /// The events so far: all that were caused by changes acknowledged to any client before this
    /// call.
    pub fn events(&mut self) -> Vec<Event> {
        self.ping();
        self.events.drain(..).collect()
    }

    /// Whether the server has closed the connection; anything that it still sent is dropped.
    ///
    /// # Panics
    /// If it stays open for half a minute.
    pub fn assert_closed(&mut self) {
        while self.receive_new().is_some() {}
    }

    /// Shuts down the sending side; receiving is still possible.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("own socket");
    }

    /// Sends bytes and closes with something unread: the server sees a reset behind them.
    pub fn reset(mut self, last: &[u8]) {
        self.send(-2, crate::opcode::PING, &Body::new());
        let peeked = self.stream.peek(&mut [0]).expect("a ping is answered");
        assert_eq!(peeked, 1, "the server has closed");
        self.stream.write_all(last).expect("server reads");
    }

    /// Closes the connection abruptly; the session survives.
    pub fn hang_up(&self) {
        self.stream.shutdown(Shutdown::Both).ok();
    }

    /// Polls until the condition holds.
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

    pub(super) fn typed<T>(
        &mut self,
        kind: i32,
        body: &Body,
        decode: impl FnOnce(&mut ReplyReader) -> T,
    ) -> Result<T, i32> {
        let reply = self.call(kind, body);
        decode_reply(&reply, decode)
    }
}

/// Decodes a reply completely; an error's body must be empty.
pub fn decode_reply<T>(
    reply: &Reply,
    decode: impl FnOnce(&mut ReplyReader) -> T,
) -> Result<T, i32> {
    if reply.err != 0 {
        assert!(reply.body.is_empty(), "an error with a body: {reply:?}");
        return Err(reply.err);
    }
    let mut r = ReplyReader::new(&reply.body);
    let value = decode(&mut r);
    r.finish();
    Ok(value)
}

/// Bytes prefixed with their length.
pub fn frame(bytes: &[u8]) -> Vec<u8> {
    Body::new().buffer(bytes).0
}

/// A request as it travels.
pub fn request(xid: i32, kind: i32, body: &Body) -> Vec<u8> {
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
