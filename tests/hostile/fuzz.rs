//! Malformed packets to a server process: after each burst it is alive, answers a well-behaved
//! client, and has the memory and descriptors that it had.

use super::bytes::{self, Dice};
use super::crowds::{dial, dial_session};
use super::start;
use super::vitals::Rest;
use harness::client::frame;
use harness::{Client, Server};
use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Packets between two checks of the server.
const BURST: usize = 2_000;
const WORDS: [&[u8]; 12] = [
    b"ruok",
    b"mntr",
    b"cons",
    b"dump",
    b"wchp",
    b"wchc",
    b"stmk",
    b"conf",
    b"envi",
    b"srvr",
    b"isro",
    b"\xff\xf4\xff\xfd",
];

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Sends one connection's worth of packets; returns their number.
fn attack(address: SocketAddr, dice: &mut Dice) -> usize {
    if dice.once_in(40) {
        return word(address, dice);
    }
    let mut packets = Vec::new();
    if dice.once_in(8) {
        let mut connect = bytes::connect(4_000, dice.next() as i64, &[7; 16]);
        bytes::mutate(dice, &mut connect);
        packets.push(frame(&connect));
    }
    let count = 1 + dice.below(60);
    for xid in 0..count {
        let mut packet = bytes::request(dice, xid as i32);
        if dice.once_in(2) {
            bytes::mutate(dice, &mut packet);
        }
        let mut packet = frame(&packet);
        if dice.once_in(100) {
            // The frame itself: its length does not match what follows.
            bytes::mutate(dice, &mut packet);
        }
        packets.push(packet);
    }
    let mut stream = if dice.once_in(10) { dial(address) } else { dial_session(address, 4_000) };
    send(&mut stream, &packets.concat(), dice);
    count
}

/// Sends in one piece or in several, cut anywhere; then may wait briefly for replies.
fn send(stream: &mut TcpStream, bytes: &[u8], dice: &mut Dice) {
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = if dice.once_in(3) { 1 + dice.below(40) } else { rest.len() };
        let (piece, left) = rest.split_at(length.min(rest.len()));
        if stream.write_all(piece).is_err() {
            return;
        }
        rest = left;
    }
    if !dice.once_in(3) {
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let mut buffer = vec![0; 1 << 16];
        while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }
}

fn word(address: SocketAddr, dice: &mut Dice) -> usize {
    let mut stream = dial(address);
    let mut bytes = dice.of(&WORDS).to_vec();
    let count = dice.of(&[0, 4, 8, 100, 70_000]);
    bytes.extend(dice.noise(count));
    send(&mut stream, &bytes, dice);
    1
}

#[test]
fn packets_that_are_none() {
    let seconds = number("RINGKEEPER_FUZZ_SECONDS");
    let seed = number("RINGKEEPER_FUZZ_SEED").unwrap_or(1);
    let limit = seconds.map(Duration::from_secs);
    // There are many sessions: the tree and its log may grow, but not without limit in one run.
    let config = Server::config().property("zookeeper.nio.sessionlessCnxnTimeout=1000");
    let server = start(config);
    Client::connect(server.address()).close();
    let mut rest: Option<Rest> = None;
    let (begin, mut executions, mut bursts) = (Instant::now(), 0, 0);
    while bursts < 2 || limit.is_some_and(|limit| begin.elapsed() < limit) {
        let mut dice = Dice(seed.wrapping_add(bursts << 32));
        let mut sent = 0;
        while sent < BURST {
            sent += attack(server.address(), &mut dice);
        }
        executions += sent;
        bursts += 1;
        // Whatever a hostile client does to ACLs, every client may call whoAmI.
        let mut client = Client::connect(server.address());
        assert!(!client.who_am_i().is_empty());
        client.close();
        // The first burst creates the nodes that the others find; a tree of some size is no leak.
        match &rest {
            None => rest = Some(Rest::of(&server)),
            Some(rest) => {
                rest.assert_back(&server, 64 << 10);
            }
        }
    }
    if seconds.is_some() {
        let took = begin.elapsed().as_secs();
        let grown = rest.map_or(0, |rest| rest.grown_kib(&server));
        writeln!(
            std::io::stderr(),
            "fuzz: seed {seed}: {executions} packets, {bursts} bursts, {took} s, {grown} KiB grown"
        )
        .ok();
    }
}
