//! Probes beside a crowd that requests much and reads nothing, or sends nothing at all: a failing
//! probe would restart a healthy server.

use super::start;
use super::vitals::Rest;
use harness::http::get;
use harness::server::next_free_port;
use harness::{Body, Client, Server, opcode};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// More than the words that could once wait and be answered at the same time.
const CROWD: usize = 300;

/// Together more than sockets buffer: 12 MB.
const WATCHES: usize = 3_000;
const NAME_BYTES: usize = 4_000;

/// The buffers for answers, the page cache of the log, and what an allocator keeps.
const GROWTH_KIB_MAX: u64 = 600 << 10;

/// What `wchp` shows, and longer than sockets buffer.
fn watch_much(server: &Server) -> Client {
    let mut client = Client::connect(server.address());
    let watches: Vec<_> = (0..WATCHES)
        .map(|number| {
            let path = format!("/{number}-{}", "w".repeat(NAME_BYTES));
            (opcode::EXISTS, Body::new().string(&path).boolean(true))
        })
        .collect();
    let first = client.post_all(&watches);
    (0..WATCHES).for_each(|at| drop(client.reply(first + at as i32)));
    client
}

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Connections that send this, and read nothing.
fn crowd(
    address: SocketAddr,
    count: usize,
    says: impl Fn(usize) -> &'static str,
) -> Vec<TcpStream> {
    let held = (0..count).map(|at| {
        let mut stream = dial(address);
        stream.write_all(says(at).as_bytes()).unwrap();
        stream
    });
    held.collect()
}

#[test]
fn words_beside_answers_that_are_never_read() {
    let server = start(Server::config());
    let _watcher = watch_much(&server);
    let rest = Rest::of(&server);
    let held = crowd(server.address(), CROWD, |at| ["wchp", "dump", "wchc"][at % 3]);
    // A later client is served once they have been read.
    Client::connect(server.address()).ping();
    for word in ["ruok", "isro", "srvr", "stat", "mntr", "conf", "wchs", "ruok"] {
        assert!(server.try_word(word).is_some(), "{word} stays unanswered");
    }
    let grown = rest.grown_kib(&server);
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB for answers that are never read");
    drop(held);
    assert_eq!(server.word("ruok"), "imok");
}

#[test]
fn a_large_answer_reaches_a_client_that_reads_it() {
    let server = start(Server::config());
    let _watcher = watch_much(&server);
    let held = crowd(server.address(), 24, |_| "wchp");
    let mut stream = dial(server.address());
    stream.write_all(b"wchp").unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    assert!(text.len() > WATCHES * NAME_BYTES && text.ends_with(b"\n\n"), "{} bytes", text.len());
    drop(held);
}

/// A server with its admin server at this address, without a timeout.
fn with_admin() -> (Server, SocketAddr) {
    let port = next_free_port();
    let config = Server::config()
        .set("admin.enableServer", "true")
        .set("admin.serverAddress", "127.0.0.1")
        .set("admin.serverPort", &port.to_string())
        .set("admin.idleTimeout", "600000");
    (start(config), SocketAddr::from(([127, 0, 0, 1], port)))
}

#[test]
fn commands_beside_silent_connections() {
    let (server, admin) = with_admin();
    // Nothing, a part of a line, a part of a head.
    let begun = ["", "GET /comm", "GET /commands/ruok HTTP/1.1\r\nHost: x\r\n"];
    let held = crowd(admin, CROWD, |at| begun[at % begun.len()]);
    for _ in 0..3 {
        let answer = get(admin, "/commands/ruok");
        assert_eq!(answer.map(|answer| answer.status), Some(200), "the health check");
    }
    drop(held);
    drop(server);
}

#[test]
fn a_client_that_ends_its_side_behind_a_request_is_answered() {
    let (server, admin) = with_admin();
    for _ in 0..20 {
        let mut stream = dial(admin);
        stream.write_all(b"GET /commands/ruok HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text:?}");
    }
    drop(server);
}

#[test]
fn commands_beside_answers_that_are_never_read() {
    let (server, admin) = with_admin();
    let _watcher = watch_much(&server);
    let rest = Rest::of(&server);
    let ask = "GET /commands/watches_by_path HTTP/1.1\r\nHost: x\r\n\r\n";
    let held = crowd(admin, 200, |_| ask);
    for command in ["ruok", "is_read_only", "server_stats", "monitor", "stats", "ruok"] {
        let answer = get(admin, &format!("/commands/{command}"));
        assert_eq!(answer.map(|answer| answer.status), Some(200), "{command}");
    }
    let crowded = get(admin, "/commands/watches_by_path").map(|answer| answer.status);
    assert!(matches!(crowded, Some(200 | 503)), "every request gets an answer: {crowded:?}");
    let grown = rest.grown_kib(&server);
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB for answers that are never read");
    drop(held);
    let answer = get(admin, "/commands/ruok").unwrap();
    assert!(answer.body.contains("\"error\" : null"), "{answer:?}");
}
