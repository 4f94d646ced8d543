//! Clients that move from server to server: none goes back in time, none loses its order.

use super::{Ensemble, PATIENCE, moved};
use crate::crash::load::Worker;
use fastrand::Rng;
use harness::{Body, Client, Handshake, opcode};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_client_that_has_seen_more_is_turned_away() {
    let ensemble = Ensemble::start(3, |config| config);
    let mut client = Client::connect(ensemble.address(0));
    client.make("/seen");
    for server in &ensemble.servers {
        let mut other = Client::connect(server.address());
        other.sync("/").unwrap();
        let seen = other.zxid();
        other.close();
        let handshake = |last_zxid_seen| Handshake { last_zxid_seen, ..client.reattach() };
        assert!(Client::open(server.address(), &handshake(seen + 1_000)).is_none(), "let in");
        let next_epoch = ((seen >> 32) + 1) << 32;
        assert!(Client::open(server.address(), &handshake(next_epoch)).is_none(), "let in");
        client = moved(&client, server.address());
    }
    client.close();
}

/// One session that sets its node to 1, 2, 3 and so on, some in flight at a time.
struct Counting {
    client: Client,
    path: String,
    acknowledged: u64,
    sent: u64,
    zxid: i64,
}

impl Counting {
    fn new(address: SocketAddr, number: usize) -> Self {
        let mut client = Client::connect(address);
        let path = format!("/counting-{number}");
        client.make(&path);
        client.set(&path, b"0", -1).unwrap();
        Self { client, path, acknowledged: 0, sent: 0, zxid: 0 }
    }

    /// Sends many requests, reads some of the replies, and leaves the others behind.
    fn go_on(&mut self, rng: &mut Rng) {
        let requests: Vec<_> = (1..=rng.u64(1..100))
            .map(|next| {
                let data = (self.sent + next).to_string();
                let body = Body::new().string(&self.path).buffer(data.as_bytes()).int(-1);
                (opcode::SET_DATA, body)
            })
            .collect();
        let first = self.client.post_all(&requests);
        self.sent += requests.len() as u64;
        for at in 0..rng.i32(0..requests.len() as i32) {
            let reply = self.client.reply(first + at);
            assert_eq!(reply.err, 0);
            assert!(reply.zxid > self.zxid, "a later write has no later zxid");
            self.zxid = reply.zxid;
            self.acknowledged += 1;
        }
    }

    fn value(&mut self) -> u64 {
        let data = self.client.get(&self.path, false).unwrap().0.unwrap();
        String::from_utf8(data).unwrap().parse().unwrap()
    }

    /// The session continues at a server; what it had sent before has happened through some point.
    fn move_to(&mut self, address: SocketAddr) {
        self.client = moved(&self.client, address);
        let seen = self.value();
        assert!(seen >= self.acknowledged, "went back from {} to {seen}", self.acknowledged);
        self.client.sync(&self.path).unwrap();
        let value = self.value();
        let (least, most) = (self.acknowledged.max(seen), self.sent);
        assert!((least..=most).contains(&value), "{value}, not from {least} to {most}");
        self.zxid = self.client.zxid();
        // A write of the old connection that came later would be found by the next move.
        (self.acknowledged, self.sent) = (value, value);
    }
}

#[test]
fn a_session_keeps_its_order_from_server_to_server() {
    let ensemble = Ensemble::start(3, |config| config);
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..3)
        .map(|at| {
            let (worker, stop) = (Worker::new(ensemble.address(at), at), stop.clone());
            thread::spawn(move || worker.work(&stop))
        })
        .collect();
    let addresses: Vec<_> = (0..3).map(|at| ensemble.address(at)).collect();
    let sessions: Vec<_> = (0..3)
        .map(|number| {
            let mut counting = Counting::new(addresses[number], number);
            let addresses = addresses.clone();
            thread::spawn(move || {
                let mut rng = Rng::with_seed(number as u64);
                for _ in 0..20 {
                    counting.go_on(&mut rng);
                    counting.move_to(addresses[rng.usize(0..3)]);
                }
                counting.client.close();
            })
        })
        .collect();
    for session in sessions {
        session.join().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        let mut worker = worker.join().unwrap();
        worker.check_at(ensemble.address(0));
        worker.leave();
    }
    ensemble.assert_equal();
}

