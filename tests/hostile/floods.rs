//! Few connections that request too much, or read too little.

use super::crowds::{dial, dial_session};
use super::vitals::{Rest, beside, report, wait_for};
use super::{bytes, sized, start};
use harness::client::{create_body, frame};
use harness::{Acl, Body, Client, Server, opcode};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const SLACK_KIB: u64 = 32 << 10;

fn request(kind: i32, body: &Body) -> Vec<u8> {
    frame(&Body::new().int(1).int(kind).raw(&body.0).0)
}

fn get(path: &str) -> Vec<u8> {
    request(opcode::GET_DATA, &Body::new().string(path).boolean(false))
}

/// A node of the largest allowed size, and one with many children.
fn furnish(server: &Server) -> Client {
    let mut client = Client::connect(server.address());
    client.create("/large", &vec![b'l'; 1_000_000], &Acl::open(), 0).unwrap();
    client.make("/wide");
    let children: Vec<_> = (0..sized(2_000, 20_000))
        .map(|i| {
            let path = format!("/wide/{}-{i:06}", "w".repeat(100));
            (opcode::CREATE, create_body(&path, b"", &Acl::open(), 0))
        })
        .collect();
    for children in children.chunks(500) {
        let first = client.post_all(children);
        (0..children.len()).for_each(|at| assert_eq!(client.reply(first + at as i32).err, 0));
    }
    client
}

/// Sends as much as the server accepts, until it accepts nothing for a second.
fn stuff(stream: &mut TcpStream, bytes: &[u8]) {
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(bytes).ok();
}

/// Replies that are not read are not produced: at most a megabyte and two replies per connection.
#[test]
fn large_replies_never_read() {
    let server = start(Server::config());
    let _client = furnish(&server);
    let (count, asked) = (sized(4, 40), 4_000);
    let rest = Rest::of(&server);
    let listing = request(opcode::GET_CHILDREN, &Body::new().string("/wide").boolean(false));
    let held: Vec<_> = beside("large replies never read", &server, || {
        let held = (0..count).map(|at| {
            let mut stream = dial_session(server.address(), 40_000);
            let one = if at % 2 == 0 { get("/large") } else { listing.clone() };
            stuff(&mut stream, &one.repeat(asked));
            stream
        });
        held.collect()
    });
    let kib = rest.grown_kib(&server) / count as u64;
    report("large replies never read", &format!("{count} connections, {kib} KiB each"));
    assert!(kib < 10 << 10, "{kib} KiB for a connection that takes nothing");
    drop(held);
    let left = rest.assert_back(&server, SLACK_KIB);
    report("large replies never read", &format!("afterwards: {left} KiB stay"));
}

#[test]
fn resets_in_the_middle_of_replies() {
    let server = start(Server::config());
    let _client = furnish(&server);
    let rest = Rest::of(&server);
    let count = sized(60, 2_000);
    beside("resets in mid-reply", &server, || {
        for _ in 0..count {
            let mut stream = dial_session(server.address(), 4_000);
            stream.write_all(&get("/large").repeat(3)).unwrap();
            // Unread input turns the close into a reset.
            stream.read_exact(&mut [0; 1000]).unwrap();
        }
    });
    let left = rest.assert_back(&server, SLACK_KIB);
    report("resets in mid-reply", &format!("{count}: {left} KiB stay"));
}

#[test]
fn a_byte_at_a_time() {
    let server = start(Server::config());
    let rest = Rest::of(&server);
    let (count, seconds) = (sized(20, 1_000), sized(2, 15));
    beside("a byte a second", &server, || {
        let mut held: Vec<_> = (0..count).map(|_| dial_session(server.address(), 40_000)).collect();
        let bytes = request(opcode::EXISTS, &Body::new().string("/").boolean(false));
        for at in 0..seconds {
            let begin = Instant::now();
            for stream in &mut held {
                stream.write_all(&bytes[at..=at]).unwrap();
            }
            thread::sleep(Duration::from_secs(1).saturating_sub(begin.elapsed()));
        }
        for stream in &mut held {
            stream.write_all(&bytes[seconds..]).unwrap();
            stream.read_exact(&mut [0; 20 + 68]).expect("slow is no crime");
        }
    });
    let left = rest.assert_back(&server, SLACK_KIB);
    report("a byte a second", &format!("{count}: {left} KiB stay"));
}

