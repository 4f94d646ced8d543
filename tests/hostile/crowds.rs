//! Many connections: idle, opened and dropped, half open, too many, sending noise.

use super::bytes::{self, Dice};
use super::vitals::{Rest, beside, descriptors, report, wait_for};
use super::{sized, start};
use harness::client::frame;
use harness::{Client, Server};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What remains of a crowd: tables that do not shrink, at a kilobyte per connection, and memory
/// that the allocator does not return at once.
const SLACK_KIB: u64 = 24 << 10;

/// A connection; the machine may be slow to accept in a storm.
pub(super) fn dial(address: SocketAddr) -> TcpStream {
    let begin = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                stream.set_nodelay(true).unwrap();
                return stream;
            }
            Err(error) => {
                assert!(begin.elapsed() < Duration::from_secs(30), "no connection: {error}");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// A connection with a session of its own, by hand: small in memory on our side.
pub(super) fn dial_session(address: SocketAddr, timeout_ms: i32) -> TcpStream {
    let mut stream = dial(address);
    stream.write_all(&frame(&bytes::connect(timeout_ms, 0, &[0; 16]))).unwrap();
    let mut welcome = [0; 41];
    let read = stream.read_exact(&mut welcome);
    assert!(read.is_ok(), "no session for {:?}: {read:?}, {welcome:?}", stream.local_addr());
    stream
}

/// Such that no connection is closed for being silent.
fn patient() -> Server {
    start(Server::config().property("zookeeper.nio.sessionlessCnxnTimeout=600000"))
}

#[test]
fn idle_connections() {
    let server = patient();
    let count = sized(300, 10_000);
    Client::connect(server.address()).close();
    let rest = Rest::of(&server);
    let before = descriptors(&server);
    let held = beside("idle connections", &server, || {
        let held: Vec<_> = (0..count).map(|_| dial(server.address())).collect();
        wait_for("all are accepted", || descriptors(&server) >= before + count);
        held
    });
    let bytes = rest.grown_kib(&server) * 1024 / count as u64;
    report("idle connections", &format!("{count}, {bytes} bytes of server memory each"));
    assert!(bytes < 4096 || count < 1000, "{bytes} bytes for an idle connection");
    drop(held);
    let left = rest.assert_back(&server, SLACK_KIB);
    report("idle connections", &format!("afterwards: {left} KiB stay"));
}

#[test]
fn idle_sessions() {
    let server = patient();
    let count = sized(300, 10_000);
    Client::connect(server.address()).close();
    let rest = Rest::of(&server);
    let held: Vec<_> = beside("idle sessions", &server, || {
        (0..count).map(|_| dial_session(server.address(), 40_000)).collect()
    });
    let bytes = rest.grown_kib(&server) * 1024 / count as u64;
    report("idle sessions", &format!("{count}, {bytes} bytes of server memory each"));
    assert!(bytes < 4096 || count < 1000, "{bytes} bytes for an idle session");
    beside("ten thousand sessions expire", &server, || {
        drop(held);
        wait_for("sessions expire", || {
            server.word("dump").lines().filter(|line| line.trim_start().starts_with("0x")).count()
                <= 2
        });
    });
    let left = rest.assert_back(&server, SLACK_KIB);
    report("idle sessions", &format!("afterwards: {left} KiB stay"));
}

#[test]
fn opened_and_dropped() {
    let server = patient();
    let (count, rounds) = (sized(200, 5_000), sized(3, 10));
    Client::connect(server.address()).close();
    let rest = Rest::of(&server);
    beside("opened and dropped", &server, || {
        for round in 0..rounds {
            let held: Vec<_> = (0..count).map(|_| dial(server.address())).collect();
            for mut stream in held {
                // Some send half of a handshake first.
                if round % 2 == 1 {
                    stream.write_all(&[0, 0, 0, 45, 0]).ok();
                }
            }
        }
    });
    let left = rest.assert_back(&server, SLACK_KIB);
    report("opened and dropped", &format!("{count} x {rounds}: {left} KiB stay"));
}

#[test]
fn half_open_connections_are_closed() {
    let server = start(Server::config().property("zookeeper.nio.sessionlessCnxnTimeout=700"));
    let count = sized(100, 5_000);
    let rest = Rest::of(&server);
    let mut held = beside("half open", &server, || {
        let mut held: Vec<_> = (0..count).map(|_| dial(server.address())).collect();
        for (at, stream) in held.iter_mut().enumerate() {
            // Nothing; a length; a request without its end.
            let begun = [&b""[..], b"\0\0\0\x2d", b"\0\0\0\x2d\0\0\0\0\0\0"][at % 3];
            stream.write_all(begun).ok();
        }
        held
    });
    for stream in &mut held {
        let ended = stream.read(&mut [0]);
        assert!(matches!(ended, Ok(0) | Err(_)), "something was said: {ended:?}");
    }
    let left = rest.assert_back(&server, SLACK_KIB);
    report("half open", &format!("{count} sent away: {left} KiB stay"));
}

#[test]
fn a_storm_at_the_limit() {
    let server = start(Server::config().set("maxClientCnxns", "20"));
    let count = sized(300, 10_000);
    let rest = Rest::of(&server);
    let refused = beside("storm at maxClientCnxns", &server, || {
        let mut held = Vec::new();
        (0..count)
            .filter(|_| {
                let mut stream = dial(server.address());
                let sent = stream.write_all(&frame(&bytes::connect(4_000, 0, &[0; 16])));
                let is_refused = sent.is_err() || stream.read_exact(&mut [0; 41]).is_err();
                if !is_refused {
                    held.push(stream);
                }
                is_refused
            })
            .count()
    });
    assert!(refused >= count - 20, "{refused} of {count} refused at a limit of 20");
    let left = rest.assert_back(&server, SLACK_KIB);
    report("storm at maxClientCnxns", &format!("{refused} of {count} refused: {left} KiB stay"));
}

#[test]
fn clients_of_noise() {
    let server = start(Server::config().property("zookeeper.nio.sessionlessCnxnTimeout=1000"));
    let count = sized(100, 1_000);
    let rest = Rest::of(&server);
    beside("noise", &server, || {
        let mut dice = Dice(7);
        for round in 0..sized(2, 20) {
            let mut held: Vec<_> = (0..count).map(|_| dial(server.address())).collect();
            for stream in &mut held {
                let length = dice.of(&[3, 4, 100, 4_000, 20_000]);
                let mut noise = dice.noise(length);
                if round % 2 == 1 && noise.len() > 4 {
                    // A valid length, so that it is taken for a request.
                    noise[..4].copy_from_slice(&(length as u32 / 2).to_be_bytes());
                }
                stream.write_all(&noise).ok();
            }
        }
    });
    let left = rest.assert_back(&server, SLACK_KIB);
    report("noise", &format!("{count} clients at a time: {left} KiB stay"));
}
