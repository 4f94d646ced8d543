//! Which requests take a zxid, and what the header of a reply contains. These tests have a server
//! of their own, because every write counts.

use harness::{Acl, Body, Client, Op, Server, code, opcode};

/// The zxids that one request took, seen from a session of its own.
fn taken(c: &mut Client, request: impl FnOnce(&mut Client)) -> i64 {
    let last = |c: &mut Client| {
        let xid = c.post(opcode::EXISTS, &Body::new().string("/").boolean(false));
        c.reply(xid).zxid
    };
    let before = last(c);
    request(c);
    last(c) - before
}

#[test]
fn a_write_takes_one_and_a_read_none() {
    let server = Server::config().start();
    let mut c = Client::connect(server.address());
    let mut took = |request: fn(&mut Client)| taken(&mut c, request);
    assert_eq!(took(Client::ping), 0);
    assert_eq!(took(|c| c.make("/a")), 1);
    assert_eq!(took(|c| assert!(c.get("/a", true).is_ok())), 0);
    assert_eq!(took(|c| assert!(c.sync("/a").is_ok())), 0);
    assert_eq!(took(|c| assert!(c.add_watch("/a", 0).is_ok())), 0);
    assert_eq!(took(|c| assert!(c.set("/a", b"", -1).is_ok())), 1);
    assert_eq!(took(|c| assert!(c.set_acl("/a", &Acl::open(), -1).is_ok())), 1);
    assert_eq!(took(|c| assert!(c.multi_read(&[Op::Get { path: "/a" }]).is_ok())), 0);
    // However many operations it holds, applied or not.
    let two = |c: &mut Client| c.multi(&[Op::create("/m", b"", 0), Op::create("/n", b"", 0)]);
    assert_eq!(taken(&mut c, |c| assert!(two(c).is_ok())), 1);
    assert_eq!(taken(&mut c, |c| assert!(two(c).is_ok())), 1);
    assert_eq!(taken(&mut c, |c| assert_eq!(c.multi(&[]), Ok(vec![]))), 1);
}

/// It is decided in order like any other.
#[test]
fn a_refused_write_takes_one_as_well() {
    let server = Server::config().start();
    let mut c = Client::connect(server.address());
    c.make("/a");
    let mut took = |expected: i32, request: fn(&mut Client) -> Option<i32>| {
        taken(&mut c, |c| assert_eq!(request(c), Some(expected)))
    };
    assert_eq!(took(code::NODE_EXISTS, |c| c.create("/a", b"", &Acl::open(), 0).err()), 1);
    assert_eq!(took(code::BAD_ARGUMENTS, |c| c.create("a", b"", &Acl::open(), 0).err()), 1);
    assert_eq!(took(code::INVALID_ACL, |c| c.create("/b", b"", &[], 0).err()), 1);
    assert_eq!(took(code::NO_NODE, |c| c.set("/none", b"", -1).err()), 1);
    assert_eq!(took(code::BAD_VERSION, |c| c.delete("/a", 99).err()), 1);
    let reconfigure = |c: &mut Client| {
        let body = Body::new().buffer(None).buffer(None).buffer(None).long(-1);
        Some(c.call(opcode::RECONFIG, &body).err)
    };
    assert_eq!(took(code::RECONFIG_DISABLED, reconfigure), 1);
    // What cannot be decoded is never decided, but a multi is.
    let nothing = Body::new;
    let wrong = code::MARSHALLING_ERROR;
    assert_eq!(taken(&mut c, |c| assert_eq!(c.call(opcode::MULTI, &nothing()).err, wrong)), 1);
    assert_eq!(taken(&mut c, |c| assert_eq!(c.call(opcode::CREATE, &nothing()).err, wrong)), 0);
    assert_eq!(taken(&mut c, |c| assert_eq!(c.call(opcode::GET_DATA, &nothing()).err, wrong)), 0);
}

#[test]
fn a_session_takes_one_at_each_end_and_none_to_move() {
    let server = Server::config().start();
    let mut c = Client::connect(server.address());
    let open = || Client::connect(server.address());
    assert_eq!(taken(&mut c, |_| open().hang_up()), 1);
    assert_eq!(taken(&mut c, |_| open().close()), 2);
    let other = open();
    assert_eq!(taken(&mut c, |_| other.reconnect().hang_up()), 0);
}

#[test]
fn a_reply_to_a_write_has_the_writes_zxid() {
    let server = Server::config().start();
    let mut c = Client::connect(server.address());
    let create = harness::client::create_body("/a", b"", &Acl::open(), 0);
    let made = c.call(opcode::CREATE, &create);
    assert_eq!(c.exists("/a", false).unwrap().czxid, made.zxid);
    let failed = c.call(opcode::CREATE, &create);
    assert_eq!((failed.err, failed.zxid), (code::NODE_EXISTS, made.zxid + 1));
    c.send(-2, opcode::PING, &Body::new());
    assert_eq!(c.reply(-2).zxid, failed.zxid);
}

#[test]
fn a_server_begins_at_zero() {
    let server = Server::config().start();
    let mut c = Client::connect(server.address());
    for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
        let stat = c.exists(path, false).unwrap();
        assert_eq!((stat.czxid, stat.mzxid, stat.pzxid, stat.version), (0, 0, 0, 0), "{path}");
        assert_eq!((stat.ctime, stat.mtime, stat.ephemeral_owner), (0, 0, 0), "{path}");
        let aversion = if path == "/zookeeper/config" { -1 } else { 0 };
        assert_eq!(stat.aversion, aversion, "{path}");
    }
    assert_eq!(c.exists("/", false).unwrap().num_children, 1);
    assert_eq!(c.exists("/", false).unwrap().cversion, -1);
    assert_eq!(c.zxid(), 1, "its own session is the first txn");
    assert!(server.word("srvr").contains("\nZxid: 0x1\n"));
    assert!(server.word("srvr").contains("\nNode count: 5\n"));
}

#[test]
fn zxids_continue_after_a_restart() {
    let mut server = Server::config().start();
    let mut c = Client::connect(server.address());
    c.make("/a");
    let before = c.exists("/a", false).unwrap();
    server.restart();
    let mut c = c.reconnect();
    assert_eq!(c.exists("/a", false), Ok(before));
    let (_, stat) = c.create2("/b", b"", &Acl::open(), 0).unwrap();
    assert_eq!(stat.czxid, before.czxid + 1);
    server.stop();
    server.start_again();
    let mut c = c.reconnect();
    assert_eq!(c.exists("/b", false), Ok(stat));
}