/// Sends all of these, and reads as many replies of `reply_bytes` each.
fn pipeline(stream: &mut TcpStream, packets: impl Iterator<Item = Vec<u8>>, reply_bytes: usize) {
    let mut reading = stream.try_clone().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        let mut taken = 0;
        let mut expected = usize::MAX;
        while taken < expected {
            taken += reading.read(&mut buffer).expect("replies come");
            if let Ok(count) = receiver.try_recv() {
                expected = count;
            }
        }
        taken
    });
    let (mut count, mut bytes) = (0, Vec::new());
    for packet in packets {
        bytes.extend_from_slice(&packet);
        count += 1;
        if bytes.len() > 1 << 16 {
            stream.write_all(&bytes).unwrap();
            bytes.clear();
        }
    }
    // The number is known before the last reply is.
    sender.send(count * reply_bytes).unwrap();
    stream.write_all(&bytes).unwrap();
    stream.write_all(&request(opcode::PING, &Body::new())).unwrap();
    let taken = reader.join().expect("replies come");
    assert!(taken >= count * reply_bytes, "{taken} bytes for {count} requests");
}

#[test]
fn a_million_requests_at_once() {
    let server = start(Server::config());
    let rest = Rest::of(&server);
    let count = sized(50_000, 1_000_000);
    beside("a million gets pipelined", &server, || {
        let mut stream = dial_session(server.address(), 40_000);
        let one = request(opcode::EXISTS, &Body::new().string("/").boolean(false));
        pipeline(&mut stream, (0..count).map(|_| one.clone()), 20 + 68);
    });
    beside("sets pipelined", &server, || {
        let mut stream = dial_session(server.address(), 40_000);
        let body = Body::new().string("/pulse").buffer(&b"x"[..]).int(-1);
        let one = request(opcode::SET_DATA, &body);
        pipeline(&mut stream, (0..count / 5).map(|_| one.clone()), 20 + 68);
    });
    let left = rest.assert_back(&server, SLACK_KIB);
    report("a million requests pipelined", &format!("{count}: {left} KiB stay"));
}

/// Watches of missing nodes: 20 bytes of reply each.
fn watch(stream: &mut TcpStream, name: &str, count: usize) {
    let paths = (0..count).map(|i| {
        let path = format!("/watched/{name}/{i:07}");
        request(opcode::EXISTS, &Body::new().string(&path).boolean(true))
    });
    pipeline(stream, paths, 20);
}

fn watched(server: &Server) -> usize {
    let text = server.word("wchs");
    let total = text.lines().find_map(|line| line.strip_prefix("Total watches:"));
    total.expect("wchs counts").trim().parse().unwrap()
}

#[test]
fn a_million_watches() {
    let server = start(Server::config());
    let rest = Rest::of(&server);
    let count = sized(40_000, 1_000_000);
    let held = beside("a million watches of one connection", &server, || {
        let mut stream = dial_session(server.address(), 40_000);
        watch(&mut stream, "one", count);
        stream
    });
    assert_eq!(watched(&server), count);
    let bytes = rest.grown_kib(&server) * 1024 / count as u64;
    report("a million watches of one connection", &format!("{count}, {bytes} bytes each"));
    beside("their connection goes", &server, || {
        drop(held);
        wait_for("watches are forgotten", || watched(&server) == 0);
    });
    let left = rest.assert_back(&server, SLACK_KIB);
    report("a million watches of one connection", &format!("afterwards: {left} KiB stay"));
    let connections = sized(50, 1_000);
    let held: Vec<_> = beside("a million watches of a thousand connections", &server, || {
        let held = (0..connections).map(|_| {
            let mut stream = dial_session(server.address(), 40_000);
            watch(&mut stream, "many", count / connections);
            stream
        });
        held.collect()
    });
    assert_eq!(watched(&server), count / connections * connections);
    beside("the thousand go", &server, || {
        drop(held);
        wait_for("watches are forgotten", || watched(&server) == 0);
    });
    let left = rest.assert_back(&server, SLACK_KIB);
    report("a million watches of a thousand connections", &format!("afterwards: {left} KiB stay"));
}

fn ephemerals(server: &Server) -> usize {
    let text = server.word("mntr");
    let line = text.lines().find_map(|line| line.strip_prefix("zk_ephemerals_count"));
    line.expect("mntr counts").trim().parse().unwrap()
}

#[test]
fn a_million_ephemerals_expire() {
    let server = start(Server::config().set("snapCount", "100000000"));
    let mut client = Client::connect(server.address());
    client.make("/brief");
    client.close();
    let rest = Rest::of(&server);
    // More than a session may have and still be closed by one txn.
    let count = sized(15_000, 1_000_000);
    let held = beside("a million ephemerals made", &server, || {
        let mut stream = dial_session(server.address(), 2_000);
        let nodes = (0..count).map(|i| {
            let path = format!("/brief/{i:07}");
            request(opcode::CREATE, &create_body(&path, b"", &Acl::open(), 1))
        });
        pipeline(&mut stream, nodes, 20 + 4 + "/brief/0000000".len());
        stream
    });
    assert_eq!(ephemerals(&server), count);
    let bytes = rest.grown_kib(&server) * 1024 / count as u64;
    report("a million ephemerals made", &format!("{count}, {bytes} bytes each"));
    beside("a million ephemerals expire", &server, || {
        drop(held);
        wait_for("ephemerals go", || ephemerals(&server) == 0);
    });
    let mut client = Client::connect(server.address());
    assert_eq!(client.children("/brief", false), Ok(vec![]));
    client.close();
    let left = rest.assert_back(&server, SLACK_KIB);
    report("a million ephemerals expire", &format!("afterwards: {left} KiB stay"));
}

