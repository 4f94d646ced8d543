//! How a connection ends, and what counts of the input received before: every complete request
//! before the end, in order, whatever the end is.
//!
//! Replies differ: to a peer that has closed its side, another server does not send those still
//! outstanding, while this one sends all. So tests that run against both check the tree, and
//! replies only where the server ends the connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;

use harness::client::{create_body, frame, multi_body, read_frame, request};
use harness::{Acl, Body, Client, Handshake, Incoming, Op, Server, code, is_reference, opcode};

/// One loop for everything, and separate loops for shards; to another server the key is an unknown
/// one.
fn servers() -> &'static [Server; 2] {
    static SERVERS: OnceLock<[Server; 2]> = OnceLock::new();
    SERVERS
        .get_or_init(|| ["1", "3"].map(|count| Server::config().set("ring.shards", count).start()))
}

/// Requests that may stand between two writes.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Read,
    Watch,
    Sync,
    FailedMulti,
    Auth,
}

/// `count` numbered creates below `path`, with something behind each, as they travel.
fn creates(path: &str, count: i32, between: Between) -> Vec<u8> {
    let mut bytes = Vec::new();
    for at in 0..count {
        let name = format!("{path}/n{at:05}");
        bytes.extend(request(at, opcode::CREATE, &create_body(&name, b"", &Acl::open(), 0)));
        let (kind, body) = match between {
            Between::Nothing => continue,
            Between::Read => (opcode::GET_DATA, get(path)),
            Between::Watch => (opcode::GET_CHILDREN, Body::new().string(path).boolean(true)),
            Between::Sync => (opcode::SYNC, Body::new().string(path)),
            Between::FailedMulti => {
                let ops = [Op::Delete { path: &name, version: 7 }];
                (opcode::MULTI, multi_body(&ops))
            }
            Between::Auth => {
                bytes.extend(auth("digest", b"u:p"));
                continue;
            }
        };
        bytes.extend(request(100_000 + at, kind, &body));
    }
    bytes
}

fn get(path: &str) -> Body {
    Body::new().string(path).boolean(false)
}

fn auth(scheme: &str, credentials: &[u8]) -> Vec<u8> {
    let body = Body::new().int(0).string(scheme).buffer(credentials);
    request(-4, opcode::AUTH, &body)
}

/// A session that outlives the test, unless it is closed.
fn client(server: &Server) -> Client {
    let handshake = Handshake { timeout_ms: 40_000, ..Handshake::default() };
    Client::open(server.address(), &handshake).expect("answered")
}

/// Waits until the first `count` creates have been applied, and checks that no others were.
fn assert_made(observer: &mut Client, path: &str, count: i32, what: &str) {
    let wanted: Vec<_> = (0..count).map(|at| format!("n{at:05}")).collect();
    observer.wait_until(what, |o| o.children(path, false).unwrap().len() >= wanted.len());
    assert_eq!(observer.children(path, false), Ok(wanted), "{what}");
}

/// Runs `act` once for each server, with an observer and a new path.
fn on_each(name: &str, mut act: impl FnMut(&Server, &mut Client, &str)) {
    for server in servers() {
        let mut observer = client(server);
        let path = format!("/{name}");
        observer.make(&path);
        act(server, &mut observer, &path);
        observer.close();
    }
}

#[test]
fn every_write_before_the_end_of_the_stream_counts() {
    on_each("end-writes", |server, observer, path| {
        for count in [1, 2, 127, 128, 129, 400, 2000] {
            let below = format!("{path}/{count}");
            observer.make(&below);
            let mut c = client(server);
            c.send_raw(&creates(&below, count, Between::Nothing));
            c.half_close();
            c.assert_closed();
            assert_made(observer, &below, count, "all that was sent");
        }
    });
}

#[test]
fn writes_behind_other_requests_count() {
    use Between::{Auth, FailedMulti, Read, Sync, Watch};
    on_each("end-between", |server, observer, path| {
        for between in [Read, Watch, Sync, FailedMulti, Auth] {
            let below = format!("{path}/{between:?}");
            observer.make(&below);
            let mut c = client(server);
            c.send_raw(&creates(&below, 300, between));
            c.half_close();
            c.assert_closed();
            assert_made(observer, &below, 300, "all that was sent");
        }
    });
}

