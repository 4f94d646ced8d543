//! What the configuration forbids: too many connections, too long requests, silence, missing
//! authentication.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::client::frame;
use harness::{Acl, Body, Client, Handshake, Server, code, is_reference, opcode};

#[test]
fn connections_of_one_address() {
    let server = Server::config().set("maxClientCnxns", "3").start();
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(server.address())).collect();
    assert!(Client::open(server.address(), &Handshake::default()).is_none(), "one too many");
    clients[0].ping();
    clients.pop().unwrap().close();
    // The server may notice the end slightly later than we do.
    let begin = Instant::now();
    while Client::open(server.address(), &Handshake::default()).is_none() {
        assert!(begin.elapsed() < Duration::from_secs(30), "no room again");
    }
}

#[test]
fn connections_in_all() {
    let server = Server::config().set("maxCnxns", "3").start();
    let _clients: Vec<_> = (0..3).map(|_| Client::connect(server.address())).collect();
    assert!(Client::open(server.address(), &Handshake::default()).is_none(), "one too many");
}

#[test]
fn a_connection_that_never_speaks_is_closed() {
    let server = Server::config().property("zookeeper.nio.sessionlessCnxnTimeout=500").start();
    let mut silent = TcpStream::connect(server.address()).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    Client::connect(server.address()).close();
}

#[test]
fn requests_longer_than_allowed() {
    let server = Server::config().property("jute.maxbuffer=2000").start();
    let mut c = Client::connect(server.address());
    c.create("/short", &[b'x'; 1800], &Acl::open(), 0).unwrap();
    let body = harness::client::create_body("/long", &[b'x'; 2000], &Acl::open(), 0);
    // It may be closed before all is sent.
    c.try_post(opcode::CREATE, &body);
    c.assert_closed();
    let mut c = c.reconnect();
    assert_eq!(c.exists("/long", false), Err(code::NO_NODE));
}

/// A listing may be longer than any request.
#[test]
fn replies_are_not_limited() {
    let server = Server::config().property("jute.maxbuffer=2000").start();
    let mut c = Client::connect(server.address());
    for i in 0..200 {
        c.make(&format!("/a-node-with-a-name-of-some-length-{i:04}"));
    }
    assert_eq!(c.children("/", false).unwrap().len(), 201);
}

#[test]
fn lists_may_be_skipped_altogether() {
    let server = Server::config().property("zookeeper.skipACL=yes").start();
    let mut c = Client::connect(server.address());
    c.create("/shut", b"", &[Acl::new(1, "world", "anyone")], 0).unwrap();
    c.set("/shut", b"x", -1).unwrap();
    c.make("/shut/a");
    c.delete("/shut/a", -1).unwrap();
    assert_eq!(c.create("/none", b"", &[], 0), Err(code::INVALID_ACL), "but they must be lists");
}

#[test]
fn clients_without_authentication_are_refused_where_it_is_enforced() {
    let server = Server::config()
        .set("enforce.auth.enabled", "true")
        .set("enforce.auth.schemes", "digest")
        .start();
    let mut c = Client::connect(server.address());
    c.add_auth("digest", b"alice:secret").unwrap();
    c.make("/authenticated");
    let mut c = Client::connect(server.address());
    let reply = c.call(opcode::EXISTS, &Body::new().string("/").boolean(false));
    assert_eq!((reply.err, reply.zxid, reply.body.len()), (-124, 0, 0));
    c.assert_closed();
}

#[test]
fn timeouts_of_sessions() {
    let server =
        Server::config().set("minSessionTimeout", "3000").set("maxSessionTimeout", "5000").start();
    for (requested, granted) in [(1, 3000), (4000, 4000), (9000, 5000)] {
        let handshake = Handshake { timeout_ms: requested, ..Handshake::default() };
        let c = Client::open(server.address(), &handshake).expect("answered");
        assert_eq!(c.welcome().timeout_ms, granted);
    }
}

/// Whether the server closes the connection. What it sends before is ignored.
fn is_closed(mut stream: TcpStream) -> bool {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// A connection above the limits is closed, whatever it sends, or if it sends nothing.
#[test]
fn connections_beyond_the_limit() {
    let server = Server::config().set("maxClientCnxns", "3").start();
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(server.address())).collect();
    for bytes in [&b""[..], b"\0", b"\0\0\0\x2d", &frame(&Handshake::default().encode())] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        // One that is already closed accepts nothing.
        let _ = stream.write_all(bytes);
        assert!(is_closed(stream), "{bytes:?}");
        assert!(Client::try_open(server.address(), &Handshake::default()).is_none());
    }
    clients.iter_mut().for_each(Client::ping);
    clients.pop().unwrap().close();
    clients[0].wait_until("one comes in again", |_| {
        Client::try_open(server.address(), &Handshake::default()).is_some()
    });
}

/// Many words at once are answered whatever the limit on connections is, even beside as many
/// clients as are allowed.
#[test]
fn words_beyond_the_limit_are_answered() {
    if is_reference() {
        return;
    }
    let server = Server::config().set("maxClientCnxns", "5").start();
    let mut clients: Vec<_> = (0..5).map(|_| Client::connect(server.address())).collect();
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(b"ruok").unwrap();
            stream
        })
        .collect();
    for mut stream in asking {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "imok");
    }
    assert!(Client::try_open(server.address(), &Handshake::default()).is_none());
    clients.iter_mut().for_each(Client::ping);
}
