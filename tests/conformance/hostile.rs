//! Bytes that no well-behaved client would send. The server closes or refuses, and keeps serving
//! all others.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use harness::client::frame;
use harness::{Acl, Body, Client, Server, code, opcode};

/// A server of its own: if it fails, no other test is affected.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::config().start())
}

/// The server answers the bytes by closing, with nothing else.
fn assert_closes(bytes: &[u8]) {
    let mut stream = TcpStream::connect(server().address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset is a close as well: the server need not read the remaining input.
    let read = stream.read_to_end(&mut answer);
    let timed_out = read.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!timed_out && answer.is_empty(), "{bytes:?} got {answer:?}, left open: {timed_out}");
    assert_serves();
}

fn assert_serves() {
    let mut c = Client::connect(server().address());
    assert!(c.exists("/", false).is_ok());
    c.close();
}

/// With a session: the connection is closed, and the session can be resumed.
fn assert_closes_in_session(bytes: &[u8]) {
    let mut c = Client::connect(server().address());
    c.send_raw(bytes);
    c.assert_closed();
    c.reconnect().close();
    assert_serves();
}

#[test]
fn invalid_lengths() {
    for length in [-1, i32::MIN, i32::MAX, 0x7fff_0000, 1_048_576] {
        assert_closes(&length.to_be_bytes());
        assert_closes_in_session(&length.to_be_bytes());
    }
}

#[test]
fn a_connect_request_too_short() {
    for count in [0, 1, 4, 12, 23] {
        let connect = Body::new().int(0).long(0).int(9000).long(0).0;
        assert_closes(&frame(&connect[..count]));
    }
}

#[test]
fn a_password_longer_than_its_frame() {
    let connect = Body::new().int(0).long(0).int(9000).long(0);
    assert_closes(&frame(&connect.clone().int(1000).raw(&[0; 16]).0));
    assert_closes(&frame(&connect.clone().int(i32::MAX).raw(&[0; 16]).0));
    assert_closes(&frame(&connect.int(-2).raw(&[0; 16]).0));
}