/// An incomplete request does not count, and does not affect the complete ones before it.
#[test]
fn an_end_in_the_middle_of_a_request() {
    on_each("end-middle", |server, observer, path| {
        let whole = request(9, opcode::CREATE, &create_body(path, b"", &Acl::open(), 0));
        for cut in [1, 3, 4, 12, whole.len() - 1] {
            let below = format!("{path}/{cut}");
            observer.make(&below);
            let mut c = client(server);
            let mut bytes = creates(&below, 200, Between::Read);
            bytes.extend_from_slice(&whole[..cut]);
            c.send_raw(&bytes);
            c.half_close();
            c.assert_closed();
            assert_made(observer, &below, 200, "the whole requests");
        }
    });
}

/// As C clients before 3.6 close: without waiting for the answer to closeSession.
#[test]
fn a_session_closed_right_before_the_end_is_closed() {
    on_each("end-close", |server, observer, path| {
        for (at, is_half) in [(0, true), (1, false)] {
            let node = format!("{path}/e{at}");
            let bytes = [
                request(1, opcode::CREATE, &create_body(&node, b"", &Acl::open(), 1)),
                request(2, opcode::EXISTS, &Body::new().string(&node).boolean(false)),
                request(3, opcode::CLOSE_SESSION, &Body::new()),
            ];
            let mut c = client(server);
            c.send_raw(&bytes.concat());
            let handshake = c.reattach();
            if is_half {
                c.half_close();
            }
            drop(c);
            // Made and deleted: two changes of the parent's children each time.
            observer.wait_until("the ephemeral node is deleted", |o| {
                let (children, stat) = o.children2(path, false).unwrap();
                children.is_empty() && stat.cversion == 2 * (at + 1)
            });
            let again = Client::open(server.address(), &handshake).expect("answered");
            assert_eq!(again.session_id(), 0, "the session is over");
        }
    });
}

#[test]
fn requests_sent_with_the_connect_request() {
    on_each("end-connect", |server, observer, path| {
        for (name, count, is_ending) in
            [("open", 200, false), ("one", 1, true), ("many", 200, true), ("none", 0, true)]
        {
            let below = format!("{path}/{name}");
            observer.make(&below);
            let mut stream = TcpStream::connect(server.address()).unwrap();
            let mut bytes = frame(&Handshake::default().encode());
            bytes.extend(creates(&below, count, Between::Read));
            stream.write_all(&bytes).unwrap();
            if is_ending {
                stream.shutdown(Shutdown::Write).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
            }
            assert_made(observer, &below, count, "all behind the connect request");
        }
    });
}

/// A client that closes only its own side still reads, and gets all its answers.
#[test]
fn a_client_that_has_closed_its_side_is_answered() {
    if is_reference() {
        return;
    }
    on_each("end-half", |server, observer, path| {
        let count = 300;
        for between in [Between::Read, Between::Sync, Between::FailedMulti] {
            let below = format!("{path}/{between:?}");
            observer.make(&below);
            let mut bytes = frame(&Handshake::default().encode());
            bytes.extend(creates(&below, count, between));
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(&bytes).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            assert!(read_frame(&mut stream).is_some(), "the answer to the connect request");
            let mut replies = Vec::new();
            while let Some(reply) = read_frame(&mut stream) {
                replies.push(i32::from_be_bytes(reply[..4].try_into().unwrap()));
            }
            let expected: Vec<_> = (0..count).flat_map(|at| [at, 100_000 + at]).collect();
            assert_eq!(replies, expected, "{between:?}");
            let mut c = client(server);
            let xids: Vec<_> = (0..count).map(|_| c.post(opcode::GET_DATA, &get(&below))).collect();
            c.half_close();
            for xid in xids {
                assert_eq!(c.reply(xid).err, code::OK);
            }
            c.assert_closed();
        }
    });
}