/// A client that continues at any server when its own one ends.
struct Lasting {
    client: Client,
    addresses: Vec<SocketAddr>,
    rng: Rng,
}

impl Lasting {
    fn new(addresses: &[SocketAddr], number: usize) -> Self {
        let client = Client::connect(addresses[number % addresses.len()]);
        Self { client, addresses: addresses.to_vec(), rng: Rng::with_seed(number as u64) }
    }

    /// A request and whether it was carried out, if that is known; otherwise the session is at
    /// another server.
    fn try_call(&mut self, kind: i32, body: &Body) -> Option<Vec<u8>> {
        let reply = self.client.try_post(kind, body).and_then(|xid| self.client.try_reply(xid));
        if let Some(reply) = reply {
            assert_eq!(reply.err, 0);
            return Some(reply.body);
        }
        let handshake = self.client.reattach();
        let end = Instant::now() + PATIENCE;
        loop {
            let address = self.addresses[self.rng.usize(0..self.addresses.len())];
            if let Some(mut client) = Client::try_open(address, &handshake) {
                client.count_on_from(&self.client);
                assert_eq!(client.session_id(), handshake.session_id, "the session is lost");
                self.client = client;
                return None;
            }
            assert!(Instant::now() < end, "no server takes the session");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Sets a node to 1, 2, 3 and so on, and passes on what is acknowledged.
fn pass_on(mut client: Lasting, passed: &AtomicU64, stop: &AtomicBool) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let data = u64::to_string(&number);
        let body = Body::new().string("/passed").buffer(data.as_bytes()).int(-1);
        if client.try_call(opcode::SET_DATA, &body).is_some() {
            passed.store(number, Ordering::SeqCst);
        }
    }
    client.client.close();
}

/// Compares what has been passed on with what a server shows after a sync. Returns how often.
fn compare(mut client: Lasting, passed: &AtomicU64, stop: &AtomicBool) -> u64 {
    let (sync, get) = (Body::new().string("/passed"), Body::new().string("/passed").boolean(false));
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let told = passed.load(Ordering::SeqCst);
        // A reply from before the session moved says nothing about the server where it is now.
        if client.try_call(opcode::SYNC, &sync).is_none() {
            continue;
        }
        let Some(body) = client.try_call(opcode::GET_DATA, &get) else { continue };
        let mut body = harness::ReplyReader::new(&body);
        let data = String::from_utf8(body.buffer().unwrap()).unwrap();
        let shown = data.parse::<u64>().unwrap();
        assert!(shown >= told, "{told} was acknowledged, {shown} is shown after a sync");
        count += 1;
    }
    client.client.close();
    count
}

#[test]
fn what_is_passed_on_is_seen_after_a_sync_though_leaders_are_killed() {
    let mut ensemble = Ensemble::start(3, |config| config);
    let mut client = Client::connect(ensemble.address(0));
    client.make("/passed");
    client.set("/passed", b"0", -1).unwrap();
    client.close();
    let addresses: Vec<_> = (0..3).map(|at| ensemble.address(at)).collect();
    let (passed, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = {
        let (client, passed, stop) = (Lasting::new(&addresses, 0), passed.clone(), stop.clone());
        thread::spawn(move || pass_on(client, &passed, &stop))
    };
    let readers: Vec<_> = (0..3)
        .map(|number| {
            let client = Lasting::new(&addresses, number);
            let (passed, stop) = (passed.clone(), stop.clone());
            thread::spawn(move || compare(client, &passed, &stop))
        })
        .collect();
    for _ in 0..super::number("RINGKEEPER_ENSEMBLE_ROUNDS").unwrap_or(2) {
        let before = passed.load(Ordering::SeqCst);
        let end = Instant::now() + PATIENCE;
        while passed.load(Ordering::SeqCst) < before + 50 {
            assert!(Instant::now() < end, "no write is acknowledged");
            thread::sleep(Duration::from_millis(10));
        }
        let leader = ensemble.leader();
        ensemble.servers[leader].restart();
        ensemble.await_service();
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let compared: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(compared.iter().all(|count| *count > 10), "hardly anything was compared: {compared:?}");
    ensemble.assert_equal();
}