#[test]
fn another_protocol() {
    assert_closes(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    assert_closes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    assert_closes(b"SSH-2.0-OpenSSH_9.2\r\n");
    assert_closes(&[0xff; 4000]);
}

#[test]
fn half_a_word_then_a_close() {
    for bytes in [&b"ru"[..], b"\0\0", b"\0\0\0\x2d\0\0\0\0", b""] {
        let mut stream = TcpStream::connect(server().address()).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    }
    assert_serves();
}

#[test]
fn a_request_header_cut_short() {
    for count in [0, 1, 4, 7] {
        assert_closes_in_session(&frame(&[0; 8][..count]));
    }
}

/// An unknown operation is answered, then the connection closes; the session lives on.
#[test]
fn unknown_operations_are_unimplemented() {
    for kind in [10, 23, 99, 108, 1000, -2, -100, i32::MAX, i32::MIN, 0, -1, opcode::CHECK] {
        let mut c = Client::connect(server().address());
        let reply = c.call(kind, &Body::new().string("/").int(-1));
        assert_eq!((reply.err, reply.body.len()), (code::UNIMPLEMENTED, 0), "{kind}");
        c.assert_closed();
        c.reconnect().close();
    }
}

#[test]
fn bodies_cut_short_are_not_understood() {
    let mut c = Client::connect(server().address());
    c.make("/cut");
    let bodies = [
        (opcode::CREATE, Body::new().string("/cut/a").buffer(&b"x"[..]).acls(&Acl::open())),
        (opcode::CREATE2, Body::new().string("/cut/a")),
        (opcode::CREATE_TTL, harness::client::create_body("/cut/a", b"", &Acl::open(), 5)),
        (opcode::DELETE, Body::new().string("/cut")),
        (opcode::SET_DATA, Body::new().string("/cut").buffer(&b"x"[..])),
        (opcode::SET_ACL, Body::new().string("/cut")),
        (opcode::GET_DATA, Body::new().string("/cut")),
        (opcode::EXISTS, Body::new().int(400).raw(b"/cut")),
        (opcode::GET_CHILDREN, Body::new()),
        (opcode::GET_CHILDREN2, Body::new().int(-2)),
        (opcode::GET_ACL, Body::new().int(i32::MAX)),
        (opcode::SYNC, Body::new()),
        (opcode::SET_WATCHES, Body::new().long(0).int(i32::MAX)),
        (opcode::SET_WATCHES2, Body::new().long(0).int(0).int(0).int(0).int(0)),
        (opcode::ADD_WATCH, Body::new().string("/cut")),
        (opcode::CHECK_WATCHES, Body::new().string("/cut")),
        (opcode::REMOVE_WATCHES, Body::new().string("/cut")),
        (opcode::GET_EPHEMERALS, Body::new()),
        (opcode::GET_ALL_CHILDREN_NUMBER, Body::new()),
        (opcode::MULTI_READ, Body::new().int(4).boolean(false)),
    ];
    for (kind, body) in bodies {
        let reply = c.call(kind, &body);
        assert_eq!((reply.err, reply.body.len()), (code::MARSHALLING_ERROR, 0), "{kind}");
    }
    assert_eq!(c.children("/cut", false), Ok(vec![]));
    c.close();
}

#[test]
fn invalid_counts_of_vectors() {
    let mut c = Client::connect(server().address());
    for count in [i32::MAX, 1 << 24, 100] {
        let body = Body::new().string("/count").buffer(&b""[..]).int(count);
        let reply = c.call(opcode::CREATE, &body);
        assert_eq!(reply.err, code::MARSHALLING_ERROR, "{count}");
    }
    assert_serves();
}

#[test]
fn bytes_beyond_a_body_are_ignored() {
    let mut c = Client::connect(server().address());
    let body = Body::new().string("/").boolean(false).raw(b"and more");
    assert_eq!(c.call(opcode::EXISTS, &body).err, code::OK);
    c.close();
}

/// A null path is a missing path to some operations, an invalid one to others, and to those about
/// watches a path like any other.
#[test]
fn null_paths() {
    const WRITES: [i32; 7] = [
        opcode::CREATE,
        opcode::CREATE2,
        opcode::CREATE_CONTAINER,
        opcode::CREATE_TTL,
        opcode::DELETE,
        opcode::SET_DATA,
        opcode::SET_ACL,
    ];
    let own = Server::config().start();
    let mut c = Client::connect(own.address());
    c.exists("/", false).unwrap();
    let mut zxid = c.zxid();
    let null = Body::new().buffer(None);
    let create = null.clone().buffer(&b""[..]).acls(&Acl::open());
    let watches =
        |lists: &[&[u8]]| lists.iter().fold(Body::new().long(0), |body, list| body.raw(list));
    let none = [0; 4];
    let one = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
    for (kind, body, expected) in [
        (opcode::CREATE, create.clone().int(0), code::MARSHALLING_ERROR),
        (opcode::CREATE, create.clone().int(2), code::MARSHALLING_ERROR),
        (opcode::CREATE, create.clone().int(9), code::BAD_ARGUMENTS),
        (opcode::CREATE2, create.clone().int(1), code::MARSHALLING_ERROR),
        (opcode::CREATE_CONTAINER, create.clone().int(4), code::MARSHALLING_ERROR),
        (opcode::CREATE_TTL, create.clone().int(5).long(5000), code::MARSHALLING_ERROR),
        (opcode::DELETE, null.clone().int(-1), code::MARSHALLING_ERROR),
        (opcode::SET_DATA, null.clone().buffer(&b""[..]).int(-1), code::BAD_ARGUMENTS),
        (opcode::SET_ACL, null.clone().acls(&Acl::open()).int(-1), code::BAD_ARGUMENTS),
        (opcode::SYNC, null.clone(), code::OK),
        (opcode::GET_DATA, null.clone().boolean(false), code::MARSHALLING_ERROR),
        (opcode::GET_DATA, null.clone().boolean(true), code::MARSHALLING_ERROR),
        (opcode::EXISTS, null.clone().boolean(true), code::MARSHALLING_ERROR),
        (opcode::GET_CHILDREN, null.clone().boolean(true), code::MARSHALLING_ERROR),
        (opcode::GET_CHILDREN2, null.clone().boolean(true), code::MARSHALLING_ERROR),
        (opcode::GET_ALL_CHILDREN_NUMBER, null.clone(), code::MARSHALLING_ERROR),
        (opcode::GET_ACL, null.clone(), code::MARSHALLING_ERROR),
        (opcode::GET_EPHEMERALS, null.clone(), code::OK),
        (opcode::CHECK_WATCHES, null.clone().int(3), code::NO_WATCHER),
        (opcode::REMOVE_WATCHES, null.clone().int(3), code::NO_WATCHER),
        (opcode::SET_WATCHES, watches(&[&one, &none, &none]), code::MARSHALLING_ERROR),
        (opcode::SET_WATCHES, watches(&[&none, &one, &none]), code::MARSHALLING_ERROR),
        (opcode::SET_WATCHES, watches(&[&none, &none, &one]), code::MARSHALLING_ERROR),
        (opcode::CHECK_WATCHES, null.clone().int(3), code::NO_WATCHER),
        (opcode::SET_WATCHES2, watches(&[&none, &none, &none, &one, &none]), code::OK),
        (opcode::CHECK_WATCHES, null.clone().int(4), code::OK),
        (opcode::SET_WATCHES2, watches(&[&none, &none, &none, &none, &one]), code::OK),
        (opcode::ADD_WATCH, null.clone().int(0), code::OK),
        (opcode::ADD_WATCH, null.clone().int(1), code::OK),
        (opcode::CHECK_WATCHES, null.clone().int(5), code::OK),
        (opcode::REMOVE_WATCHES, null.clone().int(3), code::OK),
    ] {
        let reply = c.call(kind, &body);
        assert_eq!(reply.err, expected, "operation {kind}, {body:?}");
        zxid += i64::from(WRITES.contains(&kind));
        assert_eq!(reply.zxid, zxid, "operation {kind}, {body:?}");
    }
    c.close();
}

/// In a multi, one of them ends the whole request, at any position.
#[test]
fn null_paths_in_multis() {
    let own = Server::config().start();
    let mut c = Client::connect(own.address());
    c.exists("/", false).unwrap();
    let mut zxid = c.zxid();
    let part = |kind: i32, body: Body| Body::new().int(kind).boolean(false).int(-1).raw(&body.0);
    let multi = |parts: &[Body]| {
        let all = parts.iter().fold(Body::new(), |all, part| all.raw(&part.0));
        all.int(-1).boolean(true).int(-1)
    };
    let null = Body::new().buffer(None);
    let create = part(opcode::CREATE, null.clone().buffer(&b""[..]).acls(&Acl::open()).int(0));
    let delete = part(opcode::DELETE, null.clone().int(-1));
    let made =
        part(opcode::CREATE, harness::client::create_body("/null-multi", b"", &Acl::open(), 0));
    let failing = part(opcode::CHECK, Body::new().string("/null-absent").int(-1));
    let set = part(opcode::SET_DATA, null.clone().buffer(&b""[..]).int(-1));
    let check = part(opcode::CHECK, null.clone().int(-1));
    let read = part(opcode::GET_DATA, null.clone().boolean(false));
    let children = part(opcode::GET_CHILDREN, null.clone().boolean(false));
    let root = part(opcode::GET_DATA, Body::new().string("/").boolean(false));
    for (kind, parts, expected) in [
        (opcode::MULTI, [made.clone(), create.clone()], code::MARSHALLING_ERROR),
        (opcode::MULTI, [made.clone(), delete.clone()], code::MARSHALLING_ERROR),
        (opcode::MULTI, [failing.clone(), create.clone()], code::MARSHALLING_ERROR),
        (opcode::MULTI, [failing.clone(), delete.clone()], code::MARSHALLING_ERROR),
        (opcode::MULTI, [made.clone(), set], code::MARSHALLING_ERROR),
        (opcode::MULTI, [made.clone(), check], code::MARSHALLING_ERROR),
        (opcode::MULTI_READ, [root.clone(), read], code::MARSHALLING_ERROR),
        (opcode::MULTI_READ, [root, children], code::MARSHALLING_ERROR),
    ] {
        let reply = c.call(kind, &multi(&parts));
        zxid += i64::from(kind == opcode::MULTI);
        assert_eq!((reply.err, reply.zxid), (expected, zxid), "{parts:?}");
    }
    assert_eq!(c.exists("/null-multi", false), Err(code::NO_NODE));
    c.close();
}

/// The limit of a frame is 1,048,575 bytes: header, path, data, ACL and flags together.
#[test]
fn a_request_as_long_as_allowed() {
    let mut c = Client::connect(server().address());
    let data = vec![b'x'; 1_048_575 - 8 - 4 - 6 - 4 - (4 + 4 + 4 + 5 + 4 + 6) - 4];
    let made = c.create("/limit", &data, &Acl::open(), 0);
    assert_eq!(made.as_deref(), Ok("/limit"));
    c.delete("/limit", -1).unwrap();
    let over =
        harness::client::create_body("/limit", &[data, vec![b'x']].concat(), &Acl::open(), 0);
    // It may be closed before all is sent.
    c.try_post(opcode::CREATE, &over);
    c.assert_closed();
}