/// Resuming a session works this way too, and requests behind it belong to that session.
#[test]
fn requests_sent_with_a_connect_request_that_names_a_session() {
    on_each("end-again", |server, observer, path| {
        let c = client(server);
        let owner = c.session_id();
        let handshake = c.reattach();
        c.hang_up();
        let node = format!("{path}/e");
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let mut bytes = frame(&handshake.encode());
        bytes.extend(request(1, opcode::CREATE, &create_body(&node, b"", &Acl::open(), 1)));
        stream.write_all(&bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        observer.wait_until("the node is made", |o| o.exists(&node, false).is_ok());
        assert_eq!(observer.exists(&node, false).unwrap().ephemeral_owner, owner);
        Client::open(server.address(), &handshake).expect("answered").close();
        assert_eq!(observer.exists(&node, false), Err(code::NO_NODE));
    });
}

/// Xid, zxid and error of the last answer.
type Farewell = Option<(i32, i64, i32)>;

/// The ways in which a client makes the server end a connection, and the last answer to each.
fn endings() -> [(&'static str, Vec<u8>, Farewell); 6] {
    let header = frame(&[0, 0]);
    let not_an_auth = frame(&Body::new().int(-4).int(opcode::AUTH).int(0).0);
    [
        ("negative length", (-1_i32).to_be_bytes().to_vec(), None),
        ("too long", 0x7fff_0000_i32.to_be_bytes().to_vec(), None),
        ("short header", header, None),
        ("short auth", not_an_auth, None),
        ("unknown operation", request(777, 99, &Body::new()), Some((777, -1, code::UNIMPLEMENTED))),
        ("unknown scheme", auth("nosuch", b"x"), Some((-4, 0, code::AUTH_FAILED))),
    ]
}

#[test]
fn what_came_before_a_request_that_ends_the_connection_counts() {
    on_each("end-bad", |server, observer, path| {
        for (what, ending, _) in endings() {
            for count in [1, 140] {
                let below = format!("{path}/{what}-{count}");
                observer.make(&below);
                let mut c = client(server);
                let mut bytes = creates(&below, count, Between::Read);
                bytes.extend_from_slice(&ending);
                if !is_reference() {
                    // Stock keeps reading until it has sent its last answer.
                    let behind = create_body(&format!("{below}/behind"), b"", &Acl::open(), 0);
                    bytes.extend(request(5, opcode::CREATE, &behind));
                }
                c.send_raw(&bytes);
                c.assert_closed();
                assert_made(observer, &below, count, what);
            }
        }
    });
}

/// Each request before the end is answered, and the last answer is that of the end.
///
/// Stock answers the end at once, then sends whatever happens to be ready.
#[test]
fn what_came_before_a_request_that_ends_the_connection_is_answered() {
    if is_reference() {
        return;
    }
    on_each("end-answers", |server, observer, path| {
        for (at, (what, ending, farewell)) in endings().into_iter().enumerate() {
            let below = format!("{path}/{at}");
            observer.make(&below);
            let mut c = client(server);
            let mut bytes = request(9, opcode::EXISTS, &Body::new().string(path).boolean(false));
            bytes.extend(creates(&below, 150, Between::Read));
            bytes.extend_from_slice(&ending);
            c.send_raw(&bytes);
            let mut answers = Vec::new();
            while let Some(Incoming::Reply(reply)) = c.receive() {
                answers.push((reply.xid, reply.zxid, reply.err));
            }
            let last = farewell.is_some().then(|| answers.pop().unwrap());
            assert_eq!(last, farewell, "{what}");
            let xids: Vec<_> = answers.iter().map(|(xid, _, err)| (*xid, *err)).collect();
            let wanted = (0..150).flat_map(|at| [(at, 0), (100_000 + at, 0)]);
            assert_eq!(xids, [(9, 0)].into_iter().chain(wanted).collect::<Vec<_>>(), "{what}");
        }
    });
}

/// Nothing behind closeSession counts.
#[test]
fn what_comes_behind_the_end_of_a_session_does_not_count() {
    on_each("end-behind", |server, observer, path| {
        for (name, between) in [("a", Between::Nothing), ("b", Between::Read)] {
            let below = format!("{path}/{name}");
            observer.make(&below);
            let behind = create_body(&format!("{below}/x"), b"", &Acl::open(), 0);
            let mut bytes = creates(&below, 150, between);
            bytes.extend(request(5, opcode::CLOSE_SESSION, &Body::new()));
            bytes.extend(request(6, opcode::CREATE, &behind));
            bytes.extend(request(7, 99, &Body::new()));
            let mut c = client(server);
            c.send_raw(&bytes);
            c.half_close();
            c.assert_closed();
            assert_made(observer, &below, 150, "what came before the end of the session");
            let again = Client::open(server.address(), &c.reattach()).expect("answered");
            assert_eq!(again.session_id(), 0, "the session is over");
        }
    });
}

/// What was received before a reset counts. Stock loses what it has not read when it first fails to
/// send.
#[test]
fn every_write_before_a_reset_counts() {
    if is_reference() {
        return;
    }
    on_each("end-reset", |server, observer, path| {
        for between in [Between::Nothing, Between::Read] {
            for count in [1, 150, 400] {
                let below = format!("{path}/{between:?}-{count}");
                observer.make(&below);
                client(server).reset(&creates(&below, count, between));
                assert_made(observer, &below, count, "all before the reset");
            }
        }
    });
}
