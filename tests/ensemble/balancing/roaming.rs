//! Clients that go on at another server when they lose theirs, as every client of `ZooKeeper` does.

use super::super::PATIENCE;
use harness::{Acl, Body, Client, Incoming, Watches, opcode};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What all of them watch.
pub(super) const WATCHED: &str = "/watched";
/// An idle one sends nothing but pings.
const PING_EVERY: Duration = Duration::from_millis(400);

/// A session that moves.
pub(super) struct Roaming {
    client: Client,
    addresses: Vec<SocketAddr>,
    /// Where it was last.
    at: usize,
    /// The newest zxid of all its connections.
    zxid: i64,
    /// Its ephemeral node.
    node: String,
    /// How often it was given another connection.
    pub(super) moves: u32,
    /// Events of the node that all watch.
    pub(super) events: u32,
}

impl Roaming {
    /// A new session at one of the servers, with a node and a watch.
    pub(super) fn new(addresses: &[SocketAddr], at: usize, number: usize) -> Self {
        let client = Client::connect(addresses[at]);
        let (addresses, zxid) = (addresses.to_vec(), client.zxid());
        let node = format!("/roaming-{number}");
        let mut new = Self { client, addresses, at, zxid, node, moves: 0, events: 0 };
        // Servers that balance by themselves may lead it elsewhere already.
        let create = Body::new().string(&new.node).buffer(b"" as &[u8]).acls(&Acl::open()).int(1);
        new.call(opcode::CREATE, &create);
        new.call(opcode::GET_DATA, &Body::new().string(WATCHED).boolean(true));
        new
    }

    /// Stays until it is told to leave.
    pub(super) fn stay(mut self, stop: &AtomicBool) -> Self {
        while !stop.load(Ordering::Acquire) {
            thread::sleep(PING_EVERY);
            self.live();
        }
        self
    }

    /// A sign of life, at another server if this one has closed.
    fn live(&mut self) {
        while !self.client.try_ping() {
            self.go_on();
        }
        self.zxid = self.zxid.max(self.client.zxid());
    }

    /// The session continues at the next server that takes it.
    fn go_on(&mut self) {
        self.zxid = self.zxid.max(self.client.zxid());
        while let Some(Incoming::Event(event)) = self.client.receive() {
            self.events += u32::from(event.path == WATCHED);
        }
        let mut handshake = self.client.reattach();
        handshake.last_zxid_seen = self.zxid;
        let end = Instant::now() + PATIENCE;
        loop {
            self.at = (self.at + 1) % self.addresses.len();
            if let Some(mut client) = Client::try_open(self.addresses[self.at], &handshake) {
                assert_eq!(client.session_id(), handshake.session_id, "the session is lost");
                client.count_on_from(&self.client);
                let data: &[&str] = if self.events == 0 { &[WATCHED] } else { &[] };
                let watches = Watches { relative_zxid: self.zxid, data, ..Watches::default() };
                self.client = client;
                self.moves += 1;
                if self.client.try_set_watches(&watches) {
                    return;
                }
            }
            assert!(Instant::now() < end, "no server takes the session");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A request, repeated where its connection is lost; it must succeed.
    pub(super) fn call(&mut self, kind: i32, body: &Body) -> Vec<u8> {
        loop {
            let reply = self.client.try_post(kind, body).and_then(|xid| self.client.try_reply(xid));
            if let Some(reply) = reply {
                assert_eq!(reply.err, 0, "a request has failed");
                self.zxid = self.zxid.max(reply.zxid);
                return reply.body;
            }
            self.go_on();
        }
    }

    /// Sets its node again and again, without a pause. Returns how often.
    pub(super) fn write(mut self, stop: &AtomicBool) -> (Self, u64) {
        let mut count = 0_u64;
        while !stop.load(Ordering::Acquire) {
            let data = count.to_string();
            let body = Body::new().string(&self.node).buffer(data.as_bytes()).int(-1);
            self.call(opcode::SET_DATA, &body);
            count += 1;
        }
        (self, count)
    }

    /// Its node is still its own, and the change was reported to it once.
    pub(super) fn check(mut self) {
        let exists = Body::new().string(&self.node).boolean(false);
        let body = self.call(opcode::EXISTS, &exists);
        let mut stat = harness::ReplyReader::new(&body);
        assert_eq!(stat.stat().ephemeral_owner, self.client.session_id());
        self.call(opcode::SYNC, &Body::new().string("/"));
        self.live();
        for event in self.client.events() {
            self.events += u32::from(event.path == WATCHED);
        }
        assert_eq!(self.events, 1, "of the change that it watched for");
        self.client.close();
    }
}
