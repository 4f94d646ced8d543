//! Nodes that are removed automatically: containers, and nodes with a time to live.

use std::sync::OnceLock;

use harness::{Acl, Body, Client, Server, code, opcode};

use super::client_at;

/// A server that looks for such nodes continuously.
fn reaper() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let often = Server::config().property("znode.container.checkIntervalMs=100");
        often.property("znode.container.maxPerMinute=60000").start()
    })
}

#[test]
fn an_emptied_container_goes() {
    let mut c = Client::connect(reaper().address());
    let (path, stat) = c.create_container("/container", 4).unwrap();
    assert_eq!((path.as_str(), stat.ephemeral_owner), ("/container", 0));
    c.make("/container/a");
    c.exists("/container", true).unwrap();
    c.delete("/container/a", -1).unwrap();
    let event = c.event();
    assert_eq!((event.kind, event.path.as_str()), (2, "/container"));
    assert_eq!(c.exists("/container", false), Err(code::NO_NODE));
}

/// One that never had a child stays, and so does one that has.
#[test]
fn other_containers_stay() {
    let mut c = Client::connect(reaper().address());
    c.create_container("/container-new", 4).unwrap();
    c.create_container("/container-full", 4).unwrap();
    c.make("/container-full/a");
    c.create_container("/container-gone", 4).unwrap();
    c.make("/container-gone/a");
    c.delete("/container-gone/a", -1).unwrap();
    c.wait_until("the empty one is removed", |c| c.exists("/container-gone", false).is_err());
    assert!(c.exists("/container-new", false).is_ok());
    assert!(c.exists("/container-full", false).is_ok());
}

#[test]
fn a_node_goes_when_its_time_is_over() {
    let mut c = Client::connect(reaper().address());
    let (path, stat) = c.create_ttl("/ttl", b"x", 5, 300).unwrap();
    assert_eq!((path.as_str(), stat.ephemeral_owner, stat.data_length), ("/ttl", 0, 1));
    let (path, _) = c.create_ttl("/ttl-", b"", 6, 300).unwrap();
    assert!(path.starts_with("/ttl-00000"), "{path}");
    c.create_ttl("/ttl-long", b"", 5, 1_000_000).unwrap();
    c.create_ttl("/ttl-full", b"", 5, 1).unwrap();
    c.make("/ttl-full/a");
    c.wait_until("time is over", |c| c.exists("/ttl", false).is_err());
    c.wait_until("time is over", |c| c.exists(&path, false).is_err());
    assert!(c.exists("/ttl-long", false).is_ok());
    assert!(c.exists("/ttl-full", false).is_ok(), "not while it has children");
    c.delete("/ttl-full/a", -1).unwrap();
    c.wait_until("the last child is removed", |c| c.exists("/ttl-full", false).is_err());
}

#[test]
fn the_reaper_writes_no_version() {
    let mut c = Client::connect(reaper().address());
    c.make("/reaped");
    c.create_ttl("/reaped/a", b"", 5, 1).unwrap();
    c.wait_until("time is over", |c| c.exists("/reaped/a", false).is_err());
    let stat = c.exists("/reaped", false).unwrap();
    assert_eq!((stat.cversion, stat.num_children), (2, 0));
    assert!(stat.pzxid > stat.czxid + 1);
}

#[test]
fn invalid_times_to_live() {
    let mut c = client_at("/ttl-bad");
    let most = (1 << 40) - 1;
    for (flags, ttl, err) in [
        (5, 0, code::BAD_ARGUMENTS),
        (5, -1, code::BAD_ARGUMENTS),
        (5, most + 1, code::BAD_ARGUMENTS),
        (6, 0, code::BAD_ARGUMENTS),
        (0, 1, code::BAD_ARGUMENTS),
        (0, 0, code::BAD_ARGUMENTS),
        (1, 10, code::BAD_ARGUMENTS),
        (4, 10, code::BAD_ARGUMENTS),
        (9, 10, code::BAD_ARGUMENTS),
    ] {
        let got = c.create_ttl("/ttl-bad/a", b"", flags, ttl);
        assert_eq!(got, Err(err), "flags {flags}, ttl {ttl}");
    }
    c.create_ttl("/ttl-bad/a", b"", 5, most).unwrap();
    c.create_ttl("/ttl-bad/b", b"", 5, 1_000_000).unwrap();
    for kind in [opcode::CREATE, opcode::CREATE2, opcode::CREATE_CONTAINER] {
        let body = harness::client::create_body("/ttl-bad/c", b"", &Acl::open(), 5);
        assert_eq!(c.call(kind, &body).err, code::BAD_ARGUMENTS, "no ttl with operation {kind}");
    }
}

#[test]
fn such_nodes_are_nodes() {
    let mut c = client_at("/such");
    c.create_container("/such/c", 4).unwrap();
    c.create_ttl("/such/t", b"", 5, 1_000_000).unwrap();
    c.make("/such/c/child");
    c.make("/such/t/child");
    assert_eq!(c.delete("/such/c", -1), Err(code::NOT_EMPTY));
    c.delete("/such/c/child", -1).unwrap();
    c.delete("/such/t/child", -1).unwrap();
    c.delete("/such/t", -1).unwrap();
    let made = c.create("/such/plain", b"", &Acl::open(), 4);
    assert_eq!(made.as_deref(), Ok("/such/plain"), "flag 4 with a plain create");
}

#[test]
fn without_the_extended_types_there_is_no_ttl() {
    let server = Server::config().set("extendedTypesEnabled", "false").start();
    let mut c = Client::connect(server.address());
    assert_eq!(c.create_ttl("/t", b"", 5, 1000), Err(code::UNIMPLEMENTED));
    assert_eq!(c.create_ttl("/t", b"", 6, 0), Err(code::UNIMPLEMENTED));
    assert!(c.create_container("/c", 4).is_ok());
    let body = Body::new().string("/t").buffer(&b""[..]).acls(&Acl::open()).int(5);
    assert_eq!(c.call(opcode::CREATE, &body).err, code::UNIMPLEMENTED);
}