/// A session is closed while its last replies wait for a client that never reads them.
#[test]
fn last_replies_never_read() {
    let server = start(Server::config().property("zookeeper.nio.sessionlessCnxnTimeout=1000"));
    let _client = furnish(&server);
    let rest = Rest::of(&server);
    let held: Vec<_> = (0..sized(3, 50))
        .map(|_| {
            let mut stream = dial(server.address());
            let connect = frame(&bytes::connect(4_000, 0, &[0; 16]));
            // More than sockets buffer, then the end of the session.
            let end = request(opcode::CLOSE_SESSION, &Body::new());
            stuff(&mut stream, &[connect, get("/large").repeat(12), end].concat());
            stream
        })
        .collect();
    rest.assert_back(&server, SLACK_KIB);
    drop(held);
}

/// The longest turn, in us, that the server's log reports behind this many bytes.
fn longest_turn_us(server: &Server, since: usize) -> u64 {
    let log = server.log();
    let turns = log[since..].split("turn_us=").skip(1);
    let number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().unwrap_or(0)
    };
    turns.map(number).max().unwrap_or(0)
}

/// Requests that are long by themselves, one after another: all other clients are answered between
/// their pieces.
#[test]
fn long_requests() {
    let server =
        start(Server::config().set("ring.log.level", "info,server::core_loop::pace=debug"));
    let mut maker = Client::connect(server.address());
    maker.make("/many");
    let count = sized(5_000, 100_000);
    let children: Vec<_> = (0..count)
        .map(|i| (opcode::CREATE, create_body(&format!("/many/{i:06}"), b"", &Acl::open(), 0)))
        .collect();
    for children in children.chunks(500) {
        let first = maker.post_all(children);
        (0..children.len()).for_each(|at| assert_eq!(maker.reply(first + at as i32).err, 0));
    }
    let rest = Rest::of(&server);
    let paths: Vec<String> = (0..60_000).map(|i| format!("/many/{i:06}")).collect();
    let strings = |body: Body, count: usize| {
        let body = body.int(count as i32);
        paths[..count].iter().fold(body, |body, path| body.string(path))
    };
    let watches = strings(Body::new().long(i64::MAX), sized(2_000, 60_000)).int(0).int(0);
    let checks = (0..sized(1_000, 30_000)).fold(Body::new(), |body, at| {
        let body = body.int(opcode::CHECK).boolean(false).int(-1);
        body.string(&paths[at % 5_000]).int(-1)
    });
    let sets = (0..sized(500, 16_000)).fold(Body::new(), |body, at| {
        let body = body.int(opcode::SET_DATA).boolean(false).int(-1);
        body.string(&paths[at % 5_000]).buffer(&b"x"[..]).int(-1)
    });
    let end = |body: Body| body.int(-1).boolean(true).int(-1);
    let listing = Body::new().string("/many").boolean(false);
    let all = [
        ("listing", opcode::GET_CHILDREN, listing),
        ("setWatches", opcode::SET_WATCHES, watches),
        ("multi of checks", opcode::MULTI, end(checks)),
        ("multi of sets", opcode::MULTI, end(sets)),
    ];
    for (name, kind, body) in all {
        let since = server.log().len();
        let bytes = request(kind, &body);
        assert!(bytes.len() < 1 << 20, "{name}: {} bytes", bytes.len());
        let begin = Instant::now();
        let mut took = Duration::ZERO;
        beside(name, &server, || {
            let mut stream = dial_session(server.address(), 40_000);
            for _ in 0..sized(2, 10) {
                let one = Instant::now();
                stream.write_all(&bytes).unwrap();
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut reply = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut reply).unwrap();
                assert_eq!(reply[12..16], [0; 4], "{name} is answered");
                took = took.max(one.elapsed());
            }
        });
        let turn_us = longest_turn_us(&server, since);
        let (bytes, all) = (bytes.len(), begin.elapsed());
        let line =
            format!("{bytes} bytes, slowest {took:.0?}, longest turn {turn_us} us ({all:.0?})");
        report(name, &line);
    }
    maker.close();
    let left = rest.assert_back(&server, SLACK_KIB);
    report("long requests", &format!("afterwards: {left} KiB stay"));
}
